"""What a graph is given: one input per column, or one for a matrix of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from onnx import TensorProto, ValueInfoProto, helper

from skmlp.onnx.keys import build_keys, check_unicode
from skmlp.tabular.columns import (
    CategoricalBlock,
    DateColumn,
    NumericColumn,
    RealColumn,
)
from skmlp.tabular.encoder import TableEncoder, get_column_names, make_unique
from skmlp.tabular.names import get_remembered_names
from skmlp.tabular.text import ANALYZERS, TextBlock

MATRIX = "X"
"""What the one input is called where columns have no names."""

KINDS = "skmlp_inputs"
"""The property of the graph that says what its inputs hold."""

READS = "skmlp_reads"
"""The property of the graph that says how `to_inputs` fills its inputs."""

READ_FROM_TEXT = {"numbers", "dates"}
"""Kinds of columns that a graph reads from text."""

OFFSET = "utc_offset"
"""What stands behind the name of a column with a time zone, for its second input."""

FINE = 1.0
"""Scale in seconds below which parts of a microsecond change what comes out."""


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
    reads : dict
        Conversion by `to_inputs`, and the state of the column, as JSON holds them.
    """

    name: str
    elem_type: int
    kind: str
    column: str
    position: int = 0
    width: int = 1
    reads: Mapping[str, Any] = {}

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
    columns = names_of(encoder)
    described = describe_numbers(encoder, columns)
    for text_column in encoder._text_columns:
        described[text_column.position] = describe_text(text_column, columns)
    for column in encoder._category_columns:
        # the same column may be read as text, too
        text = described.get(column.position)
        described[column.position] = describe_categories(column, columns, text)
    names = build_input_names(columns)
    inputs = [
        Input(name, elem_type, kind, columns[place], place, reads=reads)
        for place, name in enumerate(names)
        for elem_type, kind, reads in [described[place]]
    ]
    for dates in filter(needs_offset, encoder._number_columns):
        place, taken = dates.position, [entry.name for entry in inputs]
        start = taken.index(names[place])
        name = make_unique([*taken, f"{names[place]}_{OFFSET}"])[-1]
        reads = {**inputs[start].reads, "conversion": "offsets"}
        offsets = inputs[start]._replace(name=name, kind="offsets", reads=reads)
        inputs.insert(start + 1, offsets)
    return inputs


def is_matrix(encoder: TableEncoder) -> bool:
    """Whether the columns are nothing but numbers without names."""
    has_names = hasattr(encoder, "feature_names_in_") or get_remembered_names(encoder)
    are_plain = all(
        isinstance(column, RealColumn) and not column.from_text
        for column in encoder._number_columns
    )
    only_numbers = len(encoder._number_columns) == encoder.n_features_in_
    return not has_names and are_plain and only_numbers


def names_of(encoder: TableEncoder) -> list[str]:
    """Different names for the columns, as they are called where they have names."""
    return make_unique([str(name) for name in get_column_names(encoder)])


def build_input_names(columns: Sequence[str]) -> list[str]:
    """Names of inputs, which must not be empty, and which UTF-8 has to hold."""
    names: list[str] = []
    for place, name in enumerate(columns):
        clean = name.encode("utf-8", "backslashreplace").decode()
        if clean == name != "":
            names.append(name)
        else:
            names.append(make_unique([*columns, *names, clean or f"x{place}"])[-1])
    return names


class Described(NamedTuple):
    """Type and kind of an input, and the state of its column."""

    elem_type: int
    kind: str
    reads: Mapping[str, Any]


def describe_text(column: TextBlock, columns: Sequence[str]) -> Described:
    """The input of a column of text."""
    check_unicode(column.terms, f"column {columns[column.position]!r}")
    longest = ANALYZERS[column.unit].longest
    reads = {"conversion": "text", "unit": column.unit, "longest": longest}
    return Described(TensorProto.STRING, "text", reads)


def describe_numbers(
    encoder: TableEncoder, columns: Sequence[str]
) -> dict[int, Described]:
    """By position: the inputs of columns of numbers, dates and times."""
    described, place, odd = {}, 0, encoder._odd_columns()
    for column in encoder._number_columns:
        if column.position in odd:
            raise TypeError(
                f"column {columns[column.position]!r} holds {column.kind} and other "
                "text, which a graph can't take in one type; split it into two columns "
                "before fit, or replace the text by missing values."
            )
        elem_type, kind = type_of_numbers(column)
        reads = {
            "conversion": f"{column.kind} in text" if kind == "text" else kind,
            "kind": column.kind,
            "state": vars(column),
            "is_fine": bool(encoder.scale_.scale[place] < FINE),
        }
        described[column.position] = Described(elem_type, kind, reads)
        place += len(column.parts)
    return described


def type_of_numbers(column: NumericColumn) -> tuple[int, str]:
    """The type of a column of numbers, dates or times, and what it holds."""
    if column.from_text and column.kind in READ_FROM_TEXT:
        return TensorProto.STRING, "text"
    if column.kind in ("numbers", "nothing"):
        return TensorProto.DOUBLE, "numbers"
    return TensorProto.INT64, column.kind


def describe_categories(
    column: CategoricalBlock, columns: Sequence[str], text: Described | None
) -> Described:
    """The input of a column of categories, which may be read as text as well."""
    keys = build_keys(column, columns[column.position])
    kind = "text" if keys.elem_type == TensorProto.STRING else "numbers"
    reads = {
        **(text.reads if text else {}),
        "conversion": "categories",
        "missing": keys.missing,
        "unknown": keys.unknown,
        "others": keys.others,
        "is_object": column.is_object,
        "families": sorted(column.families),
    }
    return Described(keys.elem_type, kind, reads)


def needs_offset(column: NumericColumn) -> bool:
    """Whether a column of dates is read by clocks that don't all show UTC."""
    return (
        isinstance(column, DateColumn)
        and not column.from_text
        and bool(column.has_zone)
        and not column.in_utc
        and len(column.parts) > 1
    )
