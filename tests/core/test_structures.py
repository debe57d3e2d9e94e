"""The structures are those of core.c: fields, their order and their types."""

import ctypes
import re
from pathlib import Path

import pytest

from skmlp.core import structures
from skmlp.core.layout import BLOCK, PADDING
from skmlp.nn.layers import PeriodicEmbedding

SOURCE = Path(structures.__file__).with_name("core.c").read_text(encoding="utf-8")
NAMES = ["Layer", "Embedding", "Network", "Samples", "Optimizer", "Epoch", "Team"]
TYPES = {
    "int64_t": ctypes.c_int64,
    "int32_t": ctypes.c_int32,
    "_Atomic int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "Layer *": ctypes.POINTER(structures.LayerStruct),
    "Embedding *": ctypes.POINTER(structures.EmbeddingStruct),
}
NUMBERS = ["float *", "const float *", "const int64_t *", "const double *", "double *"]
TYPES |= dict.fromkeys(NUMBERS, ctypes.c_void_p)


def fields_in_c(name):
    """(name, type) of each field of a structure."""
    (body,) = re.findall(rf"typedef struct {{([^}}]*)}} {name};", SOURCE)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    for declaration in filter(str.strip, body.split(";")):
        first, *others = declaration.split(",")
        kind, field = re.fullmatch(r"\s*([\w ]+[ *]+)(\w+)\s*", first).groups()
        yield field, TYPES[kind.strip()]
        for other in others:
            yield other.strip(" *"), TYPES[kind.strip()]


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_those_of_c(name):
    assert getattr(structures, f"{name}Struct")._fields_ == list(fields_in_c(name))


def constant(name):
    """A number of core.c, by `#define` or in an `enum`."""
    (number,) = re.findall(rf"(?:#define {name} |\b{name} = )(\d+)\b", SOURCE)
    return int(number)


def test_constants_are_those_of_c():
    """Rooms that are smaller than core.c believes would be written beyond."""
    assert constant("PADDING") == PADDING
    assert constant("BLOCK") == BLOCK
    assert constant("N_FREQUENCIES") == PeriodicEmbedding.n_frequencies
    assert constant("N_OUTPUTS") == PeriodicEmbedding.n_outputs


def test_all_are_held_against_c():
    classes = {
        name.removesuffix("Struct")
        for name, value in vars(structures).items()
        if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }
    assert classes - {"Structure"} == set(NAMES)
