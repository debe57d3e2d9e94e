"""The table encoder as nodes: from the inputs to the matrix that the network reads."""

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import TensorProto

from skmlp.onnx.categories import categories
from skmlp.onnx.graph import Graph, joined
from skmlp.onnx.inputs import Input, is_matrix
from skmlp.onnx.keys import build_keys
from skmlp.onnx.numbers import READERS, smooth_scale
from skmlp.onnx.text import text
from skmlp.tabular.encoder import TableEncoder


def encoded(graph: Graph, encoder: TableEncoder, inputs: Sequence[Input]) -> str:
    """Nodes from inputs, under their names, to what `transform` gives.

    Returns
    -------
    name : str
        Of the matrix (n_rows, n_features_out), in single precision.
    """
    given: dict[int, Input] = {}
    offsets: dict[int, str] = {}
    for entry in inputs:
        if entry.kind == "offsets":
            offsets[entry.position] = entry.name
        else:
            given[entry.position] = entry
    parts = []
    if encoder.n_numbers_:
        if is_matrix(encoder):
            numbers = inputs[0].name
        else:
            numbers = joined(graph, read_numbers(graph, encoder, given, offsets))
        parts += scaled(graph, encoder, numbers)
    for category in encoder._category_columns:
        column = given[category.position]
        keys = build_keys(category, column.column)
        parts += categories(graph, column.name, category, keys)
    for told in encoder._text_columns:
        outputs = text(graph, given[told.position].name, told)
        parts.append(graph.add("Cast", outputs, to=TensorProto.FLOAT))
    return joined(graph, parts)


def read_numbers(
    graph: Graph,
    encoder: TableEncoder,
    given: Mapping[int, Input],
    offsets: Mapping[int, str],
) -> list[str]:
    """All numbers (n_rows, 1), unscaled, NaN where missing."""
    return [
        part
        for column in encoder._number_columns
        for part in READERS[type(column)](
            graph, given[column.position].name, offsets.get(column.position), column
        )
    ]


def scaled(graph: Graph, encoder: TableEncoder, numbers: str) -> list[str]:
    """Scaled numbers, and where they are missing if that is shown."""
    values = smooth_scale(graph, numbers, encoder.scale_)
    parts = [graph.add("Cast", values, to=TensorProto.FLOAT)]
    shown = encoder._missing_of
    if len(shown):
        some = numbers
        if len(shown) < encoder.n_numbers_:
            some = graph.add("Gather", numbers, shown.astype(np.int64), axis=1)
        is_missing = graph.add("IsNaN", some)
        parts.append(graph.add("Cast", is_missing, to=TensorProto.FLOAT))
    return parts
