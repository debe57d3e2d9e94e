"""The file of encoded rows: written once, in random order, and read in blocks."""

import math
import shutil
import tempfile
import threading
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

BLOCK_SIZE = 1 << 14
"""Most rows that are read at a time, in one piece."""

BLOCKS_AT_ONCE = 8
"""Most blocks that are mixed in memory."""

BYTES_AT_ONCE = 1 << 25
"""Bytes that these blocks may take; rows of many columns come in smaller blocks."""

BUCKET_BYTES = 1 << 25
"""Size of the parts of the file that are shuffled in memory."""


class DiskMatrix:
    """A matrix in a file that has no name, and so is gone with the process at last.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the matrix.
    dtype : dtype
        Type of its numbers.

    Attributes
    ----------
    block_size : int
        Rows of a block; the last one may have less.
    blocks_at_once : int
        Blocks that are to be held in memory at a time.

    Raises
    ------
    OSError
        If there is not enough room for it where temporary files are.
    """

    def __init__(self, n_rows: int, n_columns: int, dtype: DTypeLike) -> None:
        self.shape = (n_rows, n_columns)
        self.dtype = np.dtype(dtype)
        self.bytes_per_row = n_columns * self.dtype.itemsize
        block_bytes = BYTES_AT_ONCE // BLOCKS_AT_ONCE
        self.block_size = min(BLOCK_SIZE, max(1, block_bytes // self.bytes_per_row))
        self.blocks_at_once = BLOCKS_AT_ONCE
        self.turn = threading.Lock()  # place and content are two calls
        check_room(self)
        self.file = tempfile.TemporaryFile(prefix="skmlp-", buffering=0)  # noqa: SIM115
        self.file.truncate(self.nbytes)

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return self.shape[0] * self.bytes_per_row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def read(self, start: int, out: np.ndarray) -> None:
        """Fill `out` with the rows from number `start` on."""
        view = out.reshape(-1).view(np.uint8).data
        with self.turn:
            self.file.seek(start * self.bytes_per_row)
            while len(view):
                n_bytes = self.file.readinto(view)
                if not n_bytes:
                    raise EOFError(f"the file of encoded rows ends before row {start}.")
                view = view[n_bytes:]

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows, the first of which gets the number `start`."""
        rows = np.ascontiguousarray(rows, self.dtype)
        view = rows.reshape(-1).view(np.uint8).data
        with self.turn:
            self.file.seek(start * self.bytes_per_row)
            while len(view):
                view = view[self.file.write(view) :]


def check_room(matrix: DiskMatrix) -> None:
    """Raise unless the file will fit where temporary files are."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if matrix.nbytes > free:
        n_rows, n_columns = matrix.shape
        raise OSError(
            f"{n_rows} rows are encoded as {n_columns} numbers each, for which a file "
            f"of {format_bytes(matrix.nbytes)} is needed, but there is room for "
            f"{format_bytes(free)} in {folder}; let the environment variable "
            "TMPDIR name a folder with more, or drop columns."
        )


def format_bytes(n_bytes: int) -> str:
    """A number of bytes for messages."""
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"


class ShuffledWriter:
    """Puts rows into a file in random order, with a number each: codes, or weights.

    The file is taken as buckets. Each piece of rows is dealt to them at random, in
    proportion to the room that is left there; at the end, each bucket is shuffled in
    memory. So every order of the rows is as likely as any other.

    Parameters
    ----------
    matrix : MatrixFile
        Where the rows go.
    columns : dict of str to ndarray of shape (n_rows,)
        Arrays that are filled, each with a number per row, in the order of the file.
    rng : numpy.random.Generator or None
        Source of the order; None keeps it as the rows come.
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
        n_rows = matrix.shape[0]
        n_buckets = 1 if rng is None else math.ceil(matrix.nbytes / BUCKET_BYTES)
        edges = np.arange(n_buckets + 1) * n_rows // n_buckets
        self.starts, self.ends = edges[:-1], edges[1:]
        self.places = self.starts.copy()

    def add(self, rows: np.ndarray, **columns: np.ndarray) -> None:
        """Write some rows, with as many numbers under each name of `columns`."""
        counts = np.array([len(rows)])
        if self.rng is not None:
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
        """Shuffle the buckets."""
        assert (self.places == self.ends).all(), "rows are missing"
        if self.rng is None:
            return
        width = self.matrix.shape[1]
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            rows = np.empty((end - start, width), self.matrix.dtype)
            self.matrix.read(start, rows)
            order = self.rng.permutation(end - start)
            self.matrix.write(start, rows[order])
            for values in self.columns.values():
                values[start:end] = values[start:end][order]
