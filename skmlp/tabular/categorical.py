"""Categorical columns: one-hot, or target means as well where there are many values."""

from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from skmlp.tabular.column_types import has_objects
from skmlp.tabular.factorize import (
    Factorized,
    argsort_values,
    check_value_types,
    factorize,
    find_value_types,
)
from skmlp.tabular.frame import Column
from skmlp.tabular.target_means import Target, TargetMeans, TrainingRows


class SignEncoding:
    """One output for at most two categories: -1 and +1, and 0 for unknown ones."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels[-1:])
        self.signs = np.array([0.0] * 3 if len(labels) < 2 else [-1.0, 1.0, 0.0])

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write the sign of each category, to zeros."""
        out[:, 0] = self.signs[np.minimum(codes, 2)]


class OneHotEncoding:
    """One output per frequent category, and one that all infrequent ones share."""

    def __init__(self, labels: Sequence[str], is_frequent: np.ndarray) -> None:
        n_frequent = int(is_frequent.sum())
        self.labels = list(compress(labels, is_frequent))
        # output of each code, the last for unknown categories; -1 for none
        self.places = np.full(len(labels) + 1, -1)
        self.places[:-1][is_frequent] = np.arange(n_frequent)
        if n_frequent < len(labels):
            self.labels.append("infrequent")
            self.places[self.places < 0] = n_frequent

    def write(self, codes: np.ndarray, out: np.ndarray) -> None:
        """Write a one for each row's category, to zeros."""
        places = self.places[codes]
        rows = np.arange(len(codes))
        if self.places[-1] < 0:
            is_known = places >= 0
            rows, places = rows[is_known], places[is_known]
        out[rows, places] = 1


CategoryEncoding: TypeAlias = SignEncoding | OneHotEncoding | TargetMeans


class EncodedCategories(NamedTuple):
    """Categories of some rows."""

    codes: np.ndarray  # (n_rows,)
    target_means: np.ndarray | None = None  # (n_rows, n_means), of training rows


class CategoricalBlock:
    """One categorical column; missing is a category of its own."""

    kind = "categories"
    known: pd.Index  # (n_known,): the training categories, sorted if they can be
    has_missing: bool  # True if training had missing values
    is_object: bool  # True if training had objects, among which any value may come
    encodings: list[CategoryEncoding]  # in order of the outputs

    def __init__(self, position: int, max_categories: int, min_frequency: int) -> None:
        self.position = position
        self.max_categories = max_categories
        self.min_frequency = min_frequency

    def fit(
        self,
        column: Column,
        factorized: Factorized,
        rows: TrainingRows,
        target: Target | None,
    ) -> EncodedCategories:
        """Learn the categories, and return those of all rows, means cross-fitted."""
        codes, distinct = factorized
        present = codes[rows.indices].astype(np.intp) + 1  # 0 is missing
        n_rows = counts = np.bincount(present, minlength=len(distinct) + 1)
        if rows.weight is not None:
            # weights below 1 count as rows, yet a weight of 2 is as good as two rows
            counts = np.maximum(n_rows, np.bincount(present, rows.weight, len(n_rows)))
        seen = np.flatnonzero(n_rows[1:])
        seen = seen[argsort_values(distinct[seen])]
        self._set_known(distinct[seen])
        self.has_missing = bool(n_rows[0])
        self.is_object = has_objects(column.data)
        self.encodings = [self._choose_encoding(counts[1:][seen])]
        codes, means = self._encode(column, factorized), None
        if target is not None and len(self.known) > self.max_categories:
            target_means = TargetMeans()
            means = target_means.fit(codes, self.n_codes, target, rows)
            self.encodings.append(target_means)
        return EncodedCategories(codes, means)

    def _set_known(self, values: np.ndarray) -> None:
        """Store the known categories, with what is derived from them."""
        self.known = pd.Index(values, dtype=object)
        self.value_types = find_value_types(values)

    def _choose_encoding(self, counts: np.ndarray) -> SignEncoding | OneHotEncoding:
        """Make the encoding for categories that come so often, missing aside."""
        labels = [str(value) for value in self.known] + ["missing"] * self.has_missing
        if len(labels) <= 2:
            return SignEncoding(labels)
        is_frequent = counts >= self.min_frequency
        room = self.max_categories - self.has_missing
        if is_frequent.sum() + (not is_frequent.all()) > room:
            by_count = np.argsort(counts, kind="stable")
            is_frequent[by_count[: len(counts) - (room - 1)]] = False
        # missing has an output of its own, however rare it is
        always = np.ones(int(self.has_missing), dtype=bool)
        return OneHotEncoding(labels, np.append(is_frequent, always))

    def __getstate__(self) -> dict[str, object]:
        state = vars(self).copy()
        del state["value_types"]
        # an index has caches, made in use, that not every way of saving can take
        state["known"] = self.known.to_numpy()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._set_known(state["known"])

    @property
    def n_codes(self) -> int:
        """Number of categories, and the code of unknown ones."""
        return len(self.known) + self.has_missing

    @property
    def labels(self) -> list[str]:
        """Suffix of the name of each output."""
        return [label for encoding in self.encodings for label in encoding.labels]

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return sum(len(encoding.labels) for encoding in self.encodings)

    def get_names(self, inputs: Sequence[str]) -> list[str]:
        """Name each output, after the names of the table's columns."""
        return [f"{inputs[self.position]}_{label}" for label in self.labels]

    def read(self, column: Column) -> EncodedCategories:
        """Return the category of each row; raise if none is of a type as in fit."""
        return EncodedCategories(self._encode(column, factorize(column)))

    def _encode(self, column: Column, factorized: Factorized) -> np.ndarray:
        """Return the code of each row: the index of its category in `known`."""
        codes, distinct = factorized
        self.check_type(column, distinct)
        # of few bytes: many columns are kept until the width of the matrix is known
        dtype = np.min_scalar_type(self.n_codes)
        table = np.full(len(distinct) + 1, self.n_codes, dtype=dtype)
        found = self.known.get_indexer(pd.Index(distinct, dtype=object))
        table[:-1][found >= 0] = found[found >= 0]
        if self.has_missing:
            table[-1] = len(self.known)
        return table[codes]

    def check_type(self, column: Column, distinct: np.ndarray) -> None:
        """Raise if the column is of another type than in fit."""
        # among objects any value may come in any row
        if not (self.is_object and has_objects(column.data)):
            check_value_types(column, distinct, self.value_types)

    def write(self, values: EncodedCategories, rows: slice, out: np.ndarray) -> None:
        """Write the outputs of some rows (n_rows, n_outputs), to zeros."""
        codes, start = values.codes[rows], 0
        for encoding in self.encodings:
            part = out[:, start : start + len(encoding.labels)]
            encoding.write(codes, part)
            start += len(encoding.labels)
        if values.target_means is not None:
            part[:] = values.target_means[rows]  # the means come last
