"""Scores of a network in training, by any scorer of scikit-learn or a function."""

import inspect
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
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
from skmlp.training.batches import TrainingRows

FILTERS = threading.RLock()
"""Held while the filters of warnings, which all threads share, are changed."""


class ModelInTraining(ClassifierMixin, BaseEstimator):
    """Classifier with the present weights, as scorers get it."""

    def __init__(self, classes: np.ndarray, probabilities: Callable) -> None:
        self.classes = classes
        self.probabilities = probabilities  # X -> (n_samples, n_classes)
        self.classes_ = classes

    def predict_proba(self, X: TrainingRows) -> np.ndarray:
        """Return the probabilities by the present weights."""
        return self.probabilities(X)

    def predict(self, X: TrainingRows) -> np.ndarray:
        """Return the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def make_score_function(
    scoring: Scoring,
    model: ModelInTraining,
    X: TrainingRows,
    y_encoded: np.ndarray,
    weight: np.ndarray | None,
) -> Callable[[], float]:
    """Return a function that scores the present weights; greater is better.

    A scorer of scikit-learn that can't score these rows raises here, before training.
    Other callables are not tried.
    """
    scorer, labels = get_scorer(scoring), model.classes_
    weights = {} if weight is None else {"sample_weight": weight}
    if weight is not None:
        _check_takes_weights(scorer, scoring)
    is_metric = is_metric_scorer(scorer)
    if is_metric:
        if is_regression_metric(get_metric(scorer)[0]):
            raise ValueError(
                f"{_describe(scoring)} is for regression, and the labels are classes. "
                'Choose a metric of classes, such as "neg_log_loss" or "accuracy".'
            )
        if is_unknown_to_sklearn(labels):
            scorer, model = _with_class_indices(scorer, model)
        scorer = _with_classes(scorer, model.classes_)
        _try_out(scorer, model.classes_, labels, y_encoded, weights, scoring)
    y = model.classes_[y_encoded]
    # scikit-learn changes the filters as it looks at labels; other functions do not
    turn = FILTERS if is_metric else nullcontext()

    def score() -> float:
        with turn:
            return float(scorer(model, X, y, **weights))

    return score


def _check_takes_weights(scorer: Callable, scoring: Scoring) -> None:
    """Raise if a scorer has no argument for the weights of the rows."""
    called = get_metric(scorer)[0] if is_metric_scorer(scorer) else scorer
    parameters = inspect.signature(called).parameters.values()
    if not any(
        one.name == "sample_weight" or one.kind == one.VAR_KEYWORD for one in parameters
    ):
        raise ValueError(
            f"{_describe(scoring)} takes no sample_weight, but the rows have weights "
            "(sample_weight or class_weight). Let it take sample_weight, or choose one "
            'that does, such as "neg_log_loss".'
        )


def _with_class_indices(
    scorer: Callable, model: ModelInTraining
) -> tuple[Callable, ModelInTraining]:
    """Return scorer and model with class indices in place of labels."""
    indices = {label: index for index, label in enumerate(model.classes_)}
    _, given = get_metric(scorer)
    arguments: dict[str, object] = {}
    if "pos_label" in given:
        arguments["pos_label"] = indices.get(given["pos_label"], given["pos_label"])
    labels = cast(Sequence[object] | None, given.get("labels"))
    if labels is not None:
        arguments["labels"] = [indices.get(label, label) for label in labels]
    model = ModelInTraining(np.arange(len(indices)), model.probabilities)
    return set_metric_arguments(scorer, arguments), model


def _with_classes(scorer: Callable, classes: np.ndarray) -> Callable:
    """Return a scorer whose metric knows the positive class, or all classes.

    Arguments that were set stay, as do defaults that work: 1 is positive among 1 and 2.
    """
    metric, given = get_metric(scorer)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(metric).parameters.items()
        if name not in given
    }
    arguments = {}
    has_positive = len(classes) == 2 and "pos_label" in defaults
    if has_positive and defaults["pos_label"] not in classes.tolist():
        arguments["pos_label"] = classes[1]
    # a metric of predictions would take labels as those to look at, not as all of them
    methods = [
        name for name in get_response_methods(scorer) if hasattr(ModelInTraining, name)
    ]
    if methods[:1] == ["predict_proba"] and defaults.get("labels", "") is None:
        arguments["labels"] = classes
    return set_metric_arguments(scorer, arguments)


def _try_out(
    scorer: Callable,
    classes: np.ndarray,
    labels: np.ndarray,
    y_encoded: np.ndarray,
    weights: dict[str, np.ndarray],
    scoring: Scoring,
) -> None:
    """Score predictions of every class once, and raise if the metric can't."""
    predicted = np.arange(len(y_encoded)) % len(classes)
    probabilities = np.eye(len(classes))[predicted]  # (n_rows, n_classes)
    model = ModelInTraining(classes, lambda X: X)
    absent = np.setdiff1d(np.arange(len(classes)), y_encoded)
    reason, cause = "the score is not finite", None
    try:
        with FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = float(scorer(model, probabilities, classes[y_encoded], **weights))
        if len(absent) == 0 or np.isfinite(score):
            return
    except Exception as error:
        reason, cause = str(error) or type(error).__name__, error
    missing = ""
    if len(absent):
        missing = (
            f", and no held-out rows of {format_list(labels[absent])}: pass X_val and "
            "y_val with every class, or raise validation_fraction"
        )
    raise ValueError(
        f"{_describe(scoring)} can't score predictions of {len(classes)} classes"
        f"{missing}.\n{reason}\nChoose {_suggest(scoring)}."
    ) from cause


def _suggest(scoring: Scoring) -> str:
    """Name scorers that work with more classes, and with absent ones."""
    name = scoring if isinstance(scoring, str) else _name_metric(scoring)
    stem = name.removesuffix("_score").removesuffix("_samples")
    similar = [f"{stem}_{average}" for average in ("macro", "ovr")]
    known = [one for one in similar if one in get_scorer_names() and one != name]
    return " or ".join(f'"{one}"' for one in (*known, "neg_log_loss"))


def _describe(scoring: Scoring) -> str:
    """Write the parameter as a message shows it."""
    if isinstance(scoring, str) or not is_metric_scorer(scoring):
        return f"scoring={scoring!r}"
    return f"scoring=make_scorer({_name_metric(scoring)}, ...)"


def _name_metric(scorer: Callable) -> str:
    """Return the name of the function that a scorer calls."""
    metric, _ = get_metric(scorer)
    return getattr(metric, "__name__", type(metric).__name__)
