"""Threads: how many BLAS uses, and pools of them that train networks in parallel."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import threadpoolctl

# Multiplications from which several BLAS threads are worth their risk. On two idle
# cores a second thread saves a step 4% at 2^22 and 13% at 2^24; but if another program
# keeps a core busy, waiting for each other makes it many times slower.
SMALLEST_SHARED_PRODUCT = 2**24


@cache
def _controller() -> threadpoolctl.ThreadpoolController:
    """Find the BLAS libraries of the process, which takes milliseconds."""
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def _get_limits() -> list[int]:
    """Limit on the threads of each BLAS library."""
    return [library.num_threads for library in _controller().lib_controllers]


def _set_limits(limits: list[int]) -> None:
    # From threadpoolctl 3.8 on, the first thread that sets a limit is the only one that
    # may do so while it lives; but here the last of several fits restores the limits,
    # whichever thread has set them.
    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(openblas, "clear_controlling_thread", lambda force: None)
    clear(force=True)
    try:
        for library, limit in zip(_controller().lib_controllers, limits, strict=True):
            library.set_num_threads(limit)
    finally:
        clear(force=True)


class _BlasLimit:
    """Limit of BLAS to one thread while any block of the process wants it.

    `threadpool_limits` alone breaks three promises. It saves and restores the limits of
    the whole process, so of two fits that overlap, the last to end would restore the
    limit of the other, 1, for good. A process forked during a fit would inherit 1, with
    no thread to lift it. And Ctrl-C within it may leave the limits as they are.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()  # held while users or limits change
        self.users: set[object] = set()  # one object per block that wants one thread
        self.limits: list[int] | None = None  # before; None while there are no users

    def n_allowed(self) -> int:
        """Number of BLAS threads that the process may use outside of such blocks."""
        with self.lock:
            limits = self.limits or _get_limits()
        return max(limits, default=1)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One thread within the block; as before once all such blocks have ended."""
        user = object()
        try:
            with self.lock:
                if self.limits is None:
                    # stored first, so that `_remove` undoes a half-done change, too
                    self.limits = _get_limits()
                    _set_limits([1] * len(self.limits))
                self.users.add(user)
            yield
        finally:
            try:
                self._remove(user)
            except KeyboardInterrupt:  # again, since the first one may be half done
                self._remove(user)
                raise

    def _remove(self, user: object) -> None:
        with self.lock:
            # a fork or an interrupt may have left no trace of the user
            self.users.discard(user)
            self._restore_if_unused()

    def _restore_if_unused(self) -> None:
        if not self.users and self.limits is not None:
            _set_limits(self.limits)
            self.limits = None

    def _after_fork_in_child(self) -> None:
        """Start without users: only the forking thread of the parent is here."""
        self.lock = threading.Lock()  # others may have been queueing for the copied one
        self.users.clear()
        self._restore_if_unused()


ONE_THREAD = _BlasLimit()
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        # no process is copied while another thread is changing limits
        before=lambda: ONE_THREAD.lock.acquire(),
        after_in_parent=lambda: ONE_THREAD.lock.release(),
        after_in_child=ONE_THREAD._after_fork_in_child,
    )


class Workers(NamedTuple):
    """Threads that run tasks in parallel."""

    n_threads: int = 1
    map: Callable[..., Iterator[Any]] = map  # applies a function to each task


SERIAL = Workers()
"""The calling thread alone."""


@contextmanager
def limit_blas_threads(n_multiplications: int) -> Iterator[Workers]:
    """Limit BLAS to one thread, unless a product is large enough for several."""
    if n_multiplications >= SMALLEST_SHARED_PRODUCT:
        yield SERIAL
        return
    with ONE_THREAD.hold():
        yield SERIAL


@contextmanager
def open_workers(n_tasks: int) -> Iterator[Workers]:
    """Open a pool of as many threads as BLAS may use, or as there are tasks.

    Each task runs on one BLAS thread: tasks that need not wait for each other share the
    work better than threads that join after each product. If the system refuses to
    start threads, there are fewer.
    """
    n_threads = min(n_tasks, ONE_THREAD.n_allowed())
    with ONE_THREAD.hold():
        while n_threads > 1:
            with ThreadPoolExecutor(n_threads) as pool:
                n_started = _start_threads(pool, n_threads)
                if n_started == n_threads:
                    try:
                        yield Workers(n_threads, pool.map)
                    finally:
                        # after an interrupt, don't wait for tasks that have not begun
                        pool.shutdown(wait=False, cancel_futures=True)
                    return
            n_threads = n_started
        yield SERIAL


def _start_threads(pool: ThreadPoolExecutor, n_threads: int) -> int:
    """Start the threads of a pool now; return how many the system granted."""
    all_started = threading.Event()
    n_started = 0
    try:
        while n_started < n_threads:
            # a task that waits keeps its thread busy, so that the next one gets another
            pool.submit(all_started.wait)
            n_started += 1
    except RuntimeError:  # "can't start new thread"
        pass
    finally:
        all_started.set()
    return n_started
