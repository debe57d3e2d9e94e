"""What is said of an ending that a user should know of."""

import math
import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp.fitting.parameters import Parameters
from skmlp.fitting.recipe import is_auto
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.task import TrainResult
from skmlp.training.monitor import StopReason

SENTENCES: dict[StopReason, tuple[str, type[Warning]]] = {
    StopReason.INTERRUPTED: (
        "Training interrupted by user in epoch {next_epoch}; the weights {origin} are "
        "kept.",
        UserWarning,
    ),
    StopReason.DIVERGED: (
        "training diverged in epoch {n_epochs}: the loss became {loss:.3g}. The last "
        "good weights, those {origin}, are kept. Lower {too_large}{or_scale}.",
        ConvergenceWarning,
    ),
    StopReason.MAX_ITER_REACHED: (
        'solver="{solver}" ended after {n_epochs} iterations, before the loss had '
        "settled. Raise max_iter={max_iter}{scale}, or {way_out}.",
        ConvergenceWarning,
    ),
}
"""A sentence and its kind, for endings that call for one."""

NO_SCORE = (
    "scoring={scoring!r} gave no finite score on the held-out rows in any epoch; the "
    "last weights are kept."
)


def warn_of(train_result: TrainResult, advice: Mapping[str, object]) -> None:
    """Warn of an ending that calls for it, or of scores that said nothing.

    Parameters
    ----------
    outcome : Outcome
        How training ended.
    advice : dict
        What `advise` says.
    """
    learnt = train_result.learnt
    best = epochs_in_words(learnt.best_epochs)
    facts = {
        "n_epochs": train_result.n_epochs,
        "next_epoch": train_result.n_epochs + 1,
        "loss": learnt.history["loss"][-1] if train_result.n_epochs else math.nan,
        "origin": f"of {best}" if learnt.best_epochs.any() else "at the start",
    }
    sentence, kind = SENTENCES.get(train_result.stop_reason, ("", UserWarning))
    if not sentence and train_result.scores_say_nothing:
        sentence = NO_SCORE
    if sentence:
        warnings.warn(sentence.format(**facts, **advice), kind, stacklevel=3)


def epochs_in_words(epochs: np.ndarray) -> str:
    """One epoch, or from which to which."""
    first, last = epochs.min(), epochs.max()
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def advise(parameters: Parameters, max_iter: int, is_scaled: bool) -> dict[str, object]:
    """What the sentences say of the parameters, and of ways out.

    Parameters
    ----------
    parameters : Parameters
        Those that led to the ending.
    max_iter : int
        The most epochs that there could be.
    is_scaled : bool
        Whether an encoder has scaled X already, so that doing it would not help.
    """
    rate = parameters.learning_rate_init
    # a step that takes off more than there is makes weights grow
    too_large = [
        f"{name}={value:g}"
        for name in ("alpha", "weight_decay")
        if not is_auto(value := getattr(parameters, name)) and value > max(1, 1 / rate)
    ]
    return {
        "solver": parameters.solver,
        "scoring": parameters.scoring,
        "too_large": " and ".join(too_large) or f"learning_rate_init={rate:g}",
        "max_iter": max_iter,
        "or_scale": "" if is_scaled else ", or scale X",
        "scale": "" if is_scaled else ", scale X",
        "way_out": SOLVERS[parameters.solver].way_out,
    }
