"""Softmax cross-entropy against scipy's and scikit-learn's, and finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from sklearn.metrics import log_loss

from skmlp.nn.losses import (
    SoftmaxCrossEntropy,
    compute_probabilities,
    log_probabilities,
    softmax,
)

N_SAMPLES, N_CLASSES = 12, 4
SMOOTHINGS = [0.0, 0.1, 0.6]


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(scale=3, size=(N_SAMPLES, N_CLASSES))


@pytest.fixture
def y_encoded():
    # the last class has no row
    return np.random.default_rng(1).integers(N_CLASSES - 1, size=N_SAMPLES)


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def sample_weight(request):
    if not request.param:
        return None
    sample_weight = np.random.default_rng(2).uniform(0, 3, N_SAMPLES)
    sample_weight[0] = 0
    return sample_weight


def one_hot_loss(logits, y_encoded, sample_weight, smoothing):
    """The formula as it is written in papers, with the targets spread out."""
    n_classes = logits.shape[1]
    targets = (1 - smoothing) * np.eye(n_classes)[y_encoded] + smoothing / n_classes
    losses = -(targets * special.log_softmax(logits, axis=1)).sum(axis=1)
    return float(np.mean(losses if sample_weight is None else sample_weight * losses))


def test_agrees_with_scikit_learn(logits, y_encoded, sample_weight):
    value = SoftmaxCrossEntropy().value(logits.copy(), y_encoded, sample_weight)
    expected = log_loss(
        y_encoded,
        special.softmax(logits, axis=1),
        sample_weight=sample_weight,
        normalize=False,
        labels=range(N_CLASSES),
    )
    assert value == pytest.approx(expected / N_SAMPLES, rel=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_agrees_with_the_one_hot_formula(logits, y_encoded, sample_weight, smoothing):
    loss = SoftmaxCrossEntropy(smoothing)
    expected = one_hot_loss(logits, y_encoded, sample_weight, smoothing)
    assert loss.value(logits.copy(), y_encoded, sample_weight) == pytest.approx(
        expected, 1e-12
    )
    value, _ = loss.loss_and_grad(logits.copy(), y_encoded, sample_weight)
    assert value == pytest.approx(expected, 1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_delta_is_the_slope_of_the_loss(
    logits, y_encoded, sample_weight, smoothing, central_differences, relative_error
):
    expected = central_differences(
        lambda z: one_hot_loss(z, y_encoded, sample_weight, smoothing), logits
    )
    _, grad = SoftmaxCrossEntropy(smoothing).loss_and_grad(
        logits, y_encoded, sample_weight
    )
    assert relative_error(grad, expected) < 1e-8


def test_delta_takes_the_place_of_column_by_column_logits(logits, y_encoded):
    columns = np.asfortranarray(logits)
    _, grad = SoftmaxCrossEntropy(0.1).loss_and_grad(columns, y_encoded)
    assert np.shares_memory(grad, columns)


def test_column_by_column_logits_give_the_same(logits, y_encoded, sample_weight):
    loss = SoftmaxCrossEntropy(0.1)
    columns = np.asfortranarray(logits)
    by_row, row_delta = loss.loss_and_grad(logits, y_encoded, sample_weight)
    by_column, column_delta = loss.loss_and_grad(columns, y_encoded, sample_weight)
    assert by_column == pytest.approx(by_row, rel=1e-14)
    assert_allclose(column_delta, row_delta, rtol=1e-12)


def test_rows_and_weights_are_left_alone(logits, y_encoded, sample_weight):
    before = y_encoded.copy(), None if sample_weight is None else sample_weight.copy()
    SoftmaxCrossEntropy(0.1).loss_and_grad(logits, y_encoded, sample_weight)
    assert_array_equal(y_encoded, before[0])
    assert_array_equal(sample_weight, before[1])


def test_float32_stays_float32(logits, y_encoded, sample_weight):
    expected = one_hot_loss(logits, y_encoded, sample_weight, 0.1)
    logits = logits.astype(np.float32)
    value, grad = SoftmaxCrossEntropy(0.1).loss_and_grad(
        logits, y_encoded, sample_weight
    )
    assert type(value) is float
    assert grad.dtype == np.float32
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "sample_weight", [None, np.ones(1001, np.float32)], ids=["unweighted", "ones"]
)
def test_one_large_loss_does_not_swallow_many_small_ones(sample_weight):
    # in float32 the numbers around 1e8 are 8 apart
    logits = np.zeros((1001, 2), np.float32)
    logits[0, 1] = 1e8
    value = SoftmaxCrossEntropy().value(logits, np.zeros(1001, int), sample_weight)
    assert value * 1001 - 1e8 == pytest.approx(1000 * np.log(2), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_huge_logits_give_finite_numbers(dtype, smoothing):
    logits = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [-1e4] * 3, [1e4] * 3], dtype)
    y_encoded = np.array([0, 1, 2, 2])
    expected = one_hot_loss(logits.astype(np.float64), y_encoded, None, smoothing)
    value, grad = SoftmaxCrossEntropy(smoothing).loss_and_grad(logits, y_encoded)
    assert value == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(grad).all()
    assert_allclose(grad.sum(axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_agrees_with_scipy_in_the_memory_of_the_logits(logits, dtype):
    logits = np.vstack([logits, [[1e4, -1e4, 0, 0]]]).astype(dtype)
    expected = special.softmax(logits.astype(np.float64), axis=1)
    probabilities = softmax(logits)
    assert probabilities is logits
    eps = np.finfo(dtype).eps
    assert_allclose(probabilities, expected, rtol=20 * eps, atol=eps)
    assert_allclose(probabilities.sum(axis=1), 1, rtol=4 * eps)


def test_a_stack_is_judged_by_the_mean_of_its_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 50, 4))
    mean = softmax(logits.copy()).mean(axis=0)
    assert_allclose(compute_probabilities(logits.copy()), mean, rtol=1e-12)
    sharper = mean**2 / (mean**2).sum(axis=1, keepdims=True)
    assert_allclose(compute_probabilities(logits.copy(), 0.5), sharper, rtol=1e-10)


def test_networks_of_a_stack_count_for_their_shares():
    logits = np.random.default_rng(0).normal(size=(3, 50, 4))
    ensemble_weights = np.array([0.5, 0.1, 0.4])
    mean = np.tensordot(ensemble_weights, softmax(logits.copy()), axes=1)
    given = compute_probabilities(logits.copy(), ensemble_weights=ensemble_weights)
    assert_allclose(given, mean, rtol=1e-12)
    sharper = mean**2 / (mean**2).sum(axis=1, keepdims=True)
    tempered = compute_probabilities(logits.copy(), 0.5, ensemble_weights)
    assert_allclose(tempered, sharper, rtol=1e-10)
    equal = compute_probabilities(logits.copy(), ensemble_weights=np.full(3, 1 / 3))
    assert_allclose(equal, compute_probabilities(logits.copy()), rtol=1e-12)
    alone = compute_probabilities(
        logits.copy(), ensemble_weights=np.array([0.0, 1.0, 0.0])
    )
    assert_allclose(alone, softmax(logits[1].copy()), rtol=1e-12)


@pytest.mark.parametrize("n_members", [2, 7, 20])
def test_shares_of_a_stack_leave_the_type_and_each_rows_digits(n_members):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n_members, 33, 5)).astype(np.float32)
    ensemble_weights = rng.dirichlet(np.ones(n_members))
    of_all = compute_probabilities(logits.copy(), 1.3, ensemble_weights)
    assert of_all.dtype == np.float32
    for start in range(33):
        for n_rows in (1, 2, 3):
            rows = slice(start, start + n_rows)
            part = compute_probabilities(logits[:, rows].copy(), 1.3, ensemble_weights)
            assert_array_equal(part, of_all[rows])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logarithm_of_0_is_finite_and_others_are_as_they_are(dtype):
    probabilities = np.array([0.0, 0.25, 1.0], dtype)
    found = log_probabilities(probabilities)
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert_allclose(found[1:], np.log([0.25, 1.0]), rtol=1e-6)
    assert found[0] == found.min()
    assert_array_equal(probabilities, np.array([0.0, 0.25, 1.0], dtype))


def test_probabilities_of_0_in_a_stack_stay_finite():
    logits = np.array([[[0.0, -2000.0]], [[0.0, -1000.0]]], dtype=np.float32)
    probabilities = compute_probabilities(logits, 0.7)
    assert_allclose(probabilities, [[1, 0]], atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 11, 40, 200])
def test_a_lone_row_gets_the_probabilities_that_it_gets_among_others(n_classes):
    logits = np.random.default_rng(0).normal(size=(33, n_classes)).astype("float32")
    of_all = softmax(logits.copy())
    for start in range(33):
        for n_rows in (1, 2, 3):
            rows = slice(start, start + n_rows)
            assert_array_equal(softmax(logits[rows].copy()), of_all[rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_deltas_of_classes_ruled_out_are_neither_lost_nor_subnormal(dtype):
    logits = np.array([[0, -95, -720, -1e4]], dtype)
    value, grad = SoftmaxCrossEntropy().loss_and_grad(logits, np.array([0]))
    assert value == 0
    assert grad[0, 1:].min() > np.sqrt(np.finfo(dtype).tiny)
    assert grad[0, 1:].max() < np.finfo(dtype).eps
