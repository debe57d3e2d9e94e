"""Memory layout of the core: parameters and scratch space, padded to whole vectors."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from skmlp.nn import activations
from skmlp.nn.layers import PeriodicEmbedding
from skmlp.nn.network import Architecture
from skmlp.nn.parameters import ParameterKey

# in core.c, too
PADDING = 16  # columns of a matrix are a multiple of it, and so are rows of a batch
BLOCK = 32  # rows that pass through all layers together, in the nearest cache

ALIGNMENT = 64  # bytes of a cache line, at which arrays begin

# Padded arrays by (layer index, name), maybe with an axis for the networks in front.
# "embedding" joins the arrays of a periodic embedding, so that the core has a vector of
# frequencies beside those of their phases and projections:
# (n_numbers, 2 + n_outputs, n_frequencies)
CoreArrays: TypeAlias = dict[ParameterKey, np.ndarray]

# views of core arrays without their padding, each with the array of the network
ArrayPairs: TypeAlias = list[tuple[np.ndarray, np.ndarray]]


class CoreActivation(NamedTuple):
    """An activation of core.c: its number there, and its constant."""

    number: int
    constant: Callable[[Any], float] = lambda activation: 0.0


CORE_ACTIVATIONS: dict[type[activations.Activation], CoreActivation] = {
    activations.Identity: CoreActivation(0),
    activations.ReLU: CoreActivation(1),
    activations.LeakyReLU: CoreActivation(2, lambda leaky: leaky.negative_slope),
    activations.PReLU: CoreActivation(3),
    activations.Sigmoid: CoreActivation(4),
    activations.Tanh: CoreActivation(5),
    activations.SiLU: CoreActivation(6),
    activations.ELU: CoreActivation(7, lambda elu: elu.alpha),
    activations.SELU: CoreActivation(8),
    activations.GELU: CoreActivation(9),
    activations.Softplus: CoreActivation(10),
}
"""Activations of the core, by their exact class: a subclass may change the formula."""


def round_up(n: int, multiple: int = PADDING) -> int:
    """Round up to a multiple."""
    return -(-n // multiple) * multiple


def choose_stride(n_units: int) -> int:
    """Choose the distance from one row to the next, in numbers."""
    # at distances of a multiple of 1024 bytes, the rows that a tile reads share a few
    # sets of the cache and push each other out
    stride = round_up(n_units)
    return stride + PADDING if stride % 256 == 0 else stride


def allocate_aligned(*shape: int) -> np.ndarray:
    """Allocate zeros in float32 that begin with a cache line."""
    # a bit more than needed, to begin at a multiple of ALIGNMENT bytes
    size = int(np.prod(shape))
    block = np.zeros(size + ALIGNMENT // 4, np.float32)
    start = -get_address(block) % ALIGNMENT // 4
    return block[start : start + size].reshape(shape)


def get_address(array: np.ndarray) -> int:
    """Address of the first number, in less time than `array.ctypes` takes."""
    return array.__array_interface__["data"][0]


def check_address(
    name: str, array: np.ndarray, dtype: DTypeLike, shape: tuple[int, ...]
) -> int:
    """Address of an array; raise ValueError unless it has this type and shape, no gaps.

    The core checks no bounds. A stack of such arrays, with one more axis, is fine too.
    """
    n_axes = len(shape)
    one = array[0] if array.ndim > n_axes else array
    if array.dtype != dtype or one.shape != shape or not _is_contiguous(array, n_axes):
        raise ValueError(
            f"expected {name} of type {np.dtype(dtype)} and shape {shape} without "
            f"gaps, got {array.dtype} of shape {array.shape}, {array.strides} bytes "
            "apart. Copy them to such an array."
        )
    return get_address(array)


def _is_contiguous(array: np.ndarray, n_axes: int) -> bool:
    """Return True if the last axes have no gaps, so that the core can read them."""
    one = array[0] if array.ndim > n_axes else array
    return bool(one.flags.c_contiguous and array.flags.aligned)


def core_shapes(
    architecture: Architecture, training: bool
) -> dict[ParameterKey, tuple[int, ...]]:
    """Shapes of the arrays that the core reads, with their padding."""
    # to predict, whole vectors are enough: then most arrays can be read in place
    pad = choose_stride if training else round_up
    shapes: dict[ParameterKey, tuple[int, ...]] = {}
    n_units = 0
    for (layer, name), shape in architecture.layout.shapes.items():
        if name == "weight":
            # rows are added, since an update takes a tile of them at a time
            fan_in = round_up(shape[0]) if training else shape[0]
            shapes[layer, name] = (fan_in, pad(shape[1]))
        elif name == "frequency_phase":
            n_numbers, n_frequencies, _ = shape
            n_rows = 2 + PeriodicEmbedding.n_outputs
            shapes[layer, "embedding"] = (n_numbers, n_rows, n_frequencies)
        elif name == "bias":
            shapes[layer, name] = (pad(shape[0]),)
            n_units = shape[0]
        elif name == "slope":  # of the layer with the latest bias, maybe one for all
            shapes[layer, name] = (pad(n_units),)
    return shapes


def _pair_arrays(
    arrays: CoreArrays, views: Mapping[ParameterKey, np.ndarray]
) -> ArrayPairs:
    """Pair core arrays, without their padding, with the arrays of a network."""
    pairs = []
    for (layer, name), view in views.items():
        if name in ("frequency_phase", "projection"):
            # (..., n_numbers, n_frequencies, 2 + n_outputs)
            embedding = arrays[layer, "embedding"].swapaxes(-1, -2)
            columns = slice(2) if name == "frequency_phase" else slice(2, None)
            pairs.append((embedding[..., columns], view))
        elif (layer, name) in arrays:
            shape = view.shape[-2:] if name == "weight" else view.shape[-1:]
            unpadded: tuple[Any, ...] = (..., *map(slice, shape))
            pairs.append((arrays[layer, name][unpadded], view))
    return pairs


def _pair_slopes(
    arrays: CoreArrays, views: Mapping[ParameterKey, np.ndarray]
) -> ArrayPairs:
    """Pair the rest of each array of slopes with the last one, which may be shared."""
    return [
        (arrays[key][..., view.shape[-1] :], view[..., -1:])
        for key, view in views.items()
        if key[1] == "slope" and key in arrays
    ]


def _copy_pairs(pairs: ArrayPairs) -> None:
    """Copy the arrays of a network to the core."""
    for core, array in pairs:
        core[...] = array


class PaddedVectors:
    """Parameters for training, and vectors of the optimizer's state, padded alike."""

    def __init__(self, architecture: Architecture, n_vectors: int) -> None:
        self.layout = architecture.layout
        shapes = core_shapes(architecture, training=True)
        sizes = [round_up(int(np.prod(shape))) for shape in shapes.values()]
        # one block, in which the core finds a parameter's state at a fixed distance
        self.memory = allocate_aligned(n_vectors, sum(sizes))
        self.arrays: CoreArrays = {}
        start = 0
        for (key, shape), size in zip(shapes.items(), sizes, strict=True):
            part = self.memory[:, start : start + int(np.prod(shape))]
            self.arrays[key] = part.reshape(n_vectors, *shape)
            start += size

    def _get_arrays(
        self, number: int, vector: np.ndarray
    ) -> tuple[CoreArrays, CoreArrays]:
        if vector.shape != (self.layout.size,) or vector.dtype != np.float32:
            raise ValueError(
                f"expected a vector of {self.layout.size} float32 numbers, got "
                f"{vector.dtype} of shape {vector.shape}. Pass one that a network of "
                "these layers has."
            )
        # (n_vectors, ...) each; of one vector, views that share its memory
        arrays = {key: array[number] for key, array in self.arrays.items()}
        return arrays, self.layout.views(vector)

    def load(self, number: int, vector: np.ndarray) -> None:
        """Copy a vector of the network, of checked shape, to one of the padded ones."""
        arrays, views = self._get_arrays(number, vector)
        _copy_pairs(_pair_arrays(arrays, views) + _pair_slopes(arrays, views))

    def pairs(self, number: int, vector: np.ndarray) -> ArrayPairs:
        """Pair the arrays of a padded vector with those of a vector of the network."""
        return _pair_arrays(*self._get_arrays(number, vector))

    def store(self, number: int, vector: np.ndarray) -> None:
        """Copy a padded vector to one of the network."""
        for core, array in self.pairs(number, vector):
            array[...] = core


class PredictionParameters:
    """Parameters of a stack, read in place where their rows are whole vectors."""

    def __init__(
        self,
        architecture: Architecture,
        vectors: np.ndarray,  # (n_members, n_parameters)
    ) -> None:
        self.arrays: CoreArrays = {}
        copied: CoreArrays = {}
        views = architecture.layout.views(vectors)
        for key, shape in core_shapes(architecture, training=False).items():
            view, n_axes = views.get(key), len(shape)
            is_whole = view is not None and view.shape[-n_axes:] == shape
            # a network whose layers have multiples of 16 units is not copied at all
            if view is not None and is_whole and _is_contiguous(view, n_axes):
                self.arrays[key] = view
            else:
                array = allocate_aligned(*vectors.shape[:-1], *shape)
                self.arrays[key] = copied[key] = array
        self.copies = _pair_arrays(copied, views) + _pair_slopes(copied, views)
        self.renew()

    def renew(self) -> None:
        """Copy again what is copied, since the parameters may have changed."""
        _copy_pairs(self.copies)
