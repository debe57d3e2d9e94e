"""Training on a cluster: the same bits on any workers, also where some are killed."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import distributed
import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, KilledWorker, LocalCluster
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

import skmlp
from skmlp import FileRefusedError, MLPSoftmaxClassifier
from skmlp.dask import PIECE_SIZE, DaskMLPSoftmaxClassifier, Tasks

RNG = np.random.default_rng(0)
N_ROWS = 1200
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=N_ROWS),
        "town": pd.Series(RNG.choice(list("abcdef"), N_ROWS)).where(
            RNG.random(N_ROWS) > 0.1
        ),
        "kind": pd.Categorical(RNG.choice(list("uvw"), N_ROWS)),
        "day": pd.Timestamp("2024-01-01")
        + pd.to_timedelta(RNG.integers(300, size=N_ROWS), unit="D"),
    }
)
SIGNAL = TABLE["size"] + (TABLE.town == "a") + RNG.logistic(size=N_ROWS) / 2
TABLE["label"] = np.select([SIGNAL < -0.5, SIGNAL < 0.5], ["low", "mid"], "high")
FEATURES = ["size", "town", "kind", "day"]
SETTINGS = {"max_iter": 3, "learning_rate": "cosine", "random_state": 0}

FEW, MANY = {}, {"encoder_rows": 300}
"""Rows that are gathered, and rows that are encoded by workers."""


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster) as client:
        yield client


def lazy(table=TABLE, n_parts=6):
    return dd.from_pandas(table, npartitions=n_parts, sort=False)


def model(**given):
    return DaskMLPSoftmaxClassifier((8,), **{"n_estimators": 2} | SETTINGS | given)


def plain(**given):
    return MLPSoftmaxClassifier((8,), **{"n_estimators": 2} | SETTINGS | given)


def assert_same(fitted, expected):
    assert_array_equal(fitted.parameters_, expected.parameters_)
    assert fitted.history_ == expected.history_
    assert fitted.temperature_ == expected.temperature_
    assert_array_equal(fitted.best_iter_, expected.best_iter_)


# One shard is a plain fit


OWN_ROWS = {"X_val": TABLE[FEATURES][::5], "y_val": TABLE.label[::5]}
PLAIN = {
    "one network": ({"n_estimators": 1}, {}),
    "nothing held out": ({"early_stopping": False}, {}),
    "own rows": ({"n_estimators": 5}, OWN_ROWS),
    "ended one by one": ({"learning_rate": "constant", "max_iter": 30}, OWN_ROWS),
    "weights of classes": ({"n_estimators": 1, "class_weight": "balanced"}, {}),
    "no shuffling": ({"n_estimators": 1, "shuffle": False}, {}),
}


@pytest.mark.parametrize("case", PLAIN)
def test_one_shard_in_one_round_is_a_plain_fit(case, client):
    given, own_rows = PLAIN[case]
    fitted = model(n_shards=1, rounds_per_epoch=1, **given)
    fitted.fit(lazy(), "label", **own_rows)
    expected = plain(**given).fit(TABLE[FEATURES], TABLE.label, **own_rows)
    assert_same(fitted, expected)
    assert_same(fitted.to_local(), expected)
    assert fitted.n_shards_ == 1


def test_arrays_and_weights_are_those_of_a_plain_fit(client):
    X, y = RNG.normal(size=(600, 3)), RNG.integers(0, 3, 600)
    weight = RNG.uniform(size=600)
    settings = {"n_estimators": 1}
    fitted = model(n_shards=1, rounds_per_epoch=1, **settings)
    arrays = (da.from_array(values, chunks=(250,)) for values in (y, weight))
    fitted.fit(da.from_array(X, chunks=(200, 2)), *arrays)
    assert_same(fitted, plain(**settings).fit(X, y, weight))


def test_training_goes_on_warmly(client):
    settings = {"n_estimators": 1, "warm_start": True}
    fitted = model(n_shards=1, rounds_per_epoch=1, **settings)
    expected = plain(**settings)
    for _ in range(2):
        fitted.fit(lazy(), "label")
        expected.fit(TABLE[FEATURES], TABLE.label)
    assert_same(fitted, expected)


# The same bits


@pytest.fixture(scope="module")
def expected(client):
    """Fits on four shards, which all others have to repeat."""
    return [model(n_shards=4, **given).fit(lazy(), "label") for given in (FEW, MANY)]


def fit_again(expected):
    return clone(expected).fit(lazy(), "label")


def scale(cluster, client, n_workers):
    cluster.scale(n_workers)
    deadline = time.monotonic() + 30
    while len(client.nthreads()) != n_workers and time.monotonic() < deadline:
        time.sleep(0.05)


def test_shards_learn_what_one_machine_learns(expected):
    score = (
        plain().fit(TABLE[FEATURES], TABLE.label).score(TABLE[FEATURES], TABLE.label)
    )
    for fitted in expected:
        assert fitted.n_shards_ == 4
        assert fitted.score(lazy(), "label") > score - 0.04


@pytest.mark.parametrize("n_workers", [1, 4])
def test_the_number_of_workers_has_no_say(n_workers, cluster, client, expected):
    scale(cluster, client, n_workers)
    try:
        for one in expected:
            assert_same(fit_again(one), one)
    finally:
        scale(cluster, client, 2)


def kill_one(client, delay):
    """Kill a worker in a while."""
    pids = list(client.run(os.getpid).values())

    def kill():
        time.sleep(delay)
        os.kill(pids[RNG.integers(len(pids))], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


@pytest.mark.parametrize("attempt", range(2))
@pytest.mark.parametrize("rows", [0, 1], ids=["few", "many"])
def test_killed_workers_have_no_say(rows, attempt, client, expected):
    client.wait_for_workers(2)
    killer = kill_one(client, RNG.uniform(0, 1.2))
    fitted = fit_again(expected[rows])
    killer.join()
    assert_same(fitted, expected[rows])
    client.wait_for_workers(2)


def test_two_fits_at_once(client, expected):
    with ThreadPoolExecutor(2) as pool:
        for fitted, one in zip(pool.map(fit_again, expected), expected, strict=True):
            assert_same(fitted, one)


def test_nothing_stays_behind(client, expected):
    deadline = time.monotonic() + 10
    while client.run_on_scheduler(n_tasks) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.run_on_scheduler(n_tasks) == 0


def n_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)
