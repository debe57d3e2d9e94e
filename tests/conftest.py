"""What several test files need."""

import os
import threading

# before NumPy is imported: processes that share the cores wait for each other's
# threads, and tests of threads ask for them
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import numpy as np
import pytest


@pytest.fixture(scope="session")
def central_differences():
    """A function that gives the slope of another one along each axis."""

    def slopes(function, x, step=1e-6):
        result = np.empty_like(x)
        for place in np.ndindex(x.shape):
            above, below = x.copy(), x.copy()
            above[place] += step
            below[place] -= step
            result[place] = (function(above) - function(below)) / (2 * step)
        return result

    return slopes


@pytest.fixture(scope="session")
def relative_error():
    """Length of a difference, measured by the length of what was expected."""

    def error(actual, expected):
        return np.linalg.norm(actual - expected) / np.linalg.norm(expected)

    return error


@pytest.fixture
def refuse_threads(monkeypatch):
    """A function that lets no more than some further threads live at a time."""

    def refuse(n_startable):
        start = threading.Thread.start
        most = threading.active_count() + n_startable

        def start_or_fail(thread):
            if threading.active_count() >= most:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_or_fail)

    return refuse


@pytest.fixture(scope="session")
def shifted_by_a_byte():
    """A function that copies an array to where no processor would put one."""

    def shifted(array):
        memory = bytearray(array.nbytes + 1)
        copy = np.frombuffer(memory, array.dtype, offset=1).reshape(array.shape)
        copy[...] = array
        assert not copy.flags.aligned
        return copy

    return shifted
