"""BLAS threads follow the size of the product, and are given back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from interrupts import InterruptAtCall
from threadpoolctl import threadpool_info, threadpool_limits

from skmlp import MLPSoftmaxClassifier
from skmlp.training.threads import (
    ONE_THREAD,
    SERIAL,
    SMALLEST_SHARED_PRODUCT,
    _controller,
    _get_limits,
    limit_blas_threads,
    open_workers,
)


def n_threads(user_api):
    pools = threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == user_api]


def blas_threads():
    return n_threads("blas")


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        yield


def test_a_small_product_gets_one_thread_and_a_large_one_is_left_alone():
    with limit_blas_threads(SMALLEST_SHARED_PRODUCT - 1):
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}
    with limit_blas_threads(SMALLEST_SHARED_PRODUCT):
        assert set(blas_threads()) == {2}


def test_threads_are_given_back_after_an_error():
    with pytest.raises(ArithmeticError), limit_blas_threads(1):
        raise ArithmeticError
    assert set(blas_threads()) == {2}


def test_hold_interrupted_anywhere_gives_threads_back():
    _controller()  # the search for libraries is no part of it
    was_interrupted, n_calls = True, 0
    while was_interrupted:
        n_calls += 1
        with InterruptAtCall(n_calls) as interrupt, ONE_THREAD.hold():
            assert set(_get_limits()) == {1}
        was_interrupted = interrupt.has_come
        assert set(_get_limits()) == {2}
        assert not ONE_THREAD.users
    assert n_calls > 20


def test_threads_are_given_back_when_the_last_of_several_fits_has_ended():
    X, y = np.random.default_rng(0).random((300, 5)), np.arange(300) % 3

    def fit(n_epochs):
        MLPSoftmaxClassifier(
            (8,), batch_size=10, learning_rate="cosine", max_iter=n_epochs
        ).fit(X, y)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, [1, 9, 3, 5, 2, 8, 4, 7, 1, 6]))
    assert set(blas_threads()) == {2}


def test_overlapping_blocks_end_in_any_order():
    first, second = limit_blas_threads(1), limit_blas_threads(1)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_tasks", [0, 1])
def test_side_by_side_with_at_most_one_task_starts_no_thread(n_tasks, refuse_threads):
    refuse_threads(0)
    with open_workers(n_tasks) as workers:
        assert workers is SERIAL


@pytest.mark.parametrize("n_startable", [0, 1, 2])
def test_side_by_side_without_further_threads_is_smaller(n_startable, refuse_threads):
    with threadpool_limits(3, user_api="blas"):
        refuse_threads(n_startable)
        with open_workers(3) as workers:
            assert workers.n_threads == max(1, n_startable)
            assert list(workers.map(abs, range(-3, 0))) == [3, 2, 1]


def test_side_by_side_after_an_error_cancels_tasks_that_have_not_begun(monkeypatch):
    may_end = threading.Event()
    done = []

    class Watched(ThreadPoolExecutor):
        def shutdown(self, *given, **options):
            if options:
                super().shutdown(*given, **options)
                may_end.set()
            super().shutdown(*given)

    def work(number):
        may_end.wait()
        done.append(number)

    def interrupt():
        with open_workers(2) as workers:
            workers.map(work, range(20))
            raise KeyboardInterrupt

    monkeypatch.setattr("skmlp.training.threads.ThreadPoolExecutor", Watched)
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert len(done) <= 2


def test_limits_of_other_libraries_are_left_alone():
    if any(pool.get("threading_layer") == "openmp" for pool in threadpool_info()):
        pytest.skip("the threads of BLAS are those of OpenMP")
    block = limit_blas_threads(1)
    block.__enter__()
    with threadpool_limits(3, user_api="openmp"):
        block.__exit__(None, None, None)
        assert set(n_threads("openmp")) <= {3}


def test_threads_are_given_back_by_another_thread_than_held_them_first():
    inside, leave, alive = (threading.Event() for _ in range(3))

    def hold_first_and_live_on():
        with ONE_THREAD.hold():
            inside.set()
            leave.wait()
        alive.wait()

    first = threading.Thread(target=hold_first_and_live_on)
    # as in a pool, where no thread has set a limit before
    with threadpool_limits(2, user_api="blas"):
        pass
    first.start()
    inside.wait()
    with ONE_THREAD.hold():
        assert set(blas_threads()) == {1}
        assert ONE_THREAD.n_allowed() == 2
        leave.set()
        while len(ONE_THREAD.users) > 1:
            pass
    assert set(blas_threads()) == {2}
    with threadpool_limits(1, user_api="blas"):  # others are not locked out either
        assert set(blas_threads()) == {1}
    alive.set()
    first.join()


def test_a_first_question_while_somebody_holds_gets_the_right_number():
    with ONE_THREAD.hold():
        assert ONE_THREAD.n_allowed() == 2
