"""Every activation against formulas written down a second time, number by number."""

import copy
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skmlp
from skmlp.nn.activations import (
    ACTIVATIONS,
    ELU,
    SELU,
    Activation,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    Tanh,
    resolve_activation,
)

INSTANCES = [
    *(activation() for activation in dict.fromkeys(ACTIVATIONS.values())),
    PReLU(init=0.1, shared=True),
    LeakyReLU(negative_slope=0.2),
    ELU(alpha=0.5),
]


def logistic(z):
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def normal_cdf(z):
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_pdf(z):
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def slopes(below):
    return lambda z: z if z > 0 else below * z, lambda z: 1.0 if z > 0 else below


def selu_constants():
    """The fixed point of mean 0 and variance 1, solved by Klambauer et al. (2017)."""
    e, pi = math.e, math.pi
    half = math.erfc(1 / math.sqrt(2))
    alpha = -math.sqrt(2 / pi) / (half * math.sqrt(e) - 1)
    scale = (1 - half * math.sqrt(e)) * math.sqrt(2 * pi)
    scale /= math.sqrt(
        2 * math.erfc(math.sqrt(2)) * e**2
        + pi * half**2 * e
        - 2 * (2 + pi) * half * math.sqrt(e)
        + pi
        + 2
    )
    return alpha, scale


SELU_ALPHA, SELU_SCALE = selu_constants()
LOGISTIC = logistic, lambda z: logistic(z) * logistic(-z)
FORMULAS = {
    "identity": slopes(below=1.0),
    "relu": slopes(below=0.0),
    "prelu": slopes(below=0.25),
    "leaky_relu": slopes(below=0.01),
    "sigmoid": LOGISTIC,
    "logistic": LOGISTIC,
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "elu": (
        lambda z: z if z > 0 else math.expm1(z),
        lambda z: 1.0 if z > 0 else math.exp(z),
    ),
    "selu": (
        lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * math.expm1(z)),
        lambda z: SELU_SCALE * (1.0 if z > 0 else SELU_ALPHA * math.exp(z)),
    ),
    "gelu": (
        lambda z: z * normal_cdf(z),
        lambda z: normal_cdf(z) + z * normal_pdf(z),
    ),
    "silu": (
        lambda z: z * logistic(z),
        lambda z: logistic(z) * (1 + z * logistic(-z)),
    ),
    "softplus": (
        lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))),
        logistic,
    ),
}


def start(activation, n_units, dtype=np.float64):
    """The learnt numbers of a layer before training."""
    return SimpleNamespace(
        **{
            name: np.full(shape, activation.initial[name], dtype)
            for name, shape in activation.shapes(n_units).items()
        }
    )


def apply(method, z, p):
    """What a method writes to an array that holds rubbish before."""
    return method(z, np.full_like(z, np.nan), p)


def one_column(numbers):
    return np.array(numbers, dtype=np.float64)[:, np.newaxis]


def test_every_activation_has_a_formula_here():
    assert FORMULAS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("method", ["value", "derivative"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_agrees_with_its_formula(name, method):
    activation = resolve_activation(name)
    formula = FORMULAS[name][method == "derivative"]
    random = np.random.default_rng(0).uniform(-30, 30, 1000)
    z = one_column([*np.linspace(-30, 30, 601), 0.0, 1e-9, -1e-9, *random])
    expected = one_column([formula(number) for number in z[:, 0]])
    actual = apply(getattr(activation, method), z, start(activation, 1))
    assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", INSTANCES, ids=repr)
def test_derivative_is_the_slope_of_value(activation, relative_error):
    z = one_column(np.linspace(-8, 8, 400))  # an even number: not at the kink in 0
    p = start(activation, 1)
    step = 1e-6
    above = apply(activation.value, z + step, p)
    below = apply(activation.value, z - step, p)
    derivative = apply(activation.derivative, z, p)
    assert relative_error(derivative, (above - below) / (2 * step)) < 1e-6


@pytest.mark.parametrize("activation", [PReLU(), PReLU(shared=True)], ids=repr)
def test_parameter_derivatives_are_slopes_of_value(activation, relative_error):
    z = np.random.default_rng(0).normal(size=(20, 3))
    step = 1e-6
    names = set()
    p = start(activation, 3)
    for name, derivative in activation.parameter_derivatives(z, np.empty_like(z), p):
        above, below = copy.deepcopy(p), copy.deepcopy(p)
        getattr(above, name)[:] += step
        getattr(below, name)[:] -= step
        rise = apply(activation.value, z, above) - apply(activation.value, z, below)
        assert relative_error(derivative, rise / (2 * step)) < 1e-6
        names.add(name)
    assert names == activation.initial.keys()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", INSTANCES, ids=repr)
def test_writes_to_out_in_its_type_and_leaves_z_alone(activation, dtype):
    z = np.random.default_rng(0).normal(size=(5, 4)).astype(dtype)
    z_before = z.copy()
    p = start(activation, 4, dtype)
    for method in (activation.value, activation.derivative):
        out = np.full_like(z, np.nan)
        assert method(z, out, p) is out
        assert np.isfinite(out).all()
    for _, derivative in activation.parameter_derivatives(z, out, p):
        assert derivative.dtype == dtype
    assert_array_equal(z, z_before)


@pytest.mark.parametrize(
    "activation", [a for a in INSTANCES if a.needs_only_value], ids=repr
)
def test_what_needs_only_the_value_works_in_place(activation):
    z = np.random.default_rng(0).normal(size=(5, 4))
    y = apply(activation.value, z, None)
    slope = apply(activation.derivative, z, None)
    in_place = z.copy()
    assert_array_equal(activation.value(in_place, in_place, None), y)
    activation.derivative_from_value(in_place, in_place, None)
    assert_array_equal(in_place, slope)


def test_a_subclass_with_formulas_of_its_own_does_not_use_inherited_ones():
    class Named(Tanh):
        pass

    class Steeper(Tanh):
        def value(self, z, out, p):
            return np.tanh(2 * z, out=out)

        def derivative(self, z, out, p):
            return np.divide(2, np.cosh(2 * z) ** 2, out=out)

    assert Named().needs_only_value
    assert not Steeper().needs_only_value
    assert not PReLU().needs_only_value


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_far_out_numbers_stay_within_bounds(name, dtype):
    activation = resolve_activation(name)
    z = np.array([[-1e4], [-100.0], [100.0], [1e4]], dtype)
    p = start(activation, 1, dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value = apply(activation.value, z, p)
        derivative = apply(activation.derivative, z, p)
    assert_array_equal(np.isfinite(value), True)
    assert (np.abs(value) <= np.maximum(1.06 * np.abs(z), 2)).all()
    assert ((derivative >= -1e-6) & (derivative <= 1.06)).all()


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_relu_is_flat_at_zero(zero):
    assert apply(ReLU().derivative, one_column([zero]), None) == 0


@pytest.mark.parametrize(("shared", "shape"), [(False, (7,)), (True, (1,))])
def test_prelu_learns_a_slope_per_unit_or_per_layer(shared, shape):
    assert PReLU(shared=shared).shapes(7) == {"slope": shape}


def test_prelu_gives_each_unit_its_own_slope():
    p = SimpleNamespace(slope=np.array([0.5, -1.0]))
    z = np.array([[-2.0, -2.0], [3.0, 3.0]])
    assert_array_equal(apply(PReLU().value, z, p), [[-1, 2], [3, 3]])
    assert_array_equal(apply(PReLU().derivative, z, p), [[0.5, -1], [1, 1]])


def test_prelu_starts_at_init():
    assert PReLU(init=0.1).initial == {"slope": 0.1}


def test_settings_change_the_curve():
    z = one_column([-1.0])
    assert_allclose(apply(LeakyReLU(negative_slope=0.2).value, z, None), -0.2)
    assert_allclose(apply(ELU(alpha=0.5).value, z, None), 0.5 * math.expm1(-1))
    assert_allclose(apply(ELU(alpha=0.5).derivative, z, None), 0.5 * math.exp(-1))


@pytest.mark.parametrize("activation", INSTANCES, ids=repr)
def test_repr_pickle_and_copy_give_an_equal_activation(activation):
    for twin in (
        eval(repr(activation), vars(skmlp)),
        pickle.loads(pickle.dumps(activation)),
        copy.deepcopy(activation),
    ):
        assert twin == activation
        assert hash(twin) == hash(activation)


@pytest.mark.parametrize("activation", ACTIVATIONS.values())
def test_the_class_of_every_name_is_public(activation):
    assert getattr(skmlp, activation.__name__) is activation
    assert activation.__name__ in skmlp.__all__


def test_activations_differ_by_kind_and_by_settings():
    assert len(set(INSTANCES)) == len(INSTANCES)
    assert PReLU() != PReLU(init=0.1)
    assert PReLU() != PReLU(shared=True)
    assert LeakyReLU(1.0) != ELU(1.0)
    assert ReLU() != "relu"


def test_sigmoid_has_an_alias():
    assert resolve_activation("logistic") == resolve_activation("sigmoid") == Sigmoid()


def test_as_activation_takes_a_class_or_an_instance():
    class Square(Activation):
        pass

    instance = PReLU(init=0.1)
    assert type(resolve_activation(Square)) is Square
    assert resolve_activation(SELU) == SELU()
    assert resolve_activation(instance) is instance


@pytest.mark.parametrize("unknown", ["rellu", None, 3, int, ["relu"]])
def test_as_activation_lists_the_choices(unknown):
    with pytest.raises(ValueError, match="unknown activation") as error:
        resolve_activation(unknown)
    assert repr(unknown) in str(error.value)
    assert all(name in str(error.value) for name in ACTIVATIONS)


@pytest.mark.parametrize("constant", [np.nan, np.inf, -np.inf, 1e38, -1e38, "1", None])
@pytest.mark.parametrize("activation", [LeakyReLU, PReLU, ELU])
def test_constant_that_overflows_or_is_no_number_is_refused(activation, constant):
    made = activation(constant)  # as in scikit-learn, the constructor refuses nothing
    with pytest.raises(ValueError, match=r"must be a number from -1000 to 1000, got"):
        resolve_activation(made)


def test_start_value_that_overflows_is_refused():
    class Scaled(Activation):
        initial = {"scale": np.inf}

    with pytest.raises(ValueError, match=r"start value 'scale'.*got inf"):
        resolve_activation(Scaled)
