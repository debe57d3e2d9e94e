"""What benchmarks need that hold one engine, or one package, against another."""

import time
from unittest import mock


def by_numpy():
    """A block in which NumPy computes everything."""
    return mock.patch("skmlp.backend.engine", return_value="numpy")


def let_threads_settle():
    """Wait until no threads wait busily any more; those of BLAS do so for 0.1 s."""
    time.sleep(0.2)
