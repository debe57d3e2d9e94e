"""Scale numbers by median and quartiles, and clip them smoothly."""

import math
from collections.abc import Iterable
from typing import Self

import numpy as np

from skmlp.tabular.frame import SparseMatrix

LIMIT = 3.0  # scaled numbers stay below it

# numbers are clipped here before they are squared, far beyond where LIMIT is reached
FAR = 1e100

LARGEST = np.finfo(np.float64).max


class SmoothScale:
    """Robust scaling with smooth clipping: z / sqrt(1 + (z / 3)**2).

    Here z is (x - median) / scale, where scale is the interquartile range, or half the
    range if that is 0. A missing number becomes 0, and so does a constant column.
    """

    center: np.ndarray  # (n_columns,): medians
    scale: np.ndarray  # (n_columns,): 1 for constant columns
    is_constant: np.ndarray  # (n_columns,)
    has_missing: np.ndarray  # (n_columns,): True where training had missing numbers

    @np.errstate(all="ignore")
    def fit(self, columns: Iterable[np.ndarray], weight: np.ndarray | None) -> Self:
        """Learn median and scale of each column, and whether numbers are missing."""
        return self._set([_find_center_and_scale(column, weight) for column in columns])

    @np.errstate(all="ignore")
    def fit_moments(
        self, columns: Iterable[np.ndarray], weight: np.ndarray | None
    ) -> Self:
        """Learn mean and standard deviation in place of median and scale."""
        statistics = []
        for column in columns:
            mean = float(np.average(column, weights=weight))
            variance = np.average((column - mean) ** 2, weights=weight)
            deviation = math.sqrt(variance)
            # equal numbers may differ from their mean in its last digit
            is_constant = deviation <= 1e-12 * abs(mean)
            statistics.append((mean, 0.0 if is_constant else deviation, False))
        return self._set(statistics)

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
        # of columns with less than a quarter stored, all quartiles are 0
        statistics = [(0.0, half, False) for half in _halve_range(lowest, highest)]
        for column in np.flatnonzero(stored >= 0.25 * total * (1 - 1e-9)):
            part = slice(X.indptr[column], X.indptr[column + 1])
            values, counts = X.data[part], weight[X.indices[part]]
            if len(values) < n_rows:  # all zeros that aren't stored, as one value
                values = np.append(values, 0)
                counts = np.append(counts, max(total - stored[column], 0))
            positive = counts > 0
            statistics[column] = _find_center_and_scale(
                values[positive], counts[positive]
            )
        self._set(statistics)
        self.center[:] = 0  # zeros stay zeros
        return self

    def _set(self, statistics: list[tuple[float, float, bool]]) -> Self:
        """Store center, scale (0 if constant) and has_missing of each column."""
        table = np.array(statistics, dtype=np.float64).reshape(-1, 3)
        self.center, self.scale = table[:, 0].copy(), table[:, 1].copy()
        self.has_missing = table[:, 2].astype(bool)
        self.is_constant = self.scale == 0
        self.scale[self.is_constant] = 1
        return self

    @np.errstate(all="ignore")
    def transform(self, x: np.ndarray, missing: np.ndarray | None = None) -> np.ndarray:
        """Scale float64 numbers (n_rows, n_columns), overwriting them."""
        if missing is None:
            missing = np.isnan(x)
        x -= self.center
        x /= self.scale
        _clip_smoothly(x)
        if self.is_constant.any():
            x[:, self.is_constant] = 0
        x[missing] = 0
        return x

    def select(self, columns: slice) -> "SmoothScale":
        """Return the scale of some of the columns."""
        part = SmoothScale()
        vars(part).update({name: held[columns] for name, held in vars(self).items()})
        return part

    @np.errstate(all="ignore")
    def encode_sparse(self, X: SparseMatrix, dtype: str) -> SparseMatrix:
        """Scale a CSR matrix without centering; its pattern stays."""
        z = X.data.astype(np.float64)
        z /= self.scale[X.indices]
        _clip_smoothly(z)
        z[self.is_constant[X.indices]] = 0
        encoded = X.astype(dtype)
        encoded.data = z.astype(dtype)
        return encoded


def _clip_smoothly(z: np.ndarray) -> np.ndarray:
    """Compute z / sqrt(1 + (z / 3)**2), overwriting `z`."""
    np.clip(z, -FAR, FAR, out=z)
    root = z / LIMIT
    root *= root
    root += 1
    np.sqrt(root, out=root)
    z /= root
    return z


def _find_center_and_scale(
    column: np.ndarray, weight: np.ndarray | None
) -> tuple[float, float, bool]:
    """Return median, scale (0 if constant), and whether any number is missing."""
    values = np.ascontiguousarray(column)
    if values.dtype not in (np.float64, np.float32):
        values = values.astype(np.float64)
    missing = np.isnan(values)
    has_missing = bool(missing.any())
    if has_missing:
        values = values[~missing]
        weight = None if weight is None else weight[~missing]
    lowest, highest = values.min(initial=np.inf), values.max(initial=-np.inf)
    # infinite numbers count as the largest finite ones
    if np.isinf(lowest) or np.isinf(highest):
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            return 0.0, 0.0, has_missing
        lowest, highest = finite.min(), finite.max()
        values = np.clip(values, lowest, highest)
    lowest, highest = float(lowest), float(highest)
    first, median, third = _compute_quartiles(values, weight)
    scale = min(third - first, LARGEST)
    if scale == 0:
        scale = float(_halve_range(np.array(lowest), np.array(highest)))
    return median, scale, has_missing


def _halve_range(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return half of highest - lowest, without overflow; 0 only if they are equal."""
    half = highest / 2 - lowest / 2
    return np.where(half == 0, highest - lowest, half)


def _compute_quartiles(values: np.ndarray, weight: np.ndarray | None) -> list[float]:
    """Return the quartiles of numbers without NaN, by the averaged inverted CDF."""
    # a row of weight 2 counts as two rows; between two numbers a quartile is their mean
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
