"""Matrix of encoded rows on disk: written once, in random order, and read in blocks."""

import math
import shutil
import tempfile
import threading
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

BLOCK_SIZE = 1 << 14
"""Most rows of a block, which is read at once."""

BLOCKS_AT_ONCE = 8
"""Blocks in memory, whose rows are mixed."""

BYTES_AT_ONCE = 1 << 25
"""Most bytes of these blocks; rows of many columns come in smaller blocks."""

BUCKET_BYTES = 1 << 25
"""Size of the parts of the file that are shuffled in memory."""


class DiskMatrix:
    """A matrix in a file without a name, which vanishes with the process at the latest.

    It is read and written, not mapped: pages of a map count as memory of the process,
    and a full disk would kill it rather than raise OSError.
    """

    def __init__(self, n_rows: int, n_columns: int, dtype: DTypeLike) -> None:
        self.shape = (n_rows, n_columns)
        self.dtype = np.dtype(dtype)
        self.bytes_per_row = n_columns * self.dtype.itemsize
        block_bytes = BYTES_AT_ONCE // BLOCKS_AT_ONCE
        self.block_size = min(BLOCK_SIZE, max(1, block_bytes // self.bytes_per_row))
        self.blocks_at_once = BLOCKS_AT_ONCE
        self._lock = threading.Lock()  # to seek and to read are two calls
        _check_room(self)
        self.file = tempfile.TemporaryFile(prefix="skmlp-")  # noqa: SIM115
        self.file.truncate(self.nbytes)  # reserves the size, not yet the disk

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return len(self) * self.bytes_per_row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def read(self, start: int, out: np.ndarray) -> None:
        """Fill `out` with the rows from index `start` on."""
        with self._lock:
            self.file.seek(start * self.bytes_per_row)
            if self.file.readinto(_to_bytes(out)) < out.nbytes:
                raise EOFError(f"the file of encoded rows ends before row {start}.")

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows from index `start` on."""
        with self._lock:
            self.file.seek(start * self.bytes_per_row)
            self.file.write(_to_bytes(np.ascontiguousarray(rows, self.dtype)))
            self.file.flush()  # an error of the disk belongs here


def _to_bytes(rows: np.ndarray) -> memoryview:
    """View contiguous rows as bytes."""
    return rows.reshape(-1).view(np.uint8).data


def _check_room(matrix: DiskMatrix) -> None:
    """Raise OSError unless the file will fit where temporary files are."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if matrix.nbytes > free:
        n_rows, n_columns = matrix.shape
        raise OSError(
            f"{n_rows} rows are encoded as {n_columns} numbers each, for which a file "
            f"of {_format_bytes(matrix.nbytes)} is needed, but there is room for "
            f"{_format_bytes(free)} in {folder}; let the environment variable "
            "TMPDIR name a folder with more, or drop columns."
        )


def _format_bytes(n_bytes: int) -> str:
    """Format a number of bytes for a message."""
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"


class ShuffledWriter:
    """Writes rows in random order, and labels and weights in the same order.

    The file is divided into buckets. Each batch of rows is dealt to them at random, in
    proportion to the room that is left there; at the end, each bucket is shuffled in
    memory. So every order of the rows has the same probability.

    `columns` has arrays of shape (n_rows,) that are filled. Without `rng`, rows stay in
    their order.
    """

    def __init__(
        self,
        matrix: DiskMatrix,
        columns: dict[str, np.ndarray],
        rng: np.random.Generator | None,
    ) -> None:
        self.matrix = matrix
        self.columns = columns
        self.rng = rng
        n_buckets = 1 if rng is None else math.ceil(matrix.nbytes / BUCKET_BYTES)
        # the first row of each bucket, and the end of the last one
        edges = np.arange(n_buckets + 1) * len(matrix) // n_buckets
        self.starts, self.ends = edges[:-1], edges[1:]
        self.places = self.starts.copy()  # where each bucket goes on

    def add(self, rows: np.ndarray, **columns: np.ndarray) -> None:
        """Deal rows to the buckets, with one number each per column."""
        counts = np.array([len(rows)])  # (n_buckets,)
        if self.rng is not None:
            # as if rows were drawn one by one among the free places of all buckets
            room = self.ends - self.places
            counts = self.rng.multivariate_hypergeometric(
                room, len(rows), method="marginals"
            )
            order = self.rng.permutation(len(rows))
            rows = rows[order]
            columns = {name: values[order] for name, values in columns.items()}
        stop = 0
        for bucket, count in enumerate(counts.tolist()):
            start, stop = stop, stop + count
            place = self.places[bucket]
            self.matrix.write(int(place), rows[start:stop])
            for name, values in columns.items():
                self.columns[name][place : place + count] = values[start:stop]
            self.places[bucket] += count

    def finish(self) -> None:
        """Shuffle each bucket."""
        assert (self.places == self.ends).all(), "rows are missing"
        if self.rng is None:
            return
        width = self.matrix.shape[1]
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            rows = np.empty((end - start, width), self.matrix.dtype)  # one bucket
            self.matrix.read(start, rows)
            order = self.rng.permutation(end - start)
            self.matrix.write(start, rows[order])
            for values in self.columns.values():
                values[start:end] = values[start:end][order]
