"""Layers: a forward pass and, directly below it, the backward pass that mirrors it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse

from skmlp.nn.activations import Activation


class Layer:
    """One step of the forward pass, and its mirror image in the backward pass.

    A layer reads its parameters from `p` and writes their gradients to `g`, both
    views into flat vectors that `bind` hands over. It remembers the input of the last
    forward pass and reuses its own scratch arrays from batch to batch.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter array.
    """

    shapes: dict[str, tuple[int, ...]] = {}

    def __init__(self) -> None:
        self.p = SimpleNamespace()
        self.g = SimpleNamespace()
        self.arrays: dict[str, np.ndarray] = {}

    def bind(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
    ) -> None:
        """Read parameters from, and write gradients to, these arrays from now on."""
        self.p = SimpleNamespace(**parameters)
        self.g = SimpleNamespace(**gradients)

    def start_values(self, rng: np.random.Generator) -> dict[str, Any]:
        """Values of the parameters before training, by name."""
        return {}

    def forward(self, x: Any, training: bool = False) -> np.ndarray:
        """Output for a batch; valid until the next call."""
        raise NotImplementedError

    def backward(self, delta: np.ndarray, need_input: bool = True) -> np.ndarray:
        """Write the gradients; turn d loss / d output into d loss / d input.

        May overwrite `delta`. Without `need_input` the return value means nothing.
        """
        raise NotImplementedError

    def scratch(
        self,
        name: str,
        shape: tuple[int, int],
        dtype: np.typing.DTypeLike,
        order: Literal["C", "F"] = "C",
    ) -> np.ndarray:
        """A reused array of (n_rows, width) numbers that mean nothing yet."""
        array = self.arrays.get(name)
        if array is None or len(array) < shape[0]:
            array = self.arrays[name] = np.empty(shape, dtype, order)
        return array[: shape[0]]


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
        initializer: Any,
        order: Literal["C", "F"] = "C",
    ) -> None:
        super().__init__()
        self.shapes = {"weight": (fan_in, fan_out), "bias": (fan_out,)}
        self.initializer = initializer
        self.order = order

    def start_values(self, rng):
        return {"weight": self.initializer(self.shapes["weight"], rng), "bias": 0.0}

    def forward(self, x, training=False):
        self.x = x
        weight = self.p.weight
        shape = (x.shape[0], weight.shape[1])
        y = self.scratch("y", shape, weight.dtype, self.order)
        product(x, weight, y)
        y += self.p.bias
        return y

    def backward(self, delta, need_input=True):
        product(self.x.T, delta, self.g.weight)
        # a product with ones sums the rows in less than half the time of sum(axis=0)
        np.matmul(self.ones(len(delta), delta.dtype), delta, out=self.g.bias)
        if not need_input:
            return delta
        weight = self.p.weight
        out = self.scratch("delta", (len(delta), weight.shape[0]), weight.dtype)
        return product(delta, weight.T, out)

    def ones(self, n_rows: int, dtype: np.typing.DTypeLike) -> np.ndarray:
        """A reused vector of ones."""
        ones = self.arrays.get("ones")
        if ones is None or len(ones) < n_rows:
            ones = self.arrays["ones"] = np.ones(n_rows, dtype)
        return ones[:n_rows]


def product(a: Any, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the matrix product of `a`, dense or sparse, and `b` to `out`."""
    if issparse(a):
        out[:] = a @ b
        return out
    return np.matmul(a, b, out=out)


class Activate(Layer):
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
        # memory traffic is what a step waits for: what need not be kept is overwritten
        self.in_place = activation.needs_only_value

    def start_values(self, rng):
        return self.activation.initial

    def forward(self, x, training=False):
        self.x = x
        self.y = x if self.in_place else self.scratch("y", x.shape, x.dtype)
        return self.activation.value(x, self.y, self.p)

    def backward(self, delta, need_input=True):
        if self.in_place:
            delta *= self.activation.derivative_from_value(self.y, self.y, self.p)
            return delta
        out = self.y
        derivatives = self.activation.parameter_derivatives(self.x, out, self.p)
        for name, derivative in derivatives:
            axes = "ij,ij->" if self.activation.shared else "ij,ij->j"
            getattr(self.g, name)[:] = np.einsum(axes, delta, derivative)
        delta *= self.activation.derivative(self.x, out, self.p)
        return delta


class Dropout(Layer):
    """Sets a random part of the inputs to 0 in training (Srivastava et al., 2014).

    What stays is divided by the probability of staying, so that prediction needs no
    correction.

    Parameters
    ----------
    rate : float in [0, 1)
        Probability that an input is set to 0.
    rng : numpy.random.Generator or None
        Source of the draws; needed in training only.
    """

    def __init__(self, rate: float, rng: np.random.Generator | None) -> None:
        super().__init__()
        self.rate = rate
        self.rng = rng

    def forward(self, x, training=False):
        if not training:
            return x
        assert self.rng is not None, "a network that trains needs a generator"
        self.mask = self.scratch("mask", x.shape, x.dtype)
        self.rng.random(out=self.mask, dtype=x.dtype)
        np.greater_equal(self.mask, self.rate, out=self.mask)
        self.mask *= 1 / (1 - self.rate)
        return np.multiply(x, self.mask, out=self.scratch("y", x.shape, x.dtype))

    def backward(self, delta, need_input=True):
        delta *= self.mask
        return delta
