"""X as numbers that go straight in: checked, and in the type of the network."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import validate_data


def check_rows(estimator: Any, X: Any, dtype: str) -> Any:
    """X to predict for, as an array or CSR matrix of `dtype`."""
    if not passes_all_checks(estimator, X):
        X = validate_data(
            estimator, X, accept_sparse="csr", dtype="numeric", reset=False
        )
    return as_matrix(X, dtype)


def check_rows_and_labels(
    estimator: Any, X: Any, y: Any, dtype: str, reset: bool
) -> tuple[Any, Any]:
    """X to train on, as an array or CSR matrix of `dtype`, and y as an array."""
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        dtype="numeric",
        multi_output=True,
        reset=reset,
    )
    return as_matrix(X, dtype), y


def as_matrix(X: Any, dtype: str) -> Any:
    """X in `dtype`, row by row in memory.

    Here rather than in `validate_data`, which rounds a data frame to a matrix that lies
    column by column, and then copies that.
    """
    options = {} if issparse(X) else {"order": "C"}
    # a number that is too large becomes inf, and scikit-learn says so
    with np.errstate(over="ignore"):
        matrix = X.astype(dtype, copy=False, **options)
    if matrix is not X:
        assert_all_finite(matrix, input_name="X")
    return matrix


def passes_all_checks(estimator: Any, X: Any) -> bool:
    """Whether scikit-learn's checks could find nothing wrong with X.

    True only for plain arrays, where this takes a tenth of the time of those checks,
    which is what matters for a single row.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )
