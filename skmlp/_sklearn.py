"""The one place that knows how scikit-learn versions and their private parts differ."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state

__all__ = ["as_generator", "fit_context", "unchanged_on_error", "validate_parameters"]

fit_context = _fit_context
"""Decorator that validates hyper-parameters before `fit` (private in scikit-learn)."""


def as_generator(
    random_state: int | np.random.RandomState | None,
) -> np.random.Generator:
    """A generator that all draws of one fit come from."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4)
    return np.random.default_rng(seed)


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give the estimator its former attributes back if the block raises."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def validate_parameters(estimator: BaseEstimator) -> None:
    """Raise unless each hyper-parameter is of a kind that `fit` would take."""
    estimator._validate_params()
