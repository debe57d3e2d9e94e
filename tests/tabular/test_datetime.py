"""Dates: seconds, parts of the calendar, time zones."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from columns import ALL, column, of_objects
from numpy.testing import assert_array_equal

from skmlp.tabular.datetime import DateColumn
from skmlp.tabular.target_means import TrainingRows


def at(hours):
    """A fixed offset, as a new object."""
    return dt.timezone(dt.timedelta(hours=hours))


def test_read_parses_dates_in_text():
    dates = DateColumn(0)
    dates.fit(of_objects("2024-01-31", "2024-02-01"), ALL)
    assert dates.parts == ("", "month", "weekday")
    for found in (
        of_objects("2024-03-01", "soon", None),
        of_objects(dt.date(2024, 3, 1), "soon", None),
        column(["2024-03-01", None, None], "datetime64[s]"),
    ):
        seconds, month, _ = dates.read(found)
        assert_array_equal(seconds, [1709251200, np.nan, np.nan])
        assert_array_equal(month, [3, np.nan, np.nan])
    with pytest.raises(ValueError, match=r"'age'.*with a time zone, but were without"):
        dates.read(of_objects("2024-03-01T00:00Z"))


def test_fit_keeps_only_parts_that_vary():
    dates = DateColumn(0)
    found = column(pd.to_datetime(["2024-01-01 05:00", None, "2024-02-05 05:30"]))
    elapsed, month = dates.fit(found, ALL)
    assert dates.parts == ("", "month")
    assert_array_equal(month, [1, np.nan, 2])
    assert elapsed[2] - elapsed[0] == (35 * 24 + 0.5) * 3600
    assert_array_equal(dates.read(found), [elapsed, month])


def test_parts_are_in_local_time_and_seconds_in_utc():
    utc = pd.to_datetime(["2024-01-31 23:30", "2024-07-30 12:00"]).tz_localize("UTC")
    dates, local = DateColumn(0), DateColumn(0)
    elapsed, month, _, hour = dates.fit(column(utc), ALL)
    berlin = utc.tz_convert("Europe/Berlin")
    elapsed_there, month_there, _, hour_there = local.fit(column(berlin), ALL)
    assert_array_equal(elapsed_there, elapsed)
    assert_array_equal(month, [1, 7])
    assert_array_equal(month_there, [2, 7])
    assert_array_equal(hour, [23, 12])
    assert_array_equal(hour_there, [0, 14])
    with pytest.raises(ValueError, match=r"'age'.*without a time zone, but were with"):
        dates.read(column(utc.tz_localize(None)))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_fit_gives_the_same_seconds_for_each_unit(unit):
    found = pd.to_datetime(["2024-01-01 05:00", "2024-02-05 05:30"])
    (elapsed, *_) = DateColumn(0).fit(column(found.as_unit(unit)), ALL)
    assert_array_equal(elapsed, [1704085200, 1707111000])


def test_a_finer_unit_does_not_round_seconds():
    found = pd.to_datetime(["2024-03-31 01:30:00.385989"])
    for unit in ("us", "ns"):
        (elapsed, *_) = DateColumn(0).fit(column(found.as_unit(unit)), ALL)
        assert_array_equal(elapsed, [1711848600.385989])


BERLIN = ZoneInfo("Europe/Berlin")


MISSING = (None, pd.NaT, float("nan"), pd.NA)


OF_SEVERAL_OFFSETS = of_objects(
    # the clock in Berlin shows 2:30 twice
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=at(2)),
    *MISSING,
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=at(1)),
    dt.datetime(2024, 3, 31, 3, 30, 0, 385989, tzinfo=at(2)),
    pd.Timestamp("2024-03-31 00:30:00.000000007", tz="Asia/Tokyo"),
)


IN_BERLIN = of_objects(
    dt.datetime(2024, 1, 31, 23, 30, tzinfo=BERLIN),
    *MISSING,
    dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN),  # an hour that was skipped
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
)


def test_fit_of_several_time_zones_uses_utc():
    dates, in_utc = DateColumn(0), DateColumn(0)
    arrays = dates.fit(OF_SEVERAL_OFFSETS, ALL)
    moments = pd.to_datetime(OF_SEVERAL_OFFSETS.data, utc=True)
    assert_array_equal(arrays, in_utc.fit(column(moments), ALL))
    assert dates.parts == ("", "month", "weekday", "hour")
    assert_array_equal(arrays[3], [0, *[np.nan] * 4, 1, 1, 15])
    assert arrays[0][5] - arrays[0][0] == 3600
    for zone in ("UTC", "Europe/Berlin"):
        assert_array_equal(dates.read(column(moments.tz_convert(zone))), arrays)


@pytest.mark.parametrize(
    ("found", "in_utc"),
    [
        (OF_SEVERAL_OFFSETS, True),
        (IN_BERLIN, False),
        (of_objects(*[pd.Timestamp(0, tz=at(1)) for _ in range(2)]), False),
        (of_objects(*[dt.datetime(2024, 1, 1, tzinfo=at(h)) for h in (1, 1)]), False),
        (of_objects(*[dt.datetime(2024, 1, 1, tzinfo=at(h)) for h in (1, 2)]), True),
        (of_objects(dt.datetime(2024, 1, 1), dt.date(2024, 1, 1)), False),
        (column(IN_BERLIN.data, "datetime64[us, Europe/Berlin]"), False),
        (column(pd.period_range("2024", periods=2, freq="D")), False),
    ],
)
def test_fit_of_one_time_zone_keeps_it(found, in_utc):
    dates = DateColumn(0)
    dates.fit(found, ALL)
    assert dates.in_utc == in_utc


def test_fit_ignores_time_zones_of_rows_of_weight_zero():
    dates = DateColumn(0)
    rows = TrainingRows.from_weight(
        np.array([1.0] + [0.0] * (len(OF_SEVERAL_OFFSETS.data) - 1))
    )
    dates.fit(OF_SEVERAL_OFFSETS, rows)
    assert not dates.in_utc


@pytest.mark.parametrize(
    "fitted",
    [
        OF_SEVERAL_OFFSETS,
        IN_BERLIN,
        of_objects(dt.datetime(2024, 1, 1, tzinfo=at(5)), None),
        column(IN_BERLIN.data, "datetime64[us, Europe/Berlin]"),
    ],
    ids=["several offsets", "one zone", "one offset", "dtype"],
)
def test_read_is_independent_of_other_rows(fitted):
    dates = DateColumn(0)
    dates.fit(fitted, ALL)
    dates.parts = ("", "month", "weekday", "hour")
    came = of_objects(*IN_BERLIN.data, *OF_SEVERAL_OFFSETS.data)
    together = np.array(dates.read(came))
    for row in range(len(came.data)):
        alone = dates.read(came._replace(data=came.data[[row]]))
        assert_array_equal(np.ravel(alone), together[:, row])
    tokyo_and_berlin = together[3, [-1, 0]]
    assert_array_equal(tokyo_and_berlin, [15, 22] if dates.in_utc else [0, 23])


def test_dates_with_and_without_a_time_zone_are_refused():
    some = of_objects(dt.datetime(2024, 1, 1, tzinfo=at(1)), dt.datetime(2024, 1, 1))
    with_date = of_objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=at(1)))
    fitted = DateColumn(0)
    fitted.fit(OF_SEVERAL_OFFSETS, ALL)
    message = "column 'age'.* some have none; give these one with tz_localize"
    for found in (some, with_date):
        with pytest.raises(ValueError, match=message):
            DateColumn(0).fit(found, ALL)
        with pytest.raises(ValueError, match=message):
            fitted.read(found)
    with pytest.raises(ValueError, match="without a time zone, but were with"):
        fitted.read(of_objects(some.data[1]))


@pytest.mark.parametrize(
    "periods",
    [
        column([pd.Period("2024-01-08"), pd.NaT, pd.Period("2024-02-01")]),
        of_objects(pd.Period("2024-01-08"), None, pd.Period("2024-02-01")),
        of_objects(pd.Period("2024-01-08", "W"), pd.NA, pd.Period("2024-02")),
        of_objects(pd.Period("2024-01-08", "h"), pd.NaT, dt.date(2024, 2, 1)),
    ],
    ids=["dtype", "objects", "of several lengths", "and dates"],
)
def test_periods_are_dates_that_they_start_on(periods):
    starts = column(pd.to_datetime(["2024-01-08", None, "2024-02-01"]))
    of_periods, of_starts = DateColumn(0), DateColumn(0)
    expected = of_starts.fit(starts, ALL)
    assert_array_equal(of_periods.fit(periods, ALL), expected)
    assert of_periods.parts == of_starts.parts == ("", "month", "weekday")
    for dates in (of_periods, of_starts):
        for found in (periods, starts):
            assert_array_equal(dates.read(found), expected)
            one = found._replace(data=found.data[:1])
            assert_array_equal(np.ravel(dates.read(one)), np.array(expected)[:, 0])
    with pytest.raises(ValueError, match="with a time zone, but were without"):
        of_periods.read(IN_BERLIN)


def test_read_refuses_truth_values_in_place_of_dates():
    with pytest.raises(ValueError, match="holds truth values, but held dates"):
        DateColumn(0).read(column([True, False]))
