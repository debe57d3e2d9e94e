"""What a graph is given: one input per column, or one for a matrix of numbers."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Number
from typing import NamedTuple

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from skmlp.tabular.columns import CategoryColumn, DateColumn, NumberColumn, PlainColumn
from skmlp.tabular.encoder import TableEncoder, make_unique
from skmlp.tabular.names import remembered_names

MATRIX = "X"
"""What the one input is called where columns have no names."""

KINDS = "skmlp_inputs"
"""The property of the graph that says what its inputs hold."""

READ_FROM_TEXT = {"numbers", "dates"}
"""Kinds of columns that a graph reads from text."""

OFFSET = "utc_offset"
"""What stands behind the name of a column with a time zone, for its second input."""


class Input(NamedTuple):
    """An input of the graph, of shape (n_rows, width).

    Attributes
    ----------
    name : str
        What it is called.
    elem_type : int
        Its type, one of those of TensorProto.
    kind : str
        What it holds: "matrix", "numbers", "text", "dates", "offsets", "durations" or
        "times".
    column : str
        What its column of the table is called.
    position : int
        Which column that is, or the first one.
    width : int
        Numbers per row.
    """

    name: str
    elem_type: int
    kind: str
    column: str
    position: int = 0
    width: int = 1

    @classmethod
    def matrix(cls, elem_type: int, width: int) -> "Input":
        """The one input where all columns are numbers without names."""
        return cls(MATRIX, elem_type, "matrix", MATRIX, width=width)

    def as_proto(self) -> ValueInfoProto:
        """The input in ONNX's own form; the number of rows is free."""
        shape = ("n_rows", self.width)
        return helper.make_tensor_value_info(self.name, self.elem_type, shape)


def inputs_of(encoder: TableEncoder) -> list[Input]:
    """The inputs of a fitted encoder, in the order of the columns."""
    if is_matrix(encoder):
        return [Input.matrix(TensorProto.DOUBLE, encoder.n_features_in_)]
    names = names_of(encoder)
    types = types_of(encoder, names)
    inputs = [
        Input(names[place], *types[place], names[place], place)
        for place in range(len(names))
    ]
    for column in filter(needs_offset, encoder._number_columns):
        place, taken = column.position, [entry.name for entry in inputs]
        name = make_unique([*taken, f"{names[place]}_{OFFSET}"])[-1]
        offsets = Input(name, TensorProto.INT64, "offsets", names[place], place)
        inputs.insert(taken.index(names[place]) + 1, offsets)
    return inputs


def is_matrix(encoder: TableEncoder) -> bool:
    """Whether the columns are nothing but numbers without names."""
    has_names = hasattr(encoder, "feature_names_in_") or remembered_names(encoder)
    are_plain = all(
        isinstance(column, PlainColumn) and not column.from_text
        for column in encoder._number_columns
    )
    only_numbers = len(encoder._number_columns) == encoder.n_features_in_
    return not has_names and are_plain and only_numbers


def names_of(encoder: TableEncoder) -> list[str]:
    """Different names for the columns, as they are called where they have names."""
    names = remembered_names(encoder)
    if names is None:
        default = [f"x{place}" for place in range(encoder.n_features_in_)]
        names = list(getattr(encoder, "feature_names_in_", default))
    return make_unique([str(name) for name in names])


def types_of(encoder: TableEncoder, names: list[str]) -> Mapping[int, tuple[int, str]]:
    """By position: the type that a column comes in, and what it holds."""
    types: dict[int, tuple[int, str]] = {
        column.position: (TensorProto.STRING, "text")
        for column in encoder._text_columns
    }
    odd = encoder._odd_columns()
    for column in encoder._number_columns:
        is_read = not column.from_text or column.kind in READ_FROM_TEXT
        if column.position in odd or not is_read:
            raise TypeError(
                f"column {names[column.position]!r} holds {column.kind} and other "
                "text, which a graph can't take in one type; split it into two columns "
                "before fit, or replace the text by missing values."
            )
        types[column.position] = type_of_numbers(column)
    return types | {
        column.position: type_of_categories(column, names[column.position])
        for column in encoder._category_columns
    }


def type_of_numbers(column: NumberColumn) -> tuple[int, str]:
    """The type of a column of numbers, dates or times, and what it holds."""
    if column.from_text:
        return TensorProto.STRING, "text"
    if column.kind in ("numbers", "nothing"):
        return TensorProto.DOUBLE, "numbers"
    return TensorProto.INT64, column.kind


def needs_offset(column: NumberColumn) -> bool:
    """Whether a column of dates is read by clocks that don't all show UTC."""
    return (
        isinstance(column, DateColumn)
        and not column.from_text
        and bool(column.has_zone)
        and not column.in_utc
        and len(column.parts) > 1
    )


def type_of_categories(column: CategoryColumn, name: str) -> tuple[int, str]:
    """The type of a column of categories, and what it holds.

    Whole numbers and truth values come as such if none was missing in training, else as
    doubles, of which NaN is missing. What is no number comes as the text that `str`
    makes of it.
    """
    if are_all(column.known, Number, np.bool_):
        if column.has_missing or not are_all(column.known, Integral, np.bool_):
            return TensorProto.DOUBLE, "numbers"
        are_truth_values = are_all(column.known, bool, np.bool_)
        return TensorProto.BOOL if are_truth_values else TensorProto.INT64, "numbers"
    texts = [str(value) for value in column.known]
    if len(set(texts)) < len(texts):
        raise TypeError(
            f"column {name!r} holds values that are different but print the same, "
            "which text in a graph can't tell apart; turn them into text before fit."
        )
    return TensorProto.STRING, "text"


def are_all(values: Iterable[object], *kinds: type) -> bool:
    """Whether values, of which there are some, are all of some types."""
    values = list(values)
    return bool(values) and all(isinstance(value, kinds) for value in values)
