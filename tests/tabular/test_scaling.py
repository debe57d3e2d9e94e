"""SmoothScale: the formula, its quartiles, and the largest and smallest numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skmlp.tabular.scaling import SmoothScale, _compute_quartiles

LARGEST = np.finfo(np.float64).max
SMALLEST = 5e-324


def encode(values, fitted=None, weight=None):
    columns = [np.asarray(values, dtype=np.float64)]
    scale = SmoothScale().fit(columns if fitted is None else [np.array(fitted)], weight)
    return scale.transform(np.array(columns).T)[:, 0]


def formula(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_the_formula():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1000.0])
    # quartiles between 2 and 3, 4 and 5, 6 and 7
    assert_allclose(encode(values), formula((values - 4.5) / 4))


def test_half_the_range_where_the_quartiles_are_equal():
    values = np.array([0.0] * 9 + [10.0])
    assert_allclose(encode(values), [0.0] * 9 + [formula(10 / 5)])


def test_a_constant_becomes_zero_also_where_it_changes_later():
    assert_array_equal(encode([7.0, 8.0, np.inf, np.nan], fitted=[7.0, 7.0]), 0)


def test_missing_is_the_median():
    values = [1.0, np.nan, 2.0, 3.0]
    assert encode(values)[1] == encode(values)[2] == 0


def test_infinite_is_far_but_finite():
    encoded = encode([1.0, 2.0, 3.0, np.inf, -np.inf], fitted=[1.0, 2.0, 3.0])
    assert_allclose(encoded[3:], [3, -3])
    # while fitting, it counts as the largest finite number
    columns = [np.array([1.0, 2.0, 3.0, np.inf]), np.array([1.0, 2.0, 3.0, 3.0])]
    scale = SmoothScale().fit(columns, None)
    assert scale.center[0] == scale.center[1]
    assert scale.scale[0] == scale.scale[1]


@pytest.mark.parametrize(
    "values",
    [
        [LARGEST, -LARGEST, 0.0, 1.0],
        [LARGEST, -LARGEST],
        [LARGEST, -LARGEST, LARGEST, -LARGEST, LARGEST],
        [SMALLEST, 0.0, 0.0, 0.0, 0.0],
        [SMALLEST, 0.0, 2 * SMALLEST],
        [np.inf, -np.inf, np.nan],
        [np.inf, np.inf],
        [np.nan, np.nan],
        [1.0, np.nextafter(1.0, 2.0)],
        [0.0],
    ],
    ids=str,
)
def test_no_number_is_too_large_or_too_small(values):
    encoded = encode(values)
    assert np.isfinite(encoded).all()
    assert (np.abs(encoded) <= 3).all()
    present = np.array(values)[~np.isnan(values)]
    in_order = encoded[~np.isnan(values)][np.argsort(present)]
    assert (np.diff(in_order) >= 0).all()
    finite = present[np.isfinite(present)]
    assert len(np.unique(encoded)) > 1 or len(np.unique(finite)) <= 1


def test_units_do_not_matter():
    values = np.random.default_rng(0).normal(size=999)
    assert_allclose(encode(values * 1000 + 50_000), encode(values), atol=1e-10)
    assert_array_equal(encode(values * 1024), encode(values))


def test_quartiles_are_the_averaged_inverted_distribution():
    rng = np.random.default_rng(0)
    for n_values in range(1, 30):
        values = rng.integers(0, 9, n_values).astype(float)
        expected = np.quantile(
            values, [0.25, 0.5, 0.75], method="averaged_inverted_cdf"
        )
        assert_allclose(_compute_quartiles(values, None), expected)
        assert_allclose(_compute_quartiles(values, np.full(n_values, 0.1)), expected)
        weight = rng.integers(1, 4, n_values)
        repeated = _compute_quartiles(np.repeat(values, weight), None)
        assert _compute_quartiles(values, weight.astype(float)) == repeated


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5, 1.0, 3.0, 1.0]])
def test_sparse_columns_are_scaled_as_dense_ones_but_not_centred(weight):
    dense = np.array([[0, 0, 2, 5], [1, 0, -3, 5], [0, 4, 0, 5]] * 2, dtype=float)
    weight = None if weight is None else np.array(weight)
    scale = SmoothScale().fit_sparse(sparse.csc_array(dense), weight)
    of_dense = SmoothScale().fit(dense.T, weight)
    assert_array_equal(scale.scale, of_dense.scale)
    assert_array_equal(scale.center, 0)
    X = sparse.csr_array(dense)
    encoded = scale.encode_sparse(X, "float32")
    assert encoded.dtype == np.float32
    assert_array_equal(encoded.indices, X.indices)
    expected = formula(dense / scale.scale)
    expected[:, 3] = 0  # constant
    assert_allclose(encoded.toarray(), expected, rtol=1e-6)
    assert_array_equal(scale.transform(dense).astype(np.float32), encoded.toarray())


def test_mean_and_deviation_may_take_the_place_of_quartiles():
    columns = [np.array([1.0, 2.0, 4.0]), np.full(3, 0.1)]
    weight = np.array([1.0, 2.0, 1.0])
    scale = SmoothScale().fit_moments(columns, weight)
    repeated = [1, 2, 2, 4]
    assert_allclose(scale.center, [np.mean(repeated), 0.1])
    assert_allclose(scale.scale, [np.std(repeated), 1])
    assert_array_equal(scale.is_constant, [False, True])
    assert not scale.has_missing.any()


def test_a_part_of_a_scale_encodes_as_the_whole():
    columns = np.random.default_rng(0).normal(size=(3, 20))
    scale = SmoothScale().fit(columns, None)
    part = scale.select(slice(1, None)).transform(columns[1:].T.copy())
    assert_array_equal(part, scale.transform(columns.T)[:, 1:])
