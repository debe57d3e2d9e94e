"""What estimators share: one source of chance, and no harm from a call that fails."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

Arguments = ParamSpec("Arguments")
Estimator = TypeVar("Estimator")
Result = TypeVar("Result")


def as_generator(
    random_state: int | np.random.RandomState | None,
) -> np.random.Generator:
    """A generator that all draws of one fit come from."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4)
    return np.random.default_rng(seed)


def unchanged_on_error(
    method: Callable[Concatenate[Estimator, Arguments], Result],
) -> Callable[Concatenate[Estimator, Arguments], Result]:
    """Decorator that gives an estimator its former attributes back if a method raises.

    It belongs outside of other decorators, which may still need what they have set.
    """

    @functools.wraps(method)
    def guarded(
        estimator: Estimator, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        before = vars(estimator).copy()
        try:
            return method(estimator, *args, **kwargs)
        except BaseException:
            vars(estimator).clear()
            vars(estimator).update(before)
            raise

    return guarded
