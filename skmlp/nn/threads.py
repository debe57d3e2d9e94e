"""How many BLAS threads a product deserves: a small one is slower with two than one."""

import threading
from collections.abc import Iterator
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
    return ThreadpoolController()


class OneThread:
    """Holds BLAS to one thread while anyone in the process wants that.

    The setting belongs to the process: were it set and reset by each of several
    trainings that overlap, the last to end would reset it to another's limit.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_users = 0
        self.limiter: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One thread within the block; as before once all such blocks have ended."""
        with self.lock:
            if self.n_users == 0:
                self.limiter = controller().limit(limits=1, user_api="blas")
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
def suitable_threads(n_multiplications: int) -> Iterator[None]:
    """A block in which products of this size run on as many threads as they deserve.

    Parameters
    ----------
    n_multiplications : int
        rows x fan_in x fan_out of the largest product.
    """
    if n_multiplications >= SMALLEST_SHARED_PRODUCT:
        yield
        return
    with ONE_THREAD.hold():
        yield
