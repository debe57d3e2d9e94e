"""Labels to codes, weights of rows, and which rows are held out."""

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
    check_labels,
    compute_accuracy,
    compute_class_weights,
    compute_row_weights,
    encode_labels,
    has_same_labels,
    is_unknown_to_sklearn,
    split_validation,
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
    assert compute_row_weights(CODES) is None


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
    weight = compute_row_weights(CODES, sample_weight, class_weights)
    assert weight.dtype == np.float64
    assert_allclose(weight, expected)


def test_the_callers_weights_are_never_written():
    sample_weight = np.array([1.0, 2, 3, 4])
    class_weights = np.array([10.0, 20.0])
    compute_row_weights(CODES, sample_weight, class_weights)
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
        compute_row_weights(CODES, sample_weight, class_weights)


def split(counts, fraction, seed=0):
    """The classes' numbers of rows in either part; checks that none is lost."""
    y_encoded = np.repeat(np.arange(len(counts)), counts)
    y_encoded = np.random.default_rng(99).permutation(y_encoded)
    (rows,), (validation,) = split_validation(
        y_encoded, fraction, np.random.default_rng(seed)
    )
    assert_array_equal(np.sort(np.append(rows, validation)), np.arange(len(y_encoded)))
    return tuple(
        np.bincount(y_encoded[part], minlength=len(counts))
        for part in (rows, validation)
    )


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(
    "counts",
    [(50, 50), (91, 9), (30, 20, 10), (200, 40, 8, 6), (17, 13, 11, 7, 5)],
    ids=str,
)
def test_each_class_gives_its_part_within_a_row(counts, fraction):
    _, validation = split(counts, fraction)
    assert_allclose(validation, np.array(counts) * fraction, atol=1)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_a_class_with_one_row_stays_in_training(fraction):
    rows, validation = split((40, 1, 20), fraction)
    assert rows[1] == 1
    assert validation[0] > 0 < validation[2]


def test_a_class_too_small_for_the_fraction_stays_in_training():
    rows, _ = split((4, 40), fraction=0.1)
    assert rows[0] == 4
    _, validation = split((5, 40), fraction=0.1)
    assert validation[1] == 4


@pytest.mark.parametrize("counts", [(2, 2), (5, 5, 5, 5), (10, 5)], ids=str)
def test_small_tables_hold_out_a_row_of_each_class(counts):
    _, validation = split(counts, fraction=0.25)
    assert (validation >= 1).all()


@pytest.mark.parametrize("fraction", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("counts", [(3, 6, 2), (2, 2, 2), (2, 1), (30, 4)], ids=str)
def test_every_class_keeps_a_row_to_train_on(counts, fraction):
    rows, validation = split(counts, fraction)
    assert (rows >= 1).all()
    assert validation.sum() >= 1


@pytest.mark.parametrize(
    ("counts", "fraction"), [((4, 3), 0.1), ((1, 1), 0.5)], ids=["small", "one each"]
)
def test_where_nothing_can_be_held_out_all_rows_train(counts, fraction):
    rows, validation = split(counts, fraction)
    assert_array_equal(rows, counts)
    assert validation.sum() == 0


@pytest.mark.parametrize("n_members", [2, 5, 8])
@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.5])
def test_members_hold_out_parts_of_one_size_that_overlap_little(n_members, fraction):
    y_encoded = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [101, 40, 7]))
    rng = np.random.default_rng(0)
    rows, validation = split_validation(y_encoded, fraction, rng, n_members)
    assert len(rows) == len(validation) == n_members
    for training, others in zip(rows, validation, strict=True):
        assert_array_equal(
            np.sort(np.append(training, others)), np.arange(len(y_encoded))
        )
        assert_array_equal(
            np.bincount(y_encoded[others]), np.bincount(y_encoded[validation[0]])
        )
    times = np.bincount(validation.ravel(), minlength=len(y_encoded))
    for code in range(3):
        assert np.ptp(times[y_encoded == code]) <= 1 + (code == 2)


@pytest.mark.parametrize("n_members", [1, 3, 5, 12])
@pytest.mark.parametrize("n_folds", [1, 2, 5])
def test_members_take_turns_at_the_folds(n_members, n_folds):
    y_encoded = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [50, 21, 7]))
    rows, validation = split_validation(
        y_encoded, 0.2, np.random.default_rng(0), n_members, n_folds
    )
    assert len(rows) == len(validation) == n_members
    for member in range(n_members - n_folds):
        assert_array_equal(validation[member], validation[member + n_folds])
        assert_array_equal(rows[member], rows[member + n_folds])
    of_folds = {tuple(line) for line in validation}
    assert len(of_folds) == min(n_members, n_folds)


@pytest.mark.parametrize(("fraction", "n_folds"), [(0.2, 5), (0.25, 4), (0.15, 7)])
@pytest.mark.parametrize("counts", [(50, 50), (101, 40), (33, 9, 17)], ids=str)
def test_folds_hold_out_every_row_of_a_class_as_far_as_they_reach(
    counts, fraction, n_folds
):
    y_encoded = np.repeat(np.arange(len(counts) + 1), (*counts, 1))
    y_encoded = np.random.default_rng(1).permutation(y_encoded)
    _, validation = split_validation(
        y_encoded, fraction, np.random.default_rng(0), 2 * n_folds, n_folds
    )
    times = np.bincount(validation[:n_folds].ravel(), minlength=len(y_encoded))
    assert times[y_encoded == len(counts)] == 0, "a class of one row is not split"
    for code, count in enumerate(counts):
        # of a class each fold has the same number, which is rounded
        in_all_folds = n_folds * np.sum(y_encoded[validation[0]] == code)
        of_class = times[y_encoded == code]
        assert abs(in_all_folds - count) <= n_folds
        assert of_class.max() <= 2
        assert np.sum(of_class > 0) == min(count, in_all_folds)


@pytest.mark.parametrize("counts", [(50, 50), (100, 40, 5), (33, 9, 18)], ids=str)
def test_five_folds_of_a_fifth_hold_out_every_row(counts):
    y_encoded = np.repeat(np.arange(len(counts)), counts)
    _, validation = split_validation(y_encoded, 0.2, np.random.default_rng(0), 5, 5)
    assert_array_equal(np.unique(validation), np.arange(len(y_encoded)))


def test_there_are_as_many_folds_as_members_unless_told():
    y_encoded = np.arange(90) % 3
    given, default = (
        split_validation(y_encoded, 0.1, np.random.default_rng(0), 4, n_folds)
        for n_folds in (4, None)
    )
    for one, other in zip(given, default, strict=True):
        assert_array_equal(one, other)


def test_the_held_out_rows_repeat_with_the_seed():
    y_encoded = np.arange(60) % 3
    first, again, other = (
        split_validation(y_encoded, 0.2, np.random.default_rng(seed))[1]
        for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert set(first[0]) != set(other[0])


def test_the_rows_to_train_on_keep_their_order():
    rows, _ = split_validation(np.arange(60) % 3, 0.2, np.random.default_rng(0))
    assert (np.diff(rows) > 0).all()
