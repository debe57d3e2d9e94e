"""Rows of a table in the form that a graph takes."""

import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from onnx import ModelProto, helper

from skmlp.exporting.calendar import MISSING, SECOND
from skmlp.exporting.inputs import KINDS, MATRIX
from skmlp.tabular.columns import (
    as_dates,
    has_several_zones,
    in_own_zones,
    seconds_of_day,
)
from skmlp.tabular.encoder import make_unique
from skmlp.tabular.names import list_some
from skmlp.tabular.readings import is_string
from skmlp.tabular.tables import Column, TableLike, is_frame, plain, read_columns


def to_inputs(onnx_model: ModelProto, X: TableLike) -> dict[str, np.ndarray]:
    """Rows of a table in the form that a graph takes.

    For those who call the graph from Python, and to see what others have to pass.

    Parameters
    ----------
    onnx_model : onnx.ModelProto
        What :func:`to_onnx` gave, or a file of it that ``onnx.load`` has read.
    X : {table, array-like} of shape (n_samples, n_features)
        Rows with the columns that `fit` saw, in any order if they have names.

    Returns
    -------
    inputs : dict of str to ndarray
        An array of shape (n_samples, 1) for each input, or one of shape
        (n_samples, n_features).

    Raises
    ------
    ValueError
        If a column is not there, or holds what the graph can't be told.

    See Also
    --------
    skmlp.onnx.to_onnx : Makes graphs, and says what their inputs mean.

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
    kinds = kinds_of(onnx_model)
    dtypes = {
        entry.name: helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
        for entry in onnx_model.graph.input
    }
    if MATRIX in kinds and kinds[MATRIX]["kind"] == "matrix":
        return {MATRIX: np.asarray(plain(X), dtype=dtypes[MATRIX])}
    columns = read_columns(X if is_frame(X) else np.asarray(plain(X)))
    names = make_unique([str(column.name) for column in columns])
    by_name = dict(zip(names, columns, strict=True))
    feeds = {}
    for name, told in kinds.items():
        if told["column"] not in by_name:
            raise ValueError(
                f"the graph reads a column {told['column']!r}, but X has none; its "
                f"columns are {list_some(names)}."
            )
        column = by_name[told["column"]]
        array = CONVERSIONS[told["kind"]](column, dtypes[name])
        feeds[name] = array.reshape(-1, 1)
    return feeds


def kinds_of(onnx_model: ModelProto) -> Mapping[str, Mapping[str, str]]:
    """What each input holds, and of which column."""
    properties = {entry.key: entry.value for entry in onnx_model.metadata_props}
    if KINDS not in properties:
        raise ValueError("the graph was not made by skmlp.onnx.to_onnx.")
    kinds: dict[str, dict[str, str]] = json.loads(properties[KINDS])
    return kinds


def numbers(column: Column, dtype: np.dtype) -> np.ndarray:
    """Numbers and truth values, NaN where missing."""
    is_missing = np.asarray(pd.isna(column.data))
    if is_missing.any() and dtype.kind != "f":
        raise ValueError(
            f"{column.describe()} lacks values, which it did not in fit, so that the "
            "graph takes it in a type that has none for missing; fill them in."
        )
    result = np.full(len(column.data), np.nan if dtype.kind == "f" else 0, dtype=dtype)
    result[~is_missing] = np.asarray(column.data[~is_missing]).astype(dtype)
    return result


def text(column: Column, dtype: np.dtype) -> np.ndarray:
    """Text, empty where missing; of other values what `str` makes of them."""
    is_missing = np.asarray(pd.isna(column.data))
    result = np.full(len(column.data), "", dtype=object)
    result[~is_missing] = [str(value) for value in column.data[~is_missing]]
    return result


def numbers_as_text(column: Column, dtype: np.dtype) -> np.ndarray:
    """Text as it is, empty where missing; of numbers the text that stands for them."""
    cells = np.asarray(column.data, dtype=object).copy()
    for place in np.flatnonzero(~is_string(cells) & ~pd.isna(cells)):
        # infinity is read from a number beyond all floats
        cells[place] = repr(float(cells[place])).replace("inf", "1e999")
    return text(column._replace(data=cells), dtype)


def dates(column: Column, dtype: np.dtype) -> np.ndarray:
    """Microseconds since 1970, in UTC."""
    return as_dates(column.data).as_unit("us").asi8


def offsets(column: Column, dtype: np.dtype) -> np.ndarray:
    """Seconds that clocks are ahead of UTC."""
    moments = as_dates(column.data)
    if has_several_zones(column.data):
        local = in_own_zones(np.asarray(column.data), moments)
    else:
        local = moments.tz_localize(None)
    utc = moments if moments.tz is None else moments.tz_convert("UTC").tz_localize(None)
    ahead = (local - utc).as_unit("us")
    return np.where(ahead.isna(), 0, ahead.asi8 // SECOND)


def durations(column: Column, dtype: np.dtype) -> np.ndarray:
    """Microseconds that something lasts."""
    return pd.TimedeltaIndex(column.data).as_unit("us").asi8


def times(column: Column, dtype: np.dtype) -> np.ndarray:
    """Microseconds since midnight."""
    seconds = np.array([seconds_of_day(value) for value in column.data])
    is_missing = np.isnan(seconds)
    ticks = np.rint(np.where(is_missing, 0, seconds) * SECOND).astype(np.int64)
    return np.where(is_missing, MISSING, ticks)


CONVERSIONS: dict[str, Callable[[Column, np.dtype], np.ndarray]] = {
    "numbers": numbers,
    "text": text,
    "numbers as text": numbers_as_text,
    "dates": dates,
    "offsets": offsets,
    "durations": durations,
    "times": times,
}
"""By kind: values as the graph takes them."""
