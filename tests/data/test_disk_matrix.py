"""The file of encoded rows: every row once, in any order, and gone at the end."""

import os
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmlp.data import disk_matrix
from skmlp.data.disk_matrix import DiskMatrix, ShuffledWriter, _format_bytes

N_ROWS = 500
ROWS = np.column_stack([np.arange(N_ROWS), np.arange(N_ROWS) % 7]).astype("f4")


def written(rng, piece_size=90):
    """A file with ROWS, and an array with their numbers in its order."""
    matrix = DiskMatrix(N_ROWS, 2, "f4")
    writer = ShuffledWriter(matrix, {"number": np.full(N_ROWS, -1)}, rng)
    for start in range(0, N_ROWS, piece_size):
        rows = ROWS[start : start + piece_size]
        writer.add(rows, number=np.arange(start, start + len(rows)))
    writer.finish()
    return matrix, writer.columns["number"]


def contents(matrix):
    out = np.empty(matrix.shape, matrix.dtype)
    matrix.read(0, out)
    return out


@pytest.fixture
def small_buckets(monkeypatch):
    """So that 500 rows are dealt to 8 buckets."""
    monkeypatch.setattr(disk_matrix, "BUCKET_BYTES", 512)


@pytest.mark.usefixtures("small_buckets")
@pytest.mark.parametrize("piece_size", [1, 90, N_ROWS])
def test_every_row_is_there_once_with_its_number(piece_size):
    matrix, numbers = written(np.random.default_rng(0), piece_size)
    with matrix:
        assert_array_equal(np.sort(numbers), np.arange(N_ROWS))
        assert_array_equal(contents(matrix), ROWS[numbers])


def test_without_a_source_of_chance_rows_stay_in_order():
    matrix, numbers = written(None)
    with matrix:
        assert_array_equal(numbers, np.arange(N_ROWS))
        assert_array_equal(contents(matrix), ROWS)


@pytest.mark.usefixtures("small_buckets")
def test_any_order_is_as_likely_as_any_other():
    """Row and place are independent: counts of tenths by tenths are like a table's."""
    counts = np.zeros((10, 10))
    n_times = 60
    for seed in range(n_times):
        matrix, numbers = written(np.random.default_rng(seed))
        matrix.file.close()
        np.add.at(counts, (numbers * 10 // N_ROWS, np.arange(N_ROWS) * 10 // N_ROWS), 1)
    expected = n_times * N_ROWS / 100
    # of 81 degrees of freedom: beyond 130 once in 2500 times
    assert ((counts - expected) ** 2 / expected).sum() < 130


@pytest.mark.usefixtures("small_buckets")
def test_neighbours_do_not_stay_together():
    """A correlation of neighbouring numbers is noise of 1 / sqrt(500)."""
    matrix, numbers = written(np.random.default_rng(3))
    matrix.file.close()
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 4 / np.sqrt(N_ROWS)


def test_parts_are_read_from_any_row_on():
    matrix, _ = written(None)
    with matrix:
        out = np.empty((3, 2), "f4")
        matrix.read(497, out)
        assert_array_equal(out, ROWS[497:])


def test_reading_beyond_the_end_is_an_error():
    matrix, _ = written(None)
    with matrix, pytest.raises(EOFError, match="ends before row 498"):
        matrix.read(498, np.empty((3, 2), "f4"))


def test_threads_read_at_the_same_time():
    matrix, _ = written(None)
    wrong = []

    def read(place):
        out = np.empty((5, 2), "f4")
        for _ in range(300):
            matrix.read(place, out)
            if not np.array_equal(out, ROWS[place : place + 5]):
                wrong.append(place)

    threads = [threading.Thread(target=read, args=(place,)) for place in (0, 100, 400)]
    with matrix:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_wide_rows_come_in_smaller_blocks():
    with DiskMatrix(10, 3, "f4") as narrow, DiskMatrix(10, 10_000, "f4") as wide:
        assert narrow.block_size == disk_matrix.BLOCK_SIZE
        bytes_at_once = wide.block_size * wide.blocks_at_once * 40_000
        assert bytes_at_once > disk_matrix.BYTES_AT_ONCE / 2
        assert bytes_at_once <= disk_matrix.BYTES_AT_ONCE


def test_nothing_is_left_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_matrix.tempfile, "tempdir", str(tmp_path))
    matrix, _ = written(None)
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []
    with matrix:
        pass
    assert list(tmp_path.iterdir()) == []
    assert matrix.file.closed


def test_says_so_before_it_begins_where_there_is_no_room(monkeypatch):
    usage = disk_matrix.shutil.disk_usage("/")
    monkeypatch.setattr(
        disk_matrix.shutil, "disk_usage", lambda folder: usage._replace(free=2_000_000)
    )
    sentence = (
        "1000000 rows are encoded as 20 numbers .* 80 MB .* room for 2 MB .*TMPDIR"
    )
    with pytest.raises(OSError, match=sentence):
        DiskMatrix(1_000_000, 20, "f4")


def test_bytes_in_words():
    assert _format_bytes(4_123_000_000) == "4.12 GB"
    assert _format_bytes(5_400_000) == "5.4 MB"
