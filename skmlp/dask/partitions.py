"""Lazy Dask tables: checked, split into partitions, loaded into workers' memory."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.dispatch import concat
from distributed import Future

from skmlp.dask.cluster import Tasks
from skmlp.data.sources import PartLabels
from skmlp.persistence.fingerprints import compute_fingerprint
from skmlp.tabular.frame import format_list, split_columns


class Partition(NamedTuple):
    """Rows of one partition, in the memory of a worker."""

    X: Any  # data frame or array (n_rows, n_columns)
    y: Any  # series or array (n_rows,)
    sample_weight: Any  # likewise, or None for 1


class Partitions:
    """The non-empty partitions of X, y and sample_weight, loaded by workers."""

    labels: list[PartLabels]  # labels and weights of each partition, here
    futures: list[Future]  # each partition, on a worker
    n_columns: int  # columns of X without labels and weights
    n_shards: int  # at most one per partition

    def __init__(
        self, tasks: Tasks, X: Any, y: Any, sample_weight: Any, n_shards: int
    ) -> None:
        _check_types(X, y, sample_weight)
        self.given = X, y, sample_weight
        self.tasks = tasks
        names = {"y": y, "sample_weight": sample_weight}
        roles = {role: name for role, name in names.items() if isinstance(name, str)}
        self.n_columns = X.shape[1] - len(roles)
        columns = list(X.columns) if isinstance(X, dd.DataFrame) else []
        futures = tasks.client.compute(
            [
                dask.delayed(_make_partition, pure=False)(*part, columns, roles, number)
                for number, part in enumerate(_align_partitions(X, y, sample_weight))
            ]
        )
        tasks.futures += futures
        labels = tasks.run(factorize_labels, futures)
        with_rows = [number for number, part in enumerate(labels) if len(part.indices)]
        if not with_rows:
            raise ValueError("X has no rows, so there is nothing to learn from.")
        self.labels = [labels[number] for number in with_rows]
        self.futures = [futures[number] for number in with_rows]
        self.n_shards = min(n_shards, len(with_rows))

    @property
    def n_rows(self) -> int:
        """Number of rows in all partitions."""
        return sum(len(labels.indices) for labels in self.labels)

    def split(self, values: np.ndarray) -> list[np.ndarray]:
        """Split an array with one value per row, in the order of partitions."""
        sizes = [len(labels.indices) for labels in self.labels]
        return np.split(values, np.cumsum(sizes)[:-1])

    def release(self) -> None:
        """Free the memory of workers; Dask loads a partition again if it must."""
        for future in self.futures:
            future.release()


def is_lazy(X: object) -> bool:
    """Return True for a table or an array of Dask."""
    return isinstance(X, dd.DataFrame | da.Array)


def _check_types(X: Any, y: Any, sample_weight: Any) -> None:
    """Raise unless these are lazy tables of Dask, or names of columns of X."""
    if not is_lazy(X) or X.ndim != 2:
        raise TypeError(
            f"X should be a Dask DataFrame or a Dask Array of two axes, got "
            f"{type(X).__name__}{f' of {X.ndim} axes' if is_lazy(X) else ''}; use "
            "MLPSoftmaxClassifier for rows in memory and for files, or make a "
            "table of Dask, as by dask.dataframe.from_pandas or read_parquet."
        )
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None and role == "sample_weight":
            continue
        if isinstance(given, str) and isinstance(X, dd.DataFrame):
            split_columns(X._meta, {role: given})  # raises if there is no such column
        elif not isinstance(given, dd.Series | da.Array) or given.ndim != 1:
            name = ", or the name of a column" if isinstance(X, dd.DataFrame) else ""
            raise TypeError(
                f"{role} should be a Dask Series or a Dask Array of one axis{name}, "
                f"since X is of Dask; got {type(given).__name__}."
            )


def _align_partitions(X: Any, y: Any, sample_weight: Any) -> list[tuple[Any, Any, Any]]:
    """Return the delayed parts of X, y and sample_weight of each partition."""
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1})  # whole rows
    parts: list[list[Any]] = [np.ravel(X.to_delayed()).tolist()]
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None or isinstance(given, str):
            parts.append([None] * len(parts[0]))
            continue
        if isinstance(X, da.Array) and isinstance(given, da.Array):
            given = _rechunk_like(X, given, role)
        parts.append(np.ravel(given.to_delayed()).tolist())
        if len(parts[-1]) != len(parts[0]):
            raise ValueError(
                f"X has {len(parts[0])} partitions and {role} has {len(parts[-1])}; "
                "let both come from one table, or repartition one like the other."
            )
    return list(zip(*parts, strict=True))


def _rechunk_like(X: da.Array, given: da.Array, role: str) -> da.Array:
    """Give labels or weights the blocks of X, if the lengths of these are known."""
    n_rows, n_given = X.shape[0], given.shape[0]
    if np.isnan(n_rows) or np.isnan(n_given):
        return given
    if n_rows != n_given:
        raise ValueError(f"X has {n_rows} rows and {role} has {n_given}.")
    return given.rechunk((X.chunks[0],))


# Tasks: what workers do with a partition


def _make_partition(
    X: Any,
    y: Any,
    sample_weight: Any,
    columns: Sequence[Any],  # of X, as Dask knows them
    roles: Mapping[str, str],  # columns of X that are labels or weights
    number: int,
) -> Partition:
    """Take labels and weights out of X; raise unless all have the same rows."""
    if isinstance(X, pd.DataFrame) and list(X.columns) != columns:
        raise ValueError(
            f"partition {number} has the columns {format_list(list(X.columns))}, and X "
            f"should have {format_list(columns)}; select these in each partition."
        )
    if hasattr(X, "tocsr"):
        raise TypeError(
            f"X has blocks of the type {type(X).__name__}; workers train on dense "
            "ones: pass X.map_blocks(lambda block: block.toarray())."
        )
    if roles:
        X, taken = split_columns(X, roles)
        y = taken.get("y", y)
        sample_weight = taken.get("sample_weight", sample_weight)
    for role, values in (("y", y), ("sample_weight", sample_weight)):
        if values is not None and len(values) != len(X):
            raise ValueError(
                f"partition {number} has {len(X)} rows in X and {len(values)} in "
                f"{role}; let both come from one table, or be persisted."
            )
    return Partition(X, y, sample_weight)


def factorize_labels(part: Partition) -> PartLabels:
    """Return the labels and weights of a partition."""
    weight = part.sample_weight
    return PartLabels.of(part.y, None if weight is None else np.asarray(weight))


def fingerprint_partition(part: Partition) -> list[str | None]:
    """Return hashes of X, y and sample_weight for a checkpoint."""
    return [
        # a series as a table, so that its name counts as well
        compute_fingerprint(given.to_frame() if isinstance(given, pd.Series) else given)
        for given in part
    ]


def concat_parts(parts: Sequence[Any]) -> Any:
    """Join tables, series or arrays of several partitions, as Dask computes them."""
    if parts[0] is None:  # no weights
        return None
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], pd.Series):
        # the dtype that joins integers of several types would merge some of them
        if len({part.dtype for part in parts}) > 1:
            parts = [part.astype(object) for part in parts]
    else:
        # Dask merges categories of one type only; other columns become plain values
        mixed = [
            name
            for name in parts[0]
            if len({_category_dtype(part.dtypes[name]) for part in parts}) > 1
        ]
        parts = [part.astype(dict.fromkeys(mixed, object)) for part in parts]
    return concat(parts) if len(parts) > 1 else parts[0]


def _category_dtype(dtype: Any) -> str:
    """Return the type of a column's categories, if it has categories."""
    is_category = isinstance(dtype, pd.CategoricalDtype)
    return str(dtype.categories.dtype) if is_category else "no categories"
