"""The same start, the same steps: weights against scikit-learn's MLPClassifier."""

import numpy as np
import pytest
from networks import classic
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_WINE, Y_WINE = load_wine(return_X_y=True)
X_WINE = StandardScaler().fit_transform(X_WINE)


def fit_both_from_one_start(X, y, sample_weight=None, **params):
    """Ours and theirs after `max_iter` epochs, begun from scikit-learn's start.

    Both are fitted once to exist, and then go on from the same weights.
    """
    params = {"alpha": 0.0, "shuffle": False, "random_state": 0, "tol": 0.0} | params
    theirs = MLPClassifier(**params | {"max_iter": 1}).fit(X, y)
    ours = classic(**params | {"max_iter": 1}, preprocessing=None, dtype="float64").fit(
        X, y
    )
    rng = np.random.default_rng(0)
    for mine, his in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        his[:] = rng.normal(0, 0.3, his.shape)
        mine[:] = his
    for model in (ours, theirs):
        model.set_params(warm_start=True, **params)
        model.t_ = 0
        model.fit(X, y, sample_weight=sample_weight)
    return ours, theirs


def assert_same_weights(ours, theirs, atol):
    for mine, his in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert_allclose(mine, his, rtol=0, atol=atol)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("hidden_layer_sizes", [(12,), (9, 7)])
@pytest.mark.parametrize(
    "solver",
    [
        {"solver": "adam", "learning_rate_init": 0.01},
        {"solver": "sgd", "learning_rate_init": 0.1},
        {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False},
        {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0},
        {"solver": "lbfgs"},
    ],
    ids=lambda solver: "-".join(map(str, solver.values())),
)
def test_ten_epochs_give_the_same_weights(activation, hidden_layer_sizes, solver):
    ours, theirs = fit_both_from_one_start(
        X_WINE,
        Y_WINE,
        activation=activation,
        hidden_layer_sizes=hidden_layer_sizes,
        batch_size=32,
        max_iter=10,
        **solver,
    )
    assert_same_weights(ours, theirs, atol=1e-6)
    assert_allclose(ours.loss_, theirs.loss_, atol=1e-8)
    assert_allclose(ours.predict_proba(X_WINE), theirs.predict_proba(X_WINE), atol=1e-6)


def test_invscaling_follows_the_same_learning_rates():
    ours, theirs = fit_both_from_one_start(
        X_WINE,
        Y_WINE,
        solver="sgd",
        momentum=0.0,
        learning_rate="invscaling",
        learning_rate_init=0.5,
        power_t=0.3,
        batch_size=32,
        max_iter=10,
    )
    assert_same_weights(ours, theirs, atol=1e-6)


def test_adaptive_falls_at_the_same_epochs():
    ours, theirs = fit_both_from_one_start(
        X_WINE,
        Y_WINE,
        solver="sgd",
        momentum=0.0,
        learning_rate="adaptive",
        learning_rate_init=0.5,
        n_iter_no_change=2,
        tol=1e-2,
        batch_size=32,
        max_iter=60,
    )
    assert ours.n_iter_ == theirs.n_iter_
    assert len(set(ours.history_["learning_rate"])) > 1
    assert_same_weights(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_the_penalty_is_the_same_on_a_full_batch(solver):
    ours, theirs = fit_both_from_one_start(
        X_WINE,
        Y_WINE,
        solver=solver,
        alpha=5.0,
        batch_size=len(Y_WINE),
        learning_rate_init=0.1,
        max_iter=10,
    )
    assert_same_weights(ours, theirs, atol=1e-6)
    # with "sgd", scikit-learn takes the penalty before each step, we after the epoch
    tolerance = 1e-8 if solver == "lbfgs" else 0.05
    assert_allclose(ours.loss_, theirs.loss_, rtol=tolerance)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_sample_weights_are_the_same_on_a_full_batch(solver):
    weight = np.random.default_rng(1).uniform(0.2, 3.0, len(Y_WINE))
    ours, theirs = fit_both_from_one_start(
        X_WINE,
        Y_WINE,
        weight,
        solver=solver,
        alpha=1.0,
        batch_size=len(Y_WINE),
        max_iter=10,
    )
    assert_same_weights(ours, theirs, atol=1e-6)


def test_softmax_regression_is_logistic_regression():
    X, y = load_iris(return_X_y=True)
    alpha = 2.0
    ours = classic(
        (),
        preprocessing=None,
        solver="lbfgs",
        alpha=alpha,
        tol=1e-9,
        max_iter=5000,
        dtype="float64",
    ).fit(X, y)
    theirs = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=5000).fit(X, y)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_allclose(ours.coefs_[0].T, theirs.coef_, atol=1e-4)
