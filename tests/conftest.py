"""What several test files need."""

import os
import threading
from types import SimpleNamespace

# before NumPy is imported: processes that share the cores wait for each other's
# threads, and tests of threads ask for them
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import numpy as np
import pytest

from skmlp.training.monitor import Monitor

try:
    import hypothesis
except ImportError:  # only some test files need it
    pass
else:
    # examples take as long as they take
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "any_machine", deadline=None, suppress_health_check=slow
    )
    hypothesis.settings.load_profile("any_machine")


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


@pytest.fixture
def a_second_per_epoch(monkeypatch):
    """Let training see a clock that goes on by a second as an epoch begins."""
    now = [0]
    begin_epoch = Monitor.begin_epoch

    def begin(monitor):
        now[0] += 1
        begin_epoch(monitor)

    clock = SimpleNamespace(monotonic=lambda: now[0])
    for module in ("skmlp.classifier", "skmlp.training.monitor"):
        monkeypatch.setattr(f"{module}.time", clock)
    monkeypatch.setattr(Monitor, "begin_epoch", begin)
    monkeypatch.setattr("skmlp.core.learner.SECONDS_PER_CALL", 0.0)


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
