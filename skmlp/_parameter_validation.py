"""Validation of parameters as in scikit-learn, with hints for near misses."""

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import numpy as np

from skmlp._sklearn_compat import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

_SYNONYMS = {
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
"""Choices of parameters, by the names of other libraries."""


def to_float(value: object) -> float:
    """Convert a real number to float; NaN for anything else."""
    if not isinstance(value, Real | Decimal):
        return math.nan
    try:
        return float(value)
    except (OverflowError, ValueError):  # a Fraction above 1.8e308, Decimal("sNaN")
        return math.nan


def _parse_number(text: str) -> float:
    """Parse a float; NaN for other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def to_plain(value: Any) -> Any:
    """Convert a NumPy scalar or a Fraction to a Python value; others stay."""
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return to_float(value)  # np.longdouble, Fraction
    if isinstance(value, np.timedelta64):
        return value.astype("timedelta64[us]").item()  # of ns, item() is an int
    return value.item() if isinstance(value, np.generic) else value


def find_hint(name: str, value: object, choices: Iterable[str]) -> str:
    """Suggest a value instead of a refused one; empty if there is no near miss."""
    is_text = isinstance(value, str)
    number = _parse_number(value) if isinstance(value, str) else to_float(value)
    if not math.isnan(number) and not isinstance(value, bool):
        # MLPClassifier's learning_rate is a schedule; other libraries' is a number
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
    close = [_SYNONYMS[word]] if _SYNONYMS.get(word) in choices else []
    # typing errors
    close += get_close_matches(word, choices, n=1)
    if not close:
        return ""
    note = " with weight_decay, which makes it AdamW" if word == "adamw" else ""
    return f' Did you mean "{close[0]}"{note}?'


class HintsMixin:
    """Validate parameters by `check_parameters`."""

    _parameter_constraints: dict[str, Any]
    get_params: Callable[..., dict[str, Any]]

    def _validate_params(self) -> None:
        values = self.get_params(deep=False)
        # np.int64(32) of np.arange is as good as 32
        check_parameters(self, {name: to_plain(values[name]) for name in values})


def _is_integer_range(constraint: object) -> bool:
    """Return True if the constraint is a range of integers."""
    return isinstance(constraint, Interval) and constraint.type is Integral


def check_parameters(estimator: HintsMixin, values: Mapping[str, object]) -> None:
    """Raise InvalidParameterError as scikit-learn does, with a hint at near misses."""
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
            # such as 32.0 of a DataFrame's column
            is_whole = isinstance(value, float) and value.is_integer() and value > 0
            if is_whole and any(map(_is_integer_range, constraints[name])):
                hint = f" Pass the int {value:.0f}."
            else:
                hint = find_hint(name, value, choices)
            raise InvalidParameterError(f"{error}{hint}") from None
