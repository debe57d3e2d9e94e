"""Early stopping: the history of training, the best weights, when and why to stop."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

# a learning rate at which a plateau ends training instead of lowering it further
MIN_LEARNING_RATE = 1e-6
MIN_LOSS = -1e-3  # lowest plausible loss: below 0 are only rounding errors
# multiple of the first batch's loss (or of 1, if larger) that counts as divergence
DIVERGENCE_FACTOR = 1e3


class StopReason(StrEnum):
    """Reason for the end of training; the values are in the format of checkpoints."""

    CONVERGED = "converged"  # no improvement any more
    DIVERGED = "diverged"  # the loss grew far beyond the first one, or is not finite
    OUT_OF_TIME = "time"  # `max_time` has passed
    INTERRUPTED = "interrupted"  # Ctrl-C
    BY_CALLBACK = "callback"  # a scikit-learn callback asked for it
    COMPLETED = "schedule"  # all epochs of a fixed budget are done
    MAX_ITER_REACHED = "epochs"  # `max_iter` epochs are done, without convergence


@dataclass
class PlateauTracker:
    """Lowest value so far of a watched loss, and how long ago it was reached."""

    lowest: float = math.inf
    n_bad_epochs: int = 0  # epochs since it last fell by more than the tolerance
    factor: float = 1.0  # on the learning rate, from earlier plateaus

    def update(self, value: float, tol: float) -> bool:
        """Record the value of an epoch; return True if it is the best so far."""
        # NaN and inf, from scorers that are undefined for these rows, are never good
        has_improved = value <= self.lowest - tol and value < math.inf
        self.n_bad_epochs = 0 if has_improved else self.n_bad_epochs + 1
        if value < self.lowest:
            self.lowest = value
            return True
        return False


# validation losses and scores of the members at some indices, each (n_members,)
Evaluate = Callable[..., tuple[np.ndarray, np.ndarray]]


class Observer:
    """Callback of training; both methods do nothing unless overridden."""

    def begin_epoch(self, monitor: "Monitor") -> None:
        """Run before each epoch."""

    def end_epoch(self, monitor: "Monitor") -> None:
        """Run after each epoch; may set `monitor.stop_reason` to end training."""


class Monitor:
    """Early stopping, checked at the end of each epoch.

    Without `evaluate` it watches the mean training loss and keeps the last weights.
    With it, it watches the validation score of each network, keeps its best weights and
    ends its training once it does not improve. (All networks are watched as one where
    the learning rate, which they share, is lowered at plateaus.) A run that diverges is
    ended, and the last good weights are kept.
    """

    def __init__(
        self,
        parameters: np.ndarray,  # (n_members, n_parameters), before training
        *,
        tol: float,  # smallest improvement of a watched value
        patience: float,  # epochs without improvement before a plateau is reached
        initial_patience: float = math.inf,  # see `_is_out_of_patience`
        learning_rate: float = math.inf,  # before any factor
        plateau_factor: float | None = None,  # on it, at a plateau; None: end there
        smallest_factor: float = 0.0,  # at or below it, a plateau ends training
        evaluate: Evaluate | None = None,
        plateau: PlateauTracker | None = None,  # to resume from
        deadline: float = math.inf,  # value of `time.monotonic`
        observers: Sequence[Observer] = (),
    ) -> None:
        self.tol = tol
        self.patience = patience
        self.initial_patience = initial_patience
        self.learning_rate = learning_rate
        self.plateau_factor = plateau_factor
        self.smallest_factor = smallest_factor
        self.evaluate = evaluate
        self.deadline = deadline
        self.observers = list(observers)

        names = ["loss", "learning_rate"]
        if evaluate is not None:
            names += ["validation_loss", "validation_score"]
        self.history: dict[str, list[float]] = {name: [] for name in names}
        n_members = len(parameters)
        watches_each = evaluate is not None and plateau_factor is None
        # one for each network, or one for all
        self.plateaus = [
            PlateauTracker() for _ in range(n_members if watches_each else 1)
        ]
        if plateau is not None:
            self.plateaus = [replace(plateau)]
        # validation loss and score of each network, and those of all epochs so far
        self.latest_evaluation = np.full((2, n_members), np.nan)
        self.evaluations: list[np.ndarray] = []
        # (n_members,), counted from 1; 0 stands for the weights before training
        self.best_epochs = np.zeros(n_members, dtype=int)
        # None while training may go on; observers may set it, and so may the caller
        self.stop_reason: StopReason | None = None
        self.best_parameters = parameters.copy()  # to keep, once `finish` was called
        self.parameters = parameters.copy()  # after the latest epoch
        self._divergence_limit = math.inf

    @property
    def n_epochs(self) -> int:
        """Number of finished epochs, a diverged one included."""
        return len(self.history["loss"])

    @property
    def factor(self) -> float:
        """Factor on the learning rate, from earlier plateaus."""
        return self.plateaus[0].factor

    def has_stopped(self, member: int) -> bool:
        """Return True if the training of one network has ended before the others."""
        return len(self.plateaus) > 1 and self._is_out_of_patience(member)

    def _is_out_of_patience(self, member: int) -> bool:
        # a network whose best epoch was early is not waited for long
        patience = self.initial_patience + self.best_epochs[member]
        return self.plateaus[member].n_bad_epochs > min(patience, self.patience)

    def is_out_of_time(self) -> bool:
        """Return True once the deadline has passed."""
        return time.monotonic() >= self.deadline

    def begin_epoch(self) -> None:
        """Notify the observers."""
        for observer in self.observers:
            observer.begin_epoch(self)

    def set_divergence_limit(self, value: float) -> None:
        """Derive the limit from the loss of the very first batch; ignore later ones."""
        if self.n_epochs == 0:
            self._divergence_limit = DIVERGENCE_FACTOR * max(value, 1.0)

    def end_epoch(
        self,
        loss: float,
        parameters: np.ndarray,
        learning_rate: float = math.nan,
        penalty: float = 0.0,
    ) -> bool:
        """Record an epoch, notify the observers; return True if training is to stop."""
        self._record_epoch(loss, parameters, learning_rate, penalty)
        for observer in self.observers:
            observer.end_epoch(self)
        if self.stop_reason is None and self.is_out_of_time():
            self.stop_reason = StopReason.OUT_OF_TIME
        return self.stop_reason is not None

    def _record_epoch(
        self,
        loss: float,
        parameters: np.ndarray,
        learning_rate: float,
        penalty: float,
    ) -> None:
        if not loss <= self._divergence_limit:
            self.stop_reason = StopReason.DIVERGED
        loss += penalty
        if not (np.isfinite(loss) and np.isfinite(parameters).all()):
            self.stop_reason = StopReason.DIVERGED
        entry = {"loss": loss, "learning_rate": learning_rate}
        if self.evaluate is not None:
            self._evaluate_members(self.evaluate)
            self.evaluations.append(self.latest_evaluation.copy())
            validation_loss, score = self.latest_evaluation.mean(axis=1)
            entry |= {"validation_loss": validation_loss, "validation_score": score}
            if not validation_loss <= self._divergence_limit:
                self.stop_reason = StopReason.DIVERGED
        for name, value in entry.items():
            self.history[name].append(float(value))
        if self.stop_reason == StopReason.DIVERGED:
            return

        improved = self._update_best(loss, self.n_epochs)
        # a training loss was measured with the weights at the start of its epoch
        source = self.parameters if self.evaluate is None else parameters
        self.best_parameters[improved] = source[improved]
        self.parameters[:] = parameters

    def _evaluate_members(self, evaluate: Evaluate) -> None:
        """Validation loss and score of the networks still in training."""
        n_members = len(self.best_parameters)
        members = [i for i in range(n_members) if not self.has_stopped(i)]
        # a scorer may raise for the NaN of a network that has diverged
        has_diverged = self.stop_reason == StopReason.DIVERGED
        self.latest_evaluation[:, members] = (
            math.nan if has_diverged else evaluate(members)
        )

    def _update_best(self, loss: float, n_epochs: int) -> np.ndarray:
        """Update all that depends on losses and scores; mask of improved members."""
        improved = self._update_plateaus(loss)
        self.best_epochs[improved] = n_epochs - (self.evaluate is None)
        if all(map(self._is_out_of_patience, range(len(self.plateaus)))):
            self._end_plateau()
        return improved

    def _update_plateaus(self, loss: float) -> np.ndarray:
        """Update the plateau trackers; return the mask (n_members,) of improvements."""
        n_members, scores = len(self.best_parameters), self.latest_evaluation[1]
        if self.evaluate is None:
            self.plateaus[0].update(loss, self.tol)
            return np.full(n_members, True)
        if len(self.plateaus) == 1:
            has_improved = self.plateaus[0].update(-scores.mean(), self.tol)
            return np.full(n_members, has_improved)
        return np.array(
            [
                not self._is_out_of_patience(member)
                and plateau.update(-scores[member], self.tol)
                for member, plateau in enumerate(self.plateaus)
            ]
        )

    def _end_plateau(self) -> None:
        """Lower the learning rate, or end training where that can't go on."""
        is_small = (
            self.learning_rate * self.factor <= MIN_LEARNING_RATE
            or self.factor < self.smallest_factor * 1.01  # powers are rounded
        )
        if self.plateau_factor is None or is_small:
            self.stop_reason = StopReason.CONVERGED
            return
        self.plateaus[0].factor *= self.plateau_factor
        self.plateaus[0].n_bad_epochs = 0

    def select_parameters(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights to keep if training ended here, and the epochs they are from."""
        if self.stop_reason == StopReason.DIVERGED:
            return self.best_parameters, self.best_epochs
        # the last weights, where no score has ever spoken for others; but what was
        # interrupted before the first evaluation keeps the weights before training
        uses_last = self.best_epochs == 0
        if self.evaluate is None:
            uses_last[:] = True
        elif self.stop_reason == StopReason.INTERRUPTED:
            uses_last[:] = False
        return (
            np.where(uses_last[:, np.newaxis], self.parameters, self.best_parameters),
            np.where(uses_last, self.n_epochs, self.best_epochs),
        )

    def finish(self) -> None:
        """Fix the weights to keep and the number of epochs."""
        # an interrupt may come when an epoch is in some of the curves only
        n_epochs = min(map(len, self.history.values()))
        for values in self.history.values():
            del values[n_epochs:]
        self.best_parameters[:], self.best_epochs[:] = self.select_parameters()

    # A checkpoint holds what can't be derived: history, evaluations and weights. From
    # these, `restore` replays the epochs through the same rules and so rebuilds the
    # rest, which also exposes a file that contradicts itself.

    def state(self) -> dict[str, Any]:
        """Return the state after the latest epoch, for a checkpoint."""
        return {
            "history": self.history,
            "evaluations": np.array(self.evaluations).reshape(
                -1, *self.latest_evaluation.shape
            ),
            "best": self.best_parameters,
            "parameters": self.parameters,
            "limit": self._divergence_limit,
            "ending": None if self.stop_reason is None else self.stop_reason.value,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a `state` of checked types and shapes, before any training.

        Raises ValueError if the state contradicts itself.
        """
        start = self.best_parameters.copy()
        self._divergence_limit = state["limit"]
        has_diverged = state["ending"] == StopReason.DIVERGED
        self._restore_history(state["history"], state["evaluations"])
        for epoch in range(self.n_epochs - has_diverged):
            self._replay(epoch)
        if has_diverged:
            self.stop_reason = StopReason.DIVERGED
            if self.evaluations:
                self.latest_evaluation[:] = self.evaluations[-1]
        if self.stop_reason != state["ending"]:
            raise ValueError("training has not ended as it should have")
        self.best_parameters[:], self.parameters[:] = state["best"], state["parameters"]
        # best weights of the first or the latest epoch are in the state twice
        for epochs, weights in (0, start), (self.n_epochs, self.parameters):
            same = self.best_epochs == epochs
            if not np.array_equal(self.best_parameters[same], weights[same]):
                raise ValueError(f"the best weights are not those of epoch {epochs}")

    def _restore_history(
        self, history: Mapping[str, list[float]], evaluations: np.ndarray
    ) -> None:
        if list(history) != list(self.history):
            raise ValueError("the history has other curves")
        self.history = {name: list(values) for name, values in history.items()}
        n_evaluations = self.n_epochs if self.evaluate is not None else 0
        lengths = set(map(len, self.history.values()))
        if lengths != {self.n_epochs} or len(evaluations) != n_evaluations:
            raise ValueError("the history is of other epochs")
        self.evaluations = list(evaluations)

    def _replay(self, epoch: int) -> None:
        """Update all that follows from the recorded losses and scores of an epoch."""
        if self.stop_reason is not None:
            raise ValueError("training went on after it had ended")
        loss, rate = self.history["loss"][epoch], self.history["learning_rate"][epoch]
        if not (MIN_LOSS <= loss < math.inf and 0 <= rate < math.inf):
            raise ValueError("a loss or a learning rate is out of range")
        if self.evaluate is not None:
            found = self.evaluations[epoch]
            over = [i for i in range(len(self.best_parameters)) if self.has_stopped(i)]
            if not np.array_equal(found[:, over], self.latest_evaluation[:, over]):
                raise ValueError("a network was evaluated after its training had ended")
            names = ("validation_loss", "validation_score")
            curves = [self.history[name][epoch] for name in names]
            if not np.array_equal(found.mean(axis=1), curves, equal_nan=True):
                raise ValueError("the history is not the mean of the evaluations")
            if not MIN_LOSS <= curves[0] <= self._divergence_limit:
                raise ValueError("a validation loss is out of range")
            self.latest_evaluation[:] = found
        self._update_best(loss, epoch + 1)
