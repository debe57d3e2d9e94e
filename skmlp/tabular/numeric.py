"""Numeric columns: read as floats, scaled smoothly, missing values indicated."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from skmlp.tabular.column_types import (
    has_objects,
    infer_stored_type,
    is_all_missing,
)
from skmlp.tabular.frame import Column, find_missing
from skmlp.tabular.scaling import SmoothScale
from skmlp.tabular.target_means import TrainingRows
from skmlp.tabular.text_parsing import find_unparsable, has_text, parse_text

Arrays: TypeAlias = Sequence[np.ndarray] | np.ndarray
"""Arrays of numbers, one per output, or a matrix (n_outputs, n_rows)."""


class NumericColumn:
    """One column that is read as one or more arrays of floats, NaN where missing."""

    kind = "numbers"
    parts: tuple[str, ...] = ("",)  # suffix of the name of each array

    def __init__(self, position: int) -> None:
        self.position = position  # of the column in the table
        self.from_text = False  # True if the training column held text

    def fit(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        """Learn how to read the column, and return what `read` would."""
        # in rows of weight 0 as well, where other text is missing too
        self.from_text = has_text(column.data)
        return self.read(column)

    def read(self, column: Column) -> list[np.ndarray]:
        """Return one array per part; raise if the column is of another type."""
        column = self.parse(column)
        if is_all_missing(column.data):
            return [np.full(len(column.data), np.nan) for _ in self.parts]
        self.check_type(column)
        try:
            return self.to_floats(column)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(
                f"{column.describe()} can't be read as {self.kind}: {error}"
            ) from error

    def parse(self, column: Column) -> Column:
        """Parse text in the column, if training had some or if all of it is parsable.

        In the first case unparsable text becomes missing.
        """
        values = column.data
        is_parsed = self.from_text or (
            has_text(values) and not find_unparsable(values, self.kind).any()
        )
        if is_parsed:
            values = parse_text(values, self.kind)
        return column._replace(data=values)

    def mask_unparsable(self, column: Column, numbers: np.ndarray) -> np.ndarray:
        """Mask the text that became NaN in `numbers` as it can't be parsed."""
        mask = np.zeros(len(column.data), dtype=bool)
        if self.from_text:
            missing = np.flatnonzero(np.isnan(numbers))
            mask[missing] = find_unparsable(column.data[missing], self.kind)
        return mask

    def check_type(self, column: Column) -> None:
        """Raise if the column is of another type than in fit."""
        found = infer_stored_type(column)
        if found != self.kind:
            if pd.api.types.infer_dtype(column.data) == "boolean":
                found = "truth values"
            raise ValueError(
                f"{column.describe()} holds {found}, but held {self.kind} in fit; "
                "convert it, or fit again."
            )

    def to_floats(self, column: Column) -> list[np.ndarray]:
        """Convert a column of the right type to one array per part."""
        values = column.data
        if isinstance(values, np.ndarray) and not has_objects(values):
            return [values]
        if isinstance(values, pd.Categorical):
            values = np.asarray(values)
        missing = find_missing(values)
        result = np.full(len(values), np.nan)
        result[~missing] = np.asarray(values[~missing], dtype=np.float64)
        return [result]


class RealColumn(NumericColumn):
    """Real numbers; truth values are 0 and 1, numeric categories are their values."""

    def read(self, column: Column) -> list[np.ndarray]:
        values = column.data
        if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
            return [values]
        return super().read(column)

    def check_type(self, column: Column) -> None:
        values = column.data
        if isinstance(values, pd.Categorical):
            values = np.asarray(values.categories)
        if pd.api.types.infer_dtype(values) != "boolean":
            super().check_type(column._replace(data=values))


class EmptyColumn(NumericColumn):
    """Zero for any value, since training had none to learn from."""

    kind = "empty"

    def fit(self, column: Column, rows: TrainingRows) -> list[np.ndarray]:
        return self.read(column)

    def read(self, column: Column) -> list[np.ndarray]:
        return [np.where(find_missing(column.data), np.nan, 0.0)]


class NumericBlock:
    """All numeric columns: first the scaled numbers, then the missing indicators."""

    def __init__(self, columns: Sequence[NumericColumn], scale: SmoothScale) -> None:
        self.columns = list(columns)
        self.scale = scale  # of the arrays of all columns
        self.indicated = self.find_indicated()

    def find_indicated(self) -> np.ndarray:
        """Find the first array of each column that had missing values in training."""
        # one indicator per column: its arrays, such as month, are missing together
        first = self._find_first_arrays()
        return first[self.scale.has_missing[first]]

    def _find_first_arrays(self) -> np.ndarray:
        """Return the index of the first array of each column."""
        widths = [len(column.parts) for column in self.columns]
        return np.cumsum([0, *widths])[:-1].astype(np.intp)

    def find_constant(self) -> list[int]:
        """Return the positions of the columns without two different values."""
        first, is_constant = self._find_first_arrays(), self.scale.is_constant
        return [
            column.position
            for column, place in zip(self.columns, first, strict=True)
            if is_constant[place : place + len(column.parts)].all()
        ]

    @property
    def is_matrix(self) -> bool:
        """True if each column is one array of real numbers."""
        return all(isinstance(column, RealColumn) for column in self.columns)

    @property
    def n_numbers(self) -> int:
        """Number of outputs that are scaled numbers."""
        return len(self.scale.center)

    @property
    def n_outputs(self) -> int:
        """Number of outputs, missing indicators included."""
        return self.n_numbers + len(self.indicated)

    def get_names(self, inputs: Sequence[str]) -> list[str]:
        """Name each output, after the names of the table's columns."""
        arrays = [
            (inputs[column.position], part)
            for column in self.columns
            for part in column.parts
        ]
        names = [f"{name}_{part}".removesuffix("_") for name, part in arrays]
        return names + [f"{arrays[place][0]}_missing" for place in self.indicated]

    def read(self, columns: Sequence[Column]) -> list[np.ndarray]:
        """Read the arrays of all columns, given those of the whole table."""
        return [
            array
            for fitted in self.columns
            for array in fitted.read(columns[fitted.position])
        ]

    def write(self, arrays: Arrays, rows: slice, out: np.ndarray) -> None:
        """Write the outputs of some rows (n_rows, n_outputs)."""
        if not self.columns:
            return
        n_numbers = self.n_numbers
        x = np.empty((len(out), n_numbers))
        if isinstance(arrays, np.ndarray):
            x[:] = arrays[:, rows].T
        else:
            for place, array in enumerate(arrays):
                x[:, place] = array[rows]
        missing = np.isnan(x)
        out[:, n_numbers:] = missing[:, self.indicated]
        out[:, :n_numbers] = self.scale.transform(x, missing)
