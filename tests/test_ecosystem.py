"""At home in scikit-learn and pandas: every tool that takes a classifier takes ours."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import sklearn
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import PReLU

FRAME, LABELS = load_wine(return_X_y=True, as_frame=True)
NAMES = pd.Series(np.array(["barolo", "grignolino", "barbera"])[LABELS], name="wine")


def quick(**params):
    """A network that ends by its schedule, so that no warning is due."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_iter": 15,
        "batch_size": 32,
        "random_state": 0,
    }
    return classic(**defaults | params)


def scaled(**params):
    """The network behind a scaler that hands on data frames."""
    scaler = StandardScaler().set_output(transform="pandas")
    return Pipeline([("scale", scaler), ("mlp", quick(**params))])


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV,
        lambda model, grid, **kwargs: RandomizedSearchCV(
            model, grid, n_iter=3, random_state=0, **kwargs
        ),
        lambda model, grid, **kwargs: HalvingGridSearchCV(
            model, grid, resource="mlp__max_iter", max_resources=20, **kwargs
        ),
    ],
    ids=["grid", "randomized", "halving"],
)
def test_searches_over_sizes_activations_and_dropout(search):
    grid = {
        "mlp__hidden_layer_sizes": [(8,), (16,)],
        "mlp__activation": ["relu", PReLU(init=0.1)],
        "mlp__dropout": [0.0, 0.1],
    }
    found = search(scaled(), grid, cv=3, scoring="neg_log_loss").fit(FRAME, NAMES)
    assert found.best_score_ > -0.5
    assert list(found.best_estimator_.feature_names_in_) == list(FRAME.columns)
    assert set(found.predict(FRAME)) == set(NAMES)


@pytest.mark.parametrize(
    "ensemble",
    [
        VotingClassifier(
            [("mlp", scaled()), ("linear", make_pipeline(StandardScaler(), quick()))],
            voting="soft",
        ),
        StackingClassifier(
            [("one", scaled()), ("two", scaled(activation="tanh"))],
            LogisticRegression(),
            cv=3,
        ),
    ],
    ids=["voting", "stacking"],
)
def test_ensembles(ensemble):
    ensemble.fit(FRAME, NAMES)
    assert ensemble.score(FRAME, NAMES) > 0.95


def test_cross_validation_and_permutation_importance():
    probabilities = cross_val_predict(
        scaled(), FRAME, NAMES, cv=3, method="predict_proba"
    )
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    accuracy = np.unique(NAMES)[probabilities.argmax(axis=1)] == NAMES
    assert accuracy.mean() > 0.9

    importance = permutation_importance(
        scaled().fit(FRAME, NAMES), FRAME, NAMES, n_repeats=2, random_state=0
    )
    assert importance.importances_mean.shape == (FRAME.shape[1],)
    assert importance.importances_mean.max() > 0


def test_column_transformer_with_pandas_output():
    frame = FRAME.assign(colour=np.where(FRAME["hue"] > 1, "red", "brown"))
    columns = make_column_transformer(
        (StandardScaler(), list(FRAME.columns)),
        (sklearn.preprocessing.OneHotEncoder(sparse_output=False), ["colour"]),
    ).set_output(transform="pandas")
    model = make_pipeline(columns, quick()).fit(frame, NAMES)
    assert model[-1].feature_names_in_[-1] == "onehotencoder__colour_red"
    assert model.score(frame, NAMES) > 0.95


def test_multilabel_by_scikit_learns_wrapper():
    targets = np.column_stack([LABELS == 0, FRAME["alcohol"] > 13])
    model = MultiOutputClassifier(scaled()).fit(FRAME, targets)
    assert model.predict(FRAME).shape == targets.shape


def test_weights_and_validation_rows_are_routed_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = quick(dtype="float64").set_fit_request(
            X_val=True, y_val=True, sample_weight=True
        )
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = Pipeline(
            [("scale", scaler), ("mlp", mlp)], transform_input=["X_val"]
        )
        validation = np.arange(len(FRAME)) % 4 == 0
        weight = np.linspace(0.5, 2, (~validation).sum())
        pipeline.fit(
            FRAME[~validation],
            NAMES[~validation],
            sample_weight=weight,
            X_val=FRAME[validation],
            y_val=NAMES[validation],
        )
    by_hand = StandardScaler().fit(FRAME[~validation])
    expected = quick(dtype="float64").fit(
        by_hand.transform(FRAME[~validation]),
        NAMES[~validation],
        weight,
        X_val=by_hand.transform(FRAME[validation]),
        y_val=NAMES[validation],
    )
    assert_array_equal(pipeline[-1].parameters_, expected.parameters_)
    assert len(pipeline[-1].validation_loss_curve_) == 15


def test_routed_weights_in_cross_validation():
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        results = cross_validate(
            model,
            StandardScaler().fit_transform(FRAME),
            NAMES,
            params={"sample_weight": np.ones(len(NAMES))},
            cv=3,
        )
    assert results["test_score"].mean() > 0.9


def test_clone_and_parameters_round_trip():
    model = quick(activation=[PReLU(init=0.1, shared=True)])
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.activation is not model.activation
    twin.set_params(activation="tanh", hidden_layer_sizes=(4, 4))
    assert twin.get_params()["activation"] == "tanh"
    assert model.activation == [PReLU(init=0.1, shared=True)]
    fitted = model.fit(FRAME.iloc[:, :3], NAMES)
    assert_array_equal(
        copy.deepcopy(fitted).predict_proba(FRAME.iloc[:, :3]),
        fitted.predict_proba(FRAME.iloc[:, :3]),
    )


def test_html_repr_links_to_the_documentation():
    html = quick()._repr_html_()
    assert "MLPSoftmaxClassifier" in html
    assert "docs/user_guide.md" in html


def test_eight_threads_get_what_one_gets():
    X = StandardScaler().fit_transform(FRAME)
    model = quick(activation="prelu", dropout=0.1).fit(X, NAMES)
    parts = [X[start::8] for start in range(8)] * 25
    expected = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(model.predict_proba, parts))
    for result, wanted in zip(results, expected, strict=True):
        assert_array_equal(result, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_asked_for_is_the_type_throughout(dtype):
    model = quick(dtype=dtype, early_stopping=True).fit(FRAME.to_numpy(), NAMES)
    arrays = [model.parameters_, *model.coefs_, *model.intercepts_]
    arrays.append(model.predict_proba(FRAME.to_numpy(dtype=np.float32)))
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("kind", ["Int64", "string", "category", "boolean"])
def test_labels_of_every_pandas_type(kind):
    labels = LABELS == 1 if kind == "boolean" else NAMES
    labels = LABELS.astype(kind) if kind == "Int64" else labels.astype(kind)
    model = scaled().fit(FRAME, labels)
    assert model.score(FRAME, labels) > 0.95
