"""Networks for the core: the structures of core.c around arrays that belong to us."""

import ctypes
import math
import threading
from collections.abc import Mapping

import numpy as np

from skmlp.core import structures
from skmlp.core.layout import (
    ACTIVATIONS,
    BLOCK,
    ParametersToRead,
    address,
    aligned,
    padded,
    pointer,
    width_of,
)
from skmlp.core.library import core
from skmlp.nn.layers import Activate, Dropout, PeriodicEmbedding
from skmlp.nn.network import Architecture
from skmlp.nn.parameters import Key


class Room:
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
            self.blocks.append(aligned(max(size, self.smallest_block)))
            self.place = address(self.blocks[-1])
            self.end = self.place + self.blocks[-1].nbytes
        start = self.place
        self.place += 4 * padded(size)
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
        Rows that it has room for.
    learns : bool, default=False
        Whether it has room for what training needs.

    Attributes
    ----------
    structure : structures.Network
        To be handed to the core; valid as long as this object lives.
    """

    def __init__(
        self,
        architecture: Architecture,
        arrays: Mapping[Key, np.ndarray],
        n_rows: int,
        learns: bool = False,
    ) -> None:
        self.architecture = architecture
        self.arrays = arrays
        self.learns = learns
        self.room = Room(padded(n_rows))
        self.layers = (structures.Layer * len(architecture.dense_layers))()
        self.structure = structures.Network(
            n_inputs=architecture.n_inputs,
            n_classes=architecture.n_classes,
            n_layers=len(self.layers),
            n_rows=self.room.n_rows,
            layers=self.layers,
        )
        width = width_of(architecture.n_inputs)
        x = self.room.matrix(width)
        self.structure.x, self.structure.x_width = x, width
        if architecture.n_periodic:
            embedding = self.embedding(x, width)
            self.structure.embedding = ctypes.pointer(embedding)
            x, width = embedding.y, embedding.y_width
        for number, layer in enumerate(self.layers):
            layer.x, layer.x_width = x, width
            self.fill(layer, number)
            x, width = layer.y, layer.y_width
        if learns:
            self.structure.by_class = self.room.matrix(up_to_4(architecture.n_classes))
            self.structure.losses = self.room.matrix(1)

    def embedding(self, x: int, x_width: int) -> structures.Embedding:
        """The structure of the periodic embedding."""
        n_inputs, n_numbers = self.architecture.n_inputs, self.architecture.n_periodic
        waves = self.arrays[0, "waves"]
        shape = (n_numbers, 2 + PeriodicEmbedding.n_outputs, PeriodicEmbedding.n_waves)
        # the last number writes one behind its curves
        width = width_of(n_inputs + n_numbers * PeriodicEmbedding.n_outputs + 1)
        embedding = structures.Embedding(
            n_inputs=n_inputs,
            n_numbers=n_numbers,
            x_width=x_width,
            y_width=width,
            waves=pointer("waves", waves, np.float32, shape),
            x=x,
            y=self.room.matrix(width),
            n_rows=self.room.n_rows,
            waves_step=step_of(waves, 3),
        )
        if self.learns:
            n_waves = n_numbers * PeriodicEmbedding.n_waves
            embedding.cosine = self.room.matrix(n_waves)
            embedding.sine = self.room.matrix(n_waves)
            embedding.delta = self.room.matrix(width)
        return embedding

    def fill(self, layer: structures.Layer, number: int) -> None:
        """Fill in the structure of a dense layer, whose input is there."""
        architecture = self.architecture
        index = architecture.dense_layers[number]
        layer.fan_in, layer.fan_out = architecture.layout.shapes[index, "weight"]
        weight, bias = self.arrays[index, "weight"], self.arrays[index, "bias"]
        layer.y_width = width_of(layer.fan_out)
        layer.y = self.room.matrix(layer.y_width)
        n_rows = padded(layer.fan_in) if self.learns else layer.fan_in
        width = layer.weight_width = self.parameter_width(layer.fan_out)
        layer.weight = pointer("weights", weight, np.float32, (n_rows, width))
        layer.bias = pointer("biases", bias, np.float32, (width,))
        layer.weight_step, layer.bias_step = step_of(weight, 2), step_of(bias, 1)
        layer.scale = 1.0
        if number < len(architecture.activations):
            self.activate(layer, number)
        if self.learns:
            layer.delta = self.room.matrix(layer.y_width)
            if number > 0 or architecture.n_periodic:
                size = up_to_4(layer.fan_out) * layer.x_width
                layer.transposed = self.room.numbers(size)

    def parameter_width(self, n_units: int) -> int:
        """Numbers from one row of the parameters to the next."""
        return width_of(n_units) if self.learns else padded(n_units)

    def activate(self, layer: structures.Layer, number: int) -> None:
        """Fill in what stands behind a dense layer."""
        architecture = self.architecture
        activation = architecture.activations[number]
        known = ACTIVATIONS[type(activation)]
        layer.activation, layer.constant = known.number, known.constant(activation)
        slope = self.arrays.get((architecture.dense_layers[number] + 1, "slope"))
        if slope is not None:
            shape = (self.parameter_width(layer.fan_out),)
            layer.slope = pointer("slopes", slope, np.float32, shape)
            layer.slope_step = step_of(slope, 1)
            layer.shares_slope = activation.shared
        if self.learns:
            layer.derivative = self.room.matrix(layer.y_width)
            if slope is not None:
                layer.by_slope = self.room.matrix(layer.y_width)
                factors = Activate(activation, 1).learning_rates
                layer.slope_factor = factors["slope"]
            if architecture.dropout[number] > 0:
                dropout = Dropout(architecture.dropout[number])
                layer.threshold, layer.scale = int(dropout.threshold), dropout.scale


def up_to_4(n: int) -> int:
    """The next multiple of 4."""
    return -(-n // 4) * 4


def step_of(array: np.ndarray, n_axes: int) -> int:
    """Numbers from one network of a stack to the next, where there is an axis of it."""
    return array.strides[0] // 4 if array.ndim > n_axes else 0


def takes(architecture: Architecture) -> bool:
    """Whether the core knows all that the network is made of."""
    return architecture.dtype == "float32" and all(
        type(activation) in ACTIVATIONS for activation in architecture.activations
    )


def check_rows(
    architecture: Architecture,
    x: np.ndarray,
    y_encoded: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    rows: np.ndarray | None = None,
) -> None:
    """Raise unless all that the core will read is there: it looks at no bounds.

    Classes and rows may be integers of any type, of which `samples_of` takes one.
    """
    if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != architecture.n_inputs:
        raise ValueError(
            f"the core takes float32 rows of {architecture.n_inputs} numbers, and not "
            f"{x.dtype} of shape {x.shape}."
        )
    if not x.flags.aligned or any(stride % x.itemsize for stride in x.strides):
        raise ValueError(f"the core takes no rows {x.strides} bytes apart; copy them.")
    if rows is not None:
        check_indices("rows", rows, len(x))
    if y_encoded is not None:
        check_indices("classes", y_encoded, architecture.n_classes)
    n_samples = len(x) if rows is None else len(rows)
    for name, numbers in {"classes": y_encoded, "weights": weight}.items():
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

    def is_of(self, architecture: Architecture, parameters: np.ndarray) -> bool:
        """Whether these are what it reads."""
        return self.architecture is architecture and self.parameters is parameters

    def network(self, n_rows: int) -> CoreNetwork:
        """The structures of the thread that asks, with room for some rows."""
        network: CoreNetwork | None = getattr(self.of_thread, "network", None)
        if network is None or network.room.n_rows < n_rows:
            stack = np.atleast_2d(self.parameters)
            self.of_thread.read = ParametersToRead(self.architecture, stack)
            arrays = self.of_thread.read.arrays
            network = CoreNetwork(self.architecture, arrays, n_rows)
            self.of_thread.network = network
        else:
            self.of_thread.read.renew()
        return network

    def logits(self, x: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Logits of any number of rows, in an array of their own.

        Parameters
        ----------
        x : ndarray of float32 of shape (n_samples, n_inputs)
            The input.
        rows : ndarray of int of shape (n_rows,), default=None
            Which rows of `x`; None for all of them.
        """
        check_rows(self.architecture, x, rows=rows)
        if rows is not None:
            rows = np.ascontiguousarray(rows, np.int64)
        n_rows = len(x) if rows is None else len(rows)
        *stack, _ = self.parameters.shape
        logits = np.empty((*stack, n_rows, self.architecture.n_classes), np.float32)
        core().predict_logits(
            ctypes.byref(self.network(min(n_rows, BLOCK)).structure),
            ctypes.byref(samples_of(x, rows)),
            math.prod(stack),
            0,
            n_rows,
            address(logits),
        )
        return logits


def samples_of(
    x: np.ndarray,
    rows: np.ndarray | None,
    y_encoded: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> structures.Samples:
    """The structure of samples that `_check_rows` let pass; arrays stay the caller's.

    Raises
    ------
    ValueError
        Unless classes and rows are int64 and weights float32, one of each per sample.
    """
    shape = (len(x) if rows is None else len(rows),)
    return structures.Samples(
        address(x),
        x.strides[0] // 4,
        x.strides[1] // 4,
        None if rows is None else pointer("rows", rows, np.int64, shape),
        None if y_encoded is None else pointer("classes", y_encoded, np.int64, shape),
        None if weight is None else pointer("weights", weight, np.float32, shape),
    )
