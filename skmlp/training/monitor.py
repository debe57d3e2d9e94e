"""The monitor: what happened in each epoch, the weights to keep, when to stop."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from skmlp.training.endings import Ending

SMALLEST_LEARNING_RATE = 1e-6
"""Where a learning rate that falls at each plateau has fallen far enough."""

DIVERGED = 1e3
"""A loss that many times the first batch's (or 1, if larger) is not coming back."""


@dataclass
class Plateau:
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


class Observer:
    """What looks on while a network is trained; does nothing, to be overridden."""

    def begin_epoch(self, monitor: "Monitor") -> None:
        """Take notice that an epoch begins."""

    def end_epoch(self, monitor: "Monitor") -> None:
        """Take notice of an epoch; may set `monitor.ending` to end training."""


class Monitor:
    """Keeps history and weights, and decides at the end of each epoch.

    Without `evaluate` the training loss is watched and the last weights are kept;
    with it the held-out score is watched and the best weights are kept. A run that
    diverges is ended, and the last weights known to be good are kept.

    Parameters
    ----------
    parameters : ndarray of shape (..., n_parameters)
        The weights before training.
    tol : float
        By how much the watched value must improve.
    patience : float
        Epochs without improvement, beyond which a plateau is reached.
    learning_rate : float, default=inf
        Learning rate before any factor.
    plateau_factor : float or None, default=None
        Factor on the learning rate at a plateau; None ends training there.
    evaluate : callable, default=None
        Returns loss and score (greater is better) on the held-out part.
    plateau : Plateau, default=None
        State to go on from.
    deadline : float, default=inf
        Value of `time.monotonic` at which training is to end.
    observers : sequence of Observer, default=()
        Told of each epoch, in their order.

    Attributes
    ----------
    history : dict of str to list of float
        One entry per epoch under each name.
    best : ndarray of shape (..., n_parameters)
        The weights to keep, once `finish` was called.
    best_epoch : int
        Epoch that they are from, counted from 1; 0 for the weights before training.
    ending : Ending or None
        How training ended; None as long as it may go on. An observer may set it, and so
        may the caller that ends training by itself.
    parameters : ndarray of shape (..., n_parameters)
        The weights at the end of the latest epoch; a copy.
    """

    def __init__(
        self,
        parameters: np.ndarray,
        *,
        tol: float,
        patience: float,
        learning_rate: float = math.inf,
        plateau_factor: float | None = None,
        evaluate: Callable[[], tuple[float, float]] | None = None,
        plateau: Plateau | None = None,
        deadline: float = math.inf,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.tol = tol
        self.patience = patience
        self.learning_rate = learning_rate
        self.plateau_factor = plateau_factor
        self.evaluate = evaluate
        self.plateau = Plateau() if plateau is None else replace(plateau)
        self.deadline = deadline
        self.observers = list(observers)

        names = ["loss", "learning_rate"]
        if evaluate is not None:
            names += ["validation_loss", "validation_score"]
        self.history: dict[str, list[float]] = {name: [] for name in names}
        self.best_epoch = 0
        self.ending: Ending | None = None
        self.best = parameters.copy()
        self.parameters = parameters.copy()
        self._limit = math.inf

    @property
    def n_epochs(self) -> int:
        """Epochs that have ended, a diverged one included."""
        return len(self.history["loss"])

    def is_out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self.deadline

    def begin_epoch(self) -> None:
        """Tell the observers that an epoch begins."""
        for observer in self.observers:
            observer.begin_epoch(self)

    def take_first_loss(self, value: float) -> None:
        """Take in the loss of the very first batch, and of no other."""
        if self.n_epochs == 0:
            self._limit = DIVERGED * max(value, 1.0)

    def end_epoch(
        self,
        loss: float,
        parameters: np.ndarray,
        learning_rate: float = math.nan,
        penalty: float = 0.0,
    ) -> bool:
        """Take in one pass over the data; say whether to stop."""
        self._judge(loss, parameters, learning_rate, penalty)
        for observer in self.observers:
            observer.end_epoch(self)
        if self.ending is None and self.is_out_of_time():
            self.ending = Ending.OUT_OF_TIME
        return self.ending is not None

    def _judge(
        self,
        loss: float,
        parameters: np.ndarray,
        learning_rate: float,
        penalty: float,
    ) -> None:
        if not loss <= self._limit:
            self.ending = Ending.DIVERGED
        loss += penalty
        if not (np.isfinite(loss) and np.isfinite(parameters).all()):
            self.ending = Ending.DIVERGED
        entry = {"loss": loss, "learning_rate": learning_rate}
        watched = loss
        if self.evaluate is not None:
            # a scorer may refuse what a network says that has diverged
            ran_away = self.ending == Ending.DIVERGED
            held_out_loss, score = (math.nan, math.nan) if ran_away else self.evaluate()
            entry |= {"validation_loss": held_out_loss, "validation_score": score}
            watched = -score
            if not held_out_loss <= self._limit:
                self.ending = Ending.DIVERGED
        for name, value in entry.items():
            self.history[name].append(float(value))
        if self.ending == Ending.DIVERGED:
            return

        improved = self.plateau.update(watched, self.tol)
        if self.evaluate is None:
            # this epoch's loss speaks for the weights at its start, not at its end
            self._keep(self.parameters, self.n_epochs - 1)
        elif improved:
            self._keep(parameters, self.n_epochs)
        self.parameters[:] = parameters
        self._act_on_plateau()

    def _keep(self, parameters: np.ndarray, epoch: int) -> None:
        self.best[:] = parameters
        self.best_epoch = epoch

    def kept(self) -> tuple[np.ndarray, int]:
        """The weights to keep if training ended here, and the epoch they are from.

        These are the best, or the last ones where nothing speaks for others.
        """
        no_score_spoke = self.best_epoch == 0 and self.ending != Ending.INTERRUPTED
        if self.ending != Ending.DIVERGED and (self.evaluate is None or no_score_spoke):
            return self.parameters, self.n_epochs
        return self.best, self.best_epoch

    def finish(self) -> None:
        """Settle on the weights to keep."""
        self._keep(*self.kept())

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from the latest epoch."""
        return {
            "history": self.history,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "parameters": self.parameters,
            "plateau": asdict(self.plateau),
            "limit": self._limit,
            "ending": None if self.ending is None else self.ending.value,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave at the end of an epoch."""
        self.history = {name: list(values) for name, values in state["history"].items()}
        self._keep(state["best"], state["best_epoch"])
        self.parameters[:] = state["parameters"]
        self.plateau = Plateau(**state["plateau"])
        self._limit = state["limit"]
        ending = state["ending"]
        self.ending = None if ending is None else Ending(ending)

    def _act_on_plateau(self) -> None:
        if self.plateau.n_bad_epochs <= self.patience:
            return
        rate = self.learning_rate * self.plateau.factor
        if self.plateau_factor is None or rate <= SMALLEST_LEARNING_RATE:
            self.ending = Ending.CONVERGED
            return
        self.plateau.factor *= self.plateau_factor
        self.plateau.n_bad_epochs = 0
