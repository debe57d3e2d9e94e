"""Labels of any library, read as arrays of their own types."""

from collections.abc import Iterable, Sequence
from numbers import Number

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp.tabular.frame import (
    Values,
    exceeds_float,
    fill_masked,
    find_missing,
    is_frame,
    read_pandas_series,
    read_series,
    to_narwhals,
    to_native,
    to_objects,
)

FLOATS = (float, np.floating)

ROWS_OF = {"y": "X and y", "y_val": "X_val and y_val"}
"""By argument of `fit`: what rows without a label are to be dropped from."""


def read_labels(y: ArrayLike, name: str = "y") -> ArrayLike:
    """Labels of any library as an array of their own type, none of them missing.

    Whatever is no line of labels, nor a table with one column, stays as it is. `name`
    is that of the argument, for messages.
    """
    if is_frame(y) and y.shape[1] == 1:
        if isinstance(y, pd.DataFrame):
            column = y.iloc[:, 0]
        else:
            column = to_narwhals(y)[:, 0].to_native()
        return np.asarray(read_labels(column, name))[:, np.newaxis]
    values = read_values(y)
    if values is None:
        return y
    check_no_missing_labels(int(find_missing(values).sum()), name)
    return to_label_array(values)


def read_present_labels(y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the rows that have one, and a mask of those that have none."""
    values = read_values(y)
    if values is None:
        values = np.asarray(y)
    is_missing = find_missing(values)
    return to_label_array(values[~is_missing]), is_missing


def read_values(y: ArrayLike) -> Values | None:
    """Labels as an array that may lack some; None if they make no line.

    NumPy by itself would make objects or floats of nullable truth values and integers,
    text of a number beside text, and floats of integers beside floats.
    """
    pyarrow = nw.dependencies.get_pyarrow()
    if pyarrow is not None and isinstance(y, pyarrow.Array):
        y = pyarrow.chunked_array([y])
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        y = pd.Series(y)
    if isinstance(y, pd.Series) and not isinstance(y.dtype, pd.ArrowDtype):
        return read_pandas_series(y)
    if nw.dependencies.is_into_series(y):
        return series_values(nw.from_native(y, series_only=True))
    if isinstance(y, np.ndarray):
        return to_native(np.asarray(fill_masked(y)))
    return list_values(y) if isinstance(y, list | tuple) else None


def series_values(series: nw.Series) -> Values:
    """The values of a series; categories, which in pyarrow may be numbers, stay so."""
    if isinstance(series.dtype, nw.Categorical | nw.Enum):
        return to_objects(series.to_list())
    return read_series(series, is_exact=True)


def list_values(labels: Sequence[object]) -> np.ndarray | None:
    """The labels of a list as objects, but text as NumPy's; None for nested lists."""
    types = set(map(type, labels))
    others = [one for one in types if not issubclass(one, str | bytes)]
    if types and not others:
        return np.array(labels)
    is_nested = any(hasattr(one, "__len__") for one in others)
    return None if is_nested else to_objects(labels)


def to_label_array(values: Values) -> np.ndarray:
    """The values, none of which may be missing, as an array of their own type."""
    if isinstance(values, pd.Categorical):
        known = read_pandas_series(pd.Series(values.categories))
        return to_label_array(known)[values.codes]
    if not isinstance(values, np.ndarray):
        return values.to_numpy(getattr(values.dtype, "numpy_dtype", None))
    if values.dtype == object and are_numbers(values.ravel()):
        return to_exact_numbers(values.ravel()).reshape(values.shape)
    return values


def to_exact_numbers(numbers: np.ndarray) -> np.ndarray:
    """Python numbers as an array of NumPy's type for them, or as objects.

    They stay objects where no such type holds all of them exactly, as with `Decimal`,
    `Fraction` and integers of more than 64 bits.
    """
    array = np.array(numbers.tolist())
    if array.dtype != object and not exceeds_float(array):
        return array
    floats = [number for number in numbers if isinstance(number, FLOATS)]
    if not all(number.is_integer() for number in floats):
        return numbers.astype(np.float64)  # which is refused as continuous
    exact = [int(n) if isinstance(n, FLOATS) else n for n in numbers]
    array = np.array(exact)
    if array.dtype.kind != "f":
        return array
    # integers of 64 bits, of which NumPy makes floats unless all are signed
    return to_objects(exact) if min(exact) < 0 else np.array(exact, dtype=np.uint64)


def are_numbers(values: Iterable[object]) -> bool:
    """Return True if all values are numbers or truth values."""
    return all(issubclass(one, Number | np.bool_) for one in set(map(type, values)))


def find_labels(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The index of each label among the sorted classes; -1 where it is none of them."""
    if y.dtype == object or y.dtype.kind != classes.dtype.kind:
        # as Python compares them: NumPy would merge integers of different types
        y, classes = y.astype(object), classes.astype(object)
        return pd.Index(classes, dtype=object).get_indexer(pd.Index(y, dtype=object))
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return np.where(classes[codes] == y, codes, -1)


def check_no_missing_labels(n_missing: int, name: str = "y") -> None:
    """Raise where rows have no label."""
    if n_missing:
        raise ValueError(
            f"{name} has no label in {n_missing} rows, where it is masked or missing; "
            f"drop these rows from {ROWS_OF.get(name, name)}."
        )
