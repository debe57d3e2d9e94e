"""Tables of any kind, read as columns: NumPy arrays or pandas extension arrays."""

from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoDataFrame
from numpy.typing import ArrayLike, DTypeLike

from skmlp.tabular.names import format_list

Values: TypeAlias = np.ndarray | pd.api.extensions.ExtensionArray
"""The values of one column."""


class SparseMatrix(Protocol):
    """What is used of SciPy's sparse matrices and arrays, by rows or by columns."""

    shape: tuple[int, ...]
    ndim: int
    dtype: np.dtype
    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    has_canonical_format: bool

    def __init__(
        self,
        parts: tuple[np.ndarray, np.ndarray, np.ndarray],
        shape: tuple[int, ...],
    ) -> None: ...
    def __getitem__(self, rows: slice | np.ndarray) -> "SparseMatrix": ...
    def copy(self) -> "SparseMatrix": ...
    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> "SparseMatrix": ...
    def tocsr(self) -> "SparseMatrix": ...
    def tocsc(self) -> "SparseMatrix": ...
    def toarray(self) -> np.ndarray: ...
    def sum_duplicates(self) -> None: ...
    def check_format(self, full_check: bool = True) -> None: ...


class NarwhalsFrame(Protocol):
    """What is used of tables of polars, pyarrow or another library, narwhals aside."""

    @property
    def shape(self) -> tuple[int, int]: ...


Frame: TypeAlias = pd.DataFrame | NarwhalsFrame
"""A table with named columns."""

Dense: TypeAlias = Frame | np.ndarray
"""A table whose cells are all there."""

Table: TypeAlias = Dense | SparseMatrix
"""A table that has been checked."""

TableLike: TypeAlias = Table | ArrayLike
"""What a user may hand in as a table."""

SMALL_TABLE = 1 << 16
"""Cells up to which a frame of numbers is copied as a whole, which takes less time."""

SMALL_NUMBERS = (nw.Float32, nw.Float64, nw.Int8, nw.Int16, nw.Int32, nw.Int64)
"""Dtypes of other libraries that are copied as a whole likewise."""

FLOAT_LIMIT = 2**53
"""Integers from which on float64 merges neighbors."""


class Column(NamedTuple):
    """One column: where it stands, what to call it in messages, and its values."""

    position: int
    name: Hashable
    data: Values

    def describe(self) -> str:
        """Name and dtype, for messages."""
        return f"column {self.name!r} (dtype {self.data.dtype})"


# What NumPy and SciPy leave to whoever reads their arrays


def normalize(X: TableLike) -> TableLike:
    """X with missing values for masked ones, native bytes and canonical sparse rows.

    Whatever needs nothing of this comes back as it is; the caller's X is never written.
    """
    if is_sparse(X):
        return canonicalize_csr(X) if X.ndim == 2 else X
    if isinstance(X, np.ndarray):
        return to_native(fill_masked(X))
    if isinstance(X, list | tuple) and has_masked(X):
        return normalize(np.ma.array(X))
    return X


def count_columns(X: TableLike) -> int:
    """Columns of X; 0 where it is no table, which whoever reads it will say."""
    # rows of unequal lengths are objects, and no error yet
    shape = X.shape if hasattr(X, "shape") else np.asarray(X, object).shape
    return shape[1] if len(shape) == 2 else 0


def is_sparse(X: object) -> TypeGuard[SparseMatrix]:
    """Whether X is one of SciPy's sparse matrices or arrays."""
    # a frame takes microseconds to find that it has no such attribute
    return not isinstance(X, pd.DataFrame) and hasattr(X, "tocsr")


def canonicalize_csr(X: SparseMatrix) -> SparseMatrix:
    """X as CSR with each entry once, in order of the columns, as `toarray` reads it."""
    rows = X.tocsr()
    parts = (to_native(rows.data), rows.indices, rows.indptr)
    # what the caller's matrix believes of its order may be out of date, and asking it
    # would write to it
    rows = type(rows)(parts, shape=rows.shape)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def to_native(array: np.ndarray) -> np.ndarray:
    """The array in a dtype that pandas reads: native bytes, no `StringDType`."""
    convert = CONVERSIONS.get(array.dtype.char)
    if convert is not None:
        return convert(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def read_rows(X: TableLike, read: Callable[..., Any] = np.asarray) -> np.ndarray:
    """Rows as an array, of objects where NumPy would change what lists of them hold.

    It turns numbers beside text into text, and large integers beside floats into these.
    """
    array: np.ndarray = read(X)
    if hasattr(X, "dtype"):
        return array
    if array.dtype.kind == "U" or (array.dtype.kind == "f" and exceeds_float(array)):
        array = read(X, dtype=object)
    return to_native(array)


def narrow_floats(array: np.ndarray) -> np.ndarray:
    """Convert extended floats to float64, or to objects where that would merge some."""
    doubles = array.astype(np.float64)
    if ((doubles == array) | np.isnan(array)).all():
        return doubles
    values = [int(value) if value.is_integer() else value for value in array.ravel()]
    return to_objects(values).reshape(array.shape)


CONVERSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "T": lambda array: array.astype(object),
    "g": narrow_floats,
}
"""By character of a dtype: how arrays are converted that pandas can't read exactly."""


def to_objects(values: Iterable[object]) -> np.ndarray:
    """A line of Python objects, one per value, also where the values are tuples."""
    index = pd.Index(values, dtype=object, tupleize_cols=False)
    return np.asarray(index.array, dtype=object)


def exceeds_float(numbers: np.ndarray) -> bool:
    """Return True if some numbers are so large that float64 would merge integers."""
    if numbers.dtype.kind not in "iuf" or numbers.dtype.itemsize < 8:
        return False
    return bool(((numbers >= FLOAT_LIMIT) | (numbers <= -FLOAT_LIMIT)).any())


def find_missing(values: Values) -> np.ndarray:
    """Return a mask of the missing values, signaling NaNs of `Decimal` included."""
    try:
        return np.asarray(pd.isna(values))
    except InvalidOperation:  # a signaling NaN can't be compared, not even with itself
        return np.asarray(pd.isna(replace_signaling_nan(values)))


def replace_signaling_nan(values: np.ndarray) -> np.ndarray:
    """Copy of objects in which NaN replaces the signaling NaNs of `Decimal`."""
    is_signaling = [
        isinstance(value, Decimal) and value.is_snan() for value in values.ravel()
    ]
    copy = values.copy()
    copy[np.reshape(is_signaling, values.shape)] = np.nan
    return copy


def has_masked(values: Iterable[object]) -> bool:
    """Whether some of the values are arrays with a mask."""
    return any(isinstance(value, np.ma.MaskedArray) for value in values)


def fill_masked(array: np.ndarray) -> np.ndarray:
    """The array with NaN, NaT or None in place of what a mask covers."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    mask = np.ma.getmaskarray(array)
    if not mask.any():
        return array.data
    dtype, missing = MISSING_OF_NUMPY.get(array.dtype.kind, (object, None))
    if dtype is np.float64 and exceeds_float(array.data[~mask]):
        dtype, missing = object, None
    result = array.data.astype(dtype or array.dtype)
    result[mask] = missing
    return result


MISSING_OF_NUMPY: dict[str, tuple[DTypeLike | None, object]] = {
    "f": (None, np.nan),
    "c": (None, np.nan),
    "i": (np.float64, np.nan),
    "u": (np.float64, np.nan),
    # as text, which takes any unit: older numpy turns NaT of another into a number
    "M": (None, "NaT"),
    "m": (None, "NaT"),
}
"""By kind: the dtype that knows a missing value (None for its own), and that value."""


# Tables of named columns


def is_frame(X: object) -> TypeGuard[Frame]:
    """Whether X is a table with named columns that narwhals reads eagerly."""
    return isinstance(X, pd.DataFrame) or nw.dependencies.is_into_dataframe(X)


def read_header(X: Frame) -> pd.DataFrame:
    """The column names of a frame, in a form that every scikit-learn can read."""
    if isinstance(X, pd.DataFrame):
        # some versions refuse names that come twice, and none remembers integers
        return X if X.columns.is_unique else pd.DataFrame(columns=range(X.shape[1]))
    return pd.DataFrame(columns=to_narwhals(X).columns)


def to_narwhals(X: NarwhalsFrame) -> nw.DataFrame:
    """A frame as narwhals shows it."""
    return nw.from_native(cast(IntoDataFrame, X), eager_only=True)


def split_columns(
    X: Frame, roles: Mapping[str, str], table: str = "X"
) -> tuple[Frame, dict[str, ArrayLike]]:
    """The frame without some columns, and these, by what they are for.

    `roles` has the name of a column for each role, such as "y"; `table` is that of the
    argument, for messages.
    """
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
    """Whether a dtype is NumPy's own, of real numbers."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def read_columns(X: Dense, exact: Container[int] = ()) -> list[Column]:
    """The columns of a frame or of a 2-D array, in order.

    Decimals and 128-bit integers are read as float64, which suits numbers; `exact` has
    the positions of the columns, such as categories, where they are read as objects.
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
    """All columns as one 2-D array of numbers, where that takes no large copy."""
    if isinstance(X, np.ndarray):
        return X if is_plain_number(X.dtype) else None
    if X.shape[0] * X.shape[1] > SMALL_TABLE:
        return None
    if not isinstance(X, pd.DataFrame):
        frame = to_narwhals(X)
        if not all(isinstance(dtype, SMALL_NUMBERS) for dtype in frame.schema.values()):
            return None
        return frame.to_numpy()
    dtypes = set(X.dtypes.array)
    if not all(map(is_plain_number, dtypes)):
        return None
    return X.to_numpy() if len(dtypes) == 1 else X.to_numpy(np.float64)


def read_pandas_series(series: pd.Series, is_exact: bool = False) -> Values:
    """The values of a pandas column."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return to_native(series.to_numpy())
    if isinstance(dtype, pd.ArrowDtype):
        return read_series(nw.from_native(series, series_only=True), is_exact)
    if isinstance(dtype, pd.SparseDtype):
        return np.asarray(series.array)
    return series.array


def read_series(series: nw.Series, is_exact: bool = False) -> Values:
    """The values of a column of polars, pyarrow or another library."""
    if is_exact and isinstance(series.dtype, WIDE):
        return to_objects(series.to_list())
    for kinds, read in READERS:
        if isinstance(series.dtype, kinds):
            return read(series)
    return series.to_numpy()


def read_integers(series: nw.Series) -> Values:
    """Integers, exact also beside missing values, which NumPy knows only as floats."""
    if not series.is_null().any():
        return series.to_numpy()
    missing = series.is_null().to_numpy()
    return pd.arrays.IntegerArray(series.fill_null(0).to_numpy().copy(), missing.copy())


def read_datetimes(series: nw.Series) -> Values:
    """Dates and times; those with a time zone stay in it."""
    zone = getattr(series.dtype, "time_zone", None)
    if isinstance(series.dtype, nw.Date):
        series = series.cast(nw.Datetime("us"))
    elif zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    index = pd.DatetimeIndex(series.to_numpy())
    return (index if zone is None else index.tz_localize("UTC").tz_convert(zone)).array


def read_categories(series: nw.Series) -> Values:
    """Categories, which stay so whatever their text may stand for."""
    if series.implementation.is_polars():
        return pd.Categorical(series.cast(nw.String).to_numpy())
    # dictionaries of Arrow may hold numbers or dates, which are no text
    return series.to_arrow().to_pandas().array


def raise_nested(series: nw.Series) -> Values:
    """Say that a column holds no plain values."""
    raise TypeError(
        f"column {series.name!r} has the dtype {series.dtype}, which holds several "
        "values per row; spread them over columns of their own, or drop the column."
    )


WIDE = (nw.Decimal, nw.Int128, nw.UInt128)
"""Dtypes that NumPy has none for, whose values are exact as Python objects."""

READERS: Sequence[tuple[tuple[type, ...], Callable[[nw.Series], Values]]] = (
    (WIDE, lambda series: series.cast(nw.Float64).to_numpy()),
    ((nw.Categorical, nw.Enum), read_categories),
    ((nw.Date, nw.Datetime), read_datetimes),
    ((nw.List, nw.Struct, nw.Array), raise_nested),
    ((nw.Int64, nw.UInt64), read_integers),
)
"""How dtypes are read that don't come as NumPy arrays as they are."""
