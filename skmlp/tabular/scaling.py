"""Numbers centred on the median, scaled by the quartiles, and smoothly clipped."""

import math
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from skmlp.tabular.frame import SparseMatrix

Numbers = Sequence[np.ndarray] | np.ndarray
"""Columns of numbers, one by one or as the rows of one array."""

LIMIT = 3.0
"""What encoded numbers approach but don't pass."""

FAR = 1e100
"""Where numbers are cut before they are squared; far beyond where LIMIT is reached."""

LARGEST = np.finfo(np.float64).max


class SmoothScale:
    """Columns of numbers become z / sqrt(1 + (z / 3)**2), z = (x - median) / scale.

    The scale is the interquartile range, or half the range where that is 0. A column
    without two different numbers becomes 0, and so does a missing number.

    Attributes
    ----------
    center, scale : ndarray of shape (n_columns,)
        Median and scale.
    is_constant : ndarray of shape (n_columns,)
        Which columns become 0.
    has_missing : ndarray of shape (n_columns,)
        Which columns had missing numbers.
    """

    @np.errstate(all="ignore")
    def fit(self, columns: Iterable[np.ndarray], weight: np.ndarray | None) -> Self:
        """Learn median, scale and missingness of each column of numbers."""
        facts = [center_and_scale(column, weight) for column in columns]
        return self._keep(facts)

    @np.errstate(all="ignore")
    def fit_moments(
        self, columns: Iterable[np.ndarray], weight: np.ndarray | None
    ) -> Self:
        """Take mean and standard deviation in place of median and scale."""
        facts = []
        for column in columns:
            mean = float(np.average(column, weights=weight))
            variance = np.average((column - mean) ** 2, weights=weight)
            deviation = math.sqrt(variance)
            # equal numbers may differ from their mean in its last digit
            is_constant = deviation <= 1e-12 * abs(mean)
            facts.append((mean, 0.0 if is_constant else deviation, False))
        return self._keep(facts)

    @np.errstate(all="ignore")
    def fit_sparse(self, X: SparseMatrix, weight: np.ndarray | None) -> Self:
        """Learn the scale of each column of a CSC matrix, zeros included."""
        n_rows = X.shape[0]
        if weight is None:
            weight = np.ones(n_rows)
        total = weight.sum()
        place = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
        stored = np.bincount(place, weight[X.indices], X.shape[1])
        lowest, highest = np.zeros((2, X.shape[1]))
        is_finite = np.isfinite(X.data)
        np.minimum.at(lowest, place[is_finite], X.data[is_finite])
        np.maximum.at(highest, place[is_finite], X.data[is_finite])
        # where all three quartiles are 0, there is nothing to sort
        facts = [(0.0, fallback, False) for fallback in half_range(lowest, highest)]
        for column in np.flatnonzero(stored >= 0.25 * total * (1 - 1e-9)):
            part = slice(X.indptr[column], X.indptr[column + 1])
            values, counts = X.data[part], weight[X.indices[part]]
            if len(values) < n_rows:  # all zeros that aren't stored, as one
                values = np.append(values, 0)
                counts = np.append(counts, max(total - stored[column], 0))
            positive = counts > 0
            facts[column] = center_and_scale(values[positive], counts[positive])
        self._keep(facts)
        self.center[:] = 0
        return self

    def _keep(self, facts: list[tuple[float, float, bool]]) -> Self:
        table = np.array(facts, dtype=np.float64).reshape(-1, 3)
        self.center, self.scale = table[:, 0].copy(), table[:, 1].copy()
        self.has_missing = table[:, 2].astype(bool)
        self.is_constant = self.scale == 0
        self.scale[self.is_constant] = 1
        return self

    @np.errstate(all="ignore")
    def write(
        self,
        columns: Numbers,
        out: np.ndarray,
        missing_of: np.ndarray | None = None,
        missing_out: np.ndarray | None = None,
    ) -> None:
        """Write the encoded columns, and where those in `missing_of` are missing."""
        x = np.empty(out.shape)
        if isinstance(columns, np.ndarray):
            x[:] = columns.T
        else:
            for place, column in enumerate(columns):
                x[:, place] = column
        missing = np.isnan(x)
        if missing_of is not None and missing_out is not None:
            missing_out[:] = missing[:, missing_of]
        self._encode(x)
        x[missing] = 0
        out[:] = x

    def part(self, columns: slice) -> "SmoothScale":
        """The scale of some of the columns."""
        part = SmoothScale()
        vars(part).update({name: held[columns] for name, held in vars(self).items()})
        return part

    def _encode(self, x: np.ndarray) -> np.ndarray:
        """The formula, overwriting `x`."""
        x -= self.center
        x /= self.scale
        smooth_clip(x)
        if self.is_constant.any():
            x[:, self.is_constant] = 0
        return x

    @np.errstate(all="ignore")
    def encode_sparse(self, X: SparseMatrix, dtype: str) -> SparseMatrix:
        """A CSR matrix of the same pattern, encoded without centring."""
        z = X.data.astype(np.float64)
        z /= self.scale[X.indices]
        smooth_clip(z)
        z[self.is_constant[X.indices]] = 0
        encoded = X.astype(dtype)
        encoded.data = z.astype(dtype)
        return encoded


def smooth_clip(z: np.ndarray) -> np.ndarray:
    """The smooth cut z / sqrt(1 + (z / 3)**2), overwriting `z`."""
    np.clip(z, -FAR, FAR, out=z)
    root = z / LIMIT
    root *= root
    root += 1
    np.sqrt(root, out=root)
    z /= root
    return z


def center_and_scale(
    column: np.ndarray, weight: np.ndarray | None
) -> tuple[float, float, bool]:
    """Median, scale (0 for none), and whether any number is missing."""
    values = np.ascontiguousarray(column)
    if values.dtype not in (np.float64, np.float32):
        values = values.astype(np.float64)
    missing = np.isnan(values)
    has_missing = bool(missing.any())
    if has_missing:
        values = values[~missing]
        weight = None if weight is None else weight[~missing]
    lowest, highest = values.min(initial=np.inf), values.max(initial=-np.inf)
    if np.isinf(lowest) or np.isinf(highest):
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            return 0.0, 0.0, has_missing
        lowest, highest = finite.min(), finite.max()
        values = np.clip(values, lowest, highest)
    lowest, highest = float(lowest), float(highest)
    first, median, third = quartiles(values, weight)
    scale = min(third - first, LARGEST)
    if scale == 0:
        scale = float(half_range(np.array(lowest), np.array(highest)))
    return median, scale, has_missing


def half_range(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Half of highest - lowest, without overflow; 0 only where they are equal."""
    half = highest / 2 - lowest / 2
    return np.where(half == 0, highest - lowest, half)


def quartiles(values: np.ndarray, weight: np.ndarray | None) -> list[float]:
    """First quartile, median and third quartile of numbers without NaN.

    A row of weight 2 counts as two rows. Where a quartile falls between two numbers,
    it is their mean (the averaged inverted distribution function).
    """
    if weight is None:
        n_values = len(values)
        # the numbers on both sides of each quartile; the same one, mostly
        below = [max(-(-n_values * part // 4) - 1, 0) for part in (1, 2, 3)]
        above = [min(n_values * part // 4, n_values - 1) for part in (1, 2, 3)]
        values = np.partition(values, sorted({*below, *above}))
    else:
        order = np.argsort(values, kind="stable")
        values = values[order]
        cumulated = np.cumsum(weight[order])
        targets = cumulated[-1] * np.array([0.25, 0.5, 0.75])
        slack = 1e-12 * cumulated[-1]
        below = np.searchsorted(cumulated, targets - slack)
        above = np.searchsorted(cumulated, targets + slack, side="right")
        above = np.minimum(above, len(values) - 1)
    return [
        float(values[one]) / 2 + float(values[other]) / 2
        if one != other
        else float(values[one])
        for one, other in zip(below, above, strict=True)
    ]
