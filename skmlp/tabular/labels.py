"""Labels of any library, read as arrays of their own types."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from skmlp.tabular.tables import has_masked, narwhals_values, native, pandas_values


def read_labels(y: Any) -> Any:
    """Labels of any library as an array whose dtype is theirs; lists stay as they are.

    NumPy by itself would make objects or floats of nullable truth values and integers.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        return read_labels(y.iloc[:, 0])[:, np.newaxis]
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        y = pd.Series(y)
    if isinstance(y, pd.Series):
        y = pandas_values(y)
    elif nw.dependencies.is_into_series(y):
        y = narwhals_values(nw.from_native(y, series_only=True))
    if isinstance(y, np.ndarray):
        if has_masked([y]):
            refuse_missing(np.ma.getmaskarray(y))
        return native(np.asarray(y))
    if not isinstance(y, pd.api.extensions.ExtensionArray):
        return y
    refuse_missing(y.isna())
    if isinstance(y, pd.Categorical):
        return read_labels(y.categories)[y.codes]
    return y.to_numpy(getattr(y.dtype, "numpy_dtype", None))


def refuse_missing(is_missing: np.ndarray) -> None:
    """Raise where rows have no label."""
    if is_missing.any():
        raise ValueError(
            f"y has no label in {int(is_missing.sum())} rows, where it is masked or "
            "missing; drop these rows from X and y."
        )
