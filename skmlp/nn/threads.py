"""How many BLAS threads a product deserves: a small one is slower with two than one."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

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


def suitable_threads(n_multiplications: int) -> AbstractContextManager:
    """A context in which products of this size run on as many threads as they deserve.

    Parameters
    ----------
    n_multiplications : int
        rows x fan_in x fan_out of the largest product.
    """
    if n_multiplications >= SMALLEST_SHARED_PRODUCT:
        return nullcontext()
    return controller().limit(limits=1, user_api="blas")
