"""The engine against the formulas as a textbook writes them, and its work per step.

The engine takes short cuts for speed: moments without their factors, sums by products
with ones, logits class by class, buffers that are used again. Here stands the plain
version, which takes none.
"""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from networks import classic
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp.core.library import _get_library
from skmlp.nn.activations import PReLU, ReLU
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import Adam, ParameterUpdater, Regularization

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
N_CLASSES = 3


def gradients(x, targets, row_weight, weights, biases):
    """Of the mean weighted cross-entropy of a relu network, layer by layer."""
    inputs = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        inputs.append(np.maximum(inputs[-1] @ weight + bias, 0))
    p = softmax(inputs[-1] @ weights[-1] + biases[-1], axis=1)
    grad = row_weight[:, np.newaxis] * (p - targets) / len(x)
    found = []
    for layer in reversed(range(len(weights))):
        found.append((inputs[layer].T @ grad, grad.sum(axis=0)))
        grad = (grad @ weights[layer].T) * (inputs[layer] > 0)
    by_layer = found[::-1]
    return [weight for weight, _ in by_layer] + [bias for _, bias in by_layer]


def train_plainly(
    model, row_weight, optimizer, *, alpha, smoothing, batch_size, n_epochs
):
    """Weights and biases after training, from those that `model` has."""
    weights = [coef.copy() for coef in model.coefs_]
    biases = [intercept.copy() for intercept in model.intercepts_]
    targets = (1 - smoothing) * np.eye(N_CLASSES)[Y] + smoothing / N_CLASSES
    total = row_weight.sum()
    row_weight = row_weight * len(Y) / total
    memory = [(0.0, 0.0)] * (2 * len(weights))
    t = 0
    for _ in range(n_epochs):
        for start in range(0, len(Y), batch_size):
            rows = slice(start, start + batch_size)
            found = gradients(X[rows], targets[rows], row_weight[rows], weights, biases)
            t += 1
            for place, parameter in enumerate(weights + biases):
                is_weight = place < len(weights)
                gradient = found[place] + is_weight * alpha / total * parameter
                step, memory[place] = optimizer(gradient, memory[place], t)
                parameter -= step
    return weights + biases


def adam(gradient, memory, t, *, rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    m = beta_1 * memory[0] + (1 - beta_1) * gradient
    v = beta_2 * memory[1] + (1 - beta_2) * gradient**2
    correction = np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return rate * correction * m / (np.sqrt(v) + epsilon), (m, v)


def nesterov(gradient, memory, t, *, rate=0.01, momentum=0.9):
    velocity = momentum * memory[0] + gradient
    return rate * (gradient + momentum * velocity), (velocity, 0.0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("solver", "optimizer"), [("adam", adam), ("sgd", nesterov)])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (12,), (9, 7, 5)])
def test_a_fit_gives_the_weights_of_the_simple_formulas(
    solver, optimizer, hidden_layer_sizes
):
    row_weight = np.random.default_rng(0).uniform(0.2, 3, len(Y))
    model = classic(
        hidden_layer_sizes,
        preprocessing=None,
        solver=solver,
        learning_rate_init=0.01,
        alpha=2.0,
        label_smoothing=0.1,
        batch_size=40,
        shuffle=False,
        max_iter=1,
        tol=0,
        dtype="float64",
        random_state=0,
    ).fit(X, Y)
    expected = train_plainly(
        model,
        row_weight,
        optimizer,
        alpha=2.0,
        smoothing=0.1,
        batch_size=40,
        n_epochs=10,
    )
    model.set_params(warm_start=True, max_iter=10).fit(X, Y, row_weight)
    for got, wanted in zip(model.coefs_ + model.intercepts_, expected, strict=True):
        assert_allclose(got, wanted, rtol=0, atol=1e-9)


def training_step(n_rows, hidden, activation):
    """A function that takes one step of Adam on random rows."""
    rng = np.random.default_rng(0)
    n_hidden = len(hidden)
    architecture = Architecture(
        64, hidden, 10, (activation,) * n_hidden, (0.0,) * n_hidden, "float32"
    )
    parameters = architecture.init_parameters(rng)
    network = Network(architecture, parameters, np.empty_like(parameters))
    regularization = Regularization(1e-4, architecture.n_weights)
    updater = ParameterUpdater(
        Adam().init_state(parameters), parameters, network.gradient, regularization
    )
    loss = SoftmaxCrossEntropy()
    x = rng.random((n_rows, 64), dtype=np.float32)
    codes = rng.integers(0, 10, n_rows)

    def step():
        logits = network.forward(x, training=True)
        _, grad = loss.loss_and_grad(logits, codes)
        network.backward(grad)
        updater.step(1e-3)

    step()  # the first one makes the buffers
    return step


@pytest.mark.parametrize("activation", [ReLU(), PReLU()], ids=repr)
def test_a_step_allocates_less_than_one_hidden_layer(activation):
    n_rows, n_units = 256, 512
    step = training_step(n_rows, (n_units,) * 3, activation)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(3):
        step()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 4 * n_rows * n_units / 4
    assert after - before < 10_000


def count_lines(call):
    """How many lines of the package a call runs."""
    package = str(Path(skmlp.__file__).parent)
    n_lines = 0

    def trace(frame, event, _):
        nonlocal n_lines
        if not frame.f_code.co_filename.startswith(package):
            return None
        n_lines += event == "line"
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(outer)
    return n_lines


# Small networks wait for Python, so that each line of a step shows in their time.
# A bound is what a step ran when it was last made faster, and a few lines more.
@pytest.mark.parametrize("n_hidden", [0, 1, 2, 3])
@pytest.mark.parametrize("n_rows", [2, 256])
def test_a_step_runs_few_lines_however_many_rows(n_rows, n_hidden):
    step = training_step(n_rows, (32,) * n_hidden, ReLU())
    assert count_lines(step) <= 82 + 52 * n_hidden


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("dtype", "most_per_step", "most_per_epoch"),
    # float64 is NumPy's; in the core steps are none of Python's business. An epoch asks
    # which networks are still to be trained, means go by how many they are, rows may
    # come in parts, and what a checkpoint replays is recorded
    [("float64", 76 + 52 + 30, 102), ("float32", 10, 230)],
)
def test_a_fit_adds_few_lines_to_its_steps(dtype, most_per_step, most_per_epoch):
    if dtype == "float32" and _get_library() is None:
        pytest.skip("the core is not in use")

    def lines(n_rows, n_epochs):
        model = classic((8,), batch_size=4, max_iter=n_epochs, tol=0, dtype=dtype)
        return count_lines(lambda: model.fit(X[:n_rows], Y[:n_rows]))

    twenty_steps, forty_steps = (lines(n, 2) - lines(n, 1) for n in (80, 160))
    per_step = (forty_steps - twenty_steps) / 20
    assert per_step <= most_per_step
    assert twenty_steps - 20 * per_step <= most_per_epoch
