"""Temporary files: each replaces a file whole, and none stays for good."""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest

import skmlp
from skmlp.data.parquet import DataSet
from skmlp.persistence.archive import read, write
from skmlp.persistence.temporary import (
    FOLDER_PREFIX,
    _make_folder,
    remove_leftovers,
    replace_file,
    temporary_folder,
)

fcntl = pytest.importorskip("fcntl")

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

kind, path = sys.argv[1:]
if kind == "save":
    import skmlp
    model = skmlp.load(path)
    os.fsync = die
    model.save(path)
elif kind == "checkpoint":
    import skmlp
    os.replace = die
    skmlp.MLPSoftmaxClassifier((2,), n_estimators=1, max_iter=2, checkpoint=path).fit(
        np.eye(8), [0, 1] * 4
    )
elif kind == "predictions":
    import pyarrow as pa
    from skmlp.data.predictions import write_parquet

    def tables():
        yield pa.table({"a": [1, 2]})
        die()

    write_parquet(path, tables())
elif kind == "query":
    import polars as pl
    from skmlp.data.parquet import DataSet
    with DataSet(pl.LazyFrame({"a": [1, 2]})):
        die()
"""


def kill(kind, path, **environment):
    """Kill a process while it writes to a file."""
    command = [sys.executable, "-c", KILLED, kind, str(path)]
    result = subprocess.run(command, check=False, capture_output=True, **environment)
    assert result.returncode == -9, result.stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def model():
    model = skmlp.MLPSoftmaxClassifier((2,), n_estimators=1, max_iter=2, random_state=0)
    return model.fit([[0.0], [1.0]] * 8, [0, 1] * 8)


def test_save_removes_what_a_killed_save_left(tmp_path, model):
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    for _ in range(2):  # the second removes what the first left
        kill("save", path)
        assert len(names(tmp_path)) == 2
        assert path.read_bytes() == before
    model.save(path)
    assert names(tmp_path) == ["model"]


def test_fit_removes_what_a_killed_checkpoint_left(tmp_path):
    path = tmp_path / "fit.npz"
    kill("checkpoint", path)
    assert len(names(tmp_path)) == 1
    model = skmlp.MLPSoftmaxClassifier((2,), n_estimators=1, max_iter=2)
    model.set_params(checkpoint=path).fit(np.eye(8), [0, 1] * 4)
    assert names(tmp_path) == ["fit.npz"]


def test_predictions_remove_what_a_killed_process_left(tmp_path, model):
    rows, path = tmp_path / "rows", tmp_path / "predicted"
    pd.DataFrame({"x": [0.0, 1.0]}).to_parquet(rows)
    kill("predictions", path)
    assert len(names(tmp_path)) == 2
    model.predict_to_parquet(rows, path)
    assert names(tmp_path) == ["predicted", "rows"]


def test_query_removes_the_folder_that_a_killed_process_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kill("query", "", env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)})
    assert len(names(tmp_path)) == 1
    with DataSet(pl.LazyFrame({"a": [1, 2]})) as data:
        assert data.n_rows == 2
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == []


def test_folders_in_use_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / f"{FOLDER_PREFIX}a file").touch()
    with temporary_folder() as first, temporary_folder() as second:
        assert {first.name, second.name} < set(names(tmp_path))
    assert names(tmp_path) == ["other", f"{FOLDER_PREFIX}a file"]


def test_a_file_that_is_being_written_stays(tmp_path):
    path = tmp_path / "file"
    with replace_file(path) as first:
        first.write(b"first")
        with replace_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_leftovers_of_other_files_stay(tmp_path):
    others = [
        *(".other.0123abcd.tmp", ".file.0123abcd", ".file.0123abcd.5.tmp"),
        *(".file.npz.0123abcd.tmp", "file.0123abcd.tmp"),
    ]
    for name in [*others, ".file.0123abcd.tmp"]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "file")
    assert names(tmp_path) == sorted(others)


@pytest.mark.parametrize("make", [replace_file, temporary_folder])
def test_one_taken_for_a_leftover_is_made_again(tmp_path, monkeypatch, make):
    taken = []

    def steal(descriptor):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].rmdir() if taken[0].is_dir() else taken[0].unlink()

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("skmlp.persistence.temporary.lock", steal)
    if make is temporary_folder:
        folder, _ = _make_folder()
        assert folder.is_dir()
        assert folder not in taken
    else:
        with replace_file(tmp_path / "file") as stream:
            stream.write(b"content")
        assert (tmp_path / "file").read_bytes() == b"content"
    assert len(taken) == 1


def test_concurrent_saves_never_mix(tmp_path):
    path = tmp_path / "file"

    def save(number):
        write(path, "test", {"a": chr(number) * 50_000})
        found = read(path, "test")["a"]
        assert len(set(found)) == 1
        assert len(found) == 50_000

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(60)))
    assert names(tmp_path) == ["file"]


def test_without_locks_files_are_replaced_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("skmlp.persistence.temporary.fcntl", None)
    (tmp_path / ".file.0123abcd.tmp").touch()
    with replace_file(tmp_path / "file") as stream:
        stream.write(b"content")
    assert names(tmp_path) == ["file"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.is_dir()
    assert names(tmp_path) == ["file"]


def test_a_file_system_without_locks_takes_files(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / ".file.0123abcd.tmp").touch()
    with replace_file(tmp_path / "file") as stream:
        stream.write(b"content")
    # it may be in use
    assert names(tmp_path) == [".file.0123abcd.tmp", "file"]
