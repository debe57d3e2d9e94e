"""Weights of rows: one number per row, of a size that can be summed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.tabular.weights import LARGEST, SMALLEST, check_weights, limit_range


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [1, 1, 1]),
        (2, [2, 2, 2]),
        ([1, 0, 3], [1, 0, 3]),
        (np.array([1, 0, 3], np.float32), [1, 0, 3]),
        (np.ma.array([1, 0, 3], mask=False), [1, 0, 3]),
        (np.ma.array([1.0, 0, 3]), [1, 0, 3]),
    ],
    ids=["none", "a number", "list", "float32", "open mask", "no mask"],
)
def test_one_weight_per_row(given, expected):
    weight = check_weights(given, 3)
    assert weight.dtype == np.float64
    assert_array_equal(weight, expected)


def test_weights_are_a_copy():
    given = np.array([1.0, 2.0])
    check_weights(given, 2)[:] = 0
    assert_array_equal(given, [1, 2])


def test_hidden_weights_are_counted():
    given = np.ma.array([1.0, 2.0, 3.0], mask=[True, False, True])
    with pytest.raises(ValueError, match="hides 2 of its weights"):
        check_weights(given, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 0], "sample_weight must be positive for some row"),
        ([1, -1], "[Nn]egative"),
        ([1, 2, 3], "shape"),
        ([[1, 2]], "1D"),
        ([1, np.inf], "inf"),
    ],
    ids=["all zero", "negative", "too many", "a matrix", "infinite"],
)
def test_weights_that_make_no_sense_are_errors(given, message):
    with pytest.raises(ValueError, match=message):
        check_weights(given, 2)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ([1e200, 5e199, 0], [1e100, 5e99, 0]),
        ([2e-200, 1e-200, 0], [1e-100, 5e-101, 0]),
        ([1e308, 1e8], [1e100, 1e-200]),
        ([5e-324, 0], [1e-100, 0]),
    ],
)
def test_weights_beyond_the_range_keep_their_ratios(weight, expected):
    scaled = limit_range(np.array(weight))
    assert_allclose(scaled, expected, rtol=1e-12)
    assert np.isfinite(scaled.sum() ** 2)


@pytest.mark.parametrize(
    "weight", [[SMALLEST, 0.0], [LARGEST, 1.0], [3.0, 1e-300], [0.0, 0.0], []]
)
def test_weights_of_usual_size_stay_themselves(weight):
    weight = np.array(weight)
    assert limit_range(weight) is weight
