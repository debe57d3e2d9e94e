"""Scores of held-out rows: every scorer of scikit-learn works, or says why it can't."""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    d2_log_loss_score,
    f1_score,
    get_scorer_names,
    jaccard_score,
    log_loss,
    make_scorer,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.config import TrainData
from skmlp.fitting.run import _create_evaluation
from skmlp.fitting.scoring import ModelInTraining, make_score_function
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples
from skmlp.training.monitor import Monitor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
NOISY = X[:, 0] + RNG.normal(scale=0.5, size=200)
TWO = (NOISY > 0).astype(int)
THREE = np.digitize(NOISY, [-0.5, 0.5])
RARE = np.where(np.arange(200) < 1, 2, TWO)  # one row is too few to hold one out
NAMES, LETTERS = np.array(["no", "yes"]), np.array(["a", "b", "c"])
TARGETS = {
    "two texts": NAMES[TWO],
    "three texts": LETTERS[THREE],
    "a rare text": LETTERS[RARE],
    "0 and 1": TWO,
    "a rare number": RARE,
    "booleans": TWO.astype(bool),
}

REFUSED = {  # scorers by the targets that they can't score
    "two texts": ["r2", "neg_mean_squared_error", "f1_samples"],
    "three texts": ["f1", "roc_auc", "positive_likelihood_ratio", "recall_samples"],
    "a rare text": ["roc_auc", "roc_auc_ovr", "average_precision", "r2"],
    "booleans": ["neg_max_error", "jaccard_samples"],
}
SCORED = {
    "two texts": ["f1", "roc_auc", "neg_brier_score", "matthews_corrcoef"],
    "three texts": ["f1_macro", "roc_auc_ovr", "neg_log_loss", "balanced_accuracy"],
    "a rare text": ["f1_weighted", "accuracy"],
    "0 and 1": ["average_precision", "d2_log_loss_score", "rand_score"],
    "a rare number": ["jaccard_micro", "top_k_accuracy"],
    "booleans": ["precision", "neg_negative_likelihood_ratio"],
}
CASES = [
    (name, kind, is_refused)
    for table, is_refused in ((REFUSED, True), (SCORED, False))
    for kind, names in table.items()
    for name in names
    if name in get_scorer_names()
]


def tiny(**params):
    defaults = {
        "hidden_layer_sizes": (8,),
        "n_estimators": 1,
        "max_iter": 2,
        "early_stopping": True,
        "temperature": None,
        "random_state": 0,
    }
    return MLPSoftmaxClassifier(**defaults | params)


@pytest.fixture
def epochs(monkeypatch):
    """Grows with each epoch that begins."""
    begun = []
    begin = Monitor.begin_epoch

    def begin_epoch(monitor):
        begun.append(monitor.n_epochs)
        begin(monitor)

    monkeypatch.setattr(Monitor, "begin_epoch", begin_epoch)
    return begun


def refusal(fit, *args, **kwargs):
    """The message that a fit refuses its scorer with."""
    with pytest.raises(ValueError, match=r"^scoring=") as caught:
        fit(*args, **kwargs)
    message = str(caught.value)
    assert re.search(r'(?s)\w.*"neg_log_loss".*\.$', message)
    return message


# what scikit-learn's metrics say of the scores that they give
@pytest.mark.filterwarnings(
    r"ignore:'k' \(2\) greater than or equal to 'n_classes' \(2\)",
    "ignore:`positive_likelihood_ratio` is ill-defined",
    "ignore:Precision is ill-defined",
    "ignore:Only one class is present in y_true",
)
@pytest.mark.parametrize(("name", "kind", "is_refused"), CASES)
def test_a_scorer_gives_scores_or_is_refused_before_training(
    name, kind, is_refused, epochs
):
    model, y = tiny(scoring=name), TARGETS[kind]
    if is_refused:
        assert repr(name) in refusal(model.fit, X, y)
        assert not epochs
    else:
        model.fit(X, y)
        assert np.isfinite(model.validation_scores_).all()
        assert len(epochs) == 2


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("f1", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
        ("jaccard", jaccard_score),
        (make_scorer(f1_score), f1_score),
        (make_scorer(f1_score, pos_label="no"), partial(f1_score, pos_label="no")),
        (
            make_scorer(partial(f1_score, pos_label="no")),
            partial(f1_score, pos_label="no"),
        ),
    ],
    ids=["f1", "precision", "recall", "jaccard", "made", "set", "set in a partial"],
)
@pytest.mark.parametrize("dtype", [str, object])
def test_the_second_class_is_the_positive_one(scoring, metric, dtype):
    y = NAMES[TWO].astype(dtype)
    weight = 1 + TWO[100:]
    model = tiny(scoring=scoring).fit(
        X[:100], y[:100], X_val=X[100:], y_val=y[100:], sample_weight_val=weight
    )
    if not isinstance(metric, partial):
        metric = partial(metric, pos_label=model.classes_[1])
    expected = metric(y[100:], model.predict(X[100:]), sample_weight=weight)
    assert model.best_validation_score_ == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("average_precision", partial(average_precision_score, pos_label="yes")),
        ("roc_auc", roc_auc_score),
        ("neg_brier_score", lambda y, p: -brier_score_loss(y, p, pos_label="yes")),
    ],
    ids=["average_precision", "roc_auc", "neg_brier_score"],
)
def test_its_probability_is_what_a_scorer_reads(scoring, metric):
    y = NAMES[TWO]
    model = tiny(scoring=scoring).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    expected = metric(y[100:], model.predict_proba(X[100:])[:, 1])
    assert model.best_validation_score_ == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "positive"), [([0, 1], 1), ([1, 2], 1), ([-1, 1], 1)]
)
def test_one_is_positive_where_it_is_a_label_as_scikit_learn_has_it(labels, positive):
    y = np.array(labels)[TWO]
    model = tiny(scoring="precision")
    model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    expected = precision_score(y[100:], model.predict(X[100:]), pos_label=positive)
    assert model.best_validation_score_ == expected


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        ("top_k_accuracy", top_k_accuracy_score),
        (
            make_scorer(d2_log_loss_score, response_method="predict_proba"),
            d2_log_loss_score,
        ),
        (
            make_scorer(
                log_loss, greater_is_better=False, response_method="predict_proba"
            ),
            lambda *args, **kwargs: -log_loss(*args, **kwargs),
        ),
        (
            make_scorer(
                top_k_accuracy_score,
                response_method="predict_proba",
                k=1,
                labels=["a", "b", "c"],
            ),
            partial(top_k_accuracy_score, k=1),
        ),
    ],
    ids=["top_k_accuracy", "d2_log_loss_score", "log_loss", "set"],
)
def test_a_metric_of_probabilities_knows_the_classes_that_have_no_row(scoring, metric):
    y = LETTERS[THREE]
    is_val = (np.arange(200) >= 100) & (y != "b")
    model = tiny(scoring=scoring).fit(X, y, X_val=X[is_val], y_val=y[is_val])
    expected = metric(y[is_val], model.predict_proba(X[is_val]), labels=model.classes_)
    assert model.best_validation_score_ == pytest.approx(expected, rel=1e-5)


def test_a_metric_of_predictions_looks_at_the_classes_that_it_sees():
    y, is_a_or_b = LETTERS[THREE], THREE < 2
    model = tiny(scoring="f1_macro").fit(X, y, X_val=X[is_a_or_b], y_val=y[is_a_or_b])
    expected = f1_score(y[is_a_or_b], model.predict(X[is_a_or_b]), average="macro")
    assert model.best_validation_score_ == pytest.approx(expected)


def takes_no_labels(y, predicted):
    raise RuntimeError("Labels are\n  strange. Call for help.")


def says_nothing(y, predicted):
    raise RuntimeError


ROC_AUC = make_scorer(roc_auc_score, response_method="predict_proba", average=None)
SENTENCES = {
    "two classes only": (
        {"scoring": "f1"},
        TARGETS["three texts"],
        r'f1. can\'t score .* of 3 classes\.\n.*\nChoose "f1_macro" or "neg_log',
    ),
    "two classes only, and one absent": (
        {"scoring": "roc_auc"},
        RARE,
        r"no held-out rows of \[2\].*\n.*'ovo', 'ovr'\).*\nChoose \"roc_auc_ovr\" or",
    ),
    "an object": (
        {"scoring": make_scorer(f1_score)},
        THREE,
        r"make_scorer\(f1_score, ...\) can't .*\n.*average='binary'.*\nChoose",
    ),
    "sets of labels": (
        {"scoring": "recall_samples"},
        TWO,
        r"of 2 classes\.\nSamplewise .* multilabel .*\nChoose \"recall_macro\" or",
    ),
    "a class that is too rare": (
        {"scoring": "roc_auc_ovr"},
        TARGETS["a rare text"],
        r"of 3 classes, and no held-out rows of \['c'\]: pass X_val",
    ),
    "numbers": (
        {"scoring": "r2"},
        TWO,
        "'r2' is for regression, and the labels are classes",
    ),
    "numbers by an object": (
        {"scoring": make_scorer(mean_squared_error, greater_is_better=False)},
        TWO,
        r"scoring=make_scorer\(mean_squared_error.* is for regression",
    ),
    "numbers by a partial": (
        {"scoring": make_scorer(partial(r2_score, force_finite=False))},
        TWO,
        r"scoring=make_scorer\(r2_score, ...\) is for regression",
    ),
    "a typing error": (
        {"scoring": make_scorer(f1_score, pos_label="yess")},
        TARGETS["two texts"],
        "of 2 classes.\npos_label=yess is not a valid label",
    ),
    "a metric of one's own": (
        {"scoring": make_scorer(takes_no_labels)},
        TWO,
        r"classes\.\nLabels are\n  strange\. Call for help\.\nChoose",
    ),
    "an error without a message": (
        {"scoring": make_scorer(says_nothing)},
        TWO,
        r"classes\.\nRuntimeError\nChoose",
    ),
    "several scores": (
        {"scoring": ROC_AUC},
        LETTERS[THREE],
        r"of 3 classes\.\n.*\nChoose",
    ),
    "a method that is not there": (
        {"scoring": make_scorer(f1_score, response_method="decision_function")},
        TWO,
        "decision_function",
    ),
    "no weights": (
        {"scoring": "rand_score", "class_weight": "balanced"},
        TWO,
        "'rand_score' takes no sample_weight, but the rows have weights",
    ),
    "no weights for many classes": (
        {"scoring": "roc_auc_ovo", "class_weight": "balanced"},
        THREE,
        "sample_weight is not supported for multiclass one-vs-one ROC AUC",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_the_sentence_names_scorer_reason_and_way_out(case, epochs):
    params, y, sentence = SENTENCES[case]
    assert re.search(sentence, refusal(tiny(**params).fit, X, y))
    assert not epochs


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_a_refusal_leaves_the_estimator_as_it_was(solver, n_estimators, epochs, capsys):
    params = {"solver": solver, "n_estimators": n_estimators, "dropout": 0.0}
    model = tiny(**params).fit(X, TWO)
    before, n_epochs = model.predict_proba(X), len(epochs)
    model.set_params(scoring="roc_auc_ovr", verbose=True)
    refusal(model.fit, X, TARGETS["a rare text"])
    assert len(epochs) == n_epochs
    assert capsys.readouterr().out == ""
    assert_array_equal(model.predict_proba(X), before)
    assert_array_equal(model.classes_, [0, 1])


def test_the_cause_is_the_error_of_the_metric():
    with pytest.raises(ValueError, match="Labels are") as caught:
        tiny(scoring=make_scorer(takes_no_labels)).fit(X, TWO)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_class_that_one_network_alone_has_no_row_of_is_absent():
    architecture = Architecture(3, (), 3, (), (), "float32")
    start = np.zeros((2, architecture.layout.size), np.float32)
    rows = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    x = X[:8].astype(np.float32)
    for y_encoded in ([0, 1, 2, 0], [0, 1, 1, 0]):
        validation = Samples(x, np.array([[0, 1, 2, 0], y_encoded]), None, rows)
        run = SimpleNamespace(
            architecture=architecture,
            data=TrainData(None, validation, LETTERS, 0),
            config=SimpleNamespace(scoring="roc_auc_ovr"),
        )
        if 2 in y_encoded:
            _, scores = _create_evaluation(run, start)(range(2))
            assert_array_equal(scores, [0.5, 0.5])
        else:
            assert "no held-out rows of ['c']" in refusal(
                _create_evaluation, run, start
            )


def test_it_is_no_use_to_train_until_the_first_row_of_a_third_class_is_predicted(
    epochs,
):
    start = tiny(scoring="accuracy", max_iter=1).fit(X, RARE).predict(X)
    assert set(start) == {0, 1}
    assert "average='binary'" in refusal(tiny(scoring="f1").fit, X, RARE)
    only_zeros = {"X_val": X[TWO == 0], "y_val": TWO[TWO == 0]}
    model = tiny(scoring="positive_likelihood_ratio")
    assert "no held-out rows of [1]" in refusal(model.fit, X, TWO, **only_zeros)
    assert len(epochs) == 1


def test_no_warning_of_the_trial_comes_out():
    model = ModelInTraining(NAMES, lambda X: np.tile([0.9, 0.1], (len(X), 1)))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        score = make_score_function("precision", model, X, TWO, None)
        refusal(make_score_function, "roc_auc", model, X, np.zeros_like(TWO), None)
        assert given == []
        assert score() == 0
    assert [one.category for one in given] == [UndefinedMetricWarning]


def test_scores_in_threads_leave_the_filters_of_warnings_alone():
    model = ModelInTraining(NAMES, lambda X: np.tile([0.9, 0.1], (len(X), 1)))

    def score(_):
        return make_score_function("f1", model, X, TWO, None)()

    before = list(warnings.filters)
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as threads:
        warnings.simplefilter("ignore")
        during = list(warnings.filters)
        list(threads.map(score, range(32)))
        assert list(warnings.filters) == during
    assert list(warnings.filters) == before


def test_a_function_is_called_once_an_epoch_and_its_errors_are_its_own():
    seen = []

    def score(model, X, y):
        seen.append(y)
        if len(seen) == 3:
            raise KeyError("third")
        return -mean_squared_error(y, model.predict(X))

    model = tiny(scoring=score).fit(X, TWO)
    assert len(seen) == len(model.validation_scores_) == 2
    with pytest.raises(KeyError, match="third"):
        model.fit(X, TWO)


def test_weights_that_overflow_at_the_start_are_left_to_the_end_of_training():
    model = tiny(scoring="accuracy", preprocessing=None, numeric_embedding=None)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 1"):
        model.fit(np.full((200, 30), 1e38, np.float32), NAMES[TWO])


@pytest.mark.parametrize(
    "scoring",
    [
        "accuracy",
        "f1_macro",
        "roc_auc",
        make_scorer(f1_score, pos_label=Decimal("0.5")),
        make_scorer(recall_score, labels=[Decimal("1.5")], average="macro"),
        lambda model, X, y: np.mean(model.predict(X) == y),
    ],
    ids=[
        "name",
        "name of averages",
        "threshold",
        "positive class",
        "labels",
        "function",
    ],
)
def test_scorers_take_labels_that_scikit_learn_has_no_type_for(scoring):
    decimals = np.array([Decimal("0.5"), Decimal("1.5")])[TWO]
    settings = {"n_estimators": 1, "max_iter": 5, "random_state": 0}
    model = MLPSoftmaxClassifier((8,), scoring=scoring, **settings).fit(X, decimals)
    if isinstance(scoring, str):
        numbers = MLPSoftmaxClassifier((8,), scoring=scoring, **settings).fit(X, TWO)
        assert model.validation_scores_ == numbers.validation_scores_
    assert model.best_validation_score_ > 0.6


def test_a_positive_class_of_objects_is_the_one_that_is_named():
    decimals = np.array([Decimal("0.5"), Decimal("1.5")])[TWO]
    probabilities = np.eye(2)[np.where(np.arange(200) < 40, 1 - TWO, TWO)]
    scores = []
    for classes, positive in (([0, 1], 0), (np.unique(decimals), Decimal("0.5"))):
        scorer = make_scorer(precision_score, pos_label=positive)
        model = ModelInTraining(np.array(classes), lambda X: X)
        scores.append(make_score_function(scorer, model, probabilities, TWO, None)())
    assert scores[0] == scores[1] < 1
