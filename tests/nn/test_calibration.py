"""The temperature: found again where it is known, and careful where rows are few."""

import numpy as np
import pytest

from skmlp.nn.calibration import best_temperature
from skmlp.nn.losses import softmax


def test_the_best_temperature_undoes_what_was_done_to_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    cumulated = softmax(logits.copy()).cumsum(axis=1)
    codes = (cumulated < rng.random((len(logits), 1))).sum(axis=1)
    for factor in (0.25, 1.0, 5.0):
        found = best_temperature(logits * factor, codes)
        assert found == pytest.approx(factor, rel=0.03)
        weight = np.ones(len(codes))
        weight[:10_000] = 0
        part = best_temperature(logits[10_000:] * factor, codes[10_000:])
        weighted = best_temperature(logits * factor, codes, weight)
        assert weighted == pytest.approx(part, rel=1e-3)


def test_few_rows_that_are_all_right_do_not_make_a_network_infallible():
    logits = np.array([[2.0, 0.0], [0.0, 2.0]] * 20)
    codes = np.array([0, 1] * 20)
    assert 0.5 < best_temperature(logits, codes) < 1
    many = best_temperature(np.tile(logits, (1000, 1)), np.tile(codes, 1000))
    assert many < 0.3


def test_a_stack_gets_the_temperature_of_its_mean_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 50, 4))
    mean = softmax(logits.copy()).mean(axis=0)
    codes = rng.integers(4, size=50)
    assert best_temperature(logits.copy(), codes) == pytest.approx(
        best_temperature(np.log(mean), codes)
    )
