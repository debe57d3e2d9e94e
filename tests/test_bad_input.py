"""Bad input gets a sentence, and nothing is lost."""

import re

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from networks import classic
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skmlp import Activation, TableEncoder

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"])


def quick(**params):
    """A network that ends by its schedule, so that no warning is due."""
    return classic(
        **{"learning_rate": "cosine", "max_iter": 3, "random_state": 0} | params
    )


def with_value(value):
    changed = X.copy()
    changed[3, 1] = value
    return changed


def straight(model):
    return model.set_params(preprocessing=None)


FIT = {
    "NaN": (lambda m: straight(m).fit(with_value(np.nan), Y), "X contains NaN"),
    "infinity": (
        lambda m: straight(m).fit(with_value(np.inf), Y),
        "X contains infinity",
    ),
    "too large for float32": (
        lambda m: straight(m).fit(with_value(1e300), Y),
        r"too large for dtype\('float32'\)",
    ),
    "NaN in sparse": (lambda m: m.fit(csr_array(with_value(np.nan)), Y), "NaN"),
    "NaN in y": (lambda m: m.fit(X, np.where(Y == 2, np.nan, Y)), "in 50 rows"),
    "empty X": (lambda m: m.fit(X[:0], Y[:0]), r"0 sample\(s\) .* is required\.$"),
    "no columns": (lambda m: m.fit(X[:, :0], Y), r"0 feature\(s\)"),
    "text": (
        lambda m: straight(m).fit(np.full(X.shape, "x"), Y),
        "not compatible with arrays of bytes/strings",
    ),
    "lengths": (lambda m: m.fit(X, Y[:-1]), "inconsistent numbers of samples"),
    "no y": (lambda m: m.fit(X, None), "^This classifier requires y to be passed"),
    "continuous y": (lambda m: m.fit(X, X[:, 0]), "Unknown label type: continuous"),
    "multilabel y": (lambda m: m.fit(X, np.eye(3)[Y] + np.eye(3)[0]), "one label"),
    "multioutput y": (lambda m: m.fit(X, np.column_stack([Y, Y])), "one label"),
    "mixed labels": (
        lambda m: m.fit(X, np.array([1, "b", 2.5] * 50, dtype=object)),
        "labels of the types float, int, str, but",
    ),
    "negative weight": (
        lambda m: m.fit(X, Y, sample_weight=np.linspace(-1, 1, 150)),
        "Negative values in data passed to `sample_weight`",
    ),
    "all-zero weights": (
        lambda m: m.fit(X, Y, sample_weight=np.zeros(150)),
        "sample_weight must be positive for some row, but all weights are zero",
    ),
    "all-zero class weights": (
        lambda m: m.set_params(class_weight={0: 0, 1: 0, 2: 0}).fit(X, Y),
        "all weights are zero",
    ),
    "label missing": (
        lambda m: m.fit(X, np.array(["a", "b", None] * 50, dtype=object)),
        "no label in 50 rows",
    ),
    "wrong number of weights": (
        lambda m: m.fit(X, Y, sample_weight=np.ones(3)),
        r"sample_weight.shape == \(3,\)",
    ),
    "scorer without weights": (
        lambda m: m.set_params(
            early_stopping=True, class_weight="balanced", scoring=lambda m, X, y: 0.0
        ).fit(X, Y),
        "takes no sample_weight, but the rows have weights",
    ),
    "X_val without y_val": (
        lambda m: m.fit(X, Y, X_val=X),
        "X_val is given without y_val",
    ),
    "y_val without X_val": (
        lambda m: m.fit(X, Y, y_val=Y),
        "y_val is given without X_val",
    ),
    "label that only y_val has": (
        lambda m: m.fit(X, Y, X_val=X, y_val=Y + 1),
        r"^y_val contains \[3\], but the classes are \[0, 1, 2\]",
    ),
    "numbers in y_val": (
        lambda m: m.fit(X, Y, X_val=X, y_val=Y + 0.5),
        "Unknown label type: continuous numbers in y_val",
    ),
    "too few labels in y_val": (
        lambda m: m.fit(X, Y, X_val=X, y_val=Y[:-1]),
        "expected a label in y_val for each of the",
    ),
    "no label in y_val": (
        lambda m: m.fit(X, Y, X_val=X, y_val=[None, *Y[1:]]),
        "^y_val has no label in 1 rows.* from X_val and y_val",
    ),
    "missing weight in sample_weight_val": (
        lambda m: m.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=[np.nan] * len(Y)),
        "^sample_weight_val can't be used: .* contains NaN",
    ),
    "too few weights in sample_weight_val": (
        lambda m: m.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=[1.0, 2.0]),
        r"^sample_weight_val can't be used: .*\(2,\), expected",
    ),
    "no label in classes": (
        lambda m: m.set_params(learning_rate="constant").partial_fit(X, Y, [0, None]),
        "^classes has no label in 1 rows",
    ),
    "classes of several types": (
        lambda m: m.set_params(learning_rate="constant").partial_fit(X, Y, [0, "a"]),
        "^classes holds labels of the types int, str",
    ),
    "X_val of another width": (
        lambda m: m.fit(X, Y, X_val=X[:, :2], y_val=Y),
        "X has 2 features, but MLPSoftmaxClassifier is expecting 4",
    ),
    "X_val of other columns": (
        lambda m: m.fit(FRAME, Y, X_val=FRAME[["a", "c", "b", "d"]], y_val=Y),
        "feature names should match",
    ),
    "partial_fit without classes": (
        lambda m: m.set_params(learning_rate="constant").partial_fit(X, Y),
        "classes must be passed on the first call",
    ),
    "partial_fit with one class": (
        lambda m: m.set_params(learning_rate="constant").partial_fit(X, Y, [0]),
        "at least 2 classes, but classes has only",
    ),
    "partial_fit with a label unseen": (
        lambda m: m.set_params(learning_rate="constant").partial_fit(X, Y, [0, 1]),
        r"y contains \[2\], but the classes are \[0, 1\]",
    ),
    "partial_fit with a planned schedule": (
        lambda m: m.partial_fit(X, Y, [0, 1, 2]),
        "partial_fit knows no last epoch",
    ),
    "partial_fit with balanced weights": (
        lambda m: m.set_params(class_weight="balanced").partial_fit(X, Y, [0, 1, 2]),
        'does not support class_weight="balanced"',
    ),
    "class_weight of an unknown label": (
        lambda m: m.set_params(class_weight={5: 1.0}).fit(X, Y),
        r"class_weight names \[5\], but the classes are \[0, 1, 2\]",
    ),
    "negative class weight": (
        lambda m: m.set_params(class_weight={0: -1.0}).fit(X, Y),
        r"class_weight must hold finite non-negative numbers, got -1\.0",
    ),
}

PARAMS = {
    "zero units": ({"hidden_layer_sizes": (5, 0)}, r"must be > 0.*\(5, 0\)"),
    "half a unit": ({"hidden_layer_sizes": (2.5,)}, "one whole number per hidden"),
    "unknown activation": ({"activation": "rlu"}, "'activation' parameter"),
    "unknown activation in a list": (
        {"activation": ["rlu"]},
        r'choose from elu, gelu.*Did you mean "relu"',
    ),
    "class that is no activation": ({"activation": [dict]}, "unknown activation"),
    "too many activations": (
        {"activation": ["relu", "tanh"]},
        "activation has 2 entries, but hidden_layer_sizes has 1",
    ),
    "too many dropouts": ({"dropout": [0.1, 0.1]}, "dropout has 2 entries"),
    "dropout of 1": ({"dropout": [1.0]}, r"dropout must be in \[0, 1\)"),
    "dropout with lbfgs": ({"dropout": 0.1, "solver": "lbfgs"}, "loss random"),
    "negative alpha": ({"alpha": -1}, "'alpha' parameter"),
    "unknown solver": ({"solver": "newton"}, "'solver' parameter"),
    "unknown scorer": ({"scoring": "acuracy"}, "'scoring' parameter"),
    "unknown dtype": ({"dtype": "float16"}, "'dtype' parameter"),
}


@pytest.mark.parametrize("case", FIT)
def test_fit_says_what_is_wrong(case):
    call, message = FIT[case]
    with pytest.raises((ValueError, TypeError), match=message):
        call(quick())


@pytest.mark.parametrize("table", [FRAME.to_dict("list"), b"X", {1, 2}, 3])
def test_score_of_what_is_no_table_says_what_is_wrong_with_x(table):
    model = quick().fit(FRAME, Y)
    with pytest.raises(TypeError, match=r"^expected a table as X, got"):
        model.score(table, Y)


@pytest.mark.parametrize("case", PARAMS)
def test_fit_says_which_parameter_is_wrong(case):
    params, message = PARAMS[case]
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(X, Y)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("case", sorted(FIT.keys() - {"partial_fit without classes"}))
def test_a_fitted_estimator_that_fails_to_refit_stays_as_it_was(case):
    call, _ = FIT[case]
    assert_stays_as_it_was(quick().fit(FRAME, Y), call)


@pytest.mark.parametrize("case", PARAMS)
def test_a_fitted_estimator_with_bad_parameters_stays_as_it_was(case):
    params, _ = PARAMS[case]
    # narrower rows as well: their width must not stick
    assert_stays_as_it_was(
        quick().fit(FRAME, Y), lambda m: m.set_params(**params).fit(X[:, :2], Y)
    )


def assert_stays_as_it_was(model, call):
    before = vars(model).copy()
    weights = model.parameters_.copy()
    with pytest.raises((ValueError, TypeError)):
        call(model)
    model.set_params(**{name: before[name] for name in model.get_params()})
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
    assert_array_equal(model.parameters_, weights)
    assert model.predict(FRAME).shape == (150,)


def test_predict_says_which_columns_are_wrong():
    model = quick().fit(FRAME, Y)
    with pytest.raises(ValueError, match=r"Feature names unseen at fit time:\n- e"):
        model.predict(FRAME.rename(columns={"b": "e"}))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(FRAME[["b", "a", "c", "d"]])
    with pytest.raises(ValueError, match="missing:\n- d"):
        model.predict_proba(FRAME.drop(columns="d"))
    with pytest.raises(ValueError, match=r"has 3 features.*expecting 4"):
        quick().fit(X, Y).predict(X[:, :3])
    straight = quick(preprocessing=None).fit(FRAME, Y)
    with pytest.raises(ValueError, match="X contains NaN"):
        straight.predict(FRAME.replace(FRAME.iloc[0, 0], np.nan))


def test_an_unfitted_estimator_says_so():
    for method in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(quick(), method)(X)
    assert not hasattr(quick(), "coefs_")
    assert not hasattr(quick(), "n_iter_")
    assert not hasattr(quick(solver="lbfgs"), "partial_fit")


def test_weights_can_not_go_on_in_another_network():
    model = quick(warm_start=True).fit(X, Y)
    message = re.escape("(100,)") + ".*" + re.escape("(7,)") + ".*warm_start=False"
    with pytest.raises(ValueError, match=message):
        model.set_params(hidden_layer_sizes=(7,)).fit(X, Y)


def test_an_activation_that_fails_leaves_the_estimator_as_it_was():
    class Broken(Activation):
        def value(self, z, out, p):
            raise ArithmeticError("no value today")

    model = quick().fit(X, Y)
    before = model.parameters_
    with pytest.raises(ArithmeticError, match="no value today"):
        model.set_params(activation=Broken()).fit(X, Y)
    assert model.parameters_ is before


def test_a_fold_may_lack_a_class_that_has_a_weight():
    model = quick(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).fit(X[:100], Y[:100])
    assert_array_equal(model.classes_, [0, 1])


# Rows that are elsewhere


LAZY_FRAME = dd.from_map(lambda part: 1 / 0, [0], meta=FRAME)
LAZY_Y = dd.from_map(lambda part: 1 / 0, [0], meta=pd.Series(Y, name="kind"))
DOORS = {
    "X of fit": (lambda m: m.fit(LAZY_FRAME, Y), "X"),
    "y of fit": (lambda m: m.fit(FRAME, LAZY_Y), "y"),
    "sample_weight of fit": (lambda m: m.fit(FRAME, Y, LAZY_Y), "sample_weight"),
    "X_val": (lambda m: m.fit(FRAME, Y, X_val=LAZY_FRAME, y_val=Y), "X_val"),
    "y_val": (lambda m: m.fit(FRAME, Y, X_val=FRAME, y_val=LAZY_Y), "y_val"),
    "sample_weight_val": (
        lambda m: m.fit(FRAME, Y, X_val=FRAME, y_val=Y, sample_weight_val=LAZY_Y),
        "sample_weight_val",
    ),
    "X of partial_fit": (lambda m: in_parts(m).partial_fit(LAZY_FRAME, Y, [0, 1]), "X"),
    "y of partial_fit": (lambda m: in_parts(m).partial_fit(FRAME, LAZY_Y, [0, 1]), "y"),
    "X of predict": (lambda m: m.fit(FRAME, Y).predict(LAZY_FRAME), "X"),
    "X without an encoder": (
        lambda m: straight(m).fit(FRAME, Y).predict_proba(LAZY_FRAME),
        "X",
    ),
    "X of the encoder": (lambda m: TableEncoder().fit(LAZY_FRAME), "X"),
    "y of the encoder": (lambda m: TableEncoder().fit(FRAME, LAZY_Y), "y"),
    "X of a fitted encoder": (
        lambda m: TableEncoder().fit(FRAME).transform(LAZY_FRAME),
        "X",
    ),
}


def in_parts(model):
    return model.set_params(learning_rate="constant")


@pytest.mark.parametrize("door", DOORS)
def test_lazy_rows_are_refused_by_name_and_never_computed(door):
    call, name = DOORS[door]
    with pytest.raises(
        TypeError, match=rf"^expected .* as {name}, got .* dask .*compute\(\)"
    ):
        call(quick())


def test_lazy_held_out_rows_are_refused_before_a_checkpoint_reads_them(tmp_path):
    model = quick(checkpoint=tmp_path / "fit.npz")
    with pytest.raises(TypeError, match=r"^expected .* as X_val, got the lazy"):
        model.fit(FRAME, Y, X_val=LAZY_FRAME, y_val=Y)
