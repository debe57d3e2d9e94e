"""Batches: shuffled rows, gathered into one reused buffer."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np


class Samples(NamedTuple):
    """Encoded rows with their targets.

    Attributes
    ----------
    x : ndarray or CSR of shape (n_samples, n_inputs)
        Input of the network.
    codes : ndarray of int of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,) or None
        Weight of each row; None means 1.
    rows : ndarray of int of shape (n_samples,) or None
        Which rows of `x` these are; None for all of them. A part of the samples so
        shares `x` with the whole, and a large table is never copied to be split.
    """

    x: Any
    codes: np.ndarray
    weight: np.ndarray | None = None
    rows: np.ndarray | None = None

    def take(self, part: np.ndarray) -> "Samples":
        """The samples at the given indices, on the same `x`."""
        return Samples(
            self.x,
            self.codes[part],
            None if self.weight is None else self.weight[part],
            part if self.rows is None else self.rows[part],
        )

    def inputs(self) -> Any:
        """The rows of `x` that belong to these samples, in their order."""
        return self.x if self.rows is None else self.x[self.rows]

    def total_weight(self) -> float:
        """Sum of the weights."""
        if self.weight is None:
            return float(len(self.codes))
        return float(self.weight.sum(dtype=np.float64))

    def class_shares(self, n_classes: int) -> np.ndarray:
        """Part of the total weight that each class has."""
        totals = np.bincount(self.codes, self.weight, minlength=n_classes)
        return totals / self.total_weight()

    def with_mean_weight_one(self, dtype: str) -> "Samples":
        """The same rows, their weights scaled so that the learning rate keeps."""
        if self.weight is None:
            return self
        factor = len(self.codes) / self.total_weight()
        return self._replace(weight=(self.weight * factor).astype(dtype))


class Batches:
    """The rows in batches, in a new random order at each iteration.

    Parameters
    ----------
    samples : Samples
        The rows; never written.
    batch_size : int
        Rows per batch; the last batch of an epoch takes what is left.
    rng : numpy.random.Generator or None
        Source of the order; None keeps the order of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> samples = Samples(np.eye(5), np.arange(5))
    >>> [batch.codes.tolist() for batch in Batches(samples, 2, rng=None)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        rng: np.random.Generator | None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.rng = rng
        self.n_samples = len(samples.codes)
        self.is_dense = isinstance(samples.x, np.ndarray)
        self.in_order = rng is None and samples.rows is None
        if self.is_dense and not self.in_order:
            self.buffer = np.empty((batch_size, samples.x.shape[1]), samples.x.dtype)

    def __len__(self) -> int:
        return -(-self.n_samples // self.batch_size)

    def __iter__(self) -> Iterator[Samples]:
        if self.rng is None:
            order = np.arange(self.n_samples)
        else:
            order = self.rng.permutation(self.n_samples)
        for start in range(0, self.n_samples, self.batch_size):
            stop = start + self.batch_size
            if self.in_order:
                yield self.cut(slice(start, stop))
            else:
                yield self.gather(order[start:stop])

    def cut(self, part: slice) -> Samples:
        """A run of adjacent rows, as views."""
        x, codes, weight, _ = self.samples
        return Samples(x[part], codes[part], None if weight is None else weight[part])

    def gather(self, part: np.ndarray) -> Samples:
        """The given samples; dense rows are valid until the next call."""
        x, codes, weight, rows = self.samples
        place = part if rows is None else rows[part]
        if self.is_dense:
            # mode="clip" lets numpy write to the buffer without one of its own
            x = np.take(x, place, axis=0, out=self.buffer[: len(part)], mode="clip")
        else:
            x = x[place]
        return Samples(x, codes[part], None if weight is None else weight[part])
