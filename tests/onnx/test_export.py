"""to_onnx: the graph says what `predict_proba` says, whatever comes."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto
from sessions import computed, largest_difference, session_of
from sklearn.datasets import load_digits

from skmlp import ACTIVATIONS, MLPSoftmaxClassifier, TableEncoder
from skmlp.onnx import to_inputs, to_onnx
from skmlp.onnx.graph import LOWEST_OPSET, TEXT_OPSET

N_ROWS = 120
NEAR = 1e-5


def holes(values, rng, share=0.15):
    """An array of objects, some of them missing."""
    values = np.array(values, dtype=object)
    values[rng.random(len(values)) < share] = None
    return values


def moments(rng, n_rows):
    seconds = rng.integers(0, 10**8, n_rows)
    return pd.Timestamp("2019-02-28") + pd.to_timedelta(seconds, unit="s")


COLUMNS = {
    "number": lambda rng, n: pd.Series(holes(rng.normal(size=n), rng), dtype=float),
    "large": lambda rng, n: rng.normal(1.7e18, 1e12, n),
    "whole": lambda rng, n: rng.integers(-5, 5, n),
    "constant": lambda rng, n: np.ones(n),
    "nothing": lambda rng, n: np.full(n, np.nan),
    "truth": lambda rng, n: rng.random(n) < 0.5,
    "truth or none": lambda rng, n: pd.array(
        holes(rng.random(n) < 0.5, rng), dtype="boolean"
    ),
    "word": lambda rng, n: holes(rng.choice(list("abc"), n), rng),
    "two words": lambda rng, n: rng.choice(["x", "y"], n),
    "many words": lambda rng, n: [f"w{value}" for value in rng.zipf(1.3, n) % 99],
    "code": lambda rng, n: pd.Categorical(rng.integers(0, 6, n)),
    "interval": lambda rng, n: pd.cut(rng.normal(size=n), 4),
    "day": lambda rng, n: pd.Series(moments(rng, n)).where(rng.random(n) < 0.9),
    "zone": lambda rng, n: moments(rng, n).tz_localize("UTC").tz_convert("Europe/Rome"),
    "lasting": lambda rng, n: pd.to_timedelta(rng.integers(0, 99, n), unit="h"),
    "time": lambda rng, n: [dt.time(hour) for hour in rng.integers(0, 24, n)],
    "number in text": lambda rng, n: holes(
        [f"{v:.3f}" for v in rng.normal(size=n)], rng
    ),
    "day in text": lambda rng, n: holes(moments(rng, n).strftime("%Y-%m-%d"), rng),
    "moment in text": lambda rng, n: moments(rng, n).strftime(
        "%Y-%m-%dT%H:%M:%S-05:00"
    ),
    "note": lambda rng, n: [
        " ".join(rng.choice(["good", "Bad", "tea", "!!", "a.b"], 6)) + f" {i}"
        for i in range(n)
    ],
    "name": lambda rng, n: ["".join(rng.choice(list("aeioukl"), 6)) for _ in range(n)],
}
"""Columns of every kind that a graph can hold, of some rows."""

ODD = {
    "number": [np.inf, -np.inf, 1e308, -1e308, np.nan],
    "whole": [10**15, -(10**15)],
    "word": ["never seen", "", " a", "A"],
    "many words": ["never seen", None],
    "number in text": ["1e400", "-1e999", "none", "12", ""],
    "day in text": ["2024-02-30", "today", "", None],
    "moment in text": ["2024-02-29T10:20Z", "?"],
    "note": ["", None, "GOOD TEA", "\u00e4rger", "good " * 99],
    "name": [None, "KAELI", "a  b", "\u65e5\u672c"],
}
"""What no training row had."""


def spoilt(X, rng):
    """Rows of a table, some of them with what was never there."""
    X = X.sample(len(X), replace=True, random_state=rng.integers(1000))
    X = X.reset_index(drop=True)
    for name in ODD.keys() & set(X):
        places = rng.choice(len(X), len(ODD[name]), replace=False)
        X[name] = X[name].astype(float if name in ("number", "whole") else object)
        X.loc[places, name] = ODD[name]
    return X


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "hidden_layer_sizes": st.sampled_from([(), (7,), (5, 4)]),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "numeric_embedding": st.sampled_from([None, "periodic"]),
        "n_estimators": st.integers(1, 4),
        "temperature": st.sampled_from([None, "auto", 0.7, 1.8]),
        "dtype": st.sampled_from(["float32", "float64"]),
        "dropout": st.sampled_from([0.0, 0.3]),
        "solver": st.sampled_from(["adam", "sgd"]),
    },
)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    names=st.lists(
        st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6, unique=True
    ),
    params=SETTINGS,
    n_classes=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_any_table_and_settings(names, params, n_classes, seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({name: COLUMNS[name](rng, N_ROWS) for name in sorted(names)})
    y = rng.integers(0, n_classes, N_ROWS)
    y[:n_classes] = np.arange(n_classes)
    model = MLPSoftmaxClassifier(**{"max_iter": 3, "random_state": 0, **params})
    model.fit(X, y)
    assert largest_difference(model, X) < NEAR
    assert largest_difference(model, spoilt(X, rng)) < NEAR
    assert largest_difference(model, X[:1]) < NEAR


CELLS = {
    "text": [
        "a",
        "A",
        "",
        " ",
        "1",
        "1.0",
        "True",
        "(1, 2)",
        "a\0b",
        "\xe9",
        "e\u0301",
    ],
    "numbers in text": ["1", " 2.5", "1e3", "1e400", "0." + "3" * 150, "\xa07"],
    "dates in text": ["2024-01-01", "2024-02-29T10:20", "2024-02-30", "0001-01-01"],
    "whole": [0, 1, 2, 3, -1, 1000],
    "large": [2**53, 2**53 + 1, 2**62, 2**62 + 1, 2**63 - 1, -(2**63)],
    "huge": [2**64, 10**30, 10**30 + 1, -(10**30)],
    "floats": [0.5, 1.0, -0.0, 0.1, 1e300, float("inf"), 2.0**53],
    "truth": [True, False],
    "exact": [Decimal("0.1"), Decimal("1.0"), Fraction(1, 3), Fraction(1, 2)],
    "days": [dt.date(2024, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "moments": [pd.Timestamp("2024-01-01"), dt.datetime(2020, 5, 6, 7, 8, 9, 10)],
    "zones": [
        pd.Timestamp("2024-01-01", tz="UTC"),
        pd.Timestamp("2024-01-01 01:00", tz="Europe/Vienna"),
        pd.Timestamp("2020-06-01", tz="US/Eastern"),
    ],
    "lasting": [dt.timedelta(1), pd.Timedelta("1D"), pd.Timedelta("12ms")],
    "times": [dt.time(1), dt.time(23, 59, 59, 999_999)],
    "periods": [pd.Period("2024-01", "M"), pd.Period("2024-02", "M")],
    "intervals": [pd.Interval(0, 1), pd.Interval(0.0, 1.0), pd.Interval(1, 2.5)],
    "tuples": [(1, 2), (1.0, 2), ("a",), ()],
    "sets": [frozenset("ab"), frozenset()],
    "surrogates": ["\ud800", "a"],
    "notes": [f"Good tea {place}" for place in range(30)],
    "missing": [None, np.nan, pd.NA],
}
"""Cells that are alike, or that are equal and print differently."""

NAMES = ["a", "b", "", "label", "block", "skmlp_Cast_1", "X", "x0", "n\0", "s\ud800"]


@st.composite
def random_columns(draw):
    """Cells of the training rows and of others, and whether they are categories."""
    kinds = st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=2)
    train = [cell for kind in draw(kinds) for cell in CELLS[kind]]
    new = train + [cell for kind in draw(kinds) for cell in CELLS[kind]]
    parts = [
        draw(st.lists(st.sampled_from(cells), min_size=size, max_size=size))
        for cells, size in ((train, 24), (new, 12))
    ]
    are_categories = draw(st.booleans())
    return [as_column(part, are_categories) for part in parts]


def as_column(cells, are_categories):
    """A series of objects as they are, or of categories."""
    objects = np.empty(len(cells), dtype=object)
    objects[:] = cells
    if not are_categories:
        return pd.Series(objects, dtype=object)
    codes, distinct = pd.factorize(objects)
    known = pd.Index(distinct, dtype=object, tupleize_cols=False)
    return pd.Series(pd.Categorical.from_codes(codes, known))


def as_frame(columns, place):
    """The training rows, or the others."""
    parts = [parts[place] for parts in columns.values()]
    names = pd.Index(list(columns), dtype=object)
    return pd.DataFrame(dict(enumerate(parts))).set_axis(names, axis=1)


def refused_by_name(error, columns):
    """Whether a message names one of the columns."""
    return any(f"column {name!r}" in str(error) for name in columns)


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    columns=st.dictionaries(
        st.sampled_from(NAMES), random_columns(), min_size=1, max_size=3
    ),
    forced=st.lists(st.booleans(), min_size=3, max_size=3),
    max_categories=st.sampled_from([2, 3, 40]),
    min_frequency=st.sampled_from([1, 2, 9]),
)
def test_to_onnx_random_cells_agree_with_python_or_are_refused_by_name(
    columns, forced, max_categories, min_frequency
):
    train, new = as_frame(columns, 0), as_frame(columns, 1)
    encoder = TableEncoder(
        np.flatnonzero(forced[: len(columns)]).tolist(),
        max_categories=max_categories,
        min_frequency=min_frequency,
        random_state=0,
    )
    model = MLPSoftmaxClassifier(
        (4,), preprocessing=encoder, max_iter=2, n_estimators=1, random_state=0
    )
    try:
        onnx_model = to_onnx(model.fit(train, np.arange(24) % 3))
    except (TypeError, ValueError) as error:
        if not refused_by_name(error, columns):
            raise
        return
    session = session_of(onnx_model)
    for X in (train, new, new[:1]):
        try:
            feeds = to_inputs(onnx_model, X)
        except (TypeError, ValueError) as error:
            if not refused_by_name(error, columns):
                raise
            continue
        label, probabilities = session.run(None, feeds)
        wanted = model.predict_proba(X)
        assert_allclose(probabilities, wanted, atol=NEAR)
        assert_array_equal(label, model.classes_[probabilities.argmax(axis=1)])


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: make(rng, N_ROWS) for name, make in COLUMNS.items()})


@pytest.fixture(scope="module")
def model(table):
    y = np.arange(N_ROWS) % 3
    return MLPSoftmaxClassifier(max_iter=5, random_state=0).fit(table, y)


def test_a_table_of_all_kinds(model, table):
    labels, probabilities = computed(model, table)
    wanted = model.predict_proba(table)
    assert probabilities.dtype == np.float32
    assert_allclose(probabilities, wanted, atol=1e-6)
    assert_array_equal(labels, model.predict(table))


@pytest.mark.parametrize("level", ["DISABLE_ALL", "ENABLE_BASIC", "ENABLE_ALL"])
def test_whatever_onnxruntime_optimises(model, table, level):
    onnx_model = to_onnx(model)
    level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{level}")
    session = session_of(onnx_model, level)
    _, probabilities = session.run(None, to_inputs(onnx_model, table))
    assert_allclose(probabilities, model.predict_proba(table), atol=1e-6)


def test_a_row_is_told_the_same_by_itself_and_among_others(model, table):
    onnx_model = to_onnx(model)
    session = session_of(onnx_model)
    feeds = to_inputs(onnx_model, table)
    _, together = session.run(None, feeds)
    alone = [
        session.run(None, {name: x[[place]] for name, x in feeds.items()})[1][0]
        for place in range(20)
    ]
    assert_allclose(together[:20], alone, atol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        [0, 1],
        [False, True],
        [1.0, 2.0],
        [-7, 300],
        [2**53, 2**53 + 1],
        [2**63, 2**63 + 1],
    ],
)
def test_labels(labels):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.array(labels)[(X[:, 0] > 0).astype(int)]
    model = MLPSoftmaxClassifier((), max_iter=5, random_state=0).fit(X, y)
    assert_array_equal(computed(model, X)[0], model.predict(X))


@pytest.mark.parametrize("name", ["", "block", "skmlp_Cast_1", "skmlp_body_block", "X"])
def test_to_onnx_names_of_columns_meet_none_of_the_graph(name):
    X = pd.DataFrame({name: np.arange(40.0) % 7, "kind": list("ab") * 20})
    model = MLPSoftmaxClassifier((4,), max_iter=2, numeric_embedding="periodic")
    assert largest_difference(model.fit(X, [0, 1] * 20), X) < NEAR


def test_to_onnx_values_that_come_once():
    towns = [f"town {place}" for place in range(30)]
    X = pd.DataFrame({"town": towns, "age": np.arange(30)})
    model = MLPSoftmaxClassifier((4,), max_iter=2).fit(X, np.arange(30) % 2)
    assert largest_difference(model, X) < NEAR


def test_columns_that_are_called_as_the_outputs_are():
    X = pd.DataFrame({"label": [1.0, 2.0] * 20, "probabilities": list("ab") * 20})
    model = MLPSoftmaxClassifier((), max_iter=2).fit(X, [0, 1] * 20)
    outputs = [entry.name for entry in to_onnx(model).graph.output]
    assert outputs == ["output_label", "output_probabilities"]
    assert largest_difference(model, X) < NEAR


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("preprocessing", [None, "auto", TableEncoder(min_frequency=3)])
def test_arrays(dtype, preprocessing):
    X, y = load_digits(return_X_y=True)
    params = {"preprocessing": preprocessing, "dtype": dtype, "random_state": 0}
    model = MLPSoftmaxClassifier((16,), max_iter=2, **params).fit(X[:400], y[:400])
    (entry,) = to_onnx(model).graph.input
    is_double = preprocessing is not None or dtype == "float64"
    elem_type = TensorProto.DOUBLE if is_double else TensorProto.FLOAT
    assert entry.name == "X"
    assert entry.type.tensor_type.elem_type == elem_type
    assert largest_difference(model, X) < NEAR


def test_what_partial_fit_has_learnt(table):
    model = MLPSoftmaxClassifier(random_state=0, n_estimators=2)
    y = np.arange(N_ROWS) % 2
    model.partial_fit(table[["number", "word"]], y, classes=[0, 1])
    assert largest_difference(model, table[["number", "word"]]) < NEAR


def test_versions_are_as_low_as_they_may_be(table):
    def opsets(names):
        model = MLPSoftmaxClassifier(max_iter=2).fit(
            table[names], np.arange(N_ROWS) % 2
        )
        return {entry.domain: entry.version for entry in to_onnx(model).opset_import}

    assert opsets(["number", "day"]) == {"": LOWEST_OPSET}
    assert opsets(["word"]) == {"": LOWEST_OPSET, "ai.onnx.ml": 2}
    note = {"": TEXT_OPSET, "ai.onnx.ml": 2, "com.microsoft": 1}
    assert opsets(["note"]) == note
    assert opsets(["number in text", "moment in text"]) == {"": LOWEST_OPSET}


def test_size_is_that_of_what_was_learnt():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=500), "b": rng.choice(list("xyz"), 500)})
    model = MLPSoftmaxClassifier(max_iter=2).fit(X, rng.integers(0, 2, 500))
    n_bytes = len(to_onnx(model).SerializeToString())
    assert n_bytes < 1.1 * model.parameters_.nbytes


def test_the_graph_does_not_grow_with_the_number_of_networks(table):
    def n_nodes(n_estimators):
        X, y = table[["number", "word"]], np.arange(N_ROWS) % 2
        model = MLPSoftmaxClassifier(n_estimators=n_estimators, max_iter=2).fit(X, y)
        return len(to_onnx(model).graph.node)

    assert n_nodes(2) == n_nodes(9)
