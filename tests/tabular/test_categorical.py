"""Categories: one-hot, a sign, infrequent and unknown values."""

import copy
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from columns import ALL, column, of_objects
from numpy.testing import assert_array_equal
from sklearn.preprocessing import OneHotEncoder

from skmlp.tabular.categorical import CategoricalBlock
from skmlp.tabular.factorize import factorize
from skmlp.tabular.frame import Column
from skmlp.tabular.target_means import TrainingRows


def fit(found, rows=ALL, target=None, max_categories=40, min_frequency=1):
    fitted = CategoricalBlock(0, max_categories, min_frequency)
    return fitted, fitted.fit(found, factorize(found), rows, target)


def outputs(fitted, found):
    out = np.zeros((len(found.data), len(fitted.labels)))
    fitted.write(fitted.read(found), slice(None), out)
    return out


def test_intervals_are_categories():
    cells = [pd.Interval(1, 2), None, pd.Interval(0, 1), pd.Interval(1, 2)]
    forms = [
        Column(0, "age", pd.arrays.IntervalArray(cells)),
        of_objects(*cells),
        column(cells, "category"),
    ]
    came = [pd.Interval(0, 1), pd.Interval(0, 1, closed="left"), pd.Interval(5, 6)]
    for found in forms:
        fitted, _ = fit(found)
        assert fitted.labels[-1] == "missing"
        assert fitted.known.tolist() == [cells[2], cells[0]]
        for other in forms:
            assert_array_equal(outputs(fitted, other).argmax(axis=1), [1, 2, 0, 1])
        for value, n_ones in zip(came, [1, 0, 0], strict=True):
            unseen = Column(0, "age", pd.arrays.IntervalArray([value]))
            assert outputs(fitted, unseen).sum() == n_ones


def test_two_categories_share_a_signed_output():
    fitted, _ = fit(column(["no", "yes", "no"]))
    assert fitted.labels == ["yes"]
    assert_array_equal(
        outputs(fitted, column(["no", "yes", "?", None]))[:, 0], [-1, 1, 0, 0]
    )


def test_missing_counts_as_a_category():
    fitted, _ = fit(column(["no", None, "no"]))
    assert fitted.labels == ["missing"]
    assert_array_equal(outputs(fitted, column(["no", None, "?"]))[:, 0], [-1, 1, 0])


def test_a_single_category_is_zero():
    fitted, _ = fit(column(["no", "no"]))
    assert_array_equal(outputs(fitted, column(["no", "?"])), [[0], [0]])


def test_three_categories_are_one_hot():
    fitted, _ = fit(column(["c", "a", None, "a"], "category"))
    assert fitted.labels == ["a", "c", "missing"]
    out = outputs(fitted, column(["a", "c", None, "b"], "category"))
    assert_array_equal(out, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize("max_categories", [2, 3, 5, 7, 20])
@pytest.mark.parametrize("min_frequency", [1, 2, 4])
def test_one_hot_agrees_with_scikit_learn(max_categories, min_frequency):
    rng = np.random.default_rng(0)
    found = column([f"v{code}" for code in rng.zipf(1.5, 60).clip(max=15)])
    came = column([f"v{code}" for code in range(18)])
    fitted, _ = fit(found, max_categories=max_categories, min_frequency=min_frequency)
    theirs = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=max_categories,
        min_frequency=min_frequency,
        sparse_output=False,
    ).fit(np.asarray(found.data, dtype=object)[:, None])
    expected = theirs.transform(np.asarray(came.data, dtype=object)[:, None])
    assert_array_equal(outputs(fitted, came), expected)


def test_a_category_of_weight_two_is_not_infrequent():
    found = column(list("aabcd"))
    for weight in [[1, 1, 2, 1, 1], [0.1, 0.1, 2, 0.1, 0.1]]:
        fitted, _ = fit(
            found, TrainingRows.from_weight(np.array(weight)), min_frequency=2
        )
        assert fitted.labels == ["a", "b", "infrequent"]
    fitted, _ = fit(found, TrainingRows.from_weight(np.array([1.0, 1, 0, 0, 1])))
    assert fitted.known.tolist() == ["a", "d"]


def test_values_that_look_alike_stay_apart():
    fitted, _ = fit(of_objects(1, "1", 1.5, ("1",), None))
    assert len(fitted.labels) == 5
    out = outputs(fitted, of_objects("1", 1, None, 1.5, ("1",)))
    assert_array_equal(np.sort(out.argmax(axis=1)), range(5))


def test_equal_lists_are_one_category():
    fitted, _ = fit(of_objects([1], {"a": 1}, [1], [2]))
    out = outputs(fitted, of_objects([2], [1], {"a": 1}, [3], "[1]"))
    assert len(fitted.known) == 3
    assert_array_equal(out.sum(axis=1), [1, 1, 1, 0, 0])


def test_containers_are_sorted_by_their_contents():
    orders = [
        fit(of_objects(*cells))[0].known.tolist()
        for cells in ([{"b"}, {"a"}, ["c"]], [["c"], {"a"}, {"b"}])
    ]
    assert orders[0] == orders[1]


@pytest.mark.parametrize(
    ("fitted", "came", "message"),
    [
        (["a", "b"], [1, 2], "holds numbers, but held text"),
        ([1, 2], ["a", "b"], "holds text, but held numbers"),
        ([True, False], ["a", "b"], "holds text, but held truth values"),
        (["a", "b"], [True, False], "holds truth values, but held text"),
    ],
)
def test_read_refuses_categories_of_another_type(fitted, came, message):
    fitted, _ = fit(column(fitted, "category"))
    with pytest.raises(ValueError, match=message) as error:
        outputs(fitted, column(came, "category"))
    assert "column 'age'" in str(error.value)


def test_truth_values_may_come_as_zero_and_one():
    fitted, _ = fit(column([False, True]))
    assert_array_equal(outputs(fitted, column([1, 0])), [[1], [-1]])
    fitted, _ = fit(column([0, 1]))
    assert_array_equal(outputs(fitted, column([True, False])), [[1], [-1]])


TIMES_BY_FAMILY = {
    "moments": pd.to_datetime(["2024-01-01", "2024-02-03", "2024-02-04"]),
    "durations": pd.to_timedelta([1, 2, 3], unit="h"),
}


TIME_FORMS = {
    "seconds": lambda index: column(index.as_unit("s")),
    "nanoseconds": lambda index: column(index.as_unit("ns")),
    "categories": lambda index: column(index, "category"),
    "pandas objects": lambda index: of_objects(*index),
    "Python objects": lambda index: of_objects(
        *index.as_unit("us").to_numpy().tolist()
    ),
    "NumPy objects": lambda index: of_objects(*index.as_unit("s").to_numpy()),
}


@pytest.mark.parametrize("came", TIME_FORMS)
@pytest.mark.parametrize("fitted", TIME_FORMS)
@pytest.mark.parametrize("family", TIMES_BY_FAMILY)
def test_categories_of_equal_times_are_the_same_in_every_form(family, fitted, came):
    index = TIMES_BY_FAMILY[family]
    fitted, _ = fit(TIME_FORMS[fitted](index))
    assert_array_equal(outputs(fitted, TIME_FORMS[came](index[::-1])), np.eye(3)[::-1])


def test_categories_of_days_as_dates_equal_moments_at_midnight():
    days = [dt.date(2024, 1, day) for day in (1, 2, 3)]
    fitted, _ = fit(of_objects(*days))
    assert_array_equal(outputs(fitted, column(days, "datetime64[s]")), np.eye(3))


def test_categories_of_tuples_are_the_same_in_a_copy():
    fitted, _ = fit(of_objects((1, "a"), (2, "b"), (3, "c")))
    copied = outputs(copy.deepcopy(fitted), of_objects((2, "b"), (1, "a")))
    assert_array_equal(copied, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("dtype", ["int32", "float64", "Int64", "category", object])
def test_categories_are_values_whatever_their_dtype(dtype):
    fitted, _ = fit(column([3, 1, 2]))
    assert_array_equal(
        outputs(fitted, column([2, 1, 3], dtype)), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    )
