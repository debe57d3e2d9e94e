"""Rows of tables as graphs take them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from onnx import helper
from sessions import largest_difference

from skmlp import MLPSoftmaxClassifier
from skmlp.exporting.calendar import MISSING
from skmlp.onnx import to_inputs, to_onnx

TABLE = pd.DataFrame(
    {
        "number": [1.5, None] * 10,
        "code": pd.Categorical([1, 2] * 10),
        "word": ["a", None] * 10,
        "day": pd.to_datetime(["1970-01-02 12:00", None] * 10).tz_localize(
            "Asia/Tokyo"
        ),
        "lasting": pd.to_timedelta([1.5, None] * 10, unit="s"),
    }
)
LABELS = [0, 1] * 10


@pytest.fixture(scope="module")
def graph():
    return to_onnx(MLPSoftmaxClassifier((), max_iter=2).fit(TABLE, LABELS))


def test_values(graph):
    feeds = to_inputs(graph, TABLE[:2])
    assert list(feeds) == [entry.name for entry in graph.graph.input]
    assert_array_equal(feeds["number"], [[1.5], [np.nan]])
    assert_array_equal(feeds["code"], [[1], [2]])
    assert feeds["code"].dtype == np.int64
    assert feeds["word"].tolist() == [["a"], [""]]
    assert feeds["day"].tolist() == [[(86400 + 3 * 3600) * 10**6], [MISSING]]
    assert feeds["lasting"].tolist() == [[1_500_000], [MISSING]]


def test_other_tables_and_orders(graph):
    plain = TABLE.assign(code=TABLE["code"].astype(int))
    wanted = to_inputs(graph, plain)
    for X in plain[plain.columns[::-1]], pl.from_pandas(plain):
        feeds = to_inputs(graph, X)
        for name, value in wanted.items():
            assert_array_equal(feeds[name], value, err_msg=name)


def test_a_column_that_is_not_there(graph):
    with pytest.raises(ValueError, match="reads a column 'word', but X has none"):
        to_inputs(graph, TABLE.drop(columns="word"))


def test_a_hole_where_the_type_has_none(graph):
    X = TABLE.assign(code=pd.Categorical([None, 2] * 10))
    with pytest.raises(ValueError, match=r"column 'code' .* lacks values"):
        to_inputs(graph, X)


def test_a_graph_of_somebody_else():
    graph = helper.make_graph([], "empty", [], [])
    with pytest.raises(ValueError, match=r"not made by skmlp\.onnx\.to_onnx"):
        to_inputs(helper.make_model(graph), TABLE)


@pytest.mark.parametrize("preprocessing", ["auto", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_matrix(preprocessing, dtype):
    X = np.arange(20.0).reshape(10, 2)
    model = MLPSoftmaxClassifier(
        (), preprocessing=preprocessing, dtype=dtype, max_iter=2
    )
    (feed,) = to_inputs(to_onnx(model.fit(X, [0, 1] * 5)), X.tolist()).values()
    assert_array_equal(feed, X)
    assert feed.dtype == (dtype if preprocessing is None else "float64")


def test_to_inputs_numbers_beside_text_agree_with_the_classifier():
    cells = [1.5, "", True, "-3", np.float32(0.1), "1e3", None, float("inf"), "?", 7]
    X = pd.DataFrame({"cell": pd.Series(cells * 4, dtype=object), "other": range(40)})
    model = MLPSoftmaxClassifier((), max_iter=2).fit(X, [0, 1] * 20)
    feeds = to_inputs(to_onnx(model), X)
    assert feeds["cell"].ravel().tolist()[:3] == ["1.5", "", "1.0"]
    assert largest_difference(model, X) < 1e-6
