"""Parse text that stands for numbers or dates."""

import re
from collections.abc import Callable
from itertools import compress
from typing import NamedTuple

import numpy as np
import pandas as pd

from skmlp.tabular.frame import Values, find_missing

# a decimal number, such as 12, -3.5 or 1e3; 01234 is a code, and no 1234
NUMBER_PATTERN = re.compile(
    r"\s*[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
)
CODE_PATTERN = re.compile(r"\s*0[0-9]+\s*")  # leading zeros, as in postal codes

# a date by ISO 8601, such as 2024-02-29 or 2024-02-29T10:00:00Z
DATE_PATTERN = re.compile(
    r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?\s*"
)
NO_PATTERN = re.compile(r"(?!)")  # matches nothing

# text that stands for a missing value among numbers or dates, in lower case
MISSING_MARKS = frozenset(
    [
        *("", "?", "-", ".", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "-nan"),
        *("nat", "null", "none", "missing"),
    ]
)
# share of the values of a type from which on the column is of it: other text is then
# missing there, and encoded by a block of its own
MIN_SHARE = 0.5


def is_text(values: Values) -> bool:
    """Return True if all values are text, missing ones aside; categories are none."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return True
    is_string_dtype = isinstance(values.dtype, pd.StringDtype)
    if values.dtype != object and not is_string_dtype:
        return False
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def has_text(values: Values) -> bool:
    """Return True if some values are text; categories are none."""
    if values.dtype != object:
        return is_text(values)
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    return inferred == "string" or (
        inferred in {"mixed", "mixed-integer"}
        and any(issubclass(cls, str) for cls in set(map(type, values)))
    )


def split_text(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that are text, and the others that are not missing."""
    objects = np.asarray(values, dtype=object)
    is_string = _mask_text(objects)
    return objects[is_string], objects[~is_string & ~find_missing(objects)]


def _mask_text(values: Values) -> np.ndarray:
    """Mask the values that are text."""
    return np.array([isinstance(value, str) for value in values], dtype=bool)


def infer_text_type(
    codes: np.ndarray,
    distinct: Values,
    other_type: str | None = None,
    n_others: int = 0,
) -> str | None:
    """Infer the type of most values, by their text and the type of `n_others` others.

    The text comes factorized; None means that it stands for nothing.
    """
    texts, n_rows = _count_present(codes, distinct)
    types = TEXT_PARSERS if other_type is None else {other_type} & TEXT_PARSERS.keys()
    for name in types:
        match = TEXT_PARSERS[name].pattern.fullmatch
        is_parsable = np.array([match(text) is not None for text in texts], dtype=bool)
        n_parsable = n_others + n_rows[is_parsable].sum()
        if n_parsable <= MIN_SHARE * (n_others + n_rows.sum()):
            continue
        if other_type is not None:
            return name
        # text alone has to be alike: no codes, and dates of one form
        if not any(map(CODE_PATTERN.fullmatch, texts)) and (
            name != "dates" or _are_valid_dates(list(compress(texts, is_parsable)))
        ):
            return name
    return None


def _count_present(codes: np.ndarray, distinct: Values) -> tuple[list[str], np.ndarray]:
    """Count the rows of each text that is present and no mark of a missing value."""
    n_rows = np.bincount(codes[codes >= 0], minlength=len(distinct))
    is_kept = [
        count > 0 and not _is_missing_mark(text)
        for text, count in zip(distinct, n_rows, strict=True)
    ]
    return list(compress(distinct, is_kept)), n_rows[is_kept]


def _is_missing_mark(text: str) -> bool:
    """Return True if text is blank or stands for a missing value."""
    return text.strip().lower() in MISSING_MARKS


def _are_valid_dates(texts: list[str]) -> bool:
    """Return True for dates in the calendar, all with a time zone or all without."""
    matches = map(DATE_PATTERN.fullmatch, texts)
    has_zone = {match["zone"] is not None for match in matches if match}
    return len(has_zone) == 1 and not pd.isna(_to_dates(texts)).any()


def find_unparsable(values: Values, kind: str) -> np.ndarray:
    """Mask text that can't be parsed as a type and is no mark of a missing value."""
    is_unparsable = _mask_text(values)
    codes, distinct = pd.factorize(np.asarray(values, dtype=object)[is_unparsable])
    match = TEXT_PARSERS[kind].pattern.fullmatch
    found = [match(text) is None and not _is_missing_mark(text) for text in distinct]
    is_unparsable[is_unparsable] = np.array(found, dtype=bool)[codes]
    return is_unparsable


def keep_unparsable(values: Values, kind: str) -> np.ndarray:
    """Return the text that can't be parsed as a type; all other values are None."""
    result = np.full(len(values), None, dtype=object)
    is_unparsable = find_unparsable(values, kind)
    result[is_unparsable] = np.asarray(values, dtype=object)[is_unparsable]
    return result


def parse_text(values: Values, kind: str) -> Values:
    """Parse the values that are text, missing where that fails; others stay."""
    parse = TEXT_PARSERS[kind].parse
    if isinstance(values, pd.Categorical):
        values = np.asarray(values)
    if is_text(values):
        return parse(values)
    if values.dtype != object:
        return values
    is_string = _mask_text(values)
    result = np.array(values, dtype=object)
    result[is_string] = np.asarray(parse(result[is_string]), dtype=object)
    return result


def _parse_numbers(values: Values) -> np.ndarray:
    """Parse text as numbers, NaN where it is none."""
    codes, distinct = pd.factorize(values)
    # float() is exact in the last digit, which pd.to_numeric is not
    numbers = [
        float(text)
        if isinstance(text, str) and NUMBER_PATTERN.fullmatch(text)
        else np.nan
        for text in distinct
    ]
    return np.array([*numbers, np.nan])[codes]


def _parse_dates(values: Values) -> Values:
    """Parse text as dates, NaT where it is none; objects if there are several zones."""
    codes, distinct = pd.factorize(values)
    texts = [
        text if isinstance(text, str) and DATE_PATTERN.fullmatch(text) else None
        for text in distinct
    ]
    return _to_dates([*texts, None])[codes]


def _to_dates(texts: list[str] | list[str | None]) -> Values:
    """Convert ISO dates, keeping their time zones; NaT where the calendar has none."""
    matches = [DATE_PATTERN.fullmatch(text) for text in texts if text is not None]
    if len({match["zone"] for match in matches if match}) < 2:
        return _to_dates_of_one_zone(texts).array
    dates = np.empty(len(texts), dtype=object)
    dates[:] = [_to_dates_of_one_zone([text])[0] for text in texts]
    return dates


def _to_dates_of_one_zone(texts: list[str] | list[str | None]) -> pd.DatetimeIndex:
    """Convert ISO dates that all have the same time zone, or none."""
    stripped = [None if text is None else text.strip() for text in texts]
    index = pd.Index(stripped, dtype=object)
    return pd.DatetimeIndex(pd.to_datetime(index, format="ISO8601", errors="coerce"))


def _skip_text(values: Values) -> np.ndarray:
    """Return missing values in place of text that is never parsed."""
    return np.full(len(values), None, dtype=object)


class TextParser(NamedTuple):
    """A parser of text as values of one type."""

    pattern: re.Pattern[str]  # of text that can be parsed
    parse: Callable[[Values], Values]


TEXT_PARSERS: dict[str, TextParser] = {
    "numbers": TextParser(NUMBER_PATTERN, _parse_numbers),
    "dates": TextParser(DATE_PATTERN, _parse_dates),
    "durations": TextParser(NO_PATTERN, _skip_text),
    "times": TextParser(NO_PATTERN, _skip_text),
}
