"""Dates as nodes, beside what pandas says of the same moments."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sessions import evaluate

from skmlp.onnx.calendar import PARTS, Whole, midnight, read_dates
from skmlp.onnx.graph import Graph
from skmlp.tabular.columns import DATE_PARTS
from skmlp.tabular.text_parsing import parse_dates as read_by_pandas


def whole(formula, *arrays):
    """A formula of whole numbers, computed for arrays."""
    graph = Graph()
    names = [f"x{place}" for place in range(len(arrays))]
    result = formula(*(Whole(graph, name) for name in names))
    return evaluate(graph, result.name, **dict(zip(names, arrays, strict=True)))


@pytest.mark.parametrize("other", [7, -7, 2])
def test_whole_numbers_calculate_as_in_python(other):
    values = np.arange(-20, 20)
    assert_array_equal(whole(lambda x: x + other, values), values + other)
    assert_array_equal(whole(lambda x: x - other, values), values - other)
    assert_array_equal(whole(lambda x: x * other, values), values * other)
    assert_array_equal(whole(lambda x: x % other, values), values % other)
    assert_array_equal(whole(lambda x: x // other, values), values // other)


def moments():
    rng = np.random.default_rng(0)
    far = rng.integers(-60_000_000_000, 200_000_000_000, 3000) * 1_000_000
    days = pd.date_range("1899-12-25", "2101-01-05", freq="D").as_unit("us").asi8
    return np.concatenate([far, days, days - 1, [0, -1]])


@pytest.mark.parametrize("part", DATE_PARTS)
def test_parts_of_dates(part):
    ticks = moments()
    dates = pd.DatetimeIndex(ticks.astype("datetime64[us]"))
    assert_array_equal(whole(PARTS[part], ticks), DATE_PARTS[part](dates))


def test_every_part_has_a_formula():
    assert list(PARTS) == list(DATE_PARTS)


def test_midnights():
    dates = pd.DatetimeIndex(moments().astype("datetime64[us]"))
    parts = [dates.year, dates.month, dates.day]
    result = whole(midnight, *(np.asarray(part, dtype=np.int64) for part in parts))
    assert_array_equal(result, dates.normalize().asi8)


TEXTS = [
    "2024-02-29",
    " 2024-02-29\n",
    "2023-02-29",
    "2024-02-30",
    "1900-02-29",
    "2000-02-29",
    "2024-13-01",
    "2024-00-01",
    "2024-01-00",
    "2024-01-32",
    "1680-03-01",
    "2260-12-31",
    "2024-02-29T10:20",
    "2024-02-29 10:20:30",
    "2024-02-29T10:20:30.5",
    "2024-02-29T10:20:30.123456",
    "2024-02-29T24:00",
    "2024-02-29T10:60",
    "2024-02-29T10:20:60",
    "2024-2-9",
    "20240229",
    "2024-02-29T",
    "2024-02-29T10",
    "29.02.2024",
    "today",
    "",
    "  ",
]
ZONES = ["Z", "+02", "-02", "+0530", "-0030", "+05:30", "-11:15", "+14:00"]
STEMS = ["2024-02-29T10:20", "2024-12-31 23:59:59", "2020-01-01T00:00:00.25"]


def in_graph(texts):
    """Microseconds in UTC, seconds ahead of it, and what is real, by the graph."""
    found = []
    for place in range(3):
        graph = Graph()
        dates = read_dates(graph, "x")
        name = [dates.moments.name, dates.offsets.name, dates.are_real][place]
        x = np.array(texts, object).reshape(-1, 1)
        found.append(evaluate(graph, name, x=x)[:, 0])
    return found


def test_dates_in_text():
    ticks, offsets, are_real = in_graph(TEXTS)
    wanted = pd.DatetimeIndex(read_by_pandas(np.array(TEXTS, object))).as_unit("us")
    assert_array_equal(are_real, ~wanted.isna())
    assert_array_equal(ticks[are_real], wanted.asi8[are_real])
    assert (offsets == 0).all()
    assert 8 < are_real.sum() < len(TEXTS)


def test_dates_in_text_with_a_zone():
    texts = [stem + zone for stem in STEMS for zone in ZONES]
    ticks, offsets, are_real = in_graph(texts)
    wanted = [pd.Timestamp(text) for text in texts]
    assert are_real.all()
    assert_array_equal(ticks, [date.as_unit("us").value // 1000 for date in wanted])
    assert_array_equal(offsets, [date.utcoffset().total_seconds() for date in wanted])
    assert len(set(offsets)) == len(ZONES) - 1  # one is written in two ways
