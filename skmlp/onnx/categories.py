"""Nodes of categorical columns: look-up, then one-hot, sign, or target means."""

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import Graph, as_int64
from skmlp.onnx.keys import Keys
from skmlp.tabular.columns import (
    CategoricalBlock,
    CategoryEncoding,
    OneHotEncoding,
    SignEncoding,
)

KEY_DTYPES: dict[int, type] = {
    TensorProto.STRING: object,
    TensorProto.INT64: np.int64,
    TensorProto.BOOL: np.int64,
    TensorProto.DOUBLE: np.float64,
}
"""Type of look-up tables, by the type of the input."""


def add_categories(
    graph: Graph, x: str, column: CategoricalBlock, keys: Keys
) -> list[str]:
    """Add the nodes from keys (n_rows, 1) to the outputs of each block of a column."""
    if keys.elem_type == TensorProto.BOOL:
        x = graph.add("Cast", x, to=TensorProto.INT64)
    values = [*keys.known, *[keys.missing] * column.has_missing]
    known: np.ndarray = np.array(values, dtype=KEY_DTYPES[keys.elem_type])
    block, *others = column.blocks
    if not others:
        return [_add_only_block(graph, x, known, block)]
    indices = graph.look_up(x, known, np.arange(len(known)), column.n_codes)
    indices = graph.add("Squeeze", indices, as_int64(1))
    return [_add_block(graph, indices, block) for block in column.blocks]


def _add_only_block(
    graph: Graph, x: str, known: np.ndarray, block: CategoryEncoding
) -> str:
    """Add the only block of a column with one look-up, which leaves out rare keys."""
    if isinstance(block, SignEncoding):
        signs = block.signs.astype(np.float32)
        return graph.look_up(x, known, signs[: len(known)], signs[-1])
    assert isinstance(block, OneHotEncoding), "target means come with another block"
    places = _find_places(block)
    # infrequent categories that share the place of unknown ones need no key
    has_own = places[: len(known)] != places[-1]
    kept = places[: len(known)][has_own]
    place = graph.look_up(x, known[has_own], kept, places[-1])
    return _add_one_hot(graph, graph.add("Squeeze", place, as_int64(1)), block)


def _add_block(graph: Graph, indices: str, block: CategoryEncoding) -> str:
    """Add the outputs of a block from category indices (n_rows,)."""
    if isinstance(block, OneHotEncoding):
        places = graph.add("Gather", _find_places(block), indices)
        return _add_one_hot(graph, places, block)
    table = (
        block.signs[:, np.newaxis] if isinstance(block, SignEncoding) else block.table
    )
    return graph.add("Gather", table.astype(np.float32), indices)


def _find_places(block: OneHotEncoding) -> np.ndarray:
    """Return the output of each category; one past the last for none."""
    return np.where(block.places < 0, len(block.labels), block.places).astype(np.int64)


def _add_one_hot(graph: Graph, places: str, block: OneHotEncoding) -> str:
    """Add one-hot rows; a place past the last gives zeros."""
    off_and_on = np.array([0, 1], dtype=np.float32)
    return graph.add("OneHot", places, as_int64(len(block.labels)), off_and_on)
