"""Incremental fit: the rows that partial_fit buffers until its encoder is final.

The encoder needs more than a few rows. Until there are enough, all rows are buffered,
and whenever they have doubled, a new encoder is fitted on them. As its outputs differ,
the network is reinitialized and trained on all calls again, in their order: the result
is that of a network which had this encoder from the start.
"""

import warnings
from collections.abc import Hashable, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from scipy.sparse import vstack
from sklearn.base import clone

from skmlp._utils import make_generator
from skmlp.data.inputs import (
    FittedInputs,
    encode_rows,
    fit_encoder,
    fit_inputs,
    is_fitted,
    spawn_encoder_rng,
)
from skmlp.data.targets import Targets, build_targets
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.progress import log
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import (
    SparseMatrix,
    Table,
    TableData,
    TableLike,
    Values,
    as_table,
    exceeds_float,
    find_missing,
    format_list,
    is_frame,
    is_sparse,
    read_columns,
    read_pandas_series,
    read_rows,
    to_index,
    to_objects,
)
from skmlp.training.batches import MemoryRows

_ENOUGH_ROWS = 1000
"""Rows on which the encoder is final, if every column had two different values."""

_MOST_ROWS = 10_000
"""Rows on which the encoder is final in any case."""

_GROWTH = 2
"""Growth of the rows after which the encoder is fitted again before that.

So a stream of single rows is trained on two or three times in total.
"""


class PartialFitBatch(NamedTuple):
    """Rows of one call of partial_fit, encoded."""

    x: MemoryRows  # (n_rows, n_inputs)
    targets: Targets
    rng: np.random.Generator
    reinitializes: bool  # train a new network
    verbose: bool | int


def read_batches(
    inputs: FittedInputs,
    buffer: "RowBuffer | None",
    parameters: Parameters,
    X: TableLike,
    targets: Targets,
    rng: np.random.Generator,
) -> tuple["RowBuffer | None", list[PartialFitBatch]]:
    """Return the buffer and the batches to train on: of this call, or of all so far.

    `inputs` are fitted on the rows, unless their encoder is final.
    """
    table = as_table(X)
    is_first = not inputs.is_fitted  # the first call of all
    if is_first:
        buffer, x = _fit_first_inputs(inputs, parameters, table, targets, rng)
    else:
        # checks names and types of the columns, also where the encoder is fitted again
        x = encode_rows(inputs, table, parameters.dtype)
        if buffer is not None:
            buffer = buffer.append(_copy_call(table.data, targets))
            if _is_due(len(buffer.fitted.y_encoded), buffer.n_rows):
                return _refit(inputs, parameters, buffer.join(), targets.classes, rng)
    return buffer, [PartialFitBatch(x, targets, rng, is_first, parameters.verbose)]


def _is_due(n_fitted: int, n_rows: int) -> bool:
    """Return True if the encoder, fitted on `n_fitted` rows, should be fitted again."""
    if any(n_fitted < limit <= n_rows for limit in (_ENOUGH_ROWS, _MOST_ROWS)):
        return True
    return n_rows >= _GROWTH * n_fitted


def _is_enough(encoder: TableEncoder, n_rows: int) -> bool:
    """Return True if the encoder that is fitted on these rows is final."""
    return n_rows >= (_MOST_ROWS if encoder.columns_without_use() else _ENOUGH_ROWS)


def _fit_first_inputs(
    inputs: FittedInputs,
    parameters: Parameters,
    table: Table,
    targets: Targets,
    rng: np.random.Generator,
) -> tuple["RowBuffer | None", MemoryRows]:
    """Fit inputs on the first rows, unless the user passes a fitted encoder."""
    given = parameters.preprocessing
    if not isinstance(given, str | None) and is_fitted(given):
        inputs.take_encoder(deepcopy(given))
        return None, encode_rows(inputs, table, parameters.dtype)
    x = fit_inputs(inputs, parameters, table, targets, targets.samples.indices, rng)
    encoder = inputs.encoder_
    if not isinstance(encoder, TableEncoder):
        return None, x  # others are final at once
    if _is_enough(encoder, len(targets.y)):
        _announce_final(encoder, len(targets.y), parameters.verbose)
        return None, x
    return RowBuffer(_copy_call(table.data, targets)), x


def _refit(
    inputs: FittedInputs,
    parameters: Parameters,
    rows: "BufferedRows",
    classes: np.ndarray,
    rng: np.random.Generator,
) -> tuple["RowBuffer | None", list[PartialFitBatch]]:
    """Fit a new encoder on all rows, and return the batches of all calls."""
    encoder = clone(inputs.encoder_)  # has its seeds already
    spawn_encoder_rng(rng)  # as in the first call, for the same draws after it
    targets = _build_targets(parameters, rows, classes)
    table = as_table(rows.X)
    x = fit_encoder(
        inputs, encoder, parameters.dtype, table, targets, targets.samples.indices
    )
    buffer: RowBuffer | None = RowBuffer(rows)  # for the next time
    if _is_enough(encoder, len(rows.y_encoded)):
        _announce_final(encoder, len(rows.y_encoded), parameters.verbose)
        buffer = None
    parts = rows.parts()
    batches = [
        PartialFitBatch(
            x[part],
            _build_targets(parameters, rows, classes, part),
            make_generator(parameters.random_state) if place else rng,
            reinitializes=place == 0,
            # only the present call is new to the user
            verbose=parameters.verbose if place == len(parts) - 1 else False,
        )
        for place, part in enumerate(parts)
    ]
    return buffer, batches


def _build_targets(
    parameters: Parameters,
    rows: "BufferedRows",
    classes: np.ndarray,
    part: slice = slice(None),
) -> Targets:
    """Build the targets of some buffered rows."""
    y_encoded = rows.y_encoded[part]
    weight = None if rows.weight is None else rows.weight[part]
    return build_targets(
        classes[y_encoded], classes, y_encoded, weight, parameters.class_weight
    )


def _announce_final(encoder: TableEncoder, n_rows: int, verbose: bool | int) -> None:
    """Print that the encoder is final, and warn of columns that it ignores."""
    log(
        verbose,
        f"encoder settled on the first {n_rows} rows: {encoder.n_features_in_} columns "
        f"to {encoder.n_features_out_} inputs",
    )
    _warn_constant_columns(encoder, n_rows)


def warn_if_not_final(buffer: "RowBuffer | None", inputs: FittedInputs) -> None:
    """Warn if `fit` goes on with an encoder of partial_fit that is not final yet."""
    if buffer is not None and isinstance(inputs.encoder_, TableEncoder):
        _warn_constant_columns(inputs.encoder_, len(buffer.fitted.y_encoded))


def _warn_constant_columns(encoder: TableEncoder, n_rows: int) -> None:
    """Warn of columns that the encoder ignores from now on."""
    names = encoder.columns_without_use()
    if names:
        warnings.warn(
            f"{len(names)} of {encoder.n_features_in_} columns hold no two different "
            f"values in the first {n_rows} rows of partial_fit, {format_list(names)}; "
            "the encoder, which is fitted on these rows alone, takes no notice of them "
            "from now on. Begin with rows that differ in them, or pass a TableEncoder "
            "that was fitted on representative rows as preprocessing.",
            stacklevel=4,
        )


# The buffer

_NUMBERS = set("biuf")
"""Kinds of dtypes that may be joined to one that holds both."""


class BufferedFrame(NamedTuple):
    """Columns of a frame of any library, as copies."""

    names: list[Hashable]
    data: list[Values]  # arrays, pandas categoricals of objects, zoned datetimes

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.data[0]), len(self.data)

    def to_pandas(self) -> pd.DataFrame:
        """Convert to a frame; names may come twice."""
        series = [pd.Series(values, dtype=values.dtype) for values in self.data]
        return pd.DataFrame(dict(enumerate(series))).set_axis(
            to_index(self.names), axis=1
        )


BufferedTable: TypeAlias = BufferedFrame | np.ndarray | SparseMatrix
"""A table in the form in which it is buffered."""


class BufferedRows(NamedTuple):
    """Rows of one call or of several, with labels and weights."""

    table: BufferedTable
    y_encoded: np.ndarray  # (n_rows,)
    weight: np.ndarray | None  # (n_rows,), as it was given
    sizes: np.ndarray  # rows of each call, (n_calls,)

    @property
    def X(self) -> TableData:  # noqa: N802
        """Table in a form that encoders read."""
        if isinstance(self.table, BufferedFrame):
            return self.table.to_pandas()
        return self.table

    def parts(self) -> list[slice]:
        """Return the rows of each call."""
        return [slice(*ends) for ends in pairwise([0, *np.cumsum(self.sizes).tolist()])]


class RowBuffer(NamedTuple):
    """Rows of all calls until the encoder is final."""

    fitted: BufferedRows  # those that the encoder is fitted on
    since: tuple[BufferedRows, ...] = ()  # later calls

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        later = sum(len(rows.y_encoded) for rows in self.since)
        return len(self.fitted.y_encoded) + later

    def append(self, rows: BufferedRows) -> "RowBuffer":
        """Return a buffer with further rows, which must be as sparse as the others."""
        was_sparse, comes_sparse = is_sparse(self.fitted.table), is_sparse(rows.table)
        if was_sparse != comes_sparse:
            kinds = ["dense", "sparse"]
            raise TypeError(
                f"X is {kinds[comes_sparse]}, but was {kinds[was_sparse]} in earlier "
                "calls, whose rows the encoder is to be fitted on together with these; "
                f"pass a {kinds[was_sparse]} X here too."
            )
        return self._replace(since=(*self.since, rows))

    def join(self) -> BufferedRows:
        """Return all rows as one table."""
        return _join_rows([self.fitted, *self.since])


def _copy_call(X: TableData, targets: Targets) -> BufferedRows:
    """Copy the rows of a call, which the caller may change later."""
    y_encoded = np.searchsorted(targets.classes, targets.y)  # all rows, (n_rows,)
    sizes = np.array([len(y_encoded)])
    return BufferedRows(_copy_table(X), y_encoded, targets.sample_weight, sizes)


def _copy_table(X: TableData) -> BufferedTable:
    """Copy a table, in a form that means the same to an encoder."""
    if is_frame(X):
        columns = read_columns(X, exact=range(X.shape[1]))
        names = [column.name for column in columns]
        return BufferedFrame(names, [_copy_values(column.data) for column in columns])
    if is_sparse(X):
        return X.copy()
    array = read_rows(X, np.array)  # np.array copies, np.asarray would not
    if array.dtype == object:
        array[find_missing(array)] = None
    return array


def _copy_values(values: Values) -> Values:
    """Copy a column in one of few types, which mean the same to an encoder."""
    if isinstance(values, pd.Categorical):
        categories = pd.Index(to_objects(values.categories), dtype=object)
        return pd.Categorical.from_codes(values.codes.copy(), categories)
    is_zoned = isinstance(values.dtype, pd.DatetimeTZDtype)
    is_array = isinstance(values, np.ndarray) and values.dtype.kind not in "OUS"
    if is_zoned or is_array:
        return values.copy()
    objects = np.array(values, dtype=object)
    objects[find_missing(objects)] = None
    return objects


def _join_rows(parts: Sequence[BufferedRows]) -> BufferedRows:
    """Join the rows of several calls."""
    weight = None
    if any(rows.weight is not None for rows in parts):
        # calls without weights count as 1 per row
        weights = [
            np.ones(len(rows.y_encoded)) if rows.weight is None else rows.weight
            for rows in parts
        ]
        weight = np.concatenate(weights)
    return BufferedRows(
        _join_tables([rows.table for rows in parts]),
        np.concatenate([rows.y_encoded for rows in parts]),
        weight,
        np.concatenate([rows.sizes for rows in parts]),
    )


def _join_tables(tables: Sequence[BufferedTable]) -> BufferedTable:
    """Join tables; the first one decides if there are names."""
    first = tables[0]  # the encoder has checked that the others have its columns
    if is_sparse(first):
        return vstack(tables, format="csr")
    arrays = [table for table in tables if isinstance(table, np.ndarray)]
    kinds = {array.dtype.kind for array in arrays}
    # arrays of numbers alone, or of one kind such as text: joined as a whole
    if len(arrays) == len(tables) and (len(kinds) == 1 or kinds <= _NUMBERS):
        return np.concatenate(_keep_integers(arrays))
    # others column by column, each with a type of its own
    columns = [
        table.data
        if isinstance(table, BufferedFrame)
        else [_copy_values(column.data) for column in read_columns(table)]
        for table in tables
    ]
    data = [_join_values(pieces) for pieces in zip(*columns, strict=True)]
    if isinstance(first, BufferedFrame):
        return BufferedFrame(first.names, data)
    # arrays of objects stay arrays, whose columns have no names
    joined = BufferedFrame(list(range(len(data))), data)
    return joined.to_pandas().to_numpy(dtype=object)


def _join_values(pieces: Sequence[Values]) -> Values:
    """Join the values of one column; pieces without a value don't decide its type."""
    pieces = _keep_integers(pieces)
    dtypes = {piece.dtype for piece in pieces}
    if len(dtypes) == 1 and isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    # each piece has the index of its rows, at which reindex fills in missing values
    ends = np.cumsum([0, *map(len, pieces)]).tolist()
    series = [
        pd.Series(piece, index=range(start, stop), dtype=piece.dtype)
        for piece, (start, stop) in zip(pieces, pairwise(ends), strict=True)
    ]
    chosen = [piece for piece in series if piece.notna().any()] or series[:1]
    if any(isinstance(piece.dtype, pd.CategoricalDtype) for piece in chosen):
        # a column that was categorical once is so in all calls
        chosen = [_to_categories(piece) for piece in chosen]
        index = np.concatenate([piece.index for piece in chosen])
        joined = pd.Series(union_categoricals(chosen), index=index)
    else:
        joined = pd.concat(chosen)
    return _copy_values(read_pandas_series(joined.reindex(range(ends[-1]))))


def _keep_integers(pieces: Sequence[Values]) -> Sequence[Values]:
    """Convert arrays to objects where their common dtype would merge integers."""
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    is_one_kind = len({getattr(piece.dtype, "kind", "") for piece in pieces}) == 1
    if is_one_kind or not any(map(exceeds_float, arrays)):
        return pieces
    return [
        _copy_values(piece.astype(object)) if isinstance(piece, np.ndarray) else piece
        for piece in pieces
    ]


def _to_categories(series: pd.Series) -> pd.Series:
    """Convert values of any type to categories that are objects."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series
    objects = series.astype(object)
    known = pd.Index(objects.dropna().unique(), dtype=object)
    return objects.astype(pd.CategoricalDtype(known))
