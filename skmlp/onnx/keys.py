"""Keys of categories: int64, bool, double or text that stands for one category each.

Equal values may print differently (1 and True, a moment in two time zones), and
different ones the same (1 and "1"). `to_inputs` therefore finds the key of a value that
is no text by its identity, a text that is equal exactly where the values are.
"""

import datetime as dt
import enum
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Integral, Number
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
from onnx import TensorProto

from skmlp.tabular.categorical import CategoricalBlock

MISSING_INT64 = np.iinfo(np.int64).min  # as NumPy's NaT
UNKNOWN = MISSING_INT64 + 1  # key of unknown categories among integers
LARGEST_DOUBLE = float(np.finfo(np.float64).max)

# key of missing values among texts that include the empty one, and of unknown values;
# whitespace, in which the tokenizer of a column that is also text finds no word
STAND_IN = "\x1f"
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a pair, which UTF-8 can't encode

PLAIN_TYPES = (pd.Timedelta, pd.Period, dt.time, bytes, UUID, enum.Enum)
"""Types with one repr per value; the encoder converts dates and durations to pandas."""


class Keys(NamedTuple):
    """The keys of a column of categories."""

    elem_type: int  # of the graph's input
    known: list[Any]  # in the order of the categories
    missing: str | int | None  # None is NaN among doubles; booleans have none
    unknown: str | int | float | None  # of other categories; booleans have none
    others: dict[str, str]  # by identity: keys of categories that are no text


def build_keys(column: CategoricalBlock, name: str) -> Keys:
    """Build the keys of a fitted column: numbers if one type is exact, else text."""
    known = list(column.known)
    keys = _build_number_keys(known, column.has_missing)
    return keys or _build_text_keys(known, name)


def _build_number_keys(known: Sequence[Any], has_missing: bool) -> Keys | None:
    """Build numeric keys; None where neither int64 nor double is exact for all."""
    if not _has_only(known, Number, np.bool_):
        return None
    # bool has no value for missing
    if not has_missing and _has_only(known, bool, np.bool_):
        return Keys(TensorProto.BOOL, list(map(int, known)), None, None, {})
    is_int64 = _has_only(known, Integral, np.bool_) and all(
        UNKNOWN < value <= np.iinfo(np.int64).max for value in known
    )
    is_double = all(map(_is_exact_double, known)) and -LARGEST_DOUBLE not in known
    # with missing values doubles come first, as NaN is what users pass for them
    if is_int64 and not (has_missing and is_double):
        whole = list(map(int, known))
        return Keys(TensorProto.INT64, whole, MISSING_INT64, UNKNOWN, {})
    if is_double:
        doubles = list(map(float, known))
        return Keys(TensorProto.DOUBLE, doubles, None, -LARGEST_DOUBLE, {})
    return None


def _build_text_keys(known: Sequence[object], name: str) -> Keys:
    """Build keys that are text; other values become text by `str`."""
    others = {}
    for value in known:
        if not isinstance(value, str):
            identity = _build_identity(value)
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
    # an empty text is missing, unless it is a category
    missing = "" if "" not in texts else _build_stand_in(texts)
    unknown = _build_stand_in([*texts, missing])
    return Keys(TensorProto.STRING, texts, missing, unknown, others)


def _build_stand_in(taken: Collection[str]) -> str:
    """Return a text that is not taken."""
    text = STAND_IN
    while text in taken:
        text += STAND_IN
    return text


def spell(value: object) -> str:
    """Convert a value to text."""
    # str() of text that is a member of an enumeration is its name
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


def _has_only(values: Iterable[object], *kinds: type) -> bool:
    """Return True if there are values, all of these types."""
    values = list(values)
    return bool(values) and all(isinstance(value, kinds) for value in values)


def _is_exact_double(value: Any) -> bool:
    """Return True if a double holds a number exactly."""
    value = _to_python(value)
    if isinstance(value, complex):
        return False
    return bool(abs(value) <= LARGEST_DOUBLE and float(value) == value)


def _to_python(value: Any) -> Any:
    """Convert to a Python number, which compares with others without rounding."""
    return value.item() if isinstance(value, np.generic) else value


def find_number_key(value: Any, dtype: np.dtype, unknown: float | None) -> float | None:
    """Return the number of a type that equals the value, else `unknown`."""
    is_number = isinstance(value, Number | np.bool_) and not isinstance(value, complex)
    if not is_number:
        return unknown
    if dtype.kind == "f":
        return float(value) if _is_exact_double(value) else unknown
    value = _to_python(value)
    lowest, highest = (0, 1) if dtype.kind == "b" else (UNKNOWN, np.iinfo(dtype).max)
    is_held = lowest <= value <= highest and value == int(value)
    return int(value) if is_held else unknown


def find_text_keys(values: Iterable[object], state: Mapping[str, Any]) -> list[str]:
    """Return the key of each value, given fields of `Keys` as JSON."""
    missing, unknown, others = state["missing"], state["unknown"], state["others"]
    taken = {missing, *others.values()}
    keys = []
    for value in values:
        if isinstance(value, str):
            text = spell(value)
            # text that is the key of a number or of missing must not match these
            keys.append(unknown if text in taken or SURROGATE.search(text) else text)
        else:
            keys.append(others.get(_build_identity(value), unknown))
    return keys


def _build_identity(value: Any) -> str | None:
    """Build a text that equal values share; None for types without one."""
    if isinstance(value, Number | np.bool_):
        return _identify_number(value)
    if isinstance(value, pd.Timestamp):
        # equal moments may have different time zones
        return str(value if value.tz is None else value.tz_convert("UTC"))
    if isinstance(value, pd.Interval):
        ends = _build_identity(value.left), _build_identity(value.right)
        return f"interval {value.closed} {ends}"
    if isinstance(value, PLAIN_TYPES):
        return repr(value)
    return None


def _identify_number(value: Any) -> str:
    """Build the shortest digits of a number of any type."""
    value = _to_python(value)
    if isinstance(value, complex):
        return str(value)
    # NaN and infinity have no integer part
    if value != value or value in (math.inf, -math.inf):
        return str(float(value))
    if value == int(value):
        return str(int(value))
    # Decimal("0.1") is no double, so it is equal to 1/10 and not to 0.1
    return repr(float(value)) if _is_exact_double(value) else str(Fraction(value))
