"""Labels of any library, read as arrays of their own types."""

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp.tabular.tables import (
    Values,
    has_masked,
    narwhals_values,
    native,
    pandas_values,
)


def read_labels(y: ArrayLike) -> ArrayLike:
    """Labels of any library as an array whose dtype is theirs; lists stay as they are.

    NumPy by itself would make objects or floats of nullable truth values and integers.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        return as_array(pandas_values(y.iloc[:, 0]))[:, np.newaxis]
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        y = pd.Series(y)
    if isinstance(y, pd.Series) and not isinstance(y.dtype, pd.ArrowDtype):
        return as_array(pandas_values(y))
    if nw.dependencies.is_into_series(y):
        return as_array(series_values(nw.from_native(y, series_only=True)))
    return as_array(y) if isinstance(y, np.ndarray) else y


def series_values(series: nw.Series) -> Values:
    """The values of a series; categories, which in pyarrow may be numbers, stay so."""
    if isinstance(series.dtype, nw.Categorical | nw.Enum):
        return pd.array(series.to_list())
    return narwhals_values(series)


def as_array(values: Values) -> np.ndarray:
    """The values, none of which may be missing, as an array of their own type."""
    if isinstance(values, np.ndarray):
        if has_masked([values]):
            refuse_missing(np.ma.getmaskarray(values))
        values = np.asarray(values)
        if values.dtype == object and all(map(is_number, values.ravel())):
            values = np.array(values.tolist())
        return native(values)
    refuse_missing(values.isna())
    if isinstance(values, pd.Categorical):
        return as_array(pandas_values(pd.Series(values.categories)))[values.codes]
    return values.to_numpy(getattr(values.dtype, "numpy_dtype", None))


def is_number(value: object) -> bool:
    """Whether a Python object is a number or a truth value."""
    return isinstance(value, int | float | np.number | np.bool_)


def refuse_missing(is_missing: np.ndarray) -> None:
    """Raise where rows have no label."""
    if is_missing.any():
        raise ValueError(
            f"y has no label in {int(is_missing.sum())} rows, where it is masked or "
            "missing; drop these rows from X and y."
        )
