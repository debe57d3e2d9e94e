"""Conversion of tables to the inputs of an exported graph."""

import json

import numpy as np
from onnx import ModelProto

from skmlp.onnx.inputs import INPUTS, METADATA, CategoryInput, Input, MatrixInput
from skmlp.tabular.encoder import make_unique
from skmlp.tabular.frame import (
    Dense,
    TableLike,
    as_table,
    format_list,
    is_frame,
    is_sparse,
    read_columns,
    read_rows,
)


def to_inputs(onnx_model: ModelProto, X: TableLike) -> dict[str, np.ndarray]:
    """Convert rows of a table to the inputs of a graph.

    To run the graph in Python, and to see the values that other languages have to pass.

    Parameters
    ----------
    onnx_model : onnx.ModelProto
        Returned by :func:`to_onnx`, or by ``onnx.load`` from a file of it.
    X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
        Rows with the columns of `fit`, in any order if they have names.

    Returns
    -------
    inputs : dict of str to ndarray
        An array of shape (n_samples, 1) for each input, or one of shape
        (n_samples, n_features).

    Raises
    ------
    ValueError, TypeError
        If a column is missing, or holds values that `predict_proba` refuses or that the
        input can't represent; the message names it.

    See Also
    --------
    skmlp.onnx.to_onnx : Export a classifier; documents the inputs.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmlp import MLPSoftmaxClassifier
    >>> from skmlp.onnx import to_inputs, to_onnx
    >>> X = pd.DataFrame({"size": [1.0, None] * 20, "kind": list("abca") * 10})
    >>> model = MLPSoftmaxClassifier(max_iter=5, random_state=0)
    >>> onnx_model = to_onnx(model.fit(X, ["no", "no", "yes", "yes"] * 10))
    >>> to_inputs(onnx_model, pd.DataFrame({"kind": [None], "size": [3]}))
    {'size': array([[3.]]), 'kind': array([['']], dtype=object)}
    """
    inputs = _read_inputs(onnx_model)
    table = _read_table(X)
    if isinstance(inputs[0], MatrixInput):
        return {inputs[0].name: inputs[0].fill_matrix(table)}
    # unique as in build_inputs, so that equal names match by position
    names = make_unique([str(column.name) for column in read_columns(table)])
    # categories are compared exactly, so they must not be rounded to float64
    exact_names = {i.column for i in inputs if isinstance(i, CategoryInput)}
    exact = [place for place, name in enumerate(names) if name in exact_names]
    columns = dict(zip(names, read_columns(table, exact), strict=True))
    feeds = {}
    for entry in inputs:
        if entry.column not in columns:
            raise ValueError(
                f"the graph reads a column {entry.column!r}, but X has none; its "
                f"columns are {format_list(names)}."
            )
        feeds[entry.name] = entry.fill(columns[entry.column]).reshape(-1, 1)
    return feeds


def _read_inputs(onnx_model: ModelProto) -> list[Input]:
    """Restore the inputs from the metadata of a graph."""
    properties = {entry.key: entry.value for entry in onnx_model.metadata_props}
    if METADATA not in properties:
        raise ValueError("the graph was not made by skmlp.onnx.to_onnx.")
    types = {entry.name: entry.type.tensor_type for entry in onnx_model.graph.input}
    return [
        INPUTS[state.pop("kind")](
            name,
            state.pop("column"),
            elem_type=types[name].elem_type,
            width=types[name].shape.dim[1].dim_value,
            state=state,
        )
        for name, state in json.loads(properties[METADATA]).items()
    ]


def _read_table(X: TableLike) -> Dense:
    """Check X, and convert it to a frame or a dense 2-D array."""
    data = as_table(X).data
    table: Dense = data
    if not is_frame(data):
        table = data.toarray() if is_sparse(data) else read_rows(data)
    if len(table.shape) != 2 or table.shape[0] == 0:
        raise ValueError(
            f"expected a table of one row or more, got shape {table.shape}. Pass one "
            "row as X.reshape(1, -1), or one column as X.reshape(-1, 1)."
        )
    return table
