"""The mean of the target per category, for columns of very many categories."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from skmlp.tabular.scaling import SmoothScale

N_FOLDS = 5
"""Parts of the training rows; none sees its own labels in target means."""

PRIOR_ROWS = 10
"""Rows that the overall mean counts for in the target mean of a category."""


SIGNIFICANT = 2.5
"""Standard errors above chance beyond which held-out estimates count as informative.

Chance itself varies by up to 1.4 of these, as estimates share the labels that they are
made of.

Below, what a network makes of them is chance: of identifiers, whose classes are often
balanced, estimates without a row's own label even lean against it, and a network would
learn to contradict them.
"""


class TrainingRows(NamedTuple):
    """The training rows that count, and their weights."""

    indices: np.ndarray | slice
    weight: np.ndarray | None

    @classmethod
    def from_weight(cls, sample_weight: np.ndarray | None) -> "TrainingRows":
        """All rows, or those of positive weight."""
        if sample_weight is None or sample_weight.all():
            return cls(slice(None), sample_weight)
        index = np.flatnonzero(sample_weight)
        weight = sample_weight[index]
        # rows that are all the same need no sorting
        return cls(index, None if (weight == 1).all() else weight)

    def to_full_weight(self, n_rows: int) -> np.ndarray:
        """Weight of each row, 0 where it does not count."""
        weight = np.zeros(n_rows)
        weight[self.indices] = 1.0 if self.weight is None else self.weight
        return weight


class Target(NamedTuple):
    """What target means are of: numbers, or the codes of classes that have labels."""

    numbers: np.ndarray
    labels: Sequence[str] = ()
    folds: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        """One name per mean."""
        if not self.labels:
            return ["target"]
        return [f"target_{self.labels[code]}" for code in self.codes]

    @property
    def codes(self) -> range:
        """The classes that have a mean of their own; of two, one says it all."""
        return range(1 if len(self.labels) == 2 else 0, len(self.labels))

    def columns(self) -> Iterator[np.ndarray]:
        """The numbers, or for each class whether a row is of it."""
        if not self.labels:
            yield self.numbers
        for code in self.codes:
            yield (self.numbers == code).astype(np.float64)


def compute_priors(target: Target, rows: TrainingRows) -> list[float]:
    """The weighted mean of each column of the target over the rows that count."""
    return [
        float(np.average(values[rows.indices], weights=rows.weight))
        for values in target.columns()
    ]


def is_informative(estimates: np.ndarray, target: Target, rows: TrainingRows) -> bool:
    """Return True if held-out estimates agree with the target better than by chance.

    Parameters
    ----------
    estimates : ndarray of shape (n_rows, n_targets)
        An estimate of each column of the target, made without the rows of the fold.
        Of a target without folds there is none, so that nothing is known against it.
    """
    if target.folds is None:
        return True
    folds = np.asarray(target.folds)[rows.indices]
    centered = estimates[rows.indices].copy()
    for fold in range(N_FOLDS):
        # the level of a fold lies the lower, the more of the class is in the fold
        in_fold = folds == fold
        if in_fold.any():
            centered[in_fold] -= centered[in_fold].mean(axis=0)
    values = np.stack([column[rows.indices] for column in target.columns()], axis=1)
    values -= values.mean(axis=0)
    agreement = np.einsum("ij,ij->", centered, values)
    # over all orders of the rows, of which each is as likely by chance
    products = (np.einsum("ij,ik->jk", part, part) for part in (centered, values))
    variance = np.prod(np.stack(list(products)), axis=0).sum() / max(len(folds) - 1, 1)
    return bool(agreement > SIGNIFICANT * np.sqrt(variance))


class TargetMeans:
    """The mean of the target per category, drawn towards the overall mean.

    Categories of few rows are drawn most, those of one row all the way. The means are
    then scaled like numbers.
    """

    @np.errstate(all="ignore")
    def fit(
        self, codes: np.ndarray, n_codes: int, target: Target, rows: TrainingRows
    ) -> "TargetMeans":
        """Learn the means from the rows that count."""
        self.labels = target.names
        priors = compute_priors(target, rows)
        means = self.means(codes, n_codes, target, rows, priors)
        counted = codes[rows.indices]
        # the mean of a value seen once is its row's own label: cross-fitted it says
        # nothing, so no network can have learnt what to make of it
        means[np.bincount(counted, minlength=len(means)) < 2] = priors
        self.scale = SmoothScale().fit((mean[counted] for mean in means.T), rows.weight)
        self.table = self.scaled(means)
        return self

    def drop_noise(self, codes: np.ndarray, target: Target, rows: TrainingRows) -> None:
        """Set all means to 0 if those of other rows say nothing of the target."""
        estimates = np.empty((len(codes), len(self.labels)))
        self.write_held_out(codes, estimates, target, rows.to_full_weight(len(codes)))
        if not is_informative(estimates, target, rows):
            self.table[:] = 0

    def means(
        self,
        codes: np.ndarray,
        n_codes: int,
        target: Target,
        rows: TrainingRows,
        priors: Sequence[float],
    ) -> np.ndarray:
        """Means by category, one column per mean, drawn towards its prior.

        The last row is for categories that no row has: the priors themselves.
        """
        codes = codes[rows.indices]
        n_rows = np.bincount(codes, minlength=n_codes + 1)
        weight = rows.weight
        if weight is None:
            weight = np.ones(len(codes))
        weights = np.bincount(codes, weight, n_codes + 1)
        # weights of any size, yet a weight of 2 is as good as a row that comes twice
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

    def scaled(self, means: np.ndarray) -> np.ndarray:
        """Scale means as numbers are."""
        out = np.empty(means.shape)
        self.scale.write(means.T, out)
        return out

    @np.errstate(all="ignore")
    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write the mean of each row's category."""
        out[:] = self.table[codes]

    @np.errstate(all="ignore")
    def write_held_out(
        self,
        codes: np.ndarray,
        out: np.ndarray,
        target: Target,
        sample_weight: np.ndarray | None,
    ) -> None:
        """Write means to which no row has contributed its own target.

        They are drawn towards the mean of all rows, its own among them: that of the
        other folds lies the further from a row's label the rarer the label is there,
        and a network would learn to contradict it.
        """
        if not self.table.any():
            out[:] = 0  # noise, here as in `write`
            return
        priors = compute_priors(target, TrainingRows.from_weight(sample_weight))
        for fold in range(N_FOLDS):
            is_held_out = np.asarray(target.folds) == fold
            weight = np.ones(len(codes)) if sample_weight is None else sample_weight
            weight = np.where(is_held_out, 0.0, weight)
            rows = TrainingRows.from_weight(weight)
            if weight.any() and is_held_out.any():
                n_codes = len(self.table) - 1
                means = self.means(codes, n_codes, target, rows, priors)
                out[is_held_out] = self.scaled(means)[codes[is_held_out]]
            else:
                out[is_held_out] = self.table[-1]
