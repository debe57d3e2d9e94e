"""Helpers of the estimators: the random generator of a fit, and rollback on errors."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

P = ParamSpec("P")
E = TypeVar("E")
R = TypeVar("R")


def make_generator(
    random_state: int | np.random.RandomState | None,
) -> np.random.Generator:
    """Create the generator of all random numbers of a fit."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4)
    return np.random.default_rng(seed)


def restore_on_error(
    method: Callable[Concatenate[E, P], R],
) -> Callable[Concatenate[E, P], R]:
    """Restore the attributes of the estimator if the decorated method raises."""

    # belongs outside of other decorators, which may use attributes that the method set
    @functools.wraps(method)
    def restoring(estimator: E, *args: P.args, **kwargs: P.kwargs) -> R:
        before = vars(estimator).copy()
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:  # KeyboardInterrupt as well
            vars(estimator).clear()
            vars(estimator).update(before)
            raise

    return restoring
