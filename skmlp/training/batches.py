"""Batches: shuffled rows, gathered into one reused buffer, also of a file."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from skmlp.nn.layers import InputRows

ROWS_TO_COUNT = 1 << 20  # rows of which class frequencies are counted at a time

MemoryRows: TypeAlias = InputRows  # rows in memory: an array, or sparse rows


@runtime_checkable
class DiskRows(Protocol):
    """Dense rows that are read from a file, a block at a time."""

    dtype: np.dtype
    block_size: int  # rows of a block; the last one may have less
    blocks_at_once: int  # blocks that are held in memory, and mixed, at a time

    @property
    def shape(self) -> tuple[int, int]: ...

    def read(self, start: int, out: np.ndarray) -> None:
        """Fill `out` with the rows from number `start` on."""


@dataclass(frozen=True)
class ShardedRows:
    """Dense rows in shards, with the class indices and weights of each."""

    shape: tuple[int, int]  # of the matrix of all rows
    sizes: tuple[int, ...]  # rows of each shard
    shards: Sequence[Any]  # `Samples` of one network each, or futures of such


# rows to train on; predictions and scores are of rows in memory only
TrainingRows: TypeAlias = MemoryRows | DiskRows | ShardedRows


class Samples(NamedTuple):
    """Encoded rows with their targets.

    For a stack of networks that see different rows, all arrays but `x` have one line
    per network: (n_members, n_samples).
    """

    x: TrainingRows  # (n_rows, n_inputs)
    y_encoded: np.ndarray  # (..., n_samples), class indices
    sample_weight: np.ndarray | None = None  # (..., n_samples)
    # (..., n_samples), the row of `x` of each sample; None for all rows in their order.
    # A part of the samples so shares `x`: a large table is never copied to be split.
    indices: np.ndarray | None = None

    def take(self, part: np.ndarray) -> "Samples":
        """Select the samples at the given positions, on the same `x`."""
        return self._map(lambda array: array[part], part)

    def _take_along(self, order: np.ndarray) -> "Samples":
        """Select samples at positions that each network has a line of."""
        return self._map(lambda array: np.take_along_axis(array, order, -1), order)

    def select_members(self, part: slice | int) -> "Samples":
        """Select the networks of a slice, or one network, without the axis."""
        return self._map(lambda array: array[part])

    def split_members(self) -> list["Samples"]:
        """Split a stack into the samples of each network."""
        return [self.select_members(member) for member in range(len(self.y_encoded))]

    def broadcast_members(self, n_members: int) -> "Samples":
        """Stack the same samples for several networks, without a copy."""
        return self._map(lambda line: np.broadcast_to(line, (n_members, len(line))))

    def _map(
        self,
        select: Callable[[np.ndarray], np.ndarray],
        indices: np.ndarray | None = None,  # if there are none yet
    ) -> "Samples":
        """Apply a function to each array but `x`."""
        names = ("y_encoded", "sample_weight", "indices")
        arrays = {name: getattr(self, name) for name in names}
        new: dict[str, Any] = {
            name: select(a) for name, a in arrays.items() if a is not None
        }
        return self._replace(**{"indices": indices} | new)

    def gather_inputs(self) -> MemoryRows:
        """Rows of `x` of these samples, in their order."""
        assert not isinstance(self.x, DiskRows | ShardedRows), "validation is in memory"
        return self.x if self.indices is None else self.x[self.indices]

    def total_weight(self) -> float:
        """Sum of the sample weights, per network."""
        if self.sample_weight is None:
            return float(self.y_encoded.shape[-1])
        n_members = self.y_encoded.size // self.y_encoded.shape[-1]
        return float(self.sample_weight.sum(dtype=np.float64)) / n_members

    def class_priors(self, n_classes: int) -> np.ndarray:
        """Share of each class in the total weight, (n_classes,)."""
        totals = np.zeros(n_classes)
        # in parts, since `bincount` copies class indices as wide integers
        for start in range(0, self.y_encoded.shape[-1], ROWS_TO_COUNT):
            part = (..., slice(start, start + ROWS_TO_COUNT))
            weight = self.sample_weight
            weight = None if weight is None else weight[part].ravel()
            totals += np.bincount(self.y_encoded[part].ravel(), weight, n_classes)
        return totals / totals.sum()

    @np.errstate(all="ignore")
    def normalize_weights(self, dtype: str) -> "Samples":
        """Scale the weights to mean 1, so that they leave the learning rate alone."""
        if self.sample_weight is None:
            return self
        factor = self.y_encoded.shape[-1] / self.total_weight()
        return self._replace(sample_weight=(self.sample_weight * factor).astype(dtype))


class Batches:
    """Batches of rows in memory, in a new random order in each epoch."""

    def __init__(
        self,
        samples: Samples,  # never written
        batch_size: int,  # the last batch of an epoch takes what is left
        rngs: Sequence[np.random.Generator] | None,  # one per network; None: no shuffle
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.rngs = rngs
        *self.stack, self.n_samples = samples.y_encoded.shape
        self.is_in_order = rngs is None and samples.indices is None and not self.stack
        assert not isinstance(samples.x, DiskRows | ShardedRows), "not in memory"
        self.x: MemoryRows = samples.x
        if isinstance(self.x, np.ndarray) and not self.is_in_order:
            size = batch_size * self.x.shape[1] * math.prod(self.stack)
            self.buffer = np.empty(size, self.x.dtype)

    def __len__(self) -> int:
        return -(-self.n_samples // self.batch_size)

    def batch_sizes(self) -> list[int]:
        """Number of rows of each batch."""
        starts = range(0, self.n_samples, self.batch_size)
        return [min(self.batch_size, self.n_samples - start) for start in starts]

    def __iter__(self) -> Iterator[Samples]:
        return self.iterate_in_order(self.draw_order())

    def iterate_in_order(self, order: np.ndarray) -> Iterator[Samples]:
        """Iterate over the batches of one epoch, in an order from `draw_order`."""
        for start in range(0, self.n_samples, self.batch_size):
            part = slice(start, start + self.batch_size)
            if not self.is_in_order:
                yield self._gather(order[..., part])
                continue
            # views, without a copy
            _, y_encoded, weight, _ = self.samples
            weight = None if weight is None else weight[part]
            yield Samples(self.x[part], y_encoded[part], weight)

    def iterate_chunks(self) -> Iterator["Batches"]:
        """Iterate over the chunks of one epoch, of which there is one in memory."""
        yield self

    def draw_batches(self, numbers: range) -> "Batches":
        """Draw the order of an epoch, and make some of its batches an epoch."""
        rows = slice(numbers.start * self.batch_size, numbers.stop * self.batch_size)
        samples = self.samples._take_along(self.draw_order()[..., rows])
        return Batches(samples, self.batch_size, rngs=None)

    def draw_order(self) -> np.ndarray:
        """Draw the positions of the samples in one epoch, (..., n_samples)."""
        if self.rngs is None:
            return np.broadcast_to(
                np.arange(self.n_samples), self.samples.y_encoded.shape
            )
        orders = [rng.permutation(self.n_samples) for rng in self.rngs]
        return np.stack(orders) if self.stack else orders[0]

    def _gather(self, part: np.ndarray) -> Samples:
        """Copy samples at positions (..., n_rows); valid until the next call."""
        x, (_, y_encoded, weight, indices) = self.x, self.samples
        chosen: np.ndarray | tuple[np.ndarray, np.ndarray] = part
        if self.stack:
            # each network by its own line
            chosen = (np.arange(*self.stack)[:, np.newaxis], part)
        place = part if indices is None else indices[chosen]
        if isinstance(x, np.ndarray):
            # mode="clip" lets numpy write to the buffer without one of its own
            shape = (*place.shape, x.shape[1])
            out = self.buffer[: math.prod(shape)].reshape(shape)
            x = np.take(x, place, axis=0, out=out, mode="clip")
        else:
            x = x[place.ravel()]
        return Samples(x, y_encoded[chosen], None if weight is None else weight[chosen])


class DiskBatches:
    """Rows of a file in batches: a chunk of blocks at a time, mixed in memory.

    In each epoch the blocks come in a new random order. The rows of the file are
    expected in random order, so that the rows of a few blocks are like all rows.
    """

    def __init__(
        self,
        samples: Samples,  # all rows of a file
        batch_size: int,  # the last batch of a chunk takes what is left
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
        """Number of rows of each batch."""
        # the same in each epoch, since the last block, maybe shorter, stays last
        at_once = self.file.blocks_at_once * self.file.block_size
        sizes = []
        for start in range(0, self.n_samples, at_once):
            left = min(at_once, self.n_samples - start)
            n_full, rest = divmod(left, self.batch_size)
            sizes += [self.batch_size] * n_full + [rest] * bool(rest)
        return sizes

    def __iter__(self) -> Iterator[Samples]:
        for chunk in self.iterate_chunks():
            yield from chunk

    def iterate_chunks(self) -> Iterator[Batches]:
        """Iterate over the chunks of one epoch, each valid until the next one."""
        blocks = np.arange(self.n_blocks)
        if self.rngs is not None:
            # without the last block, which may be shorter
            self.rngs[0].shuffle(blocks[:-1])
        for start in range(0, self.n_blocks, self.file.blocks_at_once):
            chunk = blocks[start : start + self.file.blocks_at_once]
            yield Batches(self._load_blocks(chunk), self.batch_size, self.rngs)

    def _load_blocks(self, blocks: np.ndarray) -> Samples:
        """Read some blocks into the buffer, one after the other."""
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
        samples = self.samples._map(
            lambda array: np.concatenate([array[..., place] for place in places], -1)
        )
        return samples._replace(x=self.buffer[:end])


def make_batches(
    samples: Samples,
    batch_size: int,
    rngs: Sequence[np.random.Generator] | None,
) -> Batches | DiskBatches:
    """Make batches of samples in memory or in a file."""
    kind = DiskBatches if isinstance(samples.x, DiskRows) else Batches
    return kind(samples, batch_size, rngs)
