"""Processes that begin while threads of their parent fit can fit as well as others."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import joblib
import pytest
from forked_fit import X, Y, blas_threads, model, predictions, report, send
from numpy.testing import assert_array_equal
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skmlp.training.threads import ONE_THREAD

pytestmark = pytest.mark.filterwarnings(
    r"ignore:This process \(pid=\d+\) is multi-threaded:DeprecationWarning"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

N_THREADS = 3
"""BLAS threads of the thread that fits: not one, and seldom the default."""
# joblib may have added one of its own, which has tests further down
METHODS = {"fork", "spawn", "forkserver"} & {*multiprocessing.get_all_start_methods()}
DEADLINE = 1800
"""Seconds after which a process hangs, on however busy a machine."""


@pytest.fixture(autouse=True)
def threads():
    """What BLAS is given back where it had N_THREADS before, library by library.

    With the end of the block the main thread lets another one set limits: threadpoolctl
    3.8 lets one at a time, for as long as it lives or until it ends such a block.
    """
    before = blas_threads()
    with threadpool_limits(N_THREADS, user_api="blas"):
        threads = blas_threads()
    yield threads
    assert blas_threads() == before
    assert not ONE_THREAD.users


@pytest.fixture(scope="module")
def expected():
    return predictions(model())


def fit(begun, stop):
    while not stop.is_set():
        predictions(model())
        begun.set()


def hold(begun, stop):
    with ONE_THREAD.hold():
        begun.set()
        stop.wait()


def change(begun, stop):
    """Do as one who takes a while to change the limits."""
    with ONE_THREAD.lock:
        begun.set()
        time.sleep(0.2)
    stop.wait()


@contextmanager
def beside(work):
    """A block during which another thread works."""
    begun, stop = threading.Event(), threading.Event()

    def run():
        with threadpool_limits(N_THREADS, user_api="blas"):
            work(begun, stop)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        try:
            assert begun.wait(DEADLINE)
            yield
        finally:
            stop.set()
        done.result()


def in_a_fork(work):
    """What `work` returns in a child of this process."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            sender.send(work())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)  # no way back into pytest
    sender.close()
    try:
        assert receiver.poll(DEADLINE), "the child hangs"
        return receiver.recv()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def assert_as_good_as_any(train_result, expected, threads):
    assert_array_equal(train_result.probabilities, expected)
    assert train_result.n_users == 0
    assert train_result.n_allowed == max(threads, default=1)
    assert train_result.blas_threads == threads


@needs_fork
def test_forks_while_a_thread_fits(expected, threads):
    with beside(fit):
        for _ in range(10):
            assert_as_good_as_any(in_a_fork(report), expected, threads)


@needs_fork
@pytest.mark.parametrize("work", [hold, change])
def test_a_fork_while_another_thread_sets_or_holds_limits(work, expected, threads):
    with beside(work):
        assert_as_good_as_any(in_a_fork(report), expected, threads)


@needs_fork
def test_blocks_of_before_a_fork_end_in_the_child_without_effect(expected, threads):
    def state():
        return len(ONE_THREAD.users), blas_threads()

    def end_and_fit():
        states = [state()]
        inner.close()
        states.append(state())
        with ONE_THREAD.hold():
            outer.close()
            states.append(state())
        states.append(state())
        return states, report()

    free, one = (0, threads), [1] * len(threads)
    with (
        threadpool_limits(N_THREADS, user_api="blas"),
        ExitStack() as outer,
        ExitStack() as inner,
    ):
        outer.enter_context(ONE_THREAD.hold())
        inner.enter_context(ONE_THREAD.hold())
        states, train_result = in_a_fork(end_and_fit)
        assert state() == (2, one)  # the parent takes no notice
    assert states == [free, free, (1, one), free]
    assert_as_good_as_any(train_result, expected, threads)


@needs_fork
def test_a_scorer_that_forks_in_the_midst_of_a_fit(expected, threads):
    outcomes = []

    def scorer(estimator, X, y):
        assert len(ONE_THREAD.users) == 1
        if not outcomes:
            outcomes.append(in_a_fork(report))
        return 0.0

    with threadpool_limits(N_THREADS, user_api="blas"):
        model(early_stopping=True, scoring=scorer).fit(X, Y)
    assert_as_good_as_any(*outcomes, expected, threads)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_multiprocessing_while_a_thread_fits(method, expected, threads):
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    with beside(fit):
        process = context.Process(target=send, args=(sender, report))
        process.start()
        try:
            assert receiver.poll(DEADLINE), "the process hangs"
            train_result = receiver.recv()
        finally:
            process.kill()
            process.join()
    if method != "fork":  # it found its number of threads itself
        threads = train_result.blas_threads
    assert_as_good_as_any(train_result, expected, threads)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_while_a_thread_fits(backend, expected):
    with beside(fit):
        outcomes = joblib.Parallel(n_jobs=2, backend=backend, timeout=DEADLINE)(
            joblib.delayed(predictions)(clone(model())) for _ in range(4)
        )
    for train_result in outcomes:
        assert_array_equal(train_result, expected)
