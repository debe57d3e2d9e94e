"""A stack of networks is what its networks are one by one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.nn.activations import ACTIVATIONS
from skmlp.nn.losses import SoftmaxCrossEntropy, softmax
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import OPTIMIZERS, ParameterUpdater, Regularization

N_MEMBERS, N_ROWS, N_INPUTS, N_CLASSES = 3, 7, 5, 4


def build(activation, n_periodic=2):
    return Architecture(
        N_INPUTS,
        (6, 5),
        N_CLASSES,
        (ACTIVATIONS[activation](),) * 2,
        (0.0, 0.0),
        "float64",
        n_periodic=n_periodic,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def start(architecture, rng):
    return np.stack([architecture.init_parameters(rng) for _ in range(N_MEMBERS)])


def data(rng):
    x = rng.normal(size=(N_MEMBERS, N_ROWS, N_INPUTS))
    y_encoded = rng.integers(N_CLASSES, size=(N_MEMBERS, N_ROWS))
    weight = rng.uniform(0, 2, y_encoded.shape)
    return x, y_encoded, weight


def passes(architecture, parameters, x, y_encoded, weight):
    """Loss and gradient of a batch."""
    gradient = np.full_like(parameters, np.nan)
    network = Network(architecture, parameters, gradient)
    loss = SoftmaxCrossEntropy(0.1)
    logits = network.forward(x, training=True)
    value, grad = loss.loss_and_grad(logits, y_encoded, weight)
    network.backward(grad)
    return value, gradient


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_loss_and_gradients_are_those_of_each_network(activation, weighted, rng):
    architecture = build(activation)
    parameters = start(architecture, rng)
    x, y_encoded, weight = data(rng)
    weights = weight if weighted else [None] * N_MEMBERS
    values, gradients = zip(
        *(
            passes(architecture, *of_one)
            for of_one in zip(parameters, x, y_encoded, weights, strict=True)
        ),
        strict=True,
    )
    weight = weight if weighted else None
    value, gradient = passes(architecture, parameters, x, y_encoded, weight)
    assert value == pytest.approx(np.mean(values), rel=1e-12)
    assert_allclose(gradient, np.stack(gradients), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_are_those_of_each_network(optimizer, rng):
    architecture = build("prelu")
    parameters = start(architecture, rng)
    x, y_encoded, weight = data(rng)

    def train(parameters, x, y_encoded, weight):
        parameters = parameters.copy()
        gradient = np.empty_like(parameters)
        network = Network(architecture, parameters, gradient)
        updater = ParameterUpdater(
            OPTIMIZERS[optimizer]().init_state(parameters),
            parameters,
            gradient,
            Regularization(0.1, architecture.n_weights, weight_decay=0.5),
            architecture.learning_rate_factors(),
        )
        for _ in range(5):
            logits = network.forward(x, training=True)
            _, grad = SoftmaxCrossEntropy().loss_and_grad(logits, y_encoded, weight)
            network.backward(grad)
            updater.step(0.05)
        return parameters, updater.penalty()

    alone = [train(*one) for one in zip(parameters, x, y_encoded, weight, strict=True)]
    together, penalty = train(parameters, x, y_encoded, weight)
    assert_allclose(together, np.stack([p for p, _ in alone]), rtol=1e-9, atol=1e-12)
    assert penalty == pytest.approx(np.mean([penalty for _, penalty in alone]))


@pytest.mark.parametrize("n_rows", [0, 1, 5, 1500])
def test_rows_in_common_are_predicted_by_each_network(n_rows, rng):
    architecture = build("tanh")
    parameters = start(architecture, rng)
    x = rng.normal(size=(n_rows, N_INPUTS))
    logits = Network(architecture, parameters).logits(x)
    assert logits.shape == (N_MEMBERS, n_rows, N_CLASSES)
    for vector, of_one in zip(parameters, logits, strict=True):
        assert_allclose(Network(architecture, vector).logits(x), of_one, rtol=1e-12)
    assert_allclose(softmax(logits.copy()).sum(axis=-1), 1)


def test_views_of_a_stack_share_its_memory(rng):
    architecture = build("prelu")
    stack = start(architecture, rng)
    for key, view in architecture.layout.views(stack).items():
        assert np.shares_memory(view, stack)
        for member in range(N_MEMBERS):
            of_one = architecture.layout.views(stack[member])[key]
            assert_array_equal(view[member], of_one)
