"""Number the distinct values of a column; containers and times get canonical keys."""

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Set
from enum import Enum
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skmlp.tabular.frame import Column, replace_signaling_nan, to_objects

TRUTH_TYPES = (bool, np.bool_)

# plain values: equal and printed alike in every process
SCALAR_TYPES = (
    *(str, bytes, Number, np.generic, dt.date, dt.time, dt.timedelta),
    *(pd.Interval, pd.Period, type(pd.NA), type(None)),
)
# the same moments or durations come in several types, depending on library and dtype;
# all become those of pandas
TIME_TYPES: dict[type, tuple[type, ...]] = {
    pd.Timestamp: (dt.date, np.datetime64),
    pd.Timedelta: (dt.timedelta, np.timedelta64),
}
# by name: a type of container, and canonical text of its contents
CONTAINERS: dict[str, tuple[type, Callable[[Any], str]]] = {
    "list": (list, lambda items: f"[{', '.join(map(_format_value, items))}]"),
    "tuple": (tuple, lambda items: f"({', '.join(map(_format_value, items))})"),
    "set": (Set, lambda items: f"set({', '.join(sorted(map(_format_value, items)))})"),
    "dict": (
        dict,
        lambda items: f"dict({', '.join(sorted(map(_format_value, items.items())))})",
    ),
}
# by name: types whose values can stand for each other; others are a type of their own
VALUE_TYPES: dict[str, tuple[type, ...]] = {
    "truth values": TRUTH_TYPES,
    "numbers": (Number,),
    "text": (str,),
    "containers": (frozenset,),
}
COMPARABLE_TYPES = {"truth values", "numbers"}  # their values may be equal


class Factorized(NamedTuple):
    """A column as codes of its distinct values."""

    codes: np.ndarray  # (n_rows,), -1 where missing
    distinct: np.ndarray  # objects; some may occur in no row


def factorize(column: Column) -> Factorized:
    """Number the distinct values of a column."""
    values = column.data
    if isinstance(values, pd.Categorical):
        found = Factorized(values.codes, to_objects(values.categories))
    else:
        try:
            codes, distinct = pd.factorize(values)
        except TypeError:  # cells without a hash; signaling NaNs count as missing
            found = Factorized(np.arange(len(values)), replace_signaling_nan(values))
            return _factorize_keys(column, found)
        found = Factorized(codes, to_objects(distinct))
    types = set(map(type, found.distinct))
    are_keys = all(
        issubclass(cls, SCALAR_TYPES) and not _is_foreign_time(cls) for cls in types
    )
    return found if are_keys else _factorize_keys(column, found)


def _factorize_keys(column: Column, found: Factorized) -> Factorized:
    """Merge values with equal keys: containers become frozensets, times pandas'."""
    keys = found.distinct.copy()
    try:
        for place, value in enumerate(found.distinct):
            keys[place] = _make_key(_to_pandas_time(value))
        codes, distinct = pd.factorize(keys)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{column.describe()} holds objects that can't be told apart ({error}); "
            "turn them into text or numbers, or drop the column."
        ) from error
    return Factorized(np.append(codes, -1)[found.codes], to_objects(distinct))


def _is_foreign_time(cls: type) -> bool:
    """Return True for moments or durations in another type than that of pandas."""
    return cls not in TIME_TYPES and any(
        issubclass(cls, types) for types in TIME_TYPES.values()
    )


def _to_pandas_time(value: object) -> object:
    """Convert a date, moment or duration to that of pandas; other values stay."""
    for convert, types in TIME_TYPES.items():
        if isinstance(value, types):
            return convert(value)
    return value


def _make_key(value: object) -> Hashable:
    """Return a hashable key for a container; other values stay."""
    if isinstance(value, tuple):
        return tuple(map(_make_key, value))
    for name, (cls, describe) in CONTAINERS.items():
        if isinstance(value, cls):
            # a frozenset of the user never stays one, so that no key equals a value
            return frozenset({(name, describe(value))})
    _check_has_equality(value)
    return value


def _format_value(value: object) -> str:
    """Format a value as canonical text, independent of the hashes of the process."""
    for cls, describe in CONTAINERS.values():
        if isinstance(value, cls):
            return describe(value)
    _check_has_equality(value)
    hash(value)  # raises for other containers, whose text may be shortened
    if isinstance(value, np.number | np.bool_ | np.str_):
        value = value.item()
    # as Python compares numbers: 1, 1.0 and True are one member of a set
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return repr(value)


def _check_has_equality(value: object) -> None:
    """Raise for an object that only the process it lives in can recognize."""
    if isinstance(value, (*SCALAR_TYPES, Enum, type)):
        return
    if type(value).__eq__ is object.__eq__ or " at 0x" in repr(value):
        raise TypeError(
            f"objects of type {type(value).__name__} are known by their address in "
            "memory only"
        )


def argsort_values(values: np.ndarray) -> np.ndarray:
    """Return the order of values, by type and text where they have none themselves."""
    try:
        # keys of containers would compare by inclusion
        if frozenset not in set(map(type, values)):
            return np.argsort(values, kind="stable")
    except TypeError:
        pass  # types without a common order
    keys = [(type(value).__name__, str(value)) for value in values]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def find_value_types(values: Iterable[object]) -> set[str]:
    """Find the types of values, size and precision aside, named for messages."""
    return {_name_value_type(cls) for cls in set(map(type, values))}


def check_value_types(column: Column, distinct: np.ndarray, known: set[str]) -> None:
    """Raise if no value of a column is of a type as in fit, and so can't be known."""
    came = find_value_types(distinct)
    # truth values may equal numbers
    are_comparable = came & known or (
        came & COMPARABLE_TYPES and known & COMPARABLE_TYPES
    )
    if came and known and not are_comparable:
        raise ValueError(
            f"{column.describe()} holds {' and '.join(sorted(came))}, but held "
            f"{' and '.join(sorted(known))} in fit; convert it, or fit again."
        )


def _name_value_type(cls: type) -> str:
    """Name the type of values of a class."""
    for name, members in VALUE_TYPES.items():
        if issubclass(cls, members):
            return name
    return f"{cls.__name__} objects"
