"""Networks for the core: the structures of core.c around arrays that belong to us."""

import ctypes
import math
import threading

import numpy as np

from skmlp.core import structures
from skmlp.core.layout import (
    BLOCK,
    CORE_ACTIVATIONS,
    CoreArrays,
    PredictionParameters,
    allocate_aligned,
    check_address,
    choose_stride,
    core_shapes,
    get_address,
    round_up,
)
from skmlp.core.library import get_core
from skmlp.nn.layers import ActivationLayer, Dropout, PeriodicEmbedding
from skmlp.nn.network import Architecture


class ScratchAllocator:
    """Allocator of scratch matrices of `n_rows` rows, kept alive as long as itself."""

    smallest_block = 2**14

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.blocks: list[np.ndarray] = []
        self.place = self.end = 0

    def matrix(self, width: int) -> int:
        """Address of (n_rows, width) numbers."""
        return self.numbers(self.n_rows * width)

    def numbers(self, size: int) -> int:
        """Address of `size` numbers, at the beginning of a cache line."""
        if self.place + 4 * size > self.end:
            self.blocks.append(allocate_aligned(max(size, self.smallest_block)))
            self.place = get_address(self.blocks[-1])
            self.end = self.place + self.blocks[-1].nbytes
        # matrices of a small network share a block, so that they lie close together
        start = self.place
        self.place += 4 * round_up(size)
        return start


class CoreNetwork:
    """The structure of a network, or of a stack of them, as core.c sees it."""

    def __init__(
        self,
        architecture: Architecture,
        arrays: CoreArrays,  # with their padding
        n_rows: int,  # of the largest batch
        training: bool = False,  # adds space for derivatives and gradients
    ) -> None:
        self.architecture = architecture
        self.arrays = arrays
        self.shapes = core_shapes(architecture, training)
        self.training = training
        self.scratch = ScratchAllocator(round_up(n_rows))
        self.layers = (structures.LayerStruct * len(architecture.dense_layers))()
        # valid as long as this object, which owns the memory
        self.structure = structures.NetworkStruct(
            n_inputs=architecture.n_inputs,
            n_classes=architecture.n_classes,
            n_layers=len(self.layers),
            n_rows=self.scratch.n_rows,
            layers=self.layers,
        )
        # (n_rows, stride): the rows of a batch are copied here
        stride = choose_stride(architecture.n_inputs)
        x = self.scratch.matrix(stride)
        self.structure.x, self.structure.x_stride = x, stride
        if architecture.n_periodic:
            embedding = self._make_embedding(x, stride)
            self.structure.embedding = ctypes.pointer(embedding)
            x, stride = embedding.y, embedding.y_stride
        # the output of each layer is the input of the next
        for number, layer in enumerate(self.layers):
            layer.x, layer.x_stride = x, stride
            self._fill_layer(layer, number)
            x, stride = layer.y, layer.y_stride
        if training:
            # (n_classes, n_rows): the loss works class by class
            n_rows = round_up(architecture.n_classes, 4)
            self.structure.class_major = self.scratch.matrix(n_rows)
            self.structure.losses = self.scratch.matrix(1)

    def _get_parameters(self, layer: int, name: str) -> tuple[int, int]:
        """Checked address of an array, and the stride to that of the next network."""
        array, shape = self.arrays[layer, name], self.shapes[layer, name]
        stride = array.strides[0] // 4 if array.ndim > len(shape) else 0
        return check_address(name, array, np.float32, shape), stride

    def _make_embedding(self, x: int, x_stride: int) -> structures.EmbeddingStruct:
        n_inputs, n_numbers = self.architecture.n_inputs, self.architecture.n_periodic
        # the curves of a number are stored as 4, one more than there are
        stride = choose_stride(n_inputs + n_numbers * PeriodicEmbedding.n_outputs + 1)
        parameters, member_stride = self._get_parameters(0, "embedding")
        embedding = structures.EmbeddingStruct(
            n_inputs=n_inputs,
            n_numbers=n_numbers,
            x_stride=x_stride,
            y_stride=stride,
            parameters=parameters,
            x=x,
            y=self.scratch.matrix(stride),
            n_rows=self.scratch.n_rows,
            member_stride=member_stride,
        )
        if self.training:
            # kept for the backward pass, number by number
            n_cosines = n_numbers * PeriodicEmbedding.n_frequencies
            embedding.cosine = self.scratch.matrix(n_cosines)
            embedding.sine = self.scratch.matrix(n_cosines)
            embedding.grad = self.scratch.matrix(stride)
        return embedding

    def _fill_layer(self, layer: structures.LayerStruct, number: int) -> None:
        """Fill in the structure of a dense layer, whose input is there."""
        architecture = self.architecture
        index = architecture.dense_layers[number]
        layer.fan_in, layer.fan_out = architecture.layout.shapes[index, "weight"]
        layer.y_stride = choose_stride(layer.fan_out)
        layer.y = self.scratch.matrix(layer.y_stride)
        _, layer.weight_stride = self.shapes[index, "weight"]
        layer.weight, layer.weight_member_stride = self._get_parameters(index, "weight")
        layer.bias, layer.bias_member_stride = self._get_parameters(index, "bias")
        layer.dropout_scale = 1.0
        if number < len(architecture.activations):
            self._fill_activation(layer, number)
        if self.training:
            layer.grad = self.scratch.matrix(layer.y_stride)
            if number > 0 or architecture.n_periodic:
                # W^T, for the gradient of the layer below
                size = round_up(layer.fan_out, 4) * layer.x_stride
                layer.transposed = self.scratch.numbers(size)

    def _fill_activation(self, layer: structures.LayerStruct, number: int) -> None:
        """Fill in the activation and the dropout of a dense layer."""
        architecture = self.architecture
        activation = architecture.activations[number]
        known = CORE_ACTIVATIONS[type(activation)]
        layer.activation, layer.constant = known.number, known.constant(activation)
        index = architecture.dense_layers[number] + 1  # the layer of the activation
        has_slope = (index, "slope") in self.arrays
        if has_slope:
            layer.slope, layer.slope_member_stride = self._get_parameters(
                index, "slope"
            )
            layer.is_slope_shared = activation.shared
        if self.training:
            layer.derivative = self.scratch.matrix(layer.y_stride)
            if has_slope:
                layer.slope_grad = self.scratch.matrix(layer.y_stride)
                factors = ActivationLayer(activation, 1).learning_rates
                layer.slope_rate_factor = factors["slope"]
            if architecture.dropout[number] > 0:
                dropout = Dropout(architecture.dropout[number])
                layer.dropout_threshold = int(dropout.threshold)
                layer.dropout_scale = dropout.scale


def is_supported(architecture: Architecture) -> bool:
    """Return True if the core has the type and all activations of a network."""
    return architecture.dtype == "float32" and all(
        type(activation) in CORE_ACTIVATIONS for activation in architecture.activations
    )


def check_core_rows(
    architecture: Architecture,
    x: np.ndarray,
    y_encoded: np.ndarray | None = None,
    indices: np.ndarray | None = None,
) -> None:
    """Raise unless x and the indices are valid: the core checks no bounds.

    Lengths, and the types that the core reads, are checked by `make_samples`.
    """
    if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != architecture.n_inputs:
        raise ValueError(
            f"expected float32 rows of {architecture.n_inputs} numbers, got {x.dtype} "
            f"of shape {x.shape}. Convert them first."
        )
    # any strides will do, as long as they are whole numbers of float32
    if not x.flags.aligned or any(stride % x.itemsize for stride in x.strides):
        raise ValueError(
            f"expected aligned rows, got strides of {x.strides} bytes. Copy them first."
        )
    if indices is not None:
        check_indices("row indices", indices, len(x))
    if y_encoded is not None:
        check_indices("class indices", y_encoded, architecture.n_classes)


def check_indices(name: str, indices: np.ndarray, limit: int) -> None:
    """Raise unless `indices` are integers in [0, limit)."""
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"expected {name} in a 1-D array of integers, got {indices.dtype} of shape "
            f"{indices.shape}. Convert them first."
        )
    if len(indices) == 0:
        return
    # one pass: as unsigned integers, negative ones are too large as well
    if indices.astype(np.int64, copy=False).view(np.uint64).max() >= limit:
        raise ValueError(
            f"expected {name} in [0, {limit - 1}], got values from {indices.min()} to "
            f"{indices.max()}. Pass valid ones."
        )


class CorePredictor:
    """Predictor of logits, of a network or a stack of them, by the core."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: np.ndarray,  # (n_parameters,) or (n_members, n_parameters)
    ) -> None:
        self.architecture = architecture
        self.parameters = np.asarray(parameters, np.float32)  # read again at each call
        if self.parameters.shape[-1:] != (architecture.layout.size,):
            raise ValueError(
                f"expected vectors of {architecture.layout.size} parameters, got an "
                f"array of shape {self.parameters.shape}. Pass those of this network."
            )
        # structures and scratch space of each thread that predicts
        self.thread = threading.local()

    def is_for(self, architecture: Architecture, parameters: np.ndarray) -> bool:
        """Return True if this predictor reads these very parameters."""
        return self.architecture is architecture and self.parameters is parameters

    def _get_network(self, n_rows: int) -> CoreNetwork:
        """Get the structures of this thread, with space for `n_rows` rows."""
        network: CoreNetwork | None = getattr(self.thread, "network", None)
        # to lay parameters out takes longer than to predict one row
        if network is None or network.scratch.n_rows < n_rows:
            stack = np.atleast_2d(self.parameters)
            self.thread.parameters = PredictionParameters(self.architecture, stack)
            arrays = self.thread.parameters.arrays
            network = CoreNetwork(self.architecture, arrays, n_rows)
            self.thread.network = network
        else:
            self.thread.parameters.renew()
        return network

    def logits(self, x: np.ndarray, indices: np.ndarray | None = None) -> np.ndarray:
        """Logits of all rows of `x`, or of those at `indices`, in a new array."""
        check_core_rows(self.architecture, x, indices=indices)
        if indices is not None:
            indices = np.ascontiguousarray(indices, np.int64)
        n_rows = len(x) if indices is None else len(indices)
        *stack, _ = self.parameters.shape
        # (n_rows, n_classes), or (n_members, n_rows, n_classes)
        logits = np.empty((*stack, n_rows, self.architecture.n_classes), np.float32)
        get_core().predict_logits(
            ctypes.byref(self._get_network(min(n_rows, BLOCK)).structure),
            ctypes.byref(make_samples(x, indices)),
            math.prod(stack),
            0,
            n_rows,
            get_address(logits),
        )
        return logits


def make_samples(
    x: np.ndarray,
    indices: np.ndarray | None,
    y_encoded: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
) -> structures.SamplesStruct:
    """Make the structure of samples from `check_core_rows`; check types and lengths.

    The caller keeps the arrays alive.
    """
    shape = (len(x) if indices is None else len(indices),)

    def address(name: str, array: np.ndarray | None, dtype: type) -> int | None:
        return None if array is None else check_address(name, array, dtype, shape)

    return structures.SamplesStruct(
        get_address(x),
        x.strides[0] // 4,
        x.strides[1] // 4,
        address("row indices", indices, np.int64),
        address("class indices", y_encoded, np.int64),
        address("sample weights", sample_weight, np.float32),
    )
