"""Numeric columns: numbers from any values, or an error that names the column."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest
from columns import ALL, column, of_objects
from numpy.testing import assert_array_equal

from skmlp.tabular.numeric import RealColumn
from skmlp.tabular.target_means import TrainingRows


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
def test_read_parses_text_if_training_had_text(found, expected):
    fitted = RealColumn(0)
    fitted.fit(of_objects("1", "2"), ALL)
    assert fitted.from_text
    (numbers,) = fitted.read(found)
    assert_array_equal(numbers, expected)


def test_read_parses_text_among_numbers_only_if_all_is_parsable():
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
    fitted = RealColumn(0)
    fitted.fit(of_objects(1.5, "", 2), ALL)
    assert_array_equal(fitted.read(of_objects("x", 3)), [[np.nan, 3]])
    assert_array_equal(fitted.read(of_objects("x")), [[np.nan]])


def test_fit_ignores_text_of_rows_of_weight_zero():
    fitted = RealColumn(0)
    rows = TrainingRows.from_weight(np.array([1.0, 1.0, 0.0]))
    (numbers,) = fitted.fit(of_objects("1", "2", 3.5), rows)
    assert_array_equal(numbers, [1, 2, 3.5])
    assert fitted.from_text
    (numbers,) = RealColumn(0).fit(of_objects(1, 2, "x"), rows)
    assert_array_equal(numbers, [1, 2, np.nan])


def test_read_converts_objects_to_floats():
    values = [decimal.Decimal("1.5"), None, 2, np.float32(0.5), pd.NA]
    (numbers,) = RealColumn(0).read(of_objects(*values))
    assert_array_equal(numbers, [1.5, np.nan, 2, 0.5, np.nan])


def test_read_names_the_column_of_an_overflow():
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
def test_read_takes_numbers_of_any_dtype(came):
    assert_array_equal(RealColumn(0).read(came), [[1, 2]])


def test_read_takes_truth_values_as_numbers():
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
def test_read_refuses_another_type_than_in_fit(came, message):
    with pytest.raises(ValueError, match=message) as error:
        RealColumn(0).read(came)
    assert "column 'age'" in str(error.value)


def test_read_refuses_periods_in_place_of_numbers():
    with pytest.raises(ValueError, match=r"'age'.*holds dates, but held numbers"):
        RealColumn(0).read(column(pd.period_range("2024", periods=2, freq="D")))
