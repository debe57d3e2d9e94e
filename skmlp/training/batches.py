"""Batches: shuffled rows, gathered into one reused buffer, also of a file."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

ROWS_TO_COUNT = 1 << 20
"""Rows that are counted at a time."""


class SparseRows(Protocol):
    """What is asked of sparse rows, here and by the network that they are handed to.

    The layers say the same for themselves: training knows none of them.
    """

    T: "SparseRows"

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice | np.ndarray | list[int], /) -> "SparseRows": ...

    def __matmul__(self, other: np.ndarray, /) -> np.ndarray: ...


@runtime_checkable
class DiskRows(Protocol):
    """Dense rows that are read from a file, a block at a time.

    Attributes
    ----------
    dtype : dtype
        Their type.
    block_size : int
        Rows of a block; the last one may have less.
    blocks_at_once : int
        Blocks that are held in memory, and mixed, at a time.
    """

    dtype: np.dtype
    block_size: int
    blocks_at_once: int

    @property
    def shape(self) -> tuple[int, int]: ...

    def read(self, start: int, out: np.ndarray) -> None:
        """Fill `out` with the rows from number `start` on."""


@dataclass(frozen=True)
class ShardedRows:
    """Stands for dense rows that lie in shards, with their codes and weights.

    Attributes
    ----------
    shape : tuple of int
        Shape of the matrix of all rows.
    sizes : tuple of int
        Rows of each shard.
    shards : sequence
        `Samples` of one line each, or what stands for them where they are.
    """

    shape: tuple[int, int]
    sizes: tuple[int, ...]
    shards: Sequence[Any]


MemoryRows = np.ndarray | SparseRows
"""An array, or sparse rows, which SciPy gives without types."""

TrainingRows = MemoryRows | DiskRows | ShardedRows
"""Those, rows in a file and rows in shards, of which only training reads any."""


class Samples(NamedTuple):
    """Encoded rows with their targets.

    Attributes
    ----------
    x : ndarray, CSR or RowsInFile of shape (n_samples, n_inputs)
        Input of the network.
    codes : ndarray of int of shape (..., n_samples)
        Class of each row. For a stack of networks that see different rows, one line
        of each array per network.
    weight : ndarray of shape (..., n_samples) or None
        Weight of each row; None means 1.
    rows : ndarray of int of shape (..., n_samples) or None
        Which rows of `x` these are; None for all of them. A part of the samples so
        shares `x` with the whole, and a large table is never copied to be split.
    """

    x: TrainingRows
    y_encoded: np.ndarray
    sample_weight: np.ndarray | None = None
    indices: np.ndarray | None = None

    def take(self, part: np.ndarray) -> "Samples":
        """The samples at the given indices, on the same `x`."""
        return Samples(
            self.x,
            self.y_encoded[part],
            None if self.sample_weight is None else self.sample_weight[part],
            part if self.indices is None else self.indices[part],
        )

    def take_along(self, order: np.ndarray) -> "Samples":
        """The samples at indices of which each network has a line of its own."""

        def ordered(array: np.ndarray) -> np.ndarray:
            return np.take_along_axis(array, order, axis=-1)

        return Samples(
            self.x,
            ordered(self.y_encoded),
            None if self.sample_weight is None else ordered(self.sample_weight),
            order if self.indices is None else ordered(self.indices),
        )

    def gather_inputs(self) -> MemoryRows:
        """The rows of `x` that belong to these samples, in their order."""
        elsewhere = DiskRows | ShardedRows
        assert not isinstance(self.x, elsewhere), "these are rows to be scored"
        return self.x if self.indices is None else self.x[self.indices]

    def select_members(self, part: slice | int) -> "Samples":
        """Those of some networks of a stack, or of one by itself."""
        x, y_encoded, weight, rows = self
        return Samples(
            x,
            y_encoded[part],
            None if weight is None else weight[part],
            None if rows is None else rows[part],
        )

    def split_members(self) -> list["Samples"]:
        """Those of each network of a stack by itself."""
        return [self.select_members(member) for member in range(len(self.y_encoded))]

    def broadcast_members(self, n_members: int) -> "Samples":
        """A stack in which so many networks see these samples, all of them the same."""
        x, y_encoded, weight, rows = self

        def stack(line: np.ndarray) -> np.ndarray:
            return np.broadcast_to(line, (n_members, len(line)))

        return Samples(
            x,
            stack(y_encoded),
            None if weight is None else stack(weight),
            None if rows is None else stack(rows),
        )

    def total_weight(self) -> float:
        """Sum of the weights, per network."""
        if self.sample_weight is None:
            return float(self.y_encoded.shape[-1])
        n_members = self.y_encoded.size // self.y_encoded.shape[-1]
        return float(self.sample_weight.sum(dtype=np.float64)) / n_members

    def class_priors(self, n_classes: int) -> np.ndarray:
        """Part of the total weight that each class has."""
        totals = np.zeros(n_classes)
        # of very many rows, copies as wide integers would be large
        for start in range(0, self.y_encoded.shape[-1], ROWS_TO_COUNT):
            part = (..., slice(start, start + ROWS_TO_COUNT))
            weight = (
                None if self.sample_weight is None else self.sample_weight[part].ravel()
            )
            totals += np.bincount(self.y_encoded[part].ravel(), weight, n_classes)
        return totals / totals.sum()

    @np.errstate(all="ignore")
    def normalize_weights(self, dtype: str) -> "Samples":
        """The same rows, their weights scaled so that the learning rate keeps."""
        if self.sample_weight is None:
            return self
        factor = self.y_encoded.shape[-1] / self.total_weight()
        return self._replace(sample_weight=(self.sample_weight * factor).astype(dtype))


class Batches:
    """The rows in batches, in a new random order for each epoch.

    Parameters
    ----------
    samples : Samples
        The rows; never written.
    batch_size : int
        Rows per batch; the last batch of an epoch takes what is left.
    rngs : sequence of numpy.random.Generator or None
        Sources of the order, one per network; None keeps the order of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> samples = Samples(np.eye(5), np.arange(5))
    >>> [batch.y_encoded.tolist() for batch in Batches(samples, 2, rngs=None)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        rngs: Sequence[np.random.Generator] | None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.rngs = rngs
        *self.stack, self.n_samples = samples.y_encoded.shape
        self.is_in_order = rngs is None and samples.indices is None and not self.stack
        elsewhere = DiskRows | ShardedRows
        assert not isinstance(samples.x, elsewhere), "these are for others"
        self.x: MemoryRows = samples.x
        if isinstance(self.x, np.ndarray) and not self.is_in_order:
            size = batch_size * self.x.shape[1] * math.prod(self.stack)
            self.buffer = np.empty(size, self.x.dtype)

    def __len__(self) -> int:
        return -(-self.n_samples // self.batch_size)

    def batch_sizes(self) -> list[int]:
        """Rows of each batch."""
        starts = range(0, self.n_samples, self.batch_size)
        return [min(self.batch_size, self.n_samples - start) for start in starts]

    def __iter__(self) -> Iterator[Samples]:
        return self.iterate_in_order(self.draw_order())

    def iterate_in_order(self, order: np.ndarray) -> Iterator[Samples]:
        """The batches of one epoch, in an order that `order` gave."""
        for start in range(0, self.n_samples, self.batch_size):
            part = slice(start, start + self.batch_size)
            if self.is_in_order:
                yield self._slice(part)
            else:
                yield self._gather(order[..., part])

    def iterate_chunks(self) -> Iterator["Batches"]:
        """What an epoch passes over in turn: here, all of it at once."""
        yield self

    def draw_batches(self, numbers: range) -> "Batches":
        """Adjacent batches of one epoch, whose order is drawn now, as an epoch."""
        rows = slice(numbers.start * self.batch_size, numbers.stop * self.batch_size)
        samples = self.samples.take_along(self.draw_order()[..., rows])
        return Batches(samples, self.batch_size, rngs=None)

    def draw_order(self) -> np.ndarray:
        """The samples in the order of one epoch, each network's own."""
        if self.rngs is None:
            return np.broadcast_to(
                np.arange(self.n_samples), self.samples.y_encoded.shape
            )
        orders = [rng.permutation(self.n_samples) for rng in self.rngs]
        return np.stack(orders) if self.stack else orders[0]

    def _slice(self, part: slice) -> Samples:
        """A run of adjacent rows, as views."""
        _, y_encoded, weight, _ = self.samples
        return Samples(
            self.x[part], y_encoded[part], None if weight is None else weight[part]
        )

    def _gather(self, part: np.ndarray) -> Samples:
        """The given samples; dense rows are valid until the next call."""
        x, (_, y_encoded, weight, rows) = self.x, self.samples
        chosen: np.ndarray | tuple[np.ndarray, np.ndarray] = part
        if self.stack:
            member = np.arange(*self.stack)[:, np.newaxis]
            chosen = (member, part)
        place = part if rows is None else rows[chosen]
        if isinstance(x, np.ndarray):
            # mode="clip" lets numpy write to the buffer without one of its own
            shape = (*place.shape, x.shape[1])
            out = self.buffer[: math.prod(shape)].reshape(shape)
            x = np.take(x, place, axis=0, out=out, mode="clip")
        else:
            x = x[place.ravel()]
        return Samples(x, y_encoded[chosen], None if weight is None else weight[chosen])


class DiskBatches:
    """The rows of a file in batches: some blocks of them at a time, mixed in memory.

    In each epoch the blocks come in a new random order. The rows are taken to be in
    random order in the file, so that those of a few blocks are like all.

    Parameters
    ----------
    samples : Samples
        Whose `x` is in a file; all of its rows.
    batch_size : int
        Rows per batch; the last batch of the blocks in memory takes what is left.
    rngs : sequence of numpy.random.Generator or None
        Sources of the order, one per network; None keeps the order of the rows.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        rngs: Sequence[np.random.Generator] | None,
    ) -> None:
        assert isinstance(samples.x, DiskRows), "other rows are for Batches"
        assert samples.indices is None, "a file is read as a whole"
        self.samples = samples
        self.file = samples.x
        self.batch_size = batch_size
        self.rngs = rngs
        self.n_samples = samples.y_encoded.shape[-1]
        self.n_blocks = -(-self.n_samples // self.file.block_size)
        self.buffer: np.ndarray | None = None

    def batch_sizes(self) -> list[int]:
        """Rows of each batch: the same in each epoch, as the last block stays last."""
        at_once = self.file.blocks_at_once * self.file.block_size
        sizes = []
        for start in range(0, self.n_samples, at_once):
            left = min(at_once, self.n_samples - start)
            n_full, rest = divmod(left, self.batch_size)
            sizes += [self.batch_size] * n_full + [rest] * bool(rest)
        return sizes

    def __iter__(self) -> Iterator[Samples]:
        for part in self.iterate_chunks():
            yield from part

    def iterate_chunks(self) -> Iterator[Batches]:
        """What an epoch passes over in turn: some blocks, valid until the next ones."""
        blocks = np.arange(self.n_blocks)
        if self.rngs is not None:
            # the last one may be shorter
            self.rngs[0].shuffle(blocks[:-1])
        for start in range(0, self.n_blocks, self.file.blocks_at_once):
            some = blocks[start : start + self.file.blocks_at_once]
            yield Batches(self._load_blocks(some), self.batch_size, self.rngs)

    def _load_blocks(self, blocks: np.ndarray) -> Samples:
        """The rows of some blocks, one behind the other."""
        size, width = self.file.block_size, self.file.shape[1]
        if self.buffer is None:
            most = min(self.file.blocks_at_once * size, self.n_samples)
            self.buffer = np.empty((most, width), self.file.dtype)
        places = [
            slice(block * size, min((block + 1) * size, self.n_samples))
            for block in blocks.tolist()
        ]
        end = 0
        for place in places:
            start, end = end, end + place.stop - place.start
            self.file.read(place.start, self.buffer[start:end])
        _, y_encoded, weight, _ = self.samples
        return Samples(
            self.buffer[:end],
            np.concatenate([y_encoded[..., place] for place in places], axis=-1),
            None
            if weight is None
            else np.concatenate([weight[..., place] for place in places], axis=-1),
        )


def make_batches(
    samples: Samples,
    batch_size: int,
    rngs: Sequence[np.random.Generator] | None,
) -> Batches | DiskBatches:
    """The samples in batches, wherever they are."""
    kind = DiskBatches if isinstance(samples.x, DiskRows) else Batches
    return kind(samples, batch_size, rngs)
