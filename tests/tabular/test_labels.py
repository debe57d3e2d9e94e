"""Labels and sample weights of any library, in their own types."""

from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.tabular.labels import (
    LARGEST,
    SMALLEST,
    check_no_missing_labels,
    check_weights,
    find_labels,
    limit_range,
    read_labels,
    read_present_labels,
)

LIMIT = 2**53
"""The integer from which on float64 merges neighbors."""

Level = IntEnum("Level", ["LOW", "HIGH"])
Color = StrEnum("Color", ["RED", "BLUE"])


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
    for y in ([[1, 0]], "text", 3, pd.DataFrame({"a": [1], "b": [2]})):
        assert read_labels(y) is y


EXACT = {
    "integers beside floats": [LIMIT, LIMIT + 1, float(LIMIT + 2)],
    "signed beside unsigned": [2**63 + 1, 2**63, -1],
    "more than 64 bits": [2**70, 2**70 + 1, 1],
    "NumPy scalars": [np.int64(LIMIT + 1), np.float64(LIMIT), np.uint64(2**63 + 1)],
    "decimals": [Decimal("1.10"), Decimal(LIMIT), Decimal(LIMIT + 1)],
    "fractions": [Fraction(1, 2), Fraction(1, 3), Fraction(2)],
    "booleans": [True, False, True],
    "booleans beside numbers": [True, 2, 3.0],
    "IntEnum": [Level.LOW, Level.HIGH, Level.LOW],
}
CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "array": lambda values: np.array(values, dtype=object),
    "Series": lambda values: pd.Series(values, dtype=object),
    "polars": lambda values: pl.Series(values, dtype=pl.Object),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("values", EXACT.values(), ids=EXACT)
def test_read_labels_of_mixed_numbers_keeps_each_value(values, container):
    assert np.asarray(read_labels(container(values))).tolist() == values


DECIMALS = [Decimal("9007199254740992.0"), Decimal("9007199254740993.5")]
WIDE = {
    "polars Decimal": (pl.Series(DECIMALS), DECIMALS),
    "polars Int128": (pl.Series([2**100, -1], dtype=pl.Int128), [2**100, -1]),
    "polars UInt128": (pl.Series([2**100, 1], dtype=pl.UInt128), [2**100, 1]),
    "polars frame": (pl.DataFrame({"y": DECIMALS}), [[label] for label in DECIMALS]),
    "pyarrow array": (pa.array(DECIMALS), DECIMALS),
    "pyarrow column": (pa.chunked_array([DECIMALS]), DECIMALS),
    "pyarrow dictionary": (
        pa.array([LIMIT + 1, 1]).dictionary_encode(),
        [LIMIT + 1, 1],
    ),
    "pandas of Arrow": (
        pd.Series(DECIMALS, dtype=pd.ArrowDtype(pa.decimal128(20, 1))),
        DECIMALS,
    ),
    "nullable": (
        pd.array([2**63 - 1, LIMIT + 1], dtype="Int64"),
        [2**63 - 1, LIMIT + 1],
    ),
    "extended float": (np.array([LIMIT, 1], np.longdouble) + 1, [LIMIT + 1, 2]),
}


@pytest.mark.parametrize(("y", "expected"), WIDE.values(), ids=WIDE)
def test_read_labels_of_wide_numbers_keeps_each_value(y, expected):
    assert read_labels(y).tolist() == expected


def test_read_labels_gives_integers_of_128_bits_the_type_they_need():
    assert read_labels(pl.Series([1, 0], dtype=pl.Int128)).dtype == np.int64
    assert read_labels(pl.Series([2**63, 0], dtype=pl.Int128)).dtype == np.uint64


@pytest.mark.parametrize("na_object", [{}, {"na_object": np.nan}, {"na_object": None}])
def test_read_labels_of_string_dtype_gives_text(na_object):
    labels = read_labels(np.array(["b", "a"], np.dtypes.StringDType(**na_object)))
    assert labels.dtype == object
    assert labels.tolist() == ["b", "a"]


def test_read_labels_of_string_enum_gives_text():
    assert read_labels(list(Color)).tolist() == ["red", "blue"]


@pytest.mark.parametrize(
    "y",
    [
        np.ma.array([1, 2, 3], mask=[True, False, True]),
        pd.Series([1, None, None], dtype="Int64"),
        pd.Categorical(["a", None, None]),
        pd.Series([True, None, None], dtype="boolean"),
        pl.Series([1, None, None]),
        pd.DataFrame({"y": pd.array([None, 1, None], dtype="Int64")}),
        pl.DataFrame({"y": [None, 1, None]}),
        [True, pd.NA, None],
        ["a", np.nan, None],
        [np.str_("a"), np.nan, None],
        ("a", pd.NaT, None),
        [1.0, np.nan, np.nan],
        np.array([1.0, np.nan, np.nan]),
        np.array([np.nan, True, pd.NA], dtype=object),
        pd.array([1.5, None, None], dtype="Float64"),
        pd.Series([True, pd.NA, None], dtype=object),
        [1, Decimal("NaN"), Decimal("sNaN")],
        pd.Series([Decimal(1), Decimal("NaN"), Decimal("sNaN")], dtype=object),
        pl.Series([None, Decimal(1), None]),
        pl.Series([None, 2**100, None], dtype=pl.Int128),
        pa.array([None, 1, None]),
        np.array(["a", None, None], np.dtypes.StringDType(na_object=None)),
        np.array(["a", np.nan, np.nan], np.dtypes.StringDType(na_object=np.nan)),
    ],
    ids=lambda y: f"{type(y).__module__}-{type(y).__name__}",
)
def test_rows_without_a_label_are_counted(y):
    with pytest.raises(ValueError, match="y has no label in 2 rows"):
        read_labels(y)


def test_refuse_missing_names_the_argument_and_its_table():
    with pytest.raises(ValueError, match=r"^y_val has no label in 2 .* X_val and"):
        read_labels(["a", None, None], "y_val")
    with pytest.raises(ValueError, match=r"^y has no label in 2 .* from X and y"):
        read_labels(["a", None, None])


def test_nothing_is_refused_where_nothing_is_missing():
    check_no_missing_labels(0)


def test_read_present_labels_leaves_the_missing_ones_out():
    labels, is_missing = read_present_labels(pl.Series([None, 2**100], dtype=pl.Int128))
    assert labels.tolist() == [2**100]
    assert is_missing.tolist() == [True, False]


FOUND = {
    "text": (["b", "z"], ["a", "b"], [1, -1]),
    "longer text": (["b", "bbb"], ["a", "b"], [1, -1]),
    "above and below": ([9, -9, 2], [1, 2], [-1, -1, 1]),
    "signed among unsigned": ([5, -1], np.array([5, 2**63], np.uint64), [0, -1]),
    "floats among integers": ([2.0**53], [2**53, 2**53 + 1], [0]),
    "integers among floats": ([2**53 + 1, 2**53], [1.0, 2.0**53], [-1, 1]),
    "large among small": ([2**53, 2**70], [2**53, 2**53 + 1], [0, -1]),
    "integers among booleans": ([1, 0, 2], [False, True], [1, 0, -1]),
    "text among numbers": (["1"], [1, 2], [-1]),
    "decimals among integers": ([Decimal(1), Decimal("1.5")], [0, 1], [1, -1]),
}


@pytest.mark.parametrize("case", FOUND)
def test_find_labels_compares_as_python_does(case):
    y, classes, expected = FOUND[case]
    found = find_labels(read_labels(y), np.asarray(read_labels(classes)))
    assert found.tolist() == expected


# Weights of rows


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [1, 1, 1]),
        (2, [2, 2, 2]),
        ([1, 0, 3], [1, 0, 3]),
        (np.array([1, 0, 3], np.float32), [1, 0, 3]),
        (np.ma.array([1, 0, 3], mask=False), [1, 0, 3]),
        (np.ma.array([1.0, 0, 3]), [1, 0, 3]),
    ],
    ids=["none", "a number", "list", "float32", "open mask", "no mask"],
)
def test_one_weight_per_row(given, expected):
    weight = check_weights(given, 3)
    assert weight.dtype == np.float64
    assert_array_equal(weight, expected)


def test_weights_are_a_copy():
    given = np.array([1.0, 2.0])
    check_weights(given, 2)[:] = 0
    assert_array_equal(given, [1, 2])


def test_hidden_weights_are_counted():
    given = np.ma.array([1.0, 2.0, 3.0], mask=[True, False, True])
    with pytest.raises(ValueError, match="hides 2 of its weights"):
        check_weights(given, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 0], "sample_weight must be positive for some row"),
        ([1, -1], "[Nn]egative"),
        ([1, 2, 3], "shape"),
        ([[1, 2]], "1D"),
        ([1, np.inf], "inf"),
    ],
    ids=["all zero", "negative", "too many", "a matrix", "infinite"],
)
def test_weights_that_make_no_sense_are_errors(given, message):
    with pytest.raises(ValueError, match=message):
        check_weights(given, 2)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([1e200, 5e199, 0], [1e100, 5e99, 0]),
        ([2e-200, 1e-200, 0], [1e-100, 5e-101, 0]),
        ([1e308, 1e8], [1e100, 1e-200]),
        ([5e-324, 0], [1e-100, 0]),
    ],
)
def test_weights_beyond_the_range_keep_their_ratios(weight, expected):
    scaled = limit_range(np.array(weight))
    assert_allclose(scaled, expected, rtol=1e-12)
    assert np.isfinite(scaled.sum() ** 2)


@pytest.mark.parametrize(
    "weight", [[SMALLEST, 0.0], [LARGEST, 1.0], [3.0, 1e-300], [0.0, 0.0], []]
)
def test_weights_of_usual_size_stay_themselves(weight):
    weight = np.array(weight)
    assert limit_range(weight) is weight
