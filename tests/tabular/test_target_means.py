"""Target means: drawn to the overall mean, and cross-fitted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.tabular import target_means as module
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import (
    Target,
    TargetMeans,
    TrainingRows,
    _compute_priors,
    _shrink_means,
    is_informative,
)

ALL = TrainingRows.from_weight(None)


def make_target(numbers, labels=(), folds=None):
    return Target(
        numbers, labels, np.arange(len(numbers)) % 5 if folds is None else folds
    )


def smooth_clip(z):
    return z / np.sqrt(1 + (np.asarray(z) / 3) ** 2)


@pytest.mark.parametrize(
    ("weight", "places", "kept"),
    [
        ([1.0, 2.0, 1.0], slice(None), [1, 2, 1]),
        ([0.0, 2.0, 1.0], [1, 2], [2, 1]),
        ([1.0, 0.0, 1.0], [0, 2], None),
    ],
    ids=["all count", "some count", "all that count are the same"],
)
def test_rows_are_those_of_positive_weight(weight, places, kept):
    rows = TrainingRows.from_weight(np.array(weight))
    assert_array_equal(rows.indices, places)
    assert_array_equal(rows.weight, kept)


def test_to_full_weight_is_zero_where_a_row_does_not_count():
    for weight in ([1.0, 2.0], [0.0, 2.0], [0.0, 1.0]):
        assert (
            TrainingRows.from_weight(np.array(weight)).to_full_weight(2).tolist()
            == weight
        )
    assert ALL.to_full_weight(2).tolist() == [1, 1]


def test_without_weights_all_rows_count():
    assert TrainingRows.from_weight(None) == (slice(None), None)


def test_columns_of_a_target():
    codes = np.array([0, 1, 2, 1])
    assert_array_equal(list(make_target(codes).columns()), [codes])
    assert_array_equal(
        list(make_target(codes, list("xyz")).columns()),
        [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]],
    )
    # of two classes, whether a row is of the second
    assert_array_equal(
        list(make_target(codes % 2, list("xy")).columns()), [[0, 1, 0, 1]]
    )


def test_overall_means_are_weighted():
    target = make_target(np.array([0.0, 1.0, 3.0, 9.0]))
    assert _compute_priors(target, ALL) == [13 / 4]
    assert _compute_priors(
        target, TrainingRows.from_weight(np.array([1.0, 1, 2, 0]))
    ) == [7 / 4]


def test_a_value_seen_once_and_an_unknown_one_say_nothing(monkeypatch):
    monkeypatch.setattr(module, "is_informative", lambda *args: True)
    codes, fitted = np.array([0] * 10 + [1]), TargetMeans()
    fitted.fit(codes, 2, make_target(np.where(codes == 0, 1.0, 0.0)), ALL)
    # the prior is 10 / 11 and the mean of the first, half the way to 1, is 21 / 22; all
    # quartiles are that, so that half the range between the two is the scale
    assert fitted.labels == ["target"]
    assert_allclose(fitted.table[:, 0], smooth_clip([0, -2, -2]), atol=1e-12)
    out = np.empty((3, 1))
    fitted.write(np.array([2, 0, 1]), out)
    assert_array_equal(out, fitted.table[[2, 0, 1]])


def cross_fit(codes, target, weight=None):
    """Cross-fitted means whose numbers are only clipped."""
    means, scale = TargetMeans(), SmoothScale()
    means.labels = target.names
    means.table = np.arange(codes.max() + 2.0)[:, np.newaxis]
    scale.fit([np.array([-1.0, 0.0, 1.0])], None)
    assert (scale.center, scale.scale) == ([0], [2])
    scale.scale[:] = 1
    rows = TrainingRows.from_weight(weight)
    priors = _compute_priors(target, rows)
    return means._cross_fit(codes, target, rows, priors, scale)[:, 0]


def test_cross_fitted_means_are_of_the_other_folds():
    codes, numbers = np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 1.0, 1.0])
    target = make_target(numbers, folds=np.array([0, 1, 0, 1]))
    # each category has one row in the other fold: a part of 1 / 11 of the way from the
    # mean of all rows, 3 / 4, to its number
    means = [3 / 4 + 1 / 44, 3 / 4 - 3 / 44, 3 / 4 + 1 / 44, 3 / 4 + 1 / 44]
    assert_allclose(cross_fit(codes, target), smooth_clip(means))


def test_cross_fitted_means_are_those_of_unknown_values_where_no_row_is_left():
    target = make_target(np.array([0.0, 1.0, 1.0]), folds=np.array([0, 0, 1]))
    found = cross_fit(np.zeros(3, int), target, np.array([1.0, 1, 0]))
    # outside of the first fold there is but one row of weight 0
    assert_array_equal(found[:2], 1)
    assert_allclose(found[2], smooth_clip(1 / 2))


def test_is_informative_if_estimates_agree_beyond_chance():
    rng = np.random.default_rng(0)
    y, folds = rng.integers(0, 3, 300), np.arange(300) % 5
    target, noise = make_target(y, list("abc"), folds), rng.normal(size=(300, 3))
    signal, before = np.eye(3)[y], noise.copy()
    assert not is_informative(noise, target, ALL)
    assert is_informative(noise + signal, target, ALL)
    assert not is_informative(noise - signal, target, ALL)
    assert not is_informative(np.zeros((300, 3)), target, ALL)
    assert_array_equal(noise, before)
    numbers = make_target(noise[:, 0], folds=folds)
    assert is_informative(noise[:, :1] + signal[:, :1], numbers, ALL)


def test_is_informative_heeds_rows_that_count_alone():
    y, folds = np.arange(200) % 2, np.arange(200) // 2 % 5
    target, estimates = make_target(y, ["x", "y"], folds), np.where(y, 1.0, -1.0)
    estimates[:100] *= -1
    weight = np.ones(200)
    assert not is_informative(
        estimates[:, np.newaxis], target, TrainingRows.from_weight(weight)
    )
    weight[:100] = 0
    assert is_informative(
        estimates[:, np.newaxis], target, TrainingRows.from_weight(weight)
    )


def test_target_means_of_noise_are_zero():
    codes = np.random.default_rng(0).integers(0, 60, 300)
    noise = np.random.default_rng(1).integers(0, 2, 300)
    for y, is_noise in ((noise, True), (codes % 2, False)):
        fitted = TargetMeans()
        estimates = fitted.fit(codes, 60, make_target(y, ["x", "y"]), ALL)
        assert (not estimates.any()) == (not fitted.table.any()) == is_noise


def test_target_means_are_drawn_to_the_overall_mean():
    codes = np.repeat([0, 1, 2], [40, 10, 2])
    values = np.where(codes == 0, 0.0, 1.0)
    prior = values.mean()
    means = _shrink_means(codes, 3, make_target(values), ALL, [prior])[:, 0]
    share = np.array([40, 10, 2]) / (np.array([40, 10, 2]) + 10)
    expected = share * [0, 1, 1] + (1 - share) * prior
    assert_allclose(means, [*expected, prior])


def test_two_classes_need_one_mean_and_more_one_each():
    codes = np.array([0, 1])
    assert make_target(codes, ["x", "y"]).names == ["target_y"]
    assert make_target(codes, list("xyz")).names == ["target_x", "target_y", "target_z"]
    assert make_target(np.array([0.5, 1])).names == ["target"]


def test_a_row_has_no_part_in_its_own_target_mean():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, 40)
    values = rng.normal(size=40)
    folds = np.arange(40) % 5
    changed = values.copy()
    changes = rng.normal(size=8)
    # the mean of all rows, which is the same for each of them, is to stay
    changed[folds == 2] += changes - changes.mean()
    written = [
        cross_fit(codes, make_target(labels, folds=folds))
        for labels in (values, changed)
    ]
    is_same = np.isclose(written[0], written[1], rtol=1e-12)
    has_changed = np.isin(codes, codes[folds == 2]) & (folds != 2)
    assert_array_equal(is_same, ~has_changed)
    assert has_changed.sum() > 10


def test_weights_count_as_rows_in_target_means():
    rng = np.random.default_rng(0)
    codes, values = rng.integers(0, 4, 30), rng.normal(size=30)
    weight = rng.integers(0, 3, 30)
    rows = TrainingRows.from_weight(weight.astype(float))
    weighted = _shrink_means(codes, 4, make_target(values), rows, [0.5])
    repeated = _shrink_means(
        np.repeat(codes, weight), 4, make_target(np.repeat(values, weight)), ALL, [0.5]
    )
    assert_allclose(weighted, repeated)
