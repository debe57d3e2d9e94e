"""Helpers of the estimators: the random generator of a fit, and rollback on errors."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

Arguments = ParamSpec("Arguments")
Estimator = TypeVar("Estimator")
Result = TypeVar("Result")


def make_generator(
    random_state: int | np.random.RandomState | None,
) -> np.random.Generator:
    """Create the generator of all random numbers of a fit."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4)
    return np.random.default_rng(seed)


def restore_on_error(
    method: Callable[Concatenate[Estimator, Arguments], Result],
) -> Callable[Concatenate[Estimator, Arguments], Result]:
    """Restore the attributes of the estimator if the decorated method raises."""

    # belongs outside of other decorators, which may use attributes that the method set
    @functools.wraps(method)
    def restoring(
        estimator: Estimator, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        before = vars(estimator).copy()
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:  # KeyboardInterrupt as well
            vars(estimator).clear()
            vars(estimator).update(before)
            raise

    return restoring
