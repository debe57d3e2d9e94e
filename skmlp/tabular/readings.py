"""Text that stands for numbers or dates, read as these."""

import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from skmlp.tabular.tables import Values

# a leading zero speaks for a code: 01234 is another place than 1234
NUMBER = re.compile(
    r"\s*[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
)
"""A decimal number, such as 12, -3.5 or 1e3."""

DATE = re.compile(
    r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?\s*"
)
"""A date by ISO 8601, such as 2024-02-29 or 2024-02-29T10:00:00Z."""


def is_text(values: Values) -> bool:
    """Whether all values are text, missing ones aside; categories are none."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return True
    is_string = isinstance(values.dtype, pd.StringDtype)
    if values.dtype != object and not is_string:
        return False
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def kind_of_text(values: Values) -> str | None:
    """The kind that text stands for throughout, "numbers" or "dates"; None for none.

    Blank text counts as missing.
    """
    # the first value by itself: it settles most columns at no cost
    texts = (text for text in values if is_written(text))
    first = next(texts, None)
    for kind, is_right in KINDS.items():
        if first is not None and is_right([first]):
            return kind if is_right(distinct_texts(values)) else None
    return None


def is_written(value: object) -> bool:
    """Whether a value is text that is not blank."""
    return isinstance(value, str) and not value.isspace() and value != ""


def distinct_texts(values: Values) -> list[str]:
    """The different texts, blank ones aside."""
    return [text for text in pd.unique(values) if is_written(text)]


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether texts are numbers, all of them."""
    return all(map(NUMBER.fullmatch, texts))


def are_dates(texts: list[str]) -> bool:
    """Whether texts are dates that are in the calendar, all with a zone or all none."""
    found = list(map(DATE.fullmatch, texts))
    if not all(found):
        return False
    has_zone = {match["zone"] is not None for match in found if match}
    return len(has_zone) == 1 and not pd.isna(moments(texts)).any()


KINDS: dict[str, Callable[[list[str]], bool]] = {
    "numbers": are_numbers,
    "dates": are_dates,
}
"""What text may stand for, and whether it does."""


def with_text_read(values: Values, read: Callable[[Values], Values]) -> Values:
    """Values, of any kind, in which text is read; others stay."""
    if isinstance(values, pd.Categorical):
        values = np.asarray(values)
    if is_text(values):
        return read(values)
    if values.dtype != object:
        return values
    is_there = np.array([isinstance(value, str) for value in values], dtype=bool)
    result = np.array(values, dtype=object)
    for place, value in zip(
        np.flatnonzero(is_there), read(result[is_there]), strict=True
    ):
        result[place] = value
    return result


def read_numbers(values: Values) -> np.ndarray:
    """Text as numbers, NaN where it is none."""
    codes, distinct = pd.factorize(values)
    numbers = [
        float(text) if isinstance(text, str) and NUMBER.fullmatch(text) else np.nan
        for text in distinct
    ]
    return np.array([*numbers, np.nan])[codes]


def read_dates(values: Values) -> Values:
    """Text as dates, NaT where it is none; objects where there are several zones."""
    codes, distinct = pd.factorize(values)
    texts = [
        text if isinstance(text, str) and DATE.fullmatch(text) else None
        for text in distinct
    ]
    return moments([*texts, None])[codes]


def moments(texts: list[str] | list[str | None]) -> Values:
    """ISO dates, in their zone where all have the same, NaT where there are none."""
    found = [DATE.fullmatch(text) for text in texts if text is not None]
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


READINGS: dict[str, Callable[[Values], Values]] = {
    "numbers": read_numbers,
    "dates": read_dates,
}
"""By kind: how text is read as it."""
