"""Checkpoints: a fit that was killed goes on, and ends as if nothing had happened."""

import contextlib
import datetime as dt
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys

import killed_fit
import numpy as np
import pandas as pd
import pytest
from mutations import mutate
from networks import classic
from numpy.testing import assert_array_equal, assert_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import FileRefusedError, MLPSoftmaxClassifier, TableEncoder
from skmlp.persistence.archive import read, write
from skmlp.persistence.checkpoints import VERSIONS, count_draws
from skmlp.persistence.fingerprints import compute_fingerprint

X, Y = load_wine(return_X_y=True, as_frame=True)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FITS = {
    "default": {},
    "networks that end early": {
        "n_estimators": 8,
        "validation_fraction": 0.5,
        "learning_rate_init": 0.003,
        "n_iter_no_change": 4,
    },
    "networks that end early, in NumPy": {
        "dtype": "float64",
        "hidden_layer_sizes": (8,),
        "n_estimators": 8,
        "validation_fraction": 0.5,
        "learning_rate_init": 0.01,
        "n_iter_no_change": 4,
    },
    "one network": {"n_estimators": 1, "dropout": 0.3},
    "threads": {
        "hidden_layer_sizes": (300, 300),
        "batch_size": 130,
        "n_estimators": 4,
        "max_iter": 30,
    },
    "sgd": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "early_stopping": False,
        "activation": ["prelu", "tanh"],
        "hidden_layer_sizes": (20, 10),
        "n_iter_no_change": 5,
        "tol": 0.02,
    },
}
every_fit = pytest.mark.parametrize("params", FITS.values(), ids=FITS)


def make(**params):
    defaults = {"max_iter": 60, "n_iter_no_change": np.inf, "random_state": 0}
    return MLPSoftmaxClassifier(**defaults | params)


class KilledError(Exception):
    """Stands for what ends a process."""


def cut_off(monkeypatch, model, n_epochs, X=X, **fit_params):
    """Train until the checkpoint was saved so many times, and no further."""
    n_saved = itertools.count(1)

    def save_and_die(*args):
        write(*args)
        if next(n_saved) == n_epochs:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("skmlp.persistence.checkpoints.write", save_and_die)
        with pytest.raises(KilledError):
            model.fit(X, Y, **fit_params)


def assert_same(model, expected):
    assert_array_equal(model.parameters_, expected.parameters_)
    assert model.history_ == expected.history_
    assert_array_equal(model.best_iter_, expected.best_iter_)
    assert_array_equal(model.member_weights_, expected.member_weights_)
    assert model.temperature_ == expected.temperature_
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_fit_killed_at_ten_random_moments_ends_bit_for_bit_the_same(tmp_path):
    path = tmp_path / "fit.npz"
    model = make(max_iter=400, batch_size=32, n_estimators=4)
    params = model.get_params(deep=False)
    expected = model.fit(X, Y)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["skmlp", "sklearn.datasets"])
    rng = np.random.default_rng()
    n_epochs = []
    for attempt in range(10):
        # moments by calls of functions, as no clock knows how far a fit has come: an
        # epoch takes about 7,000, and what comes before the first one up to 160,000
        n_calls = int(rng.integers(200_000 if attempt >= 5 else 1, 250_000))
        process = processes.Process(
            target=killed_fit.fit, args=(params | {"checkpoint": path}, n_calls)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "it ended before it was killed"
        if path.exists():
            content = read(path, "checkpoint")
            n_epochs.append(len(content["training"]["monitor"]["history"]["loss"]))
    assert n_epochs == sorted(n_epochs)
    assert 0 < n_epochs[-1] < 400
    assert_same(make(**params | {"checkpoint": path}).fit(X, Y), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["fit.npz"]


@every_fit
@pytest.mark.parametrize("n_epochs", [1, 7, 20])
def test_a_fit_that_was_cut_off_goes_on(params, n_epochs, tmp_path, monkeypatch):
    expected = make(**params).fit(X, Y)
    path = tmp_path / "fit.npz"
    cut_off(monkeypatch, make(checkpoint=path, **params), n_epochs)
    assert_same(make(checkpoint=path, **params).fit(X, Y), expected)


@every_fit
def test_a_fit_that_ended_is_not_trained_again(params, tmp_path, monkeypatch):
    model = make(checkpoint=tmp_path / "fit.npz", **params).fit(X, Y)

    def train(*args):
        raise AssertionError("an epoch is trained")

    monkeypatch.setattr("skmlp.training.loop.NumpyLearner.train_epoch", train)
    monkeypatch.setattr("skmlp.core.learner.CoreLearner.train_epoch", train)
    assert_same(clone(model).fit(X, Y), model)


def test_without_a_seed_the_draws_are_those_of_the_fit_cut_off(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    for seed in (None, np.random.RandomState(3)):
        path.unlink(missing_ok=True)
        model = make(checkpoint=path, random_state=seed)
        cut_off(monkeypatch, model, 5)
        first, second = (clone(model).fit(X, Y) for _ in range(2))
        assert_same(first, second)


def test_own_rows_weights_and_warm_start_go_on(tmp_path, monkeypatch):
    weight = np.linspace(1, 2, len(Y))
    fit_params = {"sample_weight": weight, "X_val": X[::2], "y_val": Y[::2]}
    expected, model = (make(warm_start=True, max_iter=20).fit(X, Y) for _ in range(2))
    expected.set_params(alpha=0.1).fit(X, Y, **fit_params)
    model.set_params(alpha=0.1, checkpoint=tmp_path / "fit.npz")
    again = clone(model).set_params(checkpoint=None, alpha=0.0001).fit(X, Y)
    again.set_params(alpha=0.1, checkpoint=tmp_path / "fit.npz")
    cut_off(monkeypatch, model, 5, **fit_params)
    assert_same(again.fit(X, Y, **fit_params), expected)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (1, 60),
        (25, 3),
        ("1h", 1),
        (dt.timedelta(hours=1), 1),
        (pd.Timedelta("1us"), 60),
    ],
)
def test_how_often_it_is_saved(every, expected, tmp_path, monkeypatch):
    n_saved = []
    monkeypatch.setattr(
        "skmlp.persistence.checkpoints.write",
        lambda *args: n_saved.append(write(*args)),
    )
    path = tmp_path / "fit.npz"
    model = make(checkpoint=path, checkpoint_every=every).fit(X, Y)
    assert len(n_saved) == expected
    assert len(read(path, "checkpoint")["training"]["draws"]) == model.n_estimators_
    assert_same(clone(model).fit(X, Y), model)


def test_another_engine_does_not_go_on(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    cut_off(monkeypatch, make(checkpoint=path), 5)
    before = path.read_bytes()
    monkeypatch.setattr("skmlp.backend.engine", lambda: "other")
    with pytest.raises(FileRefusedError, match="of a fit that the engine"):
        make(checkpoint=path).fit(X, Y)
    assert path.read_bytes() == before
    # float64 is NumPy's in any case
    double = {"checkpoint": tmp_path / "double.npz", "dtype": "float64"}
    monkeypatch.undo()
    cut_off(monkeypatch, make(**double), 5)
    monkeypatch.setattr("skmlp.backend.engine", lambda: "other")
    assert make(**double).fit(X, Y).engine_ == "numpy"


def test_a_failed_save_leaves_the_former_state(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    cut_off(monkeypatch, make(checkpoint=path), 5)
    before = path.read_bytes()

    def no_space(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", no_space)
        with pytest.raises(OSError, match="No space"):
            make(checkpoint=path).fit(X, Y)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["fit.npz"]


def refused(path, X=X, Y=Y, fit_params=None, **params):
    with pytest.raises(FileRefusedError) as raised:
        make(checkpoint=path, **params).fit(X, Y, **(fit_params or {}))
    assert str(path) in str(raised.value)
    return str(raised.value)


def test_what_is_not_of_this_fit_is_refused_with_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    make(checkpoint=path).fit(X, Y)
    saved = path.read_bytes()

    assert "alpha=0.0001, and this one has alpha=0.1" in refused(path, alpha=0.1)
    assert "random_state=0, and this one has random_state=1" in refused(
        path, random_state=1
    )
    assert "this one has random_state=no number" in refused(path, random_state=None)
    assert "another X" in refused(path, X=X + 1)
    assert "another X" in refused(path, X=X.rename(columns={"ash": "Ash"}))
    assert "another y" in refused(path, Y=Y.replace({1: 0}))
    weight = {"sample_weight": np.ones(len(Y))}
    assert "another sample_weight" in refused(path, fit_params=weight)
    assert "another X_val" in refused(path, fit_params={"X_val": X, "y_val": Y})
    with monkeypatch.context() as patch:
        patch.setitem(VERSIONS, "skmlp", "9.0")
        assert f"skmlp {skmlp.__version__}, and this is skmlp 9.0" in refused(path)
    assert path.read_bytes() == saved

    path.write_bytes(saved[:-1])
    assert "damaged or incomplete" in refused(path)
    path.write_text("a recipe for soup")
    assert "not a file that skmlp wrote" in refused(path)
    write(path, "saved model", {})
    assert "is a saved model, not a checkpoint" in refused(path)
    write(path, "checkpoint", {"versions": VERSIONS})
    assert "right checksum, but no valid content" in refused(path)


MUTATED = {
    "early": {"n_estimators": 2, "validation_fraction": 0.5, "n_iter_no_change": 2},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "early_stopping": False},
}
RECORDED = {
    *("parameters", "best", "draws", "evaluations", "loss", "learning_rate"),
    *("first_moment", "second_moment", "velocity", "limit"),
}
"""Numbers of a checkpoint that may be others, as far as anybody can tell."""


@pytest.fixture(params=MUTATED.values(), ids=MUTATED)
def resumed(request, tmp_path, monkeypatch):
    """Path of a checkpoint after three epochs, and the fit that goes on from it."""
    model = make(
        hidden_layer_sizes=(3,),
        max_iter=5,
        batch_size=64,
        checkpoint=tmp_path / "fit.npz",
        **request.param,
    )
    numbers = X.to_numpy()[:, :3]
    cut_off(monkeypatch, model, 3, numbers)
    return model.checkpoint, lambda: clone(model).fit(numbers, Y)


@pytest.mark.parametrize("seed", range(2))
def test_fit_from_a_mutated_checkpoint_refuses_or_ends_the_same(resumed, seed):
    path, fit = resumed
    content, expected = read(path, "checkpoint"), fit()
    rng = np.random.default_rng(seed)
    n_refused = 0
    for _ in range(100):
        place, mutated = mutate(content, rng)
        with contextlib.suppress(TypeError, ValueError):  # where nothing holds it
            write(path, "checkpoint", mutated)
        try:
            model = fit()
        except FileRefusedError:
            n_refused += 1
            continue
        if RECORDED.isdisjoint(place):
            assert_array_equal(model.parameters_, expected.parameters_)
            assert model.history_ == expected.history_
            assert_array_equal(model.best_iter_, expected.best_iter_)
    assert n_refused > 70


@pytest.mark.parametrize(
    "change",
    [
        lambda training: training.pop("rule"),
        lambda training: training["rule"].pop("t"),
        lambda training: training["rule"].update(t=training["rule"]["t"] + 1),
        lambda training: training["rule"].update(other=np.zeros(3)),
        lambda training: training["draws"].append(training["draws"][0]),
        lambda training: training["draws"][0].update(bit_generator="MT19937"),
        lambda training: training["draws"][0]["state"].update(inc=1),
        lambda training: training["draws"][0]["state"].update(state=2**128),
        lambda training: training["draws"][0]["state"].update(state=5),
        lambda training: training["monitor"].update(stop_reason="converged"),
        lambda training: training["monitor"].update(stop_reason="diverged"),
        lambda training: training["monitor"].update(limit=0.0),
        lambda training: training["monitor"]["history"].pop("loss"),
        lambda training: training["monitor"]["history"]["loss"].pop(),
        lambda training: training["monitor"]["history"]["loss"].extend([0.1] * 9),
        lambda training: training["monitor"]["history"]["loss"].append(1),
        lambda training: training["monitor"]["history"].update(loss=[0.5, -1.0, 0.5]),
        lambda training: training["monitor"]["history"].update(loss=[0.5, np.nan, 0.5]),
        lambda training: training["monitor"].update(parameters=np.zeros(3)),
        lambda training: training["monitor"].update(
            best=training["monitor"]["best"].astype("f8")
        ),
        lambda training: training["monitor"].update(
            parameters=training["monitor"]["parameters"] * np.nan
        ),
        lambda training: training["monitor"].update(evaluations=np.zeros((3, 2, 9))),
    ],
)
def test_fit_refuses_a_checkpoint_that_contradicts_itself(resumed, change):
    path, fit = resumed
    content = read(path, "checkpoint")
    change(content["training"])
    write(path, "checkpoint", content)
    with pytest.raises(FileRefusedError, match="right checksum, but"):
        fit()


@pytest.mark.parametrize("n_draws", [0, 1, 3, 2**20 + 1, 2**127])
def test_count_draws(n_draws):
    bits = np.random.PCG64(0)
    before = bits.state["state"]
    assert count_draws(before, bits.advance(n_draws).state["state"]) == n_draws


def test_fit_refuses_draws_that_its_seed_does_not_give(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    cut_off(monkeypatch, make(checkpoint=path), 1)
    content = read(path, "checkpoint")
    content["draws"] = dict(np.random.default_rng(1).bit_generator.state)
    write(path, "checkpoint", content)
    assert "draws are not those of its random_state" in refused(path)


def test_a_fit_that_diverged_is_not_resumed_at_its_end(tmp_path):
    path = tmp_path / "fit.npz"
    params = {"solver": "sgd", "learning_rate_init": 1e19, "early_stopping": False}
    model = make(**params).fit(X, Y)
    for _ in range(2):
        again = make(checkpoint=path, **params).fit(X, Y)
        assert_equal(again.history_, model.history_)
        assert_array_equal(again.parameters_, model.parameters_)


def test_what_does_not_matter_may_differ(tmp_path):
    path = tmp_path / "fit.npz"
    model = make(checkpoint=path).fit(X, Y)
    other = make(checkpoint=str(path), verbose=1, max_time=60, checkpoint_every=5)
    assert_same(other.fit(X, Y), model)


def test_fit_resumes_on_parameters_of_numpy_types(tmp_path, monkeypatch):
    given = {"batch_size": 32, "hidden_layer_sizes": (8,), "alpha": 0.5, "max_iter": 3}
    of_encoder = {"max_categories": 20, "random_state": 1}
    same = {name: np.asarray(value)[()] for name, value in given.items()}
    same_of_encoder = {name: np.int64(value) for name, value in of_encoder.items()}
    path = tmp_path / "fit.npz"
    model = make(preprocessing=TableEncoder(**of_encoder), **given)
    cut_off(monkeypatch, model.set_params(checkpoint=path), n_epochs=1)
    resumed = make(preprocessing=TableEncoder(**same_of_encoder), **same)
    resumed.set_params(checkpoint=path, random_state=np.uint8(0)).fit(X, Y)
    assert_same(resumed, model.set_params(checkpoint=None).fit(X, Y))
    different = make(preprocessing=TableEncoder(max_categories=np.int64(21)), **same)
    with pytest.raises(FileRefusedError, match="preprocessing"):
        different.set_params(checkpoint=path).fit(X, Y)


def test_a_folder_has_a_file_for_each_fit(tmp_path):
    folder = tmp_path / "of" / "fits"
    search = GridSearchCV(
        make(n_estimators=1, max_iter=10, checkpoint=f"{folder}/"),
        {"alpha": [1e-4, 1e-2]},
        cv=3,
        scoring="neg_log_loss",
        n_jobs=2,
    ).fit(X, Y)
    files = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert len(files) == 2 * 3 + 1
    again = clone(search).fit(X, Y)
    assert files == {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_own_encoders_and_scorers_are_told_apart(tmp_path):
    path = tmp_path / "fit.npz"

    def score(model, X, y):
        return model.predict_proba(X)[:, 0].mean()

    params = {"preprocessing": StandardScaler(), "scoring": score}
    model = make(checkpoint=path, **params).fit(X, Y)
    assert_same(make(checkpoint=path, **params).fit(X, Y), model)
    params["preprocessing"] = StandardScaler(with_mean=False)
    assert "with_mean" in refused(path, **params)


def test_bad_places_and_intervals_are_named(tmp_path):
    with pytest.raises(ValueError, match="out of reach in scipy"):
        make(solver="lbfgs", checkpoint=tmp_path).fit(X, Y)
    with pytest.raises(
        FileNotFoundError, match=r"no folder .*no_such_folder' to write"
    ):
        make(checkpoint=tmp_path / "no_such_folder" / "fit.npz").fit(X, Y)
    for every in ("soon", "-3s"):
        with pytest.raises(ValueError, match="neither a number of epochs nor a time"):
            make(checkpoint=tmp_path, checkpoint_every=every).fit(X, Y)
    assert list(tmp_path.iterdir()) == []


def test_partial_fit_leaves_the_checkpoint_alone(tmp_path):
    model = classic(checkpoint=tmp_path / "fit.npz")
    model.partial_fit(X, Y, classes=[0, 1, 2])
    assert list(tmp_path.iterdir()) == []


OF_SEVERAL_OFFSETS = [
    dt.datetime(2020, 1, 1 + hours, tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    for hours in (1, 2)
] * 89
TABLES = {
    "numbers": X,
    "array": X.to_numpy(),
    "float32": X.to_numpy(np.float32),
    "sparse": sparse.csr_array(X.to_numpy()),
    "objects": X.to_numpy().astype(object),
    "mixed": X.assign(
        text=["a", "b"] * 89,
        category=pd.Categorical(["x", None] * 89),
        day=pd.Timestamp("2020-01-01"),
        maybe=pd.array([1, None] * 89, dtype="Int64"),
        lists=[[1], [2, 3]] * 89,
        months=pd.period_range("2020", periods=178, freq="M"),
        periods=[pd.Period("2020-01"), pd.Period("2020-01-01")] * 89,
        intervals=pd.interval_range(0, 178),
        pieces=[pd.Interval(0, 1), pd.Interval(0, 1, closed="left")] * 89,
        cut=pd.cut(np.arange(178), 3),
        moments=pd.Series(OF_SEVERAL_OFFSETS, dtype=object),
    ),
}


def test_fingerprints_tell_tables_apart_by_content():
    found = {name: compute_fingerprint(table) for name, table in TABLES.items()}
    assert len(set(found.values())) == len(TABLES)
    for name, table in TABLES.items():
        assert compute_fingerprint(table.copy()) == found[name]
    mixed = TABLES["mixed"]
    for column in mixed:
        changed = mixed.copy()
        changed[column] = changed[column].iloc[::-1].to_numpy()
        is_same = changed[column].equals(mixed[column])
        assert (compute_fingerprint(changed) == found["mixed"]) == is_same


@pytest.mark.parametrize(
    ("one", "other"),
    [([[2**53 + 1, 0.5]], [[2**53, 0.5]]), ([[1, "a"]], [["1", "a"]])],
)
def test_fingerprints_tell_lists_apart_that_numpy_does_not(one, other):
    assert compute_fingerprint(one) != compute_fingerprint(other)
    assert compute_fingerprint(one) == compute_fingerprint(np.array(one, dtype=object))


def test_fingerprints_ignore_memory_order_and_identity():
    numbers = X.to_numpy()
    assert compute_fingerprint(np.asfortranarray(numbers)) == compute_fingerprint(
        numbers
    )
    shared, equal = [("a", 1)] * 2, [tuple(cell) for cell in (["a", 1], ["a", 1])]
    one, other = (pd.DataFrame({"pair": cells}) for cells in (shared, equal))
    assert compute_fingerprint(one) == compute_fingerprint(other)


ELSEWHERE = """
import numpy as np, pandas as pd
from skmlp.persistence.fingerprints import compute_fingerprint, fingerprint_fit

cells = [{"red", "blue"}, frozenset("abc"), {"a": {"x", "y"}}, [("p", {"q", "r"})]]
kinds = pd.Categorical([*map(frozenset, ("ab", "cd"))] * 2)
table = pd.DataFrame({"cell": cells, "kind": kinds})
params = {"random_state": None, "a": {"x", "y"}, "b": np.random.RandomState(0)}
print(fingerprint_fit(params, {"X": table, "y": np.array(["a", "b"])}))
"""


def test_fingerprints_are_the_same_in_processes_of_other_hashes():
    printed = [
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert len(set(printed)) == 1


def test_a_fit_on_dates_of_several_offsets_periods_and_intervals_goes_on(
    tmp_path, monkeypatch
):
    table = TABLES["mixed"][["moments", "months", "periods", "intervals", "pieces"]]
    expected = make(n_estimators=1, max_iter=10).fit(table, Y).parameters_
    path = tmp_path / "fit.npz"
    model = make(n_estimators=1, max_iter=10, checkpoint=path)
    cut_off(monkeypatch, model, 5, X=table)
    for column in table:
        values = table[column].astype(object).tolist()
        changed = pd.Series(values[::-1], index=table.index, dtype=object)
        other = table.assign(**{column: changed.astype(table[column].dtype)})
        assert "another X" in refused(path, other, n_estimators=1, max_iter=10)
    assert_array_equal(model.fit(table, Y).parameters_, expected)
