"""Tables of Dask, partition by partition, in the memory of workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.dispatch import concat
from distributed import Future

from skmlp.dask.cluster import Tasks
from skmlp.data.sources import PartLabels, select_rows
from skmlp.persistence.checkpoints import digest_of
from skmlp.tabular.frame import format_list, split_columns


class Part(NamedTuple):
    """The rows of one partition: a data frame or an array, labels and weights."""

    X: Any
    y: Any
    sample_weight: Any


def part_of(
    X: Any,
    y: Any,
    sample_weight: Any,
    columns: Sequence[Any],
    roles: Mapping[str, str],
    number: int,
) -> Part:
    """The parts that belong together, once it is sure that they do.

    `columns` are those of X as Dask knows it; `roles` has the names of those that stand
    for the labels or the weights.
    """
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
    return Part(X, y, sample_weight)


def labels_of(part: Part) -> PartLabels:
    """Labels and weights of a partition."""
    weight = part.sample_weight
    return PartLabels.of(part.y, None if weight is None else np.asarray(weight))


def rows_of(part: Part, wanted: np.ndarray) -> Any:
    """The rows of a partition that a mask says."""
    return select_rows(wanted, part.X)


def words_of(part: Part) -> list[str | None]:
    """What tells a partition from others."""
    return [digest_of(None if given is None else one_table(given)) for given in part]


def one_table(given: Any) -> Any:
    """A series as a table, which is told apart by its name as well."""
    return given.to_frame() if isinstance(given, pd.Series) else given


def together(parts: Sequence[Any]) -> Any:
    """Partitions as one, as Dask computes it."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], pd.DataFrame):
        parts = with_common_categories(parts)
    elif isinstance(parts[0], pd.Series) and len({part.dtype for part in parts}) > 1:
        # the dtype that joins integers of several types would merge some
        parts = [part.astype(object) for part in parts]
    return concat(parts) if len(parts) > 1 else parts[0]


def with_common_categories(frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames, where columns are categories of one type in all of them or in none.

    Where a column has no value, it has no say.
    """
    frames = list(frames)
    for name in set().union(*(frame.select_dtypes("category") for frame in frames)):
        columns = [frame[name] for frame in frames]
        known = [one.dtype for one in columns if hasattr(one, "cat")]
        others = [one for one in columns if not hasattr(one, "cat")]
        is_alike = len({dtype.categories.dtype for dtype in known}) == 1
        has_values = any(one.notna().any() for one in others)
        if not is_alike or has_values:
            frames = [frame.astype({name: object}) for frame in frames]
        elif others:
            frames = [
                frame if hasattr(one, "cat") else frame.astype({name: known[0]})
                for frame, one in zip(frames, columns, strict=True)
            ]
    return frames


class Partitions:
    """A table of Dask with its labels and weights, in the memory of workers.

    Parameters
    ----------
    tasks : Tasks
        Those of the fit.
    X : dask.dataframe.DataFrame or dask.array.Array
        The rows.
    y, sample_weight : dask.dataframe.Series, dask.array.Array or str
        Labels and weights, or names of columns of X; weights may be None.
    n_shards : int
        How many shards are wanted.

    Attributes
    ----------
    labels : list of PartLabels
        Labels and weights of those partitions that have rows.
    futures : list of distributed.Future
        The partitions themselves.
    n_columns : int
        Columns of X, labels and weights aside.
    n_shards : int
        How many there are at most.
    """

    def __init__(
        self, tasks: Tasks, X: Any, y: Any, sample_weight: Any, n_shards: int
    ) -> None:
        self.given = X, y, sample_weight
        self.tasks = tasks
        names = {"y": y, "sample_weight": sample_weight}
        self.roles = {role: name for role, name in names.items() if is_name(name)}
        check_types(X, y, sample_weight)
        self.n_columns = X.shape[1] - len(self.roles)
        parts = aligned(X, y, sample_weight)
        columns = list(X.columns) if isinstance(X, dd.DataFrame) else []
        all_parts = self.tasks.client.compute(
            [
                dask.delayed(part_of, pure=False)(*part, columns, self.roles, number)
                for number, part in enumerate(parts)
            ]
        )
        self.tasks.futures += all_parts
        found = self.gather(labels_of, all_parts)
        rows = [number for number, labels in enumerate(found) if len(labels.indices)]
        if not rows:
            raise ValueError("X has no rows, so there is nothing to learn from.")
        self.labels = [found[number] for number in rows]
        self.futures = [all_parts[number] for number in rows]
        self.n_shards = min(n_shards, len(rows))

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return sum(len(labels.indices) for labels in self.labels)

    def gather(
        self,
        function: Callable[..., Any],
        parts: Sequence[Future],
        *arguments: Sequence[Any],
    ) -> list[Any]:
        """What a function says of each partition, with an argument of its own."""
        with Tasks(self.tasks.client) as tasks:
            given = zip(parts, *arguments, strict=True)
            return tasks.client.gather([tasks.submit(function, *one) for one in given])

    def places(self) -> Iterator[slice]:
        """Where the rows of each partition are among all."""
        stop = 0
        for labels in self.labels:
            start, stop = stop, stop + len(labels.indices)
            yield slice(start, stop)

    def release(self) -> None:
        """Let go of the rows, which Dask computes again if it must."""
        for future in self.futures:
            future.release()


def is_name(given: object) -> bool:
    """Whether this is the name of a column."""
    return isinstance(given, str)


def is_lazy(X: object) -> bool:
    """Whether these are rows of Dask."""
    return isinstance(X, dd.DataFrame | da.Array)


def check_types(X: Any, y: Any, sample_weight: Any) -> None:
    """Raise unless these are tables of Dask, or names where they may be."""
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
        if is_name(given) and isinstance(X, dd.DataFrame):
            split_columns(X._meta, {role: given})
        elif not isinstance(given, dd.Series | da.Array) or given.ndim != 1:
            name = ", or the name of a column" if isinstance(X, dd.DataFrame) else ""
            raise TypeError(
                f"{role} should be a Dask Series or a Dask Array of one axis{name}, "
                f"since X is of Dask; got {type(given).__name__}."
            )


def aligned(X: Any, y: Any, sample_weight: Any) -> list[tuple[Any, Any, Any]]:
    """The parts of each partition, which are taken to have the same rows."""
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1})
    parts: list[list[Any]] = [np.ravel(X.to_delayed()).tolist()]
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None or is_name(given):
            parts.append([None] * len(parts[0]))
            continue
        if isinstance(X, da.Array) and isinstance(given, da.Array):
            given = with_blocks_of(X, given, role)
        parts.append(np.ravel(given.to_delayed()).tolist())
        if len(parts[-1]) != len(parts[0]):
            raise ValueError(
                f"X has {len(parts[0])} partitions and {role} has {len(parts[-1])}; "
                "let both come from one table, or repartition one like the other."
            )
    return list(zip(*parts, strict=True))


def with_blocks_of(X: da.Array, given: da.Array, role: str) -> da.Array:
    """Labels or weights in the blocks of X, where the lengths of these are known."""
    n_rows, n_given = X.shape[0], given.shape[0]
    if np.isnan(n_rows) or np.isnan(n_given):
        return given
    if n_rows != n_given:
        raise ValueError(f"X has {n_rows} rows and {role} has {n_given}.")
    return given.rechunk((X.chunks[0],))
