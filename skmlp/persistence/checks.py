"""Checks of values read from a file, made before anything is built from them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from numbers import Real
from types import UnionType
from typing import Any, TypeAlias

import numpy as np

Check: TypeAlias = type | UnionType | Callable[[Any], bool]
"""What a field has to be: of a type, or such that a function returns True."""

MAX_COLLISIONS = 100
"""Most different values with one hash; values that nobody crafted stay far below."""


def require(condition: bool, problem: str) -> None:
    """Raise ValueError with a problem unless a condition holds."""
    if not condition:
        raise ValueError(problem)


def check_fields(name: str, state: object, checks: Mapping[str, Check]) -> None:
    """Raise unless a dict has exactly these fields, each as its check demands."""
    if not isinstance(state, dict):
        raise TypeError(f"{name} is no dict")
    unknown = state.keys() - checks.keys()
    if unknown:
        raise ValueError(f"{name} can't have {', '.join(sorted(unknown))}")
    for field, check in checks.items():
        if field not in state or not _passes(check, state[field]):
            raise ValueError(f"{field} of {name} is wrong or missing")


def _passes(check: Check, value: object) -> bool:
    if isinstance(check, type | UnionType):
        return isinstance(value, check)
    return check(value)


def is_bool(value: object) -> bool:
    """Return True for a truth value."""
    return isinstance(value, bool | np.bool_)


def is_count(value: Any) -> bool:
    """Return True for an integer of at least 0."""
    is_integer = isinstance(value, int | np.integer) and not is_bool(value)
    return is_integer and bool(value >= 0)


def is_count_below(limit: int) -> Callable[[Any], bool]:
    """Return a check for counts below a limit."""
    return lambda value: is_count(value) and int(value) < limit


def is_number_in(low: float, high: float) -> Callable[[Any], bool]:
    """Return a check for real numbers from low to high, both included."""
    return lambda value: (
        isinstance(value, Real) and not is_bool(value) and bool(low <= value <= high)  # type: ignore[operator]
    )


def is_text_in(*names: str) -> Callable[[Any], bool]:
    """Return a check for some texts."""
    return lambda value: isinstance(value, str) and value in names


def is_list(*checks: Check, kind: Any = list) -> Callable[[Any], bool]:
    """Return a check for lists whose entries each pass one of some checks."""
    return lambda value: (
        type(value) is kind
        and all(any(_passes(check, entry) for check in checks) for entry in value)
    )


def is_array(kinds: str, ndim: int) -> Callable[[Any], bool]:
    """Return a check for arrays whose dtype is of one of these kinds."""
    return lambda value: (
        isinstance(value, np.ndarray)
        and value.dtype.kind in kinds
        and value.dtype.isnative
        and value.ndim == ndim
    )


def is_finite_array(
    dtype: str, ndim: int = 1, low: float = -np.inf
) -> Callable[[Any], bool]:
    """Return a check for C-contiguous arrays of finite numbers, none below `low`."""
    return lambda value: (
        is_array("f", ndim)(value)
        and value.dtype == dtype
        and value.flags.c_contiguous  # the C core reads rows without strides
        and bool((np.isfinite(value) & (value >= low)).all())
    )


def is_ascending(values: Sequence[object] | np.ndarray) -> bool:
    """Return True for values in strictly ascending order, so that none comes twice."""
    array = np.asarray(values)
    return bool(np.all(array[:-1] < array[1:]))


def check_hashes(values: Sequence[Hashable]) -> Sequence[Hashable]:
    """Return the values, or raise if too many different ones share a hash.

    A set or dict of such values takes time in proportion to the square of their number:
    a crafted file of 600 kB could keep a service busy for seconds.
    """
    for compute_hash in (hash, _compute_pandas_hash):
        by_hash: dict[int, list[Hashable]] = {}
        for value in values:
            same = by_hash.setdefault(_fold(compute_hash(value)), [])
            if value not in same:
                same.append(value)
            if len(same) > MAX_COLLISIONS:
                raise ValueError("too many values have the same hash")
    return values


def _compute_pandas_hash(value: Hashable) -> int:
    # tables of pandas fold the hashes of a tuple's entries, so other tuples collide
    if type(value) is tuple:
        return hash(tuple([_fold(_compute_pandas_hash(entry)) for entry in value]))
    return hash(value)


def _fold(number: int) -> int:
    # pandas keeps 32 bits: the lower half combined with the upper half
    return (number ^ (number >> 32)) & 0xFFFFFFFF
