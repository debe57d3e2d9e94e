"""The network as nodes; an ensemble is a stack with one product per layer."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from skmlp.nn import activations
from skmlp.nn.activations import GELU, Activation
from skmlp.nn.layers import ActivationLayer, Dense, Dropout, Layer, PeriodicEmbedding
from skmlp.nn.network import Architecture, Network
from skmlp.nn.parameters import Views
from skmlp.onnx.graph import Graph, as_float32, as_int64

LOOP_ROWS = 1024  # rows per step with a periodic embedding, which is wide
SMALLEST_NORMAL = np.finfo(np.float32).tiny  # of probabilities, before their logarithm


def _add_gelu(graph: Graph, z: str, activation: GELU, p: Views) -> str:
    """Add z * (1 + erf(z / sqrt(2))) / 2."""
    error = graph.add("Erf", graph.add("Mul", z, as_float32(math.sqrt(0.5))))
    cdf = graph.add("Add", error, as_float32(1))
    return graph.add("Mul", z, graph.add("Mul", cdf, as_float32(0.5)))


ACTIVATION_NODES: dict[type[Activation], Callable[[Graph, str, Any, Views], str]] = {
    activations.Identity: lambda graph, z, f, p: z,
    activations.ReLU: lambda graph, z, f, p: graph.add("Relu", z),
    activations.LeakyReLU: lambda graph, z, f, p: graph.add(
        "LeakyRelu", z, alpha=float(f.negative_slope)
    ),
    activations.PReLU: lambda graph, z, f, p: graph.add(
        "PRelu", z, as_float32(p.slope)
    ),
    activations.Sigmoid: lambda graph, z, f, p: graph.add("Sigmoid", z),
    activations.Tanh: lambda graph, z, f, p: graph.add("Tanh", z),
    activations.ELU: lambda graph, z, f, p: graph.add("Elu", z, alpha=float(f.alpha)),
    activations.SELU: lambda graph, z, f, p: graph.add(
        "Selu", z, alpha=float(f.elu.alpha), gamma=float(f.scale)
    ),
    activations.GELU: _add_gelu,
    activations.SiLU: lambda graph, z, f, p: graph.add(
        "Mul", z, graph.add("Sigmoid", z)
    ),
    activations.Softplus: lambda graph, z, f, p: graph.add("Softplus", z),
}
"""Nodes of each activation."""


def check_activations(architecture: Architecture) -> None:
    """Raise for custom activations."""
    for activation in architecture.activations:
        if type(activation) not in ACTIVATION_NODES:
            raise TypeError(
                f"the activation {activation!r} is a class of your own, which ONNX "
                "has no operator for; train with one of skmlp.ACTIVATIONS to export."
            )


def _add_dense(graph: Graph, x: str, layer: Dense) -> str:
    """Add an affine map: (..., n_rows, n_inputs) to (..., n_rows, n_outputs)."""
    product = graph.add("MatMul", x, as_float32(layer.p.weight))
    # one bias per network and unit, the same for all rows
    return graph.add("Add", product, as_float32(layer.p.bias[..., np.newaxis, :]))


def _add_activation(graph: Graph, x: str, layer: ActivationLayer) -> str:
    """Add the activation of a layer."""
    add_nodes = ACTIVATION_NODES[type(layer.activation)]
    return add_nodes(graph, x, layer.activation, layer.by_row)


def _add_periodic_embedding(graph: Graph, x: str, layer: PeriodicEmbedding) -> str:
    """Append the periodic embedding of the numeric features to the inputs."""
    frequency_phase = as_float32(layer.p.frequency_phase)
    members, n_numbers = frequency_phase.shape[:-3], layer.n_numbers
    numbers = graph.add("Slice", x, as_int64(0), as_int64(n_numbers), as_int64(1))
    # (n_numbers, 1, n_rows), so that each feature has a product of its own
    numbers = graph.add("Transpose", numbers, perm=[1, 0])
    numbers = graph.add("Unsqueeze", numbers, as_int64(1))
    # frequency and phase per cosine: (..., n_numbers, n_cosines, 2)
    angle = graph.add("Mul", frequency_phase[..., :1], numbers)
    cosine = graph.add("Cos", graph.add("Add", angle, frequency_phase[..., 1:]))
    # (..., n_numbers, n_projections, n_rows)
    embedded = graph.add("MatMul", as_float32(layer.p.projection.mT), cosine)
    flat = as_int64(*members, layer.width - layer.n_inputs, -1)
    embedded = graph.add("Reshape", embedded, flat)
    axes = list(range(len(flat)))
    embedded = graph.add("Transpose", embedded, perm=[*axes[:-2], axes[-1], axes[-2]])
    # the same inputs for all members, in front of what each embeds
    if members:
        x = graph.add("Expand", x, as_int64(*members, 1, 1))
    return graph.add("Concat", x, embedded, axis=-1)


LAYER_NODES: dict[type[Layer], Callable[[Graph, str, Any], str]] = {
    Dense: _add_dense,
    ActivationLayer: _add_activation,
    PeriodicEmbedding: _add_periodic_embedding,
    Dropout: lambda graph, x, layer: x,  # the identity outside of training
}
"""Nodes of each layer."""


def add_networks(
    graph: Graph,
    x: str,
    architecture: Architecture,
    parameters: np.ndarray,  # (n_parameters,), or (n_members, n_parameters) of a stack
    ensemble_weights: np.ndarray | None,  # (n_members,); None for equal weights
    temperature: float,
) -> str:
    """Add the nodes from encoded rows (n_rows, n_inputs) to their probabilities."""
    network = Network(architecture, parameters)
    # a single network needs no mean
    if parameters.ndim == 2 and ensemble_weights is None:
        ensemble_weights = np.full(len(parameters), 1 / len(parameters))

    def add_layers(graph: Graph, x: str) -> str:
        for layer in network.layers:
            x = LAYER_NODES[type(layer)](graph, x, layer)
        return _add_probabilities(graph, x, ensemble_weights, temperature)

    if architecture.n_periodic:
        return _add_loop_over_blocks(graph, x, architecture, add_layers)
    return add_layers(graph, x)


def _add_probabilities(
    graph: Graph, logits: str, ensemble_weights: np.ndarray | None, temperature: float
) -> str:
    """Add softmax, the weighted mean over members if there are any, and temperature."""
    if ensemble_weights is not None:
        by_member = graph.add("Softmax", logits, axis=-1)
        # (n_members, n_rows, n_classes)
        weights = as_float32(ensemble_weights[:, np.newaxis, np.newaxis])
        weighted = graph.add("Mul", by_member, weights)
        mean = graph.add("ReduceSum", weighted, as_int64(0), keepdims=0)
        if temperature == 1:
            return mean
        logits = graph.add("Log", graph.add("Max", mean, as_float32(SMALLEST_NORMAL)))
    # of an ensemble, these are the logarithms of the mean
    if temperature != 1:
        logits = graph.add("Div", logits, as_float32(temperature))
    return graph.add("Softmax", logits, axis=-1)


def _add_loop_over_blocks(
    graph: Graph,
    x: str,
    architecture: Architecture,
    add_layers: Callable[[Graph, str], str],
) -> str:
    """Add a loop over blocks of rows, which bounds the memory of wide networks."""
    widths = architecture.n_inputs, architecture.n_classes
    # the body is a graph from a block of rows to its probabilities
    body = graph.body()
    block_name = f"{body.prefix}block"
    result = add_layers(body, block_name)
    block, predicted = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("block_rows", width))
        for name, width in zip((block_name, result), widths, strict=True)
    )
    loop = body.as_proto("networks", [block], [predicted], with_constants=False)
    # Scan needs blocks of one length, so rows of zeros fill the last one
    n_rows = graph.add("Gather", graph.add("Shape", x), as_int64(0))
    size = graph.add("Min", n_rows, as_int64(LOOP_ROWS))
    n_padding = graph.add("Mod", graph.add("Sub", as_int64(0), n_rows), size)
    pads = graph.add("Concat", as_int64(0, 0), n_padding, as_int64(0), axis=0)
    shape = graph.add("Concat", as_int64(-1), size, as_int64(widths[0]), axis=0)
    blocks = graph.add("Reshape", graph.add("Pad", x, pads), shape)
    # (n_blocks, block_rows, n_inputs) to (n_blocks, block_rows, n_classes)
    parts = graph.add("Scan", blocks, body=loop, num_scan_inputs=1)
    rows = graph.add("Reshape", parts, as_int64(-1, widths[1]))
    return graph.add("Slice", rows, as_int64(0), n_rows, as_int64(0))
