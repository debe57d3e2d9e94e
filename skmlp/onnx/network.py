"""The stack of networks as nodes: one product per layer, whatever their number."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

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
from skmlp.nn.layers import Activate, Dense, Dropout, Layer, PeriodicEmbedding
from skmlp.nn.network import Architecture, Network
from skmlp.nn.parameters import Views
from skmlp.onnx.graph import Graph, ints, single

BLOCK_ROWS = 1024
"""Rows that pass together through waves, of which each row has thousands."""

TINY = np.finfo(np.float32).tiny
"""The smallest normal number, in place of probabilities that are 0 in their type."""


# Activations


def elu(graph: Graph, z: str, activation: ELU, p: Views) -> str:
    """The exponential linear unit."""
    return graph.add("Elu", z, alpha=float(activation.alpha))


def selu(graph: Graph, z: str, activation: SELU, p: Views) -> str:
    """The scaled exponential linear unit."""
    alpha, gamma = activation.elu.alpha, activation.scale
    return graph.add("Selu", z, alpha=float(alpha), gamma=float(gamma))


def gelu(graph: Graph, z: str, activation: GELU, p: Views) -> str:
    """Z times the normal distribution function, which the error function tells."""
    error = graph.add("Erf", graph.add("Mul", z, single(math.sqrt(0.5))))
    share = graph.add("Mul", graph.add("Add", error, single(1)), single(0.5))
    return graph.add("Mul", z, share)


ACTIVATIONS: dict[type[Activation], Callable[[Graph, str, Any, Views], str]] = {
    Identity: lambda graph, z, activation, p: z,
    ReLU: lambda graph, z, activation, p: graph.add("Relu", z),
    LeakyReLU: lambda graph, z, activation, p: graph.add(
        "LeakyRelu", z, alpha=float(activation.negative_slope)
    ),
    PReLU: lambda graph, z, activation, p: graph.add("PRelu", z, single(p.slope)),
    Sigmoid: lambda graph, z, activation, p: graph.add("Sigmoid", z),
    Tanh: lambda graph, z, activation, p: graph.add("Tanh", z),
    ELU: elu,
    SELU: selu,
    GELU: gelu,
    SiLU: lambda graph, z, activation, p: graph.add("Mul", z, graph.add("Sigmoid", z)),
    Softplus: lambda graph, z, activation, p: graph.add("Softplus", z),
}
"""How each activation is said in ONNX's operators."""


def check_activations(architecture: Architecture) -> None:
    """Raise if an activation is not one of the table."""
    for activation in architecture.activations:
        if type(activation) not in ACTIVATIONS:
            raise TypeError(
                f"the activation {activation!r} is a class of your own, which ONNX "
                "has no operator for; train with one of skmlp.ACTIVATIONS to export."
            )


# Layers


def dense(graph: Graph, x: str, layer: Dense) -> str:
    """An affine map, for all networks in one product."""
    product = graph.add("MatMul", x, single(layer.p.weight))
    return graph.add("Add", product, single(layer.p.bias[..., np.newaxis, :]))


def activate(graph: Graph, x: str, layer: Activate) -> str:
    """What units do with their input."""
    formula = ACTIVATIONS[type(layer.activation)]
    return formula(graph, x, layer.activation, layer.by_row)


def periodic_embedding(graph: Graph, x: str, layer: PeriodicEmbedding) -> str:
    """The input and, behind it, the curves of its numbers."""
    wave = single(layer.p.wave)
    members, n_numbers = wave.shape[:-3], layer.n_numbers
    # as in the layer, number by number: (..., n_numbers, what it has, n_rows)
    numbers = graph.add("Slice", x, ints(0), ints(n_numbers), ints(1))
    numbers = graph.add("Transpose", numbers, perm=[1, 0])
    numbers = graph.add("Unsqueeze", numbers, ints(1))
    angle = graph.add("Mul", wave[..., :1], numbers)
    cosine = graph.add("Cos", graph.add("Add", angle, wave[..., 1:]))
    curves = graph.add("MatMul", single(layer.p.mix.mT), cosine)
    flat = ints(*members, layer.width - layer.n_inputs, -1)
    curves = graph.add("Reshape", curves, flat)
    axes = list(range(len(flat)))
    curves = graph.add("Transpose", curves, perm=[*axes[:-2], axes[-1], axes[-2]])
    if members:
        x = graph.add("Expand", x, ints(*members, 1, 1))
    return graph.add("Concat", x, curves, axis=-1)


LAYERS: dict[type[Layer], Callable[[Graph, str, Any], str]] = {
    Dense: dense,
    Activate: activate,
    PeriodicEmbedding: periodic_embedding,
    Dropout: lambda graph, x, layer: x,
}
"""How each layer is said in ONNX's operators, outside training."""


def probabilities(
    graph: Graph,
    x: str,
    architecture: Architecture,
    parameters: np.ndarray,
    ensemble_weights: np.ndarray | None,
    temperature: float,
) -> str:
    """Nodes from the encoded rows to their probabilities, as `predict_proba` has them.

    Parameters
    ----------
    graph : Graph
        Where to.
    x : str
        Encoded rows (n_samples, n_inputs), in single precision.
    architecture : Architecture
        What the networks have in common.
    parameters : ndarray of shape (n_parameters,) or (n_members, n_parameters)
        Of one network, or of a stack.
    shares : ndarray of shape (n_members,) or None
        What each network of a stack has of the mean; None is for all the same.
    temperature : float
        What the logarithms of the mean are divided by.

    Returns
    -------
    name : str
        Of the probabilities (n_samples, n_classes).
    """
    network = Network(architecture, parameters)
    if parameters.ndim == 2 and ensemble_weights is None:
        ensemble_weights = np.full(len(parameters), 1 / len(parameters))

    def through(graph: Graph, x: str) -> str:
        for layer in network.layers:
            x = LAYERS[type(layer)](graph, x, layer)
        return combined(graph, x, ensemble_weights, temperature)

    if architecture.n_periodic:
        return by_blocks(graph, x, architecture, through)
    return through(graph, x)


def combined(
    graph: Graph, logits: str, ensemble_weights: np.ndarray | None, temperature: float
) -> str:
    """Probabilities from logits, of a stack if there are shares."""
    if ensemble_weights is not None:
        of_each = graph.add("Softmax", logits, axis=-1)
        counted = graph.add(
            "Mul", of_each, single(ensemble_weights[:, np.newaxis, np.newaxis])
        )
        mean = graph.add("ReduceSum", counted, ints(0), keepdims=0)
        if temperature == 1:
            return mean
        logits = graph.add("Log", graph.add("Max", mean, single(TINY)))
    if temperature != 1:
        logits = graph.add("Div", logits, single(temperature))
    return graph.add("Softmax", logits, axis=-1)


def by_blocks(
    graph: Graph,
    x: str,
    architecture: Architecture,
    through: Callable[[Graph, str], str],
) -> str:
    """Some rows after the other, so that memory does not grow with their number."""
    widths = architecture.n_inputs, architecture.n_classes
    body = graph.body()
    # under the prefix, since a column may be called "block"
    name_of_block = f"{body.prefix}block"
    result = through(body, name_of_block)
    block, predicted = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("block_rows", width))
        for name, width in zip((name_of_block, result), widths, strict=True)
    )
    of_body = body.as_proto("networks", [block], [predicted], with_constants=False)
    # rows of zeros make the last block as long as the others
    n_rows = graph.add("Gather", graph.add("Shape", x), ints(0))
    size = graph.add("Min", n_rows, ints(BLOCK_ROWS))
    short = graph.add("Mod", graph.add("Sub", ints(0), n_rows), size)
    behind = graph.add("Concat", ints(0, 0), short, ints(0), axis=0)
    whole = graph.add("Pad", x, behind)
    shape = graph.add("Concat", ints(-1), size, ints(widths[0]), axis=0)
    blocks = graph.add("Reshape", whole, shape)
    parts = graph.add("Scan", blocks, body=of_body, num_scan_inputs=1)
    rows = graph.add("Reshape", parts, ints(-1, widths[1]))
    return graph.add("Slice", rows, ints(0), n_rows, ints(0))
