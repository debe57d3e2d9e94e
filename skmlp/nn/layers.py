"""Layers: a forward pass and, directly below it, the backward pass that mirrors it."""

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal, Protocol

import numpy as np

from skmlp.nn.activations import Activation
from skmlp.nn.initializers import Initializer
from skmlp.nn.parameters import Views

N_DROPOUT_LEVELS = 2**16
"""Different draws that dropout makes."""


class SparseRows(Protocol):
    """What is asked of sparse rows; SciPy's matrices come without types."""

    T: "SparseRows"

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice | np.ndarray | list[int], /) -> "SparseRows": ...

    def __matmul__(self, other: np.ndarray, /) -> np.ndarray: ...


InputRows = np.ndarray | SparseRows
"""What a network takes: an array, or sparse rows if the first layer is `Dense`."""

InitialValues = Mapping[str, float | np.ndarray]
"""Values before training, by the names of a layer's parameters."""


class Layer:
    """One step of the forward pass, and its mirror image in the backward pass.

    A layer reads its parameters from `p` and writes their gradients to `g`, both
    views into flat vectors that `bind` hands over. It remembers the input of the last
    forward pass and reuses its own scratch arrays from batch to batch.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter array.
    learning_rates : dict of str to float
        Factor on the learning rate of a parameter array; 1 where none is named.
    """

    shapes: dict[str, tuple[int, ...]] = {}
    learning_rates: Mapping[str, float] = {}

    def __init__(self) -> None:
        self.p: Views = SimpleNamespace()
        self.g: Views = SimpleNamespace()
        self.memory: dict[str, np.ndarray] = {}
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
        """Values of the parameters before training, by name."""
        return {}

    def forward(self, x: Any, training: bool = False) -> np.ndarray:
        """Output for a batch; valid until the next call.

        `x` is an array; only `Dense` takes sparse rows as well.
        """
        raise NotImplementedError

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        """Write the gradients; turn d loss / d output into d loss / d input.

        May overwrite `grad`. Without `need_input_grad` the return value means nothing.
        """
        raise NotImplementedError

    def scratch(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.typing.DTypeLike,
        order: Literal["C", "F"] = "C",
    ) -> np.ndarray:
        """A reused array of (..., n_rows, width) numbers that mean nothing yet."""
        array = self.arrays.get((name, shape))
        if array is None:
            array = self.arrays[name, shape] = self.cut(name, shape, dtype, order)
        return array

    def cut(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.typing.DTypeLike,
        order: Literal["C", "F"],
    ) -> np.ndarray:
        """An array of this shape from memory that arrays of other shapes share."""
        size = math.prod(shape)
        memory = self.memory.get(name)
        if memory is None or len(memory) < size:
            memory = self.memory[name] = np.empty(size, dtype)
            self.arrays = {key: a for key, a in self.arrays.items() if key[0] != name}
        if order == "C":
            return memory[:size].reshape(shape)
        # column by column, through all networks of a stack
        by_column = memory[:size].reshape(shape[-1], *shape[:-1])
        return by_column.transpose(*range(1, len(shape)), 0)


class Dense(Layer):
    """Affine map y = x W + b, the only layer that knows of sparse input.

    Parameters
    ----------
    fan_in, fan_out : int
        Number of inputs and outputs per row.
    initializer : callable
        (shape, rng) -> array, the start values of W; b starts at 0.
    order : {"C", "F"}, default="C"
        Whether the output lies in memory row by row or column by column.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        initializer: Initializer,
        order: Literal["C", "F"] = "C",
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
        multiply_rows(x, weight, y)
        y += self.p.bias[..., np.newaxis, :]
        return y

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        multiply_rows(transpose_rows(self.x), grad, self.g.weight)
        # a product with ones sums the rows in less than half the time of sum(axis=-2)
        np.matmul(self.ones(grad.shape[-2], grad.dtype), grad, out=self.g.bias)
        if not need_input_grad:
            return grad
        weight = self.p.weight
        shape = (*grad.shape[:-1], weight.shape[-2])
        out = self.scratch("delta", shape, weight.dtype)
        return multiply_rows(grad, weight.mT, out)

    def ones(self, n_rows: int, dtype: np.typing.DTypeLike) -> np.ndarray:
        """A reused vector of ones."""
        ones = self.memory.get("ones")
        if ones is None or len(ones) < n_rows:
            ones = self.memory["ones"] = np.ones(n_rows, dtype)
        return ones[:n_rows]


def multiply_rows(a: InputRows, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the matrix product of `a`, dense or sparse, and `b` to `out`."""
    if isinstance(a, np.ndarray):
        return np.matmul(a, b, out=out)
    for member in np.ndindex(b.shape[:-2]):
        out[member] = a @ b[member]
    return out


def transpose_rows(a: InputRows) -> InputRows:
    """The transpose of a matrix, dense or sparse, or of each matrix of a stack."""
    return a.mT if isinstance(a, np.ndarray) else a.T


class PeriodicEmbedding(Layer):
    """Lets each number also speak through a few learnt waves of it.

    Behind the columns x come, for each of the first `n_numbers` of them, the outputs
    cos(frequency * x + phase) . mix, with frequencies, phases and mix of its own: a
    curve per output, of any shape, where an affine map only has a line. It is the
    periodic embedding of Gorishniy et al. (2022), as small, linear and beside the
    number as in Holzmueller et al. (2024).

    Parameters
    ----------
    n_inputs : int
        Columns of the input, the numbers first.
    n_numbers : int
        How many of them are embedded.
    """

    n_frequencies = 16
    n_outputs = 3
    # from slow waves, which bend, to fast ones, which find where something begins
    slowest, fastest = 0.05 * 2 * np.pi, 3 * 2 * np.pi

    def __init__(self, n_inputs: int, n_numbers: int) -> None:
        super().__init__()
        self.n_inputs = n_inputs
        self.n_numbers = n_numbers
        self.width = n_inputs + n_numbers * self.n_outputs
        self.shapes = {
            # frequency and phase of each wave
            "frequency_phase": (n_numbers, self.n_frequencies, 2),
            "projection": (n_numbers, self.n_frequencies, self.n_outputs),
        }

    def init_parameters(self, rng: np.random.Generator) -> InitialValues:
        shape = (self.n_numbers, self.n_frequencies)
        scale = np.geomspace(self.slowest, self.fastest, self.n_frequencies)
        frequency = rng.normal(0.0, scale, shape)
        phase = rng.uniform(-np.pi, np.pi, shape)
        bound = 1 / np.sqrt(self.n_frequencies)
        return {
            "frequency_phase": np.stack([frequency, phase], axis=-1),
            "projection": rng.uniform(-bound, bound, self.shapes["projection"]),
        }

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        frequency_phase = self.p.frequency_phase
        members, n_rows = frequency_phase.shape[:-3], x.shape[-2]
        # number by number from here on: (..., n_numbers, what it has, n_rows)
        numbers = x[..., : self.n_numbers].mT[..., np.newaxis, :]
        self.x = np.concatenate([numbers, np.ones_like(numbers)], axis=-2)
        shape = (*members, self.n_numbers, self.n_frequencies, n_rows)
        self.angle = np.matmul(
            frequency_phase, self.x, out=self.scratch("angle", shape, x.dtype)
        )
        self.cosine = np.cos(self.angle, out=self.scratch("cosine", shape, x.dtype))
        curves = np.matmul(self.p.projection.mT, self.cosine)
        y = self.scratch("y", (*members, n_rows, self.width), x.dtype)
        y[..., : self.n_inputs] = x
        flat = (*members, self.width - self.n_inputs, n_rows)
        y[..., self.n_inputs :] = curves.reshape(flat).mT
        return y

    def backward(self, grad: np.ndarray, need_input_grad: bool = True) -> np.ndarray:
        shape = (*self.cosine.shape[:-2], self.n_outputs, grad.shape[-2])
        by_curve = grad[..., self.n_inputs :].mT.reshape(shape)
        np.matmul(self.cosine, by_curve.mT, out=self.g.projection)
        slope = np.sin(self.angle, out=self.angle)
        np.negative(slope, out=slope)
        slope *= np.matmul(self.p.projection, by_curve, out=self.cosine)
        np.matmul(slope, self.x.mT, out=self.g.frequency_phase)
        if not need_input_grad:
            return grad
        out = self.scratch("delta", (*grad.shape[:-1], self.n_inputs), grad.dtype)
        out[...] = grad[..., : self.n_inputs]
        of_numbers = np.matmul(self.p.frequency_phase[..., :1].mT, slope)[..., 0, :]
        out[..., : self.n_numbers] += of_numbers.mT
        return out


class ActivationLayer(Layer):
    """Applies an activation to each unit, overwriting the input where it can.

    Parameters
    ----------
    activation : Activation
        The two formulas.
    n_units : int
        Width of the layer.
    """

    def __init__(self, activation: Activation, n_units: int) -> None:
        super().__init__()
        self.activation = activation
        self.shapes = activation.shapes(n_units)
        # each acts on a whole unit, so that small steps go far
        self.learning_rates = dict.fromkeys(self.shapes, 0.1)
        # memory traffic is what a step waits for: what need not be kept is overwritten
        self.in_place = activation.needs_only_value

    def bind(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> None:
        super().bind(parameters, gradients)
        # an axis for the rows, between that of the units and those of a stack
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
        out = self.y
        derivatives = self.activation.parameter_derivatives(self.x, out, self.by_row)
        for name, derivative in derivatives:
            total = np.einsum("...ij,...ij->...j", grad, derivative)
            if self.activation.shared:
                total = total.sum(axis=-1, keepdims=True)
            getattr(self.g, name)[:] = total
        grad *= self.activation.derivative(self.x, out, self.by_row)
        return grad


class Dropout(Layer):
    """Sets a random part of the inputs to 0 in training (Srivastava et al., 2014).

    What stays is divided by the probability of staying, so that prediction needs no
    correction.

    Parameters
    ----------
    rate : float in [0, 1)
        Probability that an input is set to 0, to a precision of 2^-16.

    Attributes
    ----------
    rng : numpy.random.Generator or None
        Source of the draws, to be set before training.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rng: np.random.Generator | None = None
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
