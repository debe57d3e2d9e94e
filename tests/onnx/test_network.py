"""Layers and activations as nodes, each beside the layer that it stands for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sessions import evaluate

from skmlp import ACTIVATIONS, Activation, PReLU
from skmlp.nn import layers
from skmlp.nn.losses import compute_probabilities
from skmlp.nn.network import Architecture, Network
from skmlp.onnx.graph import Graph
from skmlp.onnx.network import (
    ACTIVATION_NODES,
    LAYER_NODES,
    LOOP_ROWS,
    add_networks,
    check_activations,
)

N_INPUTS, N_CLASSES = 5, 3


def networks(n_members=None, *, activations=("relu",), n_periodic=0, hidden=6):
    """An architecture, and parameters of a stack (of one network where None)."""
    kinds = tuple(ACTIVATIONS[name]() for name in activations)
    sizes = (hidden,) * len(kinds)
    architecture = Architecture(
        N_INPUTS, sizes, N_CLASSES, kinds, (0.5,) * len(kinds), "float32", n_periodic
    )
    rng = np.random.default_rng(0)
    members = [architecture.init_parameters(rng) for _ in range(n_members or 1)]
    parameters = np.stack(members) if n_members else members[0]
    # also what starts at 0 or at one value has to arrive
    parameters += rng.normal(scale=0.1, size=parameters.shape).astype("float32")
    return architecture, parameters


def rows(n_rows):
    x = np.random.default_rng(1).normal(size=(n_rows, N_INPUTS))
    return x.astype("float32")


def compare(architecture, parameters, x, ensemble_weights=None, temperature=1.0):
    graph = Graph()
    name = add_networks(
        graph, "x", architecture, parameters, ensemble_weights, temperature
    )
    logits = Network(architecture, parameters).logits(x)
    wanted = compute_probabilities(logits, temperature, ensemble_weights)
    result = evaluate(graph, name, x=x)
    assert result.dtype == np.float32
    assert result.shape == (len(x), N_CLASSES)
    assert_allclose(result, wanted, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_members", [None, 3])
def test_activations(activation, n_members):
    compare(*networks(n_members, activations=[activation] * 2), rows(20))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_large_and_small_numbers(activation):
    architecture, parameters = networks(activations=[activation])
    compare(architecture, parameters, rows(50) * np.float32(30))
    compare(architecture, parameters, rows(50) * np.float32(1e-4))


def test_one_slope_for_a_layer():
    for n_members in (None, 2):
        architecture, _ = networks(n_members)
        architecture = Architecture(
            N_INPUTS, (6,), N_CLASSES, (PReLU(shared=True),), (0.0,), "float32"
        )
        size = (architecture.layout.size,)
        shape = size if n_members is None else (n_members, *size)
        parameters = np.random.default_rng(0).normal(size=shape).astype("float32")
        compare(architecture, parameters, rows(20))


@pytest.mark.parametrize("n_members", [None, 1, 3])
@pytest.mark.parametrize("n_periodic", [0, 1, 4, N_INPUTS])
@pytest.mark.parametrize("n_layers", [0, 1])
def test_periodic_embedding(n_members, n_periodic, n_layers):
    activations = ["relu"] * n_layers
    compare(
        *networks(n_members, activations=activations, n_periodic=n_periodic), rows(9)
    )


@pytest.mark.parametrize(
    "n_rows", [1, 2, LOOP_ROWS - 1, LOOP_ROWS, LOOP_ROWS + 1, 3 * LOOP_ROWS - 5]
)
def test_any_number_of_rows_goes_through_in_blocks(n_rows):
    compare(*networks(2, n_periodic=2), rows(n_rows))


@pytest.mark.parametrize("n_members", [None, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_and_shares(n_members, temperature):
    architecture, parameters = networks(n_members)
    ensemble_weights = None if n_members is None else np.array([0.5, 0.2, 0.3])
    compare(architecture, parameters, rows(20), ensemble_weights, temperature)


def test_sure_networks_are_not_infinitely_sure():
    architecture, parameters = networks(2)
    compare(architecture, parameters * 1000, rows(50), temperature=1.7)


def test_the_stack_is_one_product_per_layer():
    def operators(n_members):
        graph = Graph()
        architecture, parameters = networks(n_members, activations=["relu", "tanh"])
        add_networks(graph, "x", architecture, parameters, None, 1.0)
        return [node.op_type for node in graph.nodes]

    assert operators(2) == operators(20)
    assert operators(20).count("MatMul") == 3


def test_every_activation_and_layer_has_a_formula():
    assert set(ACTIVATIONS.values()) == set(ACTIVATION_NODES)
    kinds = {
        kind
        for kind in vars(layers).values()
        if isinstance(kind, type) and issubclass(kind, layers.Layer)
    }
    assert kinds - {layers.Layer} == set(LAYER_NODES)


def test_an_activation_of_ones_own_is_named():
    class Square(Activation):
        pass

    architecture = Architecture(2, (3,), 2, (Square(),), (0.0,), "float32")
    with pytest.raises(TypeError, match=r"Square\(\) is a class of your own"):
        check_activations(architecture)
