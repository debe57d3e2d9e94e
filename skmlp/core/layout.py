"""Parameters and scratch space laid out for the core: padded, so that vectors fit."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from skmlp.nn.activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    Identity,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from skmlp.nn.layers import PeriodicEmbedding
from skmlp.nn.network import Architecture
from skmlp.nn.parameters import ParameterKey

PADDING = 16
"""Columns of a matrix are a multiple of it, and so are rows of a batch."""

BLOCK = 32
"""Rows that pass through all layers together."""

ALIGNMENT = 64
"""Bytes of a cache line, at which arrays begin."""


ArrayPairs: TypeAlias = list[tuple[np.ndarray, np.ndarray]]
"""Arrays here, and those that they are copies of, or are copied to."""


class CoreActivation(NamedTuple):
    """An activation as the core knows it: its number there, and its constant."""

    number: int
    constant: Callable[[Any], float] = lambda activation: 0.0


CORE_ACTIVATIONS: dict[type[Activation], CoreActivation] = {
    Identity: CoreActivation(0),
    ReLU: CoreActivation(1),
    LeakyReLU: CoreActivation(2, lambda activation: activation.negative_slope),
    PReLU: CoreActivation(3),
    Sigmoid: CoreActivation(4),
    Tanh: CoreActivation(5),
    SiLU: CoreActivation(6),
    ELU: CoreActivation(7, lambda activation: activation.alpha),
    SELU: CoreActivation(8),
    GELU: CoreActivation(9),
    Softplus: CoreActivation(10),
}
"""Those that the core knows; a subclass is another."""


def round_up(n: int) -> int:
    """The next multiple of PADDING."""
    return -(-n // PADDING) * PADDING


def choose_stride(n_units: int) -> int:
    """Numbers from one row to the next.

    Where they are a multiple of 1024 bytes, the rows that a tile reads meet in few sets
    of the cache and push each other out.
    """
    width = round_up(n_units)
    return width + PADDING if width % 256 == 0 else width


def allocate_aligned(*shape: int) -> np.ndarray:
    """Zeros in float32 that begin with a cache line."""
    size = int(np.prod(shape))
    block = np.zeros(size + ALIGNMENT // 4, np.float32)
    start = -get_address(block) % ALIGNMENT // 4
    return block[start : start + size].reshape(shape)


def get_address(array: np.ndarray) -> int:
    """Where an array begins, faster told than by `array.ctypes`."""
    return array.__array_interface__["data"][0]


def check_address(
    name: str, array: np.ndarray, dtype: DTypeLike, shape: tuple[int, ...]
) -> int:
    """Address of an array for the core, which looks at no bounds.

    An array may have one more axis in front, for the networks of a stack.

    Raises
    ------
    ValueError
        Unless the core can read what it expects: this type and shape, without gaps.
    """
    one = array[0] if array.ndim > len(shape) else array
    if (
        array.dtype != dtype
        or one.shape != shape
        or not is_contiguous(array, len(shape))
    ):
        raise ValueError(
            f"expected {name} of type {np.dtype(dtype)} and shape {shape} without "
            f"gaps, got {array.dtype} of shape {array.shape}, {array.strides} bytes "
            "apart. Copy them to such an array."
        )
    return get_address(array)


def is_contiguous(array: np.ndarray, n_axes: int) -> bool:
    """Return True if the core can read an array in place: last axes without gaps."""
    one = array[0] if array.ndim > n_axes else array
    return bool(one.flags.c_contiguous and array.flags.aligned)


def count_units(architecture: Architecture, layer: int) -> int:
    """Outputs of the dense layer that a layer is, or stands behind."""
    dense = max(index for index in architecture.dense_layers if index <= layer)
    return architecture.layout.shapes[dense, "weight"][1]


class PaddedVectors:
    """Parameters of a network, and vectors like them, padded.

    Parameters
    ----------
    architecture : Architecture
        Of the network.
    n_vectors : int
        How many.

    Attributes
    ----------
    memory : ndarray of shape (n_vectors, size)
        All of them.
    arrays : dict of (layer index, name) to ndarray of shape (n_vectors, ...)
        Padded arrays of each layer; "embedding" has frequencies, phases and projection.
    """

    def __init__(self, architecture: Architecture, n_vectors: int) -> None:
        self.layout = architecture.layout
        shapes: dict[ParameterKey, tuple[int, ...]] = {}
        for (layer, name), shape in self.layout.shapes.items():
            if name == "weight":
                shapes[layer, name] = (round_up(shape[0]), choose_stride(shape[1]))
            elif name == "frequency_phase":
                n_rows = 2 + PeriodicEmbedding.n_outputs
                shapes[layer, "embedding"] = (shape[0], n_rows, shape[1])
            elif name != "projection":
                shapes[layer, name] = (choose_stride(count_units(architecture, layer)),)
        sizes = [round_up(int(np.prod(shape))) for shape in shapes.values()]
        self.memory = allocate_aligned(n_vectors, sum(sizes))
        self.arrays = {}
        start = 0
        for (key, shape), size in zip(shapes.items(), sizes, strict=True):
            part = self.memory[:, start : start + int(np.prod(shape))]
            self.arrays[key] = part.reshape(n_vectors, *shape)
            start += size

    def views(self, number: int) -> dict[ParameterKey, np.ndarray]:
        """One of the vectors in the named arrays of the layout, without padding."""
        views = {}
        for key, shape in self.layout.shapes.items():
            layer, name = key
            if name in ("frequency_phase", "projection"):
                waves = self.arrays[layer, "embedding"][number].transpose(0, 2, 1)
                views[key] = (
                    waves[..., :2] if name == "frequency_phase" else waves[..., 2:]
                )
            else:
                part = tuple(slice(n) for n in shape)
                views[key] = self.arrays[key][number][part]
        return views

    def load(self, number: int, vector: np.ndarray) -> None:
        """Take in a vector of the layout.

        Raises
        ------
        ValueError
            If it is no vector of the layout.
        """
        for own, array in self.pairs(number, vector):
            own[...] = array
        for key, array in self.layout.views(vector).items():
            if key[1] == "slope":  # one for all units lies there for each of them
                self.arrays[key][number, len(array) :] = array[-1]

    def store(self, number: int, vector: np.ndarray) -> None:
        """Write it back to a vector of the layout."""
        for own, array in self.pairs(number, vector):
            array[...] = own

    def pairs(self, number: int, vector: np.ndarray) -> ArrayPairs:
        """The arrays of a vector here, without padding, beside those of the layout."""
        if vector.shape != (self.layout.size,) or vector.dtype != np.float32:
            raise ValueError(
                f"expected a vector of {self.layout.size} float32 numbers, got "
                f"{vector.dtype} of shape {vector.shape}. Pass one that a network of "
                "these layers has."
            )
        return list(
            zip(
                self.views(number).values(),
                self.layout.views(vector).values(),
                strict=True,
            )
        )


class PredictionParameters:
    """Parameters of a stack as the core reads them.

    Arrays whose rows are whole vectors without gaps are views, the others copies.

    Parameters
    ----------
    architecture : Architecture
        Of the networks.
    vectors : ndarray of shape (n_members, n_parameters)
        The parameters.

    Attributes
    ----------
    arrays : dict of (layer index, name) to ndarray
        With an axis for the networks in front.
    """

    def __init__(self, architecture: Architecture, vectors: np.ndarray) -> None:
        self.arrays: dict[ParameterKey, np.ndarray] = {}
        self.copies: ArrayPairs = []
        views = architecture.layout.views(vectors)
        for (layer, name), array in views.items():
            *stack, n_columns = array.shape
            if name == "frequency_phase":
                mix = views[layer, "projection"]
                n_rows = n_columns + mix.shape[-1]
                waves = allocate_aligned(*stack[:-1], n_rows, stack[-1])
                self.arrays[layer, "embedding"] = waves
                by_wave = waves.swapaxes(-1, -2)
                self.copies.append((by_wave[..., :n_columns], array))
                self.copies.append((by_wave[..., n_columns:], mix))
            elif n_columns % PADDING == 0 and is_contiguous(array, array.ndim - 1):
                self.arrays[layer, name] = array
            elif name != "projection":
                is_shared = name == "slope" and n_columns == 1
                width = count_units(architecture, layer) if is_shared else n_columns
                wide = self.arrays[layer, name] = allocate_aligned(
                    *stack, round_up(width)
                )
                self.copies.append((wide[..., :width], array))
        self.renew()

    def renew(self) -> None:
        """Copy anew what is copied, after the parameters have changed."""
        for own, array in self.copies:
            own[...] = array
