"""Labels to class indices, and weights of rows."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from skmlp.data.targets import (
    _compute_row_weights,
    check_labels,
    compute_accuracy,
    compute_class_weights,
    encode_labels,
    has_same_labels,
    is_unknown_to_sklearn,
)

INDICATOR = np.array([[1, 0, 1], [0, 1, 1]])


@pytest.mark.parametrize(
    "y",
    [
        ["b", "a", "b"],
        [3, 1, 3],
        [1.0, 2.0, 1.0],
        [True, False, True],
        np.array(["b", "a", "b"], dtype=object),
        pd.Series(["b", "a", "b"], dtype="category", index=[7, 8, 9]),
        pd.Series(["b", "a", "b"], dtype="string"),
    ],
    ids=lambda y: f"{type(y).__name__} of {type(next(iter(y))).__name__}",
)
def test_labels_of_any_kind_come_back_as_one_column(y):
    checked = check_labels(y)
    assert isinstance(checked, np.ndarray)
    assert_array_equal(checked, np.asarray(y))


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        y = check_labels(np.array([["a"], ["b"]]))
    assert_array_equal(y, ["a", "b"])


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (INDICATOR, "multilabel-indicator"),
        (sparse.csr_matrix(INDICATOR), "multilabel-indicator"),
        (np.array([[1, 2], [3, 1], [2, 2]]), "multiclass-multioutput"),
    ],
    ids=["multilabel", "sparse multilabel", "multioutput"],
)
def test_several_labels_per_row_are_explained(y, kind):
    with pytest.raises(ValueError, match="exactly one label") as error:
        check_labels(y)
    assert repr(kind) in str(error.value)
    assert str(y.shape) in str(error.value)
    assert "MultiOutputClassifier" in str(error.value)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.5, 1.25, 3.1], "continuous"),
        (np.array([0.5, 2**53 + 1], dtype=object), "continuous"),
        ([0.0, np.inf, 1.0], "infinity"),
        ([0.0, np.nan, 1.0], "no label in 1 rows"),
        (np.array(["a", None, "b"], dtype=object), "no label in 1 rows"),
        (np.array(["a", np.nan], dtype=object), "no label in 1 rows"),
        (np.array(["a", 1, "b"], dtype=object), "types int, str"),
        (["a", 1, "b"], "types int, str"),
    ],
    ids=str,
)
def test_labels_that_are_none_are_explained(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y)


@pytest.mark.parametrize(
    "y",
    [
        [0.5, 1.25],
        ["a", 1],
        ["a", None],
        INDICATOR,
        np.array([["a", 1]], dtype=object),
        [0.0, np.inf, 2.0],
    ],
    ids=str,
)
def test_check_labels_of_validation_rows_never_says_y_alone(y):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_labels(y, "y_val")
    assert not re.search(r"\by\b", str(error.value))


OBJECTS = [
    [Decimal("1.5"), Decimal("0.5"), Decimal("1.5")],
    [Fraction(1, 2), Fraction(1, 3), Fraction(1, 2)],
    [2**70, -(2**70), 2**70],
]


@pytest.mark.parametrize("y", OBJECTS, ids=str)
def test_numbers_that_numpy_has_no_type_for_are_labels(y):
    labels = check_labels(y)
    assert is_unknown_to_sklearn(labels)
    classes, y_encoded = encode_labels(labels)
    assert classes.tolist() == sorted(set(y))
    assert classes[y_encoded].tolist() == y
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert check_labels(labels[:, np.newaxis]).tolist() == y


@pytest.mark.parametrize("y", [["a", "b"], [1, 2], [1.0], [True, False]], ids=str)
def test_scikit_learn_knows_text_and_numbers_of_numpy(y):
    assert not is_unknown_to_sklearn(check_labels(y))
    assert not is_unknown_to_sklearn(np.array(["a"], dtype=object))
    assert not is_unknown_to_sklearn(np.array([], dtype=object))


def test_have_same_labels_whatever_their_types():
    large = np.array([2**63 + 1, 2**63 + 2], np.uint64)
    assert has_same_labels(np.array([0, 1]), np.array([False, True]))
    assert has_same_labels(large, np.array(large.tolist(), dtype=object))
    assert not has_same_labels(large, large.astype(np.float64))
    assert not has_same_labels(np.array(["1"]), np.array([1]))


def test_accuracy_of_counts_rows_by_weight_and_unknown_labels_as_wrong():
    classes = np.array([2**53, 2**53 + 1])
    y = np.array([2**53 + 1, 2**53, 7], dtype=object)
    predicted = np.array([2**53 + 1, 2**53 + 1, 2**53])
    assert compute_accuracy(classes, y, predicted, None) == 1 / 3
    assert compute_accuracy(classes, y, predicted, [2, 1, 1]) == 1 / 2


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["b", "c", "a", "b"], ["a", "b", "c"]),
        ([30, 10, -5], [-5, 10, 30]),
        ([True, False], [False, True]),
    ],
)
def test_codes_are_places_among_the_sorted_classes(y, classes):
    found, y_encoded = encode_labels(np.array(y))
    assert_array_equal(found, classes)
    assert_array_equal(found[y_encoded], y)


def test_codes_follow_given_classes_even_if_some_have_no_row():
    classes, y_encoded = encode_labels(np.array(["d", "b"]), np.array(["d", "a", "b"]))
    assert_array_equal(classes, ["a", "b", "d"])
    assert_array_equal(y_encoded, [2, 1])


def test_unseen_labels_are_named():
    with pytest.raises(ValueError, match=r"y contains \['x', 'z'\]") as error:
        encode_labels(np.array(["a", "z", "x", "z"]), np.array(["a", "b"]))
    assert "['a', 'b']" in str(error.value)


CLASSES = np.array(["a", "b"])
Y = np.array(["a", "a", "a", "b"])
CODES = np.array([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        ({"a": 2, "b": 5}, [2, 5]),
        ({"b": 0}, [1, 0]),
        ({"a": 2, "b": 5, "not in this fold": 7}, [2, 5]),
        ("balanced", [4 / (2 * 3), 4 / (2 * 1)]),
    ],
    ids=["each", "one", "one too many", "balanced"],
)
def test_class_weights_come_in_the_order_of_the_classes(class_weight, expected):
    assert_allclose(compute_class_weights(class_weight, CLASSES, Y), expected)


@pytest.mark.parametrize("y", OBJECTS, ids=str)
def test_class_weights_of_objects_are_found_by_value(y):
    classes, _ = encode_labels(check_labels(y))
    low, high = sorted(set(y))
    labels = np.array(y, dtype=object)
    assert compute_class_weights({low: 3, high: 2}, classes, labels).tolist() == [3, 2]
    assert compute_class_weights("balanced", classes, labels).tolist() == [1.5, 0.75]


def test_class_weights_tell_large_integers_apart():
    classes = np.array([2**53, 2**53 + 2], np.float64)
    with pytest.raises(ValueError, match=r"names \[9007199254740993\]"):
        compute_class_weights({2**53 + 1: 2}, classes, classes)


def test_no_class_weights_are_none():
    assert compute_class_weights(None, CLASSES, Y) is None


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"a": 2, "B": 5}, r"names \['B'\], but the classes are \['a', 'b'\]"),
    ],
)
def test_class_weights_that_make_no_sense_are_errors(class_weight, message):
    with pytest.raises(ValueError, match=message):
        compute_class_weights(class_weight, CLASSES, Y)


def test_no_weights_are_none():
    assert _compute_row_weights(CODES) is None


@pytest.mark.parametrize(
    ("sample_weight", "class_weights", "expected"),
    [
        ([1.0, 0, 2, 3], None, [1, 0, 2, 3]),
        ([1.0, 0, 2, 3], np.array([2.0, 5.0]), [2, 0, 4, 15]),
        (1.5, np.array([2.0, 5.0]), [3, 3, 3, 7.5]),
        (None, np.array([2.0, 0.0]), [2, 2, 2, 0]),
    ],
    ids=["of rows", "both", "one for all rows", "of classes"],
)
def test_class_weights_multiply_sample_weight(sample_weight, class_weights, expected):
    weight = _compute_row_weights(CODES, sample_weight, class_weights)
    assert weight.dtype == np.float64
    assert_allclose(weight, expected)


def test_the_callers_weights_are_never_written():
    sample_weight = np.array([1.0, 2, 3, 4])
    class_weights = np.array([10.0, 20.0])
    _compute_row_weights(CODES, sample_weight, class_weights)
    assert_array_equal(sample_weight, [1, 2, 3, 4])
    assert_array_equal(class_weights, [10, 20])


@pytest.mark.parametrize(
    ("sample_weight", "class_weights", "message"),
    [
        ([1, -1, 1, 1], None, "[Nn]egative"),
        ([0, 0, 0, 0], None, "all weights are zero"),
        ([0, 0, 0, 1], np.array([1.0, 0.0]), "all weights are zero"),
        ([1, 1, 1], None, "shape"),
        ([1, np.nan, 1, 1], None, "NaN"),
    ],
    ids=["negative", "all zero", "zero together", "too few", "NaN"],
)
def test_weights_that_make_no_sense_are_errors(sample_weight, class_weights, message):
    with pytest.raises(ValueError, match=message):
        _compute_row_weights(CODES, sample_weight, class_weights)
