"""Predictions for a data set: its rows piece by piece, and a Parquet file of them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from skmlp.data.parquet import DataSet, is_data_set
from skmlp.persistence.temporary import replace_file
from skmlp.tabular.frame import exceeds_float, format_list

if TYPE_CHECKING:
    import pyarrow as pa


class Classifier(Protocol):
    """A fitted classifier."""

    classes_: np.ndarray
    n_features_in_: int

    def predict_proba(self, X: Any) -> np.ndarray: ...


def iterate_features(model: Classifier, X: Any) -> Iterator[Any]:
    """Those columns of a data set that a model was fitted on, piece by piece.

    Raises
    ------
    ValueError
        If some are not there.
    """
    data_set = DataSet(X)
    pieces = pieces_of(data_set, select_features(model, data_set))
    return (as_fitted(model, piece) for piece in pieces)


def as_fitted(model: Classifier, piece: "pa.Table") -> Any:
    """The rows as a model takes them: without names, if it was fitted without."""
    if hasattr(model, "feature_names_in_"):
        return piece
    frame = piece.to_pandas(integer_object_nulls=True)
    columns = [column.to_numpy() for _, column in frame.items()]
    has_one_dtype = len({column.dtype for column in columns}) == 1
    # the dtype that joins integers and floats would merge some integers
    is_exact = has_one_dtype or not any(map(exceeds_float, columns))
    return frame.to_numpy(dtype=None if is_exact else object)


def pieces_of(data_set: DataSet, columns: Sequence[str]) -> Iterator["pa.Table"]:
    """Some columns piece by piece; the data set is closed behind the last one."""
    with data_set:
        yield from data_set.pieces(columns)


def select_features(model: Classifier, data_set: DataSet) -> list[str]:
    """The columns that a model was fitted on: by name, or all where it knows none."""
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
    model: Classifier, X: Any, keep: Sequence[str]
) -> Iterator["pa.Table"]:
    """Columns to be kept, the label and the probabilities, piece by piece."""
    if not is_data_set(X):
        raise TypeError(
            "X should be a data set, such as the path of a Parquet file, got "
            f"{type(X).__name__}; use predict_proba for rows in memory."
        )
    data_set = DataSet(X)
    for name in keep:
        data_set.check_column(name, "keep")
    features = select_features(model, data_set)
    names = [f"probability_{label}" for label in model.classes_]
    taken = sorted({*names, "predicted"} & set(keep))
    if taken:
        raise ValueError(f"keep names {taken}, which predictions are called.")
    classes = to_arrow_labels(model.classes_)
    for piece in pieces_of(data_set, list(dict.fromkeys([*features, *keep]))):
        probabilities = model.predict_proba(as_fitted(model, piece.select(features)))
        table = piece.select(keep)
        labels = classes.take(probabilities.argmax(axis=1))
        table = table.append_column("predicted", labels)
        for name, column in zip(names, probabilities.T, strict=True):
            table = table.append_column(name, [np.ascontiguousarray(column)])
        yield table


def to_arrow_labels(classes: np.ndarray) -> "pa.Array":
    """The classes in one type for all pieces: text for numbers that Arrow lacks."""
    import pyarrow as pa

    is_known = all(isinstance(label, str | Decimal) for label in classes)
    if classes.dtype == object and not is_known:
        return pa.array([str(label) for label in classes])
    return pa.array(classes)


def write_parquet(path: str | os.PathLike, tables: Iterable["pa.Table"]) -> None:
    """Write tables to one Parquet file, which is there in full or not at all."""
    from pyarrow.parquet import ParquetWriter

    with replace_file(path) as stream, ExitStack() as stack:
        writer = None
        for table in tables:
            if writer is None:
                writer = stack.enter_context(ParquetWriter(stream, table.schema))
            writer.write_table(table)
        if writer is None:
            raise ValueError("the data set has no rows, so there is nothing to write.")
