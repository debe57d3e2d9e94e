"""Whole networks: gradients against finite differences, types, sparse rows, blocks."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import check_grad
from scipy.special import expit, log_softmax

from skmlp.nn.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    Activation,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    Tanh,
    resolve_activation,
)
from skmlp.nn.layers import Dropout
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import BLOCK_ROWS, Architecture, Network

N_INPUTS, N_CLASSES, N_SAMPLES = 3, 3, 8
X = np.random.default_rng(0).normal(size=(N_SAMPLES, N_INPUTS))
CODES = np.arange(N_SAMPLES) % N_CLASSES
WEIGHT = np.random.default_rng(1).uniform(0, 2, N_SAMPLES)


class GainedSwish(Activation):
    """gain * z * sigmoid(sharpness * z): two learnt numbers, written by a user."""

    initial = {"gain": 1.0, "sharpness": 1.0}

    def __init__(self, shared=False):
        self.shared = shared

    def value(self, z, out, p):
        out[:] = p.gain * z * expit(p.sharpness * z)
        return out

    def derivative(self, z, out, p):
        s = expit(p.sharpness * z)
        out[:] = p.gain * (s + p.sharpness * z * s * (1 - s))
        return out

    def parameter_derivatives(self, z, out, p):
        s = expit(p.sharpness * z)
        out[:] = z * s
        yield "gain", out
        out[:] = p.gain * z**2 * s * (1 - s)
        yield "sharpness", out


def build(activations, dtype="float64", dropout=0.0, n_inputs=N_INPUTS):
    """An architecture with one hidden layer of 5 or 4 units per activation."""
    sizes = tuple(5 - index % 2 for index in range(len(activations)))
    return Architecture(
        n_inputs,
        sizes,
        N_CLASSES,
        tuple(resolve_activation(activation) for activation in activations),
        (dropout,) * len(sizes),
        dtype,
    )


def random_parameters(architecture, seed=2):
    """Random numbers everywhere, in biases and slopes as well."""
    parameters = np.random.default_rng(seed).normal(0, 0.7, architecture.layout.size)
    return parameters.astype(architecture.dtype)


def gradient_of(architecture, parameters, x=X, weight=None, smoothing=0.0, seed=3):
    """What a training step makes of the parameters, before the optimiser sees it."""
    gradient = np.full_like(parameters, np.nan)
    network = Network(architecture, parameters, gradient)
    network.seed_dropout([np.random.default_rng(seed)])
    logits = network.forward(x, training=True)
    loss = SoftmaxCrossEntropy(smoothing)
    _, grad = loss.loss_and_grad(logits, CODES, weight)
    network.backward(grad)
    return gradient


def loss_of(architecture, parameters, x=X, weight=None, smoothing=0.0, seed=3):
    """The loss by scipy's softmax and targets that are spread out."""
    network = Network(architecture, parameters)
    network.seed_dropout([np.random.default_rng(seed)])
    logits = network.forward(x, training=True)
    targets = (1 - smoothing) * np.eye(N_CLASSES)[CODES] + smoothing / N_CLASSES
    losses = -(targets * log_softmax(logits, axis=1)).sum(axis=1)
    return np.mean(losses if weight is None else weight * losses)


STACKS = {
    "no hidden layer": [],
    **{
        f"{depth} x {name}": [name] * depth
        for name in ACTIVATIONS
        for depth in (1, 2, 3, 4)
    },
    "slopes of either kind": [PReLU(), PReLU(shared=True), PReLU(init=-0.5)],
    "mixed": [Tanh(), PReLU(shared=True), "selu", "gelu"],
    "mixed with settings": [ELU(0.3), LeakyReLU(-0.2), "softplus"],
    "a user's own": [GainedSwish, "relu", GainedSwish(shared=True)],
}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("activations", STACKS.values(), ids=STACKS.keys())
def test_gradient_agrees_with_central_differences(
    activations, weight, smoothing, central_differences, relative_error
):
    architecture = build(activations)
    parameters = random_parameters(architecture)
    options = {"weight": weight, "smoothing": smoothing}
    expected = central_differences(
        lambda p: loss_of(architecture, p, **options), parameters
    )
    actual = gradient_of(architecture, parameters, **options)
    assert relative_error(actual, expected) < 1e-6


def test_gradient_goes_through_dropout(central_differences, relative_error):
    architecture = build(["tanh", "prelu"], dropout=0.4)
    parameters = random_parameters(architecture)
    expected = central_differences(lambda p: loss_of(architecture, p), parameters)
    assert relative_error(gradient_of(architecture, parameters), expected) < 1e-6


def test_dropout_draws_one_seed_of_the_generator_whatever_it_drops():
    rng, twin = (np.random.default_rng(5) for _ in range(2))
    architecture = build(["tanh", "relu"], dropout=0.4)
    network = Network(architecture, random_parameters(architecture))
    network.seed_dropout([rng])
    seed = twin.integers(2**63)
    masks = np.random.default_rng(seed)
    for n_rows in (8, 3):
        network.forward(X[:n_rows], training=True)
        for layer in network.layers:
            if isinstance(layer, Dropout):
                draws = np.frombuffer(masks.bytes(2 * layer.mask.size), np.uint16)
                kept = draws.reshape(layer.mask.shape) >= layer.threshold
                assert_array_equal(layer.mask > 0, kept)
    assert rng.bit_generator.state == twin.bit_generator.state
    network.seed_dropout([rng])
    assert rng.bit_generator.state != twin.bit_generator.state


def test_a_network_without_dropout_draws_nothing():
    rng = np.random.default_rng(5)
    before = rng.bit_generator.state
    architecture = build(["tanh", "relu"])
    Network(architecture, random_parameters(architecture)).seed_dropout([rng])
    assert rng.bit_generator.state == before


def test_gradient_passes_scipy_check_grad():
    architecture = build(["silu", "sigmoid"])
    error = check_grad(
        lambda p: loss_of(architecture, p),
        lambda p: gradient_of(architecture, p),
        random_parameters(architecture),
    )
    assert error < 1e-6


def test_a_network_is_affine_maps_with_activations_between():
    architecture = build(["tanh", "relu"])
    parameters = random_parameters(architecture)
    x = X
    layers = list(
        zip(
            architecture.get_dense_arrays(parameters, "weight"),
            architecture.get_dense_arrays(parameters, "bias"),
            (np.tanh, lambda z: z * (z > 0), lambda z: z),
            strict=True,
        )
    )
    for weight, bias, activation in layers:
        x = activation(x @ weight + bias)
    assert_allclose(Network(architecture, parameters).forward(X), x, rtol=1e-12)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activations", [[], ["relu", "prelu"]], ids=["flat", "deep"])
def test_sparse_rows_give_the_same_as_dense_ones(activations, dtype, kind):
    architecture = build(activations, dtype)
    parameters = random_parameters(architecture)
    dense = np.where(np.abs(X) > 0.5, X, 0).astype(dtype)
    rows = kind(dense)
    network = Network(architecture, parameters)
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-10}
    assert network.logits(rows).dtype == dtype
    assert_allclose(network.logits(rows), network.logits(dense), **tolerance)
    actual = gradient_of(architecture, parameters, rows)
    expected = gradient_of(architecture, parameters, dense)
    assert actual.dtype == dtype
    assert_allclose(actual, expected, **tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_float32_stays_float32_from_layer_to_layer(name, relative_error):
    architecture = build([name, name], "float32", dropout=0.2)
    parameters = random_parameters(architecture)
    gradient = np.full_like(parameters, np.nan)
    network = Network(architecture, parameters, gradient)
    network.seed_dropout([np.random.default_rng(0)])
    x = X.astype(np.float32)
    for layer in network.layers:
        x = layer.forward(x, training=True)
        assert x.dtype == np.float32
    _, grad = SoftmaxCrossEntropy(0.1).loss_and_grad(x, CODES, WEIGHT)
    for layer in reversed(network.layers):
        assert grad.dtype == np.float32
        grad = layer.backward(grad)
    assert gradient.dtype == np.float32

    in_double = build([name, name])
    exact = gradient_of(in_double, parameters.astype(np.float64))
    rounded = gradient_of(build([name, name], "float32"), parameters, np.float32(X))
    assert relative_error(rounded, exact) < 1e-5


def test_batches_leave_no_traces_in_one_another():
    architecture = build(["prelu", "tanh"])
    parameters = random_parameters(architecture)
    gradient = np.empty_like(parameters)
    network = Network(architecture, parameters, gradient)
    results = []
    for rows in (slice(None), slice(3), slice(None)):
        logits = network.forward(X[rows], training=True)
        _, grad = SoftmaxCrossEntropy().loss_and_grad(logits, CODES[rows])
        network.backward(grad)
        results.append(gradient.copy())
    assert_array_equal(results[0], results[2])
    assert (results[0] != results[1]).any()


@pytest.mark.parametrize(
    "n_rows", [0, 1, 2, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 5]
)
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_any_number_of_rows_gets_logits(n_rows, convert):
    architecture = build(["tanh"])
    parameters = random_parameters(architecture)
    x = np.random.default_rng(0).normal(size=(n_rows, N_INPUTS))
    logits = Network(architecture, parameters).logits(convert(x))
    expected = Network(architecture, parameters).forward(x)
    assert logits.shape == (n_rows, N_CLASSES)
    assert_allclose(logits, expected, rtol=1e-10)


def test_logits_go_through_the_network_block_by_block():
    architecture = build(["tanh"], "float32")
    network = Network(architecture, random_parameters(architecture))
    network.logits(np.ones((5 * BLOCK_ROWS, N_INPUTS), np.float32))
    scratch = [a.size for layer in network.layers for a in layer.buffers.values()]
    assert max(scratch) == BLOCK_ROWS * max(architecture.hidden_layer_sizes)


@pytest.mark.parametrize("n_rows", [1, 4, BLOCK_ROWS + 1])
def test_logits_outlive_the_next_call_and_dropout_is_off(n_rows):
    architecture = build(["tanh"], dropout=0.5)
    parameters = random_parameters(architecture)
    before = parameters.copy()
    network = Network(architecture, parameters)
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(2, n_rows, N_INPUTS))
    logits = network.logits(x)
    kept = logits.copy()
    network.logits(other)
    assert_array_equal(logits, kept)
    assert_allclose(network.logits(x), kept, rtol=1e-12)
    assert_array_equal(parameters, before)


def test_architecture_is_frozen():
    architecture = build(["relu"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.dtype = "float32"


def test_architectures_with_the_same_facts_are_equal():
    assert build(["relu"]) == build([ReLU()])
    assert build(["prelu"]) != build([PReLU(shared=True)])
    wider = dataclasses.replace(build(["relu"]), hidden_layer_sizes=(9,))
    assert wider.layout.size == 3 * 9 + 9 + 9 * 3 + 3


def test_an_activation_or_dropout_rate_too_few_is_an_error():
    with pytest.raises(ValueError, match="argument"):
        Architecture(3, (4, 4), 2, (ReLU(),), (0.0, 0.0), "float32")


@pytest.mark.parametrize("activations", STACKS.values(), ids=STACKS.keys())
def test_weights_come_first_and_every_number_has_one_place(activations):
    architecture = build(activations)
    vector = np.arange(architecture.layout.size)
    weights = architecture.get_dense_arrays(vector, "weight")
    biases = architecture.get_dense_arrays(vector, "bias")
    sizes = (N_INPUTS, *architecture.hidden_layer_sizes, N_CLASSES)
    assert [weight.shape for weight in weights] == list(pairwise(sizes))
    assert [bias.shape for bias in biases] == [(size,) for size in sizes[1:]]
    assert_array_equal(
        np.concatenate([weight.ravel() for weight in weights]),
        vector[: architecture.n_weights],
    )


def test_start_values_repeat_with_the_seed_and_float32_is_their_rounding():
    architecture = build(["relu", "prelu"])
    single = build(["relu", "prelu"], "float32")
    first, again, other = (
        architecture.init_parameters(np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert (first != other).any()
    rounded = single.init_parameters(np.random.default_rng(0))
    assert rounded.dtype == np.float32
    assert_array_equal(rounded, first.astype(np.float32))


def test_biases_start_at_zero_and_learnt_numbers_at_their_initial_value():
    architecture = build([PReLU(init=0.1), "relu", PReLU(init=-2, shared=True)])
    parameters = architecture.init_parameters(np.random.default_rng(0))
    for bias in architecture.get_dense_arrays(parameters, "bias"):
        assert_array_equal(bias, 0)
    views = architecture.layout.views(parameters)
    slopes = [view for (_, name), view in views.items() if name == "slope"]
    assert_array_equal(np.concatenate(slopes), [0.1] * 5 + [-2])


def test_softmax_regression_starts_at_the_class_shares():
    architecture = build([])
    ensemble_weights = np.array([0.5, 0.2, 0.3])
    start = architecture.init_parameters(np.random.default_rng(0), ensemble_weights)
    logits = Network(architecture, start).logits(X)
    assert_allclose(
        np.exp(logits), np.tile(ensemble_weights, (N_SAMPLES, 1)), rtol=1e-12
    )


def test_class_shares_only_set_the_last_biases_and_may_be_zero():
    architecture = build(["relu"])
    ensemble_weights = np.array([0.75, 0.25, 0.0])
    plain = architecture.init_parameters(np.random.default_rng(0))
    start = architecture.init_parameters(np.random.default_rng(0), ensemble_weights)
    changed = np.flatnonzero(start != plain)
    bias = architecture.get_dense_arrays(start, "bias")[-1]
    assert_array_equal(start[changed], bias)
    assert_allclose(bias[:2], np.log(ensemble_weights[:2]))
    assert np.isfinite(bias).all()
    assert bias[2] < -10


def test_the_largest_product_is_that_of_the_widest_pair_of_layers():
    architecture = Architecture(
        10, (20, 5), 7, (Sigmoid(), GELU()), (0.0, 0.0), "float32"
    )
    assert architecture.largest_matmul(100) == 100 * 10 * 20


@pytest.mark.parametrize("n_periodic", [0, 2])
@pytest.mark.parametrize("activations", STACKS.values(), ids=STACKS.keys())
def test_summary_adds_up_to_all_parameters(activations, n_periodic):
    architecture = dataclasses.replace(build(activations), n_periodic=n_periodic)
    rows = architecture.summary()
    assert sum(row.n_parameters for row in rows) == architecture.layout.size
    for before, row in pairwise(rows):
        assert row.shape[0] == before.shape[-1]
    assert rows[0].shape == (N_INPUTS,)
    assert rows[-1].shape[-1] == N_CLASSES


def test_summary_says_what_each_layer_is():
    architecture = build(["prelu", PReLU(shared=True)], dropout=0.4)
    architecture = dataclasses.replace(architecture, n_periodic=2)
    assert [tuple(row) for row in architecture.summary()] == [
        ("inputs", "", (3,), 0),
        # 16 waves of 2 numbers, mixed to 3 outputs, for each of the two
        ("periodic embedding", "cosine", (3, 9), 2 * (16 * 2 + 16 * 3)),
        ("hidden layer 1", "PReLU", (9, 5), 9 * 5 + 5 + 5),
        ("hidden layer 2", "PReLU", (5, 4), 5 * 4 + 4 + 1),
        ("outputs", "softmax", (4, 3), 4 * 3 + 3),
    ]


@pytest.mark.parametrize("n_members", [(), (2,)], ids=["one", "stack"])
def test_what_activations_learn_is_found(n_members):
    architecture = build(["relu", GainedSwish, PReLU(shared=True)], dropout=0.4)
    parameters = np.zeros((*n_members, architecture.layout.size))
    views = architecture.activation_parameters(parameters, 1)
    assert {name: view.shape for name, view in views.items()} == {
        "gain": (*n_members, 4),
        "sharpness": (*n_members, 4),
    }
    views["gain"][:] = 1
    assert parameters.sum() == views["gain"].size
    assert architecture.activation_parameters(parameters, 0) == {}
    slope = architecture.activation_parameters(parameters, 2)["slope"]
    assert slope.shape == (*n_members, 1)
