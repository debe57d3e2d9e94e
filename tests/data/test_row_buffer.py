"""Rows of several calls: copies that mean the same, and one table of them all."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from skmlp import TableEncoder
from skmlp.data.incremental import (
    BufferedFrame,
    RowBuffer,
    _copy_call,
    _copy_table,
    _copy_values,
    _join_rows,
    _join_values,
)
from skmlp.data.targets import build_targets
from skmlp.tabular.frame import as_table

ZONED = pd.date_range("2024-01-01", periods=3, tz="Europe/Paris")
TABLE = pd.DataFrame(
    {
        "number": [0.5, np.nan, 2.0] * 10,
        "count": pd.array([1, None, 3] * 10, dtype="Int64"),
        "word": ["a", None, "b"] * 10,
        "text": pd.array(["x", "y", None] * 10, dtype="string"),
        "grade": pd.Categorical([1, 2, None] * 10, [3, 2, 1]),
        "day": ZONED.tz_localize(None).tolist() * 10,
        "call": ZONED.tolist() * 10,
        "clock": [dt.time(1), dt.time(2), None] * 10,
        "quarter": pd.period_range("2020Q1", periods=30, freq="Q"),
        "band": pd.cut(np.arange(30.0), 3),
        "flag": pd.array([True, False, None] * 10, dtype="boolean"),
    }
)
PLAIN = TABLE.drop(columns=["quarter", "band", "grade", "clock"])
CODES = np.arange(30) % 2


def rows_of(X, y_encoded, weight):
    """Rows of one call of partial_fit."""
    targets = build_targets(y_encoded, np.arange(2), y_encoded, weight, None)
    return _copy_call(as_table(X).data, targets)


def in_parts(X, size=7):
    """The rows of a table, kept as those of several calls."""
    parts = [slice(start, start + size) for start in range(0, 30, size)]
    cut = X.iloc if isinstance(X, pd.DataFrame) else X
    return [rows_of(cut[part], CODES[part], None) for part in parts]


def encoded(X):
    encoder = TableEncoder(random_state=0, min_frequency=1)
    matrix = encoder.fit_transform(X, CODES)
    return matrix, encoder.get_feature_names_out().tolist()


@pytest.mark.parametrize(
    "X",
    [
        TABLE,
        PLAIN.convert_dtypes(dtype_backend="pyarrow"),
        pl.from_pandas(PLAIN),
        pa.Table.from_pandas(PLAIN),
        TABLE.to_numpy(dtype=object),
        TABLE[["number"]].to_numpy(),
    ],
    ids=["pandas", "arrow", "polars", "pyarrow", "objects", "numbers"],
)
def test_parts_together_mean_what_the_whole_means(X):
    joined = _join_rows(in_parts(X))
    assert joined.sizes.tolist() == [7, 7, 7, 7, 2]
    assert_array_equal(joined.y_encoded, CODES)
    (matrix, names), (expected, expected_names) = encoded(joined.X), encoded(X)
    assert names == expected_names
    assert_array_equal(matrix, expected)
    assert [part.stop for part in joined.parts()] == [7, 14, 21, 28, 30]


@pytest.mark.parametrize("cls", [csr_array, csr_matrix])
def test_sparse_parts_stay_sparse(cls):
    dense = np.tile([[0, 1.0, 0], [0, 2, 0], [3, 0, 0]], (10, 1))
    joined = _join_rows(in_parts(cls(dense)))
    assert isinstance(joined.X, cls)
    assert_array_equal(joined.X.toarray(), dense)


def test_what_is_kept_is_a_copy():
    array, sparse, frame = np.ones((2, 1)), csr_array([[1.0]]), pd.DataFrame([1.0])
    kept = [_copy_table(X) for X in (array, sparse, frame)]
    array[:], sparse.data[:] = 0, 0
    frame.iloc[:] = 0
    assert kept[0].sum() == 2
    assert kept[1].sum() == 1
    assert kept[2].data[0] == 1


def test_lists_keep_numbers_beside_text():
    assert _copy_table([[1, "a"], [2, "b"]]).tolist() == [[1, "a"], [2, "b"]]
    assert _copy_table([[1, 2.5]]).dtype == float


def test_names_of_columns_stay_what_they_are():
    frame = pd.DataFrame([[1, 2]], columns=[("a", 1), 7])
    assert list(rows_of(frame, CODES[:1], None).X.columns) == [("a", 1), 7]
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    joined = _join_rows([rows_of(twice, CODES[:1], None)] * 2)
    assert list(joined.X.columns) == ["a", "a"]


def values(*content, dtype=None):
    return _copy_values(np.array(content, dtype=dtype))


def categories(*content):
    return _copy_values(pd.Categorical(content))


DRIFTS = {
    "int then float": ([values(1, 2), values(0.5)], [1, 2, 0.5]),
    "int then missing": ([values(1), values(np.nan)], [1, np.nan]),
    "missing then text": (
        [values(np.nan), values("a", None, dtype=object)],
        [None, "a", None],
    ),
    "missing then dates": (
        [values(None, dtype=object), values("2024-01-01", dtype="M8[s]")],
        [pd.NaT, pd.Timestamp("2024-01-01")],
    ),
    "missing then categories": ([values(np.nan), categories("b")], [np.nan, "b"]),
    "other categories": ([categories(2, 1), categories(3)], [2, 1, 3]),
    "categories then numbers": ([categories(2, 1), values(3)], [2, 1, 3]),
    "categories then text": (
        [categories("a"), values("b", None, dtype=object)],
        ["a", "b", None],
    ),
    "truth then missing": ([values(True), values(np.nan)], [True, None]),
    "nothing at all": (
        [values(np.nan), values(None, dtype=object)],
        [np.nan, np.nan],
    ),
    "finer moments": (
        [values("2024-01-01", dtype="M8[s]"), values("2024-01-02", dtype="M8[ns]")],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")],
    ),
}


@pytest.mark.parametrize(("pieces", "expected"), DRIFTS.values(), ids=DRIFTS)
def test_a_column_whose_dtype_drifts(pieces, expected):
    joined = _join_values(pieces)
    assert_array_equal(pd.isna(joined), pd.isna(expected))
    there = ~pd.isna(np.array(expected, dtype=object))
    assert [joined[place] for place in np.flatnonzero(there)] == [
        expected[place] for place in np.flatnonzero(there)
    ]
    is_categorical = any(isinstance(piece, pd.Categorical) for piece in pieces)
    assert isinstance(joined, pd.Categorical) == is_categorical
    again = _join_values([_join_values(pieces[:1]), *pieces[1:]])
    assert type(again) is type(joined)
    assert again.dtype == joined.dtype


def test_arrays_of_numbers_and_of_objects_become_objects():
    numbers, objects = np.ones((1, 2)), np.array([["a", 3]], dtype=object)
    for tables in ([numbers, objects], [objects, numbers]):
        joined = _join_rows([rows_of(X, CODES[:1], None) for X in tables]).X
        assert joined.dtype == object
        expected = np.concatenate([table.astype(object) for table in tables])
        assert joined.tolist() == expected.tolist()
    assert (
        _join_rows([rows_of(X, CODES[:1], None) for X in ([[1]], [[0.5]])]).X.dtype
        == float
    )


def test_the_first_table_says_whether_there_are_names():
    frame, array = pd.DataFrame({"a": [1.0]}), np.array([[2.0]])
    named = _join_rows([rows_of(X, CODES[:1], None) for X in (frame, array)]).X
    assert named["a"].tolist() == [1, 2]
    plain = _join_rows([rows_of(X, CODES[:1], None) for X in (array, frame)]).X
    assert plain.tolist() == [[2], [1]]


def test_weights_are_1_where_there_are_none():
    one, other = (
        rows_of([[1.0]] * 2, CODES[:2], w) for w in (None, np.array([2.0, 0]))
    )
    assert _join_rows([one, one]).weight is None
    assert _join_rows([one, other]).weight.tolist() == [1, 1, 2, 0]


def test_sparse_and_dense_rows_are_not_joined():
    dense, sparse = (rows_of(X, CODES[:1], None) for X in ([[1.0]], csr_array([[1.0]])))
    with pytest.raises(TypeError, match="X is sparse, but was dense in earlier calls"):
        RowBuffer(dense).append(sparse)
    with pytest.raises(TypeError, match="pass a sparse X here too"):
        RowBuffer(sparse).append(dense)


def test_first_rows_are_counted_and_joined():
    kept = in_parts(TABLE)
    rows = RowBuffer(kept[0])
    for part in kept[1:]:
        rows = rows.append(part)
    assert rows.n_rows == 30
    assert len(rows.since) == 4
    assert isinstance(rows.join().table, BufferedFrame)
    assert rows.join().table.shape == TABLE.shape


LARGE = 2**53 + 1
"""A whole number that is no float."""


@pytest.mark.parametrize(
    "tables",
    [
        (np.array([[LARGE, LARGE - 1]]), np.array([[0.5, 1.0]])),
        (np.array([[LARGE, LARGE - 1]]), np.array([[2**63 + 1, 1]], np.uint64)),
        ([[LARGE, 0.5]], [[LARGE - 1, 0.5]]),
    ],
    ids=["floats", "unsigned", "lists"],
)
def test_arrays_are_joined_without_merging_integers(tables):
    joined = _join_rows([rows_of(table, np.array([0]), None) for table in tables])
    expected = [np.array(table, dtype=object).tolist() for table in tables]
    assert joined.X.tolist() == [*expected[0], *expected[1]]


@pytest.mark.parametrize(
    "pieces",
    [
        (np.array([LARGE, LARGE - 1]), np.array([0.5, np.nan])),
        (np.array([LARGE]), np.array([2**63 + 1], np.uint64), np.array([1.0])),
        (np.array([LARGE, LARGE - 1]), np.array([None, None], dtype=object)),
        (np.array([LARGE, LARGE - 1]), np.array([None, 3], dtype=object)),
    ],
    ids=["floats", "unsigned", "nothing", "objects"],
)
def test_columns_are_joined_without_merging_integers(pieces):
    expected = pd.Series([value for piece in pieces for value in piece], dtype=object)
    joined = _join_values(pieces)
    assert joined[pd.notna(joined)].tolist() == expected.dropna().tolist()


def test_decimals_are_kept_as_they_are():
    for table in (pl.DataFrame, pa.table):
        kept = _copy_table(table({"key": [Decimal(LARGE), None]}))
        assert kept.data[0].tolist() == [LARGE, None]
