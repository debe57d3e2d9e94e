"""The parameters of an estimator, resolved to plain Python values of their types."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import numpy as np

from skmlp._parameter_validation import (
    HintsMixin,
    check_parameters,
    find_hint,
    to_float,
    to_plain,
)
from skmlp._sklearn_compat import InvalidParameterError
from skmlp.nn.activations import ACTIVATIONS, Activation, resolve_activation

ActivationLike = str | type[Activation] | Activation
"""What stands for an activation: its name, its class or itself."""

Scoring = str | Callable[..., float]
"""The name of a scorer, or a scorer."""

Auto = Literal["auto"]


class Transformer(Protocol):
    """A transformer of scikit-learn's kind; its `fit` may take weights or not."""

    fit_transform: Callable[..., Any]
    transform: Callable[[Any], Any]
    get_params: Callable[[], dict[str, Any]]
    set_params: Callable[..., Any]
    get_feature_names_out: Callable[[], Any]


class Parameters:
    """Parameters of an estimator as plain Python values; read-only.

    The constructor of the estimator lists them, and its docstring describes each.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} is read-only")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def resolve_parameters(estimator: HintsMixin) -> Parameters:
    """Read the parameters of an estimator as plain Python values, and check these.

    Raises
    ------
    InvalidParameterError
        If a value can't be used, such as one that is out of range in its final type.
    """
    # not get_params: the constructor of a subclass may take other parameters
    names = sorted(estimator._parameter_constraints)
    values = {name: to_plain(getattr(estimator, name)) for name in names}
    for name, read in READERS.items():
        if not isinstance(values[name], str | None):
            values[name] = read(name, values[name])
    # a conversion may round to 0 or to infinity, say from np.longdouble
    numbers = {n: value for n, value in values.items() if type(value) in (int, float)}
    check_parameters(estimator, numbers)
    parameters = Parameters(**values)
    _check_range(parameters, type(estimator).__name__)
    if isinstance(parameters.checkpoint, str) and not parameters.checkpoint.strip():
        raise InvalidParameterError(
            f"checkpoint must be a path or None, got {parameters.checkpoint!r}. Name "
            "a file, or pass None to save nothing."
        )
    return parameters


def _read_int(name: str, value: Any) -> int:
    """Convert a value to int."""
    if not isinstance(value, Integral):
        raise InvalidParameterError(f"{name} must be an int, got {value!r}.")
    return int(value)


def _read_float(name: str, value: object) -> float:
    """Convert a value to float."""
    number = to_float(value)
    if math.isnan(number):
        raise InvalidParameterError(f"{name} must be a float, got {value!r}.")
    return number


def _read_patience(name: str, value: object) -> float:
    """Convert a number of epochs, which may be infinite."""
    return (_read_int if isinstance(value, Integral) else _read_float)(name, value)


def _read_interval(name: str, value: object) -> int | dt.timedelta:
    """Convert a number of epochs; leave a timedelta as it is."""
    return value if isinstance(value, dt.timedelta) else _read_int(name, value)


def _read_verbosity(name: str, value: object) -> bool | int:
    """Convert a level of output; leave a bool as it is."""
    return value if isinstance(value, bool) else _read_int(name, value)


def _read_seed(name: str, value: Any) -> int | np.random.RandomState:
    """Convert a seed; leave a RandomState as it is."""
    return _read_int(name, value) if isinstance(value, Integral) else value


def _list_entries(value: Any) -> tuple[list[Any], bool]:
    """List the entries of an array-like, or a value alone, and tell which it was."""
    entries = np.asarray(value, dtype=object)  # as they are, not as one dtype
    if np.ma.is_masked(value) or entries.ndim > 1:
        return [value], False
    return [to_plain(entry) for entry in entries.flat], entries.ndim == 0


def _read_layer_sizes(name: str, value: Any) -> tuple[int, ...]:
    """Units per hidden layer, of one number or of one per layer."""
    sizes, _ = _list_entries(value)
    if not all(type(size) is int and size > 0 for size in sizes):  # bool is no size
        raise InvalidParameterError(
            f"{name} must be > 0, one whole number per hidden layer, got {value!r}."
        )
    return tuple(sizes)


def _read_dropout(name: str, value: Any) -> float | tuple[float, ...]:
    """Dropout rate of all hidden layers, or one per layer."""
    entries, is_single = _list_entries(value)
    rates = tuple(map(to_float, entries))
    if not all(0 <= rate < 1 for rate in rates):
        raise InvalidParameterError(f"{name} must be in [0, 1), got {value!r}.")
    return rates[0] if is_single else rates


def _read_activations(
    name: str, value: Any
) -> ActivationLike | tuple[ActivationLike, ...]:
    """Activation of all hidden layers, or one per layer, all known."""
    is_single = not isinstance(value, list | tuple)
    entries = tuple(map(to_plain, [value] if is_single else value))
    for entry in entries:
        try:
            resolve_activation(entry)
        except ValueError as error:
            hint = find_hint(name, entry, ACTIVATIONS)
            raise InvalidParameterError(f"{error}{hint}") from None
    return entries[0] if is_single else entries


def _read_transformer(name: str, value: Any) -> Transformer:
    """Return a transformer, which must not be a class."""
    if isinstance(value, type):
        raise InvalidParameterError(
            f"{name} must be an instance, got the class {value.__name__}. Pass "
            f"{value.__name__}()."
        )
    return value


def _read_class_weight(name: str, value: Mapping[Any, Any]) -> dict[Any, float]:
    """Weight per class label, each finite and none negative."""
    weights = {label: to_float(to_plain(weight)) for label, weight in value.items()}
    for label, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise InvalidParameterError(
                f"{name} must hold finite non-negative numbers, got {value[label]!r} "
                f"for the class {label!r}. Pass a number, or leave the class out for a "
                "weight of 1."
            )
    return weights


READERS: dict[str, Callable[[str, Any], Any]] = {
    "hidden_layer_sizes": _read_layer_sizes,
    "activation": _read_activations,
    "preprocessing": _read_transformer,
    "dropout": _read_dropout,
    "class_weight": _read_class_weight,
    "n_iter_no_change": _read_patience,
    "random_state": _read_seed,
    "checkpoint_every": _read_interval,
    "verbose": _read_verbosity,
    **dict.fromkeys(
        ("encoder_rows", "batch_size", "max_fun", "max_iter", "n_estimators"), _read_int
    ),
    **dict.fromkeys(
        (
            *("label_smoothing", "alpha", "weight_decay", "learning_rate_init"),
            *("power_t", "momentum", "beta_1", "beta_2", "epsilon", "tol"),
            *("validation_fraction", "temperature", "max_time"),
        ),
        _read_float,
    ),
}
"""By parameter: converts a value that is neither a string nor None."""

SCALES = ("learning_rate_init", "epsilon", "temperature", "validation_fraction")
"""Parameters that can't be 0, and that numbers are multiplied with or divided by."""

PENALTIES = ("alpha", "weight_decay")
"""Parameters that weights are multiplied with, and that may be 0."""

PARTS = ("label_smoothing", "beta_1", "beta_2")
"""Parameters that must be less than 1 in the type of the weights as well."""


def _check_range(parameters: Parameters, owner: str) -> None:
    """Raise if a number would overflow, or vanish, in the type of the weights.

    The limits are square roots, so that products with numbers as large stay finite.
    """
    info = np.finfo(parameters.dtype)
    smallest, largest = math.sqrt(info.tiny), math.sqrt(info.max)
    below_one = float(info.dtype.type(1) - info.epsneg)
    limits = {
        **dict.fromkeys(SCALES, (smallest, largest)),
        **dict.fromkeys(PENALTIES, (0.0, largest)),
        **dict.fromkeys(PARTS, (0.0, below_one)),
    }
    for name, (low, high) in limits.items():
        value = getattr(parameters, name)
        if isinstance(value, float) and not low <= value <= high:
            raise InvalidParameterError(
                f"The {name!r} parameter of {owner} must be in the range "
                f"[{low:.3g}, {high:.9g}] with dtype={parameters.dtype!r}. Got "
                f"{value!r} instead."
            )
    rates = parameters.dropout
    if not isinstance(rates, str) and np.max(rates, initial=0.0) > below_one:
        raise InvalidParameterError(
            f"dropout must be at most {below_one:.9g} with dtype={parameters.dtype!r}, "
            f"got {rates!r}."
        )
