"""Data sets on disk, read through Arrow in pieces."""

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
"""Rows on disk, as a user passes them."""

ROWS_PER_PIECE = 1 << 16
"""Rows that are read at a time."""


def is_data_set(X: object) -> bool:
    """Return True for a path, a data set of pyarrow or a LazyFrame of polars."""
    # pyarrow is not imported for that: without it, there is no data set of it
    library = sys.modules.get("pyarrow.dataset")
    return (
        _is_path(X)
        or (library is not None and isinstance(X, library.Dataset))
        or nw.dependencies.is_polars_lazyframe(X)
    )


def _is_path(X: object) -> TypeGuard[str | os.PathLike]:
    return isinstance(X, str | os.PathLike)


class DataSet(AbstractContextManager):
    """A table on disk: Parquet files, a data set of pyarrow, or a query of polars.

    The streaming engine of polars writes the result of a query to a temporary file.
    """

    def __init__(self, given: Any) -> None:
        self.files = ExitStack()
        self.given = given
        if nw.dependencies.is_polars_lazyframe(given):
            path = self.files.enter_context(temporary_folder()) / "query.parquet"
            # Windows removes no file that is open
            self.files.callback(lambda: delattr(self, "dataset"))
            given.sink_parquet(path)
            given = path
        dataset = _open_parquet(given) if _is_path(given) else given
        self.dataset = _unify_types(dataset, is_own=_is_path(given))
        index = (self.dataset.schema.pandas_metadata or {}).get("index_columns", [])
        # an index that pandas has written is no column
        self.columns = [name for name in self.dataset.schema.names if name not in index]
        # labels, weights and features are found by name
        twice = sorted({c for c in self.columns if self.columns.count(c) > 1})
        if twice:
            raise ValueError(
                f"the data set has several columns of the names {twice}; rename them."
            )

    def __exit__(self, *exception: object) -> None:
        self.files.close()

    @cached_property
    def n_rows(self) -> int:
        """Number of rows; counted once, since files may have to be read."""
        return self.dataset.count_rows()

    def check_column(self, name: str, role: str) -> None:
        """Raise ValueError unless there is a column of this name."""
        if name not in self.columns:
            raise ValueError(
                f"{role}={name!r} is no column of the data set, whose columns are "
                f"{self.columns}."
            )

    def pieces(self, columns: Sequence[str]) -> Iterator["pa.Table"]:
        """Read columns of all rows, in tables of at least `ROWS_PER_PIECE` rows."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        n_rows = 0
        for batch in self._batches(list(columns)):
            batches.append(batch)
            n_rows += len(batch)
            if n_rows >= ROWS_PER_PIECE:
                yield pa.Table.from_batches(batches)
                batches, n_rows = [], 0
        if n_rows:
            yield pa.Table.from_batches(batches)

    def _batches(self, columns: list[str]) -> Iterator["pa.RecordBatch"]:
        """Read columns of all rows, in batches of Arrow's choice.

        Arrow reads up to a gigabyte ahead, and so gets one row group or file at a time.
        """
        size = {"columns": columns, "batch_size": ROWS_PER_PIECE}
        fragments = _get_fragments(self.dataset)
        if fragments is None:
            yield from self.dataset.to_batches(**size)
            return
        for fragment in fragments:
            split = getattr(fragment, "split_by_row_group", None)
            for part in [fragment] if split is None else split():
                yield from part.to_batches(schema=self.dataset.schema, **size)

    def table(self, columns: Sequence[str]) -> "pa.Table":
        """Read columns of all rows."""
        return self.dataset.to_table(columns=list(columns))

    def rows(self, columns: Sequence[str], mask: np.ndarray) -> "pa.Table":
        """Read columns of some rows."""
        import pyarrow as pa

        found, start = [], 0
        for piece in self.pieces(columns):
            stop = start + len(piece)
            found.append(piece.filter(pa.array(mask[start:stop])))
            start = stop
        return pa.concat_tables(found)

    def fingerprint(self) -> str:
        """Return names, sizes and times of the files, which are not read."""
        paths = getattr(self.dataset, "files", None)
        if paths is None or nw.dependencies.is_polars_lazyframe(self.given):
            raise TypeError(
                f"a checkpoint tells data sets apart by their files, and a "
                f"{type(self.given).__name__} has none; write it to Parquet and pass "
                "the path, or set checkpoint=None."
            )
        infos = self.dataset.filesystem.get_file_info(paths)
        facts = [(info.path, info.size, info.mtime_ns) for info in infos]
        # a filter has no text, but hardly leaves as many rows as another one
        return repr((facts, str(self.dataset.schema), self.n_rows))


def _open_parquet(path: str | os.PathLike) -> "pa.dataset.Dataset":
    """Open a Parquet file, or the files of a folder."""
    try:
        import pyarrow as pa
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError(
            f"X is the path {os.fspath(path)!r}, and pyarrow, which reads files, is "
            "not there; pip install 'skmlp[parquet]'."
        ) from error
    # folders such as year=2024 become a column of categories
    flavor = dataset.HivePartitioning.discover(infer_dictionary=True)
    try:
        found = dataset.dataset(os.fspath(path), format="parquet", partitioning=flavor)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{os.fspath(path)!r} can't be read as Parquet: {_get_first_line(error)}; "
            "for files of another kind, pass "
            'pyarrow.dataset.dataset(path, format="csv").'
        ) from error
    if not found.schema.names:
        raise ValueError(f"there is no Parquet file in {os.fspath(path)!r}.")
    return found


def _unify_types(dataset: "pa.dataset.Dataset", is_own: bool) -> "pa.dataset.Dataset":
    """Give the columns types that hold the values of all files.

    Arrow takes those of the first file. With `is_own`, columns that the first file
    lacks are added.
    """
    import pyarrow as pa
    from pyarrow.dataset import FileSystemDataset

    fragments, names = _get_fragments(dataset), set(dataset.schema.names)
    if fragments is None or not isinstance(dataset, FileSystemDataset):
        return dataset
    schemas = [fragment.physical_schema for fragment in fragments]  # one per file
    if not is_own:
        schemas = [
            pa.schema([field for field in schema if field.name in names])
            for schema in schemas
        ]
    try:
        schemas = [dataset.schema, *schemas]
        # permissive: integers become floats where a file has floats
        common = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(
            f"the files of the data set hold columns of types that have none in "
            f"common: {_get_first_line(error)}; write them anew with the same types."
        ) from error
    if common.equals(dataset.schema):
        return dataset
    return FileSystemDataset(fragments, common, dataset.format, dataset.filesystem)


def _get_fragments(dataset: "pa.dataset.Dataset") -> "list[pa.dataset.Fragment] | None":
    """Return the files of a data set; None if it is filtered, for Arrow has none."""
    try:
        return list(dataset.get_fragments())
    except ValueError:
        return None


def _get_first_line(error: Exception) -> str:
    """Return the first line of a message, without its period."""
    return str(error).splitlines()[0].rstrip(".")
