"""Tables of any library, read as columns; arrays and sparse rows as what they mean."""

import decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skmlp.tabular.frame import (
    _SMALL_TABLE,
    Column,
    _canonicalize_csr,
    _has_masked,
    exceeds_float,
    fill_masked,
    find_missing,
    is_frame,
    is_plain_number,
    is_sparse,
    normalize,
    read_columns,
    read_header,
    read_matrix,
    read_pandas_series,
    read_rows,
    read_series,
    to_native,
)

LARGE = 2**53 + 1
"""A whole number that is no float."""

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def of_polars(*values, dtype=None):
    return read_series(nw.from_native(pl.Series(values, dtype=dtype), series_only=True))


# Arrays and sparse matrices


@pytest.mark.parametrize(
    "X",
    [
        np.eye(2),
        np.array([["a", 1]], dtype=object),
        pd.DataFrame({"a": [1]}),
        pl.DataFrame({"a": [1]}),
        [[1, 2]],
        ((1, 2),),
        None,
        "text",
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_needs_nothing_comes_back_as_it_is(X):
    result = normalize(X)
    assert result is X or np.shares_memory(result, X)


def test_masks_become_missing_values():
    masked = np.ma.masked_equal([[1, 2], [2, 3]], 2)
    expected = [[1, np.nan], [np.nan, 3]]
    assert_array_equal(normalize(masked), expected)
    assert_array_equal(normalize(list(masked)), expected)
    assert masked.data.tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize(
    ("values", "dtype", "missing"),
    [
        ([1, 2], np.float64, np.nan),
        (np.array([1, 2], np.uint8), np.float64, np.nan),
        (np.array([1, 2], np.float32), np.float32, np.nan),
        (np.array([1, 2], np.complex64), np.complex64, np.nan),
        (np.array([1, 2], "M8[D]"), "M8[D]", np.datetime64("NaT", "D")),
        (np.array([1, 2], "m8[s]"), "m8[s]", np.timedelta64("NaT", "s")),
        (["a", "b"], object, None),
        ([True, False], object, None),
    ],
    ids=str,
)
def test_each_kind_of_numbers_has_its_missing_value(values, dtype, missing):
    found = fill_masked(np.ma.array(values, mask=[False, True]))
    assert found.dtype == dtype
    assert found[0] == values[0]
    assert str(found[1]) == str(missing) or np.isnan(found[1])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_masks_leave_integers_that_are_no_floats_exact(dtype):
    masked = np.ma.array([LARGE, LARGE - 1, 5], mask=[False, False, True], dtype=dtype)
    assert fill_masked(masked).tolist() == [LARGE, LARGE - 1, None]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (np.array([2**53 - 1, -(2**53) + 1]), False),
        (np.array([0, 2**53]), True),
        (np.array([0, -(2**53)]), True),
        (np.array([np.iinfo(np.int64).min]), True),
        (np.array([2**64 - 1], np.uint64), True),
        (np.array([np.nan, 1e15]), False),
        (np.array([np.nan, 1e16]), True),
        (np.array([1e16], np.float32), False),
        (np.array(["a"]), False),
        (np.array([], int), False),
    ],
    ids=str,
)
def test_exceeds_float_where_float64_has_not_all_integers(numbers, expected):
    assert exceeds_float(numbers) is expected


@pytest.mark.parametrize(
    "rows",
    [
        [[LARGE, 0.5]],
        [[LARGE, np.nan]],
        [[2**63 + 1, -1]],
        [[2**70, 0.5]],
        [["a", 1]],
        [["a", None]],
    ],
    ids=str,
)
def test_rows_as_array_keeps_what_lists_hold(rows):
    found = read_rows(rows)
    assert found.dtype == object
    assert found.tolist() == rows


def test_rows_as_array_of_numbers_has_their_dtype():
    assert read_rows([[1, 0.5]]).dtype == np.float64
    assert read_rows([[LARGE, 1]]).dtype == np.int64


def test_strings_of_numpy_become_objects():
    found = to_native(np.array(["a", None], np.dtypes.StringDType(na_object=None)))
    assert found.dtype == object
    assert found.tolist() == ["a", None]


def test_extended_floats_become_floats_or_exact_objects():
    assert to_native(np.array([0.5, np.nan], np.longdouble)).dtype == np.float64
    large = np.array([[LARGE - 1, 0.5]], np.longdouble) + np.longdouble([1, 0])
    assert to_native(large).tolist() == [[LARGE, 0.5]]


def test_find_missing_takes_signaling_nans():
    values = np.array([decimal.Decimal("sNaN"), decimal.Decimal(1), None], dtype=object)
    assert find_missing(values).tolist() == [True, False, True]
    assert find_missing(values[1:2]).tolist() == [False]


def test_a_mask_that_covers_nothing_changes_no_dtype():
    found = fill_masked(np.ma.array([1, 2], mask=[False, False]))
    assert type(found) is np.ndarray
    assert found.dtype == int


def test_masks_are_looked_for_in_the_first_level():
    assert _has_masked([1, np.ma.array([1])])
    assert not _has_masked([1, np.array([1])])


def test_bytes_are_in_the_order_of_this_machine():
    swapped = np.array([1.5, 2.5]).astype(">f8")
    found = to_native(swapped)
    assert found.dtype == np.dtype("=f8")
    assert_array_equal(found, [1.5, 2.5])
    assert to_native(found) is found


def test_sparse_rows_are_put_in_order_and_entries_added_up():
    # the first row holds 1 and 2 in one cell, and its columns the wrong way round
    parts = ([5.0, 1.0, 2.0, 4.0], [2, 0, 0, 1], [0, 3, 4])
    X = sparse.csr_array(parts, shape=(2, 3))
    rows = _canonicalize_csr(X)
    assert_array_equal(rows.data, [3, 5, 4])
    assert_array_equal(rows.indices, [0, 2, 1])
    assert_array_equal(rows.indptr, [0, 2, 3])
    assert_array_equal(rows.toarray(), [[3, 0, 5], [0, 4, 0]])
    assert_array_equal(X.data, parts[0])
    assert type(rows) is sparse.csr_array


@pytest.mark.parametrize(
    "kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array]
)
def test_sparse_matrices_of_any_format_become_rows(kind):
    dense = np.array([[0.0, 2.0], [1.0, 0.0]])
    rows = normalize(kind(dense))
    assert rows.format == "csr"
    assert_array_equal(rows.toarray(), dense)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (sparse.csr_array((2, 2)), True),
        (sparse.coo_matrix((2, 2)), True),
        (np.eye(2), False),
        (pd.DataFrame({"tocsr": [1]}), False),
        ([[1]], False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_sparse(X, expected):
    assert is_sparse(X) is expected


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.dtype("int8"), True),
        (np.dtype("float32"), True),
        (np.dtype("bool"), False),
        (np.dtype("complex64"), False),
        (np.dtype(object), False),
        (pd.Int64Dtype(), False),
        (pd.CategoricalDtype(), False),
    ],
    ids=str,
)
def test_plain_numbers_are_those_of_numpy(dtype, expected):
    assert is_plain_number(dtype) is expected


# Frames


@pytest.mark.parametrize("library", FRAMES)
def test_frames_are_read_by_column(library):
    frame = FRAMES[library]({"a": [1, 2], "b": [0.5, None]})
    assert is_frame(frame)
    assert list(read_header(frame).columns) == ["a", "b"]
    columns = read_columns(frame)
    assert [(column.position, column.name) for column in columns] == [
        (0, "a"),
        (1, "b"),
    ]
    assert_array_equal(columns[0].data, [1, 2])
    assert_array_equal(columns[1].data, [0.5, np.nan])


def test_what_is_no_frame():
    for X in (np.eye(2), [[1]], pl.LazyFrame({"a": [1]}), pd.Series([1]), None):
        assert not is_frame(X)


def test_columns_of_an_array_are_named_by_their_place():
    columns = read_columns(np.array([[1, 2], [3, 4]]))
    assert [column.name for column in columns] == ["x0", "x1"]
    assert_array_equal([column.data for column in columns], [[1, 3], [2, 4]])


def test_names_that_come_twice_are_two_columns():
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert_array_equal([c.data for c in read_columns(frame)], [[1, 3], [2, 4]])


def test_a_column_says_its_name_and_dtype():
    assert Column(0, "age", np.array([1.0])).describe() == (
        "column 'age' (dtype float64)"
    )
    assert Column(0, 7, pd.array([1])).describe() == "column 7 (dtype Int64)"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_numbers_of_several_types_become_one_matrix(library):
    frame = FRAMES[library]({"a": [1, 2], "b": [0.5, 1.5]})
    matrix = read_matrix(frame)
    assert matrix.dtype == np.float64
    assert_array_equal(matrix, [[1, 0.5], [2, 1.5]])


@pytest.mark.parametrize(
    "X",
    [
        np.array([["a"]]),
        pd.DataFrame({"a": [1], "b": ["x"]}),
        pd.DataFrame({"a": [1, None]}, dtype="Int64"),
        pd.DataFrame({"a": [True]}),
        pd.DataFrame(np.zeros((_SMALL_TABLE // 2 + 1, 2))),
        pl.DataFrame({"a": ["x"]}),
        pl.DataFrame({"a": [1]}, schema={"a": pl.UInt64}),
    ],
    ids=["text", "mixed", "nullable", "truth", "large", "polars text", "unsigned"],
)
def test_other_tables_are_read_column_by_column(X):
    assert read_matrix(X) is None


def test_a_matrix_of_numbers_is_itself_and_no_copy():
    X = np.zeros((_SMALL_TABLE // 2 + 1, 2))
    assert read_matrix(X) is X
    one_type = pd.DataFrame(np.eye(2, dtype=np.float32), copy=False)
    assert read_matrix(one_type).dtype == np.float32


# The values of one column


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        (pd.Series([1, 2]), np.ndarray),
        (pd.Series([0.0, 1.0], dtype=pd.SparseDtype(float)), np.ndarray),
        (pd.Series([1, None], dtype="Int64"), pd.arrays.IntegerArray),
        (pd.Series(["a"], dtype="category"), pd.Categorical),
        (pd.Series([1, 2], dtype=pd.ArrowDtype(pa.int8())), np.ndarray),
        (pd.Series([LARGE, None], dtype="int64[pyarrow]"), pd.arrays.IntegerArray),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value.dtype),
)
def test_a_column_of_pandas_keeps_its_values(series, kind):
    values = read_pandas_series(series)
    assert isinstance(values, kind)
    assert pd.Series(values).isna().tolist() == series.isna().tolist()
    assert values[0] == series[0]


def test_whole_numbers_beside_missing_ones_stay_exact():
    values = of_polars(LARGE, None)
    assert values[0] == LARGE
    assert values.isna().tolist() == [False, True]
    values[0] = 0  # an array of its own
    without = of_polars(LARGE, 1)
    assert type(without) is np.ndarray
    assert without[0] == LARGE


def test_decimals_become_floats():
    values = of_polars(decimal.Decimal("1.5"), None)
    assert_array_equal(values, [1.5, np.nan])


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_read_series_of_decimals_gives_the_nearest_floats(library):
    # Arrow converts these to -3295.7000000000003 and 9118.710000000001
    decimals = list(map(decimal.Decimal, ["-3295.70", "9118.71", "0.10", "-0.01"]))
    column = FRAMES[library]({"a": decimals})["a"]
    values = read_series(nw.from_native(column, series_only=True))
    assert values.tolist() == [-3295.7, 9118.71, 0.1, -0.01]


DECIMALS = [decimal.Decimal(LARGE), None, decimal.Decimal(LARGE - 1)]


@pytest.mark.parametrize(
    "X",
    [
        pl.DataFrame({"x": [1, 2, 3], "key": DECIMALS}),
        pa.table({"x": [1, 2, 3], "key": DECIMALS}),
        pa.table({"x": [1, 2, 3], "key": DECIMALS}).to_pandas(
            types_mapper=pd.ArrowDtype
        ),
        pl.DataFrame(
            {"x": [1, 2, 3], "key": [LARGE, None, LARGE - 1]},
            schema_overrides={"key": pl.Int128},
        ),
    ],
    ids=["polars", "pyarrow", "pandas", "Int128"],
)
def test_read_columns_keeps_wide_numbers_exact_where_asked(X):
    rough, exact = (read_columns(X, places)[1].data for places in ((), (1,)))
    assert rough.dtype == np.float64
    assert exact.dtype == object
    assert find_missing(exact).tolist() == [False, True, False]
    assert exact[[0, 2]].tolist() == [LARGE, LARGE - 1]


def test_categories_of_other_libraries_stay_categories():
    values = of_polars("b", None, "a", dtype=pl.Categorical)
    assert isinstance(values, pd.Categorical)
    assert pd.Series(values.astype(object)).fillna("?").tolist() == ["b", "?", "a"]


def test_moments_stay_in_their_time_zone():
    utc = pd.Timestamp("2024-07-01 12:00")
    naive = of_polars(utc.to_pydatetime(), None)
    assert naive.tz is None
    assert naive[0] == utc
    assert naive[1] is pd.NaT
    there = pl.Series([utc.to_pydatetime()]).dt.replace_time_zone("UTC")
    there = there.dt.convert_time_zone("Europe/Berlin")
    (moment,) = read_series(nw.from_native(there, series_only=True))
    assert moment == utc.tz_localize("UTC")
    assert moment.hour == 14


def test_days_are_moments_at_midnight():
    (day,) = of_polars(pd.Timestamp("2024-02-29").date())
    assert day == pd.Timestamp("2024-02-29")


@pytest.mark.parametrize("values", [[[1, 2]], [{"a": 1}]], ids=["list", "struct"])
def test_several_values_per_row_are_named(values):
    frame = pl.DataFrame({"tags": values})
    with pytest.raises(TypeError, match=r"column 'tags'.*several values per row"):
        read_columns(frame)
