"""show_versions: versions, machine, threads and backend, for bug reports."""

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from skmlp._version import __version__
from skmlp.core.library import engine, why_numpy

PACKAGES = ["scikit-learn", "numpy", "scipy", "pandas", "narwhals", "matplotlib"]


def show_versions() -> None:
    """Print versions, machine, BLAS threads and backend, for bug reports.

    Examples
    --------
    >>> from skmlp import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    System:
    ...
    """
    for line in _iterate_report():
        print(line)


def _iterate_report() -> Iterator[str]:
    """Yield the report, line by line."""
    yield "System:"
    yield f"    python: {' '.join(sys.version.split())}"
    yield f"    executable: {sys.executable}"
    yield f"    machine: {platform.platform()}"
    yield "Packages:"
    yield f"    skmlp: {__version__}"
    for package in PACKAGES:
        try:
            yield f"    {package}: {version(package)}"
        except PackageNotFoundError:
            yield f"    {package}: not installed"
    yield "Threads:"
    yield f"    cores: {os.cpu_count()}"
    for pool in threadpool_info():
        name = " ".join(filter(None, (pool["internal_api"], pool["version"])))
        yield f"    {pool['user_api']}: {name}, num_threads={pool['num_threads']}"
    yield "Engine:"
    try:
        reason = why_numpy()  # None with the C core
        yield f"    engine: {engine()}"
        yield from [f"    {reason}"] if reason else []
    except RuntimeError as error:  # SKMLP_ENGINE asks for a core that is not there
        yield f"    none: {error}"
