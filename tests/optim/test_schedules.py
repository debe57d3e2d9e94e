"""Schedules: pure functions of progress, with known ends."""

import math
from itertools import pairwise

import pytest

from skmlp.optim.schedules import SCHEDULES

PROGRESS = [step / 997 for step in range(997)]
ENDS = {
    "constant": (1, 1),
    "adaptive": (1, 1),
    "reduce_on_plateau": (1, 1),
    "invscaling": (1, 1001**-0.5),
    "cosine": (1, 0),
    "one_cycle": (1 / 25, 1e-4 / 25),
}


def build(name, **params):
    return SCHEDULES[name](**{"n_epochs": 10, "n_samples": 100} | params)


@pytest.mark.parametrize("name", SCHEDULES)
def test_starts_and_ends_where_it_should(name):
    first, last = ENDS[name]
    schedule = build(name)
    assert schedule(0.0) == pytest.approx(first, rel=1e-12)
    assert schedule(1.0) == pytest.approx(last, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factor_is_positive_and_at_most_one(name):
    schedule = build(name)
    assert all(0 < schedule(progress) <= 1 for progress in PROGRESS)


@pytest.mark.parametrize("name", SCHEDULES)
def test_depends_on_nothing_but_progress(name):
    schedule = build(name)
    forwards = [schedule(progress) for progress in PROGRESS]
    backwards = [schedule(progress) for progress in reversed(PROGRESS)]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("name", SCHEDULES)
def test_does_not_jump_unless_it_goes_by_epochs(name):
    schedule = build(name)
    factors = [schedule(progress) for progress in (*PROGRESS, 1.0)]
    jumps = [abs(b - a) for a, b in pairwise(factors)]
    assert (max(jumps) < 0.01) == (name != "invscaling")


@pytest.mark.parametrize("name", SCHEDULES)
def test_says_whether_it_is_laid_out_for_a_known_number_of_epochs(name):
    schedule = build(name)
    assert schedule.has_fixed_length == (schedule(1.0) < 1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
def test_two_of_them_go_on_after_a_plateau(name):
    is_warm_start = name in {"adaptive", "reduce_on_plateau"}
    assert build(name).plateau_factor == (0.2 if is_warm_start else None)
    # 1e-6 of the learning rate ends the other
    assert build(name).smallest_factor == (0.04 if name == "reduce_on_plateau" else 0)


@pytest.mark.parametrize("n_batches", [1, 3, 7, 10, 49])
@pytest.mark.parametrize("n_epochs", [1, 10, 200])
def test_inverse_scaling_counts_the_samples_before_each_epoch(n_epochs, n_batches):
    schedule = build(
        "invscaling", power_t=0.3, n_epochs=n_epochs, n_samples=64, samples_seen=500
    )
    n_steps = n_epochs * n_batches
    for step in range(n_steps):
        t = 500 + 64 * (step // n_batches)
        assert schedule(step / n_steps) == pytest.approx((t + 1) ** -0.3, rel=1e-12)


def test_cosine_is_half_a_wave():
    schedule = build("cosine")
    assert schedule(0.5) == pytest.approx(0.5)
    assert schedule(1 / 3) == pytest.approx(0.75)


def test_one_cycle_peaks_after_thirty_percent():
    schedule = build("one_cycle")
    assert schedule(0.3) == pytest.approx(1, rel=1e-12)
    assert max(PROGRESS, key=schedule) == pytest.approx(0.3, abs=1e-3)
    assert schedule(0.15) == pytest.approx((1 / 25 + 1) / 2)
    assert schedule(0.65) == pytest.approx((1 + 1e-4 / 25) / 2)
    assert math.isclose(schedule(0.3 - 1e-9), schedule(0.3 + 1e-9))
