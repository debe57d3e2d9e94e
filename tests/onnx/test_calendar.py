"""Calendar arithmetic of nodes against pandas."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sessions import evaluate

from skmlp.onnx.calendar import DATE_PART_NODES, Integers
from skmlp.onnx.graph import Graph
from skmlp.tabular.datetime import DATE_PARTS


def compute(formula, *arrays):
    """Evaluate a formula of int64 nodes for arrays."""
    graph = Graph()
    names = [f"x{place}" for place in range(len(arrays))]
    result = formula(*(Integers(graph, name) for name in names))
    return evaluate(graph, result.name, **dict(zip(names, arrays, strict=True)))


@pytest.mark.parametrize("other", [7, -7, 2])
def test_integers_calculate_as_in_python(other):
    values = np.arange(-20, 20)
    assert_array_equal(compute(lambda x: x + other, values), values + other)
    assert_array_equal(compute(lambda x: x - other, values), values - other)
    assert_array_equal(compute(lambda x: x * other, values), values * other)
    assert_array_equal(compute(lambda x: x % other, values), values % other)
    assert_array_equal(compute(lambda x: x // other, values), values // other)


def moments():
    rng = np.random.default_rng(0)
    far = rng.integers(-60_000_000_000, 200_000_000_000, 3000) * 1_000_000
    days = pd.date_range("1899-12-25", "2101-01-05", freq="D").as_unit("us").asi8
    return np.concatenate([far, days, days - 1, [0, -1]])


@pytest.mark.parametrize("part", DATE_PARTS)
def test_date_parts_agree_with_pandas(part):
    ticks = moments()
    dates = pd.DatetimeIndex(ticks.astype("datetime64[us]"))
    assert_array_equal(compute(DATE_PART_NODES[part], ticks), DATE_PARTS[part](dates))


def test_date_parts_are_those_of_the_encoder():
    assert list(DATE_PART_NODES) == list(DATE_PARTS)
