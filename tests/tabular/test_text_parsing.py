"""Text that stands for numbers or dates."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmlp.tabular.text_parsing import (
    _parse_dates,
    _parse_numbers,
    find_unparsable,
    has_text,
    infer_text_type,
    is_text,
    keep_unparsable,
    parse_text,
    split_text,
)


def objects(*values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


FORMS = {
    "objects": objects,
    "array": lambda *values: np.array(["" if v is None else v for v in values]),
    "string": lambda *values: pd.array(values, dtype="string"),
    "inferred": lambda *values: pd.array(list(values)),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_in_any_form(form):
    values = FORMS[form]("1", None, "-2.5", "1")
    assert is_text(values)
    assert infer_text_type(*pd.factorize(values)) == "numbers"
    assert_array_equal(_parse_numbers(values), [1, np.nan, -2.5, 1])


@pytest.mark.parametrize(
    "values",
    [
        np.ones(2),
        objects("a", 1),
        objects(None, None),
        pd.Categorical(["a"]),
        pd.array([1, None]),
        np.array([b"a"]),
        pd.array([pd.Timestamp("2024-01-01")]),
    ],
    ids=repr,
)
def test_what_is_no_text(values):
    assert not is_text(values)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["12", "3.5", "-1e3", "+.5", "0", "0.5", "7."], "numbers"),
        ([" 1 ", "", "  ", None], "numbers"),
        (["1e999"], "numbers"),
        (["01234", "98101"], None),
        (["98101", "01234"], None),
        (["1", "nan", "?", "N/A", " - ", "NULL"], "numbers"),
        (["nan", "?"], None),
        (["1", "2", "a"], "numbers"),
        (["1", "2", "01", "a"], None),
        (["2024-03-01", "2024-03-02", "soon"], "dates"),
        (["2024-03-01", "2024-03-02Z", "2024-13-01", "soon"], None),
        (["inf"], None),
        (["1_000"], None),
        (["1,5"], None),
        (["0x1f"], None),
        (["\u0661"], None),
        (["1", "a"], None),
        (["", " "], None),
        ([None], None),
        (["2024-02-29"], "dates"),
        (["2024-02-29", "2024-03-01T10:00", "2024-03-01 10:00:00.123"], "dates"),
        (["2024-03-01T10:00:00Z", "2024-03-01T10:00:00+01:00"], "dates"),
        (["2024-03-01T10:00+01", "2024-03-01T10:00-0130"], "dates"),
        (["2024-03-01", "", None], "dates"),
        (["2023-02-29"], None),
        (["2024-13-01"], None),
        (["2024-03-01", "2024-03-01T10:00Z"], None),
        (["2024-03-01", "12"], None),
        (["2024-03"], None),
        (["01/02/2024"], None),
        (["2024-03-01T10:00 or so"], None),
    ],
    ids=repr,
)
def test_the_kind_that_text_stands_for(texts, kind):
    assert infer_text_type(*pd.factorize(objects(*texts))) == kind


@pytest.mark.parametrize(
    ("texts", "kind", "n_others", "expected"),
    [
        (["a", "b"], "numbers", 3, "numbers"),
        (["a", "b"], "numbers", 2, None),
        (["a", "1"], "numbers", 1, "numbers"),
        (["a", "01"], "numbers", 3, "numbers"),
        (["", "?"], "times", 1, "times"),
        (["soon"], "durations", 2, "durations"),
        (["soon"], "categories", 2, None),
        (["1", "2"], "dates", 3, "dates"),
        (["1", "2"], "dates", 2, None),
    ],
)
def test_kind_of_text_beside_other_values_is_theirs(texts, kind, n_others, expected):
    found = pd.factorize(objects(*texts))
    assert infer_text_type(*found, kind, n_others) == expected


def test_split_text_leaves_missing_values_out():
    missing = None, pd.NA, float("nan"), Decimal("sNaN")
    texts, others = split_text(objects("a", 1, *missing, "", True))
    assert texts.tolist() == ["a", ""]
    assert others.tolist() == [1, True]


def test_odd_text_only_keeps_what_cannot_be_read():
    values = objects("a", 1, "?", "12", "", None, "012")
    assert find_unparsable(values, "numbers").tolist() == [1, 0, 0, 0, 0, 0, 1]
    expected = ["a", None, None, None, None, None, "012"]
    assert keep_unparsable(values, "numbers").tolist() == expected
    assert keep_unparsable(np.ones(2), "numbers").tolist() == [None, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (objects("a", 1), True),
        (objects("", None), True),
        (objects(1, 2.5, None), False),
        (objects(True, dt.date(2024, 1, 1)), False),
        (pd.array(["a", None], dtype="string"), True),
        (np.ones(2), False),
        (pd.Categorical(["a"]), False),
    ],
    ids=repr,
)
def test_has_text_if_some_value_is_text(values, expected):
    assert has_text(values) == expected


def test_numbers_are_read_and_others_missing():
    values = objects("12", "-1e3", "x", None, "007", "nan", " 4 ")
    expected = [12, -1000, np.nan, np.nan, np.nan, np.nan, 4]
    assert_array_equal(_parse_numbers(values), expected)


def test_dates_are_read_in_their_zone_and_others_missing():
    dates = _parse_dates(objects("2024-01-01", "x", None, " 2024-01-01T12:00 "))
    assert pd.DatetimeIndex(dates).tz is None
    assert list(pd.isna(dates)) == [False, True, True, False]
    assert dates[3] == pd.Timestamp("2024-01-01 12:00")
    (zoned,) = _parse_dates(objects("2024-01-01T12:00+01:00"))
    assert zoned == pd.Timestamp("2024-01-01 11:00", tz="UTC")
    assert zoned.hour == 12


def test_dates_of_several_zones_keep_them():
    values = objects("2024-01-01T12:00+01:00", None, "2024-01-01T12:00-03:00")
    dates = _parse_dates(values)
    assert [dates[0].hour, dates[2].hour] == [12, 12]
    assert dates[2] - dates[0] == pd.Timedelta(hours=4)
    assert dates[1] is pd.NaT


def test_no_text_is_no_date():
    assert pd.isna(_parse_dates(objects("x", None))).all()


def test_text_among_other_values_is_read():
    values = objects("1", 2, None, "x")
    read = parse_text(values, "numbers")
    assert read[:3].tolist() == [1, 2, None]
    assert np.isnan(read[3])
    assert values.tolist() == ["1", 2, None, "x"]
    numbers = np.array([1.0])
    assert parse_text(numbers, "numbers") is numbers
    categories = pd.Categorical(["2", "1"])
    assert_array_equal(parse_text(categories, "numbers"), [2, 1])
