"""What estimators share: checks of parameters, one source of chance, safe failures."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

from skmlp._sklearn_compat import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

Arguments = ParamSpec("Arguments")
Estimator = TypeVar("Estimator")
Result = TypeVar("Result")

ALIASES = {
    "adamw": "adam",
    "swish": "silu",
    "linear": "identity",
    "double": "float64",
    "single": "float32",
    "acc": "accuracy",
    "brier": "neg_brier_score",
    "logloss": "neg_log_loss",
    "log_loss": "neg_log_loss",
    "cross_entropy": "neg_log_loss",
    "crossentropy": "neg_log_loss",
    "nll": "neg_log_loss",
    "auc": "roc_auc",
    "f1_score": "f1",
}
"""Names that other libraries have for a choice of a parameter."""


def to_float(value: object) -> float:
    """Convert a real number to float; NaN stands for anything else."""
    if not isinstance(value, Real | Decimal):
        return math.nan
    try:
        return float(value)
    except (OverflowError, ValueError):  # a Fraction above 1.8e308, Decimal("sNaN")
        return math.nan


def read_number(text: str) -> float:
    """Read text as a float; NaN stands for text of anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def to_plain(value: Any) -> Any:
    """Convert a number or a NumPy scalar to the Python value, if it is one."""
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return to_float(value)  # np.longdouble, Fraction
    if isinstance(value, np.timedelta64):
        return value.astype("timedelta64[us]").item()  # of ns, item() is an int
    return value.item() if isinstance(value, np.generic) else value


def find_hint(name: str, value: object, choices: Iterable[str]) -> str:
    """Name what a refused value of a parameter may have meant; empty if unclear."""
    is_text = isinstance(value, str)
    number = read_number(value) if isinstance(value, str) else to_float(value)
    if not math.isnan(number) and not isinstance(value, bool):
        if name == "learning_rate":
            return f" To set the rate itself, pass learning_rate_init={value}."
        return f" Pass the number {value}, not text." if is_text else ""
    if isinstance(value, type):
        value = value.__name__  # dtype=np.float32
    if isinstance(value, np.dtype):
        value = value.name
    if not isinstance(value, str):
        return ""
    word, choices = value.lower().replace("-", "_"), list(choices)
    close = [ALIASES[word]] if ALIASES.get(word) in choices else []
    close += get_close_matches(word, choices, n=1)
    if not close:
        return ""
    note = " with weight_decay, which makes it AdamW" if word == "adamw" else ""
    return f' Did you mean "{close[0]}"{note}?'


class HintsMixin:
    """Adds hints to the messages of scikit-learn's check of parameters."""

    _parameter_constraints: dict[str, Any]
    get_params: Callable[..., dict[str, Any]]

    def _validate_params(self) -> None:
        values = self.get_params(deep=False)
        check_parameters(self, {name: to_plain(values[name]) for name in values})


def takes_integers(constraint: object) -> bool:
    """Return True for a range of integers."""
    return isinstance(constraint, Interval) and constraint.type is Integral


def check_parameters(estimator: HintsMixin, values: Mapping[str, object]) -> None:
    """Check parameters as scikit-learn does, and add a hint where one is a near miss.

    Raises
    ------
    InvalidParameterError
        If a value meets none of the constraints of its parameter.
    """
    constraints, owner = estimator._parameter_constraints, type(estimator).__name__
    for name, value in values.items():
        try:
            validate_parameter_constraints(constraints, {name: value}, owner)
        except InvalidParameterError as error:
            choices = [
                option
                for constraint in constraints[name]
                if isinstance(constraint, StrOptions)
                for option in sorted(constraint.options)
            ]
            is_whole = isinstance(value, float) and value.is_integer() and value > 0
            if is_whole and any(map(takes_integers, constraints[name])):
                hint = f" Pass the int {value:.0f}."
            else:
                hint = find_hint(name, value, choices)
            raise InvalidParameterError(f"{error}{hint}") from None


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
