"""Start values: their moments, and which activation asks for which."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.nn.activations import ACTIVATIONS, resolve_activation
from skmlp.nn.initializers import INITIALIZERS
from skmlp.nn.network import Architecture

SHAPE = (300, 700)
FAN_IN, FAN_OUT = SHAPE
NORMAL, UNIFORM = 3.0, 1.8  # fourth moment / variance^2

VARIANCES = {
    "he_normal": 2 / FAN_IN,
    "lecun_normal": 1 / FAN_IN,
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "zeros": 0.0,
}
FOURTH_MOMENTS = {
    "he_normal": NORMAL,
    "lecun_normal": NORMAL,
    "glorot_uniform": UNIFORM,
}
CHOICES = {
    "identity": "glorot_uniform",
    "relu": "he_normal",
    "prelu": "he_normal",
    "leaky_relu": "he_normal",
    "sigmoid": "glorot_uniform",
    "logistic": "glorot_uniform",
    "tanh": "glorot_uniform",
    "elu": "he_normal",
    "selu": "lecun_normal",
    "gelu": "he_normal",
    "silu": "he_normal",
    "softplus": "glorot_uniform",
}


def test_every_initializer_and_activation_is_listed_here():
    assert VARIANCES.keys() == INITIALIZERS.keys()
    assert CHOICES.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_has_mean_zero_and_its_variance(name):
    weight = INITIALIZERS[name](SHAPE, np.random.default_rng(0))
    assert weight.shape == SHAPE
    assert_allclose(weight.var(), VARIANCES[name], rtol=0.02)
    assert abs(weight.mean()) <= 5 * np.sqrt(VARIANCES[name] / weight.size)


@pytest.mark.parametrize("name", FOURTH_MOMENTS)
def test_has_the_tails_that_its_name_says(name):
    weight = INITIALIZERS[name](SHAPE, np.random.default_rng(0))
    fourth_moment = np.mean(weight**4) / weight.var() ** 2
    assert_allclose(fourth_moment, FOURTH_MOMENTS[name], rtol=0.05)


@pytest.mark.parametrize("name", FOURTH_MOMENTS)
def test_draws_from_the_generator_it_is_given(name):
    draw = INITIALIZERS[name]
    first, again, other = (
        draw((3, 4), np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_weights_before_an_activation_start_with_the_variance_it_needs(name):
    architecture = Architecture(
        FAN_IN, (FAN_OUT,), 2, (resolve_activation(name),), (0.0,), "float64"
    )
    parameters = architecture.init_parameters(np.random.default_rng(0))
    hidden, output = architecture.get_dense_arrays(parameters, "weight")
    assert_allclose(hidden.var(), VARIANCES[CHOICES[name]], rtol=0.02)
    assert_allclose(output.var(), 2 / (FAN_OUT + 2), rtol=0.1)


def test_softmax_regression_starts_at_zero():
    architecture = Architecture(4, (), 3, (), (), "float64")
    assert_array_equal(architecture.init_parameters(np.random.default_rng(0)), 0)
