"""Inputs of the graph: a class per kind, with its type, its nodes and how rows fill it.

`to_inputs` knows nothing but the ONNX file, so what it needs of the fitted encoder is
JSON in the file's metadata: the `state` of each input.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from onnx import TensorProto, ValueInfoProto, helper

from skmlp.onnx.calendar import DATE_PART_NODES, SECOND, Integers
from skmlp.onnx.graph import Graph, as_float64
from skmlp.onnx.keys import (
    MISSING_INT64,
    check_unicode,
    find_number_key,
    find_text_keys,
    spell,
)
from skmlp.onnx.text import is_lowered_by_graph
from skmlp.tabular.categorical import CategoricalBlock
from skmlp.tabular.column_types import is_all_missing
from skmlp.tabular.datetime import DateColumn, to_datetime_index
from skmlp.tabular.encoder import NUMERIC_COLUMNS
from skmlp.tabular.factorize import Factorized, factorize, find_value_types
from skmlp.tabular.frame import Column, Dense, Values, read_columns, read_matrix
from skmlp.tabular.numeric import NumericColumn

METADATA = "skmlp_inputs"  # property of the ONNX model: each input as JSON


@dataclass(frozen=True)
class Input:
    """An input of the graph, of shape (n_rows, width)."""

    kind: ClassVar[str]  # key of INPUTS, in the metadata

    name: str  # in the graph
    column: str  # name of the table's column
    position: int = 0  # of the column
    elem_type: int = TensorProto.DOUBLE
    width: int = 1
    state: Mapping[str, Any] = field(default_factory=dict)  # for `fill`, as JSON

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the values."""
        return helper.tensor_dtype_to_np_dtype(self.elem_type)

    def as_proto(self) -> ValueInfoProto:
        """Convert to a ValueInfoProto with any number of rows."""
        shape = ("n_rows", self.width)
        return helper.make_tensor_value_info(self.name, self.elem_type, shape)

    def fill(self, column: Column) -> np.ndarray:
        """Convert a column to the values of the input, (n_rows,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class MatrixInput(Input):
    """All columns as one matrix, where they are numbers without names."""

    kind = "matrix"

    def fill_matrix(self, table: Dense) -> np.ndarray:
        """Convert a table to the values of the input, (n_rows, width)."""
        if table.shape[1] != self.width:
            raise ValueError(
                f"expected {self.width} columns, got {table.shape[1]}. Pass the "
                "columns of fit."
            )
        matrix = read_matrix(table)
        if matrix is None:  # not of one numeric dtype
            columns = [
                NUMERIC_COLUMNS["numbers"](column.position).read(column)[0]
                for column in read_columns(table)
            ]
            matrix = np.column_stack(columns)
        return matrix.astype(self.dtype)


@dataclass(frozen=True)
class NumberInput(Input):
    """Numbers and truth values, NaN where missing; base of dates and durations."""

    kind = "numbers"

    @property
    def reader(self) -> NumericColumn:
        """The encoder's column, which reads and refuses values as in Python."""
        reader = NUMERIC_COLUMNS[self.state["type"]](self.position)
        vars(reader).update(self.state["fitted"])
        return reader

    def fill(self, column: Column) -> np.ndarray:
        return self.reader.read(column)[0].astype(self.dtype)

    def add_numbers(self, graph: Graph, offset: str | None) -> list[str]:
        """Add nodes for unscaled doubles, each (n_rows, 1), NaN where missing."""
        return [self.name]

    def _read(self, column: Column) -> Values | None:
        """Parse text as the encoder does; None if all values are missing."""
        self.reader.read(column)  # raises what `predict_proba` raises
        values = self.reader.parse(column).data
        return None if is_all_missing(values) else values

    def _to_microseconds(
        self, column: Column, index: pd.DatetimeIndex | pd.TimedeltaIndex
    ) -> np.ndarray:
        """Convert to int64, unless rounding would change the predictions."""
        rounded = index.as_unit("us")
        is_lossy = (rounded.as_unit(index.unit) != index)[~index.isna()].any()
        if self.state["is_fine"] and is_lossy:
            raise ValueError(
                f"expected whole microseconds in {column.describe()}, whose values in "
                "fit were less than a second apart, got parts of microseconds. Turn "
                "the column into numbers before fit, or round it to microseconds."
            )
        return rounded.asi8  # NaT is the smallest int64, as MISSING_INT64 is


def _add_seconds(ticks: Integers) -> str:
    """Add seconds of microseconds, NaN where missing."""
    seconds = ticks.graph.add("Div", ticks.as_double(), as_float64(SECOND))
    is_missing = ticks.equals(MISSING_INT64)
    return ticks.graph.add("Where", is_missing, as_float64(np.nan), seconds)


@dataclass(frozen=True)
class DurationInput(NumberInput):
    """Durations in microseconds."""

    kind = "durations"
    elem_type: int = TensorProto.INT64

    def fill(self, column: Column) -> np.ndarray:
        values = self._read(column)
        if values is None:
            return np.full(len(column.data), MISSING_INT64)
        return self._to_microseconds(column, pd.TimedeltaIndex(values))

    def add_numbers(self, graph: Graph, offset: str | None) -> list[str]:
        return [_add_seconds(Integers(graph, self.name))]


@dataclass(frozen=True)
class TimeInput(DurationInput):
    """Times of the day in microseconds since midnight."""

    kind = "times"

    def fill(self, column: Column) -> np.ndarray:
        (seconds,) = self.reader.read(column)
        is_missing = np.isnan(seconds)
        # rint, as seconds are binary fractions
        ticks = np.rint(np.where(is_missing, 0, seconds) * SECOND).astype(np.int64)
        return np.where(is_missing, MISSING_INT64, ticks)


@dataclass(frozen=True)
class DateInput(NumberInput):
    """Dates in microseconds since 1970, in UTC or, without a time zone, local."""

    kind = "dates"
    elem_type: int = TensorProto.INT64

    @property
    def needs_offset(self) -> bool:
        """True if parts of the date are in local time of a zone."""
        fitted = self.state["fitted"]
        is_local = fitted["has_zone"] and not fitted["in_utc"]
        return is_local and len(fitted["parts"]) > 1

    def fill(self, column: Column) -> np.ndarray:
        values = self._read(column)
        if values is None:
            return np.full(len(column.data), MISSING_INT64)
        return self._to_microseconds(column, to_datetime_index(values))

    def add_numbers(self, graph: Graph, offset: str | None) -> list[str]:
        # elapsed seconds count in UTC, parts of the date in local time
        moments = local = Integers(graph, self.name)
        if offset is not None:
            local = moments + Integers(graph, offset) * SECOND
        parts = [
            DATE_PART_NODES[part](local).as_double()
            for part in self.state["fitted"]["parts"][1:]
        ]
        is_missing, nan = moments.equals(MISSING_INT64), as_float64(np.nan)
        parts = [graph.add("Where", is_missing, nan, part) for part in parts]
        return [_add_seconds(moments), *parts]


@dataclass(frozen=True)
class OffsetInput(NumberInput):
    """Seconds that the local time of a date is ahead of UTC."""

    kind = "offsets"
    elem_type: int = TensorProto.INT64

    def fill(self, column: Column) -> np.ndarray:
        """Convert a column of dates to offsets, 0 where missing."""
        # zones may differ by row, so to_datetime_index may convert to UTC
        values = self._read(column)
        if values is None:
            return np.zeros(len(column.data), dtype=np.int64)
        dates = to_datetime_index(values)
        reader = self.reader
        assert isinstance(reader, DateColumn)
        local = reader.to_local(values, dates).tz_localize(None)
        utc = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
        ahead = (local - utc).as_unit("us")
        return np.where(ahead.isna(), 0, ahead.asi8 // SECOND)


@dataclass(frozen=True)
class TextInput(Input):
    """Text to be tokenized, empty where missing."""

    kind = "text"
    elem_type: int = TensorProto.STRING

    def fill(self, column: Column) -> np.ndarray:
        found = factorize(column)
        came = find_value_types(found.distinct)
        if came and "text" not in came:
            raise ValueError(
                f"expected text in {column.describe()}, got "
                f"{' and '.join(sorted(came))}. Convert it, or fit again."
            )
        # the encoder reads lower case, and no more than the first characters
        texts = [
            spell(value)[: self.state["longest"]].lower()
            if isinstance(value, str)
            else ""
            for value in found.distinct
        ]
        check_unicode(texts, column.describe())
        return np.array([*texts, ""], dtype=object)[found.codes]


@dataclass(frozen=True)
class CategoryInput(Input):
    """Categories as keys, see `skmlp.onnx.keys`; their text may be tokenized, too."""

    kind = "categories"

    def fill(self, column: Column) -> np.ndarray:
        found = factorize(column)
        # refuses other types of values as in Python
        fitted = CategoricalBlock(column.position, 2, 1)
        fitted.is_object = self.state["is_object"]
        fitted.value_types = set(self.state["families"])
        fitted.check_type(column, found.distinct)
        keys: list[Any]
        if self.elem_type == TensorProto.STRING:
            if "unit" in self.state:
                self._check_both_uses(column, found)
            keys = find_text_keys(found.distinct, self.state)
        else:
            unknown = self.state["unknown"]
            keys = [find_number_key(v, self.dtype, unknown) for v in found.distinct]
        # the code of missing values is -1, so their key comes last
        table = np.array([*keys, self.state["missing"]], dtype=object)
        is_bool = self.elem_type == TensorProto.BOOL
        if is_bool and any(key is None for key in table[np.unique(found.codes)]):
            raise ValueError(
                f"expected True and False alone in {column.describe()}, as in fit, got "
                "missing or other values, which the graph's input does not hold. Fill "
                "them in, or fit again on rows that have some."
            )
        return table.astype(self.dtype)[found.codes]

    def _check_both_uses(self, column: Column, found: Factorized) -> None:
        """Raise for text that is a key and, for the tokenizer, needs to be changed."""
        unit, longest = self.state["unit"], self.state["longest"]
        texts = [value for value in found.distinct if isinstance(value, str)]
        check_unicode(texts, column.describe())
        for text in texts:
            # the graph does not cut words, and lowers letters beyond ASCII in part
            is_long = unit == "words" and len(text) > longest
            if is_long or not is_lowered_by_graph(text, unit):
                raise ValueError(
                    f"expected text of at most {longest} characters, capitals in "
                    f"usual places, in {column.describe()}, got {text[:50]!r}. Shorten "
                    "the text, or turn it into lower case, before fit as well."
                )


_NUMERIC = (NumberInput, DurationInput, TimeInput, DateInput, OffsetInput)
INPUTS: dict[str, type[Input]] = {
    input_class.kind: input_class
    for input_class in (MatrixInput, *_NUMERIC, TextInput, CategoryInput)
}
