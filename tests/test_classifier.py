"""What the parameters of MLPSoftmaxClassifier do, and what is there after fit."""

import inspect
import pickle
import re
import warnings
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skmlp import (
    ACTIVATIONS,
    Activation,
    LossCurveDisplay,
    MLPSoftmaxClassifier,
    PReLU,
    ReLU,
    load,
)
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.optim.schedules import SCHEDULES

X, Y = load_digits(return_X_y=True)
X = X / 16
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, stratify=Y, random_state=0)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)

SPARSE_KINDS = [
    sparse.csr_matrix,
    sparse.csr_array,
    sparse.csc_matrix,
    sparse.csc_array,
]


def quick(**params):
    """A network that ends by its schedule, so that no warning is due."""
    defaults = {
        "hidden_layer_sizes": (32,),
        "learning_rate": "cosine",
        "learning_rate_init": 0.01,
        "batch_size": 64,
        "max_iter": 10,
        "random_state": 0,
    }
    return classic(**defaults | params)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_learns_digits(activation):
    model = quick(activation=activation).fit(X_TRAIN, Y_TRAIN)
    assert model.score(X_TEST, Y_TEST) > 0.9


@pytest.mark.parametrize("hidden_layer_sizes", [(), 16, (16,), [24, 16], (8,) * 5])
def test_any_depth_and_width(hidden_layer_sizes):
    model = quick(hidden_layer_sizes=hidden_layer_sizes).fit(X_TRAIN, Y_TRAIN)
    sizes = [64, *np.atleast_1d(hidden_layer_sizes).astype(int), 10]
    assert [w.shape for w in model.coefs_] == list(pairwise(sizes))
    assert [b.shape for b in model.intercepts_] == [(size,) for size in sizes[1:]]
    assert model.n_layers_ == len(sizes)
    assert model.n_parameters_ == sum(
        w.size + b.size for w, b in zip(model.coefs_, model.intercepts_, strict=True)
    )


def test_fitted_attributes_without_held_out_rows():
    model = quick().fit(X_TRAIN, Y_TRAIN)
    assert_array_equal(model.classes_, np.arange(10))
    assert model.n_features_in_ == 64
    assert model.n_outputs_ == 10
    assert model.out_activation_ == "softmax"
    assert model.n_iter_ == model.best_iter_ == len(model.loss_curve_) == 10
    assert model.t_ == 10 * len(Y_TRAIN)
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is None
    assert model.validation_loss_curve_ is None
    assert model.best_validation_score_ is None
    assert np.shares_memory(model.coefs_[0], model.parameters_)


def test_every_parameter_and_fitted_attribute_is_in_the_docstring():
    model = quick().fit(X_IRIS, Y_IRIS)
    fitted = {name for name in dir(model) if re.fullmatch(r"[a-z]\w*_", name)}
    docstring = inspect.getdoc(MLPSoftmaxClassifier)
    documented = set(re.findall(r"^(\w+) : ", docstring, re.M))
    assert model.get_params().keys() | fitted == documented - {"feature_names_in_"}


def test_two_classes_have_two_outputs():
    model = quick().fit(X_IRIS[:100], Y_IRIS[:100])
    assert model.n_outputs_ == model.coefs_[-1].shape[1] == 2
    assert model.predict_proba(X_IRIS).shape == (150, 2)


def test_the_same_seed_gives_the_same_model_bit_for_bit():
    params = {"dropout": 0.2, "early_stopping": True, "max_iter": 3}
    one, two = (quick(**params).fit(X_TRAIN, Y_TRAIN) for _ in range(2))
    assert_array_equal(one.parameters_, two.parameters_)
    other = quick(**params, random_state=1).fit(X_TRAIN, Y_TRAIN)
    assert not np.array_equal(one.parameters_, other.parameters_)
    shared = np.random.RandomState(0)
    first = quick(**params, random_state=shared).fit(X_TRAIN, Y_TRAIN)
    second = quick(**params, random_state=shared).fit(X_TRAIN, Y_TRAIN)
    assert not np.array_equal(first.parameters_, second.parameters_)


def test_predictions_do_not_depend_on_n_jobs():
    one, two = (
        cross_val_predict(
            quick(max_iter=3), X, Y, cv=3, method="predict_proba", n_jobs=n_jobs
        )
        for n_jobs in (1, 2)
    )
    assert_array_equal(one, two)


def test_one_row_is_predicted_as_it_is_among_others():
    model = quick(hidden_layer_sizes=(100, 50), dtype="float64").fit(X_TRAIN, Y_TRAIN)
    together = model.predict_proba(X_TEST)
    alone = np.vstack([model.predict_proba(row[np.newaxis]) for row in X_TEST])
    assert_allclose(alone, together, atol=1e-12)
    assert_array_equal(model.predict_log_proba(X_TEST), np.log(together))
    assert_array_equal(model.predict(X_TEST), together.argmax(axis=1))


# Held-out rows


def test_early_stopping_keeps_the_best_epoch():
    X_fit, X_val, y_fit, y_val = train_test_split(X_IRIS, Y_IRIS, random_state=3)
    model = classic(
        (64, 64), learning_rate_init=0.03, n_iter_no_change=15, random_state=0
    ).fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
    scores = np.array(model.validation_scores_)
    assert model.best_iter_ == scores.argmax() + 1 < model.n_iter_ < model.max_iter
    assert model.best_validation_score_ == scores.max()
    assert model.best_loss_ is None
    kept = log_loss(y_val, model.predict_proba(X_val))
    assert kept == pytest.approx(-scores.max(), rel=1e-5)
    assert_allclose(model.validation_loss_curve_, -scores)


def test_early_stopping_without_own_rows_holds_out_a_part(capsys):
    model = quick(early_stopping=True, validation_fraction=0.2, verbose=True)
    model.fit(X_TRAIN, Y_TRAIN)
    assert model.t_ == pytest.approx(10 * 0.8 * len(Y_TRAIN), rel=0.01)
    assert len(model.validation_loss_curve_) == model.n_iter_
    heading, *lines = capsys.readouterr().out.splitlines()
    assert "validation score" in heading
    assert len(lines) == 10


def test_own_rows_leave_every_row_of_x_for_training():
    model = quick(early_stopping=True).fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
    assert model.t_ == 10 * len(Y_TRAIN)


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("accuracy", accuracy_score),
        (make_scorer(accuracy_score), accuracy_score),
        (lambda model, X, y: model.predict_proba(X)[:, 0].mean(), None),
        ("roc_auc_ovr", None),
        ("neg_brier_score", None),
    ],
    ids=["accuracy", "scorer", "callable", "roc_auc_ovr", "neg_brier_score"],
)
def test_any_scorer_chooses_the_epoch(scoring, metric):
    model = quick(scoring=scoring, max_iter=4).fit(
        X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST
    )
    assert len(model.validation_scores_) == 4
    assert len(set(model.validation_scores_)) > 1
    if metric is not None:
        assert model.best_validation_score_ == metric(Y_TEST, model.predict(X_TEST))


def test_the_score_counts_the_weights_of_held_out_rows():
    weight = np.where(Y_TEST == 0, 100.0, 1.0)
    model = quick(scoring="accuracy", max_iter=3).fit(
        X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST, sample_weight_val=weight
    )
    expected = accuracy_score(Y_TEST, model.predict(X_TEST), sample_weight=weight)
    assert model.best_validation_score_ == pytest.approx(expected)


def test_a_scorer_that_says_nothing_leaves_the_last_weights_with_a_warning():
    model = quick(early_stopping=True, scoring=lambda model, X, y: np.nan)
    with pytest.warns(UserWarning, match="no finite score on the held-out rows"):
        model.fit(X_TRAIN, Y_TRAIN)
    assert model.best_iter_ == model.n_iter_ == 10
    assert model.score(X_TEST, Y_TEST) > 0.9


def test_a_lone_row_in_the_last_block_is_predicted_as_among_others():
    model = quick(max_iter=2).fit(X_TRAIN, Y_TRAIN)
    rows = X[:1025]
    assert_array_equal(
        model.predict_proba(rows)[1024:], model.predict_proba(rows[1024:])
    )


def test_too_few_rows_to_hold_any_out_are_all_trained_on():
    model = quick(early_stopping=True, batch_size="auto")
    with pytest.warns(UserWarning, match="training uses every row"):
        model.fit(X_IRIS[48:52], Y_IRIS[48:52])
    assert model.validation_scores_ is None
    assert model.t_ == 4 * 10


# Weights, smoothing, dropout, decay


def test_class_weight_moves_the_decision():
    plain = quick(hidden_layer_sizes=()).fit(X_IRIS[:, :1], Y_IRIS > 1)
    heavy = quick(hidden_layer_sizes=(), class_weight={False: 1, True: 20})
    heavy.fit(X_IRIS[:, :1], Y_IRIS > 1)
    assert heavy.predict(X_IRIS[:, :1]).sum() > plain.predict(X_IRIS[:, :1]).sum()


@pytest.mark.parametrize("class_weight", [{0: 5.0}, "balanced"])
def test_class_weights_of_training_hold_for_held_out_rows(class_weight):
    is_rare = Y_IRIS == 0
    keep = np.flatnonzero(~is_rare | (np.arange(150) < 10))
    model = quick(class_weight=class_weight, scoring="accuracy", max_iter=2)
    model.fit(X_IRIS[keep], Y_IRIS[keep], X_val=X_IRIS[50:], y_val=Y_IRIS[50:])
    expected = accuracy_score(Y_IRIS[50:], model.predict(X_IRIS[50:]))
    assert model.best_validation_score_ == pytest.approx(expected)


def test_partial_fit_weighs_classes_that_are_not_in_the_batch():
    model = quick(class_weight={2: 3.0}, learning_rate="constant", batch_size="auto")
    for part in (slice(0, 100), slice(50, 150)):
        model.partial_fit(X_IRIS[part], Y_IRIS[part], classes=[0, 1, 2])
    assert model.n_iter_ == 2


def test_scale_of_the_weights_is_of_no_account_without_decay():
    weight = np.random.default_rng(0).uniform(0.5, 2, len(Y_TRAIN))
    one, two = (
        quick(alpha=0.0, dtype="float64").fit(X_TRAIN, Y_TRAIN, scale * weight)
        for scale in (1, 1000)
    )
    assert_allclose(one.parameters_, two.parameters_, atol=1e-7)


def test_label_smoothing_keeps_probabilities_off_the_ends():
    params = {"max_iter": 40}
    sharp = quick(**params).fit(X_TRAIN, Y_TRAIN).predict_proba(X_TRAIN)
    smooth = (
        quick(label_smoothing=0.2, **params)
        .fit(X_TRAIN, Y_TRAIN)
        .predict_proba(X_TRAIN)
    )
    # the loss is least where the true class has 1 - 0.2 + 0.2 / 10
    assert np.median(smooth.max(axis=1)) == pytest.approx(0.82, abs=0.05)
    assert np.median(sharp.max(axis=1)) > 0.98


def test_dropout_acts_in_training_only():
    dropped = quick(dropout=[0.5]).fit(X_TRAIN, Y_TRAIN)
    plain = quick().fit(X_TRAIN, Y_TRAIN)
    assert dropped.loss_ > 1.5 * plain.loss_
    assert dropped.score(X_TEST, Y_TEST) > 0.9
    assert_array_equal(dropped.predict_proba(X_TEST), dropped.predict_proba(X_TEST))


def test_dropout_per_layer():
    sizes = {"hidden_layer_sizes": (16, 16), "max_iter": 2}
    one = quick(dropout=[0.4, 0.0], **sizes).fit(X_TRAIN, Y_TRAIN)
    two = quick(dropout=[0.0, 0.4], **sizes).fit(X_TRAIN, Y_TRAIN)
    assert one.architecture_.dropout == (0.4, 0.0)
    assert not np.array_equal(one.parameters_, two.parameters_)


def test_alpha_shrinks_weights_but_not_biases_or_slopes():
    model = quick(activation="prelu", alpha=1e6, learning_rate_init=0.05, max_iter=60)
    model.fit(X_TRAIN, Y_TRAIN)
    assert all(np.abs(weight).max() < 1e-3 for weight in model.coefs_)
    slopes = model.architecture_.layout.views(model.parameters_)[1, "slope"]
    assert np.abs(slopes).mean() > 0.2
    ensemble_weights = np.bincount(Y_TRAIN) / len(Y_TRAIN)
    assert_allclose(model.predict_proba(X_TEST)[0], ensemble_weights, atol=0.02)


# Activations


def test_one_activation_per_layer_and_learnt_slopes():
    model = quick(
        hidden_layer_sizes=(16, 12, 8),
        activation=["tanh", PReLU(init=0.1), PReLU(init=0.3, shared=True)],
    ).fit(X_TRAIN, Y_TRAIN)
    views = model.architecture_.layout.views(model.parameters_)
    slopes = {key: view for key, view in views.items() if key[1] == "slope"}
    assert [slope.shape for slope in slopes.values()] == [(12,), (1,)]
    per_unit, shared = slopes.values()
    assert np.ptp(per_unit) > 0
    assert shared[0] != np.float32(0.3)


class Mish(Activation):
    """f(z) = z tanh(softplus(z)), written as a user would."""

    def value(self, z, out, p):
        return np.multiply(z, np.tanh(np.logaddexp(0, z)), out=out)

    def derivative(self, z, out, p):
        t = np.tanh(np.logaddexp(0, z))
        out[:] = t + z * (1 - t * t) / (1 + np.exp(-z))
        return out


@pytest.mark.parametrize("activation", [Mish, Mish(), [Mish()]], ids=str)
def test_an_activation_of_the_users_own(activation):
    model = quick(activation=activation).fit(X_TRAIN, Y_TRAIN)
    assert model.score(X_TEST, Y_TEST) > 0.9


class Swish(Activation):
    """f(z) = z sigmoid(weight z), whose learnt number shares a name with Dense's."""

    initial = {"weight": 1.0}

    def value(self, z, out, p):
        return np.multiply(z, expit(p.weight * z), out=out)

    def derivative(self, z, out, p):
        s = expit(p.weight * z)
        return np.multiply(s, 1 + p.weight * z * (1 - s), out=out)

    def parameter_derivatives(self, z, out, p):
        s = expit(p.weight * z)
        yield "weight", np.multiply(z * z, s * (1 - s), out=out)


def test_learnt_numbers_of_an_activation_may_have_any_name():
    model = quick(activation=Swish, hidden_layer_sizes=(8, 4), alpha=1e6, max_iter=60)
    model.set_params(learning_rate_init=0.05).fit(X_TRAIN, Y_TRAIN)
    assert [w.shape for w in model.coefs_] == [(64, 8), (8, 4), (4, 10)]
    assert max(np.abs(weight).max() for weight in model.coefs_) < 1e-2
    learnt = model.architecture_.layout.views(model.parameters_)[1, "weight"]
    assert np.abs(learnt).mean() > 0.2


# Solvers and schedules


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_every_schedule_acts_on_both_solvers(solver, learning_rate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = quick(
            solver=solver, learning_rate=learning_rate, max_iter=8, tol=10.0
        ).set_params(n_iter_no_change=2)
        model.fit(X_IRIS, Y_IRIS)
    rates = np.array(model.history_["learning_rate"])
    assert (rates > 0).all()
    if learning_rate == "constant":
        assert set(rates) == {0.01}
    else:
        assert len(set(rates)) > 1
        assert rates[-1] < rates.max()


def test_adaptive_ends_when_the_rate_is_used_up():
    model = classic(
        learning_rate="adaptive", n_iter_no_change=1, tol=0.1, random_state=0
    ).fit(X_IRIS, Y_IRIS)
    assert 1e-7 < model.history_["learning_rate"][-1] <= 1e-6
    assert model.n_iter_ < model.max_iter


def test_lbfgs_with_held_out_rows_keeps_the_best_iteration():
    X_fit, X_val, y_fit, y_val = train_test_split(X_IRIS, Y_IRIS, random_state=3)
    model = classic(solver="lbfgs", random_state=0, alpha=0)
    model.fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
    best = max(model.validation_scores_)
    assert model.n_iter_ == len(model.validation_scores_) > model.best_iter_
    kept = -log_loss(y_val, model.predict_proba(X_val))
    assert kept == pytest.approx(best, rel=1e-4)


def test_lbfgs_in_float32_reaches_what_it_reaches_in_float64():
    params = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 1000, "random_state": 0}
    single, double = (
        classic((8,), dtype=dtype, **params).fit(X_IRIS, Y_IRIS)
        for dtype in ("float32", "float64")
    )
    assert single.parameters_.dtype == np.float32
    assert single.loss_ == pytest.approx(double.loss_, rel=1e-4)


@pytest.mark.parametrize("n_iter_no_change", [2, np.inf])
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_lbfgs_goes_on_until_the_gradient_is_small(n_iter_no_change, learning_rate):
    model = classic(
        (8,),
        preprocessing=None,
        solver="lbfgs",
        n_iter_no_change=n_iter_no_change,
        learning_rate=learning_rate,
        alpha=1.0,
        max_iter=1000,
        random_state=0,
    ).fit(X_IRIS, Y_IRIS)
    theirs = MLPClassifier(
        (8,), solver="lbfgs", alpha=1.0, max_iter=1000, random_state=0
    ).fit(X_IRIS, Y_IRIS)
    assert model.n_iter_ > 40
    assert model.loss_ == pytest.approx(theirs.loss_, rel=0.05)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("most", [1, 10])
def test_lbfgs_evaluates_the_loss_at_most_so_often(most, monkeypatch):
    calls = []
    loss_and_grad = SoftmaxCrossEntropy.loss_and_grad

    def counted(self, *args):
        calls.append(1)
        return loss_and_grad(self, *args)

    monkeypatch.setattr(SoftmaxCrossEntropy, "loss_and_grad", counted)
    model = classic(solver="lbfgs", max_fun=most, random_state=0)
    model.fit(X_IRIS, Y_IRIS)
    # scipy may end the line search that it is in
    assert most <= len(calls) <= most + 20
    assert model.n_iter_ <= most


def test_lbfgs_that_starts_at_the_bottom():
    model = classic((), solver="lbfgs").fit(np.zeros((6, 2)), [0, 1] * 3)
    assert model.n_iter_ == 1
    assert model.loss_ == model.best_loss_ == pytest.approx(np.log(2))
    assert_allclose(model.predict_proba(np.zeros((1, 2))), 0.5)


def test_batches_larger_than_the_data_are_clipped_with_a_warning():
    with pytest.warns(UserWarning, match=r"batch_size=500 is larger.*150"):
        quick(batch_size=500).fit(X_IRIS, Y_IRIS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_rows", [1, 20, 33])
def test_one_wide_network_takes_batches_of_any_size(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 3000))
    y = np.arange(n_rows) % 3
    wide = {"hidden_layer_sizes": (512, 512), "n_estimators": 1, "max_iter": 2}
    fitted = MLPSoftmaxClassifier(**wide).fit(X, y)
    small_batches = MLPSoftmaxClassifier(**wide, batch_size=min(n_rows, 8)).fit(X, y)
    continued = MLPSoftmaxClassifier((512, 512)).partial_fit(X, y, classes=[0, 1, 2])
    for model in (fitted, small_batches, continued):
        assert np.isfinite(model.predict_proba(X)).all()


def test_ctrl_c_keeps_what_was_learnt():
    def press_after_two_epochs(model, X, y):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return -log_loss(y, model.predict_proba(X))

    calls = []
    model = quick(scoring=press_after_two_epochs)
    with pytest.warns(UserWarning, match="interrupted by user in epoch 3.*epoch 2"):
        model.fit(X_TRAIN, Y_TRAIN, X_val=X_TEST, y_val=Y_TEST)
    assert model.n_iter_ == model.best_iter_ == 2
    assert model.score(X_TEST, Y_TEST) > 0.5


class InterruptedOnce(ReLU):
    """An activation whose first use is interrupted, as by Ctrl-C."""

    def __init__(self):
        self.n_uses = [0]

    def value(self, z, out, p):
        self.n_uses[0] += 1
        if self.n_uses[0] == 1:
            raise KeyboardInterrupt
        return super().value(z, out, p)


def interrupted_score(model, X, y):
    raise KeyboardInterrupt


INTERRUPTED = {
    "held-out part": lambda m: m.set_params(early_stopping=True).fit(X_IRIS, Y_IRIS),
    "X_val": lambda m: m.fit(X_IRIS, Y_IRIS, X_val=X_IRIS, y_val=Y_IRIS),
    "no held-out part": lambda m: m.fit(X_IRIS, Y_IRIS),
    "ensemble": lambda m: m.set_params(n_estimators=2).fit(X_IRIS, Y_IRIS),
    "lbfgs": lambda m: m.set_params(solver="lbfgs").fit(X_IRIS, Y_IRIS),
    "warm_start": lambda m: m.set_params(warm_start=True).fit(X_IRIS, Y_IRIS),
    "partial_fit": lambda m: m.partial_fit(X_IRIS, Y_IRIS, [0, 1, 2]),
}


def fit_interrupted(case, **params):
    """A model whose training was interrupted in the first epoch."""
    model = classic((8,), random_state=0, **params)
    message = "interrupted by user in epoch 1; the weights at the start are kept"
    with pytest.warns(UserWarning, match=message):
        return INTERRUPTED[case](model)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", INTERRUPTED)
def test_interrupt_in_the_first_epoch_leaves_a_usable_model(case):
    model = fit_interrupted(case, activation=InterruptedOnce())
    # dir of older scikit-learn lists what a solver has not
    missing = {name for name in dir(model) if not hasattr(model, name)}
    assert missing <= {"partial_fit"}
    assert "the start" in model._repr_html_()
    assert (model.n_iter_, model.t_, np.max(model.best_iter_)) == (0, 0, 0)
    assert np.isnan(model.loss_)
    is_held_out = case in ("held-out part", "X_val")
    best = model.best_validation_score_ if is_held_out else model.best_loss_
    other = model.best_loss_ if is_held_out else model.best_validation_score_
    assert np.isnan(best)
    assert other is None
    assert_allclose(model.predict_proba(X_IRIS).sum(axis=1), 1, rtol=1e-6)
    assert model.set_params(max_iter=1).fit(X_IRIS, Y_IRIS).n_iter_ == 1


def test_interrupt_in_the_first_epoch_leaves_a_model_to_save(tmp_path):
    model = fit_interrupted("X_val", scoring=interrupted_score)
    model.set_params(scoring="accuracy").save(tmp_path / "model.skmlp")
    loaded = load(tmp_path / "model.skmlp")
    assert "the start" in loaded._repr_html_()
    assert np.isnan([loaded.loss_, loaded.best_validation_score_]).all()
    assert_array_equal(loaded.predict_proba(X_IRIS), model.predict_proba(X_IRIS))
    display = LossCurveDisplay.from_estimator(loaded)
    assert display.best_line_ is None


# Going on


def test_partial_fit_is_fit_in_pieces():
    params = {"learning_rate": "constant", "shuffle": False, "solver": "sgd"}
    whole = quick(max_iter=5, tol=0, **params)
    with pytest.warns(ConvergenceWarning):
        whole.fit(X_IRIS, Y_IRIS)
    pieces = quick(**params)
    for _ in range(5):
        pieces.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    # equal classes start from equal biases up to a constant, which softmax ignores
    assert_allclose(
        pieces.predict_proba(X_IRIS), whole.predict_proba(X_IRIS), atol=1e-6
    )
    assert pieces.n_iter_ == len(pieces.loss_curve_) == 5
    assert pieces.t_ == whole.t_


def test_partial_fit_after_fit_goes_on():
    model = quick().fit(X_TRAIN, Y_TRAIN)
    before = model.loss_
    model.set_params(learning_rate="constant", learning_rate_init=0.001)
    for _ in range(5):
        model.partial_fit(X_TRAIN, Y_TRAIN)
    assert model.loss_ < before
    assert model.n_iter_ == 15


def test_partial_fit_lowers_an_adaptive_rate_over_calls():
    model = classic(
        learning_rate="adaptive", n_iter_no_change=1, tol=10.0, random_state=0
    )
    for _ in range(8):
        model.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    rates = model.history_["learning_rate"]
    assert rates[0] == 0.001
    assert rates[-1] == pytest.approx(0.001 / 5**3)


# Sparse input


@pytest.mark.parametrize("kind", SPARSE_KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_give_what_dense_rows_give(kind, solver, monkeypatch):
    params = {"dtype": "float64", "solver": solver, "max_iter": 5}
    params |= {"early_stopping": True, "preprocessing": None}
    dense = quick(**params).fit(X_TRAIN, Y_TRAIN)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(kind, name, lambda *args, **kwargs: pytest.fail("dense"))
        monkeypatch.setattr(
            sparse.csr_matrix if "matrix" in kind.__name__ else sparse.csr_array,
            name,
            lambda *args, **kwargs: pytest.fail("made dense"),
        )
    model = quick(**params).fit(kind(X_TRAIN), Y_TRAIN)
    assert_allclose(model.parameters_, dense.parameters_, atol=1e-7)
    assert_allclose(
        model.predict_proba(kind(X_TEST)), dense.predict_proba(X_TEST), atol=1e-7
    )
    assert_allclose(
        model.predict_proba(kind(X_TEST[:1])), dense.predict_proba(X_TEST[:1])
    )


def test_sparse_batches_and_weights():
    weight = np.random.default_rng(0).integers(0, 3, len(Y_TRAIN))
    params = {"dtype": "float64", "preprocessing": None}
    dense = quick(**params).fit(X_TRAIN, Y_TRAIN, weight)
    model = quick(**params).fit(sparse.csr_array(X_TRAIN), Y_TRAIN, weight)
    assert_allclose(model.parameters_, dense.parameters_, atol=1e-7)


def test_wide_sparse_rows_need_no_dense_copy():
    import tracemalloc

    places = np.random.default_rng(0).integers(0, [[2000], [50_000]], (2, 10_000))
    wide = sparse.csr_array((np.ones(10_000), places), shape=(2000, 50_000))
    labels = np.arange(2000) % 2
    tracemalloc.start()
    quick(hidden_layer_sizes=(4,), max_iter=1).fit(wide, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2000 * 50_000 * 4 / 10


@pytest.mark.parametrize("params", [{"n_estimators": 3}, {"n_estimators": 1}])
def test_max_time_ends_training_at_the_best_weights_so_far(params, a_second_per_epoch):
    model = quick(max_iter=100, early_stopping=True, max_time=9.5, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y)
    assert model.n_iter_ == 10
    assert np.size(model.best_iter_) == model.n_estimators_
    assert 0 < np.min(model.best_iter_) <= np.max(model.best_iter_) <= 10
    # the curve is a mean, so it tells the best epoch of one network alone
    if model.n_estimators_ == 1:
        assert model.best_iter_ == np.argmax(model.validation_scores_) + 1
    assert model.score(X, Y) > 0.9


def test_max_time_ends_lbfgs_after_an_iteration(a_second_per_epoch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classic(solver="lbfgs", max_time=1).fit(X_TRAIN, Y_TRAIN)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("n_estimators", [1, 3])
def test_max_time_cuts_even_the_first_epoch_short(n_estimators, a_second_per_epoch):
    model = quick(max_time=1, n_estimators=n_estimators, warm_start=True).fit(X, Y)
    assert model.n_iter_ == 1
    assert model._optimizer_state["t"] == 1  # of the 29 batches of an epoch
    assert np.isfinite(model.predict_proba(X[:5])).all()


def test_a_search_over_fits_of_limited_time():
    search = GridSearchCV(
        quick(max_iter=10**6, n_iter_no_change=np.inf, max_time=1e-9),
        {"learning_rate_init": [1e-3, 1e-2]},
        cv=2,
        n_jobs=2,
    ).fit(X_TRAIN, Y_TRAIN)
    assert search.best_estimator_.n_iter_ < 10**6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Labels of any type

CODES = np.arange(60) % 3
Level = IntEnum("Level", ["LOW", "MIDDLE", "HIGH"])
LABELS = {
    "large integers": [2**53, 2**53 + 1, 2**53 + 2],
    "large integers beside a float": [2**53, 2**53 + 1, float(2**53 + 2)],
    "signed beside unsigned": [2**63 + 1, 2**63, -1],
    "more than 64 bits": [2**70 + 1, 2**70, -1],
    "decimals": [Decimal("1.5"), Decimal("0.5"), Decimal(7)],
    "fractions": [Fraction(1, 2), Fraction(1, 3), Fraction(7)],
    "booleans": [True, False, True],
    "numbers": [1, 2.0, True],
    "IntEnum": list(Level),
    "text": ["b", "a", "c"],
}
CONTAINERS = {
    "list": list,
    "object array": lambda y: np.array(y, dtype=object),
    "object Series": lambda y: pd.Series(y, dtype=object),
    "polars objects": lambda y: pl.Series(y, dtype=pl.Object),
}


def of_classes(**given):
    """A softmax regression that tells three points apart."""
    settings = {"learning_rate_init": 0.1, "max_iter": 20, "n_estimators": 1}
    return MLPSoftmaxClassifier((), random_state=0, **settings | given)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_come_back_and_are_scored(kind):
    X = np.eye(3)[CODES]
    y = [LABELS[kind][code] for code in CODES]
    changed = [y[1], *y[1:]]
    model = of_classes().fit(X, y)
    assert model.classes_.tolist() == sorted(set(y))
    assert model.predict(X).tolist() == y
    for container in CONTAINERS.values():
        assert model.score(X, container(y)) == 1
        assert model.score(X, container(changed)) == np.mean(
            [one == other for one, other in zip(y, changed, strict=True)]
        )
        again = of_classes().fit(X, container(y))
        assert_array_equal(again.parameters_, model.parameters_)
        assert again.classes_.tolist() == model.classes_.tolist()
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict(X).tolist() == y


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_type_are_taken_by_every_way_to_fit(kind):
    X = np.eye(3)[CODES]
    y = [LABELS[kind][code] for code in CODES]
    weights = {label: 1.0 + place for place, label in enumerate(sorted(set(y)))}
    model = of_classes(class_weight=weights).fit(X, y, X_val=X, y_val=y)
    assert model.score(X, y) == 1
    stream = of_classes(learning_rate="constant")
    for _ in range(20):
        stream.partial_fit(X, y, classes=LABELS[kind])
    assert stream.predict(X).tolist() == y
    refitted = of_classes(warm_start=True).fit(X, y).fit(X, pd.Series(y, dtype=object))
    assert refitted.score(X, y) == 1


@pytest.mark.parametrize("kind", ["booleans", "numbers", "decimals", "fractions"])
def test_labels_that_are_objects_are_cross_validated(kind):
    X = np.eye(3)[CODES]
    y = pd.Series([None, *(LABELS[kind][code] for code in CODES)], dtype=object)
    y = y.dropna()
    search = GridSearchCV(of_classes(), {"alpha": [1e-4, 1e-3]}, cv=3)
    assert_array_equal(cross_val_score(of_classes(), X, y, cv=3), 1)
    assert search.fit(X, y).best_score_ == 1


def test_score_compares_labels_by_value_whatever_their_dtype():
    X = np.eye(2)[CODES % 2]
    model = of_classes().fit(X, CODES % 2 == 1)
    same = [
        CODES % 2,
        (CODES % 2).astype(float),
        pd.Series(CODES % 2, dtype="Int64"),
        pd.Series(CODES % 2 == 1, dtype="boolean"),
        pl.Series((CODES % 2).tolist(), dtype=pl.Int128),
        pl.Series(list(map(Decimal, (CODES % 2).tolist()))),
    ]
    assert [model.score(X, y) for y in same] == [1] * len(same)
    with pytest.raises(ValueError, match="continuous"):
        model.score(X, CODES + 0.5)
    with pytest.raises(ValueError, match=r"^y has no label in 2 rows"):
        model.score(X, [None, pd.NA, *CODES[2:]])


def test_target_means_take_labels_that_scikit_learn_has_no_type_for():
    towns = pd.DataFrame({"town": [f"town {place % 50}" for place in range(200)]})
    y = np.arange(200) % 50 % 3
    decimals = list(map(Decimal, y.tolist()))
    models = [of_classes(max_iter=2).fit(towns, labels) for labels in (y, decimals)]
    assert_array_equal(*(model.parameters_ for model in models))
