"""Fits on shards: one shard is a plain fit, watched by all that watches a fit."""

import pickle
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tasks import CODES, CONFIG, HELD_OUT, X, regression, solver, with_samples

import skmlp
from skmlp.defaults import MemberConfig
from skmlp.fitting import shards
from skmlp.fitting.averaging import LocalSteps
from skmlp.fitting.run import run_training
from skmlp.fitting.shards import (
    RoundStats,
    SerialExecutor,
    ShardedTrainer,
    ShardJob,
    _average_loss,
)
from skmlp.fitting.trainer import init_state
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples, ShardedRows
from skmlp.training.monitor import StopReason
from skmlp.training.threads import SERIAL

RNG = np.random.default_rng(0)


def layered(n_networks=1, dtype="float32", **changes):
    """A task of networks with a hidden layer, some of which have dropout."""
    architecture = Architecture(2, (8,), 3, (skmlp.PReLU(),), (0.0,), dtype)
    start = [architecture.init_parameters(np.random.default_rng(1))] * n_networks
    parts = {
        "architecture": architecture,
        "parameters": np.stack(start),
        "members": [
            MemberConfig(1.0, (0.2 * (number % 2),), 0.1)
            for number in range(n_networks)
        ],
        "samples": Samples(X.astype(dtype), CODES).broadcast_members(n_networks),
    }
    return regression(n_networks, **parts | changes)


def on_shards(task, *parts):
    """The task with its rows in shards, which are given by their places."""
    rows = task.data.samples.select_members(0)
    parts = [
        Samples(rows.x, rows.y_encoded, rows.sample_weight, np.arange(60)).take(
            np.array(part, int)
        )
        for part in parts
    ]
    sizes = tuple(len(part.y_encoded) for part in parts)
    x = ShardedRows(rows.x.shape, sizes, parts)
    return with_samples(task, task.data.samples._replace(x=x))


def carried_out(task, descent, n_rounds=1):
    return run_training(
        task, ShardedTrainer(descent, SerialExecutor(task.data.samples.x), n_rounds)
    )


def assert_same_outcome(train_result, expected):
    assert_array_equal(train_result.parameters, expected.parameters)
    assert train_result.history == expected.history
    assert_array_equal(train_result.best_epochs, expected.best_epochs)
    assert train_result.stop_reason == expected.stop_reason
    assert train_result.optimizer_state["t"] == expected.optimizer_state["t"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("schedule", ["one_cycle", "constant", "adaptive"])
def test_one_shard_in_one_round_is_a_plain_fit(dtype, n_networks, validation, schedule):
    descent = solver("adam", learning_rate=schedule, batch_size=16)
    config = CONFIG._replace(max_iter=12, n_iter_no_change=1, tol=0.01)
    given = {"config": config}
    if validation:
        rows = Samples(X[::4].astype(dtype), CODES[::4])
        given["validation"] = rows.broadcast_members(n_networks)
    task = layered(n_networks, dtype, **given)
    expected = run_training(deepcopy(task), descent)
    train_result = carried_out(on_shards(deepcopy(task), range(60)), descent)
    assert_same_outcome(train_result, expected)


def test_networks_whose_part_is_over_are_left_alone():
    """Those of a fit end one by one, at different epochs."""
    descent = solver("adam", batch_size=16, learning_rate_init=0.3)
    validation = Samples(X[::4].astype(np.float32), RNG.integers(0, 3, 15))
    config = CONFIG._replace(max_iter=30, n_iter_no_change=3)
    task = layered(4, config=config, validation=validation.broadcast_members(4))
    expected = run_training(deepcopy(task), descent)
    assert len(set(expected.best_epochs)) > 1
    assert_same_outcome(
        carried_out(on_shards(deepcopy(task), range(60)), descent), expected
    )


def test_several_shards_learn_what_one_machine_learns():
    descent = solver("adam", learning_rate="cosine", batch_size=5)
    task = layered(2, config=CONFIG._replace(max_iter=40))
    expected = run_training(deepcopy(task), descent).history
    parts = [range(number, 60, 4) for number in range(4)]
    train_result = carried_out(on_shards(task, *parts), descent, n_rounds=2)
    assert train_result.history["loss"][-1] == pytest.approx(
        expected["loss"][-1], abs=0.05
    )
    assert train_result.samples_seen == 40 * 60
    assert train_result.stop_reason == StopReason.COMPLETED


def test_the_learning_rate_that_is_told_is_that_of_the_last_step():
    descent = solver("sgd", learning_rate="cosine", batch_size=20)
    task = on_shards(layered(), range(40), range(40, 60))
    rates = carried_out(task, descent, n_rounds=2).history["learning_rate"]
    factor = shards.scale_learning_rate
    schedule = descent.build_schedule(task)
    expected = [
        0.05 * factor(2, epoch + 0.5) * schedule((2 * epoch + 1) / 6)
        for epoch in range(3)
    ]
    assert_allclose(rates, expected)


def test_divergence_is_seen():
    x = X.astype(np.float32)
    x[7] = 1e30
    task = layered(samples=Samples(x, CODES).broadcast_members(1))
    task = on_shards(task, range(20), range(20, 40), range(40, 60))
    train_result = carried_out(task, solver("sgd", batch_size=10))
    assert train_result.stop_reason == StopReason.DIVERGED
    assert np.isfinite(train_result.parameters).all()


def test_a_deadline_ends_it_behind_a_round_that_has_visited_rows():
    task = on_shards(layered(deadline=0.0), range(30), range(30, 60))
    train_result = carried_out(task, solver("adam", batch_size=20), n_rounds=8)
    assert train_result.stop_reason == StopReason.OUT_OF_TIME
    assert train_result.optimizer_state["t"] == 1
    assert train_result.n_epochs == 1


def checkpoint(saved, training=None):
    """One that is due after each epoch."""

    def restore(monitor, *args):
        monitor.restore(training["monitor"])
        return training

    return SimpleNamespace(
        save=lambda training: saved.append(deepcopy(training)),
        is_due=lambda n_epochs: True,
        check_engine=lambda engine: None,
        restore=restore,
        training=training,
    )


@pytest.mark.parametrize("schedule", ["cosine", "adaptive"])
def test_a_fit_goes_on_from_each_epoch_that_was_saved(schedule):
    descent = solver("adam", learning_rate=schedule, batch_size=8)
    saved = []
    parts = range(25), range(25, 60)

    def train_result(training=None):
        task = layered(2, config=CONFIG._replace(max_iter=4))
        task = replace(task, checkpoint=checkpoint(saved, training))
        return carried_out(on_shards(task, *parts), descent, n_rounds=3)

    expected = train_result()
    assert len(saved) == 4
    for training in deepcopy(saved):
        assert_same_outcome(train_result(training), expected)


def test_what_goes_to_shards_is_light_and_knows_of_no_rows():
    many = Samples(np.zeros((10_000, 2)), np.zeros(10_000, int))
    config = CONFIG._replace(scoring=lambda *given: 1.0)  # which pickle would refuse
    task = layered(
        samples=many.broadcast_members(1),
        validation=many.broadcast_members(1),
        config=config,
        fit_task=open,
    )
    course = pickle.loads(pickle.dumps(ShardJob.from_run(solver("adam"), task)))
    assert len(pickle.dumps(course)) < 10_000
    assert course.penalized_weight == 10_000


def test_another_engine_on_a_shard_is_refused():
    task = layered()
    descent = solver("adam")
    course = ShardJob.from_run(descent, replace(task, backend="another"))
    state, rounds = (
        init_state(task),
        shards.CommunicationRound(LocalSteps(0, 0, 1), 0.1),
    )
    with pytest.raises(RuntimeError, match="and 'another' where fit was called"):
        course.train_shard(
            task.data.samples.select_members(0), state, rounds, 0, SERIAL
        )


def test_losses_count_by_the_weight_of_the_rows():
    reports = [RoundStats(weight, loss, 0.0) for weight, loss in ((1, 3.0), (3, 1.0))]
    assert _average_loss(reports) == 1.5
    assert _average_loss(reports[:1]) == 3.0
    assert np.isnan(_average_loss([*reports, RoundStats(1, np.nan, 0.0)]))


def test_held_out_rows_choose_the_epoch():
    task = layered(
        config=CONFIG._replace(max_iter=5),
        validation=HELD_OUT._replace(x=HELD_OUT.x.astype(np.float32)),
    )
    task = on_shards(task, range(30), range(30, 60))
    learnt = carried_out(task, solver("adam", batch_size=10), n_rounds=2)
    losses = learnt.history["validation_loss"]
    assert learnt.best_epochs == 1 + np.argmin(losses)
