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
    """

    x: Any
    codes: np.ndarray
    weight: np.ndarray | None = None

    def take(self, rows: Any) -> "Samples":
        """The given rows, chosen by a slice, a mask or indices."""
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.x[rows], self.codes[rows], weight)

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
        if self.is_dense and rng is not None:
            self.buffer = np.empty((batch_size, samples.x.shape[1]), samples.x.dtype)

    def __len__(self) -> int:
        return -(-self.n_samples // self.batch_size)

    def __iter__(self) -> Iterator[Samples]:
        starts = range(0, self.n_samples, self.batch_size)
        if self.rng is None:
            for start in starts:
                yield self.samples.take(slice(start, start + self.batch_size))
            return
        order = self.rng.permutation(self.n_samples)
        for start in starts:
            yield self.gather(order[start : start + self.batch_size])

    def gather(self, rows: np.ndarray) -> Samples:
        """The given rows; dense ones are valid until the next call."""
        if not self.is_dense:
            return self.samples.take(rows)
        x, codes, weight = self.samples
        # mode="clip" lets numpy write to the buffer without one of its own
        np.take(x, rows, axis=0, out=self.buffer[: len(rows)], mode="clip")
        return Samples(
            self.buffer[: len(rows)],
            codes[rows],
            None if weight is None else weight[rows],
        )
