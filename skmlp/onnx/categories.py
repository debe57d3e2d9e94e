"""Columns of categories as nodes: looked up, then one-hot, a sign, or means."""

import numpy as np
from onnx import TensorProto

from skmlp.onnx.graph import Graph, ints, looked_up
from skmlp.onnx.keys import Keys
from skmlp.tabular.columns import (
    CategoricalBlock,
    CategoryEncoding,
    OneHotEncoding,
    SignEncoding,
)

KEY_TYPES: dict[int, type] = {
    TensorProto.STRING: object,
    TensorProto.INT64: np.int64,
    TensorProto.BOOL: np.int64,
    TensorProto.DOUBLE: np.float64,
}
"""In which type values are looked up, by the type that they come in."""


def categories(
    graph: Graph, x: str, column: CategoricalBlock, column_keys: Keys
) -> list[str]:
    """The outputs of a column (n_rows, 1), in single precision, block by block."""
    if column_keys.elem_type == TensorProto.BOOL:
        x = graph.add("Cast", x, to=TensorProto.INT64)
    values = [*column_keys.known, *[column_keys.missing] * column.has_missing]
    keys: np.ndarray = np.array(values, dtype=KEY_TYPES[column_keys.elem_type])
    block, *others = column.blocks
    if not others:
        return [alone(graph, x, keys, block)]
    codes = looked_up(graph, x, keys, np.arange(len(keys)), column.n_codes)
    codes = graph.add("Squeeze", codes, ints(1))
    return [of_codes(graph, codes, block) for block in column.blocks]


def alone(graph: Graph, x: str, keys: np.ndarray, block: CategoryEncoding) -> str:
    """The outputs of the only block of a column, straight from the values."""
    if isinstance(block, SignEncoding):
        signs = block.signs.astype(np.float32)
        return looked_up(graph, x, keys, signs[: len(keys)], signs[-1])
    assert isinstance(block, OneHotEncoding), "means come beside another block"
    places = places_of(block)
    # what shares a place with unknown values need not be known
    has_own = places[: len(keys)] != places[-1]
    place = looked_up(graph, x, keys[has_own], places[: len(keys)][has_own], places[-1])
    return one_hot(graph, graph.add("Squeeze", place, ints(1)), block)


def of_codes(graph: Graph, codes: str, block: CategoryEncoding) -> str:
    """The outputs of a block, from the codes of the categories (n_rows,)."""
    if isinstance(block, OneHotEncoding):
        return one_hot(graph, graph.add("Gather", places_of(block), codes), block)
    table = (
        block.signs[:, np.newaxis] if isinstance(block, SignEncoding) else block.table
    )
    return graph.add("Gather", table.astype(np.float32), codes)


def places_of(block: OneHotEncoding) -> np.ndarray:
    """Place of each code, the last for unknown ones: beyond all places for none."""
    return np.where(block.places < 0, len(block.labels), block.places).astype(np.int64)


def one_hot(graph: Graph, places: str, block: OneHotEncoding) -> str:
    """A one at each place, and zeros where a place is beyond the last."""
    off_and_on = np.array([0, 1], dtype=np.float32)
    return graph.add("OneHot", places, ints(len(block.labels)), off_and_on)
