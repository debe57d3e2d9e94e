"""Infer the type of a column from its dtype, or from its values if they are objects.

The types are "numbers", "dates", "durations", "times", "categories" and, without any
value, "empty". Text is a category unless most of it can be parsed.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from numbers import Number

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp._sklearn_compat import InvalidParameterError
from skmlp.tabular.factorize import TRUTH_TYPES, Factorized
from skmlp.tabular.frame import Column, Values, find_missing
from skmlp.tabular.text_parsing import has_text, infer_text_type, split_text

TYPE_OF_NUMPY_KIND = {
    **dict.fromkeys("iuf", "numbers"),
    **dict.fromkeys("bUS", "categories"),
    "M": "dates",
    "m": "durations",
}
TYPE_OF_PANDAS_DTYPE = {
    pd.CategoricalDtype: "categories",
    pd.StringDtype: "categories",
    pd.BooleanDtype: "categories",
    pd.IntervalDtype: "categories",
    pd.DatetimeTZDtype: "dates",
    pd.PeriodDtype: "dates",
}
# by the words of pd.api.types.infer_dtype; all others are categories
TYPE_OF_OBJECTS = {
    **dict.fromkeys(
        ["integer", "floating", "mixed-integer-float", "decimal"], "numbers"
    ),
    **dict.fromkeys(["date", "datetime", "datetime64", "period"], "dates"),
    **dict.fromkeys(["timedelta", "timedelta64"], "durations"),
    "time": "times",
}
COMPLEX_TYPES = (complex, np.complexfloating)
DATE_TYPES = (dt.date, np.datetime64, pd.Period)  # may come together in one column


def infer_column_type(
    column: Column, parse: bool = False, factorized: Factorized | None = None
) -> str:
    """Infer the type of a column; with `parse`, text is of the type it stands for.

    `factorized` are the values of a column that holds nothing but text.
    """
    if is_all_missing(column.data):
        return "empty"
    stored = infer_stored_type(column)
    if not (parse and stored == "categories"):
        return stored
    if factorized is not None:
        return infer_text_type(*factorized) or stored
    if not has_text(column.data):
        return stored
    # text among other values: the majority decides
    texts, others = split_text(column.data)
    codes, distinct = pd.factorize(texts)
    other = _infer_object_type(column._replace(data=others)) if len(others) else None
    return infer_text_type(codes, distinct, other, len(others)) or stored


def is_all_missing(values: Values) -> bool:
    """Return True if no value is there, so that a column is of any type."""
    # the last row first: it decides for most columns at no cost
    return bool(find_missing(values[-1:]).all() and find_missing(values).all())


def infer_stored_type(column: Column) -> str:
    """Infer the type of a column that has values, without parsing text."""
    dtype = column.data.dtype
    if has_objects(column.data):
        return _infer_object_type(column)
    if isinstance(dtype, np.dtype):
        found = TYPE_OF_NUMPY_KIND.get(dtype.kind)
    else:
        found = TYPE_OF_PANDAS_DTYPE.get(type(dtype))
        if found is None and pd.api.types.is_any_real_numeric_dtype(dtype):
            found = "numbers"
    if found is None:
        raise TypeError(
            f"{column.describe()} can't be encoded: it holds neither real numbers, "
            "categories, text, dates nor durations; convert it to one of these, or "
            "drop it."
        )
    return found


def has_objects(values: Values) -> bool:
    """Return True for an array of Python objects, which may be anything."""
    return isinstance(values, np.ndarray) and values.dtype.kind == "O"


def _infer_object_type(column: Column) -> str:
    """Infer the common type of all objects of a column."""
    inferred = pd.api.types.infer_dtype(column.data, skipna=True)
    if inferred in {"mixed", "mixed-integer"}:
        counts = Counter(map(type, column.data[~find_missing(column.data)]))
        if any(issubclass(cls, COMPLEX_TYPES) for cls in counts):
            inferred = "complex"
        elif _are_real_numbers(counts):
            return "numbers"
        elif all(issubclass(cls, DATE_TYPES) for cls in counts):
            return "dates"
        elif all(issubclass(cls, dt.timedelta) for cls in counts):
            return "durations"  # beside pd.NA, pandas 2 calls these mixed
    if inferred == "complex":
        raise ValueError(
            f"{column.describe()} holds complex numbers; Complex data not supported: "
            "split it into real and imaginary part."
        )
    return TYPE_OF_OBJECTS.get(inferred, "categories")


def _are_real_numbers(counts: Mapping[type, int]) -> bool:
    """Return True for numbers with a minority of truth values, by counts per type."""
    n_truth = sum(counts.get(cls, 0) for cls in TRUTH_TYPES)
    return 2 * n_truth < sum(counts.values()) and all(
        issubclass(cls, (Number, *TRUTH_TYPES)) for cls in counts
    )


def selects_columns(given: ArrayLike | None) -> bool:
    """Return True if `categorical_features` is not left to the dtypes."""
    return not (given is None or isinstance(given, str))


def mask_columns(
    given: ArrayLike | None, n_features: int, names: np.ndarray | None
) -> np.ndarray:
    """Turn the mask, indices or names of `categorical_features` into a mask."""
    mask = np.zeros(n_features, dtype=bool)
    if not selects_columns(given):
        return mask
    array = np.asarray(given)
    if array.dtype.kind in "OT":  # truth values as objects, StringDType
        array = np.asarray(array.tolist())
    if array.ndim != 1:
        raise InvalidParameterError(
            f"categorical_features must be a list of columns, got {given!r}. Pass a "
            "mask, indices or names."
        )
    if array.size == 0:
        return mask
    if array.dtype.kind == "b":
        if array.shape != (n_features,):
            raise ValueError(
                f"categorical_features is a mask of shape {array.shape}, but X has "
                f"{n_features} columns; give one truth value per column."
            )
        return array.copy()
    if array.dtype.kind not in "iu":
        return _mask_names(given, array, names)
    outside = array[(array < 0) | (array >= n_features)]
    if len(outside):
        raise ValueError(
            f"categorical_features has the indices {outside.tolist()}, but X has "
            f"{n_features} columns; give indices from 0 to {n_features - 1}."
        )
    mask[array] = True
    return mask


def _mask_names(
    given: ArrayLike | None, array: np.ndarray, names: np.ndarray | None
) -> np.ndarray:
    """Mask the columns of some names."""
    if not all(isinstance(name, str) for name in array):
        raise ValueError(
            f"categorical_features must be a mask, indices or names, got {given!r}."
        )
    if names is None:
        raise ValueError(
            f"categorical_features names {array.tolist()}, but the columns of X have "
            "no names; give indices, or pass a table with names."
        )
    unknown = sorted(set(array.tolist()) - set(names.tolist()))
    if unknown:
        raise ValueError(
            f"categorical_features names {unknown}, which are no columns of X."
        )
    return np.isin(names.astype(str), array.astype(str))
