"""Scores of a network in training, by any scikit-learn scorer that suits the rows."""

import inspect
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names

from skmlp._sklearn_compat import (
    get_metric,
    get_response_methods,
    is_metric_scorer,
    is_regression_metric,
    set_metric_arguments,
)
from skmlp.data.targets import is_unknown_to_sklearn
from skmlp.fitting.parameters import Scoring
from skmlp.tabular.frame import format_list
from skmlp.training.batches import Rows

FILTERS = threading.RLock()
"""Held while the filters of warnings, which all threads share, are changed."""


class ModelInTraining(ClassifierMixin, BaseEstimator):
    """What a scorer gets to see: a classifier that predicts with the present weights.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, in the order of the probabilities.
    probabilities : callable
        X -> probabilities of shape (n_samples, n_classes).
    """

    def __init__(self, classes: np.ndarray, probabilities: Callable) -> None:
        self.classes = classes
        self.probabilities = probabilities
        self.classes_ = classes

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Probabilities with the present weights."""
        return self.probabilities(X)

    def predict(self, X: Rows) -> np.ndarray:
        """The most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def score_function(
    scoring: Scoring,
    model: ModelInTraining,
    X: Rows,
    y_encoded: np.ndarray,
    weight: np.ndarray | None,
) -> Callable[[], float]:
    """A function that scores the present weights on held-out rows, greater is better.

    A scorer of scikit-learn that can't do so gives an error here, before anything is
    trained. Other callables are left to themselves.
    """
    scorer, labels = get_scorer(scoring), model.classes_
    weights = {} if weight is None else {"sample_weight": weight}
    if weight is not None:
        check_takes_weights(scorer, scoring)
    if is_metric_scorer(scorer):
        check_is_for_classes(scorer, scoring)
        if is_unknown_to_sklearn(labels):
            scorer, model = with_indices(scorer, model)
        classes = model.classes_
        scorer = with_classes(scorer, classes)
        start = model.predict_proba(X)
        if np.isfinite(start).all():  # or training ends as diverged, without a score
            score = partial(score_quietly, scorer, classes, weights)
            try_out(score, start, labels, y_encoded, scoring)
    y = model.classes_[y_encoded]
    # scikit-learn changes the filters as it looks at labels; other functions do not
    turn = FILTERS if is_metric_scorer(scorer) else nullcontext()

    def present_score() -> float:
        with turn:
            return float(scorer(model, X, y, **weights))

    return present_score


def check_takes_weights(scorer: Callable, scoring: Scoring) -> None:
    """Raise if a scorer has no argument for the weights that the rows have."""
    called = get_metric(scorer)[0] if is_metric_scorer(scorer) else scorer
    parameters = inspect.signature(called).parameters.values()
    if any(
        one.name == "sample_weight" or one.kind == one.VAR_KEYWORD for one in parameters
    ):
        return
    raise ValueError(
        f"{named(scoring)} takes no sample_weight, but the rows have weights "
        "(sample_weight or class_weight); let it take sample_weight, or choose one "
        'that does, such as "neg_log_loss".'
    )


def check_is_for_classes(scorer: Callable, scoring: Scoring) -> None:
    """Raise if the metric measures how far numbers are from each other."""
    if is_regression_metric(get_metric(scorer)[0]):
        raise ValueError(
            f"{named(scoring)} is for regression, which takes labels for numbers; "
            'choose one for classes, such as "neg_log_loss" or "accuracy".'
        )


def with_indices(
    scorer: Callable, model: ModelInTraining
) -> tuple[Callable, ModelInTraining]:
    """The scorer and the model with class indices in place of labels."""
    indices = {label: index for index, label in enumerate(model.classes_)}
    _, given = get_metric(scorer)
    known: dict[str, object] = {}
    if "pos_label" in given:
        known["pos_label"] = indices.get(given["pos_label"], given["pos_label"])
    labels = cast(Sequence[object] | None, given.get("labels"))
    if labels is not None:
        known["labels"] = [indices.get(label, label) for label in labels]
    model = ModelInTraining(np.arange(len(indices)), model.probabilities)
    return set_metric_arguments(scorer, known), model


def with_classes(scorer: Callable, classes: np.ndarray) -> Callable:
    """A scorer whose metric knows the positive class, or all classes.

    What was set is kept, as are defaults that work: 1 is positive among 1 and 2.
    """
    metric, given = get_metric(scorer)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(metric).parameters.items()
        if name not in given
    }
    known = {}
    asks = len(classes) == 2 and "pos_label" in defaults
    if asks and defaults["pos_label"] not in classes.tolist():
        known["pos_label"] = classes[1]
    # a metric on predictions would look at these labels only, rather than know of them
    reads = [
        name for name in get_response_methods(scorer) if hasattr(ModelInTraining, name)
    ]
    if reads[:1] == ["predict_proba"] and defaults.get("labels", "") is None:
        known["labels"] = classes
    return set_metric_arguments(scorer, known)


def score_quietly(
    scorer: Callable,
    classes: np.ndarray,
    weights: dict,
    probabilities: np.ndarray,
    y_encoded: np.ndarray,
) -> float:
    """What a scorer makes of probabilities, without the warnings that it may give."""
    model = ModelInTraining(classes, probabilities=lambda given: given)
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(scorer(model, probabilities, classes[y_encoded], **weights))


def try_out(
    score: Callable[[np.ndarray, np.ndarray], float],
    start: np.ndarray,
    classes: np.ndarray,
    y_encoded: np.ndarray,
    scoring: Scoring,
) -> None:
    """Raise in one sentence if the rows can't be scored.

    Where classes are absent, what a metric sees of them depends on the predictions: so
    it gets those of the start weights, the right ones, and some of every class.
    """
    absent = np.setdiff1d(np.arange(len(classes)), y_encoded)
    in_turn = np.arange(len(y_encoded)) % len(classes)
    try:
        result = score(start, y_encoded)
        if len(absent):
            score(certainty(y_encoded, like=start), y_encoded)
            score(certainty(in_turn, like=start), y_encoded)
    except Exception as error:
        cause: Exception | None = error
        if len(absent):
            # would it fail as well if the rows had every class?
            cause = failure(score, certainty(in_turn, like=start), in_turn)
        if cause is None:
            raise absence(scoring, classes[absent]) from error
        raise misfit(scoring, len(classes), cause) from error
    if len(absent) and not np.isfinite(result):
        raise absence(scoring, classes[absent])


def certainty(y_encoded: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Probabilities that are 1 for the given class of each row."""
    probabilities = np.zeros_like(like)
    np.put_along_axis(probabilities, y_encoded[:, np.newaxis], 1, axis=1)
    return probabilities


def failure(
    score: Callable, probabilities: np.ndarray, y_encoded: np.ndarray
) -> Exception | None:
    """The error that scoring ends in, if any."""
    try:
        score(probabilities, y_encoded)
    except Exception as error:
        return error
    return None


def absence(scoring: Scoring, absent: np.ndarray) -> ValueError:
    """What to say where a scorer needs rows of classes that have none."""
    return ValueError(
        f"{named(scoring)} needs held-out rows of every class, but there are none "
        f"of {format_list(absent)}; pass X_val and y_val that have every class, raise "
        'validation_fraction, or choose "neg_log_loss".'
    )


def misfit(scoring: Scoring, n_classes: int, error: Exception) -> ValueError:
    """What to say where a scorer is for other predictions than these."""
    name = scoring if isinstance(scoring, str) else name_of_metric(scoring)
    stem = name.removesuffix("_score").removesuffix("_samples")
    likes = [f"{stem}_{kind}" for kind in ("macro", "ovr")]
    known = [one for one in likes if one in get_scorer_names() and one != name]
    instead = " or ".join(f'"{one}"' for one in (*known, "neg_log_loss"))
    return ValueError(
        f"{named(scoring)} can't score predictions of {n_classes} classes: "
        f"{first_sentence(error)}; choose {instead}."
    )


def first_sentence(error: Exception) -> str:
    """The first sentence of an error's message, without its period."""
    message = " ".join(str(error).split()) or type(error).__name__
    return re.split(r"\.\s+(?=[A-Z])", message)[0].rstrip(".")


def named(scoring: Scoring) -> str:
    """The parameter as a message shows it."""
    if isinstance(scoring, str) or not is_metric_scorer(scoring):
        return f"scoring={scoring!r}"
    return f"scoring=make_scorer({name_of_metric(scoring)}, ...)"


def name_of_metric(scorer: Callable) -> str:
    """The name of the function that a scorer calls."""
    metric, _ = get_metric(scorer)
    return getattr(metric, "__name__", type(metric).__name__)
