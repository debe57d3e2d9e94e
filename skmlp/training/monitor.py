"""The monitor: what happened in each epoch, the weights to keep, when to stop."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skmlp.training.endings import StopReason

MIN_LEARNING_RATE = 1e-6
"""Where a learning rate that falls at each plateau has fallen far enough."""

MIN_LOSS = -1e-3
"""Lowest loss; below 0 lie only errors of rounding."""

DIVERGENCE_FACTOR = 1e3
"""A loss that many times the first batch's (or 1, if larger) is not coming back."""


@dataclass
class PlateauTracker:
    """How far the watched loss has come, and for how long it has not moved.

    Attributes
    ----------
    lowest : float
        The lowest watched value so far.
    n_bad_epochs : int
        Epochs since it last fell by more than the tolerance.
    factor : float
        Factor on the learning rate that past plateaus have left.
    """

    lowest: float = math.inf
    n_bad_epochs: int = 0
    factor: float = 1.0

    def update(self, watched: float, tol: float) -> bool:
        """Take in one epoch; say whether it is the best so far.

        NaN and inf, which a score may give that says nothing, are never good.
        """
        has_improved = watched <= self.lowest - tol and watched < math.inf
        self.n_bad_epochs = 0 if has_improved else self.n_bad_epochs + 1
        if watched < self.lowest:
            self.lowest = watched
            return True
        return False


Evaluate = Callable[..., tuple[np.ndarray, np.ndarray]]
"""Gives losses and scores of some networks, by their numbers, on the held-out part.

It may take the keyword `workers`, threads that work on several networks at a time.
"""


class Observer:
    """What looks on while a network is trained; does nothing, to be overridden."""

    def begin_epoch(self, monitor: "Monitor") -> None:
        """Take notice that an epoch begins."""

    def end_epoch(self, monitor: "Monitor") -> None:
        """Take notice of an epoch; may set `monitor.ending` to end training."""


class Monitor:
    """Keeps history and weights, and decides at the end of each epoch.

    Without `evaluate` the mean training loss is watched and the last weights are kept.
    With it the held-out score of each network is watched: its best weights are kept,
    and its part in training ends once it gets no better. (Only where the learning rate,
    which is one for all, falls at a plateau, all networks are watched as one.) A run
    that diverges is ended, and the last weights known to be good are kept.

    Parameters
    ----------
    parameters : ndarray of shape (n_members, n_parameters)
        The weights before training, one line per network.
    tol : float
        By how much a watched value must improve.
    patience : float
        Epochs without improvement, beyond which a plateau is reached.
    initial_patience : float, default=inf
        Where it is less: patience is only so many epochs and as many more as have led
        to the best one. A network that was best early is not waited for long.
    learning_rate : float, default=inf
        Learning rate before any factor.
    plateau_factor : float or None, default=None
        Factor on the learning rate at a plateau; None ends training there.
    smallest_factor : float, default=0
        Where the factor has fallen to this, a plateau ends training.
    evaluate : callable, default=None
        Takes the numbers of some networks, and returns an array of their losses and
        one of their scores (greater is better) on the held-out part.
    plateau : Plateau, default=None
        State to go on from, where one value is watched.
    deadline : float, default=inf
        Value of `time.monotonic` at which training is to end.
    observers : sequence of Observer, default=()
        Told of each epoch, in their order.

    Attributes
    ----------
    history : dict of str to list of float
        One entry per epoch under each name.
    best_parameters : ndarray of shape (n_members, n_parameters)
        The weights to keep, once `finish` was called.
    best_epochs : ndarray of int of shape (n_members,)
        Epochs that they are from, counted from 1; 0 for the weights before training.
    plateaus : list of Plateau
        One for all networks, or one for each.
    latest_evaluation : ndarray of shape (2, n_members)
        Latest loss and score of each network on the held-out part.
    ending : Ending or None
        How training ended; None as long as it may go on. An observer may set it, and so
        may the caller that ends training by itself.
    parameters : ndarray of shape (n_members, n_parameters)
        The weights at the end of the latest epoch; a copy.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        *,
        tol: float,
        patience: float,
        initial_patience: float = math.inf,
        learning_rate: float = math.inf,
        plateau_factor: float | None = None,
        smallest_factor: float = 0.0,
        evaluate: Evaluate | None = None,
        plateau: PlateauTracker | None = None,
        deadline: float = math.inf,
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
        self.plateaus = [
            PlateauTracker() for _ in range(n_members if watches_each else 1)
        ]
        if plateau is not None:
            self.plateaus = [replace(plateau)]
        self.latest_evaluation = np.full((2, n_members), np.nan)
        self.evaluations: list[np.ndarray] = []  # validation after each epoch
        self.best_epochs = np.zeros(n_members, dtype=int)
        self.stop_reason: StopReason | None = None
        self.best_parameters = parameters.copy()
        self.parameters = parameters.copy()
        self._divergence_limit = math.inf

    @property
    def n_epochs(self) -> int:
        """Epochs that have ended, a diverged one included."""
        return len(self.history["loss"])

    @property
    def factor(self) -> float:
        """Factor on the learning rate that past plateaus have left."""
        return self.plateaus[0].factor

    def has_stopped(self, member: int) -> bool:
        """Whether the part of a network in training is over."""
        return len(self.plateaus) > 1 and self._is_out_of_patience(member)

    def _is_out_of_patience(self, member: int) -> bool:
        patience = self.initial_patience + self.best_epochs[member]
        return self.plateaus[member].n_bad_epochs > min(patience, self.patience)

    def is_out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    def begin_epoch(self) -> None:
        """Tell the observers that an epoch begins."""
        for observer in self.observers:
            observer.begin_epoch(self)

    def set_divergence_limit(self, value: float) -> None:
        """Take in the loss of the very first batch, and of no other."""
        if self.n_epochs == 0:
            self._divergence_limit = DIVERGENCE_FACTOR * max(value, 1.0)

    def end_epoch(
        self,
        loss: float,
        parameters: np.ndarray,
        learning_rate: float = math.nan,
        penalty: float = 0.0,
    ) -> bool:
        """Take in one pass over the data; say whether to stop."""
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
            held_out_loss, score = self.latest_evaluation.mean(axis=1)
            entry |= {"validation_loss": held_out_loss, "validation_score": score}
            if not held_out_loss <= self._divergence_limit:
                self.stop_reason = StopReason.DIVERGED
        for name, value in entry.items():
            self.history[name].append(float(value))
        if self.stop_reason == StopReason.DIVERGED:
            return

        improved = self._update_best(loss, self.n_epochs)
        # a training loss speaks for the weights at the start of its epoch
        source = self.parameters if self.evaluate is None else parameters
        self.best_parameters[improved] = source[improved]
        self.parameters[:] = parameters

    def _update_best(self, loss: float, n_epochs: int) -> np.ndarray:
        """Update what follows from losses and scores; return which members improved."""
        improved = self._update_plateaus(loss)
        self.best_epochs[improved] = n_epochs - (self.evaluate is None)
        if all(map(self._is_out_of_patience, range(len(self.plateaus)))):
            self._reduce_learning_rate()
        return improved

    def _update_plateaus(self, loss: float) -> np.ndarray:
        """Update the plateaus by one epoch; return which members improved."""
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

    def _evaluate_members(self, evaluate: Evaluate) -> None:
        """Loss and score of the networks whose part is not over."""
        members = [
            number
            for number in range(len(self.best_parameters))
            if not self.has_stopped(number)
        ]
        # a scorer may refuse what a network says that has diverged
        ran_away = self.stop_reason == StopReason.DIVERGED
        self.latest_evaluation[:, members] = math.nan if ran_away else evaluate(members)

    def select_parameters(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights to keep if training ended here, and the epochs they are from.

        These are the best, or the last ones where nothing speaks for others.
        """
        no_score_spoke = self.best_epochs == 0
        if self.stop_reason == StopReason.DIVERGED:
            return self.best_parameters, self.best_epochs
        if self.evaluate is None:
            no_score_spoke[:] = True
        elif self.stop_reason == StopReason.INTERRUPTED:
            no_score_spoke[:] = False
        return (
            np.where(
                no_score_spoke[:, np.newaxis], self.parameters, self.best_parameters
            ),
            np.where(no_score_spoke, self.n_epochs, self.best_epochs),
        )

    def finish(self) -> None:
        """Settle on the weights to keep, and on the epochs that have ended."""
        # an interrupt may come when an epoch is in some of the curves
        n_epochs = min(map(len, self.history.values()))
        for values in self.history.values():
            del values[n_epochs:]
        self.best_parameters[:], self.best_epochs[:] = self.select_parameters()

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from the latest epoch.

        What follows from losses and scores is not part of it.
        """
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
        """Go on from what `state` gave; raise ValueError if it contradicts itself.

        The monitor has to be as it was before training. Types and shapes of the values
        are taken to be right.
        """
        start = self.best_parameters.copy()
        self._divergence_limit = state["limit"]
        has_diverged = state["ending"] == StopReason.DIVERGED
        self._record(state["history"], state["evaluations"])
        for epoch in range(self.n_epochs - has_diverged):
            self._replay(epoch)
        if has_diverged:
            self.stop_reason = StopReason.DIVERGED
            if self.evaluations:
                self.latest_evaluation[:] = self.evaluations[-1]
        if self.stop_reason != state["ending"]:
            raise ValueError("training has not ended as it should have")
        self.best_parameters[:], self.parameters[:] = state["best"], state["parameters"]
        for epochs, weights in (0, start), (self.n_epochs, self.parameters):
            is_of_then = self.best_epochs == epochs
            if not np.array_equal(
                self.best_parameters[is_of_then], weights[is_of_then]
            ):
                raise ValueError(f"the best weights are not those of epoch {epochs}")

    def _record(
        self, history: Mapping[str, list[float]], evaluations: np.ndarray
    ) -> None:
        """Take over what was recorded of each epoch."""
        if list(history) != list(self.history):
            raise ValueError("the history has other curves")
        self.history = {name: list(values) for name, values in history.items()}
        n_evaluations = self.n_epochs if self.evaluate is not None else 0
        lengths = set(map(len, self.history.values()))
        if lengths != {self.n_epochs} or len(evaluations) != n_evaluations:
            raise ValueError("the history is of other epochs")
        self.evaluations = list(evaluations)

    def _replay(self, epoch: int) -> None:
        """Take in an epoch by what was recorded of it."""
        if self.stop_reason is not None:
            raise ValueError("training went on after it had ended")
        loss, rate = self.history["loss"][epoch], self.history["learning_rate"][epoch]
        if not (MIN_LOSS <= loss < math.inf and 0 <= rate < math.inf):
            raise ValueError("a loss or a learning rate is out of range")
        if self.evaluate is not None:
            self._replay_evaluation(epoch)
        self._update_best(loss, epoch + 1)

    def _replay_evaluation(self, epoch: int) -> None:
        """Take in losses and scores of one epoch."""
        found = self.evaluations[epoch]
        over = [
            member
            for member in range(len(self.best_parameters))
            if self.has_stopped(member)
        ]
        if not np.array_equal(found[:, over], self.latest_evaluation[:, over]):
            raise ValueError("a network was evaluated after its training had ended")
        curves = [
            self.history[f"validation_{name}"][epoch] for name in ("loss", "score")
        ]
        if not np.array_equal(found.mean(axis=1), curves, equal_nan=True):
            raise ValueError("the history is not the mean of the evaluations")
        if not MIN_LOSS <= curves[0] <= self._divergence_limit:
            raise ValueError("a validation loss is out of range")
        self.latest_evaluation[:] = found

    def _reduce_learning_rate(self) -> None:
        is_small = (
            self.learning_rate * self.factor <= MIN_LEARNING_RATE
            or self.factor < self.smallest_factor * 1.01  # powers are rounded
        )
        if self.plateau_factor is None or is_small:
            self.stop_reason = StopReason.CONVERGED
            return
        self.plateaus[0].factor *= self.plateau_factor
        self.plateaus[0].n_bad_epochs = 0
