"""Nodes of categorical columns: look-up, then one-hot, sign, or target means."""

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import Graph, as_float32, as_int64
from skmlp.onnx.keys import Keys
from skmlp.tabular.categorical import (
    CategoricalBlock,
    CategoryEncoding,
    OneHotEncoding,
    SignEncoding,
)


def add_categories(
    graph: Graph, x: str, column: CategoricalBlock, keys: Keys
) -> list[str]:
    """Add the nodes from keys (n_rows, 1) to the outputs of each block of a column."""
    dtype: type = np.int64
    if keys.elem_type == TensorProto.STRING:
        dtype = object
    elif keys.elem_type == TensorProto.DOUBLE:
        dtype = np.float64
    elif keys.elem_type == TensorProto.BOOL:
        x = graph.add("Cast", x, to=TensorProto.INT64)  # for the look-up
    values = [*keys.known, *[keys.missing] * column.has_missing]
    table: np.ndarray = np.array(values, dtype=dtype)
    # the index past the last is that of unknown categories
    indices = graph.look_up(x, table, np.arange(len(table)), column.n_codes)
    indices = graph.add("Squeeze", indices, as_int64(1))
    return [_add_block(graph, indices, block) for block in column.encodings]


def _add_block(graph: Graph, indices: str, block: CategoryEncoding) -> str:
    """Add the outputs of a block from category indices (n_rows,)."""
    if isinstance(block, OneHotEncoding):
        n_outputs = len(block.labels)
        # a place past the last output gives zeros
        places = np.where(block.places < 0, n_outputs, block.places).astype(np.int64)
        places_of_rows = graph.add("Gather", places, indices)
        off_and_on = np.array([0, 1], dtype=np.float32)
        return graph.add("OneHot", places_of_rows, as_int64(n_outputs), off_and_on)
    # (n_categories + 1, n_outputs)
    if isinstance(block, SignEncoding):
        table = block.signs[:, np.newaxis]
    else:
        table = block.table
    return graph.add("Gather", as_float32(table), indices)
