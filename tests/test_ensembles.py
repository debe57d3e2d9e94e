"""Ensembles: networks that are trained together and averaged in probability."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skmlp import MLPSoftmaxClassifier
from skmlp.defaults import MEMBER_CONFIGS
from skmlp.nn.calibration import fit_ensemble_weights
from skmlp.nn.losses import softmax
from skmlp.nn.network import Network

X, Y = load_digits(return_X_y=True)
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, stratify=Y, random_state=0)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)
IGNORE_CONVERGENCE = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def ensemble(**params):
    defaults = {
        "hidden_layer_sizes": (16,),
        "n_estimators": 5,
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.01,
        "max_iter": 10,
        "random_state": 0,
    }
    return MLPSoftmaxClassifier(**defaults | params)


def test_probabilities_are_the_mean_over_the_networks():
    model = ensemble().fit(X_TRAIN, Y_TRAIN)
    assert model.n_estimators_ == 5
    assert model.parameters_.shape == (5, model.n_parameters_)
    x = model.encoder_.transform(X_TEST)
    expected = np.average(
        [
            softmax(Network(model.architecture_, one).logits(x))
            for one in model.parameters_
        ],
        axis=0,
        weights=model.member_weights_,
    )
    assert_allclose(model.predict_proba(X_TEST), expected, atol=1e-6)
    assert [w.shape[0] for w in model.coefs_ + model.intercepts_] == [5] * 4
    assert np.ptp(model.coefs_[0], axis=0).min() > 0


def test_an_ensemble_says_more_than_its_networks():
    model = ensemble().fit(X_TRAIN, Y_TRAIN)
    x = model.encoder_.transform(X_TEST)
    alone = [
        log_loss(Y_TEST, softmax(Network(model.architecture_, one).logits(x)))
        for one in model.parameters_
    ]
    assert log_loss(Y_TEST, model.predict_proba(X_TEST)) < np.mean(alone)


@IGNORE_CONVERGENCE
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_an_ensemble_repeats_with_the_seed_however_many_threads(solver):
    params = {"solver": solver, "dropout": 0.0 if solver == "lbfgs" else 0.2}
    models = [ensemble(**params).fit(X_IRIS, Y_IRIS)]
    with threadpool_limits(1):
        models.append(ensemble(**params).fit(X_IRIS, Y_IRIS))
    assert_array_equal(models[0].parameters_, models[1].parameters_)
    other = ensemble(**params | {"random_state": 1}).fit(X_IRIS, Y_IRIS)
    assert not np.array_equal(other.parameters_, models[0].parameters_)


@IGNORE_CONVERGENCE
def test_going_on_with_an_ensemble_is_one_longer_run():
    params = {"learning_rate": "constant", "early_stopping": False, "dropout": 0.0}
    params |= {"shuffle": False, "tol": 0, "n_iter_no_change": np.inf}
    whole = ensemble(**params).fit(X_IRIS, Y_IRIS)
    parts = ensemble(**params | {"warm_start": True, "max_iter": 5})
    parts.fit(X_IRIS, Y_IRIS).fit(X_IRIS, Y_IRIS)
    assert_allclose(parts.parameters_, whole.parameters_, rtol=1e-5, atol=1e-6)


def test_an_ensemble_learns_in_parts():
    model = ensemble(learning_rate="constant", early_stopping=False)
    for _ in range(30):
        model.partial_fit(X_IRIS, Y_IRIS, [0, 1, 2])
    assert model.n_estimators_ == 5
    assert model.score(X_IRIS, Y_IRIS) > 0.9


def test_partial_fit_trains_one_network_of_the_size_of_the_first_batch():
    model = MLPSoftmaxClassifier(random_state=0)
    model.partial_fit(X_IRIS[::3], Y_IRIS[::3], [0, 1, 2])
    sizes = model.architecture_.hidden_layer_sizes
    model.partial_fit(np.tile(X_IRIS, (200, 1)), np.tile(Y_IRIS, 200))
    assert model.n_estimators_ == 1
    assert model.architecture_.hidden_layer_sizes == sizes


def test_another_number_of_networks_does_not_go_on():
    model = ensemble(warm_start=True).fit(X_IRIS, Y_IRIS)
    before = model.parameters_
    with pytest.raises(ValueError, match="networks, hidden layers"):
        model.set_params(n_estimators=3).fit(X_IRIS, Y_IRIS)
    assert model.parameters_ is before


@IGNORE_CONVERGENCE
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_learnt_as_dense_ones(solver):
    params = {"solver": solver, "numeric_embedding": None, "dtype": "float64"}
    params |= {"dropout": 0.0, "preprocessing": None, "n_estimators": 3}
    X = X_TRAIN / 16
    dense = ensemble(**params).fit(X, Y_TRAIN)
    model = ensemble(**params).fit(csr_matrix(X), Y_TRAIN)
    if solver == "lbfgs":
        assert_allclose(model.parameters_, dense.parameters_, rtol=1e-3, atol=1e-5)
    assert model.score(X_TEST / 16, Y_TEST) > 0.8


def test_an_ensemble_takes_sparse_rows_weights_and_rows_of_ones_own():
    X = csr_matrix(X_TRAIN / 16)
    weight = np.random.default_rng(0).uniform(0, 2, len(Y_TRAIN))
    weight[:5] = 0
    X_val = X_TEST / 16
    model = ensemble(preprocessing=None)
    model.fit(X, Y_TRAIN, weight, X_val=X_val, y_val=Y_TEST)
    dense = clone(model).set_params(numeric_embedding="periodic")
    dense.fit(X.toarray(), Y_TRAIN, weight, X_val=X_val, y_val=Y_TEST)
    assert model.architecture_.n_periodic == 0 < dense.architecture_.n_periodic
    assert len(model.validation_scores_) == 10
    for one in (model, dense):
        assert one.score(X_val, Y_TEST) > 0.8


def test_a_scorer_sees_each_network_on_its_own_rows():
    seen = []

    def score(model, X, y):
        seen.append(y)
        return model.score(X, y)

    model = ensemble(scoring=score, max_iter=2).fit(X_TRAIN, Y_TRAIN)
    assert len(seen) == 2 * 5
    assert model.validation_scores_[0] <= 1
    assert not np.array_equal(seen[0], seen[1])


def test_the_default_holds_out_what_it_can_without_a_word():
    X, y = X_IRIS[::50], Y_IRIS[::50]
    model = MLPSoftmaxClassifier(random_state=0).fit(X, y)
    assert model.validation_scores_ is None
    with pytest.warns(UserWarning, match="no class has enough rows.*largest has 1"):
        clone(model).set_params(early_stopping=True, validation_fraction=0.1).fit(X, y)


def test_a_temperature_is_fitted_where_no_network_has_seen_the_rows():
    one = ensemble(n_estimators=1).fit(X_TRAIN, Y_TRAIN)
    assert one.temperature_ != 1
    assert ensemble().fit(X_TRAIN, Y_TRAIN).temperature_ == 1
    assert ensemble(early_stopping=False).fit(X_TRAIN, Y_TRAIN).temperature_ == 1
    model = ensemble(label_smoothing=0.4)
    model.fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
    assert 0.1 < model.temperature_ < 0.9
    fitted = log_loss(Y_TEST, model.predict_proba(X_TEST))
    for temperature in (None, 0.5 * model.temperature_):
        other = clone(model).set_params(temperature=temperature)
        other.fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
        assert log_loss(Y_TEST, other.predict_proba(X_TEST)) > fitted
        assert_array_equal(other.predict(X_TEST), model.predict(X_TEST))


# Networks of several kinds


def of_each(model, X):
    """Probabilities by each network alone, in float64."""
    x = model.encoder_.transform(X).astype(np.float64)
    architecture = replace(model.architecture_, dtype="float64")
    return np.stack(
        [
            softmax(Network(architecture, one.astype(np.float64)).logits(x))
            for one in model.parameters_
        ]
    )


def of_kinds(**params):
    """Two networks of each kind; each row is held out by one of the two of a kind."""
    return ensemble(
        n_estimators=2 * len(MEMBER_CONFIGS),
        validation_fraction=0.5,
        temperature="auto",
    ).set_params(**params)


def test_probabilities_are_the_weighted_mean_and_then_tempered():
    model = of_kinds(label_smoothing=0.2).fit(X_TRAIN, Y_TRAIN)
    weights = model.member_weights_
    assert weights.shape == (8,)
    assert weights.sum() == pytest.approx(1)
    assert_array_equal(weights[::2], weights[1::2])
    assert np.ptp(weights) > 0.01
    assert abs(model.temperature_ - 1) > 0.05
    mean = sum(
        weight * p for weight, p in zip(weights, of_each(model, X_TEST), strict=True)
    )
    powers = mean ** (1 / model.temperature_)
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert_allclose(model.predict_proba(X_TEST), expected, atol=1e-5)


def test_rows_of_ones_own_weigh_the_kinds():
    model = of_kinds(temperature=None)
    model.fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
    of_kind = of_each(model, X_TEST).reshape(len(MEMBER_CONFIGS), 2, len(X_TEST), -1)
    # all networks judge all of these rows
    of_class = of_kind.mean(axis=1)[:, np.arange(len(Y_TEST)), Y_TEST]
    ensemble_weights = fit_ensemble_weights(np.maximum(of_class, 1e-30).T)
    assert_allclose(
        model.member_weights_, np.repeat(ensemble_weights / 2, 2), atol=1e-4
    )
    equal = clone(model).set_params(member_weights=None)
    equal.fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
    assert_array_equal(equal.parameters_, model.parameters_)
    assert_allclose(equal.member_weights_, 1 / 8)
    assert log_loss(Y_TEST, model.predict_proba(X_TEST)) < log_loss(
        Y_TEST, equal.predict_proba(X_TEST)
    )


@pytest.mark.parametrize(
    "params",
    [
        {"member_weights": None},
        {"diverse_members": False},
        {"early_stopping": False},
        {"solver": "lbfgs"},
        {"n_estimators": 1},
    ],
    ids=str,
)
@IGNORE_CONVERGENCE
def test_networks_count_the_same_where_they_are_not_weighed(params):
    model = of_kinds(**params).fit(X_IRIS, Y_IRIS)
    n_networks = model.n_estimators_
    assert_allclose(model.member_weights_, np.full(n_networks, 1 / n_networks))


def test_waves_of_kinds_are_of_other_speeds():
    ratios = []
    for diverse in (True, False):
        model = of_kinds(diverse_members=diverse, max_iter=1).fit(X_IRIS, Y_IRIS)
        layers = [Network(model.architecture_, one).layers for one in model.parameters_]
        # one epoch hardly moves them
        speeds = [np.std(first.p.frequency_phase[..., 0]) for first, *_ in layers]
        ratios.append(max(speeds) / min(speeds))
    frequencies = [kind.frequency for kind in MEMBER_CONFIGS]
    assert ratios[0] > 0.3 * max(frequencies) / min(frequencies) > 3 * ratios[1]


def test_each_network_has_an_epoch_of_its_own():
    params = {"learning_rate": "constant", "max_iter": 60, "n_iter_no_change": 3}
    model = of_kinds(**params).fit(X_IRIS, Y_IRIS)
    assert model.best_iter_.shape == (8,)
    assert len(np.unique(model.best_iter_)) > 1
    assert 1 <= model.best_iter_.min() <= model.best_iter_.max() <= model.n_iter_
    alone = of_kinds(**params, n_estimators=1).fit(X_IRIS, Y_IRIS)
    assert type(alone.best_iter_) is int
    assert_array_equal(alone.member_weights_, [1.0])


def test_networks_whose_rate_falls_at_a_plateau_have_one_epoch():
    params = {"learning_rate": "adaptive", "solver": "sgd", "n_iter_no_change": 2}
    params["tol"] = 0.05
    model = of_kinds(**params, max_iter=40).fit(X_IRIS, Y_IRIS)
    assert np.ptp(model.best_iter_) == 0
    assert min(model.history_["learning_rate"]) < 0.01


def test_a_network_that_has_ended_is_as_if_trained_with_others_or_without():
    # the first two are one stack in NumPy, the others one that goes on for longer
    params = {"learning_rate": "constant", "dtype": "float64", "n_iter_no_change": 3}
    params |= {"diverse_members": False, "n_estimators": 2}
    whole = of_kinds(**params, max_iter=60).fit(X_IRIS, Y_IRIS)
    first = int(whole.best_iter_.argmin())
    n_epochs = int(whole.best_iter_.min()) + 3
    assert n_epochs < whole.n_iter_
    early = of_kinds(**params, max_iter=n_epochs).fit(X_IRIS, Y_IRIS)
    assert early.best_iter_[first] == whole.best_iter_[first]
    assert_array_equal(early.parameters_[first], whole.parameters_[first])


def test_classes_told_apart_without_error_are_told_with_more_certainty():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(900, 4))
    y = (X @ [1.0, -2.0, 0.5, 0.0] > 0.2).astype(int)
    plain = {"diverse_members": False, "member_weights": None, "temperature": None}
    losses = [
        log_loss(
            y[400:],
            MLPSoftmaxClassifier(random_state=0, max_iter=100, **params)
            .fit(X[:400], y[:400])
            .predict_proba(X[400:]),
        )
        for params in ({}, plain)
    ]
    assert losses[0] < 0.8 * losses[1]
