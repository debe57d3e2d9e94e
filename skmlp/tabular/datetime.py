"""Dates, durations and times of the day, read as seconds and parts of the calendar."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd

from skmlp.tabular.column_types import has_objects
from skmlp.tabular.frame import Column, Values, find_missing
from skmlp.tabular.numeric import NumericColumn
from skmlp.tabular.target_means import TrainingRows
from skmlp.tabular.text_parsing import has_text

DATE_PARTS: dict[str, Callable[[pd.DatetimeIndex], pd.Index]] = {
    "month": lambda dates: dates.month,
    "weekday": lambda dates: dates.day_of_week,
    "hour": lambda dates: dates.hour,
}


class DateColumn(NumericColumn):
    """Seconds since 1970; month, weekday and hour where they vary in training."""

    kind = "dates"

    def fit(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        """Learn the time zone and which parts vary, and return what `read` would."""
        self.from_text = has_text(column.data)
        self.parts = ("", *DATE_PARTS)
        self.has_zone: bool | None = None
        column = self.parse(column)
        # True if training had several time zones: the calendar is then that of UTC
        self.in_utc = _has_mixed_time_zones(column.data[rows.indices])
        arrays = self.read(column)
        self.has_zone = to_datetime_index(column.data).tz is not None
        kept = [
            place
            for place, array in enumerate(arrays)
            if place == 0 or _varies(array[rows.indices])
        ]
        self.parts = tuple(self.parts[place] for place in kept)
        return [arrays[place] for place in kept]

    def to_floats(self, column: Column) -> list[np.ndarray]:
        dates = to_datetime_index(column.data)
        has_zone = dates.tz is not None
        if self.has_zone not in (None, has_zone):
            kinds = ["without a time zone", "with a time zone"]
            raise ValueError(
                f"its dates are {kinds[has_zone]}, but were {kinds[not has_zone]} in "
                "fit; use tz_localize or tz_convert."
            )
        local = self.to_local(column.data, dates)
        parts = [DATE_PARTS[name](local) for name in self.parts[1:]]
        return [_to_seconds(dates), *(np.asarray(p, dtype=np.float64) for p in parts)]

    def to_local(self, values: Values, dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Convert dates to the calendar and clock that the parts are read from."""
        if self.in_utc:
            return dates.tz_convert("UTC")
        if not _has_mixed_time_zones(values):
            return dates
        # to the zone of each row, as where it comes alone; for the zone of `fit`, saved
        # files would need a zone, for which each library of zones has its own objects
        return pd.DatetimeIndex(
            [
                date
                if date is pd.NaT
                else date.tz_convert(value.tzinfo).tz_localize(None)
                for value, date in zip(values, dates, strict=True)
            ]
        )


class DurationColumn(NumericColumn):
    """Seconds of a duration."""

    kind = "durations"

    def to_floats(self, column: Column) -> list[np.ndarray]:
        return [_to_seconds(pd.TimedeltaIndex(column.data))]


class TimeColumn(NumericColumn):
    """Seconds since midnight."""

    kind = "times"

    def to_floats(self, column: Column) -> list[np.ndarray]:
        return [np.array([_to_seconds_of_day(value) for value in column.data])]


def _varies(numbers: np.ndarray) -> bool:
    """Return True if there are two different numbers."""
    present = numbers[~np.isnan(numbers)]
    return len(present) > 0 and bool((present != present[0]).any())


def to_datetime_index(values: Values) -> pd.DatetimeIndex:
    """Convert to dates in their time zone, or in UTC if they have several."""
    if isinstance(values, pd.arrays.PeriodArray):
        return pd.DatetimeIndex(values.to_timestamp())
    if not has_objects(values):
        return pd.DatetimeIndex(values)
    starts = values.copy()
    for place, value in enumerate(values):
        if isinstance(value, pd.Period):
            starts[place] = value.to_timestamp()
    if not _has_mixed_time_zones(starts):
        return pd.DatetimeIndex(starts)
    if None in _get_time_zones(starts):
        raise ValueError(
            "some of its dates have a time zone and some have none; give these one "
            "with tz_localize."
        )
    return pd.to_datetime(starts, utc=True)


def _get_time_zones(values: np.ndarray) -> list[dt.tzinfo | None]:
    """Return the time zone of each date that is not missing."""
    return [getattr(value, "tzinfo", None) for value in values[~find_missing(values)]]


def _has_mixed_time_zones(values: Values) -> bool:
    """Return True if dates have different time zones, or only some have one."""
    if not has_objects(values):
        return False
    zones = _get_time_zones(values)
    if all(zone is zones[0] for zone in zones):
        return False
    # pandas knows which objects stand for one zone: only then does it find a dtype
    present = pd.Series(values[~find_missing(values)], dtype=object)
    return present.infer_objects().dtype == object


def _to_seconds(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> np.ndarray:
    """Return seconds since 1970 (UTC), or of durations; NaN where missing."""
    # whole seconds apart: as ticks of nanoseconds they are beyond the 53 bits of floats
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[index.unit]
    whole, ticks = np.divmod(index.asi8, per_second)
    seconds = whole + ticks / per_second
    seconds[index.isna()] = np.nan
    return seconds


def _to_seconds_of_day(value: dt.time | None) -> float:
    """Return seconds since midnight; NaN where missing."""
    if not isinstance(value, dt.time):
        return np.nan
    minutes = 60 * value.hour + value.minute
    return 60 * minutes + value.second + value.microsecond / 1e6
