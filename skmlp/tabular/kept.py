"""Rows of several calls, kept as they came and joined to one table."""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from scipy.sparse import vstack

from skmlp.tabular.frame import (
    SparseMatrix,
    TableData,
    TableLike,
    Values,
    exceeds_float,
    find_missing,
    is_frame,
    is_sparse,
    normalize,
    read_columns,
    read_pandas_series,
    read_rows,
    to_index,
    to_objects,
)

NUMBERS = set("biuf")
"""Kinds of NumPy's dtypes that may be joined to one that holds them all."""


class Columns(NamedTuple):
    """The columns of a frame of any library, as copies that nobody else writes to.

    Attributes
    ----------
    names : list
        Their names.
    data : list of array
        NumPy arrays, pandas categoricals of objects, or moments in a time zone.
    """

    names: list[Hashable]
    data: list[Values]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.data[0]), len(self.data)

    def frame(self) -> pd.DataFrame:
        """The same as a table of pandas."""
        series = [pd.Series(values, dtype=values.dtype) for values in self.data]
        return pd.DataFrame(dict(enumerate(series))).set_axis(
            to_index(self.names), axis=1
        )


KeptTable: TypeAlias = Columns | np.ndarray | SparseMatrix
"""A table in the form that it is kept in."""


class Kept(NamedTuple):
    """Rows of some calls, one call behind the other.

    Attributes
    ----------
    table : Columns, ndarray or CSR of shape (n_rows, n_features)
        X of all calls.
    codes : ndarray of int of shape (n_rows,)
        Class of each row.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row, as it was given.
    sizes : ndarray of int of shape (n_calls,)
        Rows of each call.
    """

    table: KeptTable
    y_encoded: np.ndarray
    weight: np.ndarray | None
    sizes: np.ndarray

    @property
    def X(self) -> TableData:  # noqa: N802
        """The table in a form that encoders read."""
        return self.table.frame() if isinstance(self.table, Columns) else self.table

    def parts(self) -> list[slice]:
        """Where the rows of each call are."""
        return [slice(*ends) for ends in pairwise([0, *np.cumsum(self.sizes).tolist()])]


class FirstRows(NamedTuple):
    """Rows that are kept as long as an encoder may be fitted anew.

    Attributes
    ----------
    fitted : Kept
        What the encoder is fitted on.
    since : tuple of Kept
        What has come since.
    """

    fitted: Kept
    since: tuple[Kept, ...] = ()

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.fitted.y_encoded) + sum(
            len(kept.y_encoded) for kept in self.since
        )

    def followed_by(self, kept: Kept) -> "FirstRows":
        """These and further rows, if they can come together."""
        was_sparse, comes_sparse = is_sparse(self.fitted.table), is_sparse(kept.table)
        if was_sparse != comes_sparse:
            kinds = ["dense", "sparse"]
            raise TypeError(
                f"X is {kinds[comes_sparse]}, but was {kinds[was_sparse]} in earlier "
                "calls, whose rows the encoder is to be fitted on together with these; "
                f"pass a {kinds[was_sparse]} X here too."
            )
        return self._replace(since=(*self.since, kept))

    def joined(self) -> Kept:
        """All of the rows."""
        return join([self.fitted, *self.since])


def keep(X: TableLike, y_encoded: np.ndarray, weight: np.ndarray | None) -> Kept:
    """Copies of the rows of one call."""
    return Kept(kept_table(X), y_encoded, weight, np.array([len(y_encoded)]))


def kept_table(X: TableLike) -> KeptTable:
    """A copy of a table that an encoder has read."""
    if is_frame(X):
        columns = read_columns(X, exact=range(X.shape[1]))
        return Columns(
            [column.name for column in columns],
            [kept_values(column.data) for column in columns],
        )
    X = normalize(X)
    if is_sparse(X):
        return X.copy()
    array = read_rows(X, np.array)
    if array.dtype == object:
        array[find_missing(array)] = None
    return array


def kept_values(values: Values) -> Values:
    """A copy of a column in one of few types, which mean the same to an encoder."""
    if isinstance(values, pd.Categorical):
        categories = pd.Index(to_objects(values.categories), dtype=object)
        return pd.Categorical.from_codes(values.codes.copy(), categories)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.copy()
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUS":
        return values.copy()
    objects = np.array(values, dtype=object)
    objects[find_missing(objects)] = None
    return objects


def join(parts: Sequence[Kept]) -> Kept:
    """The rows of several calls, one behind the other."""
    weight = None
    if any(kept.weight is not None for kept in parts):
        weights = [
            np.ones(len(kept.y_encoded)) if kept.weight is None else kept.weight
            for kept in parts
        ]
        weight = np.concatenate(weights)
    return Kept(
        join_tables([kept.table for kept in parts]),
        np.concatenate([kept.y_encoded for kept in parts]),
        weight,
        np.concatenate([kept.sizes for kept in parts]),
    )


def join_tables(tables: Sequence[KeptTable]) -> KeptTable:
    """One table, of the kind of the first, with the rows of all."""
    first = tables[0]
    if is_sparse(first):
        return vstack(tables, format="csr")
    arrays = [table for table in tables if isinstance(table, np.ndarray)]
    kinds = {array.dtype.kind for array in arrays}
    if len(arrays) == len(tables) and (len(kinds) == 1 or kinds <= NUMBERS):
        return np.concatenate(with_common_dtype(arrays))
    pieces = zip(*map(columns_of, tables), strict=True)
    data = [join_values(column) for column in pieces]
    if isinstance(first, Columns):
        return Columns(first.names, data)
    return Columns(list(range(len(data))), data).frame().to_numpy(dtype=object)


def columns_of(table: KeptTable) -> list[Values]:
    """The columns of a dense table."""
    if isinstance(table, Columns):
        return table.data
    assert isinstance(table, np.ndarray), "sparse rows come with others alone"
    return [kept_values(column.data) for column in read_columns(table)]


def join_values(pieces: Sequence[Values]) -> Values:
    """The values of one column, one piece behind the other.

    Pieces without any value have no say in what type the column is.
    """
    pieces = with_common_dtype(pieces)
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(arrays) == len(pieces) and len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    series = [
        pd.Series(piece, index=range(start, stop), dtype=piece.dtype)
        for piece, (start, stop) in zip(pieces, pairwise(ends), strict=True)
    ]
    told = [piece for piece in series if piece.notna().any()] or series[:1]
    if any(isinstance(piece.dtype, pd.CategoricalDtype) for piece in told):
        # if a piece is of categories, its values are none that stand for numbers
        told = [as_categories(piece) for piece in told]
        places = np.concatenate([piece.index for piece in told])
        joined = pd.Series(union_categoricals(told), index=places)
    else:
        joined = pd.concat(told)
    return kept_values(read_pandas_series(joined.reindex(range(ends[-1]))))


def with_common_dtype(pieces: Sequence[Values]) -> Sequence[Values]:
    """The pieces, as objects where the dtype that joins them would merge integers."""
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    is_one_kind = len({getattr(piece.dtype, "kind", "") for piece in pieces}) == 1
    if is_one_kind or not any(map(exceeds_float, arrays)):
        return pieces
    return [
        kept_values(piece.astype(object)) if isinstance(piece, np.ndarray) else piece
        for piece in pieces
    ]


def as_categories(series: pd.Series) -> pd.Series:
    """The values, of any type, as categories that are objects."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series
    objects = series.astype(object)
    known = pd.Index(objects.dropna().unique(), dtype=object)
    return objects.astype(pd.CategoricalDtype(known))
