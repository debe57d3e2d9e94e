"""Schedules: the learning rate's factor as a pure function of progress in [0, 1]."""

import math


class Schedule:
    """A factor on the learning rate, as a function of the progress of training."""

    has_fixed_length = False  # True if it is laid out for a known number of epochs
    plateau_factor: float | None = None  # at each plateau of the loss; None: stop there
    smallest_factor = 0.0  # a plateau ends training once the factor has fallen to this

    def __init__(
        self,
        power_t: float = 0.5,  # exponent of inverse scaling
        n_epochs: int = 1,  # between progress 0 and progress 1
        n_samples: int = 1,  # samples per epoch
        samples_seen: int = 0,  # before progress 0, in earlier fits
    ) -> None:
        self.power_t = power_t
        self.n_epochs = n_epochs
        self.n_samples = n_samples
        self.samples_seen = samples_seen

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`: 0 at the first step, 1 after the last."""
        raise NotImplementedError


class Constant(Schedule):
    """1 throughout."""

    def __call__(self, progress: float) -> float:
        return 1.0


class Adaptive(Constant):
    """1 until the loss stops falling; then divided by 5 at each plateau."""

    plateau_factor = 0.2


class ReduceOnPlateau(Adaptive):
    """1, then 1/5 and 1/25 at plateaus of the loss; the third plateau ends training."""

    # smaller steps refine what larger ones have found, and soon gain nothing more
    smallest_factor = 0.04


class InverseScaling(Schedule):
    """(t + 1)^-power_t, t the samples seen when the epoch began, as in scikit-learn."""

    def __call__(self, progress: float) -> float:
        # 1e-9, since 0.3 * 10 = 2.999... belongs to the epoch that has begun
        epoch = math.floor(progress * self.n_epochs + 1e-9)
        return (self.samples_seen + epoch * self.n_samples + 1) ** -self.power_t


class Cosine(Schedule):
    """Half a cosine wave from 1 to 0 (Loshchilov and Hutter, 2017)."""

    has_fixed_length = True

    def __call__(self, progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress))


class OneCycle(Schedule):
    """Two half cosine waves: 1/25 up to 1, then down to 1e-4 / 25 (Smith, 2018)."""

    has_fixed_length = True
    warm_up = 0.3  # progress at which the factor is 1
    first = 1 / 25
    last = 1e-4 / 25

    def __call__(self, progress: float) -> float:
        if progress < self.warm_up:
            start, stop, part = self.first, 1.0, progress / self.warm_up
        else:
            start, stop = 1.0, self.last
            part = (progress - self.warm_up) / (1 - self.warm_up)
        return stop + (start - stop) * 0.5 * (1 + math.cos(math.pi * part))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "reduce_on_plateau": ReduceOnPlateau,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
"""Schedules by the name that `MLPSoftmaxClassifier(learning_rate=...)` takes."""
