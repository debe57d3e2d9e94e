"""Objects to trees of plain values and back: the trees, and what is refused."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, csr_matrix

from skmlp import PReLU, TableEncoder
from skmlp.data.incremental import BufferedFrame, BufferedRows, RowBuffer
from skmlp.nn.activations import ReLU
from skmlp.persistence.checks import is_number_in
from skmlp.persistence.classes import (
    _CODECS_BY_NAME,
    CODECS,
    _is_category_column_consistent,
    _is_encoder_consistent,
    _is_numeric_block_consistent,
    _is_one_hot_consistent,
    _is_scale_consistent,
    _is_text_column_consistent,
    build_estimator,
    decode,
    encode,
    get_estimator_state,
)
from skmlp.persistence.codecs import by_fields, by_values
from skmlp.tabular.categorical import CategoricalBlock, OneHotEncoding, SignEncoding
from skmlp.tabular.numeric import NumericBlock, RealColumn
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import TargetMeans
from skmlp.tabular.text import TextBlock


def of(name, /, **state):
    """The tree of an object."""
    return {"class": name, "state": state}


def line(*values):
    """A line of Python objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# Trees


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.5, "a", np.ones(2)],
    ids=lambda value: type(value).__name__,
)
def test_a_leaf_stands_for_itself(value):
    assert encode(value, "value") is value
    assert decode(value) is value


TREES = {
    "list": ([1, [None]], [1, [None]]),
    "tuple": ((1, ()), of("tuple", entries=[1, of("tuple", entries=[])])),
    "bytes": (b"a", of("bytes", text="61")),
    "text scalar": (np.str_("a"), of("str_", text="a")),
    "scalar": (np.int8(-1), of("generic", dtype="|i1", data="ff")),
    "dict": (
        {"a": 1, 2: ()},
        of("dict", keys=["a", 2], values=[1, of("tuple", entries=[])]),
    ),
    "frozenset": (frozenset({"b", "a"}), of("frozenset", members=["a", "b"])),
    "activation": (PReLU(init=0.5), of("PReLU", init=0.5, shared=False)),
    "class": (ReLU, of("type", name="ReLU")),
    "column": (RealColumn(3), of("RealColumn", position=3, from_text=False)),
    "objects": (
        line("a", (1, None)),
        of("ndarray", values=["a", of("tuple", entries=[1, None])], shape=[2]),
    ),
    "index": (
        pd.Index(["a", 1], dtype=object, name="some"),
        of(
            "Index",
            values=of("ndarray", values=["a", 1], shape=[2]),
            dtype="object",
            name="some",
        ),
    ),
    "date": (dt.date(2024, 2, 29), of("date", text="2024-02-29")),
    "datetime": (
        dt.datetime(2024, 1, 1, 5),
        of("datetime", text="2024-01-01T05:00:00"),
    ),
    "time": (dt.time(12, 30), of("time", text="12:30:00")),
    "timedelta": (
        dt.timedelta(days=-1, microseconds=3),
        of("timedelta", days=-1, seconds=0, microseconds=3),
    ),
    "decimal": (Decimal("1.50"), of("Decimal", text="1.50")),
    "period": (pd.Period("1970-03", "M"), of("Period", ordinal=2, freqstr="M")),
    "interval": (
        pd.Interval(0.5, 2.0, closed="left"),
        of("Interval", left=0.5, right=2.0, closed="left"),
    ),
    "timestamp": (
        pd.Timestamp("2024-01-01"),
        encode(pd.Timestamp("2024-01-01"), "value"),
    ),
}


@pytest.mark.parametrize(("value", "tree"), TREES.values(), ids=TREES)
def test_a_value_and_its_tree(value, tree):
    encoded = encode(value, "value")
    assert encoded == tree
    decoded = decode(encoded)
    assert type(decoded) is type(value)
    if isinstance(value, RealColumn):
        assert vars(decoded) == vars(value)
    elif isinstance(value, np.ndarray | pd.Index):
        assert list(decoded) == list(value)
        assert decoded.dtype == object
    else:
        assert decoded == value


# Rows that partial_fit keeps


def kept(table, n_rows=3, weight=None):
    return BufferedRows(table, np.arange(n_rows), weight, np.array([2, n_rows - 2]))


ZONES = ["UTC", "Europe/Paris", dt.timezone(dt.timedelta(hours=-3))]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_moments_keep_their_zone(zone):
    moments = pd.date_range("2024-03-30", periods=3, tz=zone).array
    decoded = decode(encode(moments, "value"))
    pd.testing.assert_extension_array_equal(decoded, moments)


def test_a_zone_without_a_name_is_refused():
    class Nowhere(dt.tzinfo):
        def utcoffset(self, moment):
            return dt.timedelta(0)

        dst = utcoffset

    moments = pd.DatetimeIndex([dt.datetime(2024, 1, 1, tzinfo=Nowhere())]).array
    with pytest.raises(TypeError, match=r"value is an object of type .*DatetimeArray"):
        encode(moments, "value")


@pytest.mark.parametrize("cls", [csr_array, csr_matrix])
def test_sparse_rows_come_back(cls):
    sparse = cls([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    decoded = decode(encode(kept(sparse, weight=np.ones(3)), "value"))
    assert type(decoded.table) is cls
    assert_array_equal(decoded.table.toarray(), sparse.toarray())
    assert_array_equal(decoded.sizes, [2, 1])
    assert_array_equal(decoded.weight, np.ones(3))


def test_columns_and_arrays_come_back():
    categories = pd.Categorical.from_codes([1, -1, 0], pd.Index([2, 1], dtype=object))
    table = BufferedFrame(["a", ("b", 1)], [np.ones(3), categories])
    decoded = decode(encode(kept(table), "value"))
    assert decoded.table.names == table.names
    assert_array_equal(decoded.table.data[0], np.ones(3))
    pd.testing.assert_extension_array_equal(decoded.table.data[1], categories)
    for array in (
        np.ones((3, 2)),
        np.array([["a"], ["b"], ["c"]]),
        np.array([["a", 1], [None, (2, 3)], ["c", 0.5]], dtype=object),
    ):
        again = decode(encode(kept(array), "value")).table
        assert again.dtype == array.dtype
        assert_array_equal(again, array)


def test_row_buffer_comes_back():
    one = kept(np.ones((3, 1)))
    decoded = decode(encode(RowBuffer(one, (one, one)), "value"))
    assert decoded.fitted.sizes.tolist() == [2, 1]
    assert [part.sizes.tolist() for part in decoded.since] == [[2, 1], [2, 1]]
    assert decode(encode(RowBuffer(one), "value")).since == ()


NO_ROWS = of("tuple", entries=[])
PLAIN_ROWS = {
    "table": np.ones((2, 1)),
    "y_encoded": np.arange(2),
    "weight": None,
    "sizes": np.array([2]),
}
SPARSE_ROWS = {
    "data": np.ones(1),
    "indices": np.array([0], np.int32),
    "indptr": np.array([0, 1], np.int32),
    "shape": of("tuple", entries=[1, 1]),
}


@pytest.mark.parametrize(
    ("name", "sound", "change"),
    [
        ("BufferedRows", PLAIN_ROWS, {"table": np.ones((3, 1))}),
        ("BufferedRows", PLAIN_ROWS, {"table": np.ones(2)}),
        ("BufferedRows", PLAIN_ROWS, {"y_encoded": np.array([0, -1])}),
        ("BufferedRows", PLAIN_ROWS, {"y_encoded": np.arange(3)}),
        ("BufferedRows", PLAIN_ROWS, {"weight": np.ones(1)}),
        ("BufferedRows", PLAIN_ROWS, {"sizes": np.array([2, 0])}),
        ("BufferedRows", PLAIN_ROWS, {"sizes": np.array([1])}),
        ("csr_array", SPARSE_ROWS, {"indices": np.array([7], np.int32)}),
        ("csr_array", SPARSE_ROWS, {"indptr": np.array([0, 9], np.int32)}),
        ("csr_array", SPARSE_ROWS, {"data": line("a")}),
        ("BufferedFrame", {"names": ["a"], "data": [np.ones(2)]}, {"names": []}),
        ("BufferedFrame", {"names": ["a"], "data": [np.ones(2)]}, {"names": [[]]}),
        ("BufferedFrame", {"names": ["a"], "data": [np.ones(2)]}, {"data": ["a"]}),
        (
            "BufferedFrame",
            {"names": ["a"], "data": [np.ones(2)]},
            {"data": [np.ones((2, 2))]},
        ),
        (
            "BufferedFrame",
            {"names": ["a", "b"], "data": [np.ones(2), np.ones(2)]},
            {"data": [np.ones(2), np.ones(3)]},
        ),
        (
            "RowBuffer",
            {"fitted": of("BufferedRows", **PLAIN_ROWS), "since": NO_ROWS},
            {"since": [1]},
        ),
        (
            "RowBuffer",
            {"fitted": of("BufferedRows", **PLAIN_ROWS), "since": NO_ROWS},
            {"fitted": 1},
        ),
        (
            "Categorical",
            {
                "codes": np.zeros(1, int),
                "categories": of("ndarray", values=["a"], shape=[1]),
            },
            {"codes": np.ones(1, int)},
        ),
        (
            "DatetimeArray",
            {"moments": np.zeros(1, "M8[s]"), "zone": "UTC"},
            {"zone": 1},
        ),
    ],
)
def test_kept_rows_that_are_not_sound_are_refused(name, sound, change):
    decode(of(name, **sound))
    with pytest.raises((ValueError, TypeError)):
        decode(of(name, **sound | change))


def test_a_path_is_text():
    path = Path("some") / "file"
    assert encode(path, "value") == of(type(path).__name__, text=str(path))
    assert decode(of(type(path).__name__, text=str(path))) == path


def test_each_class_has_a_name_of_its_own():
    assert len(_CODECS_BY_NAME) == len(CODECS)


class Stranger:
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Stranger(), r"it is an object of type .*\.Stranger, which"),
        (Stranger, r"it is the class .*\.Stranger, which"),
        ([1, (2, Stranger())], r"it\[1\]\.entries\[1\] is an object of type"),
        (line("a", Stranger()), r"it\.values\[1\] is an object of type"),
        ({"a": {1, 2}}, r"it\.values\[0\] is an object of type builtins\.set"),
        (pd.Index([1, 2]), r"it is an object of type pandas\..*Index"),
        (pd.Timestamp("2024-01-01", tz="UTC"), r"it is .*Timestamp"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), r"it is .*datetime"),
        (dt.time(1, tzinfo=dt.UTC), r"it is .*time"),
        (1j, "it is an object of type builtins.complex"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_tree_is_named_by_its_place(value, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        encode(value, "it")


def test_further_parts_of_an_object_have_no_tree():
    column = RealColumn(3)
    column.note = "of Monday"
    with pytest.raises(TypeError, match="RealColumn"):
        encode(column, "it")


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"class": "RealColumn"},
        {"class": ["RealColumn"], "state": {}},
        {"class": "RealColumn", "state": []},
        of("RealColumn"),
        of("RealColumn", position=-1),
        of("RealColumn", position=1, more=2),
        of("Stranger"),
        of("eval", source="1"),
        of("type", name="Stranger"),
        of("dict", keys=[1, 2], values=[1]),
        of("Index", values=["a"], dtype="int64", name=None),
        of("date", text="no date"),
    ],
    ids=str,
)
def test_trees_of_nothing_raise(tree):
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode(tree)


# Codecs


class Pair:
    def __init__(self, low, high):
        self.low, self.high = low, high


PAIRS = by_fields(
    Pair,
    {"low": is_number_in(-9, 9), "high": is_number_in(-9, 9)},
    lambda pair: pair.low <= pair.high,
)


def test_codec_by_fields_takes_objects_apart_and_builds_them():
    state = {"low": 1, "high": 2}
    assert PAIRS.get_state(Pair(1, 2)) == state
    pair = PAIRS.build(state)
    assert type(pair) is Pair
    assert vars(pair) == state


def test_codec_by_fields_refuses_inconsistent_fields():
    with pytest.raises(ValueError, match="the parts of a Pair don't fit together"):
        PAIRS.build({"low": 2, "high": 1})
    with pytest.raises(ValueError, match="high of Pair is wrong or missing"):
        PAIRS.build({"low": 2})


def test_codec_by_values_builds_from_keyword_arguments():
    codec = by_values(lambda pair: {"high": pair.high, "low": pair.low}, Pair)
    pair = codec.build(codec.get_state(Pair(1, 2)))
    assert (pair.low, pair.high) == (1, 2)


# What fits together


def one_hot(places, n_outputs):
    block = OneHotEncoding.__new__(OneHotEncoding)
    block.places, block.labels = np.array(places), ["a"] * n_outputs
    return block


def scale(**lengths):
    fitted = SmoothScale()
    vars(fitted).update({name: np.ones(length) for name, length in lengths.items()})
    fitted.is_constant = np.ones(max(lengths.values()), dtype=bool)
    return fitted


def means(n_codes, n_means, n_labels):
    block = TargetMeans()
    block.table = np.zeros((n_codes, n_means))
    block.labels = ["target"] * n_labels
    return block


def numeric(*columns, **wrong):
    """A block of columns with missing values."""
    arrays = [np.array([1.0, np.nan])] * len(columns)
    block = NumericBlock(columns, SmoothScale().fit(arrays, None))
    vars(block).update(wrong)
    return block


def text(n_terms, n_outputs, terms=None, n_labels=None):
    column = TextBlock(0, "words")
    column.terms = (
        [f"term{place}" for place in range(n_terms)] if terms is None else terms
    )
    column.idf, column.weights = np.ones(n_terms), np.zeros((n_terms, n_outputs))
    column.labels = ["text"] * (n_outputs if n_labels is None else n_labels)
    column.scale = scale(center=n_outputs)
    return column


def categories(known, *blocks):
    column = CategoricalBlock(0, 40, 1)
    column.known, column.has_missing = pd.Index(list(known), dtype=object), False
    column.encodings = list(blocks)
    return column


@pytest.mark.parametrize(
    ("fits", "right", "wrong"),
    [
        (
            _is_scale_consistent,
            [scale(center=2, scale=2)],
            [scale(center=2, scale=1)],
        ),
        (
            _is_one_hot_consistent,
            [one_hot([0, 1, -1], 2), one_hot([-1], 0)],
            [one_hot([0, 2], 2), one_hot([-2, 0], 2), one_hot([0], 0)],
        ),
        (
            _is_numeric_block_consistent,
            [numeric(), numeric(RealColumn(0))],
            [
                numeric(RealColumn(0), indicated=np.array([], int)),
                numeric(RealColumn(0), columns=[]),
            ],
        ),
        (
            _is_text_column_consistent,
            [text(3, 2)],
            [text(3, 2, n_labels=1), text(3, 2, terms=["a"]), text(2, 1, ["a", "a"])],
        ),
        (
            _is_category_column_consistent,
            [
                categories("ab", SignEncoding("ab")),
                categories("abc", one_hot([0, 1, 2, -1], 3), means(4, 1, 1)),
            ],
            [
                categories("abc", one_hot([0, 1, -1], 2)),
                categories("abc", one_hot([0, 1, 2, -1], 3), means(3, 1, 1)),
                categories("aba", one_hot([0, 1, 2, -1], 3)),
            ],
        ),
    ],
    ids=["scale", "one-hot", "numeric", "text", "categories"],
)
def test_what_fits_together(fits, right, wrong):
    assert all(fits(one) for one in right)
    assert not any(fits(one) for one in wrong)


def fitted_encoder():
    table = pd.DataFrame({"age": [1.0, 2.0, np.nan], "town": ["a", "b", "c"]})
    return TableEncoder(min_frequency=1).fit(table)


def encoder_of_text():
    """Numbers, dates and names that are text, and text that is free."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "cost": rng.integers(0, 9, 120).astype(str),
            "day": ["2024-01-01", "2024-02-01"] * 60,
            "note": [f"{a} and {b}" for a, b in rng.integers(0, 50, (120, 2))],
            "name": [f"n{code}" for code in rng.integers(0, 60, 120)],
        }
    )
    return TableEncoder(random_state=0).fit(table, np.arange(120) % 2), table


def test_text_comes_back():
    encoder, table = encoder_of_text()
    assert len(encoder._text) == 2
    loaded = decode(encode(encoder, "encoder"))
    assert_array_equal(loaded.transform(table), encoder.transform(table))
    assert [column.from_text for column in loaded._numeric.columns] == [True, True]


@pytest.mark.parametrize("place", [0, 4], ids=["of numbers", "of none"])
def test_text_has_a_place_of_its_own(place):
    encoder, _ = encoder_of_text()
    tree = encode(encoder, "encoder")
    tree["state"]["_column_blocks"][-1]["state"]["position"] = place
    with pytest.raises(ValueError, match="columns of the encoder don't fit together"):
        decode(tree)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("n_features_in_", 3),
        ("is_categorical_", np.array([False])),
        ("_numeric", numeric()),
        ("_numeric", numeric(RealColumn(1))),
        ("_column_blocks", []),
    ],
    ids=["more", "fewer", "no numbers", "another place", "no categories"],
)
def test_columns_of_an_encoder_have_their_places_and_numbers(part, value):
    encoder = fitted_encoder()
    assert _is_encoder_consistent(encoder)
    setattr(encoder, part, value)
    assert not _is_encoder_consistent(encoder)
    with pytest.raises(ValueError, match="columns of the encoder don't fit together"):
        decode(encode(encoder, "encoder"))


def test_an_encoder_comes_back_fitted_or_not():
    unfitted = decode(encode(TableEncoder(max_categories=7), "encoder"))
    assert unfitted.max_categories == 7
    assert not hasattr(unfitted, "scale_")
    encoder = fitted_encoder()
    loaded = decode(encode(encoder, "encoder"))
    rows = pd.DataFrame({"age": [1.5, np.nan], "town": ["b", "?"]})
    assert_array_equal(loaded.transform(rows), encoder.transform(rows))


# Estimators


def test_attributes_come_by_name_without_who_looks_on():
    encoder = TableEncoder(dtype="float64")
    encoder.is_categorical_ = "some mask"
    encoder._skl_callbacks = [print]
    state = get_estimator_state(encoder, {"is_categorical_"})
    assert list(state) == sorted([*encoder.get_params(), "is_categorical_"])
    assert state["dtype"] == "float64"
    assert state["is_categorical_"] == "some mask"
    with pytest.raises(
        TypeError, match="TableEncoder has an attribute is_categorical_ that"
    ):
        get_estimator_state(encoder, set())


def test_parameters_are_taken_out_of_a_state_and_checked():
    params = TableEncoder(max_categories=5).get_params()
    state = params | {"scale_": "some scale"}
    assert build_estimator(TableEncoder, state).get_params() == params
    assert state == {"scale_": "some scale"}
    with pytest.raises(ValueError, match="max_categories"):
        build_estimator(TableEncoder, params | {"max_categories": 1})
    with pytest.raises(ValueError, match="lacks the parameters categorical"):
        build_estimator(TableEncoder, {})
