"""What a report of a fault should hold: versions, machine, threads, engine."""

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
    """Print what a report of a fault should hold.

    Those are the versions of Python, of skmlp and of what it builds upon, the machine,
    the threads of the BLAS library, and the engine: which instruction set the compiled
    core uses, or why NumPy computes instead.

    Examples
    --------
    >>> from skmlp import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    System:
        python: 3...
        executable: ...
    Packages:
        skmlp: ...
    Threads:
        ...
    Engine:
        ...
    """
    sections = {
        "System": system(),
        "Packages": versions(),
        "Threads": threads(),
        "Engine": engines(),
    }
    for title, lines in sections.items():
        print(f"{title}:")
        for line in lines:
            print(f"    {line}")


def system() -> Iterator[str]:
    """Lines on Python and the machine."""
    yield f"python: {' '.join(sys.version.split())}"
    yield f"executable: {sys.executable}"
    yield f"machine: {platform.platform()}"


def versions() -> Iterator[str]:
    """Lines on skmlp and on what it builds upon, which is not imported for it."""
    yield f"skmlp: {__version__}"
    for package in PACKAGES:
        try:
            yield f"{package}: {version(package)}"
        except PackageNotFoundError:
            yield f"{package}: not installed"


def threads() -> Iterator[str]:
    """Lines on the cores and on the libraries that share their work among threads."""
    yield f"cores: {os.cpu_count()}"
    for pool in threadpool_info():
        name = " ".join(filter(None, (pool["internal_api"], pool["version"])))
        yield f"{pool['user_api']}: {name}, num_threads={pool['num_threads']}"


def engines() -> Iterator[str]:
    """Lines on what computes, or on why that can't be told."""
    try:
        yield f"engine: {engine()}"
        yield from filter(None, [why_numpy()])
    except RuntimeError as error:
        yield f"none: {error}"
