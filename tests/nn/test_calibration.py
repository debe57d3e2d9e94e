"""Temperature and shares: found again where known, and careful where rows are few."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from skmlp.nn.calibration import (
    LOG_TEMPERATURE_STD,
    N_PRIOR_ROWS,
    fit_ensemble_weights,
    fit_temperature,
)
from skmlp.nn.losses import softmax


def test_the_best_temperature_undoes_what_was_done_to_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    cumulated = softmax(logits.copy()).cumsum(axis=1)
    y_encoded = (cumulated < rng.random((len(logits), 1))).sum(axis=1)
    for factor in (0.25, 1.0, 5.0):
        found = fit_temperature(logits * factor, y_encoded)
        assert found == pytest.approx(factor, rel=0.03)
        sample_weight = np.ones(len(y_encoded))
        sample_weight[:10_000] = 0
        part = fit_temperature(logits[10_000:] * factor, y_encoded[10_000:])
        weighted = fit_temperature(logits * factor, y_encoded, sample_weight)
        assert weighted == pytest.approx(part, rel=1e-3)


def test_few_rows_that_are_all_right_do_not_make_a_network_infallible():
    logits = np.array([[2.0, 0.0], [0.0, 2.0]] * 20)
    y_encoded = np.array([0, 1] * 20)
    # within what was probable before any row was seen
    smallest = np.exp(-LOG_TEMPERATURE_STD)
    assert smallest < fit_temperature(logits, y_encoded) < 1
    many = fit_temperature(np.tile(logits, (1000, 1)), np.tile(y_encoded, 1000))
    assert many < 0.3 < smallest


def test_logarithms_of_probabilities_do_as_well_as_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4))
    y_encoded = rng.integers(4, size=50)
    log_p = np.log(softmax(logits.copy()))
    assert fit_temperature(log_p, y_encoded) == pytest.approx(
        fit_temperature(logits, y_encoded)
    )


# Shares of a mixture


def some_probabilities(n_samples, n_parts, seed=0):
    """Of a row's class, by parts of which each is right about rows of its own."""
    rng = np.random.default_rng(seed)
    return rng.beta(2, 2 + np.arange(n_parts), size=(n_samples, n_parts))


def most_probable(probabilities, sample_weight):
    """The shares that SciPy finds best on the simplex."""
    n_samples, n_parts = probabilities.shape

    def surprise(ensemble_weights):
        log_p = np.log(probabilities @ ensemble_weights)
        # rows beside those that are seen, which speak for all parts alike
        prior = N_PRIOR_ROWS * np.mean(np.log(ensemble_weights))
        return -(sample_weight @ log_p + prior) / n_samples

    result = minimize(
        surprise,
        np.full(n_parts, 1 / n_parts),
        method="SLSQP",
        bounds=[(1e-9, 1)] * n_parts,
        constraints={
            "type": "eq",
            "fun": lambda ensemble_weights: ensemble_weights.sum() - 1,
        },
        options={"ftol": 1e-13, "maxiter": 500},
    )
    assert result.success
    return result.x, surprise


# SciPy up to 1.14 says so of steps that it clips by itself
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_parts", [2, 4, 7])
@pytest.mark.parametrize("n_samples", [10, 300])
def test_shares_are_the_best_on_the_simplex(n_samples, n_parts, weighted):
    probabilities = some_probabilities(n_samples, n_parts)
    sample_weight = np.random.default_rng(1).uniform(0, 2, n_samples)
    sample_weight = (
        sample_weight / sample_weight.mean() if weighted else np.ones(n_samples)
    )
    expected, surprise = most_probable(probabilities, sample_weight)
    found = fit_ensemble_weights(probabilities, sample_weight if weighted else None)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()
    assert surprise(found) == pytest.approx(surprise(expected), abs=1e-5)
    assert_allclose(found, expected, atol=0.01)


def test_rows_of_weight_2_speak_for_shares_as_rows_that_come_twice():
    probabilities = some_probabilities(60, 3)
    times = np.tile([0, 1, 2], 20)
    repeated = fit_ensemble_weights(np.repeat(probabilities, times, axis=0))
    assert_allclose(fit_ensemble_weights(probabilities, times), repeated, rtol=1e-10)


def test_probabilities_are_left_as_they_were():
    probabilities = some_probabilities(20, 3)
    before = probabilities.copy()
    fit_ensemble_weights(probabilities, np.ones(20))
    assert_array_equal(probabilities, before)


def test_parts_that_say_the_same_get_the_same():
    one, other = some_probabilities(50, 2).T
    ensemble_weights = fit_ensemble_weights(np.stack([one, other, one], axis=1))
    assert ensemble_weights[0] == pytest.approx(ensemble_weights[2])
    assert_array_equal(fit_ensemble_weights(np.stack([one] * 4, axis=1)), [0.25] * 4)


def test_few_rows_move_shares_little_and_many_a_lot():
    rows = np.array([[0.9, 0.1]])
    ensemble_weights = [
        fit_ensemble_weights(np.tile(rows, (n, 1)))[0] for n in (1, 10, 1000)
    ]
    assert (
        0.5
        < ensemble_weights[0]
        < 0.75
        < ensemble_weights[1]
        < 0.95
        < ensemble_weights[2]
        < 1
    )


def test_a_part_that_rules_out_a_class_of_some_rows_does_not_spoil_the_rest():
    smallest = np.finfo(np.float32).tiny
    rows = np.array([[1.0, 0.4]] * 99 + [[smallest, 0.4]])
    ensemble_weights = fit_ensemble_weights(rows)
    assert np.isfinite(ensemble_weights).all()
    assert ensemble_weights[0] > 0.9
