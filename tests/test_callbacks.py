"""scikit-learn's callbacks on our classifier, alone and inside others."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
from callback_helpers import Idle, Witness
from networks import classic
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skmlp import MLPSoftmaxClassifier
from skmlp.ensemble.combining import fit_combination

X, Y = load_wine(return_X_y=True, as_frame=True)
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
needs_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="scikit-learn has callbacks from 1.9 on"
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def default(**params):
    return MLPSoftmaxClassifier(**{"max_iter": 6, "random_state": 0} | params)


def seeded(**params):
    return classic(**{"random_state": 0} | params)


FITS = {
    "default": default,
    "one network": lambda **params: default(n_estimators=1, **params),
    "nothing held out": lambda **params: seeded(**params),
    "sgd": lambda **params: seeded(solver="sgd", **params),
    "lbfgs": lambda **params: seeded(solver="lbfgs", **params),
}
every_fit = pytest.mark.parametrize("make", FITS.values(), ids=FITS)


@needs_callbacks
@every_fit
def test_a_fit_is_a_task_with_a_task_per_epoch(make):
    witness = Witness()
    model = make(max_iter=4).set_callbacks(witness).fit(X, Y)
    epochs = [("begin", "epoch"), ("end", "epoch")] * model.n_iter_
    assert witness.calls == [
        "setup",
        ("begin", "fit"),
        *epochs,
        ("end", "fit"),
        "teardown",
    ]
    assert witness.data[0] is X
    assert_array_equal(witness.data[1], Y)
    assert witness.data[2] is None


@needs_callbacks
@every_fit
def test_a_callback_gets_the_model_that_fit_would_leave(make):
    witness = Witness()
    make(max_iter=5).set_callbacks(witness).fit(X, Y)
    assert len(witness.models) == 5
    for n_epochs, model in enumerate(witness.models, start=1):
        stopped = make(max_iter=5).set_callbacks(Witness(n_epochs)).fit(X, Y)
        assert stopped.n_iter_ == model.n_iter_ == n_epochs
        assert_array_equal(stopped.best_iter_, model.best_iter_)
        assert_array_equal(stopped.member_weights_, model.member_weights_)
        assert stopped.history_ == model.history_
        assert_array_equal(stopped.predict_proba(X), model.predict_proba(X))


@needs_callbacks
@every_fit
def test_callbacks_change_nothing_in_the_model(make):
    watched = make(max_iter=5).set_callbacks(Witness()).fit(X, Y)
    assert_array_equal(watched.parameters_, make(max_iter=5).fit(X, Y).parameters_)
    assert watched.set_callbacks() is watched
    assert vars(watched).keys() == vars(make().fit(X, Y)).keys()


@needs_callbacks
def test_a_fitted_estimator_is_made_only_if_asked_for(monkeypatch):
    asked = []
    original = sklearn.callback._callback_context._from_reconstruction_attributes
    monkeypatch.setattr(
        sklearn.callback._callback_context,
        "_from_reconstruction_attributes",
        lambda *args: asked.append(1) or original(*args),
    )
    monkeypatch.setattr(
        "skmlp.fitting.run.fit_combination",
        lambda *args: asked.append(2) or fit_combination(*args),
    )
    default().set_callbacks(Idle()).fit(X, Y)
    assert asked == [2]  # for the end of fit
    default().set_callbacks(Witness()).fit(X, Y)
    assert len(asked) > 10


@needs_callbacks
def test_sample_weight_comes_as_metadata():
    witness, weight = Witness(), np.ones(len(Y))
    default().set_callbacks(witness).fit(X, Y, sample_weight=weight)
    assert witness.data[2] == {"sample_weight": weight}


@needs_callbacks
def test_a_failing_callback_leaves_the_estimator_as_it_was():
    class Failing(Witness):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("no more")

    failing = Failing()
    model = default().fit(X, Y)
    before = copy.deepcopy(vars(model))
    with pytest.raises(RuntimeError, match="no more"):
        model.set_callbacks(failing).fit(X, Y)
    assert failing.calls[-1] == "teardown"
    model.set_callbacks()
    assert vars(model).keys() == before.keys()
    assert_array_equal(model.parameters_, before["parameters_"])


@needs_callbacks
def test_scoring_monitor_and_progress_bar_alone(capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = default().set_callbacks(ProgressBar(), monitor).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    assert len(epochs) == model.n_iter_ == 6
    for n_epochs, score in enumerate(epochs["neg_log_loss"], start=1):
        model = default().set_callbacks(Witness(n_epochs)).fit(X, Y)
        assert score == pytest.approx(-log_loss(Y, model.predict_proba(X)))
    assert "MLPSoftmaxClassifier - fit" in capsys.readouterr().out


@needs_callbacks
def test_in_a_pipeline(capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="neg_log_loss")
    pipeline = make_pipeline(StandardScaler(), default().set_callbacks(monitor))
    pipeline.set_callbacks(ProgressBar()).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 6
    assert "MLPSoftmaxClassifier" in capsys.readouterr().out

    inside = make_pipeline(StandardScaler(), default().set_callbacks(Witness(2)))
    assert inside.fit(X, Y)[-1].n_iter_ == 2


@needs_callbacks
def test_in_a_parallel_grid_search(capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    monitor = ScoringMonitor(scoring="neg_log_loss")
    search = GridSearchCV(
        default(n_estimators=1).set_callbacks(monitor),
        {"alpha": [1e-4, 1e-2]},
        cv=2,
        n_jobs=2,
    )
    search.set_callbacks(ProgressBar()).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    # two candidates on two folds, and the best one on all rows
    assert (log["task_name"] == "epoch").sum() == 6 * (2 * 2 + 1)
    assert "GridSearchCV" in capsys.readouterr().out

    stopping = GridSearchCV(
        default(n_estimators=1).set_callbacks(Witness(3)),
        {"alpha": [1e-4, 1e-2]},
        cv=2,
        n_jobs=2,
    ).fit(X, Y)
    assert stopping.best_estimator_.n_iter_ == 3


@needs_callbacks
def test_clones_and_pickles_keep_callbacks():
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    model = default().set_callbacks(monitor)
    assert clone(model)._skl_callbacks
    loaded = pickle.loads(pickle.dumps(model.fit(X, Y)))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.fit(X, Y)
    (its_monitor,) = loaded._skl_callbacks
    assert len(its_monitor.get_logs(select="all")) == 2
    assert len(monitor.get_logs(select="all")) == 1


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks")
def test_an_old_scikit_learn_is_named():
    with pytest.raises(NotImplementedError, match=f"and {sklearn.__version__} is"):
        default().set_callbacks(Idle())
    assert default().fit(X, Y).score(X, Y) > 0.5
