"""Categories as keys of a graph: the type of the keys, and a key for every value."""

import datetime as dt
import enum
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral, Number
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
from onnx import TensorProto

from skmlp.onnx.calendar import MISSING
from skmlp.tabular.columns import CategoricalBlock

UNKNOWN = MISSING + 1
"""Key of unknown categories among whole numbers."""

LARGEST_DOUBLE = float(np.finfo(np.float64).max)

STAND_IN = "\x1f"
"""Key of missing or unknown values among texts that include the empty one."""
# whitespace, so that a column that is also read word by word finds no word in it

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which UTF-8 and so ONNX has no bytes for."""


class Keys(NamedTuple):
    """The keys of a column of categories.

    Attributes
    ----------
    elem_type : int
        Type of the graph's input, one of those of TensorProto.
    known : list
        Key per category, in the order of their codes.
    missing, unknown : str, int, float or None
        Key of a missing value, and of an unknown category. None is NaN among doubles;
        truth values have neither.
    others : dict of str to str
        Keys of the categories that are no text, by identity, where keys are text.
    """

    elem_type: int
    known: list[Any]
    missing: str | int | None
    unknown: str | int | float | None
    others: dict[str, str]


def build_keys(column: CategoricalBlock, name: str) -> Keys:
    """The keys of a fitted column.

    Numbers stay numbers where one type holds all of them exactly, and a key that is
    none of them for missing ones; anything else becomes text.
    """
    known = list(column.known)
    keys = None
    if are_all(known, Number, np.bool_):
        keys = build_number_keys(known, column.has_missing)
    return keys or build_text_keys(known, name)


def build_number_keys(known: Sequence[Any], has_missing: bool) -> Keys | None:
    """The keys of numbers; None where neither int64 nor double holds all of them."""
    if not has_missing and are_all(known, bool, np.bool_):
        return Keys(TensorProto.BOOL, list(map(int, known)), None, None, {})
    is_int64 = are_all(known, Integral, np.bool_) and all(
        UNKNOWN < value <= np.iinfo(np.int64).max for value in known
    )
    is_double = all(map(is_exact_double, known)) and -LARGEST_DOUBLE not in known
    if is_int64 and not (has_missing and is_double):
        return Keys(TensorProto.INT64, list(map(int, known)), MISSING, UNKNOWN, {})
    if is_double:
        return Keys(
            TensorProto.DOUBLE, list(map(float, known)), None, -LARGEST_DOUBLE, {}
        )
    return None


def build_text_keys(known: Sequence[object], name: str) -> Keys:
    """The keys of text, and of values that `str` turns into text."""
    others = {}
    for value in known:
        if not isinstance(value, str):
            identity = build_identity(value)
            if identity is None:
                raise TypeError(
                    f"expected column {name!r} to hold text, numbers, dates or "
                    f"intervals, got a category of type {type(value).__name__}. Turn "
                    "them into text before fit."
                )
            others[identity] = str(value)
    texts = [spell(value) for value in known]
    if len(set(texts)) < len(texts):
        raise TypeError(
            f"column {name!r} holds values that are different but print the same, "
            "which text in a graph can't tell apart; turn them into text before fit."
        )
    check_unicode(texts, f"column {name!r}")
    missing = "" if "" not in texts else build_stand_in(texts)
    unknown = build_stand_in([*texts, missing])
    return Keys(TensorProto.STRING, texts, missing, unknown, others)


def build_stand_in(taken: Collection[str]) -> str:
    """A text that is none of those taken."""
    text = STAND_IN
    while text in taken:
        text += STAND_IN
    return text


def spell(value: object) -> str:
    """Text as it is; of other values what `str` makes of them."""
    # str() of text that is a member of an enumeration is another text
    return str.__str__(value) if isinstance(value, str) else str(value)


def check_unicode(texts: Iterable[str], owner: str) -> None:
    """Raise if UTF-8 can't hold a text."""
    for text in texts:
        if SURROGATE.search(text):
            raise ValueError(
                f"expected Unicode text in {owner}, got {text[:50]!r}, which holds a "
                "lone surrogate that ONNX can't store. Replace it, such as by "
                "text.encode('utf-8', 'replace').decode()."
            )


def are_all(values: Iterable[object], *kinds: type) -> bool:
    """Return True if there are values, and all of them are of some types."""
    values = list(values)
    return bool(values) and all(isinstance(value, kinds) for value in values)


def is_exact_double(value: Any) -> bool:
    """Return True if a double holds a number exactly."""
    value = as_python(value)
    if isinstance(value, complex):
        return False
    return bool(abs(value) <= LARGEST_DOUBLE and float(value) == value)


def as_python(value: Any) -> Any:
    """Convert to a number that compares with others without rounding them."""
    return value.item() if isinstance(value, np.generic) else value


# Keys of other rows


def find_number_key(value: Any, dtype: np.dtype, unknown: float | None) -> float | None:
    """A value as a number of the type that equals it; if there is none, as unknown."""
    is_number = isinstance(value, Number | np.bool_) and not isinstance(value, complex)
    if not is_number:
        return unknown
    if dtype.kind == "f":
        return float(value) if is_exact_double(value) else unknown
    value = as_python(value)
    lowest, highest = (0, 1) if dtype.kind == "b" else (UNKNOWN, np.iinfo(dtype).max)
    is_held = lowest <= value <= highest and value == int(value)
    return int(value) if is_held else unknown


def find_text_keys(values: Iterable[object], reads: Mapping[str, Any]) -> list[str]:
    """The text per value, which no value gets that is not equal to its category.

    `reads` holds what is in :class:`Keys`.
    """
    missing, unknown, others = reads["missing"], reads["unknown"], reads["others"]
    taken = {missing, *others.values()}
    keys = []
    for value in values:
        if isinstance(value, str):
            text = spell(value)
            keys.append(unknown if text in taken or SURROGATE.search(text) else text)
        else:
            keys.append(others.get(build_identity(value), unknown))
    return keys


# Identities

# Equal values may print differently (1 and True, a moment in two time zones), and
# different ones the same (1 and "1"). So to_inputs compares values by texts that are
# equal just where the values are, and finds the category that Python finds.


def build_identity(value: object) -> str | None:
    """Text that equal values share, and no others; None for types that have none."""
    for kinds, build in IDENTITIES:
        if isinstance(value, kinds):
            return build(value)
    return None


def identify_number(value: Any) -> str:
    """The shortest digits of a number, whatever its type."""
    value = as_python(value)
    if isinstance(value, complex):
        return str(value)
    if value != value or value in (math.inf, -math.inf):
        return str(float(value))
    if value == int(value):
        return str(int(value))
    return repr(float(value)) if is_exact_double(value) else str(Fraction(value))


def identify_moment(value: Any) -> str:
    """A moment in UTC, or by the clock if it has no time zone."""
    moment = pd.Timestamp(value)
    return str(moment if moment.tz is None else moment.tz_convert("UTC"))


def identify_interval(value: pd.Interval) -> str:
    """The ends of an interval, and which of them belong to it."""
    ends = build_identity(value.left), build_identity(value.right)
    return f"interval {value.closed} {ends}"


def identify_items(values: Iterable[object]) -> str:
    """Items of a tuple, in order."""
    return f"tuple {[build_identity(value) for value in values]}"


def identify_set(values: Iterable[object]) -> str:
    """Items of a set, in an order that does not depend on the process."""
    return f"set {sorted(map(str, map(build_identity, values)))}"


IDENTITIES: Sequence[tuple[tuple[type, ...], Callable[[Any], str]]] = (
    ((str,), lambda value: repr(spell(value))),
    ((Number, np.bool_), identify_number),
    ((enum.Enum,), lambda value: f"{type(value).__qualname__} {value.name}"),
    ((dt.datetime,), identify_moment),
    ((dt.timedelta,), lambda value: f"lasting {pd.Timedelta(value)}"),
    ((pd.Interval,), identify_interval),
    ((pd.Period,), lambda value: f"period {value.freqstr} {value}"),
    ((tuple,), identify_items),
    ((frozenset,), identify_set),
    (
        (dt.date, dt.time, np.datetime64, np.timedelta64, bytes, UUID),
        lambda value: f"{type(value).__name__} {value}",
    ),
)
"""Builders of identities by type; the first that fits counts."""
