"""Text that stands for numbers or dates, read as these."""

import re
from collections.abc import Callable
from itertools import compress
from typing import NamedTuple

import numpy as np
import pandas as pd

from skmlp.tabular.frame import Values, find_missing

# a leading zero speaks for a code: 01234 is another place than 1234
NUMBER_PATTERN = re.compile(
    r"\s*[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
)
"""A decimal number, such as 12, -3.5 or 1e3."""

CODE = re.compile(r"\s*0[0-9]+\s*")
"""Digits with a leading zero, which speaks for a code."""

DATE_PATTERN = re.compile(
    r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?\s*"
)
"""A date by ISO 8601, such as 2024-02-29 or 2024-02-29T10:00:00Z."""


MISSING = frozenset(
    [
        *("", "?", "-", ".", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "-nan"),
        *("nat", "null", "none", "missing"),
    ]
)
"""Text that stands for a missing value beside numbers or dates, in lower case."""

MOSTLY = 0.5
"""Share of a kind among the values of a column beyond which other text is odd there.

Most values then say what the column is; the other text is encoded beside them.
"""


def is_text(values: Values) -> bool:
    """Whether all values are text, missing ones aside; categories are none."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return True
    is_string = isinstance(values.dtype, pd.StringDtype)
    if values.dtype != object and not is_string:
        return False
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def has_text(values: Values) -> bool:
    """Return True if some values are text; categories are none."""
    if values.dtype != object:
        return is_text(values)
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    return inferred == "string" or (
        inferred in {"mixed", "mixed-integer"}
        and any(issubclass(kind, str) for kind in set(map(type, values)))
    )


def is_string(values: Values) -> np.ndarray:
    """Return a mask of the values that are text."""
    return np.array([isinstance(value, str) for value in values], dtype=bool)


def split_text(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that are text, and the others that are not missing."""
    objects = np.asarray(values, dtype=object)
    is_there = is_string(objects)
    return objects[is_there], objects[~is_there & ~find_missing(objects)]


def infer_text_type(
    codes: np.ndarray,
    distinct: Values,
    kind: str | None = None,
    n_others: int = 0,
) -> str | None:
    """The kind that text stands for, "numbers" or "dates"; None for none.

    Blank text counts as missing, and so does what stands for missing values.

    Parameters
    ----------
    codes : array of int
        The place of the text of each row among the different texts; -1 if missing.
    distinct : array
        The different texts of a column; some may occur in no row.
    kind : str, default=None
        The kind of its other values; None if it has none.
    n_others : int, default=0
        How many these are.
    """
    texts, n_rows = count_written(codes, distinct)
    for name in TEXT_PARSERS if kind is None else {kind} & TEXT_PARSERS.keys():
        is_odd = np.array(list(map(TEXT_PARSERS[name].is_odd, texts)), dtype=bool)
        n_odd = n_rows[is_odd].sum()
        n_read = n_others + n_rows.sum() - n_odd
        if n_read <= MOSTLY * (n_read + n_odd):
            continue
        readable = [text for text, odd in zip(texts, is_odd, strict=True) if not odd]
        if kind is not None or (
            TEXT_PARSERS[name].are_alike(readable) and not any(map(is_code, texts))
        ):
            return name
    return None


def count_written(codes: np.ndarray, distinct: Values) -> tuple[list[str], np.ndarray]:
    """Texts of some rows that don't stand for a missing value, and the rows of each."""
    n_rows = np.bincount(codes[codes >= 0], minlength=len(distinct))
    is_kept = [
        count > 0 and not is_missing(text)
        for text, count in zip(distinct, n_rows, strict=True)
    ]
    return list(compress(distinct, is_kept)), n_rows[is_kept]


def is_missing(text: str) -> bool:
    """Return True if text is blank or stands for a missing value."""
    return text.strip().lower() in MISSING


def is_code(text: str) -> bool:
    """Return True for digits that begin with a zero, as postal codes may."""
    return CODE.fullmatch(text) is not None


def find_unparsable(values: Values, kind: str) -> np.ndarray:
    """Return a mask of text that can't be read as a kind and is not missing."""
    is_odd = is_string(values)
    codes, distinct = pd.factorize(np.asarray(values, dtype=object)[is_odd])
    of_texts = [
        TEXT_PARSERS[kind].is_odd(text) and not is_missing(text) for text in distinct
    ]
    is_odd[is_odd] = np.array(of_texts, dtype=bool)[codes]
    return is_odd


def keep_unparsable(values: Values, kind: str) -> np.ndarray:
    """Text that can't be read as a kind; all other values are missing."""
    result = np.full(len(values), None, dtype=object)
    is_odd = find_unparsable(values, kind)
    result[is_odd] = np.asarray(values, dtype=object)[is_odd]
    return result


def are_dates(texts: list[str]) -> bool:
    """Return True for dates in the calendar, all with a zone or all without one."""
    found = map(DATE_PATTERN.fullmatch, texts)
    has_zone = {match["zone"] is not None for match in found if match}
    return len(has_zone) == 1 and not pd.isna(moments(texts)).any()


def parse_text(values: Values, read: Callable[[Values], Values]) -> Values:
    """Values, of any kind, in which text is read; others stay."""
    if isinstance(values, pd.Categorical):
        values = np.asarray(values)
    if is_text(values):
        return read(values)
    if values.dtype != object:
        return values
    is_there = is_string(values)
    result = np.array(values, dtype=object)
    result[is_there] = np.asarray(read(result[is_there]), dtype=object)
    return result


def parse_numbers(values: Values) -> np.ndarray:
    """Text as numbers, NaN where it is none."""
    codes, distinct = pd.factorize(values)
    numbers = [
        float(text)
        if isinstance(text, str) and NUMBER_PATTERN.fullmatch(text)
        else np.nan
        for text in distinct
    ]
    return np.array([*numbers, np.nan])[codes]


def parse_dates(values: Values) -> Values:
    """Text as dates, NaT where it is none; objects where there are several zones."""
    codes, distinct = pd.factorize(values)
    texts = [
        text if isinstance(text, str) and DATE_PATTERN.fullmatch(text) else None
        for text in distinct
    ]
    return moments([*texts, None])[codes]


def moments(texts: list[str] | list[str | None]) -> Values:
    """ISO dates, in their zone where all have the same, NaT where there are none."""
    found = [DATE_PATTERN.fullmatch(text) for text in texts if text is not None]
    if len({match["zone"] for match in found if match}) < 2:
        return moments_of_one_zone(texts).array
    several = np.empty(len(texts), dtype=object)
    several[:] = [moments_of_one_zone([text])[0] for text in texts]
    return several


def moments_of_one_zone(texts: list[str] | list[str | None]) -> pd.DatetimeIndex:
    """ISO dates of one zone, or of none; NaT where the calendar has no such day."""
    stripped = [None if text is None else text.strip() for text in texts]
    index = pd.to_datetime(
        pd.Index(stripped, dtype=object), format="ISO8601", errors="coerce"
    )
    return pd.DatetimeIndex(index)


def read_nothing(values: Values) -> np.ndarray:
    """Return missing values in place of text that is never read."""
    return np.full(len(values), None, dtype=object)


class TextParser(NamedTuple):
    """Form of text that stands for one kind of values."""

    is_odd: Callable[[str], bool]  # text that can't be read
    are_alike: Callable[[list[str]], bool]  # readable texts that make a column
    read: Callable[[Values], Values]


TEXT_PARSERS: dict[str, TextParser] = {
    "numbers": TextParser(
        lambda text: not NUMBER_PATTERN.fullmatch(text),
        lambda texts: True,
        parse_numbers,
    ),
    "dates": TextParser(
        lambda text: not DATE_PATTERN.fullmatch(text), are_dates, parse_dates
    ),
    "durations": TextParser(lambda text: True, lambda texts: False, read_nothing),
    "times": TextParser(lambda text: True, lambda texts: False, read_nothing),
}
"""By kind: how text is read as it."""
