"""The parameters that fitting reads are those that the constructor stores, resolved."""

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from typing import get_type_hints

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from networks import classic
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

from skmlp import ELU, LeakyReLU, MLPSoftmaxClassifier, PReLU, TableEncoder
from skmlp.core.library import engine
from skmlp.fitting.parameters import resolve_parameters

X, Y = load_iris(return_X_y=True)

INT_TYPES = [np.dtype(code).type for code in np.typecodes["AllInteger"]]
FLOAT_TYPES = [np.dtype(code).type for code in np.typecodes["Float"]]

INTS = {
    "hidden_layer_sizes": 8,
    "encoder_rows": 100,
    "batch_size": 32,
    "max_fun": 90,
    "max_iter": 2,
    "n_iter_no_change": 3,
    "n_estimators": 2,
    "random_state": 7,
    "checkpoint_every": 2,
    "verbose": 1,
}
FLOATS = {
    "dropout": 0.1,
    "label_smoothing": 0.05,
    "alpha": 0.01,
    "weight_decay": 0.1,
    "learning_rate_init": 0.003,
    "power_t": 0.3,
    "momentum": 0.7,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "epsilon": 1e-3,
    "tol": 1e-3,
    "validation_fraction": 0.3,
    "temperature": 1.5,
    "max_time": 1e3,
}
BOOLS = {
    "nesterovs_momentum": False,
    "early_stopping": True,
    "diverse_members": False,
    "shuffle": False,
    "warm_start": True,
    "verbose": True,
}
STRINGS = {
    "hidden_layer_sizes": "auto",
    "activation": "tanh",
    "preprocessing": "auto",
    "categorical_features": "from_dtype",
    "encoder_rows": "auto",
    "numeric_embedding": "periodic",
    "dropout": "auto",
    "label_smoothing": "auto",
    "class_weight": "balanced",
    "solver": "sgd",
    "weight_decay": "auto",
    "batch_size": "auto",
    "learning_rate": "cosine",
    "max_iter": "auto",
    "n_iter_no_change": "auto",
    "early_stopping": "auto",
    "validation_fraction": "auto",
    "scoring": "accuracy",
    "n_estimators": "auto",
    "member_weights": "auto",
    "temperature": "auto",
    "dtype": "float64",
    "checkpoint": "a file",
    "checkpoint_every": "5min",
}


def resolve(**params):
    """The resolved parameters, whatever scikit-learn's own check would say."""
    return resolve_parameters(MLPSoftmaxClassifier(**params))


def assert_resolved(name, value, expected):
    """One parameter is resolved to an equal value of the same type."""
    model = MLPSoftmaxClassifier(**{name: value})
    model._validate_params()
    resolved = getattr(resolve_parameters(model), name)
    twin = getattr(resolve(**{name: expected}), name)
    assert (type(resolved), resolved) == (type(twin), twin)
    assert getattr(model, name) is value  # as the user gave it


def test_parameters_are_those_of_the_constructor():
    of_constructor = get_type_hints(MLPSoftmaxClassifier.__init__)
    del of_constructor["return"]
    assert list(vars(resolve())) == sorted(of_constructor)
    with pytest.raises(AttributeError, match="read-only"):
        resolve().alpha = 1.0


def test_every_parameter_is_tried_as_some_numpy_type():
    known = INTS.keys() | FLOATS.keys() | BOOLS.keys() | STRINGS.keys()
    assert known == MLPSoftmaxClassifier().get_params(deep=False).keys()


@pytest.mark.parametrize("kind", INT_TYPES)
@pytest.mark.parametrize("name", INTS)
def test_resolve_numpy_int_gives_the_python_int(name, kind):
    assert_resolved(name, kind(INTS[name]), INTS[name])


@pytest.mark.parametrize("kind", FLOAT_TYPES)
@pytest.mark.parametrize("name", FLOATS)
def test_resolve_numpy_float_gives_the_python_float(name, kind):
    value = kind(FLOATS[name])
    assert_resolved(name, value, float(value))


@pytest.mark.parametrize("name", FLOATS)
def test_resolve_fraction_gives_the_float(name):
    assert_resolved(name, Fraction(FLOATS[name]), FLOATS[name])


@pytest.mark.parametrize("kind", [int, *INT_TYPES])
def test_resolve_int_of_a_float_parameter_gives_the_float(kind):
    assert_resolved("alpha", kind(1), 1.0)
    assert type(resolve(temperature=kind(2)).temperature) is float


@pytest.mark.parametrize("name", BOOLS)
def test_resolve_numpy_bool_gives_the_python_bool(name):
    assert_resolved(name, np.bool_(BOOLS[name]), BOOLS[name])


@pytest.mark.parametrize("name", STRINGS)
def test_resolve_numpy_str_gives_the_python_str(name):
    assert_resolved(name, np.str_(STRINGS[name]), STRINGS[name])


@pytest.mark.parametrize("kind", FLOAT_TYPES)
def test_resolve_infinite_patience_of_any_type(kind):
    assert_resolved("n_iter_no_change", kind(np.inf), np.inf)


@pytest.mark.parametrize("name", INTS | FLOATS)
def test_zero_dimensional_array_counts_as_its_value_or_is_refused(name):
    value = (INTS | FLOATS)[name]
    model = MLPSoftmaxClassifier(**{name: np.array(value)})
    if name in ("hidden_layer_sizes", "dropout"):
        assert_resolved(name, np.array(value), value)
    else:
        with pytest.raises(InvalidParameterError, match=name):
            model.fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", np.longdouble("1e400")),
        ("alpha", 10**400),
        ("alpha", Fraction(10**400)),
        ("batch_size", Fraction(32)),
        ("learning_rate_init", np.longdouble("1e-400")),
        ("batch_size", np.timedelta64(32, "s")),
        ("checkpoint", ""),
        ("checkpoint", np.str_(" ")),
    ],
)
def test_value_that_its_final_type_can_not_hold_is_refused(name, value):
    with pytest.raises(InvalidParameterError, match=name):
        MLPSoftmaxClassifier(**{name: value}).fit(X, Y)


def test_interval_of_checkpoints_may_be_numpys():
    every = resolve(checkpoint_every=np.timedelta64(30_000_000_000, "ns"))
    assert every.checkpoint_every == dt.timedelta(seconds=30)


MANY = [
    list,
    tuple,
    np.array,
    pd.Series,
    pl.Series,
    pa.array,
    lambda values: list(np.array(values)),
    lambda values: np.array(values, dtype=object),
]


@pytest.mark.parametrize("many", MANY)
def test_resolve_one_per_layer_gives_a_tuple_of_python_values(many):
    sizes = resolve(hidden_layer_sizes=many([5, 3])).hidden_layer_sizes
    assert sizes == (5, 3)
    assert {type(size) for size in sizes} == {int}
    rates = resolve(dropout=many([0.1, 0.25])).dropout
    assert rates == (0.1, 0.25)
    assert {type(rate) for rate in rates} == {float}


def test_resolve_float32_rates_keeps_their_values():
    rates = resolve(dropout=np.float32([0.1, 0.2])).dropout
    assert rates == (float(np.float32(0.1)), float(np.float32(0.2)))


@pytest.mark.parametrize(
    "sizes",
    [
        *(0, True, (5, -1), (2.5,), [[5, 3]], (True,), ("a",), [[1], [2, 3]]),
        *({5}, np.ma.array([5, 3], mask=[0, 1]), [np.timedelta64(5, "s")]),
    ],
)
def test_sizes_that_are_no_whole_numbers_are_refused(sizes):
    with pytest.raises(InvalidParameterError, match="one whole number per hidden"):
        resolve(hidden_layer_sizes=sizes)


@pytest.mark.parametrize(
    "rates",
    [[0.0, 1.0], [0.0, -0.1], [0.0, np.nan], ["a", "b"], [None], [[0.1]], {0.1}, [1j]],
)
def test_dropout_out_of_range_is_refused(rates):
    message = rf"dropout must be in \[0, 1\), got {re.escape(repr(rates))}"
    with pytest.raises(InvalidParameterError, match=message):
        resolve(dropout=rates)


def test_resolve_activations_gives_a_tuple():
    given = [np.str_("tanh"), PReLU, ELU(0.5)]
    assert resolve(activation=given).activation == ("tanh", PReLU, ELU(0.5))


# Values that lead to NaN


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", 1e-320), ("temperature", 1e300)),
        *(("epsilon", 1e-320), ("epsilon", 1e300)),
        *(("learning_rate_init", 1e-320), ("learning_rate_init", 1e300)),
        *(("alpha", 1e300), ("weight_decay", 1e300)),
        ("validation_fraction", 1e-320),
        *((name, 1 - 2**-53 / 2**8) for name in ("dropout", "beta_1", "beta_2")),
    ],
)
def test_number_beyond_the_type_of_the_weights_is_refused(name, value, dtype):
    with pytest.raises(InvalidParameterError, match=name):
        MLPSoftmaxClassifier(**{name: value}, dtype=dtype).fit(X, Y)


@pytest.mark.parametrize("name", ["dropout", "beta_1", "beta_2", "label_smoothing"])
def test_part_that_float32_rounds_to_one_is_refused(name):
    with pytest.raises(InvalidParameterError, match=rf"{name}.*0\.99999994"):
        resolve(**{name: 1 - 1e-9})
    assert getattr(resolve(**{name: 1 - 1e-9}, dtype="float64"), name) == 1 - 1e-9


def test_temperature_that_float32_can_not_divide_by_is_refused():
    with pytest.raises(InvalidParameterError, match=r"temperature.*Got 1e-40"):
        MLPSoftmaxClassifier(temperature=1e-40).fit(X, Y)


@pytest.mark.parametrize(
    "weight",
    [
        *(np.inf, -np.inf, np.nan, -1, None, "2", 1j, 10**400, np.array(2.0), [1.0]),
        *(np.float32(np.nan), np.str_("2"), Decimal("NaN"), Decimal("sNaN")),
    ],
)
def test_class_weight_that_is_no_finite_number_is_refused(weight):
    message = (
        "class_weight must hold finite non-negative numbers, got "
        rf"{re.escape(repr(weight))} for the class 1"
    )
    model = MLPSoftmaxClassifier(class_weight={0: 1.0, 1: weight})
    with pytest.raises(InvalidParameterError, match=message):
        model.fit(X, Y)
    with pytest.raises(InvalidParameterError, match=message):
        model.partial_fit(X, Y, [0, 1, 2])


@pytest.mark.parametrize(
    "two",
    [2, np.int8(2), np.uint64(2), np.float16(2), Fraction(2), Decimal(2)],
)
def test_resolve_class_weight_gives_floats(two):
    weights = resolve(class_weight={"a": two, "b": 1}).class_weight
    assert weights == {"a": 2.0, "b": 1.0}
    assert {type(weight) for weight in weights.values()} == {float}


# Hints


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"learning_rate": 0.01}, "pass learning_rate_init=0.01"),
        ({"learning_rate": np.float64(0.01)}, "pass learning_rate_init=0.01"),
        ({"learning_rate": "0.01"}, "pass learning_rate_init=0.01"),
        ({"learning_rate": Fraction(1, 4)}, "pass learning_rate_init=0.25"),
        ({"learning_rate": "Cosine"}, '"cosine"'),
        ({"learning_rate_init": "0.01"}, "Pass the number 0.01, not text."),
        ({"hidden_layer_sizes": "64"}, "Pass the number 64, not text."),
        ({"activation": "rellu"}, '"relu"'),
        ({"activation": "swish"}, '"silu"'),
        ({"activation": ["swish"]}, '"silu"'),
        ({"activation": "ReLU"}, '"relu"'),
        ({"activation": "leakyrelu"}, '"leaky_relu"'),
        ({"solver": "adamw"}, '"adam" with weight_decay'),
        ({"solver": "L-BFGS"}, '"lbfgs"'),
        ({"scoring": "logloss"}, '"neg_log_loss"'),
        ({"scoring": "acuracy"}, '"accuracy"'),
        ({"scoring": "acc"}, '"accuracy"'),
        ({"scoring": "cross-entropy"}, '"neg_log_loss"'),
        ({"preprocessing": TableEncoder}, "Pass TableEncoder()."),
        ({"class_weight": "balance"}, '"balanced"'),
        ({"dtype": np.float64}, '"float64"'),
        ({"dtype": np.dtype("float32")}, '"float32"'),
        ({"dtype": "double"}, '"float64"'),
        ({"batch_size": "Auto"}, '"auto"'),
        ({"batch_size": np.float64(20)}, "Pass the int 20."),
        ({"n_iter_no_change": 5.0}, "Pass the int 5."),
    ],
)
def test_near_miss_gets_a_hint(params, hint):
    with pytest.raises(InvalidParameterError, match=re.escape(hint)):
        MLPSoftmaxClassifier(**params).fit(X, Y)


def test_value_without_a_near_choice_gets_no_hint():
    with pytest.raises(InvalidParameterError, match=r"Got 'newton' instead\.$"):
        MLPSoftmaxClassifier(solver="newton").fit(X, Y)


def test_encoder_gets_hints_as_well():
    with pytest.raises(InvalidParameterError, match='"float32"'):
        TableEncoder(dtype="float-32").fit(X)


# The same bits

SCALARS = {
    "int64": (np.int64, np.float64),
    "uint64": (np.uint64, np.float32),
    "int8": (np.int8, np.float16),
    "int16": (np.int16, np.longdouble),
}
WAYS = {
    "adam": {"solver": "adam", "learning_rate": "constant"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "lbfgs": {"solver": "lbfgs", "dropout": 0.0},
}


def two_kinds(int_type, float_type, **fixed):
    """The same parameters as NumPy scalars, and as Python values."""
    numpy_values = {name: int_type(value) for name, value in INTS.items()}
    numpy_values |= {name: float_type(value) for name, value in FLOATS.items()}
    numpy_values |= {name: np.bool_(value) for name, value in BOOLS.items()}
    numpy_values["class_weight"] = {0: float_type(2), np.int64(1): int_type(3)}
    numpy_values["activation"] = [PReLU(float_type(0.1), np.bool_(True))]
    numpy_values |= {"verbose": np.bool_(False), **fixed}
    numpy_values |= {
        name: np.str_(value) for name, value in fixed.items() if type(value) is str
    }
    python_values = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in numpy_values.items()
    }
    for name in FLOATS.keys() - fixed.keys():
        python_values[name] = float(numpy_values[name])
    python_values["class_weight"] = {0: 2.0, 1: 3.0}
    python_values["activation"] = [PReLU(float(float_type(0.1)), shared=True)]
    return numpy_values, python_values


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("engine_name", ["numpy", engine()])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kinds", SCALARS)
def test_fit_on_numpy_scalars_gives_the_same_bits(kinds, way, engine_name, monkeypatch):
    monkeypatch.setattr("skmlp.backend.engine", lambda: engine_name)
    fitted = [
        MLPSoftmaxClassifier(**params).fit(X, Y)
        for params in two_kinds(*SCALARS[kinds], **WAYS[way])
    ]
    assert_array_equal(fitted[0].parameters_, fitted[1].parameters_)
    assert_array_equal(fitted[0].predict_proba(X), fitted[1].predict_proba(X))


@pytest.mark.parametrize("kinds", SCALARS)
def test_partial_fit_on_numpy_scalars_gives_the_same_bits(kinds):
    fixed = {"learning_rate": "invscaling", "early_stopping": False}
    fitted = [
        MLPSoftmaxClassifier(**params)
        .partial_fit(X[:50], Y[:50], [0, 1, 2])
        .partial_fit(X[50:], Y[50:])
        for params in two_kinds(*SCALARS[kinds], **fixed)
    ]
    assert_array_equal(fitted[0].parameters_, fitted[1].parameters_)


def test_float32_learning_rate_is_that_float():
    rate = np.float32(0.003)
    fitted = [
        classic(
            learning_rate_init=value, learning_rate="cosine", max_iter=2, random_state=0
        ).fit(X, Y)
        for value in (rate, float(rate))
    ]
    assert_array_equal(fitted[0].parameters_, fitted[1].parameters_)


def test_grid_of_numpy_values_is_searched():
    grid = {"batch_size": 2 ** np.arange(4, 7), "alpha": np.float32([0.1])}
    model = classic(max_iter=1, learning_rate="cosine")
    search = GridSearchCV(model, grid, cv=2, error_score="raise")
    assert search.fit(X, Y).best_params_["batch_size"] in (16, 32, 64)


@pytest.mark.parametrize(
    "activation",
    [LeakyReLU(np.float16(0.1)), PReLU(np.float32(0.1), np.bool_(1)), ELU(np.int8(1))],
)
def test_constants_of_activations_become_python_values(activation):
    assert {type(value) for value in vars(activation).values()} <= {float, bool}
