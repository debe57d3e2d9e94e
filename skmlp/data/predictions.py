"""Predictions for a data set: piece by piece, and to a Parquet file."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from skmlp.data.parquet import DataSet, is_data_set
from skmlp.persistence.temporary import replace_file
from skmlp.tabular.frame import exceeds_float, format_list

if TYPE_CHECKING:
    import pyarrow as pa
    from sklearn.base import ClassifierMixin


def iterate_features(model: "ClassifierMixin", X: Any) -> Iterator[Any]:
    """Check a data set at once, and yield the columns of fit in pieces."""
    data_set = DataSet(X)  # closed behind its last piece
    columns = _select_features(model, data_set)
    return (_to_fitted_form(model, piece) for piece in _read(data_set, columns))


def _to_fitted_form(model: "ClassifierMixin", piece: "pa.Table") -> Any:
    """Convert a piece to an array if the model was fitted on columns without names."""
    if hasattr(model, "feature_names_in_"):
        return piece
    frame = piece.to_pandas(integer_object_nulls=True)
    columns = [column.to_numpy() for _, column in frame.items()]
    has_one_dtype = len({column.dtype for column in columns}) == 1
    # the dtype that joins integers and floats would merge large integers
    is_exact = has_one_dtype or not any(map(exceeds_float, columns))
    return frame.to_numpy(dtype=None if is_exact else object)


def _read(data_set: DataSet, columns: Sequence[str]) -> Iterator["pa.Table"]:
    """Read columns in pieces, and close the data set after the last one."""
    with data_set:
        yield from data_set.pieces(columns)


def _select_features(model: "ClassifierMixin", data_set: DataSet) -> list[str]:
    """Return the names of the columns of fit; all columns if they had no names."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        if len(data_set.columns) != model.n_features_in_:
            raise ValueError(
                f"the data set has {len(data_set.columns)} columns, and the model was "
                f"fitted on {model.n_features_in_} columns without names; select them."
            )
        return data_set.columns
    missing = [name for name in names if name not in data_set.columns]
    if missing:
        raise ValueError(
            f"the data set lacks columns that the model was fitted on: "
            f"{format_list(missing)}; it has {format_list(data_set.columns)}."
        )
    return list(names)


def iterate_predictions(
    model: "ClassifierMixin", X: Any, keep: Sequence[str]
) -> Iterator["pa.Table"]:
    """Yield the columns to keep, the predicted label and the probabilities."""
    if not is_data_set(X):
        raise TypeError(
            "X should be a data set, such as the path of a Parquet file, got "
            f"{type(X).__name__}; use predict_proba for rows in memory."
        )
    data_set = DataSet(X)
    for name in keep:
        data_set.check_column(name, "keep")
    features = _select_features(model, data_set)
    names = [f"probability_{label}" for label in model.classes_]
    taken = sorted({*names, "predicted"} & set(keep))
    if taken:
        raise ValueError(f"keep names {taken}, which predictions are called.")
    classes = _to_arrow(model.classes_)
    for piece in _read(data_set, list(dict.fromkeys([*features, *keep]))):
        X_piece = _to_fitted_form(model, piece.select(features))
        probabilities = model.predict_proba(X_piece)  # (n_rows, n_classes)
        labels = classes.take(probabilities.argmax(axis=1))  # (n_rows,)
        table = piece.select(keep).append_column("predicted", labels)
        for name, column in zip(names, probabilities.T, strict=True):
            table = table.append_column(name, [np.ascontiguousarray(column)])
        yield table


def _to_arrow(classes: np.ndarray) -> "pa.Array":
    """Convert classes to one type for all pieces: text for numbers that Arrow lacks."""
    import pyarrow as pa

    is_known = all(isinstance(label, str | Decimal) for label in classes)
    if classes.dtype == object and not is_known:
        return pa.array([str(label) for label in classes])
    return pa.array(classes)


def write_parquet(path: str | os.PathLike, tables: Iterable["pa.Table"]) -> None:
    """Write tables to one Parquet file, which appears once it is complete."""
    from pyarrow.parquet import ParquetWriter

    with replace_file(path) as stream, ExitStack() as stack:
        writer = None
        for table in tables:
            if writer is None:
                writer = stack.enter_context(ParquetWriter(stream, table.schema))
            writer.write_table(table)
        if writer is None:
            raise ValueError("the data set has no rows, so there is nothing to write.")
