"""Kinds of columns: each learns from the training rows how to become numbers."""

import datetime as dt
from collections import Counter
from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from enum import Enum
from itertools import compress
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skmlp.tabular.frame import (
    Column,
    Values,
    find_missing,
    replace_signaling_nan,
    to_objects,
)
from skmlp.tabular.target_means import Target, TargetMeans, TrainingRows
from skmlp.tabular.text_parsing import (
    TEXT_PARSERS,
    find_unparsable,
    has_text,
    infer_text_type,
    parse_text,
    split_text,
)

DATE_PARTS: dict[str, Callable[[pd.DatetimeIndex], pd.Index]] = {
    "month": lambda dates: dates.month,
    "weekday": lambda dates: dates.day_of_week,
    "hour": lambda dates: dates.hour,
}
"""What the calendar says of a moment, in local time."""


# What kind a column is


def infer_column_type(
    column: Column, read_text: bool = False, found: "Factorized | None" = None
) -> str:
    """The kind that a column's dtype, or its objects, speak for, once it has values.

    With `read_text`, text is of the kind that it stands for, and a column of another
    kind stays so if most of its values are no text. `found` are the values of a column
    that is nothing but text.
    """
    if is_all_missing(column):
        return "nothing"
    kind = kind_of_values(column)
    if not (read_text and kind == "categories"):
        return kind
    if found is not None:
        return infer_text_type(*found) or kind
    return kind_beside_text(column) if has_text(column.data) else kind


def kind_beside_text(column: Column) -> str:
    """The kind of most values of a column that has text."""
    texts, others = split_text(column.data)
    kind = kind_of_objects(column._replace(data=others)) if len(others) else None
    codes, distinct = pd.factorize(texts)
    return infer_text_type(codes, distinct, kind, len(others)) or "categories"


def kind_of_values(column: Column) -> str:
    """The kind of a column that has values."""
    dtype = column.data.dtype
    if is_object(column):
        return kind_of_objects(column)
    if isinstance(dtype, np.dtype):
        kind = KIND_OF_NUMPY.get(dtype.kind)
    else:
        kind = KIND_OF_PANDAS.get(type(dtype))
        if kind is None and pd.api.types.is_any_real_numeric_dtype(dtype):
            kind = "numbers"
    if kind is None:
        raise TypeError(
            f"{column.describe()} can't be encoded: it holds neither real numbers, "
            "categories, text, dates nor durations; convert it to one of these, or "
            "drop it."
        )
    return kind


def is_object(column: Column) -> bool:
    """Whether a column holds Python objects, which may be anything."""
    return has_objects(column.data)


def has_objects(values: Values) -> bool:
    """Whether values are Python objects, which may be anything."""
    return isinstance(values, np.ndarray) and values.dtype.kind == "O"


def kind_of_objects(column: Column) -> str:
    """The kind that all the values of an object column speak for."""
    inferred = pd.api.types.infer_dtype(column.data, skipna=True)
    if inferred in {"mixed", "mixed-integer"}:
        counts = Counter(map(type, column.data[~find_missing(column.data)]))
        if any(issubclass(kind, COMPLEX) for kind in counts):
            inferred = "complex"
        elif are_numbers(counts):
            return "numbers"
        elif all(issubclass(kind, MOMENTS) for kind in counts):
            return "dates"
        elif all(issubclass(kind, dt.timedelta) for kind in counts):
            return "durations"  # beside pd.NA, which pandas 2 takes for another kind
    if inferred == "complex":
        raise ValueError(
            f"{column.describe()} holds complex numbers; Complex data not supported: "
            "split it into real and imaginary part."
        )
    return KIND_OF_INFERRED.get(inferred, "categories")


def are_numbers(counts: Mapping[type, int]) -> bool:
    """Return True for real numbers, and fewer truth values than these.

    `counts` has the number of values of each type.
    """
    n_truth = sum(counts.get(kind, 0) for kind in TRUTH)
    return 2 * n_truth < sum(counts.values()) and all(
        issubclass(kind, (Number, *TRUTH)) for kind in counts
    )


KIND_OF_NUMPY = {
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "b": "categories",
    "U": "categories",
    "S": "categories",
    "M": "dates",
    "m": "durations",
}
KIND_OF_PANDAS = {
    pd.CategoricalDtype: "categories",
    pd.StringDtype: "categories",
    pd.BooleanDtype: "categories",
    pd.IntervalDtype: "categories",
    pd.DatetimeTZDtype: "dates",
    pd.PeriodDtype: "dates",
}
KIND_OF_INFERRED = {
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "date": "dates",
    "datetime": "dates",
    "datetime64": "dates",
    "period": "dates",
    "timedelta": "durations",
    "timedelta64": "durations",
    "time": "times",
}
TRUTH = (bool, np.bool_)
"""Types of truth values."""

COMPLEX = (complex, np.complexfloating)
"""Types of complex numbers."""

MOMENTS = (dt.date, np.datetime64, pd.Period)
"""What may come together in a column of dates, and in periods of any length."""


# Columns that become numbers, to be scaled


class NumericColumn:
    """A column that is read as one or more arrays of numbers, NaN where missing.

    Parameters
    ----------
    position : int
        Which column of the table it is.

    Attributes
    ----------
    from_text : bool
        Whether some of the rows in fit held text.
    parts : tuple of str
        What each array is called behind the column's name.
    """

    kind = "numbers"
    parts: tuple[str, ...] = ("",)
    from_text = False  # as in columns that were saved before text was read

    def __init__(self, position: int) -> None:
        self.position = position
        self.from_text = False

    def fit(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        """Learn what the column is like, and return what `read` would."""
        # also in rows that don't count, where other text is missing as well
        self.from_text = self.kind in TEXT_PARSERS and has_text(column.data)
        return self.learn(column, rows)

    def learn(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        """Learn which parts vary, and return what `read` would."""
        return self.read(column)

    def as_meant(self, column: Column) -> Column:
        """Text as what it stands for, if that is of this kind.

        Where training had text, what can't be read counts as missing, as blank text and
        what stands for missing do everywhere; else all text has to be such that can be
        read.
        """
        values = column.data
        if self.kind not in TEXT_PARSERS:
            return column
        read = TEXT_PARSERS[self.kind].read
        if self.from_text or (
            has_text(values) and not find_unparsable(values, self.kind).any()
        ):
            return column._replace(data=parse_text(values, read))
        return column

    def odd_texts(self, column: Column, numbers: np.ndarray) -> np.ndarray:
        """Return a mask of text that can't be read, where training had text.

        `numbers` are what was read, NaN at least where that is so.
        """
        is_odd = np.zeros(len(column.data), dtype=bool)
        if self.from_text:
            places = np.flatnonzero(np.isnan(numbers))
            is_odd[places] = find_unparsable(column.data[places], self.kind)
        return is_odd

    def read(self, column: Column) -> list[np.ndarray]:
        """One array per part, or an error if the column is of another kind."""
        column = self.as_meant(column)
        if is_all_missing(column):
            return [np.full(len(column.data), np.nan) for _ in self.parts]
        self.check_kind(column)
        try:
            return self.numbers(column)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(
                f"{column.describe()} can't be read as {self.kind}: {error}"
            ) from error

    def check_kind(self, column: Column) -> None:
        """Raise if the column holds something else than it did in fit."""
        kind = kind_of_values(column)
        if kind != self.kind:
            if pd.api.types.infer_dtype(column.data) == "boolean":
                kind = "truth values"
            raise ValueError(
                f"{column.describe()} holds {kind}, but held {self.kind} in fit; "
                "convert it, or fit again."
            )

    def numbers(self, column: Column) -> list[np.ndarray]:
        """One array per part of a column of the right kind."""
        values = column.data
        if isinstance(values, np.ndarray) and not is_object(column):
            return [values]
        if isinstance(values, pd.Categorical):
            values = np.asarray(values)
        missing = find_missing(values)
        result = np.full(len(values), np.nan)
        result[~missing] = np.asarray(values[~missing], dtype=np.float64)
        return [result]


class RealColumn(NumericColumn):
    """Numbers; truth values count as 0 and 1, and so do categories that are numbers."""

    def read(self, column: Column) -> list[np.ndarray]:
        values = column.data
        if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
            return [values]
        return super().read(column)

    def check_kind(self, column: Column) -> None:
        values = column.data
        if isinstance(values, pd.Categorical):
            values = np.asarray(values.categories)
        if pd.api.types.infer_dtype(values) != "boolean":
            super().check_kind(column._replace(data=values))


class EmptyColumn(NumericColumn):
    """Zero, whatever may come: there was no value to learn from."""

    kind = "nothing"

    def read(self, column: Column) -> list[np.ndarray]:
        return [np.where(find_missing(column.data), np.nan, 0.0)]


class DateColumn(NumericColumn):
    """Elapsed seconds, and month, weekday and hour where they vary in training.

    Attributes
    ----------
    has_zone : bool
        Whether the moments have a time zone.
    in_utc : bool
        Whether the calendar is that of UTC for all rows, as the training rows had
        several time zones; else it is that of each row's own zone.
    """

    kind = "dates"
    in_utc = False  # as in columns that were saved before there were others

    def learn(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        self.parts, self.has_zone = ("", *DATE_PARTS), None
        column = self.as_meant(column)
        self.in_utc = has_mixed_time_zones(column.data[rows.indices])
        arrays = self.read(column)
        self.has_zone = to_datetime_index(column.data).tz is not None
        vary = [varies(array[rows.indices]) for array in arrays[1:]]
        kept = [0] + [place for place, does in enumerate(vary, start=1) if does]
        self.parts = tuple(self.parts[place] for place in kept)
        return [arrays[place] for place in kept]

    def numbers(self, column: Column) -> list[np.ndarray]:
        dates = to_datetime_index(column.data)
        has_zone = dates.tz is not None
        if self.has_zone not in (None, has_zone):
            kinds = ["without a time zone", "with a time zone"]
            raise ValueError(
                f"its dates are {kinds[has_zone]}, but were {kinds[not has_zone]} in "
                "fit; use tz_localize or tz_convert."
            )
        arrays = [in_seconds(dates)]
        local = self.local(column.data, dates)
        for name in self.parts[1:]:
            array = np.asarray(DATE_PARTS[name](local), dtype=np.float64)
            arrays.append(array)
        return arrays

    def local(self, values: Values, dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """The moments on the calendar and clock that parts are read from."""
        if self.in_utc:
            return dates.tz_convert("UTC")
        return to_local_time(values, dates) if has_mixed_time_zones(values) else dates


class DurationColumn(NumericColumn):
    """Seconds that something lasts."""

    kind = "durations"

    def numbers(self, column: Column) -> list[np.ndarray]:
        return [in_seconds(pd.TimedeltaIndex(column.data))]


class TimeColumn(NumericColumn):
    """Seconds since midnight."""

    kind = "times"

    def numbers(self, column: Column) -> list[np.ndarray]:
        return [np.array([seconds_of_day(value) for value in column.data])]


def is_all_missing(column: Column) -> bool:
    """Whether no row has a value, so that the column is of any kind."""
    values = column.data
    # the last row first: it settles most columns at no cost
    return bool(find_missing(values[-1:]).all() and find_missing(values).all())


def varies(numbers: np.ndarray) -> bool:
    """Whether there are two different numbers."""
    present = numbers[~np.isnan(numbers)]
    return len(present) > 0 and bool((present != present[0]).any())


def to_datetime_index(values: Values) -> pd.DatetimeIndex:
    """Moments in their time zone if they have one, and in UTC if they have several."""
    if isinstance(values, pd.arrays.PeriodArray):
        return pd.DatetimeIndex(values.to_timestamp())
    if not has_objects(values):
        return pd.DatetimeIndex(values)
    starts = values.copy()
    for place, value in enumerate(values):
        if isinstance(value, pd.Period):
            starts[place] = value.to_timestamp()
    if not has_mixed_time_zones(starts):
        return pd.DatetimeIndex(starts)
    if None in zones(starts):
        raise ValueError(
            "some of its dates have a time zone and some have none; give these one "
            "with tz_localize."
        )
    return pd.to_datetime(starts, utc=True)


def zones(values: np.ndarray) -> list[dt.tzinfo | None]:
    """The time zone of each moment that is not missing."""
    return [getattr(value, "tzinfo", None) for value in values[~find_missing(values)]]


def has_mixed_time_zones(values: Values) -> bool:
    """Whether moments have different time zones, or only some have one."""
    if not has_objects(values):
        return False
    found = zones(values)
    if all(zone is found[0] for zone in found):
        return False
    # pandas knows which objects stand for one zone: its dtype has room for them all
    present = pd.Series(values[~find_missing(values)], dtype=object)
    return present.infer_objects().dtype == object


def to_local_time(values: np.ndarray, dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """What clocks in each row's own time zone show."""
    # as where a row comes by itself; converting all to the zone of `fit` would need a
    # zone in saved files, for which each library of zones has objects of its own
    return pd.DatetimeIndex(
        [
            date if date is pd.NaT else date.tz_convert(value.tzinfo).tz_localize(None)
            for value, date in zip(values, dates, strict=True)
        ]
    )


def in_seconds(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> np.ndarray:
    """Seconds since 1970 (UTC), or that durations last; NaN where missing."""
    # whole seconds apart: beside a moment in nanoseconds all come in these, and floats
    # would round such large numbers
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[index.unit]
    whole, ticks = np.divmod(index.asi8, per_second)
    seconds = whole + ticks / per_second
    seconds[index.isna()] = np.nan
    return seconds


def seconds_of_day(value: dt.time | None) -> float:
    """Seconds since midnight; NaN where missing."""
    if not isinstance(value, dt.time):
        return np.nan
    minutes = 60 * value.hour + value.minute
    return 60 * minutes + value.second + value.microsecond / 1e6


NUMERIC_COLUMNS: dict[str, type[NumericColumn]] = {
    "numbers": RealColumn,
    "nothing": EmptyColumn,
    "dates": DateColumn,
    "durations": DurationColumn,
    "times": TimeColumn,
}


# Columns that become categories


class Factorized(NamedTuple):
    """A column as numbers of distinct values; -1 where missing."""

    codes: np.ndarray
    distinct: np.ndarray

    def rows(self, rows: TrainingRows) -> "Factorized":
        """The rows that count."""
        return self._replace(codes=self.codes[rows.indices])


def factorize(column: Column) -> Factorized:
    """Number the distinct values of a column; some may occur in no row."""
    values = column.data
    if isinstance(values, pd.Categorical):
        found = Factorized(values.codes, to_objects(values.categories))
    else:
        try:
            codes, distinct = pd.factorize(values)
        except TypeError:  # cells without a hash; signaling NaNs count as missing
            found = Factorized(np.arange(len(values)), replace_signaling_nan(values))
            return with_keys(column, found)
        found = Factorized(codes, to_objects(distinct))
    types = set(map(type, found.distinct))
    if all(issubclass(kind, SCALARS) and not has_twin(kind) for kind in types):
        return found
    return with_keys(column, found)


def with_keys(column: Column, found: Factorized) -> Factorized:
    """Replace containers by keys, which are equal in every process if these are.

    Dates, moments and durations become those of pandas.
    """
    keys = found.distinct.copy()
    try:
        for place, value in enumerate(found.distinct):
            keys[place] = key_of(unify_time(value))
        places, distinct = pd.factorize(keys)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{column.describe()} holds objects that can't be told apart ({error}); "
            "turn them into text or numbers, or drop the column."
        ) from error
    return Factorized(np.append(places, -1)[found.codes], to_objects(distinct))


def has_twin(kind: type) -> bool:
    """Return True if pandas has a type of its own for values of a type."""
    return kind not in TIMES and any(issubclass(kind, of) for of in TIMES.values())


def unify_time(value: object) -> object:
    """Convert a date, moment or duration to that of pandas; other values stay."""
    for convert, kinds in TIMES.items():
        if isinstance(value, kinds):
            return convert(value)
    return value


def key_of(value: object) -> Hashable:
    """Return a hashable value in place of a container; other values stay."""
    if isinstance(value, tuple):
        return tuple(map(key_of, value))
    for name, (kind, describe) in CONTAINERS.items():
        if isinstance(value, kind):
            # containers of users never stay frozensets, so that no key is one of theirs
            return frozenset({(name, describe(value))})
    refuse_identity(value)
    return value


def text_of(value: object) -> str:
    """Canonical text of a value, independent of the hashes of the process."""
    for kind, describe in CONTAINERS.values():
        if isinstance(value, kind):
            return describe(value)
    refuse_identity(value)
    hash(value)  # raises for other containers, whose text may be shortened
    if isinstance(value, np.number | np.bool_ | np.str_):
        value = value.item()
    # as Python compares numbers: 1, 1.0 and True are one member of a set
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return repr(value)


def refuse_identity(value: object) -> None:
    """Raise for an object that only the process it lives in can recognize."""
    if isinstance(value, (*SCALARS, Enum, type)):
        return
    if type(value).__eq__ is object.__eq__ or " at 0x" in repr(value):
        raise TypeError(
            f"objects of type {type(value).__name__} are known by their address in "
            "memory only"
        )


SCALARS = (
    str,
    bytes,
    Number,
    np.generic,
    dt.date,
    dt.time,
    dt.timedelta,
    pd.Interval,
    pd.Period,
    type(pd.NA),
    type(None),
)
"""Types of normalize values, equal and printed alike in every process."""

TIMES: dict[type, tuple[type, ...]] = {
    pd.Timestamp: (dt.date, np.datetime64),
    pd.Timedelta: (dt.timedelta, np.timedelta64),
}
"""By type of pandas: types of objects for the same moments or durations.

A column comes as one or the other, depending on its library and dtype.
"""

CONTAINERS: dict[str, tuple[type, Callable[[Any], str]]] = {
    "list": (list, lambda items: f"[{', '.join(map(text_of, items))}]"),
    "tuple": (tuple, lambda items: f"({', '.join(map(text_of, items))})"),
    "set": (Set, lambda items: f"set({', '.join(sorted(map(text_of, items)))})"),
    "dict": (
        dict,
        lambda items: f"dict({', '.join(sorted(map(text_of, items.items())))})",
    ),
}
"""By name: a type of containers, and canonical text of what they hold."""


class SignEncoding:
    """One output for at most two categories: -1 and +1, and 0 for unknown ones."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels[-1:])
        self.signs = np.array([0.0] * 3 if len(labels) < 2 else [-1.0, 1.0, 0.0])

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write the sign of each category, to zeros."""
        out[:, 0] = self.signs[np.minimum(codes, 2)]


class OneHotEncoding:
    """One output per category, the infrequent ones sharing one.

    Parameters
    ----------
    labels : sequence of str
        Name per category.
    is_frequent : ndarray of bool
        Which of the categories get an output of their own.
    """

    def __init__(self, labels: Sequence[str], is_frequent: np.ndarray) -> None:
        n_frequent = int(is_frequent.sum())
        self.labels = list(compress(labels, is_frequent))
        # the last place is for unknown categories
        self.places = np.full(len(labels) + 1, -1)
        self.places[:-1][is_frequent] = np.arange(n_frequent)
        if n_frequent < len(labels):
            self.labels.append("infrequent")
            self.places[self.places < 0] = n_frequent

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write a one where each row's category has its place, to zeros."""
        places = self.places[codes]
        rows = np.arange(len(codes))
        if self.places[-1] < 0:
            is_known = places >= 0
            rows, places = rows[is_known], places[is_known]
        out[rows, places] = 1


CategoryEncoding = SignEncoding | OneHotEncoding | TargetMeans
"""What writes outputs of categories."""


class CategoricalBlock:
    """A column of categories, told apart by value; missing is one of them.

    Parameters
    ----------
    position : int
        Which column of the table it is.
    max_categories : int
        Most outputs, target means aside.
    min_frequency : int
        Fewest rows of a category with an output of its own.

    Attributes
    ----------
    known : pandas.Index
        The categories of the training rows, sorted if they can be.
    blocks : list
        What writes the outputs, in order.
    """

    kind = "categories"

    def __init__(self, position: int, max_categories: int, min_frequency: int) -> None:
        self.position = position
        self.max_categories = max_categories
        self.min_frequency = min_frequency

    def fit(
        self,
        column: Column,
        found: Factorized,
        rows: TrainingRows,
        target: Target | None,
    ) -> np.ndarray:
        """Learn the categories, and return the codes of all rows."""
        codes = found.codes[rows.indices].astype(np.intp) + 1
        n_rows = np.bincount(codes, minlength=len(found.distinct) + 1)
        counts = n_rows
        if rows.weight is not None:
            # weights of any size, yet one of 2 is as good as a row that comes twice
            weights = np.bincount(codes, rows.weight, len(n_rows))
            counts = np.maximum(n_rows, weights)
        seen = np.flatnonzero(n_rows[1:])
        seen = seen[sorting_order(found.distinct[seen])]
        self.known = pd.Index(found.distinct[seen], dtype=object)
        self.has_missing = bool(n_rows[0])
        self.is_object = is_object(column)
        self.families = find_value_types(self.known)
        self.blocks: list[CategoryEncoding] = [self._outputs(counts[1:][seen])]
        codes = self.codes(column, found)
        if target is not None and len(self.known) > self.max_categories:
            means = TargetMeans().fit(codes, self.n_codes, target, rows)
            means.drop_noise(codes, target, rows)
            self.blocks.append(means)
        return codes

    def __getstate__(self) -> dict[str, object]:
        state = vars(self).copy()
        del state["families"]
        # an index has parts, made in use, that not every way of saving can take
        state["known"] = self.known.to_numpy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # files of earlier versions have dates of other types
        known = to_objects(map(unify_time, state["known"]))
        self.known = pd.Index(known, dtype=object)
        self.families = find_value_types(self.known)

    @property
    def n_codes(self) -> int:
        """Number of categories, and the code of unknown ones."""
        return len(self.known) + self.has_missing

    def _outputs(self, counts: np.ndarray) -> SignEncoding | OneHotEncoding:
        labels = [str(value) for value in self.known] + ["missing"] * self.has_missing
        if len(labels) <= 2:
            return SignEncoding(labels)
        is_frequent = counts >= self.min_frequency
        room = self.max_categories - self.has_missing
        if is_frequent.sum() + (not is_frequent.all()) > room:
            by_count = np.argsort(counts, kind="stable")
            is_frequent[by_count[: len(counts) - (room - 1)]] = False
        always = np.ones(int(self.has_missing), dtype=bool)
        return OneHotEncoding(labels, np.append(is_frequent, always))

    def codes(self, column: Column, found: Factorized) -> np.ndarray:
        """The code of each row's category: its place among the known ones."""
        self._check_kind(column, found)
        table = np.full(len(found.distinct) + 1, self.n_codes)
        places = self.known.get_indexer(pd.Index(found.distinct, dtype=object))
        table[:-1][places >= 0] = places[places >= 0]
        if self.has_missing:
            table[-1] = len(self.known)
        return table[found.codes]

    def _check_kind(self, column: Column, found: Factorized) -> None:
        """Raise if no value is of a type that was there in fit."""
        if self.is_object and is_object(column):
            return  # anything may come in any row
        came = find_value_types(found.distinct)
        if came and self.families and not can_be_equal(came, self.families):
            raise ValueError(
                f"{column.describe()} holds {' and '.join(sorted(came))}, but held "
                f"{' and '.join(sorted(self.families))} in fit; convert it, or fit "
                "again."
            )

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write all outputs, to zeros."""
        for block, part in self.slices(out):
            block.write(codes, part)

    def slices(self, out: np.ndarray) -> Iterator[tuple[CategoryEncoding, np.ndarray]]:
        """What writes, and where to."""
        start = 0
        for block in self.blocks:
            stop = start + len(block.labels)
            yield block, out[:, start:stop]
            start = stop

    @property
    def labels(self) -> list[str]:
        """Name per output, to come behind the column's."""
        return [label for block in self.blocks for label in block.labels]


def sorting_order(values: np.ndarray) -> np.ndarray:
    """Places of the values in ascending order, by type and text if they have none."""
    try:
        # keys of containers would compare by inclusion
        if frozenset not in set(map(type, values)):
            return np.argsort(values, kind="stable")
    except TypeError:
        pass  # types that have no common order
    keys = [(type(value).__name__, str(value)) for value in values]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def find_value_types(values: Iterable[object]) -> set[str]:
    """Numbers, text and so on: what the values are, size and precision aside."""
    return {family_of(kind) for kind in set(map(type, values))}


def family_of(kind: type) -> str:
    """Name the family of a type for messages."""
    for name, members in FAMILIES.items():
        if issubclass(kind, members):
            return name
    return f"{kind.__name__} objects"


FAMILIES: dict[str, tuple[type, ...]] = {
    "truth values": TRUTH,
    "numbers": (Number,),
    "text": (str,),
    "containers": (frozenset,),
}
"""By name: types of values that can stand for each other."""

COMPARABLE = {"truth values", "numbers"}
"""Families whose values may be equal."""


def can_be_equal(came: set[str], known: set[str]) -> bool:
    """Return True if values of some families may equal those of others."""
    return bool(came & known) or bool(came & COMPARABLE and known & COMPARABLE)
