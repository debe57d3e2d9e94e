"""Rows of tables as graphs take them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from onnx import helper
from scipy import sparse
from sessions import largest_difference

from skmlp import MLPSoftmaxClassifier, TableEncoder
from skmlp.onnx import to_inputs, to_onnx
from skmlp.onnx.feeds import _read_inputs
from skmlp.onnx.keys import MISSING_INT64

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
YEARS = pd.to_datetime(["2020-01-01", "2021-01-01"])


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
    assert feeds["day"].tolist() == [[(86400 + 3 * 3600) * 10**6], [MISSING_INT64]]
    assert feeds["lasting"].tolist() == [[1_500_000], [MISSING_INT64]]


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


def test_to_inputs_missing_whole_number_counts_as_unknown(graph):
    X = TABLE.assign(code=pd.Categorical([None, 2] * 10))
    assert to_inputs(graph, X)["code"][:2].tolist() == [[MISSING_INT64], [2]]


def objects(values):
    """A series of the values as they are."""
    return pd.Series(values, dtype=object)


def fitted_graph(X, **params):
    return to_onnx(MLPSoftmaxClassifier((), max_iter=2, **params).fit(X, LABELS))


def test_to_inputs_truth_values_refuse_others_by_name():
    graph = fitted_graph(pd.DataFrame({"done": [True, False] * 10}))
    for values in ([True, None], [0, 2]):
        X = pd.DataFrame({"done": pd.array(values, dtype="Int8")})
        with pytest.raises(ValueError, match=r"True and False alone in column 'done'"):
            to_inputs(graph, X)
    X = pd.DataFrame({"done": [0, 1]})
    assert to_inputs(graph, X)["done"].tolist() == [[False], [True]]


@pytest.mark.parametrize("dtype", [object, "str", "float"])
def test_to_inputs_column_without_values_takes_any(dtype):
    X = pd.DataFrame({"empty": pd.Series([None] * 20, dtype=dtype), "b": range(20)})
    graph = fitted_graph(X)
    for values, wanted in ((["a", None], [0, np.nan]), ([1.5, None], [0, np.nan])):
        found = to_inputs(graph, pd.DataFrame({"empty": values, "b": 1}))["empty"]
        assert_array_equal(found[:, 0], wanted)


@pytest.mark.parametrize("preprocessing", ["auto", None])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_array])
def test_to_inputs_sparse_rows_come_dense(preprocessing, form):
    X = np.arange(40.0).reshape(20, 2) % 3
    graph = fitted_graph(form(X), preprocessing=preprocessing)
    assert_array_equal(to_inputs(graph, form(X))["X"], X)
    with pytest.raises(ValueError, match="expected 2 columns, got 1"):
        to_inputs(graph, form(X[:, :1]))


def test_to_inputs_sparse_rows_fill_columns():
    X = np.array([["a", 1.0], ["b", 2.0]] * 10, dtype=object)
    feeds = to_inputs(fitted_graph(X[:, 1:]), sparse.csr_array([[0.0], [3.0]]))
    assert feeds["X"].tolist() == [[0], [3]]


@pytest.mark.parametrize("X", [[1.0, 2.0], np.empty((0, 2)), pd.DataFrame({"a": []})])
def test_to_inputs_no_table_of_rows_is_refused(X):
    graph = fitted_graph(np.eye(20)[:, :2])
    with pytest.raises(ValueError, match="expected a table of one row or more"):
        to_inputs(graph, X)


def test_to_inputs_lists_keep_numbers_beside_text():
    X = [[1.5, "a", True], [2, "b", False]] * 10
    feeds = to_inputs(fitted_graph(X), X[:1])
    assert [value.item() for value in feeds.values()] == [1.5, "a", True]


def test_to_inputs_lists_keep_large_integers_beside_floats():
    X = [[2**53 + 1, 0.5], [2**53, 1.5]] * 10
    graph = fitted_graph(X, preprocessing=TableEncoder(categorical_features=[0]))
    codes, _ = to_inputs(graph, X[:2]).values()
    assert codes[:, 0].tolist() == [2**53 + 1, 2**53]


def test_to_inputs_numbers_in_text_are_read_as_in_python():
    X = pd.DataFrame({"size": ["1.5", "2", "10", "4"] * 5})
    values = ["\xa03", " 4\n", "0." + "3" * 200, "1e400", "?", "", None, 7, 0.5]
    feeds = to_inputs(fitted_graph(X), pd.DataFrame({"size": objects(values)}))
    nan = np.nan
    wanted = [3.0, 4.0, 1 / 3, np.inf, nan, nan, nan, 7.0, 0.5]
    assert_array_equal(feeds["size"][:, 0], wanted)


def test_to_inputs_dates_in_text_are_read_as_in_python():
    X = pd.DataFrame(
        {"day": ["2024-01-01", "2023-02-02", "2022-05-06", "2021-09-01"] * 5}
    )
    values = [" 2024-02-29\n", "2023-02-29", "today", None, pd.Period("2024-03")]
    values += [dt.date(2020, 1, 2), pd.Timestamp("2020-01-02 03:00")]
    feeds = to_inputs(fitted_graph(X), pd.DataFrame({"day": objects(values)}))
    wanted = ["2024-02-29", None, None, None, "2024-03-01"]
    wanted = pd.DatetimeIndex([*wanted, "2020-01-02", "2020-01-02T03:00:00"])
    assert_array_equal(feeds["day"][:, 0], wanted.astype("datetime64[us]").asi8)


def test_to_inputs_parts_of_microseconds_are_refused_by_name():
    X = pd.DataFrame({"lasting": pd.to_timedelta(np.arange(20) * 100, unit="ns")})
    with pytest.raises(ValueError, match="whole microseconds in column 'lasting'"):
        to_inputs(fitted_graph(X), X)
    X = X.apply(lambda column: column.dt.round("us"))
    assert to_inputs(fitted_graph(X), X)["lasting"].max() == 2


@pytest.mark.parametrize(
    ("fitted", "came", "message"),
    [
        ([1.0, 2.0], ["a", "b"], "holds categories, but held numbers"),
        (["a", "b"], [1, 2], "holds numbers, but held text"),
        (
            pd.to_datetime(["2020", "2021"]),
            ["a", "b"],
            "holds categories, but held dates",
        ),
        (
            pd.to_datetime(["2020", "2021"]),
            pd.to_datetime(["2020", "2021"]).tz_localize("UTC"),
            "with a time zone, but were without",
        ),
    ],
)
def test_to_inputs_other_kinds_are_refused_as_by_predict(fitted, came, message):
    graph = fitted_graph(pd.DataFrame({"a": pd.Series(fitted).repeat(10)}))
    with pytest.raises(ValueError, match=f"column 'a' .*{message}"):
        to_inputs(graph, pd.DataFrame({"a": came}))


NOTES = pd.DataFrame({"note": [f"Good tea number {place}" for place in range(60)]})


@pytest.mark.parametrize(
    "X", [NOTES, pd.concat([NOTES, NOTES])], ids=["text alone", "categories as well"]
)
def test_to_inputs_text_that_is_taken_apart(X):
    model = MLPSoftmaxClassifier((), max_iter=2, random_state=0)
    y = (X["note"].str.len() + np.arange(len(X))) % 2
    graph = to_onnx(model.fit(X, y))
    kind = _read_inputs(graph)[0].kind
    assert kind == ("text" if len(X) == len(NOTES) else "categories")
    came = pd.DataFrame({"note": objects(["Good", None, 7, ""])})
    found = to_inputs(graph, came)["note"][:, 0].tolist()
    wanted = ["good", "", "", ""] if kind == "text" else ["Good", "", *"\x1f\x1f"]
    assert found == wanted
    with pytest.raises(ValueError, match="Unicode text in column 'note'"):
        to_inputs(graph, pd.DataFrame({"note": objects(["\ud800"])}))


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
    assert_array_equal(feeds["cell"].ravel()[:4], [1.5, np.nan, 1.0, -3.0])
    assert largest_difference(model, X) < 1e-6


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table])
def test_to_inputs_decimal_categories_are_not_rounded(make):
    X = make({"c": [Decimal("1.1"), Decimal("2.2"), None] * 10})
    labels = LABELS + LABELS[:10]
    model = MLPSoftmaxClassifier((), max_iter=2, categorical_features=["c"])
    feeds = to_inputs(to_onnx(model.fit(X, labels)), X)
    assert feeds["c"][:3].tolist() == [["1.1"], ["2.2"], [""]]
    assert largest_difference(model, X) < 1e-5


@pytest.mark.parametrize("X", [TABLE.to_dict("list"), TABLE.to_dict("records"), None])
def test_to_inputs_other_forms_of_rows_are_refused_with_the_way_to_a_table(graph, X):
    with pytest.raises(TypeError, match=r"expected a table as X, got .* Pass "):
        to_inputs(graph, X)
