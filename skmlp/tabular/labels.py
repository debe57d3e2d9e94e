"""Labels and sample weights of any library, read as arrays."""

from collections.abc import Iterable, Sequence
from numbers import Number

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp._sklearn_compat import check_sample_weight
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

_FLOAT_TYPES = (float, np.floating)

_TABLES = {"y": "X and y", "y_val": "X_val and y_val"}
"""By argument of `fit`: where to drop rows without a label."""

SMALLEST, LARGEST = 1e-100, 1e100
"""Range of the largest sample weight in which sums and products stay finite."""


def read_labels(y: ArrayLike, name: str = "y") -> ArrayLike:
    """Convert labels to an array of their own type, and refuse missing ones.

    Anything but a line of labels or a table of one column is returned as it is.
    """
    if is_frame(y) and y.shape[1] == 1:
        if isinstance(y, pd.DataFrame):
            column = y.iloc[:, 0]
        else:
            column = to_narwhals(y)[:, 0].to_native()
        return np.asarray(read_labels(column, name))[:, np.newaxis]  # (n_rows, 1)
    values = _read_values(y)
    if values is None:
        return y
    check_no_missing_labels(int(find_missing(values).sum()), name)
    return _to_label_array(values)


def read_present_labels(y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that are not missing, and a mask of the missing ones."""
    values = _read_values(y)
    if values is None:
        values = np.asarray(y)
    is_missing = find_missing(values)
    return _to_label_array(values[~is_missing]), is_missing


def _read_values(y: ArrayLike) -> Values | None:
    """Return labels as an array with missing values; None unless they are one line.

    NumPy alone would read nullable booleans and integers as objects or floats, numbers
    beside text as text, and integers beside floats as floats.
    """
    pyarrow = nw.dependencies.get_pyarrow()
    if pyarrow is not None and isinstance(y, pyarrow.Array):
        y = pyarrow.chunked_array([y])
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        y = pd.Series(y)
    if isinstance(y, pd.Series) and not isinstance(y.dtype, pd.ArrowDtype):
        return read_pandas_series(y)
    if nw.dependencies.is_into_series(y):
        series = nw.from_native(y, series_only=True)
        if isinstance(series.dtype, nw.Categorical | nw.Enum):
            return to_objects(series.to_list())  # pyarrow has categories of numbers
        return read_series(series, is_exact=True)
    if isinstance(y, np.ndarray):
        return to_native(np.asarray(fill_masked(y)))
    return _read_list(y) if isinstance(y, list | tuple) else None


def _read_list(labels: Sequence[object]) -> np.ndarray | None:
    """Return a list as objects, or as NumPy's text; None for nested lists."""
    types = set(map(type, labels))
    others = [one for one in types if not issubclass(one, str | bytes)]
    if types and not others:
        return np.array(labels)  # text
    is_nested = any(hasattr(one, "__len__") for one in others)
    return None if is_nested else to_objects(labels)


def _to_label_array(values: Values) -> np.ndarray:
    """Convert values, none of them missing, to an array of their own type."""
    if isinstance(values, pd.Categorical):
        known = read_pandas_series(pd.Series(values.categories))
        return _to_label_array(known)[values.codes]  # no code is -1: none is missing
    if not isinstance(values, np.ndarray):
        # pandas would make objects of nullable integers and booleans
        return values.to_numpy(getattr(values.dtype, "numpy_dtype", None))
    if values.dtype == object and are_numbers(values.ravel()):
        return _to_exact_numbers(values.ravel()).reshape(values.shape)
    return values


def _to_exact_numbers(numbers: np.ndarray) -> np.ndarray:
    """Convert Python numbers to a dtype that holds all of them exactly, or to objects.

    `Decimal`, `Fraction` and integers of more than 64 bits have no such dtype.
    """
    array = np.array(numbers.tolist())
    if array.dtype != object and not exceeds_float(array):
        return array
    floats = [number for number in numbers if isinstance(number, _FLOAT_TYPES)]
    if not all(number.is_integer() for number in floats):
        return numbers.astype(np.float64)  # refused later, as continuous
    exact = [int(n) if isinstance(n, _FLOAT_TYPES) else n for n in numbers]
    array = np.array(exact)
    if array.dtype.kind != "f":
        return array
    # NumPy makes floats of 64-bit integers unless all are signed
    return to_objects(exact) if min(exact) < 0 else np.array(exact, dtype=np.uint64)


def are_numbers(values: Iterable[object]) -> bool:
    """Return True if all values are numbers or booleans."""
    return all(issubclass(one, Number | np.bool_) for one in set(map(type, values)))


def find_labels(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the index of each label in the sorted classes; -1 for an unknown label."""
    if y.dtype == object or y.dtype.kind != classes.dtype.kind:
        # as Python compares them: NumPy would merge integers of different types
        y, classes = y.astype(object), classes.astype(object)
        return pd.Index(classes, dtype=object).get_indexer(pd.Index(y, dtype=object))
    # the place of an unknown label may be behind the last class
    y_encoded = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return np.where(classes[y_encoded] == y, y_encoded, -1)


def check_no_missing_labels(n_missing: int, name: str = "y") -> None:
    """Raise ValueError if rows have no label."""
    if n_missing:
        raise ValueError(
            f"{name} has no label in {n_missing} rows, where it is masked or missing; "
            f"drop these rows from {_TABLES.get(name, name)}."
        )


def check_weights(sample_weight: ArrayLike | None, n_rows: int) -> np.ndarray:
    """Return a new array of one non-negative float64 per row; None means 1 each."""
    if isinstance(sample_weight, np.ma.MaskedArray):
        n_masked = int(np.ma.getmaskarray(sample_weight).sum())
        if n_masked:
            raise ValueError(
                f"sample_weight is a masked array that hides {n_masked} of its "
                "weights; give these rows a weight (0 leaves a row out)."
            )
    weight = check_sample_weight(sample_weight, n_rows)  # (n_rows,), a copy
    if not weight.any():
        raise ValueError(
            "sample_weight must be positive for some row, but all weights are zero."
        )
    return limit_range(weight)


@np.errstate(all="ignore")
def limit_range(weight: np.ndarray) -> np.ndarray:
    """Scale weights if sums of the largest would overflow or vanish; ratios stay."""
    largest = weight.max(initial=0.0)
    wanted = np.clip(largest, SMALLEST, LARGEST)
    return weight if largest in (0, wanted) else weight / largest * wanted
