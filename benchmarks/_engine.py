"""The NumPy engine, for benchmarks that look into it or hold the core against it."""

from unittest import mock


def by_numpy():
    """A block in which NumPy computes everything."""
    return mock.patch("skmlp.fitting.engines.engine", return_value="numpy")
