"""Schedules: the learning rate's factor as a pure function of progress in [0, 1]."""

import math


class Schedule:
    """A factor on the learning rate, from the progress of training.

    Parameters
    ----------
    power_t : float, default=0.5
        Exponent of inverse scaling.
    n_epochs : int, default=1
        Epochs between progress 0 and progress 1.
    n_samples : int, default=1
        Samples seen per epoch.
    samples_seen : int, default=0
        Samples seen before progress 0, in earlier fits.

    Attributes
    ----------
    has_fixed_length : bool
        Whether the schedule is laid out for a known number of epochs.
    plateau_factor : float or None
        Further factor at each plateau of the loss; None ends training there.
    smallest_factor : float
        Where it has fallen to this, a plateau ends training.
    """

    has_fixed_length = False
    plateau_factor: float | None = None
    smallest_factor = 0.0

    def __init__(
        self,
        power_t: float = 0.5,
        n_epochs: int = 1,
        n_samples: int = 1,
        samples_seen: int = 0,
    ) -> None:
        self.power_t = power_t
        self.n_epochs = n_epochs
        self.n_samples = n_samples
        self.samples_seen = samples_seen

    def __call__(self, progress: float) -> float:
        """Factor at `progress`, 0 before the first step and 1 after the last."""
        raise NotImplementedError


class Constant(Schedule):
    """1 throughout."""

    def __call__(self, progress: float) -> float:
        return 1.0


class Adaptive(Constant):
    """1 until the loss stops falling; then divided by 5, again and again."""

    plateau_factor = 0.2


class ReduceOnPlateau(Adaptive):
    """1, then 1/5 and 1/25 once the loss stops falling; the third time ends training.

    Small steps settle what larger ones have found, and soon find nothing new.
    """

    smallest_factor = 0.04


class InverseScaling(Schedule):
    """(t + 1)^-power_t, t the samples seen when the epoch began, as in scikit-learn."""

    def __call__(self, progress: float) -> float:
        # the nudge keeps 0.3 * 10 = 2.999... in the epoch that has begun
        epoch = math.floor(progress * self.n_epochs + 1e-9)
        return (self.samples_seen + epoch * self.n_samples + 1) ** -self.power_t


class Cosine(Schedule):
    """Half a cosine wave from 1 to 0 (Loshchilov and Hutter, 2017)."""

    has_fixed_length = True

    def __call__(self, progress: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * progress))


class OneCycle(Schedule):
    """From 1/25 up to 1 in the first 30%, then down to 1e-4 / 25 (Smith, 2018).

    Both arcs are half cosine waves.
    """

    has_fixed_length = True
    warm_up = 0.3
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
