"""How many BLAS threads a product deserves: a small one is slower with two than one."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

SMALLEST_SHARED_PRODUCT = 2**24
"""Multiplications from which several threads are worth their risk.

On two idle cores a second thread saves a step 4% at 2^22 and 13% at 2^24; but where
another program keeps a core busy, waiting for each other makes it many times slower.
"""


@cache
def controller() -> ThreadpoolController:
    """Found once: to search the process for its BLAS libraries takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


class OneThread:
    """Holds BLAS to one thread while anyone in the process wants that.

    The setting belongs to the process: were it set and reset by each of several
    trainings that overlap, the last to end would reset it to another's limit.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_users = 0
        self.n_threads = 1
        self.limiter: Any = None

    def n_allowed(self) -> int:
        """BLAS threads that the process may use where nobody holds them to one."""
        with self.lock:
            if self.n_users == 0:
                info = controller().info()
                self.n_threads = max((pool["num_threads"] for pool in info), default=1)
            return self.n_threads

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One thread within the block; as before once all such blocks have ended."""
        with self.lock:
            if self.n_users == 0:
                self.limiter = controller().limit(limits=1)
            self.n_users += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_users -= 1
                if self.n_users == 0:
                    self.limiter.restore_original_limits()


ONE_THREAD = OneThread()


@contextmanager
def suitable_threads(n_multiplications: int) -> Iterator[Callable]:
    """A block in which products of this size run on as many threads as they deserve.

    It comes with a `map` that runs one task after the other.

    Parameters
    ----------
    n_multiplications : int
        rows x fan_in x fan_out of the largest product.
    """
    if n_multiplications >= SMALLEST_SHARED_PRODUCT:
        yield map
        return
    with ONE_THREAD.hold():
        yield map


@contextmanager
def side_by_side(n_tasks: int) -> Iterator[Callable]:
    """A block with a `map` that runs so many tasks at the same time.

    Each task runs on one BLAS thread, and there are as many tasks at a time as BLAS
    would have had threads: tasks that need not wait for each other share the work
    better than threads that join after each product.
    """
    n_threads = min(n_tasks, ONE_THREAD.n_allowed())
    with ONE_THREAD.hold():
        if n_threads == 1:
            yield map
            return
        with ThreadPoolExecutor(n_threads) as pool:
            yield pool.map
