"""What holds for any table that hypothesis can think of."""

import datetime as dt
import decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import range_indexes
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skmlp import TableEncoder

pytestmark = pytest.mark.filterwarnings("ignore:column .* other text")

moderate = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

WORDS = st.sampled_from(["a", "b", "c", "1", "", "missing", "infrequent", "nan", "ä"])
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))
ZONES = [dt.timezone(dt.timedelta(hours=hours)) for hours in (-8, 0, 1, 2)]
ZONES += [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")]
AWARE = st.datetimes(
    dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.sampled_from(ZONES)
)
PERIODS = st.builds(pd.Period, MOMENTS, freq=st.sampled_from(["Y", "Q", "W", "D", "h"]))
INTERVALS = st.builds(pd.Interval, st.integers(-2, 0), st.integers(0, 2))
SPANS = st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
NARROW = st.floats(width=32, allow_nan=True)
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "float64": FLOATS,
    "float32": NARROW,
    "int64": WHOLE,
    "uint8": st.integers(0, 255),
    "bool": st.booleans(),
    "Int64": st.none() | WHOLE,
    "Float32": st.none() | st.floats(width=32, allow_nan=False),
    "boolean": st.none() | st.booleans(),
    "string": st.none() | WORDS,
    "str": st.none() | WORDS,
    "category": st.none() | WORDS,
    "datetime64[us]": st.none() | MOMENTS,
    "datetime64[us, Europe/Berlin]": st.none() | MOMENTS,
    "timedelta64[us]": st.none() | SPANS,
    "decimals": st.none() | st.decimals(-(10**9), 10**9),
    "days": st.none() | DAYS,
    "times": st.none() | st.times(),
    "moments": st.none() | AWARE,
    "periods": st.none() | PERIODS | DAYS,
    "period[D]": st.none() | MOMENTS,
    "intervals": st.none() | INTERVALS,
    "interval[int64, right]": INTERVALS,
    "interval[float64, right]": st.none() | INTERVALS,
    "mixed": st.none() | WORDS | st.integers(-3, 3) | st.booleans() | NARROW,
    "anything": st.none() | WORDS | DAYS | st.tuples(WORDS) | st.lists(WORDS),
}
OBJECTS = {"decimals", "days", "times", "moments", "periods", "intervals"}
OBJECTS |= {"mixed", "anything"}


@st.composite
def series(draw, n_rows, dtypes=tuple(VALUES)):
    dtype = draw(st.sampled_from(dtypes))
    values = draw(st.lists(VALUES[dtype], min_size=n_rows, max_size=n_rows))
    cells = np.empty(n_rows, dtype=object)
    cells[:] = values
    if dtype in OBJECTS:
        return pd.Series(cells, dtype=object)
    if dtype == "datetime64[us, Europe/Berlin]":
        moments = pd.Series(cells).astype("datetime64[us]").dt.tz_localize("UTC")
        return moments.dt.tz_convert("Europe/Berlin")
    return pd.Series(values, dtype=dtype)


@st.composite
def tables(draw, dtypes=tuple(VALUES)):
    n_rows = draw(st.integers(1, 12))
    columns = draw(st.lists(series(n_rows, dtypes), min_size=1, max_size=4))
    index = draw(range_indexes(min_size=n_rows, max_size=n_rows))
    table = pd.DataFrame({f"c{place}": column for place, column in enumerate(columns)})
    return table.set_axis(index)


encoders = st.builds(
    TableEncoder,
    max_categories=st.integers(2, 5),
    min_frequency=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]),
    random_state=st.just(0),
)


def encode(encoder, table, y=None):
    """The matrix, or nothing where an error says which column and why."""
    try:
        return encoder.fit_transform(table, y)
    except (TypeError, ValueError) as error:
        message = str(error)
    assert any(f"column {name!r}" in message for name in table.columns)
    assert len(message) > 40
    return None


@moderate
@given(table=tables(), encoder=encoders, with_y=st.booleans())
def test_a_table_fits_or_the_error_names_the_column(table, encoder, with_y):
    y = np.arange(len(table)) % 3 if with_y else None
    before = table.copy(deep=True)
    encoded = encode(encoder, table, y)
    pd.testing.assert_frame_equal(table, before)
    assume(encoded is not None)
    assert encoded.shape == (len(table), encoder.n_features_out_)
    assert np.isfinite(encoded).all()
    assert np.abs(encoded).max(initial=0) <= 3
    names = encoder.get_feature_names_out()
    assert len(set(names)) == len(names) == encoded.shape[1]


@moderate
@given(table=tables(), encoder=encoders, data=st.data())
def test_a_row_is_encoded_as_it_is_among_others(table, encoder, data):
    y = np.arange(len(table)) % 2
    assume(encode(encoder, table, y) is not None)
    together = encoder.transform(table)
    if (np.abs(encoder.fit(table).transform(table) - encode(encoder, table))).any():
        pytest.fail("without a target, fit_transform differs from transform")
    encoder.fit(table, y)
    for row in range(len(table)):
        alone = encoder.transform(table.iloc[[row]])
        assert_array_equal(alone[0], together[row])
    rows = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1, max_size=20))
    assert_array_equal(encoder.transform(table.iloc[rows]), together[rows])


@moderate
@given(table=tables(dtypes=("category", "str", "boolean", "mixed")), data=st.data())
def test_categories_may_be_reordered_and_recoded(table, data):
    encoder = TableEncoder(min_frequency=1)
    encoded = encode(encoder, table)
    assume(encoded is not None)
    other = table.copy()
    for name, column in table.items():
        if column.dtype == "category":
            values = data.draw(st.permutations([*column.cat.categories, "new"]))
            other[name] = column.cat.set_categories(values, ordered=True)
        elif encoder.is_categorical_[table.columns.get_loc(name)]:
            other[name] = column.astype(object)
    assert_array_equal(encoder.transform(other), encoded)


@moderate
@given(table=tables(dtypes=("category", "str", "boolean", "mixed", "anything")))
def test_no_category_is_mistaken_for_another(table):
    # text beside numbers would be read, as these or as missing
    encoder = TableEncoder(min_frequency=1, read_text=False)
    assume(encode(encoder, table) is not None)
    for place in np.flatnonzero(encoder.is_categorical_):
        column = table.iloc[:, [place]]
        encoded = clone(encoder).fit_transform(column)
        values = [
            repr(value)
            if isinstance(value, list)
            else value
            if isinstance(value, tuple) or not pd.isna(value)
            else None
            for value in column.iloc[:, 0]
        ]
        for one, row in zip(values, encoded, strict=True):
            for other, other_row in zip(values, encoded, strict=True):
                assert (one == other) == np.array_equal(row, other_row)


@moderate
@given(
    table=tables(
        dtypes=(
            "float64",
            "int64",
            "boolean",
            "datetime64[us]",
            "category",
            "str",
            "days",
        )
    ),
    weights=st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
def test_a_weight_is_that_many_rows(table, weights):
    weight = np.array(weights[: len(table)])
    assume(weight.any())
    weighted, repeated = TableEncoder(dtype="float64"), TableEncoder(dtype="float64")
    weighted.fit(table, sample_weight=weight)
    repeated.fit(table.iloc[np.repeat(np.arange(len(table)), weight)])
    assert_array_equal(
        weighted.get_feature_names_out(), repeated.get_feature_names_out()
    )
    assert_array_equal(weighted.transform(table), repeated.transform(table))


@moderate
@given(
    table=tables(
        dtypes=("float64", "Int64", "boolean", "str", "category", "datetime64[us]")
    )
)
def test_polars_gives_what_pandas_gives(table):
    expected = TableEncoder().fit_transform(table)
    columns = {
        name: pl.Series(name, [None if pd.isna(v) else v for v in column.tolist()])
        if column.dtype != "datetime64[us]"
        else pl.Series(name, column.to_numpy())
        for name, column in table.items()
    }
    dtypes = {
        "Int64": pl.Int64,
        "float64": pl.Float64,
        "boolean": pl.Boolean,
        "category": pl.Categorical,
        "datetime64[us]": pl.Datetime("us"),
    }
    frame = pl.DataFrame(
        [
            column.cast(dtypes.get(str(table[name].dtype), pl.String))
            for name, column in columns.items()
        ]
    )
    assert_array_equal(TableEncoder().fit_transform(frame), expected)


@moderate
@given(amounts=st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=2, max_size=9))
def test_decimals_are_numbers(amounts):
    exact = pd.DataFrame({"amount": pd.Series(amounts, dtype=object)})
    assume(all(isinstance(amount, decimal.Decimal) for amount in amounts))
    encoded = TableEncoder().fit_transform(exact)
    assert_array_equal(encoded, TableEncoder().fit_transform(exact.astype(float)))
