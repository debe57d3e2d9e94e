"""Combining: rows are judged by those alone that were not trained on them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from tasks import CODES, CONFIG, HELD_OUT, X, regression

from skmlp.defaults import MIN_OUT_OF_FOLD_MEMBERS, MemberConfig
from skmlp.ensemble.combining import (
    OutOfFold,
    _fit_temperature,
    _fit_weights,
    _predict_out_of_fold,
    fit_combination,
)
from skmlp.nn.calibration import (
    LOG_TEMPERATURE_STD,
    fit_ensemble_weights,
    fit_temperature,
)
from skmlp.training.batches import Samples

AUTO = CONFIG._replace(temperature="auto", member_weights="auto")


def vectors(n_networks, seed=0):
    """Networks that say different things."""
    return np.random.default_rng(seed).normal(size=(n_networks, 9))


def probabilities(vector, x=X):
    return softmax(x @ vector[:6].reshape(2, 3) + vector[6:], axis=1)


def folds(n_networks, n_folds, weight=None):
    """Held-out rows of networks that take turns at the folds, as they are stored."""
    order = np.random.default_rng(5).permutation(60)
    rows = np.sort(order.reshape(n_folds, -1), axis=1)[np.arange(n_networks) % n_folds]
    return Samples(X, CODES[rows], None if weight is None else weight[rows], rows)


def task_of(kinds, validation, config=AUTO):
    members = [MemberConfig(float(kind), (), 0.0) for kind in kinds]
    return regression(len(kinds), members=members, validation=validation, config=config)


# Who judges


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("kinds", "n_folds"),
    [([0], 1), ([0, 0, 0], 3), ([0, 0, 0, 1, 1, 1], 3), ([0, 0, 1, 1, 0, 0, 1], 2)],
    ids=str,
)
def test_a_row_is_judged_by_those_alone_that_held_it_out(kinds, n_folds, weighted):
    weight = np.random.default_rng(1).uniform(0.5, 2, 60) if weighted else None
    validation = folds(len(kinds), n_folds, weight)
    parameters = vectors(len(kinds))
    judged = _predict_out_of_fold(
        task_of(kinds, validation), parameters, np.array(kinds)
    )
    known = sorted(set(validation.indices.ravel()))
    assert judged.probabilities.shape == (max(kinds) + 1, len(known), 3)
    for place, row in enumerate(known):
        assert judged.y_encoded[place] == CODES[row]
        if weighted:
            assert judged.weight[place] == weight[row]
        for kind in range(max(kinds) + 1):
            judges = [
                number
                for number in range(len(kinds))
                if kinds[number] == kind and row in validation.indices[number]
            ]
            assert judged.n_members[kind, place] == len(judges)
            expected = np.zeros(3)
            for number in judges:
                expected += probabilities(parameters[number], X[[row]])[0] / len(judges)
            assert_allclose(judged.probabilities[kind, place], expected, atol=1e-12)
    assert (judged.weight is None) == (not weighted)


def test_rows_of_ones_own_are_judged_by_all():
    parameters = vectors(4)
    own = HELD_OUT.select_members(0).broadcast_members(4)
    kinds = np.array([0, 0, 1, 1])
    judged = _predict_out_of_fold(task_of(kinds, own), parameters, kinds)
    assert_array_equal(judged.n_members, np.full((2, 15), 2))
    assert_array_equal(judged.y_encoded, CODES[::4])
    for kind in range(2):
        of_kind = [probabilities(one, X[::4]) for one in parameters[kinds == kind]]
        assert_allclose(judged.probabilities[kind], np.mean(of_kind, axis=0))


def test_rows_that_are_taken_weigh_one_on_average():
    weight = np.array([1.0, 2.0, 3.0, 6.0])
    judged = OutOfFold(
        np.arange(24.0).reshape(2, 4, 3),
        np.arange(8).reshape(2, 4),
        np.array([0, 1, 2, 0]),
        weight,
    )
    part = judged.take(np.array([True, False, True, False]))
    assert_array_equal(part.probabilities, judged.probabilities[:, [0, 2]])
    assert_array_equal(part.n_members, judged.n_members[:, [0, 2]])
    assert_array_equal(part.y_encoded, [0, 2])
    assert_array_equal(part.weight, [0.5, 1.5])
    assert judged._replace(weight=None).take(judged.y_encoded == 0).weight is None
    assert judged.take(np.zeros(4, dtype=bool)) is None
    assert_array_equal(weight, [1, 2, 3, 6])


# Shares

TWO_KINDS = [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("kinds", "member_weights", "validation"),
    [
        ([0] * 6, "auto", folds(6, 3)),
        (TWO_KINDS, None, folds(6, 3)),
        (TWO_KINDS, "auto", None),
    ],
    ids=["one kind", "as asked for", "nothing held out"],
)
@pytest.mark.parametrize("temperature", [None, 2.0, "auto"])
def test_shares_are_equal_where_nothing_is_weighed(
    kinds, member_weights, validation, temperature
):
    config = CONFIG._replace(member_weights=member_weights, temperature=temperature)
    ensemble_weights, _ = fit_combination(
        task_of(kinds, validation, config), vectors(6)
    )
    assert_allclose(ensemble_weights, np.full(6, 1 / 6))


def test_networks_of_a_kind_share_alike_what_the_kind_gets():
    parameters = vectors(6)
    validation = folds(6, 3)
    config = AUTO._replace(temperature=None)
    ensemble_weights, temperature = fit_combination(
        task_of(TWO_KINDS, validation, config), parameters
    )
    assert temperature == 1
    of_class = np.empty((60, 2))
    for number, kind in enumerate(TWO_KINDS):
        rows = validation.indices[number]
        p = probabilities(parameters[number], X[rows])
        of_class[rows, kind] = p[np.arange(len(rows)), CODES[rows]]
    expected = fit_ensemble_weights(of_class)
    assert abs(expected[0] - 0.5) > 0.05
    assert_allclose(ensemble_weights, np.repeat(expected / 3, 3))


def test_kinds_with_fewer_networks_are_weighed_as_kinds():
    parameters = vectors(4)
    own = HELD_OUT.select_members(0).broadcast_members(4)
    kinds = np.array([0, 0, 0, 1])
    ensemble_weights, _ = fit_combination(task_of(kinds, own), parameters)
    of_class = [
        np.mean(
            [probabilities(one, X[::4]) for one in parameters[kinds == kind]], axis=0
        )
        for kind in range(2)
    ]
    of_class = np.stack([p[np.arange(15), CODES[::4]] for p in of_class], axis=1)
    first, second = fit_ensemble_weights(of_class)
    assert_allclose(ensemble_weights, [first / 3, first / 3, first / 3, second])


def test_a_kind_that_knows_more_gets_more():
    good, bad = np.array([3.0, 0, -3, 0, 0, 0, 0, 0, 0]), np.zeros(9)
    good[:3] = [-3, 0, 3]  # the class grows with the first number
    own = HELD_OUT.select_members(0).broadcast_members(4)
    ensemble_weights, _ = fit_combination(
        task_of([0, 0, 1, 1], own), np.array([bad, bad, good, good])
    )
    assert ensemble_weights[0] == ensemble_weights[1] < 0.2
    assert ensemble_weights[2] == ensemble_weights[3] > 0.3


def test_only_rows_that_all_kinds_have_judged_are_a_comparison():
    kinds = np.array([0, 1])
    rows = np.array([np.arange(0, 30), np.arange(20, 50)])
    parameters = vectors(2)
    task = task_of(kinds, Samples(X, CODES[rows], None, rows))
    ensemble_weights = _fit_weights(
        _predict_out_of_fold(task, parameters, kinds), kinds
    )
    both = np.arange(20, 30)
    of_class = [probabilities(one)[both, CODES[both]] for one in parameters]
    assert_allclose(ensemble_weights, fit_ensemble_weights(np.stack(of_class, axis=1)))
    # and where there is none, all count the same
    rows = np.array([np.arange(0, 30), np.arange(30, 60)])
    task = task_of(kinds, Samples(X, CODES[rows], None, rows))
    assert_array_equal(fit_combination(task, parameters)[0], [0.5, 0.5])


def test_a_network_that_rules_out_what_happens_spoils_nothing():
    sure = np.zeros((2, 9))
    sure[0, 6:] = [0, -2000, -2000]
    own = HELD_OUT.select_members(0).broadcast_members(2)
    ran_away = np.array([np.full(9, np.nan), sure[1]])
    for parameters in (sure, ran_away):
        ensemble_weights, temperature = fit_combination(
            task_of([0, 1], own), parameters
        )
        assert ensemble_weights.sum() == pytest.approx(1)
        assert 0 < ensemble_weights[0] < ensemble_weights[1]
        assert np.isfinite(temperature)


@pytest.mark.parametrize("n_folds", [1, 2])
def test_rows_of_weight_2_count_as_rows_that_come_twice(n_folds):
    times = np.array([0, 1, 2] * 20)
    twice = np.repeat(np.arange(60), times)
    parts = np.arange(60).reshape(n_folds, -1)[np.arange(6) % n_folds]
    repeated = np.array([np.flatnonzero(np.isin(twice, part)) for part in parts])
    found = [
        fit_combination(task_of(TWO_KINDS, validation), 2 * vectors(6))
        for validation in (
            Samples(X, CODES[parts], times[parts].astype(float), parts),
            Samples(X[twice], CODES[twice][repeated], None, repeated),
        )
    ]
    assert_allclose(found[0][0], found[1][0], rtol=1e-9)
    assert np.ptp(found[0][0]) > 0.01
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-6) != 1


def test_rows_that_weigh_nothing_say_nothing():
    weight = np.zeros(60)
    found = fit_combination(task_of(TWO_KINDS, folds(6, 2, weight)), vectors(6))
    assert_allclose(found[0], np.full(6, 1 / 6))
    assert found[1] == 1


# The temperature

SURE = np.array([[-9.0, 0, 9, 0, 0, 0, 0, 0, 0]])  # too sure of the rows in X


def temperature(given, validation, vector=SURE, kinds=None):
    config = CONFIG._replace(temperature=given)
    kinds = kinds or [0] * len(vector)
    return fit_combination(task_of(kinds, validation, config), vector)[1]


def test_a_temperature_is_as_given_or_1_where_no_row_tells():
    assert temperature(2, HELD_OUT) == 2.0
    assert temperature(None, HELD_OUT) == 1.0
    assert temperature("auto", None) == 1.0
    assert temperature(3, None) == 3.0


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 5, 15)])
def test_a_temperature_is_the_most_probable_one_on_the_held_out_rows(weight):
    log_p = X[::4] @ SURE[0, :6].reshape(2, 3)

    def expected_loss(log_t):
        losses = -log_softmax(log_p / np.exp(log_t), axis=1)
        losses = losses[np.arange(15), CODES[::4]]
        # its logarithm has a standard deviation beforehand
        prior = 0.5 * (log_t / LOG_TEMPERATURE_STD) ** 2 / 15
        return np.average(losses, weights=weight) + prior

    expected = np.exp(minimize_scalar(expected_loss).x)
    assert expected > 1.3
    of_one = None if weight is None else weight[np.newaxis]
    found = temperature("auto", HELD_OUT._replace(sample_weight=of_one))
    assert found == pytest.approx(expected, rel=1e-4)
    if weight is None:
        # networks that are alike say what each of them says
        same_rows = HELD_OUT.select_members(0).broadcast_members(2)
        of_two = temperature("auto", same_rows, np.tile(SURE, (2, 1)))
        assert of_two == pytest.approx(found, rel=1e-4)


@pytest.mark.parametrize("n_folds", [1, 2, 3])
@pytest.mark.parametrize("n_networks", range(1, 10))
def test_a_temperature_needs_three_judges_to_a_row_or_all(n_networks, n_folds):
    n_folds = min(n_networks, n_folds)
    found = temperature(
        "auto", folds(n_networks, n_folds), np.tile(SURE, (n_networks, 1))
    )
    most = -(-n_networks // n_folds)
    assert (found != 1) == (most >= min(MIN_OUT_OF_FOLD_MEMBERS, n_networks))


def test_rows_with_too_few_judges_have_no_say():
    rows = np.array([np.arange(0, 30)] * 3 + [np.arange(30, 60)])
    parameters = np.tile(SURE, (4, 1))
    found = temperature("auto", Samples(X, CODES[rows], None, rows), parameters)
    first = temperature("auto", Samples(X[:30], CODES[np.newaxis, :30]))
    assert found == pytest.approx(first, rel=1e-4)


def test_a_few_rows_that_folds_share_do_not_speak_for_all():
    parameters = np.tile(SURE, (4, 1))
    first = np.arange(0, 30)
    for last, tells in [(np.arange(25, 55), False), (np.arange(1, 31), True)]:
        rows = np.array([first, first, last, last])
        found = temperature("auto", Samples(X, CODES[rows], None, rows), parameters)
        assert (found != 1) == tells


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_what_was_done_to_probabilities_is_undone(factor):
    rng = np.random.default_rng(0)
    true = softmax(rng.normal(size=(20_000, 3)), axis=1)
    y_encoded = (true.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    said = softmax(factor * np.log(true), axis=1)
    # two kinds of which the mean, at shares of 3 to 1, is what is said
    apart = rng.uniform(0, 0.2, size=(20_000, 1)) * np.minimum(said, 0.01)
    apart = apart - apart.mean(axis=1, keepdims=True)
    kinds = np.repeat([0, 1], 3)
    ensemble_weights = np.repeat([0.25, 0.75 / 9], [3, 3])
    ensemble_weights = ensemble_weights / ensemble_weights.sum()
    judged = OutOfFold(
        np.stack([said + apart, said - 3 * apart]),
        np.full((2, 20_000), 3),
        y_encoded,
        None,
    )
    assert _fit_temperature(judged, kinds, ensemble_weights) == pytest.approx(
        factor, rel=0.05
    )


def test_the_mean_that_is_tempered_has_each_judge_by_its_share():
    rng = np.random.default_rng(0)
    said = rng.dirichlet(np.ones(3), size=(2, 40))
    n_judges = np.stack([rng.integers(0, 4, 40), np.full(40, 3)])
    kinds = np.array([0, 0, 0, 1, 1, 1])
    ensemble_weights = np.array([0.25, 0.25, 0.25, 0.25 / 3, 0.25 / 3, 0.25 / 3])
    y_encoded = rng.integers(3, size=40)
    mean = np.empty((40, 3))
    for row in range(40):
        counted = n_judges[:, row] * ensemble_weights[[0, 3]]
        mean[row] = counted @ said[:, row] / counted.sum()
    expected = fit_temperature(np.log(mean), y_encoded)
    found = _fit_temperature(
        OutOfFold(said, n_judges, y_encoded, None), kinds, ensemble_weights
    )
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_task_and_its_weights_are_left_as_they_were():
    parameters = vectors(6)
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    validation = folds(6, 3, weight)
    before = (
        parameters.copy(),
        validation.sample_weight.copy(),
        validation.y_encoded.copy(),
    )
    fit_combination(task_of(TWO_KINDS, validation), parameters)
    for one, other in zip(
        before,
        (parameters, validation.sample_weight, validation.y_encoded),
        strict=True,
    ):
        assert_array_equal(one, other)
