"""Data sets on disk, read through Arrow: a piece of their rows after the other."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import narwhals as nw
import numpy as np

from skmlp.persistence.temporary import temporary_folder

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


DataSetLike: TypeAlias = "str | os.PathLike | pa.dataset.Dataset | pl.LazyFrame"
"""What stands for rows that are elsewhere."""

PIECE_SIZE = 1 << 16
"""Rows that are read at a time."""


def is_data_set(X: object) -> bool:
    """Whether X stands for rows that are elsewhere: a path, a data set, a LazyFrame."""
    return is_path(X) or is_arrow(X) or nw.dependencies.is_polars_lazyframe(X)


def is_path(X: object) -> TypeGuard[str | os.PathLike]:
    """Whether X is where files are."""
    return isinstance(X, str | os.PathLike)


def is_arrow(X: object) -> bool:
    """Whether X is a data set of pyarrow, which is asked without importing it."""
    library = sys.modules.get("pyarrow.dataset")
    return library is not None and isinstance(X, library.Dataset)


class DataSet(AbstractContextManager):
    """A table on disk.

    Parameters
    ----------
    source : path, pyarrow.dataset.Dataset or polars.LazyFrame
        A Parquet file or a folder of such; what pyarrow reads; or a query of polars,
        whose outcome is written to a temporary Parquet file by its streaming engine.

    Attributes
    ----------
    columns : list of str
        Names of its columns.

    Raises
    ------
    ImportError
        If pyarrow is not there.
    ValueError
        If there are no Parquet files, or their columns can't be put together.
    """

    def __init__(self, source: Any) -> None:
        self.files = ExitStack()
        self.given = source
        if nw.dependencies.is_polars_lazyframe(source):
            folder = self.files.enter_context(temporary_folder())
            self.files.callback(self.forget)
            path = folder / "query.parquet"
            source.sink_parquet(path)
            source = path
        self.dataset = open_parquet(source) if is_path(source) else source
        self.dataset = unify_types(self.dataset, is_own=is_path(source))
        index = (self.dataset.schema.pandas_metadata or {}).get("index_columns", [])
        # what pandas writes as its index, it reads as its index again
        self.columns = [name for name in self.dataset.schema.names if name not in index]
        twice = sorted({c for c in self.columns if self.columns.count(c) > 1})
        if twice:
            raise ValueError(
                f"the data set has several columns of the names {twice}; rename them."
            )

    def __exit__(self, *exception: object) -> None:
        self.files.close()

    def forget(self) -> None:
        """Let go of files before they are removed."""
        del self.dataset

    @cached_property
    def n_rows(self) -> int:
        """How many rows there are; counted once, since files may have to be read."""
        return self.dataset.count_rows()

    def check_column(self, name: str, role: str) -> None:
        """Raise unless there is a column of this name, to be used as `role`."""
        if name not in self.columns:
            raise ValueError(
                f"{role}={name!r} is no column of the data set, whose columns are "
                f"{self.columns}."
            )

    def pieces(self, columns: Sequence[str]) -> Iterator["pa.Table"]:
        """Some columns of all rows, in their order, piece by piece."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        n_rows = 0
        for batch in self.batches(list(columns)):
            batches.append(batch)
            n_rows += len(batch)
            if n_rows >= PIECE_SIZE:
                yield pa.Table.from_batches(batches)
                batches, n_rows = [], 0
        if n_rows:
            yield pa.Table.from_batches(batches)

    def batches(self, columns: list[str]) -> Iterator["pa.RecordBatch"]:
        """Some columns of all rows, in the batches that Arrow makes of them.

        Arrow reads ahead of whoever takes the batches, up to a gigabyte, so that it is
        given a part at a time: a row group of Parquet, or a file.
        """
        size = {"columns": columns, "batch_size": PIECE_SIZE}
        fragments = get_fragments(self.dataset)
        if fragments is None:
            yield from self.dataset.to_batches(**size)
            return
        for fragment in fragments:
            split = getattr(fragment, "split_by_row_group", None)
            for part in [fragment] if split is None else split():
                yield from part.to_batches(schema=self.dataset.schema, **size)

    def table(self, columns: Sequence[str]) -> "pa.Table":
        """Some columns of all rows."""
        return self.dataset.to_table(columns=list(columns))

    def rows(self, columns: Sequence[str], wanted: np.ndarray) -> "pa.Table":
        """Some columns of the rows that a mask says."""
        import pyarrow as pa

        found, start = [], 0
        for piece in self.pieces(columns):
            stop = start + len(piece)
            found.append(piece.filter(pa.array(wanted[start:stop])))
            start = stop
        return pa.concat_tables(found)

    def fingerprint(self) -> str:
        """What tells it from others without reading it: names, sizes, times of files.

        Raises
        ------
        TypeError
            If it is of no files, or of files that are written anew each time.
        """
        paths = getattr(self.dataset, "files", None)
        if paths is None or nw.dependencies.is_polars_lazyframe(self.given):
            raise TypeError(
                f"a checkpoint tells data sets apart by their files, and a "
                f"{type(self.given).__name__} has none; write it to Parquet and pass "
                "the path, or set checkpoint=None."
            )
        infos = self.dataset.filesystem.get_file_info(paths)
        facts = [(info.path, info.size, info.mtime_ns) for info in infos]
        # a filter has no words, but hardly leaves as many rows as another one
        return repr((facts, str(self.dataset.schema), self.n_rows))


def open_parquet(path: str | os.PathLike) -> "pa.dataset.Dataset":
    """The Parquet file, or the files of a folder, at a path."""
    try:
        import pyarrow as pa
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError(
            f"X is the path {os.fspath(path)!r}, and pyarrow, which reads files, is "
            "not there; pip install 'skmlp[parquet]'."
        ) from error
    flavor = dataset.HivePartitioning.discover(infer_dictionary=True)
    try:
        found = dataset.dataset(os.fspath(path), format="parquet", partitioning=flavor)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{os.fspath(path)!r} can't be read as Parquet: {get_first_line(error)}; "
            "for files of another kind, pass "
            'pyarrow.dataset.dataset(path, format="csv").'
        ) from error
    if not found.schema.names:
        raise ValueError(f"there is no Parquet file in {os.fspath(path)!r}.")
    return found


def unify_types(dataset: "pa.dataset.Dataset", is_own: bool) -> "pa.dataset.Dataset":
    """The data set with types that suit all of its files, such as floats for integers.

    Arrow by itself takes those of the first file. With `is_own`, columns that the first
    file lacks are there as well.
    """
    import pyarrow as pa
    from pyarrow.dataset import FileSystemDataset

    fragments, names = get_fragments(dataset), set(dataset.schema.names)
    if fragments is None or not isinstance(dataset, FileSystemDataset):
        return dataset
    schemas = [fragment.physical_schema for fragment in fragments]
    if not is_own:
        schemas = [
            pa.schema([field for field in schema if field.name in names])
            for schema in schemas
        ]
    try:
        schemas = [dataset.schema, *schemas]
        common = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(
            f"the files of the data set hold columns of types that have none in "
            f"common: {get_first_line(error)}; write them anew with the same types."
        ) from error
    if common.equals(dataset.schema):
        return dataset
    return FileSystemDataset(fragments, common, dataset.format, dataset.filesystem)


def get_fragments(
    dataset: "pa.dataset.Dataset",
) -> "list[pa.dataset.Fragment] | None":
    """The parts of a data set; None if it is filtered, of which Arrow gives none."""
    try:
        return list(dataset.get_fragments())
    except ValueError:
        return None


def get_first_line(error: Exception) -> str:
    """The first line of an error's message, without its period."""
    return str(error).splitlines()[0].rstrip(".")
