"""Layers: a forward pass and, directly below it, the backward pass that mirrors it.

All arrays may have leading axes, those of a stack of networks: (..., n_rows, n_units).
"""

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from skmlp.nn.activations import Activation
from skmlp.nn.initializers import Initializer
from skmlp.nn.parameters import Views

# different values of the 16 random bits that dropout draws per unit
N_DROPOUT_LEVELS = 2**16

# input of a network: an array, or sparse rows if the first layer is `Dense`
InputRows: TypeAlias = np.ndarray | csr_array

# values before training, by the names of a layer's parameters
InitialValues = Mapping[str, float | np.ndarray]


class Layer:
    """One step of the forward pass, and its mirror image in the backward pass."""

    shapes: dict[str, tuple[int, ...]] = {}  # of each parameter array, by name
    learning_rates: Mapping[str, float] = {}  # factors on the learning rate, if not 1

    def __init__(self) -> None:
        self.p: Views = SimpleNamespace()  # parameters, views of a flat vector
        self.g: Views = SimpleNamespace()  # their gradients, views of another
        self.buffers: dict[str, np.ndarray] = {}  # flat memory, reused in each batch
        # that memory in the shapes that came up, since to cut an array takes a while
        self.arrays: dict[tuple[str, tuple[int, ...]], np.ndarray] = {}

    def bind(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> None:
        """Read parameters from, and write gradients to, these arrays from now on."""
        self.p = SimpleNamespace(**parameters)
        self.g = SimpleNamespace(**gradients)

    def init_parameters(self, rng: np.random.Generator) -> InitialValues:
        """Draw the values of the parameters before training, by name."""
        return {}

    def forward(self, x: Any, training: bool = False) -> np.ndarray:
        """Return the output for a batch; valid until the next call."""
        raise NotImplementedError

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        """Write parameter gradients; turn d loss / d output into d loss / d input.

        May overwrite `grad`. Without `need_input_grad` the result is meaningless.
        """
        raise NotImplementedError

    def scratch(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.typing.DTypeLike,
        order: Literal["C", "F"] = "C",
    ) -> np.ndarray:
        """Return a reused, uninitialized array of shape (..., n_rows, width)."""
        array = self.arrays.get((name, shape))
        if array is None:
            array = self.arrays[name, shape] = self._cut(name, shape, dtype, order)
        return array

    def _cut(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.typing.DTypeLike,
        order: Literal["C", "F"],
    ) -> np.ndarray:
        """Cut an array of this shape from the memory that all shapes share."""
        size = math.prod(shape)
        buffer = self.buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self.buffers[name] = np.empty(size, dtype)
            self.arrays = {key: a for key, a in self.arrays.items() if key[0] != name}
        if order == "C":
            return buffer[:size].reshape(shape)
        # column by column, each column through all networks of a stack
        by_column = buffer[:size].reshape(shape[-1], *shape[:-1])
        return by_column.transpose(*range(1, len(shape)), 0)


class Dense(Layer):
    """Affine map y = x W + b, the only layer that accepts sparse input."""

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        initializer: Initializer,  # of W; b starts at 0
        order: Literal["C", "F"] = "C",  # memory layout of the output: by row or column
    ) -> None:
        super().__init__()
        self.shapes = {"weight": (fan_in, fan_out), "bias": (fan_out,)}
        self.initializer = initializer
        self.order = order

    def init_parameters(self, rng: np.random.Generator) -> InitialValues:
        fan_in, fan_out = self.shapes["weight"]
        return {"weight": self.initializer((fan_in, fan_out), rng), "bias": 0.0}

    def forward(self, x: InputRows, training: bool = False) -> np.ndarray:
        self.x = x
        weight = self.p.weight
        shape = (*weight.shape[:-2], x.shape[-2], weight.shape[-1])
        y = self.scratch("y", shape, weight.dtype, self.order)
        _multiply_rows(x, weight, y)
        y += self.p.bias[..., np.newaxis, :]
        return y

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        # the sums over the rows: dW = x^T grad, db = 1^T grad
        transposed = self.x.mT if isinstance(self.x, np.ndarray) else self.x.T
        _multiply_rows(transposed, grad, self.g.weight)
        # a product with ones sums the rows in less than half the time of sum(axis=-2)
        np.matmul(self._ones(grad.shape[-2], grad.dtype), grad, out=self.g.bias)
        if not need_input_grad:
            return grad
        weight = self.p.weight
        shape = (*grad.shape[:-1], weight.shape[-2])
        out = self.scratch("grad", shape, weight.dtype)
        return _multiply_rows(grad, weight.mT, out)

    def _ones(self, n_rows: int, dtype: np.typing.DTypeLike) -> np.ndarray:
        ones = self.buffers.get("ones")
        if ones is None or len(ones) < n_rows:
            ones = self.buffers["ones"] = np.ones(n_rows, dtype)
        return ones[:n_rows]


def _multiply_rows(a: InputRows, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the matrix product of `a`, dense or sparse, and `b` to `out`."""
    if isinstance(a, np.ndarray):
        return np.matmul(a, b, out=out)
    # sparse rows are the same for all networks of a stack, and have no stacked product
    for member in np.ndindex(b.shape[:-2]):
        out[member] = a @ b[member]
    return out


class PeriodicEmbedding(Layer):
    """Periodic embedding of the first columns of x, appended to x.

    A few outputs per number, each a learned combination of cosines,
    cos(frequency * x + phase) @ projection: a curve of any shape, where an affine map
    has a line. From Gorishniy et al. (2022); linear, small and beside the number itself
    as in Holzmueller et al. (2024).
    """

    n_frequencies = 16
    n_outputs = 3
    # low frequencies bend the curve slowly, high ones find where something begins
    lowest, highest = 0.05 * 2 * np.pi, 3 * 2 * np.pi

    def __init__(self, n_inputs: int, n_numbers: int) -> None:
        super().__init__()
        self.n_inputs = n_inputs
        self.n_numbers = n_numbers  # the first columns, which are embedded
        self.width = n_inputs + n_numbers * self.n_outputs
        self.shapes = {
            "frequency_phase": (n_numbers, self.n_frequencies, 2),
            "projection": (n_numbers, self.n_frequencies, self.n_outputs),
        }

    def init_parameters(self, rng: np.random.Generator) -> InitialValues:
        shape = (self.n_numbers, self.n_frequencies)
        scale = np.geomspace(self.lowest, self.highest, self.n_frequencies)
        frequency = rng.normal(0.0, scale, shape)
        phase = rng.uniform(-np.pi, np.pi, shape)
        bound = 1 / np.sqrt(self.n_frequencies)
        return {
            "frequency_phase": np.stack([frequency, phase], axis=-1),
            "projection": rng.uniform(-bound, bound, self.shapes["projection"]),
        }

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        weight = self.p.frequency_phase
        stack, n_rows = weight.shape[:-3], x.shape[-2]
        # (..., n_numbers, 2, n_rows): each number above a row of ones, for the phase
        numbers = x[..., : self.n_numbers].mT[..., np.newaxis, :]
        self.x = np.concatenate([numbers, np.ones_like(numbers)], axis=-2)
        # (..., n_numbers, n_frequencies, n_rows)
        shape = (*stack, self.n_numbers, self.n_frequencies, n_rows)
        angle = self.scratch("angle", shape, x.dtype)
        self.angle = np.matmul(weight, self.x, out=angle)
        self.cosine = np.cos(self.angle, out=self.scratch("cosine", shape, x.dtype))
        # (..., n_numbers, n_outputs, n_rows)
        curves = np.matmul(self.p.projection.mT, self.cosine)
        y = self.scratch("y", (*stack, n_rows, self.width), x.dtype)
        y[..., : self.n_inputs] = x
        flat = (*stack, self.width - self.n_inputs, n_rows)
        y[..., self.n_inputs :] = curves.reshape(flat).mT
        return y

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        # (..., n_numbers, n_outputs, n_rows)
        shape = (*self.cosine.shape[:-2], self.n_outputs, grad.shape[-2])
        curve_grad = grad[..., self.n_inputs :].mT.reshape(shape)
        np.matmul(self.cosine, curve_grad.mT, out=self.g.projection)
        # d loss / d angle = -sin(angle) * (projection @ curve_grad)
        slope = np.sin(self.angle, out=self.angle)
        np.negative(slope, out=slope)
        slope *= np.matmul(self.p.projection, curve_grad, out=self.cosine)
        np.matmul(slope, self.x.mT, out=self.g.frequency_phase)
        if not need_input_grad:
            return grad
        # x gets its gradient as a column passed on, and as a number: times frequency
        out = self.scratch("grad", (*grad.shape[:-1], self.n_inputs), grad.dtype)
        out[...] = grad[..., : self.n_inputs]
        frequency = self.p.frequency_phase[..., :1]
        out[..., : self.n_numbers] += np.matmul(frequency.mT, slope)[..., 0, :].mT
        return out


class ActivationLayer(Layer):
    """An activation applied to each unit, in place where it can be."""

    def __init__(self, activation: Activation, n_units: int) -> None:
        super().__init__()
        self.activation = activation
        self.shapes = activation.shapes(n_units)
        # each learned number acts on a whole unit, so small steps go far
        self.learning_rates = dict.fromkeys(self.shapes, 0.1)
        # steps are bound by memory traffic: overwrite what the backward pass can spare
        self.in_place = activation.needs_only_value

    def bind(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> None:
        super().bind(parameters, gradients)
        # (..., 1, n_units): an axis for the rows, to broadcast over
        by_row = {name: array[..., np.newaxis, :] for name, array in parameters.items()}
        self.by_row: Views = SimpleNamespace(**by_row)

    def init_parameters(self, rng: np.random.Generator) -> InitialValues:
        return self.activation.initial

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.x = x
        self.y = x if self.in_place else self.scratch("y", x.shape, x.dtype)
        return self.activation.value(x, self.y, self.by_row)

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        if self.in_place:
            grad *= self.activation.derivative_from_value(self.y, self.y, self.by_row)
            return grad
        out = self.y  # no longer needed: reused for one derivative after the other
        derivatives = self.activation.parameter_derivatives(self.x, out, self.by_row)
        for name, derivative in derivatives:
            total = np.einsum("...ij,...ij->...j", grad, derivative)  # over the rows
            if self.activation.shared:
                total = total.sum(axis=-1, keepdims=True)
            getattr(self.g, name)[:] = total
        grad *= self.activation.derivative(self.x, out, self.by_row)
        return grad


class Dropout(Layer):
    """Dropout of a random part of the inputs in training (Srivastava et al., 2014).

    Kept inputs are divided by the probability of being kept, so that prediction needs
    no correction ("inverted dropout").
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rng: np.random.Generator | None = None  # to be set before training
        self.threshold = np.uint16(rate * N_DROPOUT_LEVELS)
        self.scale = 1 / (1 - float(self.threshold) / N_DROPOUT_LEVELS)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        if not training:
            return x
        assert self.rng is not None, "a network that trains needs a generator"
        # 16 random bits per number take a fifth of the time of a random float
        draws = np.frombuffer(self.rng.bytes(2 * x.size), np.uint16).reshape(x.shape)
        self.mask = self.scratch("mask", x.shape, x.dtype)
        np.multiply(draws >= self.threshold, x.dtype.type(self.scale), out=self.mask)
        return np.multiply(x, self.mask, out=self.scratch("y", x.shape, x.dtype))

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        grad *= self.mask
        return grad
