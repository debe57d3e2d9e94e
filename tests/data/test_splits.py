"""Which rows are held out, and which the encoder sees."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmlp.data.splits import SplitRole, assign_splits, draw_subset

CODES = np.repeat([0, 1, 2], [600, 300, 1]).astype(np.uint8)


def uses(fraction=0.1, n_to_encoder=100, counts=None, seed=0):
    rng = np.random.default_rng(seed)
    return assign_splits(CODES, counts, fraction, n_to_encoder, rng)


def test_each_class_is_held_out_by_itself():
    validation = CODES[uses() == SplitRole.VALIDATION]
    assert_array_equal(np.bincount(validation), [60, 30])


@pytest.mark.parametrize(("n", "expected"), [(0, 0), (100, 100), (10_000, 811)])
def test_the_encoder_sees_as_many_as_it_is_to(n, expected):
    assert np.sum(uses(n_to_encoder=n) == SplitRole.ENCODER) == expected


def test_rows_that_do_not_count_are_for_nothing():
    counts = np.arange(len(CODES)) % 2 == 0
    found = uses(counts=counts)
    assert_array_equal(found == SplitRole.IGNORED, ~counts)
    assert_array_equal(np.bincount(CODES[found == SplitRole.VALIDATION]), [30, 15])


def test_nothing_is_held_out_if_nothing_is_to_be():
    assert not (uses(fraction=0.0) == SplitRole.VALIDATION).any()


def test_a_class_of_few_rows_stays_in_training():
    assert uses(fraction=0.5)[-1] != SplitRole.VALIDATION


def test_every_row_is_drawn_as_often_as_any_other():
    seen = sum(uses(seed=s) == SplitRole.ENCODER for s in range(300))[:600]
    # 300 draws of a part of 100 / 811 of the nine tenths that are not held out
    assert abs(seen.mean() - 300 * 0.9 * 100 / 811) < 1
    assert seen.std() < 1.15 * np.sqrt(seen.mean())


def test_some_of_are_different():
    found = draw_subset(1000, 300, np.random.default_rng(0))
    assert len(np.unique(found)) == 300
    assert found.min() >= 0
    assert found.max() < 1000
