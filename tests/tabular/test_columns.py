"""Kinds of columns, each by itself."""

import copy
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import uuid
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.preprocessing import OneHotEncoder

from skmlp.tabular.columns import (
    CategoricalBlock,
    DateColumn,
    RealColumn,
    factorize,
    infer_column_type,
)
from skmlp.tabular.frame import Column, read_pandas_series
from skmlp.tabular.target_means import TrainingRows

ALL = TrainingRows.from_weight(None)


def column(values, dtype=None, name="age"):
    return Column(0, name, read_pandas_series(pd.Series(values, dtype=dtype)))


def of_objects(*values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return Column(0, "age", cells)


class Side(enum.Enum):
    LEFT = 1


def at(hours):
    """A fixed offset, as a new object."""
    return dt.timezone(dt.timedelta(hours=hours))


def fit(found, rows=ALL, target=None, max_categories=40, min_frequency=1):
    fitted = CategoricalBlock(0, max_categories, min_frequency)
    codes = fitted.fit(found, factorize(found), rows, target)
    return fitted, codes


def outputs(fitted, found):
    out = np.zeros((len(found.data), len(fitted.labels)))
    fitted.write(fitted.codes(found, factorize(found)), out)
    return out


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (column([1, 2]), "numbers"),
        (column([1, None], "Int8"), "numbers"),
        (column([1, None], "Float32"), "numbers"),
        (column([1.0, 0.0], pd.SparseDtype(float)), "numbers"),
        (column([True, False]), "categories"),
        (column([True, None], "boolean"), "categories"),
        (column([1, 2], "category"), "categories"),
        (column(["a", "b"], "string"), "categories"),
        (column(["a", "b"], object), "categories"),
        (of_objects(1, 2.5, None, np.float32(2)), "numbers"),
        (of_objects(decimal.Decimal(1), 2.5, fractions.Fraction(1, 3)), "numbers"),
        (of_objects(1, "1"), "categories"),
        (of_objects(1, True), "categories"),
        (of_objects(1, 2.5, True), "numbers"),
        (of_objects(1, np.True_, 2), "numbers"),
        (of_objects(1.5, ""), "categories"),
        (of_objects(True, None), "categories"),
        (of_objects(dt.date(2024, 1, 1), None), "dates"),
        (of_objects(dt.datetime(2024, 1, 1)), "dates"),
        (of_objects(dt.timedelta(1)), "durations"),
        (of_objects(dt.time(1)), "times"),
        (of_objects(None, float("nan")), "nothing"),
        (column([None, None], "string"), "nothing"),
        (column(["2024-01-01"], "datetime64[ns]"), "dates"),
        (column(["2024-01-01"], "datetime64[ns, UTC]"), "dates"),
        (column(pd.period_range("2024", periods=2, freq="D")), "dates"),
        (of_objects(pd.Period("2024-01"), None), "dates"),
        (of_objects(pd.Period("2024-01"), pd.Period("2024-01-02"), pd.NA), "dates"),
        (of_objects(pd.Period("2024-01"), dt.datetime(2024, 1, 1)), "dates"),
        (column(pd.interval_range(0, 2)), "categories"),
    ],
    ids=repr,
)
def test_the_kind_of_a_column(found, kind):
    assert infer_column_type(found) == kind


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (column([1j, 2]), "dtype complex128"),
        (of_objects(1j, 2), "Complex data not supported"),
    ],
    ids=["complex", "complex objects"],
)
def test_what_cannot_be_encoded_is_named(found, message):
    with pytest.raises((TypeError, ValueError), match=message) as error:
        infer_column_type(found)
    assert str(error.value).startswith("column 'age'")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (column(["1", "-2.5"]), "numbers"),
        (column(["2024-01-01", None], object), "dates"),
        (column(["a", "1"]), "categories"),
        (column(["1", "2"], "category"), "categories"),
        (of_objects("1", 2), "numbers"),
        (of_objects("a", 2), "categories"),
        (of_objects("a", 2, 3.5, ""), "numbers"),
        (of_objects("a", True, False), "categories"),
        (of_objects(1, True, 2.5, "?"), "numbers"),
        (of_objects(pd.Timestamp("2024-01-01"), "2024-01-02", ""), "dates"),
        (of_objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 2), "?"), "dates"),
        (of_objects(dt.timedelta(1), ""), "durations"),
        (of_objects(dt.time(1), "n/a"), "times"),
        (of_objects(1, dt.time(1), ""), "categories"),
        (column([True, False]), "categories"),
        (column([None, None], "string"), "nothing"),
        (column([1, 2]), "numbers"),
    ],
    ids=repr,
)
def test_the_kind_that_text_stands_for(found, kind):
    assert infer_column_type(found, read_text=True) == kind


def fitted(cls, *texts):
    """A reader that was fitted on text."""
    reader = cls(0)
    reader.fit(of_objects(*texts), ALL)
    assert reader.from_text
    return reader


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (of_objects("3", "x", None, ""), [3, np.nan, np.nan, np.nan]),
        (of_objects("3", 4, 2.5), [3, 4, 2.5]),
        (column([3, 4]), [3, 4]),
        (column(["3", "4"], "category"), [3, 4]),
        (column(["3", None], pd.StringDtype("pyarrow")), [3, np.nan]),
        (column(["x"]), [np.nan]),
        (column([None, None], object), [np.nan, np.nan]),
    ],
    ids=repr,
)
def test_numbers_from_text_and_others(found, expected):
    (numbers,) = fitted(RealColumn, "1", "2").read(found)
    assert_array_equal(numbers, expected)


def test_dates_from_text_and_others():
    reader = fitted(DateColumn, "2024-01-31", "2024-02-01")
    assert reader.parts == ("", "month", "weekday")
    for found in (
        of_objects("2024-03-01", "soon", None),
        of_objects(dt.date(2024, 3, 1), "soon", None),
        column(["2024-03-01", None, None], "datetime64[s]"),
    ):
        seconds, month, _ = reader.read(found)
        assert_array_equal(seconds, [1709251200, np.nan, np.nan])
        assert_array_equal(month, [3, np.nan, np.nan])
    with pytest.raises(ValueError, match=r"'age'.*with a time zone, but were without"):
        reader.read(of_objects("2024-03-01T00:00Z"))


def test_text_is_read_where_numbers_or_dates_were_if_all_of_it_is_such():
    (numbers,) = RealColumn(0).read(column(["1", None, " 2 "]))
    assert_array_equal(numbers, [1, np.nan, 2])
    with pytest.raises(ValueError, match="holds categories, but held numbers"):
        RealColumn(0).read(column(["1", "x"]))


def test_read_takes_blank_text_and_marks_for_missing_everywhere():
    found = of_objects("", 1.5, "?", "12", " NA ")
    assert_array_equal(RealColumn(0).read(found), [[np.nan, 1.5, np.nan, 12, np.nan]])
    assert_array_equal(RealColumn(0).read(of_objects("-")), [[np.nan]])
    with pytest.raises(ValueError, match="holds categories, but held numbers"):
        RealColumn(0).read(of_objects(1.5, "x"))


def test_read_counts_other_text_as_missing_where_training_had_text():
    reader = RealColumn(0)
    reader.fit(of_objects(1.5, "", 2), ALL)
    assert_array_equal(reader.read(of_objects("x", 3)), [[np.nan, 3]])
    assert_array_equal(reader.read(of_objects("x")), [[np.nan]])


def test_rows_that_do_not_count_say_nothing_of_text():
    reader = RealColumn(0)
    rows = TrainingRows.from_weight(np.array([1.0, 1.0, 0.0]))
    (numbers,) = reader.fit(of_objects("1", "2", 3.5), rows)
    assert_array_equal(numbers, [1, 2, 3.5])
    assert reader.from_text
    (numbers,) = RealColumn(0).fit(of_objects(1, 2, "x"), rows)
    assert_array_equal(numbers, [1, 2, np.nan])


def test_objects_become_numbers():
    values = [decimal.Decimal("1.5"), None, 2, np.float32(0.5), pd.NA]
    (numbers,) = RealColumn(0).read(of_objects(*values))
    assert_array_equal(numbers, [1.5, np.nan, 2, 0.5, np.nan])


def test_a_number_beyond_all_floats_is_named():
    with pytest.raises(OverflowError, match="column 'age'"):
        RealColumn(0).read(of_objects(10**400, 1))


@pytest.mark.parametrize(
    "came",
    [
        column([1.0, 2.0]),
        column([1, 2], "Int64"),
        column([1, 2], "category"),
        column([1, 2], object),
        column([1, 2], np.uint8),
    ],
    ids=repr,
)
def test_numbers_of_any_type_are_numbers(came):
    assert_array_equal(RealColumn(0).read(came), [[1, 2]])


def test_truth_values_are_numbers_where_numbers_were():
    for dtype in ["boolean", "bool", "category", object]:
        assert_array_equal(RealColumn(0).read(column([True, False], dtype)), [[1, 0]])


@pytest.mark.parametrize(
    ("came", "message"),
    [
        (column(["1", "two"]), "holds categories, but held numbers"),
        (column(["2024-01-01"]), "holds categories, but held numbers"),
        (column(["1", "2"], "category"), "holds categories, but held numbers"),
        (column(["2024-01-01"], "datetime64[s]"), "holds dates, but held numbers"),
        (of_objects(dt.timedelta(1)), "holds durations, but held numbers"),
    ],
    ids=["text", "text of dates", "categories", "dates", "durations"],
)
def test_another_kind_than_in_fit_is_named(came, message):
    with pytest.raises(ValueError, match=message) as error:
        RealColumn(0).read(came)
    assert "column 'age'" in str(error.value)


# Dates


def test_dates_show_what_varies():
    dates = DateColumn(0)
    found = column(pd.to_datetime(["2024-01-01 05:00", None, "2024-02-05 05:30"]))
    elapsed, month = dates.fit(found, ALL)
    assert dates.parts == ("", "month")
    assert_array_equal(month, [1, np.nan, 2])
    assert elapsed[2] - elapsed[0] == (35 * 24 + 0.5) * 3600
    assert_array_equal(dates.read(found), [elapsed, month])


def test_parts_are_of_local_time_and_elapsed_is_not():
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
def test_the_unit_of_dates_does_not_matter(unit):
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


def test_dates_of_several_offsets_are_read_in_utc():
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
def test_dates_of_one_zone_stay_in_it(found, in_utc):
    dates = DateColumn(0)
    dates.fit(found, ALL)
    assert dates.in_utc == in_utc


def test_rows_of_weight_zero_have_no_offset():
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
def test_a_date_is_read_by_itself_as_among_others(fitted):
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


def test_dates_with_and_without_a_time_zone_are_named():
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


def test_a_period_where_numbers_were_is_named():
    with pytest.raises(ValueError, match=r"'age'.*holds dates, but held numbers"):
        RealColumn(0).read(column(pd.period_range("2024", periods=2, freq="D")))


# Categories


def test_intervals_are_categories():
    cells = [pd.Interval(1, 2), None, pd.Interval(0, 1), pd.Interval(1, 2)]
    forms = [
        Column(0, "age", pd.arrays.IntervalArray(cells)),
        of_objects(*cells),
        column(cells, "category"),
    ]
    came = [pd.Interval(0, 1), pd.Interval(0, 1, closed="left"), pd.Interval(5, 6)]
    for found in forms:
        fitted, _ = fit(found)
        assert fitted.labels[-1] == "missing"
        assert fitted.known.tolist() == [cells[2], cells[0]]
        for other in forms:
            assert_array_equal(outputs(fitted, other).argmax(axis=1), [1, 2, 0, 1])
        for value, n_ones in zip(came, [1, 0, 0], strict=True):
            unseen = Column(0, "age", pd.arrays.IntervalArray([value]))
            assert outputs(fitted, unseen).sum() == n_ones


def test_two_values_are_one_output():
    fitted, _ = fit(column(["no", "yes", "no"]))
    assert fitted.labels == ["yes"]
    assert_array_equal(
        outputs(fitted, column(["no", "yes", "?", None]))[:, 0], [-1, 1, 0, 0]
    )


def test_one_value_and_missing_are_two():
    fitted, _ = fit(column(["no", None, "no"]))
    assert fitted.labels == ["missing"]
    assert_array_equal(outputs(fitted, column(["no", None, "?"]))[:, 0], [-1, 1, 0])


def test_one_value_tells_nothing():
    fitted, _ = fit(column(["no", "no"]))
    assert_array_equal(outputs(fitted, column(["no", "?"])), [[0], [0]])


def test_three_values_are_one_output_each():
    fitted, _ = fit(column(["c", "a", None, "a"], "category"))
    assert fitted.labels == ["a", "c", "missing"]
    out = outputs(fitted, column(["a", "c", None, "b"], "category"))
    assert_array_equal(out, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize("max_categories", [2, 3, 5, 7, 20])
@pytest.mark.parametrize("min_frequency", [1, 2, 4])
def test_one_hot_is_what_scikit_learn_gives(max_categories, min_frequency):
    rng = np.random.default_rng(0)
    found = column([f"v{code}" for code in rng.zipf(1.5, 60).clip(max=15)])
    came = column([f"v{code}" for code in range(18)])
    fitted, _ = fit(found, max_categories=max_categories, min_frequency=min_frequency)
    theirs = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=max_categories,
        min_frequency=min_frequency,
        sparse_output=False,
    ).fit(np.asarray(found.data, dtype=object)[:, None])
    expected = theirs.transform(np.asarray(came.data, dtype=object)[:, None])
    assert_array_equal(outputs(fitted, came), expected)


def test_a_category_of_weight_two_is_not_infrequent():
    found = column(list("aabcd"))
    for weight in [[1, 1, 2, 1, 1], [0.1, 0.1, 2, 0.1, 0.1]]:
        fitted, _ = fit(
            found, TrainingRows.from_weight(np.array(weight)), min_frequency=2
        )
        assert fitted.labels == ["a", "b", "infrequent"]
    fitted, _ = fit(found, TrainingRows.from_weight(np.array([1.0, 1, 0, 0, 1])))
    assert fitted.known.tolist() == ["a", "d"]


def test_values_that_look_alike_stay_apart():
    fitted, _ = fit(of_objects(1, "1", 1.5, ("1",), None))
    assert len(fitted.labels) == 5
    out = outputs(fitted, of_objects("1", 1, None, 1.5, ("1",)))
    assert_array_equal(np.sort(out.argmax(axis=1)), range(5))


def test_lists_are_told_apart_by_their_text():
    fitted, _ = fit(of_objects([1], {"a": 1}, [1], [2]))
    out = outputs(fitted, of_objects([2], [1], {"a": 1}, [3], "[1]"))
    assert len(fitted.known) == 3
    assert_array_equal(out.sum(axis=1), [1, 1, 1, 0, 0])


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        ({"a", "b", 3}, {3, "b", "a"}),
        (frozenset({1, "a"}), frozenset({True, "a"})),
        ({1.0, None}, frozenset({1, None})),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": True}),
        ([{"a", "b"}, {"x": {1, 2}}], [{"b", "a"}, {"x": {2, 1}}]),
        (({"a", "b"}, 1), ({"b", "a"}, 1.0)),
        (frozenset({float("nan")}), frozenset({float("nan")})),
        (set(), frozenset()),
    ],
)
def test_factorize_equal_containers_share_a_category(cell, other):
    found = factorize(of_objects(cell, "a", other, None, [], (), {}, {"a"}))
    assert found.codes.tolist() == [0, 1, 0, -1, 2, 3, 4, 5]
    categories = column(pd.Categorical(of_objects("a").data))
    assert factorize(categories).distinct.tolist() == ["a"]


def test_factorize_tuples_stay_tuples():
    found = factorize(of_objects((1, "a"), (1.0, "a"), ("b",)))
    assert found.codes.tolist() == [0, 0, 1]
    assert found.distinct.tolist() == [(1, "a"), ("b",)]


def test_containers_are_sorted_by_what_they_hold():
    orders = [
        fit(of_objects(*cells))[0].known.tolist()
        for cells in ([{"b"}, {"a"}, ["c"]], [["c"], {"a"}, {"b"}])
    ]
    assert orders[0] == orders[1]


class Unequal:
    def __repr__(self):
        return "Unequal"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.ones(2), "unhashable"),
        ([np.ones(2)], "unhashable"),
        (object(), "address in memory"),
        ([object()], "address in memory"),
        ((1, object()), "address in memory"),
        ({"key": lambda: 0}, "address in memory"),
        (Unequal(), "address in memory"),
    ],
)
def test_factorize_objects_without_identity_are_refused(cell, message):
    with pytest.raises(TypeError, match=rf"column 'age'.*{message}"):
        factorize(of_objects(cell, "a"))


def test_factorize_members_of_enums_and_types_are_categories():
    cells = [Side.LEFT, int, Side.LEFT, uuid.UUID(int=3), pathlib.PurePath("a")]
    assert factorize(of_objects(*cells)).codes.tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("fitted", "came", "message"),
    [
        (["a", "b"], [1, 2], "holds numbers, but held text"),
        ([1, 2], ["a", "b"], "holds text, but held numbers"),
        ([True, False], ["a", "b"], "holds text, but held truth values"),
        (["a", "b"], [True, False], "holds truth values, but held text"),
    ],
)
def test_categories_of_another_type_are_named(fitted, came, message):
    fitted, _ = fit(column(fitted, "category"))
    with pytest.raises(ValueError, match=message) as error:
        outputs(fitted, column(came, "category"))
    assert "column 'age'" in str(error.value)


def test_truth_values_may_come_as_zero_and_one():
    fitted, _ = fit(column([False, True]))
    assert_array_equal(outputs(fitted, column([1, 0])), [[1], [-1]])
    fitted, _ = fit(column([0, 1]))
    assert_array_equal(outputs(fitted, column([True, False])), [[1], [-1]])


TIMES_BY_FAMILY = {
    "moments": pd.to_datetime(["2024-01-01", "2024-02-03", "2024-02-04"]),
    "durations": pd.to_timedelta([1, 2, 3], unit="h"),
}
TIME_FORMS = {
    "seconds": lambda index: column(index.as_unit("s")),
    "nanoseconds": lambda index: column(index.as_unit("ns")),
    "categories": lambda index: column(index, "category"),
    "pandas objects": lambda index: of_objects(*index),
    "Python objects": lambda index: of_objects(
        *index.as_unit("us").to_numpy().tolist()
    ),
    "NumPy objects": lambda index: of_objects(*index.as_unit("s").to_numpy()),
}


@pytest.mark.parametrize("came", TIME_FORMS)
@pytest.mark.parametrize("fitted", TIME_FORMS)
@pytest.mark.parametrize("family", TIMES_BY_FAMILY)
def test_categories_of_equal_times_are_the_same_in_every_form(family, fitted, came):
    index = TIMES_BY_FAMILY[family]
    fitted, _ = fit(TIME_FORMS[fitted](index))
    assert_array_equal(outputs(fitted, TIME_FORMS[came](index[::-1])), np.eye(3)[::-1])


def test_categories_of_days_as_dates_equal_moments_at_midnight():
    days = [dt.date(2024, 1, day) for day in (1, 2, 3)]
    fitted, _ = fit(of_objects(*days))
    assert_array_equal(outputs(fitted, column(days, "datetime64[s]")), np.eye(3))
    # as in models that earlier versions have fitted
    fitted.__setstate__(fitted.__getstate__() | {"known": np.array(days, dtype=object)})
    assert_array_equal(outputs(fitted, of_objects(*days)), np.eye(3))


def test_categories_of_moments_of_both_types_in_one_column_are_merged():
    cells = [dt.datetime(2024, 1, 1), pd.Timestamp("2024-01-01"), pd.NaT]
    cells.append(np.datetime64("2024-01-01"))
    assert factorize(of_objects(*cells)).codes.tolist() == [0, 0, -1, 0]


def test_categories_of_tuples_are_the_same_in_a_copy():
    fitted, _ = fit(of_objects((1, "a"), (2, "b"), (3, "c")))
    copied = outputs(copy.deepcopy(fitted), of_objects((2, "b"), (1, "a")))
    assert_array_equal(copied, [[0, 1, 0], [1, 0, 0]])


def test_factorize_duration_out_of_range_is_refused():
    with pytest.raises(TypeError, match=r"column 'age'.*turn them into text"):
        factorize(of_objects(dt.timedelta.max))


def test_truth_values_in_place_of_dates_are_named():
    with pytest.raises(ValueError, match="holds truth values, but held dates"):
        DateColumn(0).read(column([True, False]))


@pytest.mark.parametrize("dtype", ["int32", "float64", "Int64", "category", object])
def test_categories_are_values_whatever_their_dtype(dtype):
    fitted, _ = fit(column([3, 1, 2]))
    assert_array_equal(
        outputs(fitted, column([2, 1, 3], dtype)), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    )
