"""Rows of a table in the form that a graph takes."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from onnx import ModelProto, helper

from skmlp.onnx.calendar import MISSING, SECOND
from skmlp.onnx.inputs import KINDS, MATRIX, READS
from skmlp.onnx.keys import (
    check_unicode,
    find_number_key,
    find_text_keys,
    spell,
)
from skmlp.onnx.text import is_lowered
from skmlp.tabular.columns import (
    NUMERIC_COLUMNS,
    CategoricalBlock,
    Factorized,
    NumericColumn,
    factorize,
    find_value_types,
    has_mixed_time_zones,
    is_all_missing,
    to_datetime_index,
    to_local_time,
)
from skmlp.tabular.encoder import make_unique
from skmlp.tabular.frame import (
    Column,
    Dense,
    TableLike,
    Values,
    is_frame,
    is_sparse,
    normalize,
    read_columns,
    read_matrix,
    read_rows,
    to_objects,
)
from skmlp.tabular.lazy import check_is_table, check_not_lazy
from skmlp.tabular.names import format_list

Reads: TypeAlias = Mapping[str, Any]
"""State of a column as it was in fit."""


def to_inputs(onnx_model: ModelProto, X: TableLike) -> dict[str, np.ndarray]:
    """Rows of a table in the form that a graph takes.

    For those who call the graph from Python, and to see what others have to pass.

    Parameters
    ----------
    onnx_model : onnx.ModelProto
        What :func:`to_onnx` gave, or a file of it that ``onnx.load`` has read.
    X : {table, array-like, sparse matrix} of shape (n_samples, n_features)
        Rows with the columns that `fit` saw, in any order if they have names.

    Returns
    -------
    inputs : dict of str to ndarray
        An array of shape (n_samples, 1) for each input, or one of shape
        (n_samples, n_features).

    Raises
    ------
    ValueError, TypeError
        If a column is not there, holds what `predict_proba` refuses, or what the graph
        has no value for; the message names it.

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
    kinds, reads = read_property(onnx_model, KINDS), read_property(onnx_model, READS)
    types = {entry.name: entry.type.tensor_type for entry in onnx_model.graph.input}
    dtypes = {
        name: helper.tensor_dtype_to_np_dtype(tensor_type.elem_type)
        for name, tensor_type in types.items()
    }
    table = read_table(X)
    if MATRIX in kinds and kinds[MATRIX]["kind"] == "matrix":
        width = types[MATRIX].shape.dim[1].dim_value
        return {MATRIX: fill_matrix(table, width, dtypes[MATRIX])}
    names = make_unique([str(column.name) for column in read_columns(table)])
    keyed = {
        told["column"]
        for name, told in kinds.items()
        if reads[name]["conversion"] == "categories"
    }
    # categories are looked up as the encoder read them, not rounded to float64
    exact = [place for place, name in enumerate(names) if name in keyed]
    by_name = dict(zip(names, read_columns(table, exact), strict=True))
    feeds = {}
    for name, told in kinds.items():
        if told["column"] not in by_name:
            raise ValueError(
                f"the graph reads a column {told['column']!r}, but X has none; its "
                f"columns are {format_list(names)}."
            )
        column = by_name[told["column"]]
        how = reads[name]
        array = CONVERSIONS[how["conversion"]](column, how, dtypes[name])
        feeds[name] = array.reshape(-1, 1)
    return feeds


def read_property(onnx_model: ModelProto, name: str) -> Mapping[str, Reads]:
    """A property of the graph, by input: kind and column, or how to fill it."""
    properties = {entry.key: entry.value for entry in onnx_model.metadata_props}
    if KINDS not in properties:
        raise ValueError("the graph was not made by skmlp.onnx.to_onnx.")
    if name not in properties:
        raise ValueError(
            "expected a graph of this version of skmlp, got one of an earlier version. "
            "Export the model again with skmlp.onnx.to_onnx."
        )
    found: dict[str, dict[str, Any]] = json.loads(properties[name])
    return found


# Tables


def read_table(X: TableLike) -> Dense:
    """X as a frame or a dense 2-D array."""
    check_not_lazy(X=X)
    check_is_table("X", X)
    table = X if is_frame(X) else read_array(X)
    if len(table.shape) != 2 or table.shape[0] == 0:
        raise ValueError(
            f"expected a table of one row or more, got shape {table.shape}. Pass one "
            "row as X.reshape(1, -1), or one column as X.reshape(-1, 1)."
        )
    return table


def read_array(X: TableLike) -> np.ndarray:
    """X as a dense array."""
    X = normalize(X)
    return X.toarray() if is_sparse(X) else read_rows(X)


def fill_matrix(table: Dense, width: int, dtype: np.dtype) -> np.ndarray:
    """A table of numbers as one array."""
    if table.shape[1] != width:
        raise ValueError(
            f"expected {width} columns, got {table.shape[1]}. Pass the columns of fit."
        )
    matrix = read_matrix(table)
    if matrix is None:
        columns = [
            NUMERIC_COLUMNS["numbers"](column.position).read(column)[0]
            for column in read_columns(table)
        ]
        matrix = np.column_stack(columns)
    return matrix.astype(dtype)


# Numbers, dates and times


def restore(reads: Reads, position: int) -> NumericColumn:
    """The column that read the training rows, which checks others as it does there."""
    column = NUMERIC_COLUMNS[reads["kind"]](position)
    vars(column).update(reads["state"])
    return column


def numbers(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Numbers and truth values, NaN where missing."""
    return restore(reads, column.position).read(column)[0].astype(dtype)


def numbers_in_text(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Numbers, whatever stood for them, in digits; empty where missing."""
    values = restore(reads, column.position).read(column)[0]
    # the largest numbers, such as inf, count as the same
    texts = ["" if np.isnan(value) else f"{value!r}" for value in values.tolist()]
    texts = [text.replace("inf", "1e999") for text in texts]
    return np.array(texts, dtype=object)


def read_values(column: Column, reads: Reads) -> Values | None:
    """Values as the encoder reads them from text or not; None if all are missing."""
    reader = restore(reads, column.position)
    reader.read(column)  # raises what `predict_proba` raises
    values = reader.as_meant(column).data
    return None if is_all_missing(column._replace(data=values)) else values


def dates(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Microseconds since 1970, in UTC."""
    values = read_values(column, reads)
    if values is None:
        return np.full(len(column.data), MISSING)
    return microseconds(column, to_datetime_index(values), reads)


def offsets(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Seconds that clocks are ahead of UTC."""
    values = read_values(column, reads)
    if values is None:
        return np.zeros(len(column.data), dtype=np.int64)
    found = to_datetime_index(values)
    if has_mixed_time_zones(values):
        local = to_local_time(np.asarray(values), found)
    else:
        local = found.tz_localize(None)
    utc = found if found.tz is None else found.tz_convert("UTC").tz_localize(None)
    ahead = (local - utc).as_unit("us")
    return np.where(ahead.isna(), 0, ahead.asi8 // SECOND)


def dates_in_text(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Dates by ISO 8601, empty where missing."""
    result = np.full(len(column.data), "", dtype=object)
    values = read_values(column, reads)
    if values is None:
        return result
    found = to_datetime_index(values)
    microseconds(column, found, reads)  # raises where the graph would round
    for place in np.flatnonzero(~found.isna()):
        value = column.data[place]
        if not isinstance(value, str):
            value = to_datetime_index(to_objects([value]))[0]
        result[place] = str(value).strip()
    return result


def durations(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Microseconds that something lasts."""
    values = read_values(column, reads)
    if values is None:
        return np.full(len(column.data), MISSING)
    return microseconds(column, pd.TimedeltaIndex(values), reads)


def microseconds(
    column: Column, index: pd.DatetimeIndex | pd.TimedeltaIndex, reads: Reads
) -> np.ndarray:
    """Moments or durations as the graph takes them, if nothing is lost by that."""
    rounded = index.as_unit("us")
    if reads["is_fine"] and (rounded.as_unit(index.unit) != index)[~index.isna()].any():
        raise ValueError(
            f"expected whole microseconds in {column.describe()}, whose values in fit "
            "were less than a second apart, got parts of microseconds. Turn the column "
            "into numbers before fit, or round it to microseconds."
        )
    return rounded.asi8


def times(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """Microseconds since midnight."""
    (seconds,) = restore(reads, column.position).read(column)
    is_missing = np.isnan(seconds)
    ticks = np.rint(np.where(is_missing, 0, seconds) * SECOND).astype(np.int64)
    return np.where(is_missing, MISSING, ticks)


# Text and categories


def text(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """As much of each text as is read, in lower case; empty where there is none."""
    found = factorize(column)
    came = find_value_types(found.distinct)
    if came and "text" not in came:
        raise ValueError(
            f"expected text in {column.describe()}, got {' and '.join(sorted(came))}. "
            "Convert it, or fit again."
        )
    texts = [
        spell(value)[: reads["longest"]].lower() if isinstance(value, str) else ""
        for value in found.distinct
    ]
    check_unicode(texts, column.describe())
    return np.array([*texts, ""], dtype=object)[found.codes]


def categories(column: Column, reads: Reads, dtype: np.dtype) -> np.ndarray:
    """The key of each row's category."""
    found = factorize(column)
    fitted = CategoricalBlock(column.position, 2, 1)
    fitted.is_object, fitted.families = reads["is_object"], set(reads["families"])
    fitted._check_kind(column, found)
    keys: list[Any]
    if dtype.kind == "O":
        check_both_uses(column, found, reads)
        keys = find_text_keys(found.distinct, reads)
    else:
        keys = [find_number_key(v, dtype, reads["unknown"]) for v in found.distinct]
    table = np.array([*keys, reads["missing"]], dtype=object)
    if dtype.kind == "b" and any(key is None for key in table[np.unique(found.codes)]):
        raise ValueError(
            f"expected True and False alone in {column.describe()}, as in fit, got "
            "missing or other values, which the graph's input does not hold. Fill "
            "them in, or fit again on rows that have some."
        )
    return table.astype(dtype)[found.codes]


def check_both_uses(column: Column, found: Factorized, reads: Reads) -> None:
    """Raise if text is looked up and taken apart, and one input can't serve both.

    As a category it comes as it is, and the graph neither cuts it nor knows the lower
    case of every letter.
    """
    if "unit" not in reads:
        return
    texts = [value for value in found.distinct if isinstance(value, str)]
    check_unicode(texts, column.describe())
    for text in texts:
        is_long = reads["unit"] == "words" and len(text) > reads["longest"]
        if is_long or not is_lowered(text, reads["unit"]):
            raise ValueError(
                f"expected text of at most {reads['longest']} characters, capitals in "
                f"usual places, in {column.describe()}, got {text[:50]!r}. Shorten the "
                "text, or turn it into lower case, before fit as well."
            )


CONVERSIONS: dict[str, Callable[[Column, Reads, np.dtype], np.ndarray]] = {
    "numbers": numbers,
    "numbers in text": numbers_in_text,
    "dates": dates,
    "dates in text": dates_in_text,
    "offsets": offsets,
    "durations": durations,
    "times": times,
    "text": text,
    "categories": categories,
}
"""By name: values as the graph takes them."""
