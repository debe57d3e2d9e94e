"""The compiled core: the library that this machine runs best, loaded at first use."""

import ctypes
import os
import sys
from ctypes import c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import NamedTuple

INSTRUCTION_SETS = ("avx512", "avx2", "neon", "baseline")
"""Best first; there is a library for each that the target of the build may have."""

_FOLDER = Path(__file__).parent

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class Engine(NamedTuple):
    """What computes, as chosen at the first use."""

    name: str
    """An instruction set, or "numpy"."""

    library: ctypes.CDLL | None
    """None for NumPy."""

    why_numpy: str | None
    """A sentence; None where there is a library."""


def engine() -> str:
    """Name of what computes: "numpy", or the instruction set of the core."""
    return select_engine().name


def get_library() -> ctypes.CDLL | None:
    """The core in use; None if NumPy computes."""
    return select_engine().library


def get_core() -> ctypes.CDLL:
    """The core, for those who know that it is in use."""
    loaded = get_library()
    assert loaded is not None, "nobody asks where NumPy computes"
    return loaded


def why_numpy() -> str | None:
    """A sentence on why no core is in use; None if one is."""
    return select_engine().why_numpy


@cache  # threads that come first together load the same library, so any may win
def select_engine() -> Engine:
    """The engine that SKMLP_ENGINE asks for, or else the best one that runs here."""
    name = os.environ.get("SKMLP_ENGINE", "auto") or "auto"
    if name == "numpy":
        return Engine("numpy", None, "The environment variable SKMLP_ENGINE says so.")
    return load_best() if name == "auto" else load_requested(name)


def load_best() -> Engine:
    """The library of the best instruction set that runs here, or NumPy."""
    known = [name for name in INSTRUCTION_SETS if name in list_built()]
    if not known:
        return Engine("numpy", None, "The core was not compiled in this installation.")
    faults = []
    for name in known:
        try:
            return Engine(name, load_library(name), None)
        except OSError as error:
            faults.append(f"{name}: {error}")
    return Engine("numpy", None, f"No compiled core runs here ({'; '.join(faults)}).")


def load_requested(name: str) -> Engine:
    """The library of this name, and no other."""
    names = ", ".join(["auto", "numpy", *list_built()])
    asks = f"the environment variable SKMLP_ENGINE asks for {name!r}"
    if name not in list_built():
        raise RuntimeError(f"{asks}, which is not there; choose from {names}.")
    try:
        return Engine(name, load_library(name), None)
    except OSError as error:
        raise RuntimeError(
            f"{asks}, which does not run here ({error}); choose another of {names}."
        ) from error


def list_built() -> list[str]:
    """Names of the libraries that are there."""
    paths = _FOLDER.glob(f"core_*{SUFFIX}")
    return sorted(path.stem.removeprefix("core_") for path in paths)


def load_library(name: str) -> ctypes.CDLL:
    """Load a library and declare its functions.

    Raises
    ------
    OSError
        If it can't be loaded, or this CPU lacks its instructions.
    """
    library = ctypes.CDLL(str(_FOLDER / f"core_{name}{SUFFIX}"))
    if not library.runs_here():
        raise OSError("this CPU lacks its instructions")
    _declare_functions(library)
    return library


def _declare_functions(library: ctypes.CDLL) -> None:
    """Say what the functions of core.c take and return."""
    library.train.argtypes = [*[c_void_p] * 5, c_int64]
    library.train.restype = c_int64
    library.predict_logits.argtypes = [*[c_void_p] * 2, *[c_int64] * 3, c_void_p]
    library.predict_logits.restype = None
    library.prepare.argtypes = [c_void_p]
    library.prepare.restype = None
