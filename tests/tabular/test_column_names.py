"""Columns whose names are no strings: remembered, and named where they differ."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier, TableEncoder
from skmlp.tabular.frame import format_list

NAMES = {
    "integers": [3, 1, 2],
    "tuples": [("a", 1), ("a", 2), ("b", 1)],
    "dates": [dt.date(2024, 1, day) for day in (1, 2, 3)],
    "timestamps": list(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])),
    "numbers and none": [np.nan, 0.5, 1.5],
}
NUMBERS = np.random.default_rng(0).normal(size=(60, 3)) * [1, 10, 100]
Y = (NUMBERS[:, 0] > 0).astype(int)


def quick(**params):
    return MLPSoftmaxClassifier((4,), n_estimators=1, max_iter=3, **params)


MODELS = {
    "encoder": TableEncoder,
    "auto": quick,
    "none": lambda: quick(preprocessing=None),
    "scaler": lambda: quick(preprocessing=StandardScaler()),
}


def answer(model, X):
    return model.transform(X) if isinstance(model, TableEncoder) else model.predict(X)


def test_messages_show_the_first_values_only():
    assert format_list(np.array([1, 2])) == "[1, 2]"
    assert format_list(np.array(["a", "b", "c"]), most=2) == "['a', 'b', and 1 more]"
    assert format_list(np.arange(10)).endswith(" 9]")


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_what_moved_is_new_or_missing_is_named(make, names):
    table = pd.DataFrame(NUMBERS, columns=names)
    model = make().fit(table, Y)
    expected = answer(model, table)
    assert_array_equal(answer(model, table.copy()), expected)

    first, second, third = table.columns
    with pytest.raises(ValueError, match="in the order of fit") as error:
        answer(model, table[[first, third, second]])
    assert f"Column {third!r} is where {second!r} was" in str(error.value)

    with pytest.raises(ValueError, match="should be those of fit") as error:
        answer(model, table[[first, second]])
    assert f"missing: [{third!r}]; 2 columns in place of 3" in str(error.value)

    renamed = table.set_axis([first, second, 99], axis=1)
    with pytest.raises(ValueError, match=r"new: \[99(\.0)?\]; missing: \["):
        answer(model, renamed)


def test_arrays_have_no_names_to_compare():
    table = pd.DataFrame(NUMBERS)
    model = quick().fit(table, Y)
    assert_array_equal(model.predict(NUMBERS), model.predict(table))
    assert_array_equal(quick().fit(NUMBERS, Y).predict(table[[1, 0, 2]]).shape, (60,))


def test_names_of_a_former_fit_are_forgotten():
    table = pd.DataFrame(NUMBERS, columns=[5, 6, 7])
    for make in MODELS.values():
        model = make().fit(table, Y).fit(pd.DataFrame(NUMBERS, columns=[7, 6, 5]), Y)
        assert len(answer(model, table[[7, 6, 5]])) == len(Y)
    model = quick(preprocessing=None).fit(table, Y).set_params(preprocessing="auto")
    model.fit(NUMBERS, Y)
    assert len(model.predict(table[[7, 6, 5]])) == len(Y)


def test_names_are_checked_wherever_rows_come_later():
    table = pd.DataFrame(NUMBERS)
    swapped = table[[1, 0, 2]]
    with pytest.raises(ValueError, match="in the order of fit"):
        quick().fit(table, Y, X_val=swapped, y_val=Y)
    model = quick(early_stopping=False).partial_fit(table, Y, [0, 1])
    with pytest.raises(ValueError, match="in the order of fit"):
        model.partial_fit(swapped, Y)
    model = quick(warm_start=True).fit(table, Y)
    with pytest.raises(ValueError, match="in the order of fit"):
        model.fit(swapped, Y)


@pytest.mark.parametrize("make", [MODELS["encoder"], MODELS["auto"]])
def test_names_that_come_twice_are_read_by_position(make):
    twice = pd.DataFrame(NUMBERS, columns=["a", "b", "a"])
    seeded = {"random_state": 0}
    outputs = [
        answer(make().set_params(**seeded).fit(X, Y), X) for X in (NUMBERS, twice)
    ]
    assert_array_equal(*outputs)
    with pytest.raises(ValueError, match="should be those of fit"):
        answer(make().fit(twice, Y), twice.set_axis(["a", "a", "a"], axis=1))


def test_names_that_come_twice_need_an_encoder():
    twice = pd.DataFrame(NUMBERS, columns=["a", "b", "a"])
    model = MODELS["none"]()
    try:
        model.fit(twice, Y)
    except ValueError as error:  # not of every scikit-learn
        assert 'Set preprocessing="auto"' in str(error)  # noqa: PT017
