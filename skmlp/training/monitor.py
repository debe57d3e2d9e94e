"""The monitor: what happened in each epoch, the weights to keep, when to stop."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

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
    report : callable, default=None
        Takes a line of text per epoch.

    Attributes
    ----------
    history : dict of str to list of float
        One entry per epoch under each name.
    best : ndarray of shape (..., n_parameters)
        The weights to keep, once `finish` was called.
    best_epoch : int
        Epoch that they are from, counted from 1; 0 for the weights before training.
    ending : str or None
        "converged" if nothing improved any more, "diverged" if the loss ran away;
        None as long as training may go on.
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
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.tol = tol
        self.patience = patience
        self.learning_rate = learning_rate
        self.plateau_factor = plateau_factor
        self.evaluate = evaluate
        self.plateau = Plateau() if plateau is None else replace(plateau)
        self.report = report

        names = ["loss", "learning_rate"]
        if evaluate is not None:
            names += ["validation_loss", "validation_score"]
        self.history: dict[str, list[float]] = {name: [] for name in names}
        self.best_epoch = 0
        self.ending: str | None = None
        self.best = parameters.copy()
        self._latest = parameters.copy()
        self._limit = math.inf

    @property
    def n_epochs(self) -> int:
        """Epochs that have ended, a diverged one included."""
        return len(self.history["loss"])

    def start(self, value: float) -> None:
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
        if not loss <= self._limit:
            self.ending = "diverged"
        loss += penalty
        if not (np.isfinite(loss) and np.isfinite(parameters).all()):
            self.ending = "diverged"
        entry = {"loss": loss, "learning_rate": learning_rate}
        watched = loss
        if self.evaluate is not None:
            # a scorer may refuse what a network says that has diverged
            ran_away = self.ending == "diverged"
            held_out_loss, score = (math.nan, math.nan) if ran_away else self.evaluate()
            entry |= {"validation_loss": held_out_loss, "validation_score": score}
            watched = -score
            if not held_out_loss <= self._limit:
                self.ending = "diverged"
        self._record(entry)
        if self.ending == "diverged":
            return True

        improved = self.plateau.update(watched, self.tol)
        if self.evaluate is None:
            # this epoch's loss speaks for the weights at its start, not at its end
            self._keep(self._latest, self.n_epochs - 1)
        elif improved:
            self._keep(parameters, self.n_epochs)
        self._latest[:] = parameters
        return self._plateau_ends_training()

    def _keep(self, parameters: np.ndarray, epoch: int) -> None:
        self.best[:] = parameters
        self.best_epoch = epoch

    def finish(self) -> None:
        """Settle on the last weights where nothing speaks for others."""
        no_score_spoke = self.best_epoch == 0 and self.ending != "interrupted"
        if self.ending != "diverged" and (self.evaluate is None or no_score_spoke):
            self._keep(self._latest, self.n_epochs)

    def _record(self, entry: dict[str, float]) -> None:
        for name, value in entry.items():
            self.history[name].append(float(value))
        if self.report is not None:
            self.report(f"Iteration {self.n_epochs}, loss = {entry['loss']:.8f}")
            if "validation_score" in entry:
                self.report(f"Validation score: {entry['validation_score']:.6f}")

    def _plateau_ends_training(self) -> bool:
        if self.plateau.n_bad_epochs <= self.patience:
            return False
        rate = self.learning_rate * self.plateau.factor
        if self.plateau_factor is None or rate <= SMALLEST_LEARNING_RATE:
            self.ending = "converged"
            return True
        self.plateau.factor *= self.plateau_factor
        self.plateau.n_bad_epochs = 0
        return False
