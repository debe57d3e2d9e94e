"""Means of the target per category, shrunk and cross-fitted, for many categories."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skmlp.tabular.factorize import argsort_values, factorize
from skmlp.tabular.frame import Column, TableData
from skmlp.tabular.labels import are_numbers, read_labels
from skmlp.tabular.scaling import SmoothScale

N_FOLDS = 5  # of the training rows, for cross-fitting

PRIOR_ROWS = 10  # weight of the overall mean in the mean of a category

# standard errors above chance from which on cross-fitted estimates are informative.
# Chance itself varies by up to 1.4 of them, as estimates share the labels they are made
# of. Below is noise: estimates from identifiers, whose classes are often balanced, even
# lean against a row's own label, and a network would learn to contradict them.
SIGNIFICANT = 2.5


class TrainingRows(NamedTuple):
    """The training rows of positive weight."""

    indices: np.ndarray | slice
    weight: np.ndarray | None  # of these rows; None if all are 1

    @classmethod
    def from_weight(cls, sample_weight: np.ndarray | None) -> "TrainingRows":
        """Select the rows of positive weight, or all."""
        if sample_weight is None or sample_weight.all():
            return cls(slice(None), sample_weight)
        indices = np.flatnonzero(sample_weight)
        weight = sample_weight[indices]
        # equal weights need no sorting
        return cls(indices, None if (weight == 1).all() else weight)

    def to_full_weight(self, n_rows: int) -> np.ndarray:
        """Return the weight of each row of the table, 0 for those left out."""
        weight = np.zeros(n_rows)
        weight[self.indices] = 1.0 if self.weight is None else self.weight
        return weight


class Target(NamedTuple):
    """The target of means and log-odds: numbers or classes, split into folds."""

    numbers: np.ndarray  # (n_rows,): numbers, or class indices
    labels: Sequence[str]  # of the classes; empty for numbers
    folds: np.ndarray  # (n_rows,): fold of each row, from 0 to N_FOLDS - 1

    @classmethod
    def from_labels(
        cls, y: ArrayLike, X: TableData, max_classes: int, rng: np.random.RandomState
    ) -> "Target | None":
        """Read the target of the rows of X; None if it has too many classes."""
        values = column_or_1d(read_labels(y))
        check_consistent_length(X, values)
        folds = rng.permutation(len(values)) % N_FOLDS
        if values.dtype == object and are_numbers(values):
            # large integers are classes, which float64 would merge
            is_whole = all(isinstance(value, Integral) for value in values)
            values = values if is_whole else values.astype(np.float64)
        if values.dtype.kind == "f":
            assert_all_finite(values, input_name="y")
            if (values != np.rint(values)).any():
                return cls(values.astype(np.float64), (), folds)
        codes, distinct = factorize(Column(0, "y", values))
        if len(distinct) > max_classes:
            return None
        order = argsort_values(distinct)
        labels = [str(label) for label in distinct[order]]
        return cls(np.argsort(order)[codes], labels, folds)

    @property
    def classes(self) -> range:
        """Classes with an output of their own; of two classes only the second."""
        return range(1 if len(self.labels) == 2 else 0, len(self.labels))

    @property
    def names(self) -> list[str]:
        """One name per mean."""
        if not self.labels:
            return ["target"]
        return [f"target_{self.labels[index]}" for index in self.classes]

    def columns(self) -> Iterator[np.ndarray]:
        """Yield the numbers, or an indicator (n_rows,) per class."""
        if not self.labels:
            yield self.numbers
        for index in self.classes:
            yield (self.numbers == index).astype(np.float64)


def _compute_priors(target: Target, rows: TrainingRows) -> list[float]:
    """Return the weighted mean of each column of the target."""
    return [
        float(np.average(values[rows.indices], weights=rows.weight))
        for values in target.columns()
    ]


def is_informative(estimates: np.ndarray, target: Target, rows: TrainingRows) -> bool:
    """Test if cross-fitted estimates (n_rows, n_columns) agree with the target."""
    folds = target.folds[rows.indices]
    centered = np.array(estimates[rows.indices])
    for fold in range(N_FOLDS):
        # the more of a class is in a fold, the lower are its estimates from the others
        in_fold = folds == fold
        if in_fold.any():
            centered[in_fold] -= centered[in_fold].mean(axis=0)
    values = np.empty(centered.shape)
    for place, column in enumerate(target.columns()):
        values[:, place] = column[rows.indices]
    values -= values.mean(axis=0)
    agreement = np.einsum("ij,ij->", centered, values)
    # variance over all permutations of the rows, which are equally likely by chance
    products = (np.einsum("ij,ik->jk", part, part) for part in (centered, values))
    variance = np.prod(np.stack(list(products)), axis=0).sum() / max(len(folds) - 1, 1)
    return bool(agreement > SIGNIFICANT * np.sqrt(variance))


class TargetMeans:
    """Scaled mean of the target per category, shrunk towards the overall mean."""

    labels: list[str]  # (n_outputs,): name per mean
    table: np.ndarray  # (n_codes + 1, n_outputs): the last row is of unknown categories

    @np.errstate(all="ignore")
    def fit(
        self, codes: np.ndarray, n_codes: int, target: Target, rows: TrainingRows
    ) -> np.ndarray:
        """Learn the means; return cross-fitted ones of all rows (n_rows, n_outputs)."""
        self.labels = target.names
        priors = _compute_priors(target, rows)
        means = _shrink_means(codes, n_codes, target, rows, priors)
        counted = codes[rows.indices]
        # the mean of a value seen once is its row's own label: cross-fitted it is the
        # prior, so no network can have learned what to make of it
        means[np.bincount(counted, minlength=len(means)) < 2] = priors
        scale = SmoothScale().fit((mean[counted] for mean in means.T), rows.weight)
        self.table = scale.transform(means)
        estimates = self._cross_fit(codes, target, rows, priors, scale)
        if not is_informative(estimates, target, rows):
            self.table[:] = estimates[:] = 0
        return estimates

    def _cross_fit(
        self,
        codes: np.ndarray,
        target: Target,
        rows: TrainingRows,
        priors: Sequence[float],
        scale: SmoothScale,
    ) -> np.ndarray:
        """Return means (n_rows, n_outputs) without the labels of each row's fold."""
        # shrunk towards the mean of all rows, that fold included: the mean of the other
        # folds lies the further from a row's label the rarer the label is there, and a
        # network would learn to contradict it
        estimates = np.zeros((len(codes), len(self.labels)))
        if not self.table.any():
            return estimates
        full_weight = rows.to_full_weight(len(codes))
        for fold in range(N_FOLDS):
            is_held_out = target.folds == fold
            weight = np.where(is_held_out, 0.0, full_weight)
            if weight.any() and is_held_out.any():
                others = TrainingRows.from_weight(weight)
                n_codes = len(self.table) - 1
                means = _shrink_means(codes, n_codes, target, others, priors)
                estimates[is_held_out] = scale.transform(means)[codes[is_held_out]]
            else:
                estimates[is_held_out] = self.table[-1]
        return estimates

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write the mean of each row's category."""
        out[:] = self.table[codes]


def _shrink_means(
    codes: np.ndarray,
    n_codes: int,
    target: Target,
    rows: TrainingRows,
    priors: Sequence[float],
) -> np.ndarray:
    """Return means (n_codes + 1, n_outputs), the last those of unknown categories."""
    codes = codes[rows.indices]
    n_rows = np.bincount(codes, minlength=n_codes + 1)
    weight = np.ones(len(codes)) if rows.weight is None else rows.weight
    weights = np.bincount(codes, weight, n_codes + 1)
    # n rows have a share of n / (n + PRIOR_ROWS); weights below 1 count as rows, yet a
    # weight of 2 is as good as two rows
    share = np.maximum(n_rows, weights)
    share /= share + PRIOR_ROWS
    weights[weights == 0] = 1
    means = []
    for values, prior in zip(target.columns(), priors, strict=True):
        values = values[rows.indices]
        deviations = np.bincount(codes, weight * (values - prior), n_codes + 1)
        means.append(prior + share * (deviations / weights))
        means[-1][n_codes] = prior
    return np.stack(means, axis=1)
