"""Rounds: weighted means that hide nothing, and visits that miss no row."""

import json
import random

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.fitting.averaging import (
    LocalSteps,
    TrainingState,
    _average_two_states,
    _reduce_in_pairs,
    average_states,
    get_generator_states,
    restore_generators,
    scale_batch_size,
    scale_learning_rate,
)

RNG = np.random.default_rng(0)


def state(weight, n_members=2, t=3, loss=1.0, scale=1.0):
    """Some state of a stack that Adam has trained."""
    parameters, first, second = scale * RNG.normal(size=(3, n_members, 5)).astype(
        np.float32
    )
    optimizer_state = {"t": t, "first_moment": first, "second_moment": second**2}
    return TrainingState(
        parameters, optimizer_state, get_generator_states([RNG]), weight, loss, loss + 1
    )


def assert_same(one, other):
    """The same to the last bit."""
    assert_array_equal(one.parameters, other.parameters)
    assert one.optimizer_state.keys() == other.optimizer_state.keys()
    for name, memory in one.optimizer_state.items():
        assert_array_equal(memory, other.optimizer_state[name])
    assert one[2:] == other[2:]


# Means


@pytest.mark.parametrize("n_states", [1, 2, 3, 4, 7, 16])
def test_the_mean_counts_states_by_their_weights(n_states):
    states = [
        state(weight=number + 0.5, t=number, loss=number) for number in range(n_states)
    ]
    weights = [one.weight for one in states]
    mean = average_states(states)

    def expected(values):
        return np.average(np.array(values, dtype=float), axis=0, weights=weights)

    close = {"rtol": 1e-5, "atol": 1e-6}
    assert_allclose(mean.parameters, expected([s.parameters for s in states]), **close)
    for name in ("first_moment", "second_moment"):
        vectors = [s.optimizer_state[name] for s in states]
        assert_allclose(mean.optimizer_state[name], expected(vectors), **close)
    assert mean.loss == pytest.approx(expected([s.loss for s in states]))
    assert mean.first_loss == pytest.approx(1 + mean.loss)
    assert mean.weight == sum(weights)
    assert mean.optimizer_state["t"] == n_states - 1
    assert mean.parameters.dtype == np.float32
    assert mean.optimizer_state["first_moment"].dtype == np.float32


def test_no_state_is_overwritten():
    first, second = state(2.0), state(1.0)
    kept = first.parameters.copy(), second.optimizer_state["second_moment"].copy()
    _average_two_states(first, second)
    assert_array_equal(first.parameters, kept[0])
    assert_array_equal(second.optimizer_state["second_moment"], kept[1])


def test_the_mean_of_equal_states_is_that_state():
    one = state(0.7)
    mean = average_states([one._replace(weight=weight) for weight in (0.7, 3.1, 0.001)])
    assert_same(mean._replace(weight=one.weight), one)


def test_squares_do_not_become_negative():
    """Roots are taken of second moments."""
    for _ in range(200):
        pair = [state(weight=RNG.exponential(), scale=10 ** RNG.normal()) for _ in "ab"]
        pair[0].optimizer_state["second_moment"][0] = 0
        pair[1].optimizer_state["second_moment"][1] = 0
        for states in (pair, pair[::-1]):
            assert average_states(states).optimizer_state["second_moment"].min() >= 0


@pytest.mark.parametrize("n_states", [2, 5, 16])
def test_the_mean_is_the_same_in_whatever_order_its_parts_are_computed(n_states):
    """As it is where workers finish in any order."""
    states = [state(weight=RNG.uniform(1, 2)) for _ in range(n_states)]
    plan = _reduce_in_pairs(range(n_states), lambda first, second: (first, second))
    shuffler = random.Random(0)

    def carried_out(node):
        if isinstance(node, int):
            return states[node]
        places = shuffler.sample([0, 1], 2)
        found = {place: carried_out(node[place]) for place in places}
        return _average_two_states(found[0], found[1])

    assert_same(carried_out(plan), average_states(states))


def test_a_tree_is_no_deeper_than_it_must_be():
    for n_parts, depth in [(1, 0), (2, 1), (3, 2), (8, 3), (100, 7)]:
        assert _reduce_in_pairs([0] * n_parts, lambda a, b: 1 + max(a, b)) == depth


def test_what_has_visited_no_rows_has_no_say():
    one, other = state(2.0), state(3.0)
    nothing = state(0.0, loss=np.nan)._replace(optimizer_state=None)
    expected = average_states([one, other])
    assert_same(average_states([nothing, one, nothing, other]), expected)
    assert average_states([nothing, nothing]) is nothing


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_states", [2, 5])
def test_numbers_that_ran_away_are_seen_in_the_mean(lost, n_states):
    states = [state(1.0) for _ in range(n_states)]
    states[-1].parameters[1, 3] = lost
    states[-1] = states[-1]._replace(loss=lost)
    mean = average_states(states)
    assert not np.isfinite(mean.parameters[1, 3])
    assert not np.isfinite(mean.loss)
    assert np.isfinite(mean.parameters).sum() == mean.parameters.size - 1


def test_numbers_that_ran_away_in_two_directions_are_no_number():
    up, down = state(1.0), state(1.0)
    up.parameters[0, 0], down.parameters[0, 0] = np.inf, -np.inf
    assert np.isnan(average_states([up, down]).parameters[0, 0])


# Visits


@pytest.mark.parametrize("n_batches", [0, 1, 3, 8, 9, 100])
@pytest.mark.parametrize("n_rounds", [1, 3, 8])
def test_the_rounds_of_an_epoch_visit_each_batch_once(n_batches, n_rounds):
    visits = [LocalSteps(2, number, n_rounds) for number in range(n_rounds)]
    parts = [visit.batches(n_batches) for visit in visits]
    assert [batch for part in parts for batch in part] == list(range(n_batches))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    # of those that take steps at all, the last is the last of the epoch
    assert sizes[-1] == max(sizes)


def test_progress_is_that_of_a_fit_without_rounds():
    places = [
        place
        for epoch in range(3)
        for number in range(4)
        for place in LocalSteps(epoch, number, 4).progress(n_batches=10, n_epochs=3)
    ]
    assert places == [step / 30 for step in range(30)]


def test_a_shard_without_rows_makes_no_progress():
    assert LocalSteps(0, 0, 4).progress(n_batches=0, n_epochs=3) == []


def test_generators_are_made_again_from_plain_values():
    rngs = [np.random.default_rng(seed) for seed in (3, 4)]
    rngs[0].integers(2**8, dtype=np.uint8)  # half a number is left over
    draws = get_generator_states(rngs)
    again = restore_generators(json.loads(json.dumps(draws)))
    for rng, other in zip(rngs, again, strict=True):
        assert_array_equal(rng.integers(2**63, size=9), other.integers(2**63, size=9))
    (third, _) = restore_generators(draws)
    assert third.bit_generator.state == draws[0]


def first_draws(epoch=0, number=0, shard=0, n_shards=2, seeds=(0, 1)):
    """What each network draws first in a visit, and the draws behind it."""
    draws = get_generator_states([np.random.default_rng(seed) for seed in seeds])
    for _ in range(epoch):
        draws = first_draws_from(draws, LocalSteps(0, 1, 2, shard, n_shards))[1]
    return first_draws_from(draws, LocalSteps(epoch, number, 2, shard, n_shards))


def first_draws_from(draws, visit):
    shared = restore_generators(draws)
    rngs = visit.generators(shared)
    found = [int(rng.integers(2**63)) for rng in rngs]
    return found, visit.next_draws(draws, shared)


def test_one_shard_draws_what_a_fit_draws():
    found, behind = first_draws(number=1, n_shards=1)
    rngs = [np.random.default_rng(seed) for seed in (0, 1)]
    assert found == [int(rng.integers(2**63)) for rng in rngs]
    assert behind == get_generator_states(rngs)


def test_each_shard_epoch_and_network_has_draws_of_its_own():
    found = [
        value
        for epoch in range(3)
        for shard in range(3)
        for value in first_draws(epoch, shard=shard, n_shards=3)[0]
    ]
    assert len(set(found)) == 3 * 3 * 2
    others = [value for shard in range(3) for value in first_draws(shard=shard)[0]]
    assert first_draws(seeds=(5, 6))[0][0] not in found + others


def test_all_rounds_of_an_epoch_draw_the_same():
    assert first_draws(number=0)[0] == first_draws(number=1)[0]


@pytest.mark.parametrize("n_shards", [1, 3])
def test_draws_move_on_behind_the_last_round_alike_on_all_shards(n_shards):
    before = get_generator_states([np.random.default_rng(seed) for seed in (0, 1)])
    shards = range(n_shards)
    first = [first_draws(0, 0, shard, n_shards)[1] for shard in shards]
    assert first == [before] * n_shards
    last = [first_draws(0, 1, shard, n_shards)[1] for shard in shards]
    assert last == [last[0]] * n_shards
    assert last[0] != before


# Learning rate and batch size


@pytest.mark.parametrize("n_epochs", [0, 0.3, 1, 7])
def test_one_shard_learns_at_the_rate_of_a_fit(n_epochs):
    assert scale_learning_rate(1, n_epochs) == 1


@pytest.mark.parametrize("n_shards", [2, 4, 100])
def test_the_first_steps_on_shards_are_no_larger_than_those_of_a_fit(n_shards):
    places = np.arange(17) / 8
    factors = [scale_learning_rate(n_shards, place) for place in places]
    assert factors[0] == 1
    assert factors == sorted(factors)
    assert set(factors[8:]) == {max(factors)}
    assert factors[4] == (1 + max(factors)) / 2


def test_more_shards_never_learn_more_slowly():
    factors = [scale_learning_rate(n_shards, 1) for n_shards in range(1, 300)]
    assert factors == sorted(factors)
    assert all(factor <= 1.5 * n for n, factor in enumerate(factors, 1))


@pytest.mark.parametrize("batch_size", [1, 7, 512])
def test_steps_take_fewer_rows_on_many_shards_but_never_none(batch_size):
    sizes = [scale_batch_size(n_shards, batch_size) for n_shards in range(1, 300)]
    assert sizes[:4] == [batch_size] * 4
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= 1
    # in all, they take more rows at a time than one place would
    rows = [size * n_shards for n_shards, size in enumerate(sizes, 1)]
    assert min(rows[4:]) > batch_size
