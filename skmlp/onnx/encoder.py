"""The fitted table encoder as inputs and nodes of a graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from skmlp.onnx.categories import add_categories
from skmlp.onnx.graph import Graph, as_float64
from skmlp.onnx.inputs import (
    INPUTS,
    CategoryInput,
    DateInput,
    Input,
    MatrixInput,
    NumberInput,
    OffsetInput,
    TextInput,
)
from skmlp.onnx.keys import build_keys, check_unicode
from skmlp.onnx.text import add_text
from skmlp.tabular.categorical import CategoricalBlock
from skmlp.tabular.encoder import TableEncoder, get_column_names, make_unique
from skmlp.tabular.frame import get_remembered_names
from skmlp.tabular.numeric import RealColumn
from skmlp.tabular.scaling import FAR, LIMIT, SmoothScale
from skmlp.tabular.text import ANALYZERS

MATRIX = "X"  # name of the input of columns without names
OFFSET = "utc_offset"  # suffix of the second input of dates with a time zone

Label = tuple[str, str, int]
"""Name of an input, name of its column, and position of the column."""

FINE_SCALE = 1.0  # in seconds; below, parts of a microsecond change the predictions


def build_inputs(encoder: TableEncoder) -> list[Input]:
    """Build the inputs of a fitted encoder, in the order of the columns."""
    if _is_matrix(encoder):
        return [MatrixInput(MATRIX, MATRIX, width=encoder.n_features_in_)]
    columns = make_unique([str(name) for name in get_column_names(encoder)])
    places = range(len(columns))
    labels = list(zip(_build_input_names(columns), columns, places, strict=True))
    inputs = _build_number_inputs(encoder, labels)
    for text in encoder._text:
        place = text.position
        check_unicode(text.terms, f"column {columns[place]!r}")
        state = {"unit": text.analyzer, "longest": ANALYZERS[text.analyzer].longest}
        inputs[place] = TextInput(*labels[place], state=state)
    for category in encoder._categorical:
        place = category.position
        # text that is also a category keeps the state of its tokenizer
        text_state = inputs[place].state if place in inputs else {}
        inputs[place] = _build_category_input(category, labels[place], text_state)
    ordered, taken = [], [name for name, _, _ in labels]
    for place in places:
        entry = inputs[place]
        ordered.append(entry)
        if isinstance(entry, DateInput) and entry.needs_offset:
            taken = make_unique([*taken, f"{entry.name}_{OFFSET}"])
            offset = OffsetInput(taken[-1], entry.column, place, state=entry.state)
            ordered.append(offset)
    return ordered


def _is_matrix(encoder: TableEncoder) -> bool:
    """Return True if all columns are numbers without names."""
    has_names = hasattr(encoder, "feature_names_in_") or get_remembered_names(encoder)
    are_plain = all(
        isinstance(column, RealColumn) and not column.from_text
        for column in encoder._numeric.columns
    )
    only_numbers = len(encoder._numeric.columns) == encoder.n_features_in_
    return not has_names and are_plain and only_numbers


def _build_input_names(columns: Sequence[str]) -> list[str]:
    """Build unique names that are not empty and that UTF-8 can hold."""
    names: list[str] = []
    for place, name in enumerate(columns):
        # a lone surrogate becomes its escape, as \ud800
        clean = name.encode("utf-8", "backslashreplace").decode()
        if clean == name != "":
            names.append(name)
        else:
            names.append(make_unique([*columns, *names, clean or f"x{place}"])[-1])
    return names


def _build_number_inputs(
    encoder: TableEncoder, labels: Sequence[Label]
) -> dict[int, Input]:
    """Build the inputs of numbers, dates and durations, by position."""
    inputs: dict[int, Input] = {}
    first = 0  # place of a column's first number in the scale
    odd = encoder._find_mixed()
    for column in encoder._numeric.columns:
        place = column.position
        if place in odd:
            raise TypeError(
                f"column {labels[place][1]!r} holds {column.kind} and other "
                "text, which a graph can't take in one type; split it into two columns "
                "before fit, or replace the text by missing values."
            )
        # columns without values are passed as numbers
        input_class = INPUTS.get(column.kind, NumberInput)
        state = {
            "type": column.kind,
            "fitted": vars(column),
            "is_fine": bool(encoder.scale_.scale[first] < FINE_SCALE),
        }
        inputs[place] = input_class(*labels[place], state=state)
        first += len(column.parts)
    return inputs


def _build_category_input(
    category: CategoricalBlock, label: Label, text_state: Mapping[str, Any]
) -> CategoryInput:
    """Build the input of a categorical column."""
    keys = build_keys(category, label[1])
    state = {
        **text_state,
        "missing": keys.missing,
        "unknown": keys.unknown,
        "others": keys.others,
        "is_object": category.is_object,
        "families": sorted(category.value_types),
    }
    return CategoryInput(*label, keys.elem_type, state=state)


def add_encoder(graph: Graph, encoder: TableEncoder, inputs: Sequence[Input]) -> str:
    """Add the nodes from inputs to `transform`'s matrix, in single precision."""
    offsets = {i.position: i.name for i in inputs if isinstance(i, OffsetInput)}
    by_position = {i.position: i for i in inputs if not isinstance(i, OffsetInput)}
    # in the order of transform's columns: numbers, indicators, categories, text
    parts = []
    if encoder.n_numbers_:
        columns = []
        if isinstance(inputs[0], MatrixInput):
            columns.append(inputs[0].name)
        else:
            for number in encoder._numeric.columns:
                # dates have several numbers
                entry = by_position[number.position]
                assert isinstance(entry, NumberInput)
                columns += entry.add_numbers(graph, offsets.get(number.position))
        parts += _add_scaled_numbers(graph, encoder, graph.concat(columns))
    for category in encoder._categorical:
        entry = by_position[category.position]
        keys = build_keys(category, entry.column)
        parts += add_categories(graph, entry.name, category, keys)
    for text in encoder._text:
        components = add_text(graph, by_position[text.position].name, text)
        scaled = _add_scale(graph, components, text.scale)
        parts.append(graph.add("Cast", scaled, to=TensorProto.FLOAT))
    return graph.concat(parts)


def _add_scaled_numbers(graph: Graph, encoder: TableEncoder, numbers: str) -> list[str]:
    """Add scaled numbers, and the indicators of missing values."""
    values = _add_scale(graph, numbers, encoder.scale_)
    parts = [graph.add("Cast", values, to=TensorProto.FLOAT)]
    indicated = encoder._numeric.indicated  # indices of numbers that have an indicator
    if len(indicated):
        if len(indicated) < encoder.n_numbers_:
            indices = indicated.astype(np.int64)
            numbers = graph.add("Gather", numbers, indices, axis=1)
        is_missing = graph.add("IsNaN", numbers)
        parts.append(graph.add("Cast", is_missing, to=TensorProto.FLOAT))
    return parts


def _add_scale(graph: Graph, x: str, scale: SmoothScale) -> str:
    """Add the smooth clipping z / sqrt(1 + (z / LIMIT)**2); missing becomes 0."""
    # in doubles, since single precision would round large numbers, such as seconds
    # since 1970, before their center is subtracted
    z = graph.add("Sub", x, as_float64(scale.center))
    z = graph.add("Div", z, as_float64(scale.scale))
    z = graph.add("Clip", z, as_float64(-FAR), as_float64(FAR))
    ratio = graph.add("Div", z, as_float64(LIMIT))
    square = graph.add("Mul", ratio, ratio)
    root = graph.add("Sqrt", graph.add("Add", square, as_float64(1)))
    # constant in training: new values say nothing
    is_zero = graph.add("IsNaN", x)
    if scale.is_constant.any():
        is_zero = graph.add("Or", is_zero, scale.is_constant)
    return graph.add("Where", is_zero, as_float64(0), graph.add("Div", z, root))
