"""Layers one by one: the backward pass mirrors the forward pass, buffers are reused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.nn.activations import GELU, PReLU, Tanh
from skmlp.nn.initializers import glorot_uniform
from skmlp.nn.layers import ActivationLayer, Dense, Dropout, PeriodicEmbedding

N_INPUTS, N_OUTPUTS = 4, 3


def bound(layer, dtype=np.float64):
    """The layer with random parameters, and a gradient full of rubbish."""
    rng = np.random.default_rng(0)
    layer.bind(
        {name: rng.normal(size=s).astype(dtype) for name, s in layer.shapes.items()},
        {name: np.full(s, np.nan, dtype) for name, s in layer.shapes.items()},
    )
    return layer


LAYERS = {
    "dense": lambda: Dense(N_INPUTS, N_OUTPUTS, glorot_uniform),
    "dense, by column": lambda: Dense(N_INPUTS, N_OUTPUTS, glorot_uniform, order="F"),
    "tanh": lambda: ActivationLayer(Tanh(), N_INPUTS),
    "prelu": lambda: ActivationLayer(PReLU(), N_INPUTS),
    "periodic": lambda: PeriodicEmbedding(N_INPUTS, N_INPUTS - 1),
    "shared prelu": lambda: ActivationLayer(PReLU(shared=True), N_INPUTS),
}
EVERY_LAYER = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())


def rows(n_rows, width=N_INPUTS, seed=1):
    return np.random.default_rng(seed).normal(size=(n_rows, width))


def passes(layer, n_rows):
    """Copies of what one forward and one backward pass give for `n_rows` rows."""
    y = layer.forward(rows(n_rows), training=True).copy()
    grad = layer.backward(rows(*y.shape, seed=2)).copy()
    return [y, grad, *(gradient.copy() for gradient in vars(layer.g).values())]


@EVERY_LAYER
def test_backward_turns_slopes_of_the_output_into_slopes_of_all_inputs(
    make, central_differences, relative_error
):
    layer = bound(make())
    x = rows(6)
    grad = rows(*layer.forward(x).shape, seed=2)

    def total(x):
        return np.sum(grad * layer.forward(x))

    def total_given(name, values):
        layer.bind(vars(layer.p) | {name: values}, vars(layer.g))
        return total(x)

    slopes = central_differences(total, x)
    parameter_slopes = {
        name: central_differences(
            lambda values, name=name: total_given(name, values), start
        )
        for name, start in vars(bound(make()).p).items()
    }

    layer = bound(make())
    layer.forward(x, training=True)
    assert relative_error(layer.backward(grad.copy()), slopes) < 1e-7
    assert parameter_slopes.keys() == layer.shapes.keys()
    for name, expected in parameter_slopes.items():
        assert relative_error(getattr(layer.g, name), expected) < 1e-7


@EVERY_LAYER
def test_the_same_memory_serves_batch_after_batch(make):
    layer = bound(make())
    y = layer.forward(rows(6), training=True)
    grad = layer.backward(rows(*y.shape))
    memory = {name: id(array) for name, array in layer.buffers.items()}
    for n_rows in (6, 2, 6):
        validation_data = rows(n_rows)
        next_y = layer.forward(validation_data, training=True)
        in_place = np.shares_memory(next_y, validation_data)
        assert in_place or np.shares_memory(next_y, y)
        own_delta = rows(n_rows, y.shape[1])
        next_delta = layer.backward(own_delta)
        in_place = np.shares_memory(next_delta, own_delta)
        assert in_place or np.shares_memory(next_delta, grad)
    assert {name: id(array) for name, array in layer.buffers.items()} == memory


@EVERY_LAYER
def test_no_batch_leaves_traces_in_the_next(make):
    layer = bound(make())
    for n_rows in (7, 2, 7, 20, 7):
        actual = passes(layer, n_rows)
        expected = passes(bound(make()), n_rows)
        for after_others, fresh in zip(actual, expected, strict=True):
            assert_allclose(after_others, fresh, rtol=1e-12, atol=1e-14)


@EVERY_LAYER
def test_gradients_are_written_and_not_accumulated(make):
    layer = bound(make())
    layer.forward(rows(5), training=True)
    results = []
    for _ in range(2):
        layer.backward(rows(*layer.forward(rows(5)).shape, seed=2))
        results.append([gradient.copy() for gradient in vars(layer.g).values()])
    for first, second in zip(*results, strict=True):
        assert_array_equal(first, second)


@EVERY_LAYER
def test_float32_stays_float32(make):
    layer = bound(make(), np.float32)
    y = layer.forward(rows(5).astype(np.float32), training=True)
    grad = layer.backward(rows(*y.shape).astype(np.float32))
    assert y.dtype == grad.dtype == np.float32


def test_dense_is_an_affine_map():
    layer = Dense(2, 3, glorot_uniform)
    parameters = {
        "weight": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        "bias": np.array([10.0, 20.0, 30.0]),
    }
    layer.bind(parameters, {})
    y = layer.forward(np.array([[1.0, -1.0], [0.0, 2.0]]))
    assert_array_equal(y, [[7, 17, 27], [18, 30, 42]])


def test_the_first_layer_need_not_give_a_delta_for_the_data():
    layer, twin = (bound(Dense(N_INPUTS, N_OUTPUTS, glorot_uniform)) for _ in range(2))
    grad = rows(5, N_OUTPUTS)
    for each, need_input_grad in ((layer, True), (twin, False)):
        each.forward(rows(5), training=True)
        each.backward(grad.copy(), need_input_grad=need_input_grad)
    assert_array_equal(layer.g.weight, twin.g.weight)
    assert_array_equal(layer.g.bias, twin.g.bias)
    assert len(twin.buffers) < len(layer.buffers)


def test_activate_takes_the_derivative_at_its_input():
    # gelu falls on the left of its minimum, so that its value says nothing of its slope
    layer = bound(ActivationLayer(GELU(), 1))
    layer.forward(np.array([[-3.0], [-0.1]]), training=True)
    grad = layer.backward(np.ones((2, 1)))
    assert grad[0, 0] < 0 < grad[1, 0]


def trained_dropout(rate, shape, seed=0, dtype=np.float64):
    """A dropout layer, and what it makes of ones."""
    layer = Dropout(rate)
    layer.rng = np.random.default_rng(seed)
    return layer, layer.forward(np.ones(shape, dtype), training=True).copy()


def test_dropout_does_nothing_in_prediction():
    x = rows(5)
    assert_array_equal(Dropout(0.5).forward(x), rows(5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate, dtype):
    _, y = trained_dropout(rate, (400, 500), dtype=dtype)
    assert y.dtype == dtype
    assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=2e-4)
    deviation = np.sqrt(rate / (1 - rate) / y.size)
    assert y.mean(dtype=np.float64) == pytest.approx(1, abs=5 * deviation)


def test_dropout_drops_the_same_units_on_the_way_back():
    layer, y = trained_dropout(0.4, (20, 30))
    grad = rows(20, 30)
    assert_array_equal(layer.backward(grad.copy()), grad * y)


def test_dropout_draws_anew_for_each_batch_and_repeats_with_the_seed():
    layer, first = trained_dropout(0.5, (20, 30), seed=3)
    second = layer.forward(np.ones((20, 30)), training=True)
    assert (first != second).any()
    assert_array_equal(trained_dropout(0.5, (20, 30), seed=3)[1], first)
    assert (trained_dropout(0.5, (20, 30), seed=4)[1] != first).any()


def test_dropout_handles_smaller_last_batches():
    layer, _ = trained_dropout(0.5, (20, 3))
    x = rows(7, 3)
    y = layer.forward(x, training=True)
    assert y.shape == (7, 3)
    dropped = y == 0
    assert dropped.any()
    assert_allclose(y[~dropped], 2 * x[~dropped])
    assert_array_equal(layer.backward(np.ones((7, 3))) == 0, dropped)
