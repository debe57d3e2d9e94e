"""Training on a cluster: the same bits on any workers, also where some are killed."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor

import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from networks import assert_same_predictions
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

import skmlp.dask
from skmlp import FileRefusedError, MLPSoftmaxClassifier
from skmlp.dask import DaskMLPSoftmaxClassifier
from skmlp.dask.averaging import DaskExecutor, _align_arrays
from skmlp.dask.cluster import CHUNK_SIZE, Tasks
from skmlp.dask.partitions import concat_parts
from skmlp.fitting.averaging import scale_learning_rate
from skmlp.training.batches import Samples

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


def workers(n_workers):
    return LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
    )


@pytest.fixture(scope="module")
def cluster():
    with workers(2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster) as client:
        yield client


@pytest.fixture
def mortals():
    """A client of three workers to be killed, used by no other test.

    Dask does not always replace a worker that was killed, and a test that waits for it
    to do so may wait for ever.
    """
    with workers(3) as cluster, Client(cluster) as client:
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
    given, validation_data = PLAIN[case]
    fitted = model(n_shards=1, rounds_per_epoch=1, **given)
    fitted.fit(lazy(), "label", **validation_data)
    expected = plain(**given).fit(TABLE[FEATURES], TABLE.label, **validation_data)
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


def test_warm_start_equals_that_of_a_plain_fit(client):
    settings = {"n_estimators": 1, "warm_start": True}
    fitted = model(n_shards=1, rounds_per_epoch=1, **settings)
    expected = plain(**settings)
    for _ in range(2):
        fitted.fit(lazy(), "label")
        expected.fit(TABLE[FEATURES], TABLE.label)
    assert_same(fitted, expected)


def test_validation_set_may_be_lazy(client):
    validation_data = {"X_val": lazy()[FEATURES], "y_val": lazy()["label"]}
    in_memory = {"X_val": TABLE[FEATURES], "y_val": TABLE.label}
    fits = [
        model(max_iter=1).fit(lazy(), "label", **own)
        for own in (validation_data, in_memory)
    ]
    assert_same(*fits)


# The same bits


def test_parameters_of_numpy_types_give_the_same_bits(client):
    numbers = {"n_shards": 2, "rounds_per_epoch": 3, "batch_size": 16, "max_iter": 2}
    fitted = [
        model(**{name: kind(value) for name, value in numbers.items()}).fit(
            lazy(), "label"
        )
        for kind in (int, np.uint8)
    ]
    assert_same(*fitted)


@pytest.fixture(scope="module")
def expected(client):
    """Fits on four shards, which all others have to repeat."""
    return [model(n_shards=4, **given).fit(lazy(), "label") for given in (FEW, MANY)]


def fit_again(expected):
    return clone(expected).fit(lazy(), "label")


def scale(cluster, client, n_workers):
    cluster.scale(n_workers)
    while len(client.nthreads()) != n_workers:
        time.sleep(0.05)


def test_shards_score_as_well_as_a_plain_fit(expected):
    score = (
        plain().fit(TABLE[FEATURES], TABLE.label).score(TABLE[FEATURES], TABLE.label)
    )
    for fitted in expected:
        assert fitted.n_shards_ == 4
        assert fitted.score(lazy(), "label") > score - 0.04


@pytest.mark.parametrize("n_workers", [1, 4])
def test_number_of_workers_does_not_change_the_model(
    n_workers, cluster, client, expected
):
    scale(cluster, client, n_workers)
    try:
        for one in expected:
            assert_same(fit_again(one), one)
    finally:
        scale(cluster, client, 2)


def kill(pid, is_due):
    """Kill a worker once it is due."""

    def wait_and_kill():
        while not is_due():
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=wait_and_kill)
    killer.start()
    return killer


def after(seconds):
    """Whether so long a time has passed from now on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


@pytest.mark.parametrize("rows", [0, 1], ids=["few", "many"])
def test_killed_workers_do_not_change_the_model(rows, expected, mortals):
    first, second, _ = mortals.run(os.getpid).values()
    for pid in (first, second):
        killer = kill(pid, after(RNG.uniform(0, 1.2)))
        fitted = fit_again(expected[rows])
        killer.join()
        assert_same(fitted, expected[rows])


def test_align_arrays_copies_only_unaligned_arrays(shifted_by_a_byte):
    given = Samples(RNG.normal(size=(5, 3)), np.arange(5), None)
    assert all(one is two for one, two in zip(_align_arrays(given), given, strict=True))
    shifted = Samples(*map(shifted_by_a_byte, given[:2]))
    found = _align_arrays(shifted)
    assert found.x.flags.aligned
    assert found.y_encoded.flags.aligned
    assert_array_equal(found.x, given.x)
    assert_array_equal(found.y_encoded, given.y_encoded)


def test_two_fits_at_once(client, expected):
    with ThreadPoolExecutor(2) as pool:
        for fitted, one in zip(pool.map(fit_again, expected), expected, strict=True):
            assert_same(fitted, one)


def test_scheduler_has_no_tasks_after_fit(client, expected):
    while client.run_on_scheduler(n_tasks):  # the scheduler forgets them in its time
        time.sleep(0.05)


def n_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)


# What tables may be like


CUTS = [TABLE[start : start + 300] for start in range(0, N_ROWS, 300)]


def of_parts(parts):
    """A table whose partitions need not be like the first one."""
    return dd.from_map(lambda part: part, list(parts), meta=CUTS[0][:0])


def with_second(**columns):
    """The partitions, of which the second has other columns."""
    return [CUTS[0], CUTS[1].assign(**columns), *CUTS[2:]]


ODD = {
    "empty ones": [CUTS[0], CUTS[1][:0], CUTS[2], CUTS[3][:0]],
    "a class each": [part for _, part in TABLE.groupby("label")],
    "NaN in one": with_second(size=np.nan),
    "no text in one": with_second(town=np.nan),
    "no dates in one": with_second(day=np.nan),
    "no categories in one": with_second(kind=np.nan),
    "another category": with_second(kind=pd.Categorical(["x"] * 300)),
    "text and categories": with_second(kind="x"),
    "integers in one": with_second(size=1),
    "text for numbers": with_second(size="large"),
}


# pandas 2 says so wherever a column is all missing in one of the parts
@pytest.mark.filterwarnings("ignore:The behavior of DataFrame concat:FutureWarning")
@pytest.mark.filterwarnings("ignore:column 'size'.*other text:UserWarning")
@pytest.mark.parametrize("rows", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("case", ODD)
def test_partitions_need_not_be_alike(case, rows, client):
    table = of_parts(ODD[case])
    fitted = model(n_shards=3, max_iter=1, **rows | {"n_estimators": 1})
    fitted.fit(table, "label")
    assert fitted.n_shards_ == (2 if case == "empty ones" else 3)
    assert fitted.classes_.tolist() == ["high", "low", "mid"]
    answers = fitted.predict_proba(table.drop(columns="label")).compute()
    assert answers.shape == (sum(map(len, ODD[case])), 3)
    assert_array_equal(np.isfinite(answers), True)


REFUSED = {
    "labels of two types": (with_second(label=1), "y holds labels of the types int"),
    "a label is missing": (with_second(label=None), "y has no label in 300 rows"),
    "no rows": ([part[:0] for part in CUTS], "X has no rows"),
    "a column is missing": (
        [*CUTS[:3], CUTS[3].drop(columns="day")],
        r"partition 3 has the columns \['size', 'town', 'kind', 'label'\]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_fit_refuses_invalid_partitions(case, client):
    parts, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=sentence):
        model().fit(of_parts(parts), "label")


@pytest.mark.parametrize("rows", [FEW, MANY], ids=["few", "many"])
def test_labels_are_exact_and_scored_by_value(rows, client):
    large = {"low": 2**53, "mid": 2**53 + 1, "high": 2**53 + 2}
    table = TABLE.assign(label=TABLE.label.map(large))
    given = rows | {"n_estimators": 1, "max_iter": 1, "n_shards": 2}
    fitted = model(**given).fit(lazy(table), "label")
    assert fitted.classes_.tolist() == sorted(large.values())
    is_right = fitted.predict(TABLE[FEATURES]) == table.label
    assert fitted.score(lazy(table), "label") == is_right.mean()
    nullable = table.assign(label=table.label.astype("UInt64"))
    assert fitted.score(lazy(nullable), "label") == is_right.mean()


def test_concat_parts_keeps_integers_of_several_types_exact():
    parts = [pd.Series([2**53 + 1]), pd.Series([2**63 + 1], dtype="uint64")]
    assert concat_parts(parts).tolist() == [2**53 + 1, 2**63 + 1]


def test_gathered_rows_may_be_sorted_by_label(client):
    table = TABLE.sort_values("label")
    scores = [
        model(n_shards=3, max_iter=6, rounds_per_epoch=2)
        .fit(lazy(rows, 3), "label")
        .score(lazy(), "label")
        for rows in (TABLE, table)
    ]
    assert scores[1] > scores[0] - 0.03


def test_fit_names_lengths_that_differ(client):
    table = lazy(n_parts=4)
    with pytest.raises(ValueError, match="X has 4 partitions and y has 3"):
        model().fit(table[FEATURES], lazy(n_parts=3)["label"])
    others = of_parts([CUTS[0], CUTS[1][:299], *CUTS[2:]])
    with pytest.raises(ValueError, match="partition 1 has 300 rows in X and 299 in y"):
        model().fit(table[FEATURES], others["label"])
    X, y = da.ones((10, 2), chunks=5), da.ones(9, chunks=5)
    with pytest.raises(ValueError, match="X has 10 rows and y has 9"):
        model().fit(X, y)


def test_fit_refuses_tables_that_are_not_lazy(client):
    with pytest.raises(
        TypeError, match=r"X should be a Dask DataFrame .* got DataFrame"
    ):
        model().fit(TABLE[FEATURES], TABLE.label)
    with pytest.raises(TypeError, match="got Array of 1 axes"):
        model().fit(da.ones(10), da.ones(10))
    with pytest.raises(
        TypeError, match=r"y should be .* name of a column.* got ndarray"
    ):
        model().fit(lazy(), TABLE.label.to_numpy())
    with pytest.raises(TypeError, match=r"y should be .* one axis, .* got str"):
        model().fit(da.ones((10, 2)), "label")
    with pytest.raises(ValueError, match="y='lable' should name a column"):
        model().fit(lazy(), "lable")
    blocks = da.ones((10, 2), chunks=5).map_blocks(sparse.csr_matrix)
    with pytest.raises(TypeError, match="blocks of the type csr_matrix"):
        model().fit(blocks, da.ones(10, chunks=5))
    with pytest.raises(ValueError, match='rows in shards with solver="lbfgs": its'):
        model(solver="lbfgs").fit(lazy(), "label")
    with pytest.raises(InvalidParameterError, match="'rounds_per_epoch' parameter"):
        model(rounds_per_epoch=0).fit(lazy(), "label")


def test_plain_fit_of_a_lazy_table_names_the_dask_classifier():
    with pytest.raises(TypeError, match=r"skmlp\.dask\.DaskMLPSoftmaxClassifier"):
        plain().fit(lazy()[FEATURES], lazy()["label"])


# An estimator like others


def test_get_params_lists_inherited_parameters():
    own = {"client", "n_shards", "rounds_per_epoch"}
    assert model().get_params().keys() == plain().get_params().keys() | own
    assert DaskMLPSoftmaxClassifier(5, "tanh").activation == "tanh"
    assert model().set_params(n_shards=3, alpha=0.5).n_shards == 3
    with pytest.raises(TypeError, match="shards"):
        DaskMLPSoftmaxClassifier(shards=3)


def test_a_client_is_neither_copied_nor_pickled(client):
    one = model(client=client, n_shards=2)
    assert clone(one).client is client
    assert clone(one).n_shards == 2
    again = pickle.loads(pickle.dumps(one))
    assert again.client is None
    assert again.n_shards == 2
    assert one.client is client


def test_without_a_client_a_sentence_says_how_to_make_one():
    code = (
        "import dask.array as da\n"
        "from skmlp.dask import DaskMLPSoftmaxClassifier\n"
        "try:\n    DaskMLPSoftmaxClassifier().fit(da.ones((9, 2)), da.ones(9))\n"
        "except ValueError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "client = distributed.Client()" in done.stdout


def test_without_dask_a_sentence_says_what_to_install():
    code = (
        "import sys\nsys.modules['dask'] = None\n"
        "import skmlp\n"
        "try:\n    import skmlp.dask\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'skmlp[dask]'" in done.stdout


def test_predictions_are_those_of_the_local_model(expected, tmp_path):
    fitted = expected[0]
    local = fitted.to_local()
    assert type(local) is MLPSoftmaxClassifier
    rows = TABLE[FEATURES]
    table = of_parts([CUTS[0], CUTS[1][:0], *CUTS[1:]]).drop(columns="label")
    for name in ("predict", "predict_proba", "predict_log_proba"):
        lazily = getattr(fitted, name)(table)
        here = getattr(local, name)(rows)
        assert isinstance(lazily, da.Array)
        assert lazily.dtype == here.dtype
        assert lazily.shape[1:] == here.shape[1:]
        assert_same_predictions(lazily.compute(), here)
        assert_same_predictions(getattr(fitted, name)(rows), here)
    assert fitted.score(table, lazy()["label"]) == local.score(rows, TABLE.label)
    weight = TABLE["size"].abs()
    by_name = fitted.score(lazy(), "label", lazy()["size"].abs())
    assert by_name == pytest.approx(local.score(rows, TABLE.label, weight))
    assert fitted.score(rows, TABLE.label) == local.score(rows, TABLE.label)
    fitted.save(tmp_path / "model")
    loaded = skmlp.load(tmp_path / "model")
    assert_array_equal(loaded.predict_proba(rows), local.predict_proba(rows))


def test_predictions_for_arrays_need_no_cluster(client):
    X, y = RNG.normal(size=(100, 3)), RNG.integers(0, 2, 100)
    fitted = model().fit(da.from_array(X, chunks=50), da.from_array(y, chunks=50))
    blocks = da.from_array(X, chunks=(30, 2))
    for name in ("predict", "predict_proba"):
        with dask.config.set(scheduler="synchronous"):
            lazily = getattr(fitted, name)(blocks)
            here = getattr(fitted, name)(X)
            assert lazily.shape == here.shape
            assert_same_predictions(lazily.compute(), here)


def test_partial_fit_takes_rows_in_memory():
    one = model(n_estimators=1, learning_rate="constant")
    for part in CUTS[:2]:
        one.partial_fit(part[FEATURES], part.label, classes=["high", "low", "mid"])
    assert one.n_iter_ == 2


# Fits that are cut off


class KilledError(Exception):
    """Stands for what ends a fit."""


def test_interrupted_fit_resumes_with_identical_results(
    client, expected, tmp_path, monkeypatch
):
    for name, one in zip(("few", "many"), expected, strict=True):
        path = tmp_path / name
        cut_off = clone(one).set_params(checkpoint=path)

        def raise_in_second(runner, *given, run_epoch=DaskExecutor.run_epoch):
            if given[2][0].steps.epoch == 1:
                raise KilledError
            return run_epoch(runner, *given)

        with monkeypatch.context() as patch:
            patch.setattr(DaskExecutor, "run_epoch", raise_in_second)
            with pytest.raises(KilledError):
                cut_off.fit(lazy(), "label")
        assert not hasattr(cut_off, "n_shards_")
        assert_same(cut_off.fit(lazy(), "label"), one)
        with pytest.raises(FileRefusedError, match=r"another (number of shards|X)"):
            cut_off.fit(lazy(n_parts=1), "label")
        with pytest.raises(FileRefusedError, match="another X"):
            cut_off.fit(lazy().assign(size=0.0), "label")


def test_fit_raises_if_workers_die(mortals, tmp_path):
    def deadly(part):
        os.kill(os.getpid(), signal.SIGKILL)

    def allow_none(dask_scheduler):
        dask_scheduler.allowed_failures = 0

    mortals.run_on_scheduler(allow_none)
    table = lazy(n_parts=2).map_partitions(deadly, meta=TABLE[:0])
    path = tmp_path / "state"
    with pytest.raises(RuntimeError, match=f"1 workers died .* saved to '{path}'"):
        model(checkpoint=path).fit(table, "label")


def test_keyboard_interrupt_keeps_the_last_epoch(client, monkeypatch):
    def interrupt_third(runner, *given, run_epoch=DaskExecutor.run_epoch):
        if given[2][0].steps.epoch == 2:
            raise KeyboardInterrupt
        return run_epoch(runner, *given)

    monkeypatch.setattr(DaskExecutor, "run_epoch", interrupt_third)
    fitted = model(max_iter=9)
    with pytest.warns(UserWarning, match="interrupted by user in epoch 3"):
        fitted.fit(lazy(), "label")
    assert fitted.n_iter_ == 2


def test_fit_raises_without_workers():
    given = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with (
        LocalCluster(**given) as empty,
        Client(empty, set_as_default=False) as client,
        pytest.raises(ValueError, match="the cluster has no workers"),
    ):
        model(client=client).fit(lazy(), "label")


OPEN_ONE = r"Make a new one, as in client = distributed\.Client\(\), and pass client="


@pytest.fixture
def own_client():
    """A client to be closed, of a cluster to be closed."""
    given = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(**given) as cluster, Client(cluster, set_as_default=False) as own:
        yield own


@pytest.mark.parametrize("what", ["client", "cluster"])
def test_a_closed_client_is_refused_with_the_way_to_an_open_one(own_client, what):
    fitted = model(client=own_client).fit(lazy(), "label")
    (own_client if what == "client" else own_client.cluster).close()
    for call in (
        lambda: fitted.fit(lazy(), "label"),
        lambda: fitted.fit(lazy(), "label", X_val=lazy()[FEATURES], y_val=TABLE.label),
        lambda: fitted.score(lazy(), "label"),
    ):
        with pytest.raises(ValueError, match=f"got one that is closed. {OPEN_ONE}"):
            call()


@pytest.mark.parametrize("what", ["client", "cluster"])
def test_fit_raises_if_the_client_is_closed_during_training(
    own_client, what, monkeypatch
):
    def close_and_go_on(runner, *given, run_epoch=DaskExecutor.run_epoch):
        (own_client if what == "client" else own_client.cluster).close()
        return run_epoch(runner, *given)

    monkeypatch.setattr(DaskExecutor, "run_epoch", close_and_go_on)
    with pytest.raises(RuntimeError, match=f"closed before fit had ended. {OPEN_ONE}"):
        model(client=own_client).fit(lazy(), "label")


def test_other_errors_are_not_changed(client):
    with pytest.raises(ValueError, match="X has 6 partitions and y has 3"):
        model(client=client).fit(lazy(), lazy(n_parts=3)["label"])


def test_max_time_ends_an_epoch_early(client, a_second_per_epoch):
    """The learning rate, which grows over the first epoch, tells how far that came."""
    fitted = model(max_iter=10_000, max_time=1, rounds_per_epoch=20, n_shards=2)
    fitted.fit(lazy(), "label")
    assert fitted.n_iter_ == 1
    (rate,) = fitted.history_["learning_rate"]
    assert rate < 0.9 * fitted.learning_rate_init * scale_learning_rate(2, 1)


def test_search_resumes_after_a_worker_died(mortals, tmp_path):
    states = tmp_path / "states"
    states.mkdir()
    search = GridSearchCV(
        plain(checkpoint=states, max_iter=20),
        {"alpha": [0.0, 0.1]},
        cv=2,
        refit=False,
    )
    pid, *_ = mortals.run(os.getpid).values()
    killer = kill(pid, lambda: len(list(states.glob("*.npz"))) > 1)
    with joblib.parallel_config("dask"):
        # with a worker, the only copy of the rows may be lost that joblib has made
        with contextlib.suppress(CancelledError):
            search.fit(TABLE[FEATURES], TABLE.label)
        killer.join()
        assert len(list(states.glob("*.npz"))) > 1
        search.fit(TABLE[FEATURES], TABLE.label)
    here = clone(search).set_params(estimator__checkpoint=None)
    here.fit(TABLE[FEATURES], TABLE.label)
    for name in ("mean_test_score", "split1_test_score"):
        assert_array_equal(search.cv_results_[name], here.cv_results_[name])


def test_shards_are_spread_evenly_over_workers(client):
    workers = Tasks(client).assign_workers(5)
    assert sorted(map(workers.count, set(workers))) == [2, 3]
    assert workers == Tasks(client).assign_workers(5)


def test_send_large_value_in_chunks_without_warning(client):
    value = RNG.normal(size=3 * CHUNK_SIZE // 8)
    with warnings.catch_warnings(), Tasks(client) as tasks:
        warnings.simplefilter("error")
        assert_array_equal(tasks.send(value).result(), value)


def test_fit_refuses_a_client_of_another_type():
    with pytest.raises(ValueError, match=r"The 'client' parameter .* Got 'here'"):
        model(client="here").fit(lazy(), "label")
