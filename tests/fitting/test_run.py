"""A task carried out: how it ends, what is kept, and what is left as it was."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy

import interrupted_fit
import numpy as np
import pytest
from interrupted_fit import SETTINGS
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import softmax
from sklearn.metrics import log_loss
from tasks import CODES, CONFIG, HELD_OUT, X, regression, solver
from threadpoolctl import threadpool_limits

from skmlp.core.library import _get_library
from skmlp.defaults import MemberConfig
from skmlp.ensemble.combining import fit_combination
from skmlp.fitting.run import _create_evaluation, run_training
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.stochastic import StochasticTrainer
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples
from skmlp.training.monitor import PlateauTracker, StopReason
from skmlp.training.threads import Workers

# How it ends

HUGE = {"learning_rate_init": 1e9}
STILL = CONFIG._replace(tol=10.0, n_iter_no_change=1)
PLANNED = CONFIG._replace(has_fixed_budget=True)
ENDINGS = {  # changes of the task, of the solver; how it ends, after how many epochs
    "over too early": ({}, {}, StopReason.MAX_ITER_REACHED, 3),
    "as many as wanted": ({"config": PLANNED}, {}, StopReason.COMPLETED, 3),
    "held-out rows choose": ({"validation": HELD_OUT}, {}, StopReason.COMPLETED, 3),
    "a schedule's end": ({}, {"learning_rate": "cosine"}, StopReason.COMPLETED, 3),
    "a plateau": ({"config": STILL}, {}, StopReason.CONVERGED, 3),
    "a steep rate": ({}, HUGE, StopReason.DIVERGED, 1),
    "a deadline gone by": ({"deadline": 0.0}, {}, StopReason.OUT_OF_TIME, 1),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_how_descent_ends(case):
    changes, given, stop_reason, n_epochs = ENDINGS[case]
    train_result = run_training(regression(**changes), solver("sgd", **given))
    assert (train_result.stop_reason, train_result.n_epochs) == (stop_reason, n_epochs)


@pytest.mark.parametrize(
    ("changes", "stop_reason"),
    [
        ({}, StopReason.MAX_ITER_REACHED),
        ({"deadline": 0.0}, StopReason.OUT_OF_TIME),
        ({"config": CONFIG._replace(max_iter=1000)}, StopReason.CONVERGED),
        # patience is for those who watch the training loss
        ({"config": STILL._replace(tol=1e-4, max_iter=2)}, StopReason.MAX_ITER_REACHED),
    ],
)
def test_how_a_full_batch_ends(changes, stop_reason):
    assert (
        run_training(regression(**changes), solver("lbfgs")).stop_reason == stop_reason
    )


class Interrupted(StochasticTrainer):
    """Is interrupted once its epochs are over."""

    def train(self, task, parameters, monitor, workers):
        super().train(task, parameters, monitor, workers)
        monitor.stop_reason = None
        raise KeyboardInterrupt


def test_an_interruption_keeps_what_was_learnt_and_what_was_remembered():
    memory = run_training(regression(), solver("adam")).optimizer_state
    pressed = Interrupted(**vars(solver("adam")))
    train_result = run_training(regression(optimizer_state=memory), pressed)
    assert train_result.stop_reason == StopReason.INTERRUPTED
    assert train_result.n_epochs == train_result.best_epochs == 3
    assert train_result.optimizer_state is memory


def in_threads(n_networks, **changes):
    """A task whose networks are trained side by side: sparse rows can't be stacked."""
    samples = Samples(sparse.csr_array(X), CODES).broadcast_members(n_networks)
    return regression(n_networks, samples=samples, **changes)


class InterruptedBesideThreads(StochasticTrainer):
    """Is interrupted while other threads are in the midst of an epoch."""

    def train(self, task, parameters, monitor, workers):
        def epoch(network):
            while not monitor.is_out_of_time():
                time.sleep(0.01)

        workers.map(epoch, range(2))
        raise KeyboardInterrupt


def test_threads_end_their_epoch_once_training_is_interrupted():
    pressed = InterruptedBesideThreads(**vars(solver("adam")))
    with threadpool_limits(2, user_api="blas"):
        train_result = run_training(in_threads(2), pressed)
    assert train_result.stop_reason == StopReason.INTERRUPTED


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("setting", SETTINGS)
def test_fit_interrupted_at_random_ends_with_usable_estimator(setting):
    """The time allowed only tells a hang: 40 fits take some seconds."""
    command = [sys.executable, interrupted_fit.__file__, setting, "40"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr


def fail_submit(monkeypatch, number, error):
    """Let one submit to an executor, counted from 1, raise an error."""
    counter = itertools.count(1)

    class Failing(ThreadPoolExecutor):
        def submit(self, *given):
            if next(counter) == number:
                raise error
            return super().submit(*given)

    monkeypatch.setattr("skmlp.training.threads.ThreadPoolExecutor", Failing)


def wide(n_estimators=1):
    """An estimator whose batches, or members, are shared by two threads."""
    return classic(
        (256, 256), batch_size=64, n_estimators=n_estimators, max_iter=3, random_state=0
    )


ROWS = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int)


needs_core = pytest.mark.skipif(
    _get_library() is None, reason="NumPy trains these networks on one thread"
)


@needs_core
@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_fit_interrupted_in_any_submit_keeps_weights(number, n_estimators, monkeypatch):
    fail_submit(monkeypatch, number, KeyboardInterrupt)
    model = wide(n_estimators)
    with (
        threadpool_limits(2, user_api="blas"),
        pytest.warns(UserWarning, match="interrupted by user in epoch"),
    ):
        model.fit(ROWS, LABELS)
    assert np.isfinite(model.predict_proba(ROWS)).all()


@needs_core
def test_fit_interrupted_while_threads_end_keeps_weights(monkeypatch):
    class Failing(ThreadPoolExecutor):
        def __exit__(self, *given):
            super().__exit__(*given)
            raise KeyboardInterrupt

    monkeypatch.setattr("skmlp.training.threads.ThreadPoolExecutor", Failing)
    with (
        threadpool_limits(2, user_api="blas"),
        pytest.warns(UserWarning, match="interrupted by user in epoch 4"),
    ):
        model = wide().fit(ROWS, LABELS)
    assert model.n_iter_ == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_startable", [0, 1])
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_fit_without_further_threads_gives_the_same_bits(
    n_estimators, n_startable, refuse_threads
):
    with threadpool_limits(2, user_api="blas"):
        expected = wide(n_estimators).fit(ROWS, LABELS)
        refuse_threads(n_startable)
        model = wide(n_estimators).fit(ROWS, LABELS)
        assert_array_equal(model.predict_proba(ROWS), expected.predict_proba(ROWS))


class Callbacks:
    """Hear of epochs in place of scikit-learn's, and end training after the second."""

    def __init__(self):
        self.heard = []

    def begin_epoch(self):
        self.heard.append("begin")

    def end_epoch(self, attributes):
        self.heard.append(attributes()["best_iter_"])
        return self.heard.count("begin") == 2


def test_a_callback_is_told_what_is_learnt_and_may_end_training():
    callbacks = Callbacks()
    train_result = run_training(regression(fit_task=callbacks), solver("adam"))
    assert (train_result.stop_reason, train_result.n_epochs) == (
        StopReason.BY_CALLBACK,
        2,
    )
    assert callbacks.heard == ["begin", 1, "begin", 2]


def test_a_callback_does_not_hide_that_training_diverged():
    callbacks = Callbacks()
    callbacks.heard.append("begin")
    train_result = run_training(regression(fit_task=callbacks), solver("sgd", **HUGE))
    assert train_result.stop_reason == StopReason.DIVERGED


# What is kept


@pytest.mark.parametrize("n_networks", [1, 2])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_task_stays_as_it_was(name, n_networks):
    task = regression(n_networks, plateau=PlateauTracker(5.0, 1), samples_seen=7)
    before = deepcopy(task)
    train_result = run_training(task, solver(name))
    assert not np.array_equal(train_result.parameters, before.parameters)
    assert_array_equal(task.parameters, before.parameters)
    assert_array_equal(task.data.samples.x, before.data.samples.x)
    assert task.plateau == before.plateau


@pytest.mark.parametrize("name", SOLVERS)
def test_rows_are_counted_on_from_former_calls(name):
    train_result = run_training(regression(samples_seen=1000), solver(name))
    assert train_result.samples_seen == 1000 + train_result.n_epochs * 60


def test_a_plateau_is_gone_on_from():
    plateau = PlateauTracker(lowest=0.0, n_bad_epochs=1)
    task = regression(config=CONFIG._replace(n_iter_no_change=2), plateau=plateau)
    train_result = run_training(task, solver("sgd"))
    assert (train_result.stop_reason, train_result.n_epochs) == (
        StopReason.CONVERGED,
        2,
    )
    assert train_result.plateau == PlateauTracker(lowest=0.0, n_bad_epochs=3)


def test_a_divergence_keeps_the_start():
    start = np.arange(9.0)[np.newaxis]
    train_result = run_training(regression(parameters=start), solver("sgd", **HUGE))
    assert_array_equal(train_result.parameters, start)
    assert train_result.best_epochs == 0


@pytest.mark.parametrize("name", SOLVERS)
def test_weights_come_in_the_type_of_the_network(name):
    single = Architecture(2, (), 3, (), (), "float32")
    x, start = X.astype("float32"), np.zeros((1, 9), "float32")
    rows, config = Samples(x, CODES[np.newaxis]), CONFIG._replace(max_iter=50)
    task = regression(
        architecture=single, parameters=start, samples=rows, config=config
    )
    learnt = run_training(task, solver(name))
    assert learnt.architecture is single
    assert learnt.parameters.dtype == "float32"
    rows = Samples(x.astype("float64"), CODES[np.newaxis])
    double = run_training(regression(samples=rows, config=config), solver(name))
    # one that has a type of its own computes in it either way
    tolerance = 1e-4 if SOLVERS[name].dtype is None else 1e-7
    assert_allclose(learnt.parameters, double.parameters, rtol=tolerance, atol=1e-7)


@pytest.mark.parametrize("score", [np.nan, -np.inf, 0.5])
def test_scores_without_a_finite_one_say_nothing(score):
    config = CONFIG._replace(scoring=lambda model, X, y: score)
    train_result = run_training(
        regression(validation=HELD_OUT, config=config), solver("adam")
    )
    assert train_result.lacks_scores == (score != 0.5)
    assert train_result.history["validation_score"][0] == pytest.approx(
        score, nan_ok=True
    )
    assert not run_training(regression(config=config), solver("adam")).lacks_scores


# Held-out rows


def test_the_log_loss_of_each_network_is_that_on_rows_of_its_own():
    parameters = np.random.default_rng(0).normal(size=(2, 9))
    rows = np.array([[3, 1, 4], [5, 9, 2]])
    weight = np.array([[1.0, 2.0, 3.0], [4.0, 1.0, 1.0]])
    expected = [
        log_loss(
            CODES[part],
            softmax(X[part] @ vector[:6].reshape(2, 3) + vector[6:], axis=1),
            sample_weight=of_part,
            labels=[0, 1, 2],
        )
        for vector, part, of_part in zip(parameters, rows, weight, strict=True)
    ]
    task = regression(2, validation=Samples(X, CODES[rows], weight, rows))
    evaluate = _create_evaluation(task, parameters)
    losses, scores = evaluate([0, 1])
    assert_allclose(losses, expected)
    assert_array_equal(scores, -losses)
    for member in (0, 1):
        of_one, _ = evaluate([member])
        assert_array_equal(of_one, losses[[member]])
    assert _create_evaluation(regression(), parameters) is None


@pytest.mark.parametrize("name", SOLVERS)
def test_networks_are_scored_by_the_map_of_the_solver(name):
    seen = []

    class Watched(SOLVERS[name]):
        def open_threads(self, task):
            return watched(super().open_threads(task))

    @contextmanager
    def watched(threads):
        with threads as workers:

            def count(function, tasks):
                tasks = list(tasks)
                seen.append(len(tasks))
                return workers.map(function, tasks)

            yield workers._replace(map=count)

    task = regression(3, validation=HELD_OUT.select_members(0).broadcast_members(3))
    train_result = run_training(task, Watched(**vars(solver(name))))
    assert seen.count(3) == train_result.n_epochs


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy"])
def test_threads_have_no_say_in_losses_and_scores(name, scoring):
    validation = Samples(X, CODES[::4], None, np.arange(60)[::4]).broadcast_members(5)
    histories = []
    for n_threads in (1, 2, 4):
        config = CONFIG._replace(scoring=scoring)
        task = in_threads(5, validation=validation, config=config)
        with threadpool_limits(n_threads, user_api="blas"):
            histories.append(run_training(task, solver(name)).history)
    assert histories[0] == histories[1] == histories[2]


def test_a_scorer_is_called_in_one_thread():
    threads = set()

    def score(model, X, y):
        threads.add(threading.current_thread())
        return model.score(X, y)

    validation = HELD_OUT.select_members(0).broadcast_members(4)
    task = in_threads(4, validation=validation, config=CONFIG._replace(scoring=score))
    with threadpool_limits(4, user_api="blas"):
        run_training(task, solver("adam"))
    assert threads == {threading.current_thread()}


def test_a_loss_that_runs_away_gives_no_warning_in_a_thread():
    parameters = np.full((2, 9), np.inf)
    task = regression(2, validation=HELD_OUT.select_members(0).broadcast_members(2))
    with ThreadPoolExecutor(2) as pool:
        losses, _ = _create_evaluation(task, parameters)(
            [0, 1], workers=Workers(2, pool.map)
        )
    assert np.isnan(losses).all()


def test_nothing_is_scored_of_one_class_or_of_a_network_that_ran_away():
    config = CONFIG._replace(scoring=lambda model, X, y: pytest.fail("was asked"))
    alone = regression(validation=HELD_OUT, config=config, classes=np.arange(1))
    (loss,), (score,) = _create_evaluation(alone, np.zeros((1, 9)))([0])
    assert loss == -score == pytest.approx(np.log(3))
    ran_away = regression(validation=HELD_OUT, config=config)
    assert np.isnan(_create_evaluation(ran_away, np.full((1, 9), np.nan))([0])).all()


# What the networks count for


def test_shares_and_a_temperature_are_found_where_training_ends():
    config = CONFIG._replace(temperature="auto", member_weights="auto")
    members = [MemberConfig(frequency, (), 0.0) for frequency in (1.0, 2.0)]
    changes = {"members": members, "config": config}
    changes["validation"] = HELD_OUT.select_members(0).broadcast_members(2)
    start = np.zeros((2, 9))
    start[0, 2] = 2.0  # the first one starts elsewhere
    task = regression(2, parameters=start, **changes)
    learnt = run_training(task, solver("sgd"))
    expected_weights, expected_temperature = fit_combination(task, learnt.parameters)
    assert_array_equal(learnt.ensemble_weights, expected_weights)
    assert learnt.temperature == expected_temperature != 1
    assert learnt.ensemble_weights.sum() == pytest.approx(1)
    assert learnt.ensemble_weights[0] != learnt.ensemble_weights[1]
