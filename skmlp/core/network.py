"""Networks for the core: the structures of core.c around arrays that belong to us."""

import ctypes
import math
import threading
from collections.abc import Mapping

import numpy as np

from skmlp.core import structures
from skmlp.core.layout import (
    BLOCK,
    CORE_ACTIVATIONS,
    PredictionParameters,
    allocate_aligned,
    check_address,
    choose_stride,
    get_address,
    round_up,
)
from skmlp.core.library import get_core
from skmlp.nn.layers import ActivationLayer, Dropout, PeriodicEmbedding
from skmlp.nn.network import Architecture
from skmlp.nn.parameters import ParameterKey


class ScratchAllocator:
    """Hands out scratch space, of which only the addresses are of interest.

    Parameters
    ----------
    n_rows : int
        Rows of a matrix.
    """

    smallest_block = 2**14

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.blocks: list[np.ndarray] = []  # kept alive along with this object
        self.place = self.end = 0

    def matrix(self, width: int) -> int:
        """Address of (n_rows, width) numbers."""
        return self.numbers(self.n_rows * width)

    def numbers(self, size: int) -> int:
        """Address of some numbers, at the beginning of a cache line."""
        if self.place + 4 * size > self.end:
            self.blocks.append(allocate_aligned(max(size, self.smallest_block)))
            self.place = get_address(self.blocks[-1])
            self.end = self.place + self.blocks[-1].nbytes
        start = self.place
        self.place += 4 * round_up(size)
        return start


class CoreNetwork:
    """A network, or a stack of them, as core.c sees it.

    Parameters
    ----------
    architecture : Architecture
        What the core takes (`takes`).
    arrays : dict of (layer index, name) to ndarray
        Parameters with their padding; with a first axis for a stack.
    n_rows : int
        Rows that it has scratch for.
    learns : bool, default=False
        Whether it has scratch for what training needs.

    Attributes
    ----------
    structure : structures.Network
        To be handed to the core; valid as long as this object lives.
    """

    def __init__(
        self,
        architecture: Architecture,
        arrays: Mapping[ParameterKey, np.ndarray],
        n_rows: int,
        learns: bool = False,
    ) -> None:
        self.architecture = architecture
        self.arrays = arrays
        self.learns = learns
        self.scratch = ScratchAllocator(round_up(n_rows))
        self.layers = (structures.Layer * len(architecture.dense_layers))()
        self.structure = structures.Network(
            n_inputs=architecture.n_inputs,
            n_classes=architecture.n_classes,
            n_layers=len(self.layers),
            n_rows=self.scratch.n_rows,
            layers=self.layers,
        )
        width = choose_stride(architecture.n_inputs)
        x = self.scratch.matrix(width)
        self.structure.x, self.structure.x_stride = x, width
        if architecture.n_periodic:
            embedding = self.embedding(x, width)
            self.structure.embedding = ctypes.pointer(embedding)
            x, width = embedding.y, embedding.y_stride
        for number, layer in enumerate(self.layers):
            layer.x, layer.x_stride = x, width
            self.fill(layer, number)
            x, width = layer.y, layer.y_stride
        if learns:
            self.structure.class_major = self.scratch.matrix(
                _round_up_to_4(architecture.n_classes)
            )
            self.structure.losses = self.scratch.matrix(1)

    def embedding(self, x: int, x_stride: int) -> structures.Embedding:
        """The structure of the periodic embedding."""
        n_inputs, n_numbers = self.architecture.n_inputs, self.architecture.n_periodic
        parameters = self.arrays[0, "embedding"]
        shape = (
            n_numbers,
            2 + PeriodicEmbedding.n_outputs,
            PeriodicEmbedding.n_frequencies,
        )
        # the last number writes one behind its curves
        width = choose_stride(n_inputs + n_numbers * PeriodicEmbedding.n_outputs + 1)
        embedding = structures.Embedding(
            n_inputs=n_inputs,
            n_numbers=n_numbers,
            x_stride=x_stride,
            y_stride=width,
            parameters=check_address(
                "embedding parameters", parameters, np.float32, shape
            ),
            x=x,
            y=self.scratch.matrix(width),
            n_rows=self.scratch.n_rows,
            member_stride=get_member_stride(parameters, 3),
        )
        if self.learns:
            n_frequencies = n_numbers * PeriodicEmbedding.n_frequencies
            embedding.cosine = self.scratch.matrix(n_frequencies)
            embedding.sine = self.scratch.matrix(n_frequencies)
            embedding.grad = self.scratch.matrix(width)
        return embedding

    def fill(self, layer: structures.Layer, number: int) -> None:
        """Fill in the structure of a dense layer, whose input is there."""
        architecture = self.architecture
        index = architecture.dense_layers[number]
        layer.fan_in, layer.fan_out = architecture.layout.shapes[index, "weight"]
        weight, bias = self.arrays[index, "weight"], self.arrays[index, "bias"]
        layer.y_stride = choose_stride(layer.fan_out)
        layer.y = self.scratch.matrix(layer.y_stride)
        n_rows = round_up(layer.fan_in) if self.learns else layer.fan_in
        width = layer.weight_stride = self.parameter_width(layer.fan_out)
        layer.weight = check_address("weights", weight, np.float32, (n_rows, width))
        layer.bias = check_address("biases", bias, np.float32, (width,))
        layer.weight_member_stride, layer.bias_member_stride = (
            get_member_stride(weight, 2),
            get_member_stride(bias, 1),
        )
        layer.dropout_scale = 1.0
        if number < len(architecture.activations):
            self.activate(layer, number)
        if self.learns:
            layer.grad = self.scratch.matrix(layer.y_stride)
            if number > 0 or architecture.n_periodic:
                size = _round_up_to_4(layer.fan_out) * layer.x_stride
                layer.transposed = self.scratch.numbers(size)

    def parameter_width(self, n_units: int) -> int:
        """Numbers from one row of the parameters to the next."""
        return choose_stride(n_units) if self.learns else round_up(n_units)

    def activate(self, layer: structures.Layer, number: int) -> None:
        """Fill in what stands behind a dense layer."""
        architecture = self.architecture
        activation = architecture.activations[number]
        known = CORE_ACTIVATIONS[type(activation)]
        layer.activation, layer.constant = known.number, known.constant(activation)
        slope = self.arrays.get((architecture.dense_layers[number] + 1, "slope"))
        if slope is not None:
            shape = (self.parameter_width(layer.fan_out),)
            layer.slope = check_address("slopes", slope, np.float32, shape)
            layer.slope_member_stride = get_member_stride(slope, 1)
            layer.is_slope_shared = activation.shared
        if self.learns:
            layer.derivative = self.scratch.matrix(layer.y_stride)
            if slope is not None:
                layer.slope_grad = self.scratch.matrix(layer.y_stride)
                factors = ActivationLayer(activation, 1).learning_rates
                layer.slope_rate_factor = factors["slope"]
            if architecture.dropout[number] > 0:
                dropout = Dropout(architecture.dropout[number])
                layer.dropout_threshold, layer.dropout_scale = (
                    int(dropout.threshold),
                    dropout.scale,
                )


def _round_up_to_4(n: int) -> int:
    """The next multiple of 4."""
    return -(-n // 4) * 4


def get_member_stride(array: np.ndarray, n_axes: int) -> int:
    """Numbers from one network of a stack to the next, where there is an axis of it."""
    return array.strides[0] // 4 if array.ndim > n_axes else 0


def is_supported(architecture: Architecture) -> bool:
    """Whether the core knows all that the network is made of."""
    return architecture.dtype == "float32" and all(
        type(activation) in CORE_ACTIVATIONS for activation in architecture.activations
    )


def check_rows(
    architecture: Architecture,
    x: np.ndarray,
    y_encoded: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    indices: np.ndarray | None = None,
) -> None:
    """Raise unless all that the core will read is there: it looks at no bounds.

    Classes and rows may be integers of any type, of which `make_samples` takes one.
    """
    if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != architecture.n_inputs:
        raise ValueError(
            f"the core takes float32 rows of {architecture.n_inputs} numbers, and not "
            f"{x.dtype} of shape {x.shape}."
        )
    if not x.flags.aligned or any(stride % x.itemsize for stride in x.strides):
        raise ValueError(f"the core takes no rows {x.strides} bytes apart; copy them.")
    if indices is not None:
        check_indices("rows", indices, len(x))
    if y_encoded is not None:
        check_indices("classes", y_encoded, architecture.n_classes)
    n_samples = len(x) if indices is None else len(indices)
    for name, numbers in {"classes": y_encoded, "weights": sample_weight}.items():
        if numbers is not None and len(numbers) != n_samples:
            raise ValueError(f"{len(numbers)} {name} were given for {n_samples} rows.")


def check_indices(name: str, numbers: np.ndarray, limit: int) -> None:
    """Raise unless numbers are integers from 0 to below a limit."""
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"expected a 1-D array of integers as numbers of {name}, got "
            f"{numbers.dtype} of shape {numbers.shape}. Convert it first."
        )
    if len(numbers) == 0:
        return
    # as unsigned integers, among which negative ones are too large as well
    if numbers.astype(np.int64, copy=False).view(np.uint64).max() >= limit:
        raise ValueError(
            f"numbers of {name} are from 0 to {limit - 1}, and these go from "
            f"{numbers.min()} to {numbers.max()}."
        )


class CorePredictor:
    """Gives logits of a network, or of a stack of them, whose parameters it only reads.

    Parameters
    ----------
    architecture : Architecture
        What the core takes.
    parameters : ndarray of shape (n_parameters,) or (n_members, n_parameters)
        Read anew at each call.
    """

    def __init__(self, architecture: Architecture, parameters: np.ndarray) -> None:
        self.architecture = architecture
        self.parameters = np.asarray(parameters, np.float32)
        if self.parameters.shape[-1:] != (architecture.layout.size,):
            raise ValueError(
                f"expected vectors of {architecture.layout.size} parameters, got an "
                f"array of shape {self.parameters.shape}. Pass those of this network."
            )
        self.of_thread = threading.local()  # what a thread has filled in already

    def is_for(self, architecture: Architecture, parameters: np.ndarray) -> bool:
        """Whether these are what it reads."""
        return self.architecture is architecture and self.parameters is parameters

    def network(self, n_rows: int) -> CoreNetwork:
        """The structures of the thread that asks, with scratch for some rows."""
        network: CoreNetwork | None = getattr(self.of_thread, "network", None)
        if network is None or network.scratch.n_rows < n_rows:
            stack = np.atleast_2d(self.parameters)
            self.of_thread.read = PredictionParameters(self.architecture, stack)
            arrays = self.of_thread.read.arrays
            network = CoreNetwork(self.architecture, arrays, n_rows)
            self.of_thread.network = network
        else:
            self.of_thread.read.renew()
        return network

    def logits(self, x: np.ndarray, indices: np.ndarray | None = None) -> np.ndarray:
        """Logits of any number of rows, in an array of their own.

        Parameters
        ----------
        x : ndarray of float32 of shape (n_samples, n_inputs)
            The input.
        indices : ndarray of int of shape (n_rows,), default=None
            Which rows of `x`; None for all of them.
        """
        check_rows(self.architecture, x, indices=indices)
        if indices is not None:
            indices = np.ascontiguousarray(indices, np.int64)
        n_rows = len(x) if indices is None else len(indices)
        *stack, _ = self.parameters.shape
        logits = np.empty((*stack, n_rows, self.architecture.n_classes), np.float32)
        get_core().predict_logits(
            ctypes.byref(self.network(min(n_rows, BLOCK)).structure),
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
) -> structures.Samples:
    """The structure of samples that `check_rows` let pass; arrays stay the caller's.

    Raises
    ------
    ValueError
        Unless classes and rows are int64 and weights float32, one of each per sample.
    """
    shape = (len(x) if indices is None else len(indices),)
    return structures.Samples(
        get_address(x),
        x.strides[0] // 4,
        x.strides[1] // 4,
        None if indices is None else check_address("rows", indices, np.int64, shape),
        None
        if y_encoded is None
        else check_address("classes", y_encoded, np.int64, shape),
        None
        if sample_weight is None
        else check_address("weights", sample_weight, np.float32, shape),
    )
