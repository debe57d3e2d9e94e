"""The network: its configuration, and its layers bound to parameter vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skmlp.nn.activations import Activation
from skmlp.nn.initializers import INITIALIZERS
from skmlp.nn.layers import (
    ActivationLayer,
    Dense,
    Dropout,
    InputRows,
    Layer,
    PeriodicEmbedding,
)
from skmlp.nn.parameters import ParameterLayout

BLOCK_ROWS = 1024  # rows that pass through the network together outside training
# prior of a class that has (almost) no weight, whose logarithm is a bias
MIN_CLASS_PRIOR = 1e-7


class LayerSummary(NamedTuple):
    """Description of a layer for a plot or a table."""

    name: str  # such as "hidden layer 1"
    activation: str  # "" for none
    shape: tuple[int, ...]  # (fan_in, fan_out), or (n_inputs,)
    n_parameters: int


@dataclass(frozen=True)
class Architecture:
    """All that is needed to rebuild a network around a parameter vector."""

    n_inputs: int
    hidden_layer_sizes: tuple[int, ...]  # empty for softmax regression
    n_classes: int  # one output, a logit, per class
    activations: tuple[Activation, ...]  # one per hidden layer
    dropout: tuple[float, ...]  # rate after each hidden layer
    dtype: str  # "float32" or "float64", of parameters and arithmetic
    n_periodic: int = 0  # of the first columns, which get a periodic embedding
    layout: ParameterLayout = field(init=False, compare=False, repr=False)
    dense_layers: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        layers = self.build_layers()
        dense = tuple(i for i, layer in enumerate(layers) if isinstance(layer, Dense))
        shapes = {
            (index, name): shape
            for index, layer in enumerate(layers)
            for name, shape in layer.shapes.items()
        }
        # weights first, so that the regularized parameters are one slice of the vector
        weights = {(index, "weight"): shapes[index, "weight"] for index in dense}
        layout = ParameterLayout(weights | shapes)
        object.__setattr__(self, "dense_layers", dense)
        object.__setattr__(self, "layout", layout)

    def __getstate__(self) -> dict[str, object]:
        # derived fields take space, and their keys can't be saved in every format
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.__post_init__()

    @property
    def n_weights(self) -> int:
        """Length of the first part of the vector, which holds all weight matrices."""
        return self.layout.slices[self.dense_layers[-1], "weight"].stop

    def build_layers(self) -> list[Layer]:
        """Build new layers, bound to no parameters yet."""
        layers: list[Layer] = []
        fan_in = self.n_inputs
        if self.n_periodic:
            embedding = PeriodicEmbedding(fan_in, self.n_periodic)
            layers.append(embedding)
            fan_in = embedding.width
        for fan_out, activation, rate in zip(
            self.hidden_layer_sizes, self.activations, self.dropout, strict=True
        ):
            layers.append(Dense(fan_in, fan_out, INITIALIZERS[activation.initializer]))
            layers.append(ActivationLayer(activation, fan_out))
            if rate > 0:
                layers.append(Dropout(rate))
            fan_in = fan_out
        # softmax regression has no symmetry to break: its weights start at 0
        last = INITIALIZERS["glorot_uniform" if self.hidden_layer_sizes else "zeros"]
        # class by class, since reductions over few adjacent numbers are slow
        layers.append(Dense(fan_in, self.n_classes, last, order="F"))
        return layers

    @np.errstate(all="ignore")
    def init_parameters(
        self,
        rng: np.random.Generator,
        class_priors: np.ndarray | None = None,  # (n_classes,)
        frequency: float = 1.0,  # factor on the frequencies of the periodic embedding
    ) -> np.ndarray:
        """Draw a parameter vector to start training from."""
        # draws are float64 and rounded: a seed gives the same start in either type
        parameters = np.empty(self.layout.size, self.dtype)
        views = self.layout.views(parameters)
        for index, layer in enumerate(self.build_layers()):
            for name, value in layer.init_parameters(rng).items():
                views[index, name][:] = value
        if self.n_periodic:
            views[0, "frequency_phase"][..., 0] *= frequency
        if class_priors is not None:
            # the network need not learn first which classes are rare
            self.get_dense_arrays(parameters, "bias")[-1][:] = np.log(
                np.maximum(class_priors, MIN_CLASS_PRIOR)
            )
        return parameters

    def learning_rate_factors(self) -> np.ndarray | None:
        """Factors of the parameters after the weights, (size - n_weights,), or None."""
        factors = np.ones(self.layout.size, self.dtype)
        views = self.layout.views(factors)
        for index, layer in enumerate(self.build_layers()):
            for name, factor in layer.learning_rates.items():
                views[index, name][:] = factor
        factors = factors[self.n_weights :]
        return None if (factors == 1).all() else factors

    def summary(self) -> list[LayerSummary]:
        """Describe the layers, a dense layer with its activation and dropout as one."""
        counts = [0] * len(self.build_layers())
        for (index, _), place in self.layout.slices.items():
            counts[index] += place.stop - place.start
        rows = [LayerSummary("inputs", "", (self.n_inputs,), 0)]
        shapes = [self.layout.shapes[index, "weight"] for index in self.dense_layers]
        if self.n_periodic:
            widths = (self.n_inputs, shapes[0][0])
            rows.append(LayerSummary("periodic embedding", "cosine", widths, counts[0]))
        hidden = range(1, len(shapes))
        names = [f"hidden layer {number}" for number in hidden] + ["outputs"]
        functions = [type(activation).__name__ for activation in self.activations]
        ranges = pairwise((*self.dense_layers, len(counts)))
        for name, function, shape, (start, stop) in zip(
            names, [*functions, "softmax"], shapes, ranges, strict=True
        ):
            rows.append(LayerSummary(name, function, shape, sum(counts[start:stop])))
        return rows

    def largest_matmul(self, n_rows: int) -> int:
        """Number of multiplications in the largest matrix product of a batch."""
        sizes = (self.n_inputs, *self.hidden_layer_sizes, self.n_classes)
        return n_rows * max(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))

    def get_dense_arrays(self, vector: np.ndarray, name: str) -> list[np.ndarray]:
        """Views of one array (``"weight"`` or ``"bias"``) of each dense layer."""
        views = self.layout.views(vector)
        return [views[index, name] for index in self.dense_layers]

    def activation_parameters(
        self, vector: np.ndarray, layer: int
    ) -> dict[str, np.ndarray]:
        """Views of the learned numbers of the activation of a hidden layer, by name."""
        views = self.layout.views(vector)
        index = self.dense_layers[layer] + 1  # it follows the dense layer
        return {name: views[index, name] for name in self.activations[layer].initial}


class Network:
    """Layers bound to a parameter vector, or to a stack of them, and to a gradient."""

    def __init__(
        self,
        architecture: Architecture,
        parameters: np.ndarray,  # (size,) or (n_members, size); read at each pass
        gradient: np.ndarray | None = None,  # written by `backward`; None: no training
    ) -> None:
        self.parameters = parameters
        self.gradient = parameters[:0] if gradient is None else gradient
        self.layers = architecture.build_layers()
        layout = architecture.layout
        arrays = layout.views(parameters)
        gradients = {} if gradient is None else layout.views(gradient)
        for index, layer in enumerate(self.layers):
            layer.bind(
                {name: arrays[index, name] for name in layer.shapes},
                {name: gradients[index, name] for name in layer.shapes if gradients},
            )

    def seed_dropout(self, rngs: Sequence[np.random.Generator]) -> None:
        """Seed all dropout layers, if there are any, with one draw per generator."""
        dropouts = [layer for layer in self.layers if isinstance(layer, Dropout)]
        if dropouts:
            # one draw, so that other draws from `rngs` depend on no size of a layer
            shared = np.random.default_rng([rng.integers(2**63) for rng in rngs])
            for layer in dropouts:
                layer.rng = shared

    def forward(self, x: InputRows, training: bool = False) -> np.ndarray:
        """Logits of a batch, (..., n_rows, n_classes), valid until the next call."""
        first, *others = self.layers
        y = first.forward(x, training)
        for layer in others:
            y = layer.forward(y, training)
        return y

    def backward(self, grad: np.ndarray) -> None:
        """Fill the gradient from d loss / d logits, which is overwritten."""
        first = self.layers[0]
        for layer in reversed(self.layers):
            grad = layer.backward(grad, need_input_grad=layer is not first)

    @np.errstate(all="ignore")
    def logits(self, x: InputRows, indices: np.ndarray | None = None) -> np.ndarray:
        """Logits of all rows of `x`, or of those at `indices`, in a new array."""
        n_rows = x.shape[0] if indices is None else len(indices)
        # no row at all is a block too, of shape (0, n_classes)
        starts = range(0, max(n_rows, 1), BLOCK_ROWS)
        blocks = [slice(start, start + BLOCK_ROWS) for start in starts]
        parts = [
            self._block_logits(x[block if indices is None else indices[block]])
            for block in blocks
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)

    def _block_logits(self, rows: InputRows) -> np.ndarray:
        if rows.shape[0] == 1:
            # BLAS sums a lone row in another order than a row among others
            return self.forward(rows[[0, 0]])[..., :1, :].copy()
        return self.forward(rows).copy()
