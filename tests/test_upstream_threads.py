"""One test per fault that users of scikit-learn-style networks have reported.

Each test names the thread: "#123" is an issue or pull request of scikit-learn.
"""

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_info

from skmlp import MLPSoftmaxClassifier
from skmlp.data import splits

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)
X_DIGITS, Y_DIGITS = load_digits(return_X_y=True)
X_DIGITS = X_DIGITS / 16

quietly = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def quick(**params):
    """A network that ends by its schedule, so that no warning is due."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_iter": 15,
        "random_state": 0,
    }
    return classic(**defaults | params)


def test_string_labels_with_early_stopping_33760():
    names = load_iris().target_names[Y_IRIS]
    model = quick(early_stopping=True, scoring="accuracy", batch_size=16)
    model.fit(X_IRIS, names)
    assert set(model.predict(X_IRIS)) <= set(names)
    assert model.score(X_IRIS, names) > 0.8
    assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
def test_frame_with_early_stopping_raises_no_feature_name_warning_24846(scoring):
    frame = pd.DataFrame(X_IRIS, columns=list("abcd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(early_stopping=True, scoring=scoring).fit(frame, Y_IRIS)
        model.predict(frame)
    assert_array_equal(model.feature_names_in_, list("abcd"))


def test_three_class_early_stopping_is_stratified_unreported(monkeypatch):
    parts = []

    def spy(codes, *others):
        parts.append([codes[rows] for (rows,) in split(codes, *others)])
        rows = np.arange(len(codes))[np.newaxis]
        return rows[:, :-15], rows[:, -15:]

    split = splits.split_validation
    monkeypatch.setattr("skmlp.data.splits.split_validation", spy)
    quick(early_stopping=True, max_iter=1).fit(X_IRIS, Y_IRIS)
    ((training, validation),) = parts
    assert_array_equal(np.bincount(training), [45, 45, 45])
    assert_array_equal(np.bincount(validation), [5, 5, 5])


def test_class_of_one_row_is_kept_for_training_unreported():
    labels = Y_IRIS.astype(object)
    labels[Y_IRIS == 2] = 1
    labels[149] = 7
    for seed in range(10):
        (training,), (validation,) = splits.split_validation(
            np.unique(labels.astype(int), return_inverse=True)[1],
            0.1,
            np.random.default_rng(seed),
        )
        assert 149 in training
        assert 149 not in validation
    model = quick(early_stopping=True).fit(X_IRIS, labels.astype(int))
    assert_array_equal(model.classes_, [0, 1, 7])


def test_partial_fit_when_the_first_batch_lacks_a_class_6994():
    model = classic(learning_rate_init=0.02, random_state=0)
    two_only = Y_IRIS < 2
    model.partial_fit(X_IRIS[two_only], Y_IRIS[two_only], classes=[0, 1, 2])
    for _ in range(60):
        model.partial_fit(X_IRIS, Y_IRIS)
    assert model.score(X_IRIS, Y_IRIS) > 0.9


def test_a_loaded_pickle_keeps_learning_19626():
    model = classic(learning_rate_init=0.02, random_state=0)
    model.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    loaded = pickle.loads(pickle.dumps(model))
    for _ in range(20):
        model.partial_fit(X_IRIS, Y_IRIS)
        loaded.partial_fit(X_IRIS, Y_IRIS)
    assert loaded.loss_curve_[-1] < loaded.loss_curve_[0] / 2
    # the moments came along: both have taken the very same steps
    assert_array_equal(loaded.parameters_, model.parameters_)


def test_pickles_do_not_grow_with_partial_fit_19959():
    model = classic((300,), random_state=0)
    sizes = []
    for _ in range(30):
        model.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
        sizes.append(len(pickle.dumps(model)))
    # only the two curves grow, by a number each per call
    assert sizes[-1] - sizes[0] < 30 * 2 * 10


def test_pickles_of_a_plain_fit_hold_little_but_the_weights_19959():
    model = quick(hidden_layer_sizes=(200,)).fit(X_DIGITS, Y_DIGITS)
    assert len(pickle.dumps(model)) <= 1.2 * model.parameters_.nbytes


@quietly
def test_warm_start_twice_keeps_count_and_curve_in_agreement_24764():
    model = classic(warm_start=True, random_state=0, tol=0)
    for max_iter in (5, 7):
        model.set_params(max_iter=max_iter).fit(X_IRIS, Y_IRIS)
        assert model.n_iter_ == max_iter
        assert len(model.loss_curve_) == max_iter
    assert model.t_ == 12 * len(X_IRIS)


@quietly
def test_warm_start_keeps_the_moments_unreported():
    params = {"shuffle": False, "tol": 0, "random_state": 0, "dtype": "float64"}
    whole = classic(max_iter=12, **params).fit(X_IRIS, Y_IRIS)
    parts = classic(max_iter=6, warm_start=True, **params)
    parts.fit(X_IRIS, Y_IRIS).fit(X_IRIS, Y_IRIS)
    assert_array_equal(parts.parameters_, whole.parameters_)


def test_warm_start_with_other_classes_is_refused_7976():
    model = quick(warm_start=True).fit(X_IRIS, Y_IRIS)
    before = model.parameters_.copy()
    with pytest.raises(ValueError, match=r"same classes.*Previously got \[0 1 2\]"):
        model.fit(X_IRIS, Y_IRIS + 1)
    assert_array_equal(model.parameters_, before)
    assert_array_equal(model.classes_, [0, 1, 2])


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [20, "auto"])
def test_divergence_is_said_and_the_last_good_weights_stay_29504(
    early_stopping, solver, batch_size
):
    model = classic(
        learning_rate_init=1e6,
        solver=solver,
        early_stopping=early_stopping,
        batch_size=batch_size,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch [12]: the loss"):
        model.fit(X_IRIS, Y_IRIS)
    probabilities = model.predict_proba(X_IRIS)
    assert np.isfinite(model.parameters_).all()
    assert np.isfinite(probabilities).all()
    assert log_loss(Y_IRIS, probabilities) < 10


def test_divergence_after_good_epochs_keeps_those_29504():
    good = classic(solver="sgd", momentum=0.0, random_state=0)
    for _ in range(30):
        good.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    before = good.parameters_.copy()
    good.set_params(learning_rate_init=1e19, batch_size=10)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        good.partial_fit(X_IRIS, Y_IRIS)
    assert_array_equal(good.parameters_, before)
    assert good.best_iter_ == 30
    assert good.n_iter_ == 31
    # nor are the moments of the run that diverged carried on
    good.set_params(learning_rate_init=0.001).partial_fit(X_IRIS, Y_IRIS)
    assert good.best_iter_ == good.n_iter_ == 32
    assert good.loss_ < 2 * good.best_loss_


def test_no_warning_when_the_best_epoch_is_chosen_by_held_out_rows_8947():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classic(early_stopping=True, max_iter=5, random_state=0)
        model.fit(X_DIGITS, Y_DIGITS)
    assert model.n_iter_ == 5
    with pytest.warns(ConvergenceWarning, match=r"after 5 iterations.*max_iter=5"):
        classic(max_iter=5, random_state=0).fit(X_DIGITS, Y_DIGITS)


def test_decay_does_not_depend_on_the_batch_size_10477():
    X, y = X_DIGITS[:300], Y_DIGITS[:300]
    norms = {
        batch_size: np.linalg.norm(
            quick(alpha=10.0, batch_size=batch_size, max_iter=60).fit(X, y).coefs_[0]
        )
        for batch_size in (20, 300)
    }
    assert norms[20] == pytest.approx(norms[300], rel=0.1)


def test_weights_are_repetitions_on_a_full_batch_30155():
    weight = np.random.default_rng(0).integers(0, 3, len(Y_IRIS))
    params = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "dtype": "float64"}
    params |= {"max_iter": 10, "random_state": 0, "alpha": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = classic(**params).fit(X_IRIS, Y_IRIS, weight)
        repeated = classic(**params).fit(
            np.repeat(X_IRIS, weight, axis=0), np.repeat(Y_IRIS, weight)
        )
    assert_allclose(weighted.parameters_, repeated.parameters_, atol=1e-8)


def test_rows_of_weight_zero_are_as_if_they_were_not_there_30155():
    keep = np.random.default_rng(0).random(len(Y_IRIS)) < 0.7
    weighted = quick(early_stopping=True).fit(X_IRIS, Y_IRIS, keep.astype(float))
    without = quick(early_stopping=True).fit(
        X_IRIS[keep], Y_IRIS[keep], np.ones(keep.sum())
    )
    assert_array_equal(weighted.parameters_, without.parameters_)


def test_balanced_and_sample_weight_multiply_9113():
    X, y = X_IRIS[:120], Y_IRIS[:120]
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    # the encoder weighs rows by sample_weight alone
    both = quick(class_weight="balanced", preprocessing=None).fit(X, y, weight)
    product = quick(preprocessing=None).fit(
        X, y, weight * compute_sample_weight("balanced", y)
    )
    assert_allclose(both.parameters_, product.parameters_, rtol=1e-6)
    assert not np.allclose(both.parameters_, quick().fit(X, y, weight).parameters_)


@quietly
def test_shuffle_false_is_honoured_12582():
    def weights(shuffle, seed):
        start = quick(shuffle=False, max_iter=1, warm_start=True).fit(X_IRIS, Y_IRIS)
        start.set_params(shuffle=shuffle, random_state=seed, batch_size=10)
        return start.fit(X_IRIS, Y_IRIS).parameters_

    assert_array_equal(weights(False, 1), weights(False, 2))
    assert not np.array_equal(weights(True, 1), weights(True, 2))


def test_float32_in_stays_float32_and_can_be_calibrated_skorch_1045():
    X = X_DIGITS.astype(np.float32)
    model = quick().fit(X, Y_DIGITS)
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == model.parameters_.dtype == np.float32
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    for method in ("sigmoid", "isotonic"):
        calibrated = CalibratedClassifierCV(quick(), method=method, cv=3)
        calibrated.fit(X, Y_DIGITS)
        assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1, atol=1e-6)


def test_a_pipeline_of_it_is_a_classifier_pytabkit_7():
    assert is_classifier(make_pipeline(StandardScaler(), MLPSoftmaxClassifier()))


def test_grid_search_in_two_processes_does_not_oversubscribe_7280_7667():
    def count_blas_threads(estimator, X, y):
        pools = threadpool_info()
        return max(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")

    grid = {"hidden_layer_sizes": [(8,), (16,)]}
    search = GridSearchCV(quick(), grid, n_jobs=2, cv=2, scoring=count_blas_threads)
    search.fit(X_DIGITS, Y_DIGITS)
    assert search.cv_results_["mean_test_score"].max() <= max(
        1, joblib.cpu_count() // 2
    )


def test_probabilities_are_one_softmax_of_the_logits_mlxtend():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = quick(activation="tanh", dtype="float64", preprocessing=None).fit(X, y)
    (w_1, w_2), (b_1, b_2) = model.coefs_, model.intercepts_
    logits = np.tanh(X @ w_1 + b_1) @ w_2 + b_2
    exponentials = np.exp(logits)
    by_hand = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert_allclose(model.predict_proba(X), by_hand, atol=1e-12)
    assert by_hand.max() > 0.95  # a second softmax of two numbers ends at 0.73


def test_multilabel_targets_are_refused_in_a_sentence_scikit_learn_5718():
    indicator = np.eye(3, dtype=int)[Y_IRIS]
    indicator[0, 1] = 1
    with pytest.raises(ValueError, match=r"shape \(150, 3\).*exactly one label"):
        quick().fit(X_IRIS, indicator)


def test_a_model_written_by_joblib_reads_back_the_same_19959():
    model = quick().fit(X_IRIS, Y_IRIS)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    assert_array_equal(
        joblib.load(file).predict_proba(X_IRIS), model.predict_proba(X_IRIS)
    )


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc_ovr"])
def test_a_scorer_never_sees_the_nan_of_a_run_that_diverged_29504(scoring):
    model = classic(
        learning_rate_init=1e19, early_stopping=True, scoring=scoring, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="diverged in epoch"):
        model.fit(X_IRIS, Y_IRIS)
    assert np.isfinite(model.predict_proba(X_IRIS)).all()
