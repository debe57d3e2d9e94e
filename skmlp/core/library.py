"""The compiled core: the library that this machine runs best, loaded at first use."""

import ctypes
import os
import sys
from ctypes import c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import NamedTuple

# best first; the build makes a library for each that the platform may have
INSTRUCTION_SETS = ("avx512", "avx2", "neon", "baseline")

_FOLDER = Path(__file__).parent
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class Engine(NamedTuple):
    """The backend in use."""

    name: str  # an instruction set, or "numpy"
    library: ctypes.CDLL | None  # None for NumPy
    why_numpy: str | None  # a sentence, if there is no library


def engine() -> str:
    """Name of the backend: "numpy", or the instruction set of the core."""
    return _select_engine().name


def why_numpy() -> str | None:
    """Return a sentence on why no core is in use; None if one is."""
    return _select_engine().why_numpy


def _get_library() -> ctypes.CDLL | None:
    """Return the library in use; None for NumPy."""
    return _select_engine().library


def get_core() -> ctypes.CDLL:
    """Return the library, for callers that only run if one is in use."""
    library = _get_library()
    assert library is not None, "the NumPy backend has no library"
    return library


@cache  # threads that come first together load the same library, so any may win
def _select_engine() -> Engine:
    """Select the backend that SKMLP_ENGINE names, or else the best one that runs."""
    name = os.environ.get("SKMLP_ENGINE", "auto") or "auto"
    if name == "numpy":
        return Engine("numpy", None, "The environment variable SKMLP_ENGINE says so.")
    return _load_best() if name == "auto" else _load_requested(name)


def _load_best() -> Engine:
    """Load the library of the best instruction set that runs here, or use NumPy."""
    # a library may be there that this CPU can't run: then the next best one is tried
    names = [name for name in INSTRUCTION_SETS if name in _list_built()]
    if not names:
        return Engine("numpy", None, "The core was not compiled in this installation.")
    faults = []
    for name in names:
        try:
            return Engine(name, _load_library(name), None)
        except OSError as error:
            faults.append(f"{name}: {error}")
    return Engine("numpy", None, f"No compiled core runs here ({'; '.join(faults)}).")


def _load_requested(name: str) -> Engine:
    """Load the library of this name, and no other."""
    names = ", ".join(["auto", "numpy", *_list_built()])
    asks = f"the environment variable SKMLP_ENGINE asks for {name!r}"
    if name not in _list_built():
        raise RuntimeError(f"{asks}, which is not there; choose from {names}.")
    try:
        return Engine(name, _load_library(name), None)
    except OSError as error:
        raise RuntimeError(
            f"{asks}, which does not run here ({error}); choose another of {names}."
        ) from error


def _list_built() -> list[str]:
    """Names of the libraries of this installation."""
    paths = _FOLDER.glob(f"core_*{SUFFIX}")
    return sorted(path.stem.removeprefix("core_") for path in paths)


def _load_library(name: str) -> ctypes.CDLL:
    """Load a library; raise OSError if that fails or the CPU lacks its instructions."""
    library = ctypes.CDLL(str(_FOLDER / f"core_{name}{SUFFIX}"))
    if not library.runs_here():
        raise OSError("this CPU lacks its instructions")
    # pointers to structures and numbers, as in core.c
    library.train.argtypes = [*[c_void_p] * 5, c_int64]
    library.train.restype = c_int64
    library.predict_logits.argtypes = [*[c_void_p] * 2, *[c_int64] * 3, c_void_p]
    library.predict_logits.restype = None
    library.prepare.argtypes = [c_void_p]
    library.prepare.restype = None
    return library
