"""Scores of a network in training, by any scikit-learn scorer."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer


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

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities with the present weights."""
        return self.probabilities(X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def score_function(
    scoring: str | Callable, classes: np.ndarray, probabilities: Callable
) -> Callable[[Any, np.ndarray, np.ndarray | None], float]:
    """(X, codes, weight) -> score of the present weights, greater is better."""
    scorer = get_scorer(scoring)
    parameters = inspect.signature(scorer).parameters.values()
    takes_weight = any(
        p.name == "sample_weight" or p.kind == p.VAR_KEYWORD for p in parameters
    )
    model = ModelInTraining(classes, probabilities)

    def score(X: Any, codes: np.ndarray, weight: np.ndarray | None) -> float:
        y = classes[codes]
        if weight is None:
            return float(scorer(model, X, y))
        if not takes_weight:
            raise ValueError(
                f"scoring={scoring!r} takes no sample_weight, but the rows have "
                "weights (sample_weight or class_weight); let it take sample_weight, "
                "or choose a scorer of scikit-learn."
            )
        return float(scorer(model, X, y, sample_weight=weight))

    return score
