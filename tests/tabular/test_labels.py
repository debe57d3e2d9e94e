"""Labels of any library, in their own types."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from skmlp.tabular.labels import read_labels, refuse_missing


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([1, 0]), np.array([1, 0])),
        (np.array([1, 0], ">i4"), np.array([1, 0], "=i4")),
        (np.ma.array([1, 0], mask=[False, False]), np.array([1, 0])),
        (pd.Series([1, 0], index=[5, 3]), np.array([1, 0])),
        (pd.Series([True, False]), np.array([True, False])),
        (pd.Series([1, 0], dtype="Int8"), np.array([1, 0], "int8")),
        (pd.Series([True, False], dtype="boolean"), np.array([True, False])),
        (pd.array([1.5, 0.5], dtype="Float32"), np.array([1.5, 0.5], "float32")),
        (pd.Index([1, 0]), np.array([1, 0])),
        (pd.Categorical([3, 1, 3]), np.array([3, 1, 3])),
        (pd.CategoricalIndex([3, 1]), np.array([3, 1])),
        (pd.Categorical([True, False]), np.array([True, False])),
        (pd.Series([1, 0], dtype=pd.SparseDtype(int)), np.array([1, 0])),
        (pd.Series([1, 0], dtype="int16[pyarrow]"), np.array([1, 0], "int16")),
        (pd.DataFrame({"y": [1, 0]}), np.array([[1], [0]])),
        (pd.DataFrame({"y": pd.Categorical([3, 1])}), np.array([[3], [1]])),
        (pl.Series([1, 0]), np.array([1, 0])),
        (pl.Series([True, False]), np.array([True, False])),
        (pa.chunked_array([[1, 0]]), np.array([1, 0])),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}",
)
def test_labels_are_an_array_of_their_own_type(y, expected):
    labels = read_labels(y)
    assert type(labels) is np.ndarray
    assert labels.dtype == expected.dtype
    assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(["b", "a"], dtype="string"),
        pd.Series(["b", "a"], dtype="category"),
        pd.Series(["b", "a"], dtype=object),
        pl.Series(["b", "a"]),
        pl.Series(["b", "a"], dtype=pl.Categorical),
    ],
    ids=lambda y: f"{type(y).__module__}-{y.dtype}",
)
def test_text_stays_text(y):
    labels = read_labels(y)
    assert type(labels) is np.ndarray
    assert labels.tolist() == ["b", "a"]


def test_what_is_no_column_stays_as_it_is():
    for y in ([1, 0], (True, None), "text", 3, pd.DataFrame({"a": [1], "b": [2]})):
        assert read_labels(y) is y


@pytest.mark.parametrize(
    "y",
    [
        np.ma.array([1, 2, 3], mask=[True, False, True]),
        pd.Series([1, None, None], dtype="Int64"),
        pd.Categorical(["a", None, None]),
        pd.Series([True, None, None], dtype="boolean"),
        pl.Series([1, None, None]),
        pd.DataFrame({"y": pd.array([None, 1, None], dtype="Int64")}),
    ],
    ids=lambda y: f"{type(y).__module__}-{type(y).__name__}",
)
def test_rows_without_a_label_are_counted(y):
    with pytest.raises(ValueError, match="y has no label in 2 rows"):
        read_labels(y)


def test_nothing_is_refused_where_nothing_is_missing():
    refuse_missing(np.zeros(3, dtype=bool))
