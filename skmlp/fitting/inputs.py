"""X to the matrix that the network reads: through an encoder, or straight in."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.tables import plain


def as_encoder(estimator: Any, rng: np.random.Generator | None = None) -> Any:
    """The unfitted encoder that `preprocessing` asks for; None for none.

    Parts of it that would draw from a source of their own get a seed from `rng`.
    """
    preprocessing = estimator.preprocessing
    if preprocessing is None:
        return None
    if isinstance(preprocessing, str):
        encoder = TableEncoder(estimator.categorical_features, dtype=estimator.dtype)
        # an array, whatever scikit-learn is set to give its users
        encoder.set_output(transform="default")
    else:
        encoder = clone(preprocessing)
    return encoder if rng is None else with_seeds(encoder, rng)


def with_seeds(encoder: Any, rng: np.random.Generator) -> Any:
    """The encoder, with a seed wherever it or a part of it has none."""
    seeds = {
        name: int(rng.integers(2**31))
        for name, value in encoder.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return encoder.set_params(**seeds)


def is_fitted(preprocessing: Any) -> bool:
    """Whether this is a transformer that is ready to transform rows."""
    if not hasattr(preprocessing, "transform"):
        return False
    try:
        check_is_fitted(preprocessing)
    except NotFittedError:
        return False
    return True


def fit_transform(encoder: Any, X: Any, y: Any, weight: np.ndarray | None) -> Any:
    """Fit an encoder, with weights if it takes any, and encode the same rows."""
    X = plain(X)
    if weight is None or not has_fit_parameter(encoder, "sample_weight"):
        return encoder.fit_transform(X, y)
    return encoder.fit_transform(X, y, sample_weight=weight)


def check_encoded(encoded: Any, dtype: str) -> Any:
    """What an encoder gave, as an array or CSR matrix of `dtype`."""
    name = "the encoded X"
    if type(encoded) is np.ndarray and encoded.dtype == dtype and encoded.ndim == 2:
        # all that can be wrong with it, at a tenth of the time of all checks
        assert_all_finite(encoded, input_name=name)
    else:
        encoded = check_array(
            plain(encoded), accept_sparse="csr", input_name=name, dtype="numeric"
        )
    return as_matrix(encoded, dtype)


def check_rows(estimator: Any, X: Any, dtype: str, reset: bool = False) -> Any:
    """X that goes straight in, as an array or CSR matrix of `dtype`."""
    if not reset and looks_plain(estimator, X):
        # a tenth of the time of scikit-learn's checks, which find nothing else here
        matrix = in_dtype(X, dtype)
        if np.isfinite(matrix).all():
            return matrix
    X = validate_data(
        estimator, plain(X), accept_sparse="csr", dtype="numeric", reset=reset
    )
    return as_matrix(X, dtype)


def as_matrix(X: Any, dtype: str) -> Any:
    """X in `dtype`, row by row in memory, and finite.

    Here rather than in `validate_data`, which rounds a data frame to a matrix that lies
    column by column, and then copies that.
    """
    matrix = in_dtype(X, dtype)
    if matrix is not X:
        assert_all_finite(matrix, input_name="X")
    return matrix


@np.errstate(all="ignore")
def in_dtype(X: Any, dtype: str) -> Any:
    """X in `dtype`; a number that is too large for it becomes inf."""
    options = {} if issparse(X) else {"order": "C"}
    return X.astype(dtype, copy=False, **options)


def looks_plain(estimator: Any, X: Any) -> bool:
    """Whether X is an array that can only be wrong in holding NaN or infinity."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )
