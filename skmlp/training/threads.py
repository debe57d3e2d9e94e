"""How many BLAS threads a product deserves: a small one is slower with two than one."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, Protocol, TypeVar

import threadpoolctl

Task = TypeVar("Task")
Result = TypeVar("Result")


class Map(Protocol):
    """Applies a function to each task, as Python's `map` does."""

    def __call__(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], /
    ) -> Iterator[Result]: ...


SMALLEST_SHARED_PRODUCT = 2**24
"""Multiplications from which several threads are worth their risk.

On two idle cores a second thread saves a step 4% at 2^22 and 13% at 2^24; but where
another program keeps a core busy, waiting for each other makes it many times slower.
"""


@cache
def controller() -> threadpoolctl.ThreadpoolController:
    """Found once: to search the process for its BLAS libraries takes milliseconds."""
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def blas_threads() -> int:
    """How many threads BLAS uses now."""
    return max(limits_of_libraries(), default=1)


def limits_of_libraries() -> list[int]:
    """Most threads that each BLAS library uses now."""
    return [library.num_threads for library in controller().lib_controllers]


def set_limits(limits: Sequence[int]) -> None:
    """Set the most threads of each BLAS library."""
    with control():
        for library, limit in zip(controller().lib_controllers, limits, strict=True):
            library.set_num_threads(limit)


@contextmanager
def control() -> Iterator[None]:
    """A block in which this thread may set limits.

    From threadpoolctl 3.8 on, the first thread that sets a limit is the only one whose
    calls have an effect while it lives; here the last to go restores what another set.
    """
    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(openblas, "clear_controlling_thread", lambda force: None)
    clear(force=True)
    try:
        yield
    finally:
        clear(force=True)


class OneThread:
    """Holds BLAS to one thread while anyone in the process wants that.

    The setting belongs to the process: were it set and reset by each of several
    trainings that overlap, the last to end would reset it to another's limit.

    A forked process has the setting of its parent, but of the parent's threads only the
    one that forked: it starts with no users and the setting of before there were any.

    Attributes
    ----------
    lock : threading.Lock
        Held while users or limits change.
    users : set of object
        One object per block that wants one thread.
    limits : list of int or None
        Threads that each BLAS library had before; None while nobody holds them to one.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users: set[object] = set()
        self.limits: list[int] | None = None

    def n_allowed(self) -> int:
        """BLAS threads that the process may use where nobody holds them to one."""
        with self.lock:
            limits = self.limits or limits_of_libraries()
        return max(limits, default=1)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One thread within the block; as before once all such blocks have ended."""
        user = object()
        try:
            self.add(user)
            yield
        finally:
            try:
                self.remove(user)
            except KeyboardInterrupt:  # which may have come in the midst of it
                self.remove(user)
                raise

    def add(self, user: object) -> None:
        """Hold BLAS to one thread, for one user more."""
        with self.lock:
            if self.limits is None:
                limits = limits_of_libraries()
                self.limits = limits  # first: `remove` undoes also a half-done change
                set_limits([1] * len(limits))
            self.users.add(user)

    def remove(self, user: object) -> None:
        """Do without a user, of whom a fork or an interrupt may have left no trace."""
        with self.lock:
            self.users.discard(user)
            self.restore_if_unused()

    def restore_if_unused(self) -> None:
        """Give BLAS back the threads it had if nobody holds it any more."""
        if not self.users and self.limits is not None:
            set_limits(self.limits)
            self.limits = None

    def before_fork(self) -> None:
        """Wait for other threads, lest a process be copied in the midst of a change."""
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Let the other threads go on."""
        self.lock.release()

    def after_fork_in_child(self) -> None:
        """Forget the users: this process has no thread that would count them down."""
        self.lock = threading.Lock()  # others may have been queueing for the copied one
        self.users.clear()
        self.restore_if_unused()


ONE_THREAD = OneThread()
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=ONE_THREAD.before_fork,
        after_in_parent=ONE_THREAD.after_fork_in_parent,
        after_in_child=ONE_THREAD.after_fork_in_child,
    )


class Workers(NamedTuple):
    """Threads that work side by side.

    Attributes
    ----------
    n_threads : int
        How many tasks they work on at a time.
    map : callable
        Applies a function to each task.
    """

    n_threads: int = 1
    map: Map = map


SERIAL = Workers()
"""The thread that asks."""


@contextmanager
def limit_blas_threads(n_multiplications: int) -> Iterator[Workers]:
    """A block in which products of this size run on as many threads as they deserve.

    It comes with a crew of one, since BLAS has the threads.

    Parameters
    ----------
    n_multiplications : int
        rows x fan_in x fan_out of the largest product.
    """
    if n_multiplications >= SMALLEST_SHARED_PRODUCT:
        yield SERIAL
        return
    with ONE_THREAD.hold():
        yield SERIAL


@contextmanager
def open_workers(n_tasks: int) -> Iterator[Workers]:
    """A block with a crew for so many tasks.

    Each task runs on one BLAS thread, and there are as many tasks at a time as BLAS
    would have had threads: tasks that need not wait for each other share the work
    better than threads that join after each product. Where the system starts fewer
    threads, the crew is smaller.
    """
    n_threads = min(n_tasks, ONE_THREAD.n_allowed())
    with ONE_THREAD.hold():
        while n_threads > 1:
            with ThreadPoolExecutor(n_threads) as pool:
                n_started = start_threads(pool, n_threads)
                if n_started == n_threads:
                    try:
                        yield Workers(n_threads, pool.map)
                    finally:
                        # after an interrupt, don't wait for tasks that have not begun
                        pool.shutdown(wait=False, cancel_futures=True)
                    return
            n_threads = n_started
        yield SERIAL


def start_threads(pool: ThreadPoolExecutor, n_threads: int) -> int:
    """Start the threads of a pool now; return how many the system granted."""
    all_started = threading.Event()
    n_started = 0
    try:
        while n_started < n_threads:
            pool.submit(all_started.wait)  # keeps its thread busy, so that each has one
            n_started += 1
    except RuntimeError:  # "can't start new thread"
        pass
    finally:
        all_started.set()
    return n_started
