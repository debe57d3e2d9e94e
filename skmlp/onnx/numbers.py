"""Columns of numbers as nodes: read, and scaled; dates and times as seconds."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from skmlp.onnx.calendar import MISSING, PARTS, SECOND, Whole, read_dates
from skmlp.onnx.graph import Graph, double, matches
from skmlp.tabular.columns import (
    DateColumn,
    DurationColumn,
    EmptyColumn,
    NumericColumn,
    RealColumn,
    TimeColumn,
)
from skmlp.tabular.scaling import FAR, LIMIT, SmoothScale
from skmlp.tabular.text_parsing import NUMBER_PATTERN

DIGITS = "[0-9]{0,99}"
ORDINARY = (
    rf"\s*[+-]?[0-9]?{DIGITS}\.?{DIGITS}([eE][+-]?0*1?[0-9]?[0-9])?\s*"
    # one digit before the point, as `to_inputs` writes numbers
    r"|[+-]?[0-9]\.?[0-9]{0,16}([eE][+-]?(30[0-7]|[12]?[0-9]?[0-9]))?"
)
"""Numbers that are read as they are; the others would be out of range."""

OUT_OF_RANGE = {
    r".*": "inf",
    r"\s*-.*": "-inf",
    r".*[eE]-.*": "0",
    r"\s*[+-]?[0.]+[eE].*": "0",
}
"""What other numbers count as, the last that fits."""


# Reading


def plain(graph: Graph, x: str, offset: str | None, column: NumericColumn) -> list[str]:
    """Numbers as they are, or as text that stands for them."""
    return [numbers_in_text(graph, x) if column.from_text else x]


def dates(graph: Graph, x: str, offset: str | None, column: DateColumn) -> list[str]:
    """Seconds since 1970, and what the calendar says where that varied in training."""
    if column.from_text:
        moments, offsets, are_real = read_dates(graph, x)
        is_missing = graph.add("Not", are_real)
    else:
        moments = Whole(graph, x)
        offsets = Whole(graph, 0 if offset is None else offset)
        is_missing = moments.equals(MISSING)
    local = moments if column.in_utc else moments + offsets * SECOND
    parts = [PARTS[name](local).as_double() for name in column.parts[1:]]
    return [
        graph.add("Where", is_missing, double(np.nan), part)
        for part in (in_seconds(moments), *parts)
    ]


def durations(
    graph: Graph, x: str, offset: str | None, column: NumericColumn
) -> list[str]:
    """Seconds that something lasts, or since midnight."""
    ticks = Whole(graph, x)
    is_missing = ticks.equals(MISSING)
    return [graph.add("Where", is_missing, double(np.nan), in_seconds(ticks))]


READERS: Mapping[type[NumericColumn], Callable[[Graph, str, Any, Any], list[str]]] = {
    RealColumn: plain,
    # any value becomes 0: the column counts as constant
    EmptyColumn: lambda graph, x, offset, column: [x],
    DateColumn: dates,
    DurationColumn: durations,
    TimeColumn: durations,
}
"""How each kind of column becomes numbers (n_rows, 1), NaN where missing."""


def in_seconds(ticks: Whole) -> str:
    """Microseconds as seconds."""
    return ticks.graph.add("Div", ticks.as_double(), double(SECOND))


def numbers_in_text(graph: Graph, text: str) -> str:
    """Text as the numbers that it stands for, NaN where it stands for none."""
    # what is out of range of a type would end the computation
    read = text
    for pattern, instead in OUT_OF_RANGE.items():
        is_so = matches(graph, text, pattern)
        read = graph.add("Where", is_so, constant_text(instead), read)
    read = graph.add("Where", matches(graph, text, ORDINARY), text, read)
    is_number = matches(graph, text, NUMBER_PATTERN.pattern)
    read = graph.add("Where", is_number, read, constant_text("nan"))
    return graph.add("Cast", read, to=TensorProto.DOUBLE)


def constant_text(text: str) -> np.ndarray:
    """One text as a constant."""
    return np.array(text, dtype=object)


# Scaling


def smooth_scale(graph: Graph, x: str, scale: SmoothScale) -> str:
    """Numbers (n_rows, n_numbers), scaled and clipped; a missing one becomes 0."""
    z = graph.add("Sub", x, double(scale.center))
    z = graph.add("Div", z, double(scale.scale))
    z = graph.add("Clip", z, double(-FAR), double(FAR))
    root = graph.add("Div", z, double(LIMIT))
    square = graph.add("Mul", root, root)
    root = graph.add("Sqrt", graph.add("Add", square, double(1)))
    is_nothing = graph.add("IsNaN", x)
    if scale.is_constant.any():
        is_nothing = graph.add("Or", is_nothing, scale.is_constant)
    return graph.add("Where", is_nothing, double(0), graph.add("Div", z, root))
