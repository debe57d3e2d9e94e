"""Roles of rows: training, validation, fitting the encoder."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.data.splits import SplitRole, _draw, assign_splits, split_validation

CODES = np.repeat([0, 1, 2], [600, 300, 1]).astype(np.uint8)


def roles(fraction=0.1, n_to_encoder=100, rows=None, seed=0):
    rng = np.random.default_rng(seed)
    return assign_splits(CODES, rows, fraction, n_to_encoder, rng)


def test_each_class_is_held_out_by_itself():
    validation = CODES[roles() == SplitRole.VALIDATION]
    assert_array_equal(np.bincount(validation), [60, 30])


@pytest.mark.parametrize(("n", "expected"), [(0, 0), (100, 100), (10_000, 811)])
def test_the_encoder_sees_as_many_as_it_is_to(n, expected):
    assert np.sum(roles(n_to_encoder=n) == SplitRole.ENCODER) == expected


def test_rows_that_do_not_count_are_for_nothing():
    counts = np.arange(len(CODES)) % 2 == 0
    found = roles(rows=np.flatnonzero(counts))
    assert_array_equal(found == SplitRole.IGNORED, ~counts)
    assert_array_equal(np.bincount(CODES[found == SplitRole.VALIDATION]), [30, 15])


def test_nothing_is_held_out_if_nothing_is_to_be():
    assert not (roles(fraction=0.0) == SplitRole.VALIDATION).any()


def test_a_class_of_few_rows_stays_in_training():
    assert roles(fraction=0.5)[-1] != SplitRole.VALIDATION


def test_every_row_is_drawn_as_often_as_any_other():
    seen = sum(roles(seed=s) == SplitRole.ENCODER for s in range(300))[:600]
    # 300 draws of a part of 100 / 811 of the nine tenths that are not held out
    assert abs(seen.mean() - 300 * 0.9 * 100 / 811) < 1
    assert seen.std() < 1.15 * np.sqrt(seen.mean())


def test_some_of_are_different():
    found = _draw(np.arange(1000), 300, np.random.default_rng(0))
    assert len(np.unique(found)) == 300
    assert found.min() >= 0
    assert found.max() < 1000


# In memory


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
