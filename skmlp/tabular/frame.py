"""The door: a table of any library is checked once, and then read as columns."""

import os
from collections.abc import (
    Callable,
    Container,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, DTypeLike
from scipy.sparse import csr_array, csr_matrix

Values: TypeAlias = np.ndarray | pd.api.extensions.ExtensionArray
"""The values of one column."""

SparseMatrix: TypeAlias = csr_array | csr_matrix
"""Sparse rows."""

Frame: TypeAlias = pd.DataFrame | Any
"""A table with named columns, of pandas, polars, pyarrow or another library."""

Dense: TypeAlias = Frame | np.ndarray
"""A table whose cells are all stored."""

TableData: TypeAlias = Dense | SparseMatrix
"""What encoders and networks read."""

_SMALL_TABLE = 1 << 16
"""Most cells of a frame that is read as one matrix; a small one is read faster so."""

_SMALL_NUMBERS = (nw.Float32, nw.Float64, nw.Int8, nw.Int16, nw.Int32, nw.Int64)
"""Column types of other libraries that a small frame may have."""

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

_FLOAT_LIMIT = 2**53
"""float64 does not hold all integers from here on."""


class Table:
    """A checked table: rows in memory, no masks, native byte order, canonical CSR."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data  # frame, array or CSR matrix; a list for other transformers

    @property
    def n_columns(self) -> int:
        """Number of columns; 0 unless there are two axes, which readers refuse."""
        data = self.data
        # as objects, since lists of unequal length make no array of numbers
        shape = data.shape if hasattr(data, "shape") else np.asarray(data, object).shape
        return shape[1] if len(shape) == 2 else 0


TableLike: TypeAlias = Table | TableData | ArrayLike
"""A table, as a user passes it."""


class Column(NamedTuple):
    """One column: its position, its name for messages, and its values."""

    position: int
    name: Hashable
    data: Values

    def describe(self) -> str:
        """Return name and dtype for messages."""
        return f"column {self.name!r} (dtype {self.data.dtype})"


def as_table(X: TableLike, name: str = "X") -> Table:
    """Check that `X` holds rows in memory, once; `name` is that of the argument."""
    if isinstance(X, Table):
        return X
    if isinstance(X, pd.DataFrame):
        return Table(X)
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype in _FLOATS:
        return Table(X)  # nothing to resolve, and rows to predict come so
    check_not_lazy(**{name: X})
    _check_form(name, X)
    return Table(normalize(X))


# Refusals, each with the way to a table

_IN_MEMORY = (np.ndarray, pd.DataFrame, pd.Series, list, tuple)

_LAZY: dict[str, tuple[str, str]] = {
    "dask": ("compute", "map_partitions"),  # arrays: map_blocks
    "polars": ("collect", "map_batches"),
    "pyarrow": ("to_table", "to_batches"),
    "duckdb": ("df", "to_arrow_reader"),
    "ibis": ("to_pandas", "to_pyarrow_batches"),
    "pyspark": ("toPandas", "mapInPandas"),
    "ray": ("to_pandas", "map_batches"),
}
"""By library: methods that only its lazy tables have, to load all rows or by part."""


def check_not_lazy(**arguments: object) -> None:
    """Raise TypeError, without importing or computing, if an argument has no rows."""
    for name, value in arguments.items():
        if value is None or isinstance(value, _IN_MEMORY):
            continue
        came, advice = _find_lazy(name, value)
        if advice:
            raise TypeError(f"expected rows in memory as {name}, got {came}. {advice}.")


def _find_lazy(name: str, value: Any) -> tuple[str, str]:
    """Describe a value without rows, and how to get them; no advice if it has some."""
    came = _describe_type(value)
    library, names = _find_library(value)
    if isinstance(value, str | os.PathLike):
        column = f"table[{name}] for that of a column"
        return came, f"Pass pandas.read_parquet({name}) for a file name, or {column}"
    if nw.dependencies.is_narwhals_lazyframe(value):
        return came, f"Pass {name}.collect().to_native()"
    if nw.dependencies.is_narwhals_dataframe(value):  # scikit-learn sees no names in it
        return came, f"Pass {name}.to_native()"
    if library == "pyarrow" and "RecordBatch" in names:  # likewise
        return came, f"Pass pyarrow.Table.from_batches([{name}])"
    if isinstance(value, Iterator):
        return came, "Pass all of its rows as one table or list"
    if library in _LAZY and names & {"Expr", "Expression", "Column"}:
        came = f"the expression {came}"
        return came, 'Pass a column that has been computed, such as table["label"]'
    load, by_part = _LAZY.get(library, ("", ""))
    graph = getattr(value, "__dask_graph__", None)
    is_dask = callable(graph) and graph() is not None  # xarray may wrap one
    if not is_dask and not hasattr(type(value), load or "?"):
        return came, ""
    advice = f"Call {name}.{load or 'compute'}()"
    if name == "X":
        if is_dask and not hasattr(type(value), by_part or "?"):
            by_part = "map_blocks"
        advice += f", or predict part by part with X.{by_part}"
        if is_dask:
            advice += " (to train on it, use skmlp.dask.DaskMLPSoftmaxClassifier)"
    return f"the lazy {came}", advice


def _find_library(value: object) -> tuple[str, set[str]]:
    """Return the library of a value, if it has lazy tables, and its class names."""
    bases = type(value).__mro__
    modules = [base.__module__.partition(".")[0].lstrip("_") for base in bases]
    library = next((module for module in modules if module in _LAZY), "")
    return library, {base.__name__ for base in bases}


def _describe_type(value: object) -> str:
    """Return the type of a value with its package, such as "dask DataFrame"."""
    package = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    return name if package == "builtins" else f"{package} {name}"


def _check_form(name: str, X: Any) -> None:
    """Raise TypeError if rows in memory are in another form than a table."""
    is_structured = getattr(getattr(X, "dtype", None), "names", None) is not None
    if isinstance(X, np.ndarray) and X.ndim == 2 and not is_structured:
        return
    came = _describe_type(X)
    if is_structured:
        came, way = "a structured array", f"pd.DataFrame({name})"
        if isinstance(X, np.ma.MaskedArray):
            came += " with a mask"
            way = f"pd.DataFrame({name}.tolist(), columns={name}.dtype.names)"
    elif _is_dict(X):
        is_one_row = any(map(pd.api.types.is_scalar, X.values()))
        came = "a dict of one row" if is_one_row else "a dict of columns"
        way = f"pd.DataFrame([{name}])" if is_one_row else f"pd.DataFrame({name})"
    elif isinstance(X, list | tuple) and len(X) > 0 and _is_dict(X[0]):
        came, way = "a list of dicts", f"pd.DataFrame({name})"
    elif _has_dicts(X):
        came, way = "an array of dicts", f"pd.DataFrame(list({name}))"
    elif _has_no_axes(X):
        way = "a DataFrame, or an array of shape (n_samples, n_features)"
    else:
        return
    raise TypeError(f"expected a table as {name}, got {came}. Pass {way}.")


def _is_dict(X: object) -> TypeGuard[Mapping]:
    """Return True for a dict; some sparse matrices are dicts as well."""
    return isinstance(X, Mapping) and not hasattr(X, "shape")


def _has_dicts(X: Any) -> bool:
    """Return True for an array or a Series of dicts, one per row."""
    is_line = isinstance(X, np.ndarray | pd.Series) and X.ndim == 1
    return is_line and len(X) > 0 and _is_dict(np.asarray(X)[0])


def _has_no_axes(X: Any) -> bool:
    """Return True for what can't hold rows, such as None, a number or a set."""
    if isinstance(X, bytes | bytearray | type):
        return True
    if hasattr(X, "ndim"):
        return X.ndim == 0
    holds_rows = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    return not (holds_rows or hasattr(X, "__array__") or hasattr(X, "shape"))


# Column names that scikit-learn does not remember: not all strings, or not unique

NAMES_ATTRIBUTE = "_column_names"
"""Attribute of a fitted estimator that holds such names; absent without any."""


def remember_names(estimator: object, X: object) -> None:
    """Store column names that scikit-learn does not remember on an estimator."""
    # narwhals reads frames with unique names of text only
    names = list(X.columns) if isinstance(X, pd.DataFrame) else []
    if names and not _has_sklearn_names(names):
        setattr(estimator, NAMES_ATTRIBUTE, names)
    elif hasattr(estimator, NAMES_ATTRIBUTE):
        delattr(estimator, NAMES_ATTRIBUTE)


def get_remembered_names(estimator: object) -> list[Hashable] | None:
    """Return the names that `remember_names` stored."""
    return getattr(estimator, NAMES_ATTRIBUTE, None)


def check_names(estimator: object, X: object) -> None:
    """Raise ValueError if the columns of a frame are not those remembered."""
    known = get_remembered_names(estimator)
    if known is None or not isinstance(X, pd.DataFrame):
        return
    came = list(X.columns)
    now, before = to_index(came), to_index(known)
    if _has_sklearn_names(came) or now.equals(before):
        return
    new, missing = list(now[~now.isin(before)]), list(before[~before.isin(now)])
    facts = [f"new: {format_list(new)}"] if new else []
    facts += [f"missing: {format_list(missing)}"] if missing else []
    if facts or len(came) != len(known):
        facts.append(f"{len(came)} columns in place of {len(known)}")
        raise ValueError(
            f"the columns of X should be those of fit; there are {'; '.join(facts)}."
        )
    pairs = zip(came, known, strict=True)
    place = [to_index([a]).equals(to_index([b])) for a, b in pairs].index(False)
    raise ValueError(
        f"the columns of X should be in the order of fit. Column {came[place]!r} is "
        f"where {known[place]!r} was; pass X with its columns in this order: "
        f"{format_list(known)}."
    )


def _has_sklearn_names(names: Sequence[Hashable]) -> bool:
    """Return True if scikit-learn remembers the names, or refuses them by itself."""
    has_strings = any(isinstance(name, str) for name in names)
    # mixed with others, it refuses them
    return has_strings and len(set(names)) == len(names)


def to_index(names: Sequence[Hashable]) -> pd.Index:
    """Return names as an index, in which NaN equals NaN."""
    return pd.Index(names, dtype=object, tupleize_cols=False)


def format_list(values: Sequence[object] | np.ndarray, most: int = 10) -> str:
    """Format the first values for a message."""
    first = values[:most]
    if isinstance(first, np.ndarray):
        first = first.tolist()  # Python numbers, which print without their type
    shown = ", ".join(map(repr, first))
    rest = len(values) - most
    return f"[{shown}]" if rest <= 0 else f"[{shown}, and {rest} more]"


# Arrays and sparse matrices


def normalize(X: TableLike) -> Any:
    """Resolve masks, byte order and unsorted sparse rows; never write to `X`."""
    if is_sparse(X):
        return _canonicalize_csr(X) if X.ndim == 2 else X
    if isinstance(X, np.ndarray):
        return to_native(fill_masked(X))
    if isinstance(X, list | tuple) and _has_masked(X):
        return normalize(np.ma.array(X))
    return X


def is_sparse(X: object) -> TypeGuard[SparseMatrix]:
    """Return True for a sparse matrix or array of SciPy."""
    # a frame takes microseconds to find that it has no such attribute
    return not isinstance(X, pd.DataFrame) and hasattr(X, "tocsr")


def _canonicalize_csr(X: Any) -> SparseMatrix:
    """Convert to CSR with sorted columns and summed duplicates, as in `toarray`."""
    rows = X.tocsr()
    parts = (to_native(rows.data), rows.indices, rows.indptr)
    # a new matrix: the caller's flags may be out of date, and reading them writes them
    rows = type(rows)(parts, shape=rows.shape)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def to_native(array: np.ndarray) -> np.ndarray:
    """Convert to a dtype of pandas: native bytes, no StringDType, no long double."""
    if array.dtype.char == "T":
        return array.astype(object)
    if array.dtype.char == "g":
        return _narrow_floats(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _narrow_floats(array: np.ndarray) -> np.ndarray:
    """Convert extended floats to float64, or to objects where that would merge some."""
    doubles = array.astype(np.float64)
    if ((doubles == array) | np.isnan(array)).all():
        return doubles
    # such as 2**53 + 1, which a long double holds
    values = [int(value) if value.is_integer() else value for value in array.ravel()]
    return to_objects(values).reshape(array.shape)


def read_rows(X: TableLike, read: Callable[..., Any] = np.asarray) -> np.ndarray:
    """Convert lists of rows to an array, of objects where NumPy would change values."""
    array: np.ndarray = read(X)
    if hasattr(X, "dtype"):
        return array
    # NumPy turns numbers beside text into text, and large integers beside floats into
    # floats
    if array.dtype.kind == "U" or (array.dtype.kind == "f" and exceeds_float(array)):
        array = read(X, dtype=object)
    return to_native(array)


def to_objects(values: Iterable[object]) -> np.ndarray:
    """Convert to a 1-D array of Python objects, also where the values are tuples."""
    # np.array would make a matrix of tuples of equal length
    index = pd.Index(values, dtype=object, tupleize_cols=False)
    return np.asarray(index.array, dtype=object)


def exceeds_float(numbers: np.ndarray) -> bool:
    """Return True if some numbers are so large that float64 would merge integers."""
    if numbers.dtype.kind not in "iuf" or numbers.dtype.itemsize < 8:
        return False
    return bool(((numbers >= _FLOAT_LIMIT) | (numbers <= -_FLOAT_LIMIT)).any())


def find_missing(values: Values) -> np.ndarray:
    """Return a mask of the missing values, signaling NaNs of `Decimal` included."""
    try:
        return np.asarray(pd.isna(values))
    except InvalidOperation:  # a signaling NaN can't be compared, not even with itself
        return np.asarray(pd.isna(replace_signaling_nan(values)))


def replace_signaling_nan(values: np.ndarray) -> np.ndarray:
    """Return a copy of objects with NaN in place of signaling NaNs of `Decimal`."""
    is_signaling = [
        isinstance(value, Decimal) and value.is_snan() for value in values.ravel()
    ]
    copy = values.copy()
    copy[np.reshape(is_signaling, values.shape)] = np.nan
    return copy


def _has_masked(values: Iterable[object]) -> bool:
    """Return True if some of the values are masked arrays."""
    return any(isinstance(value, np.ma.MaskedArray) for value in values)


def fill_masked(array: np.ndarray) -> np.ndarray:
    """Return the array with NaN, NaT or None in place of masked values."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    mask = np.ma.getmaskarray(array)
    if not mask.any():
        return array.data
    dtype, missing = _MISSING_VALUES.get(array.dtype.kind, (object, None))
    if dtype is np.float64 and exceeds_float(array.data[~mask]):
        dtype, missing = object, None
    result = array.data.astype(dtype or array.dtype)  # a copy
    result[mask] = missing
    return result


_MISSING_VALUES: dict[str, tuple[DTypeLike | None, object]] = {
    "f": (None, np.nan),
    "c": (None, np.nan),
    "i": (np.float64, np.nan),
    "u": (np.float64, np.nan),
    # as text, which takes any unit: older NumPy turns NaT of another into a number
    "M": (None, "NaT"),
    "m": (None, "NaT"),
}
"""By kind: the dtype that has a missing value (None for its own), and that value."""


# Frames


def is_frame(X: object) -> TypeGuard[Frame]:
    """Return True for a table with named columns that narwhals reads eagerly."""
    return isinstance(X, pd.DataFrame) or nw.dependencies.is_into_dataframe(X)


def read_header(X: Frame) -> pd.DataFrame:
    """Return the column names of a frame in a form that every scikit-learn reads."""
    if isinstance(X, pd.DataFrame):
        # some versions refuse names that come twice, and none remembers integers
        return X if X.columns.is_unique else pd.DataFrame(columns=range(X.shape[1]))
    return pd.DataFrame(columns=to_narwhals(X).columns)


def to_narwhals(X: Any) -> nw.DataFrame:
    """Wrap a frame of polars, pyarrow or another library."""
    return nw.from_native(X, eager_only=True)


def split_columns(
    X: Frame, roles: Mapping[str, str], table: str = "X"
) -> tuple[Frame, dict[str, ArrayLike]]:
    """Take columns out of a frame, such as that of the labels for the role "y"."""
    frame = X if isinstance(X, pd.DataFrame) else to_narwhals(X)
    names = list(frame.columns)
    for role, name in roles.items():
        if names.count(name) != 1:
            raise ValueError(
                f"{role}={name!r} should name a column of {table}, but "
                f"{names.count(name)} of its columns have that name; they are "
                f"{format_list(names)}."
            )
    if isinstance(frame, pd.DataFrame):
        columns = {role: frame[name] for role, name in roles.items()}
        return frame.drop(columns=list(roles.values())), columns
    columns = {role: frame[name].to_native() for role, name in roles.items()}
    return frame.drop(list(roles.values())).to_native(), columns


def is_plain_number(dtype: object) -> bool:
    """Return True for a dtype of NumPy that has real numbers."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def read_columns(X: Dense, exact: Container[int] = ()) -> list[Column]:
    """Read all columns; decimals and 128-bit integers as float64, but `exact` ones not.

    `exact` has the positions of columns, such as categories, that are read as objects.
    """
    if isinstance(X, np.ndarray):
        return [Column(j, f"x{j}", values) for j, values in enumerate(X.T)]
    if isinstance(X, pd.DataFrame):
        # by position, since narwhals refuses names that come twice
        named = [
            (name, read_pandas_series(series, j in exact))
            for j, (name, series) in enumerate(X.items())
        ]
    else:
        frame = to_narwhals(X)
        named = [
            (name, read_series(frame[name], j in exact))
            for j, name in enumerate(frame.columns)
        ]
    return [Column(j, name, values) for j, (name, values) in enumerate(named)]


def read_matrix(X: Dense) -> np.ndarray | None:
    """Read all columns as one 2-D array of numbers, where that takes no large copy."""
    if isinstance(X, np.ndarray):
        return X if is_plain_number(X.dtype) else None
    if X.shape[0] * X.shape[1] > _SMALL_TABLE:
        return None
    if not isinstance(X, pd.DataFrame):
        frame = to_narwhals(X)
        if all(isinstance(dtype, _SMALL_NUMBERS) for dtype in frame.schema.values()):
            return frame.to_numpy()
        return None
    dtypes = set(X.dtypes.array)
    if not all(map(is_plain_number, dtypes)):
        return None
    return X.to_numpy() if len(dtypes) == 1 else X.to_numpy(np.float64)


# The values of one column


def read_pandas_series(series: pd.Series, is_exact: bool = False) -> Values:
    """Return the values of a pandas column."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return to_native(series.to_numpy())  # no copy, as a rule
    if isinstance(dtype, pd.ArrowDtype):
        return read_series(nw.from_native(series, series_only=True), is_exact)
    if isinstance(dtype, pd.SparseDtype):  # dense values are what an encoder reads
        return np.asarray(series.array)
    return series.array


def read_series(series: nw.Series, is_exact: bool = False) -> Values:
    """Return the values of a column of polars, pyarrow or another library."""
    dtype = series.dtype
    if isinstance(dtype, nw.Decimal | nw.Int128 | nw.UInt128):  # none of NumPy's dtypes
        if is_exact:
            return to_objects(series.to_list())
        # by way of text: Arrow converts some decimals one bit off
        numbers = series.cast(nw.String) if isinstance(dtype, nw.Decimal) else series
        return numbers.cast(nw.Float64).to_numpy()
    if isinstance(dtype, nw.Categorical | nw.Enum):
        return _read_categories(series)
    if isinstance(dtype, nw.Date | nw.Datetime):
        return _read_datetimes(series)
    if isinstance(dtype, nw.Int64 | nw.UInt64) and series.is_null().any():
        # NumPy has missing integers as floats only, which merges large ones
        missing = series.is_null().to_numpy().copy()
        return pd.arrays.IntegerArray(series.fill_null(0).to_numpy().copy(), missing)
    if isinstance(dtype, nw.List | nw.Struct | nw.Array):
        raise TypeError(
            f"column {series.name!r} has the dtype {dtype}, which holds several "
            "values per row; spread them over columns of their own, or drop the column."
        )
    return series.to_numpy()


def _read_datetimes(series: nw.Series) -> Values:
    """Return dates and times as datetimes, in their time zone if they have one."""
    zone = getattr(series.dtype, "time_zone", None)
    if isinstance(series.dtype, nw.Date):
        series = series.cast(nw.Datetime("us"))  # midnight
    elif zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    # zoned times go through UTC, since NumPy knows no zones
    index = pd.DatetimeIndex(series.to_numpy())
    return (index if zone is None else index.tz_localize("UTC").tz_convert(zone)).array


def _read_categories(series: nw.Series) -> Values:
    """Return categories as such, also where their text looks like numbers."""
    if series.implementation.is_polars():
        return pd.Categorical(series.cast(nw.String).to_numpy())
    # dictionaries of Arrow may hold numbers or dates
    return series.to_arrow().to_pandas().array
