"""Which engine computes, and that it makes no difference but in the last digits."""

import gc
import pickle
import signal
import warnings

import numpy as np
import pytest
from networks import assert_same_predictions, classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skmlp import ACTIVATIONS, MLPSoftmaxClassifier, ReLU, load
from skmlp import backend as engines
from skmlp.backend import (
    CORE_OPTIMIZERS,
    NUMPY,
    PREDICTORS,
    choose_backend,
    make_predictor,
    predict_in_parts,
)
from skmlp.core.learner import CoreLearner
from skmlp.core.library import _get_library, engine
from skmlp.core.network import CorePredictor
from skmlp.nn.losses import compute_probabilities
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import OPTIMIZERS, Adam

needs_core = pytest.mark.skipif(_get_library() is None, reason="the core is not in use")

X, Y = load_wine(return_X_y=True)


class Doubled(ReLU):
    """An activation of one's own."""

    def value(self, z, out, p):
        return np.multiply(super().value(z, out, p), 2, out=out)


class Hurried(Adam):
    """An update rule of one's own."""


def architecture(activation=None, dtype="float32"):
    return Architecture(4, (5,), 3, (activation or ReLU(),), (0.0,), dtype)


ROWS = np.ones((6, 4), "f4")
FOR_NUMPY = {
    "an activation": (architecture(Doubled()), ROWS, None),
    "a rule": (architecture(), ROWS, Hurried()),
    "sparse rows": (architecture(), csr_array(ROWS), None),
    "float64": (architecture(dtype="float64"), ROWS, None),
}


@pytest.mark.parametrize("case", FOR_NUMPY)
def test_what_the_core_does_not_take_is_for_numpy(case, monkeypatch):
    monkeypatch.setattr(engines, "engine", lambda: "some instructions")
    assert choose_backend(architecture(), ROWS, Adam()) == "some instructions"
    assert choose_backend(*FOR_NUMPY[case]) == NUMPY


def test_without_a_core_all_is_for_numpy(monkeypatch):
    monkeypatch.setattr(engines, "engine", lambda: "numpy")
    assert choose_backend(architecture(), ROWS, Adam()) == NUMPY
    predictor = make_predictor(architecture(), np.zeros(43, "f4"), ROWS)
    assert isinstance(predictor, Network)


def test_knows_rules_of_the_table():
    assert CORE_OPTIMIZERS.keys() <= set(OPTIMIZERS.values())


@needs_core
def test_rows_are_read_by_the_core():
    assert isinstance(
        make_predictor(architecture(), np.zeros(43, "f4"), ROWS), CorePredictor
    )


def fitted(engine_name, monkeypatch, **params):
    """A classifier trained and asked by one of the engines."""
    with monkeypatch.context() as patch:
        if engine_name == NUMPY:
            patch.setattr(engines, "engine", lambda: NUMPY)
        model = MLPSoftmaxClassifier(random_state=0, **params).fit(X, Y)
        return model, model.predict_proba(X)


FITS = {
    "default": {"dropout": 0.0},
    "one network": {"n_estimators": 1, "dropout": 0.0},
    "sgd": {"solver": "sgd", "dropout": 0.0, "alpha": 0.1},
    "plain": {
        "preprocessing": None,
        "hidden_layer_sizes": (),
        "learning_rate_init": 1e-4,
    },
    "smoothing": {"label_smoothing": 0.1, "dropout": 0.0, "n_estimators": 2},
    "weights": {"class_weight": {0: 2.0, 1: 1.0, 2: 0.5}, "dropout": 0.0},
    "wide": {"hidden_layer_sizes": (256, 256), "n_estimators": 1, "dropout": 0.0},
    "in order": {"shuffle": False, "dropout": 0.0, "n_estimators": 3},
    "a prelu": {"activation": ["prelu", "tanh"], "dropout": 0.0},
    "kinds": {"n_estimators": 8, "validation_fraction": 0.5, "dropout": 0.0},
    "cosine": {"learning_rate": "cosine", "dropout": 0.0, "batch_size": 7},
}


@needs_core
@pytest.mark.filterwarnings("ignore:.*before the loss had settled")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_fit_is_the_same_within_rounding(fit, early_stopping, monkeypatch):
    params = {"max_iter": 5, "n_iter_no_change": 5, "early_stopping": early_stopping}
    params |= FITS[fit]
    by_core, p_core = fitted(engine(), monkeypatch, **params)
    by_numpy, p_numpy = fitted(NUMPY, monkeypatch, **params)
    assert (by_core.engine_, by_numpy.engine_) == (engine(), NUMPY)
    for name, curve in by_numpy.history_.items():
        assert_allclose(by_core.history_[name], curve, rtol=1e-3, err_msg=name)
    assert_array_equal(by_core.best_iter_, by_numpy.best_iter_)
    assert_allclose(by_core.member_weights_, by_numpy.member_weights_, atol=1e-3)
    assert by_core.temperature_ == pytest.approx(by_numpy.temperature_, rel=0.01)
    # some unit of a relu may be just on the other side of 0
    assert np.abs(p_core - p_numpy).max() < 5e-3
    assert np.abs(p_core - p_numpy).mean() < 1e-4


@needs_core
def test_networks_of_several_kinds_end_and_agree_one_by_one(monkeypatch):
    params = FITS["kinds"] | {
        "learning_rate_init": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 25,
    }
    by_core, _ = fitted(engine(), monkeypatch, **params)
    by_numpy, _ = fitted(NUMPY, monkeypatch, **params)
    assert by_core.best_iter_.max() > by_core.best_iter_.min()
    assert by_core.n_iter_ < params["max_iter"]
    assert_array_equal(by_core.best_iter_, by_numpy.best_iter_)
    # of the training loss NumPy has the mean over a stack, of which some may have ended
    for name in ("validation_loss", "validation_score"):
        assert_allclose(by_core.history_[name], by_numpy.history_[name], rtol=1e-3)
    for one, other in zip(by_core.parameters_, by_numpy.parameters_, strict=True):
        assert np.linalg.norm(one - other) < 0.01 * np.linalg.norm(other)


@needs_core
@pytest.mark.parametrize("n_members", [2, 5])
def test_shares_are_minded_by_either_reader_and_in_parts(n_members, monkeypatch):
    network = architecture()
    rng = np.random.default_rng(0)
    vectors = np.stack([network.init_parameters(rng) for _ in range(n_members)])
    ensemble_weights = rng.dirichlet(np.ones(n_members))
    x = rng.normal(size=(500, 4)).astype("f4")
    predictor = make_predictor(network, vectors, x)
    whole = predict_in_parts(predictor, x, 1.5, ensemble_weights)
    monkeypatch.setattr(engines, "ROWS_PER_PART", 64)
    assert_array_equal(predict_in_parts(predictor, x, 1.5, ensemble_weights), whole)
    expected = compute_probabilities(
        Network(network, vectors).logits(x), 1.5, ensemble_weights
    )
    assert_allclose(whole, expected, atol=1e-6)


@needs_core
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_fit_with_each_activation(activation, monkeypatch):
    params = {
        "activation": activation,
        "dropout": 0.0,
        "max_iter": 3,
        "n_estimators": 2,
    }
    _, p_core = fitted(engine(), monkeypatch, **params)
    _, p_numpy = fitted(NUMPY, monkeypatch, **params)
    assert np.abs(p_core - p_numpy).max() < 5e-3
    assert np.abs(p_core - p_numpy).mean() < 1e-4


@needs_core
def test_with_dropout_they_draw_the_same_orders(monkeypatch):
    params = {"n_estimators": 3, "dropout": 0.2, "max_iter": 30}
    by_core, p_core = fitted(engine(), monkeypatch, **params)
    by_numpy, p_numpy = fitted(NUMPY, monkeypatch, **params)
    # other units are dropped, so that the networks are others, and as good
    assert not np.allclose(p_core, p_numpy, atol=1e-3)
    assert_allclose(
        by_core.best_validation_score_, by_numpy.best_validation_score_, atol=0.05
    )


@pytest.mark.parametrize(
    "params", [{}, {"n_estimators": 1, "hidden_layer_sizes": (300,)}]
)
def test_the_number_of_threads_changes_no_bit(params):
    X, Y = load_digits(return_X_y=True)
    models = []
    for n_threads in (1, 2, 5):
        with threadpool_limits(n_threads, user_api="blas"):
            model = MLPSoftmaxClassifier(
                batch_size=500, max_iter=3, random_state=0, **params
            )
            models.append(model.fit(X, Y))
    for model in models[1:]:
        assert_array_equal(model.parameters_, models[0].parameters_)
        assert model.history_ == models[0].history_


@pytest.mark.parametrize("n_members", [1, 3])
def test_probabilities_of_many_rows_are_those_of_few(n_members, monkeypatch):
    network = architecture()
    rng = np.random.default_rng(0)
    vectors = np.stack([network.init_parameters(rng) for _ in range(n_members)])
    x = rng.normal(size=(500, 4)).astype("f4")
    predictor = make_predictor(network, vectors, x)
    weights = np.full(len(vectors), 1 / len(vectors))
    whole = predict_in_parts(predictor, x, 1.5, weights)
    monkeypatch.setattr(engines, "ROWS_PER_PART", 64)
    assert_array_equal(predict_in_parts(predictor, x, 1.5, weights), whole)
    expected = compute_probabilities(Network(network, vectors).logits(x), 1.5)
    assert_allclose(whole, expected, atol=1e-6)


@needs_core
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("n_estimators", [1, 3])
def test_an_interruption_is_heard_in_the_midst_of_an_epoch(n_estimators, monkeypatch):
    """An epoch takes thousands of calls of the core here; some are waited for."""
    calls = []
    _run_batches = CoreLearner._run_batches

    def counted(learner, epoch):
        calls.append(epoch.first_batch)
        if len(calls) == 5:
            signal.setitimer(signal.ITIMER_REAL, 1e-6)
        return _run_batches(learner, epoch)

    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(CoreLearner, "_run_batches", counted)
    monkeypatch.setattr("skmlp.core.learner.SECONDS_PER_CALL", 0.0)
    before = signal.signal(signal.SIGALRM, press)
    try:
        model = classic((8,), batch_size=1, max_iter=100, n_estimators=n_estimators)
        with pytest.warns(UserWarning, match="interrupted by user in epoch 1"):
            model.fit(np.tile(X, (100, 1)), np.tile(Y, 100))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(calls) < 100 * len(X) * n_estimators
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("float32", np.asarray), ("float64", np.asarray), ("float32", csr_array)],
)
def test_a_row_is_predicted_alone_as_among_others(dtype, kind):
    model = classic((32, 20), dtype=dtype, preprocessing=None, max_iter=2)
    model.fit(kind(X), Y)
    together = model.predict_proba(kind(X))
    for n_rows in (1, 2, 33):
        alone = model.predict_proba(kind(X[:n_rows]))
        if engine() != NUMPY and (dtype, kind) == ("float32", np.asarray):
            assert_array_equal(alone, together[:n_rows])
        else:  # as the docstring says, only up to rounding
            assert_allclose(alone, together[:n_rows], rtol=1e-4, atol=1e-6)


@needs_core
def test_a_reader_is_kept_while_its_owner_has_the_parameters():
    model = classic((5,), max_iter=3, early_stopping=True).fit(X, Y)
    before = model.predict_proba(X)
    predictor = PREDICTORS[model]
    assert_array_equal(model.predict_proba(X), before)
    assert PREDICTORS[model] is predictor
    model.coefs_[0][:] *= 2  # a view of what was learnt
    changed = model.predict_proba(X)
    assert not np.allclose(changed, before)
    assert PREDICTORS[model] is predictor
    assert_array_equal(clone_of(model).predict_proba(X), changed)
    model.fit(X[::2], Y[::2])
    fresh = clone_of(model)
    assert_array_equal(model.predict_proba(X), fresh.predict_proba(X))
    assert PREDICTORS[model] is not predictor
    n_kept = len(PREDICTORS)
    del model, fresh
    gc.collect()
    assert len(PREDICTORS) < n_kept


@pytest.mark.parametrize("hidden_layer_sizes", [(16,), (48, 5)])
def test_parameters_in_columns_predict_the_same(hidden_layer_sizes, tmp_path):
    model = classic(hidden_layer_sizes, n_estimators=3, max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    expected = model.predict_proba(X)
    model.parameters_ = np.asfortranarray(model.parameters_)
    model.save(tmp_path / "model.skmlp")
    loaded = load(tmp_path / "model.skmlp")
    for one in (model, clone_of(model), loaded):
        assert_same_predictions(one.predict_proba(X), expected)


def clone_of(model):
    """The same fitted model, of which nothing is kept yet."""
    return pickle.loads(pickle.dumps(model))
