"""Inputs of the network: X through an encoder, or straight in."""

from typing import Self, TypeGuard, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skmlp.data.targets import Targets, is_unknown_to_sklearn
from skmlp.fitting.parameters import Parameters, Transformer
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import (
    NAMES_ATTRIBUTE,
    SparseMatrix,
    Table,
    TableData,
    TableLike,
    as_table,
    check_names,
    is_sparse,
    normalize,
    remember_names,
)
from skmlp.tabular.labels import find_labels
from skmlp.training.batches import MemoryRows, TrainingRows

M = TypeVar("M", np.ndarray, SparseMatrix)
"""A dense or a sparse matrix."""

_COLUMNS = ("n_features_in_", "feature_names_in_", NAMES_ATTRIBUTE)
"""Fitted attributes that say which columns X has; names are absent without any."""


class FittedInputs(BaseEstimator):
    """Encoder and columns of a fit, in the attributes that the estimator gets."""

    encoder_: Transformer | None
    n_features_in_: int

    @classmethod
    def of(cls, estimator: BaseEstimator, is_fitted: bool) -> Self:
        """Copy the inputs of a fitted estimator, or create empty ones for a new fit."""
        # scikit-learn's messages name the class of the object that knows the columns
        inputs = type(type(estimator).__name__, (cls,), {})()
        if is_fitted:
            inputs._copy(estimator, inputs)
        return inputs

    @property
    def is_fitted(self) -> bool:
        """Return True once there are an encoder, or None for it, and columns."""
        return hasattr(self, "encoder_")

    def store_on(self, estimator: BaseEstimator) -> None:
        """Set the attributes of the estimator, and remove those of an earlier fit."""
        self._copy(self, estimator)

    def take_encoder(self, encoder: Transformer) -> None:
        """Set a fitted encoder, which knows the columns of X."""
        self.encoder_ = encoder
        _copy_attributes(encoder, self, _COLUMNS[:2])

    @staticmethod
    def _copy(source: object, target: object) -> None:
        _copy_attributes(source, target, ("encoder_", *_COLUMNS))


def _copy_attributes(source: object, target: object, names: tuple[str, ...]) -> None:
    """Give `target` the attributes of `source`, and remove those it lacks."""
    for name in names:
        if hasattr(source, name):
            setattr(target, name, getattr(source, name))
        elif hasattr(target, name):
            delattr(target, name)


# The encoder


def make_encoder(
    parameters: Parameters, rng: np.random.Generator | None = None
) -> Transformer | None:
    """Create the unfitted encoder; parts without a seed get one drawn from `rng`."""
    if parameters.preprocessing is None:
        return None
    if isinstance(parameters.preprocessing, str):
        encoder = TableEncoder(parameters.categorical_features, dtype=parameters.dtype)
        # an array, whatever scikit-learn is set to give its users
        encoder.set_output(transform="default")
    else:
        encoder = clone(parameters.preprocessing)
    if rng is None:
        return encoder
    # names such as "pipeline__pca__random_state" reach parts of parts
    seeds = {
        name: int(rng.integers(2**31))
        for name, value in encoder.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return encoder.set_params(**seeds)


def spawn_encoder_rng(rng: np.random.Generator) -> np.random.Generator:
    """Draw the generator of the encoder from that of the fit.

    It is drawn for any encoder, so that the network's draws don't depend on which.
    """
    return np.random.default_rng(rng.integers(2**63, size=2))


def is_fitted(preprocessing: object) -> bool:
    """Return True for a transformer that is ready to transform rows."""
    if not hasattr(preprocessing, "transform"):
        return False
    try:
        check_is_fitted(preprocessing)
    except NotFittedError:
        return False
    return True


# The matrix


def fit_inputs(
    inputs: FittedInputs,
    parameters: Parameters,
    table: Table,
    targets: Targets,
    rows: np.ndarray | None,
    rng: np.random.Generator,
) -> MemoryRows:
    """Fit a new encoder on some rows (None for all), set `inputs`, and encode all."""
    encoder = make_encoder(parameters, spawn_encoder_rng(rng))
    # a TableEncoder remembers all names by itself
    remember_names(inputs, None if isinstance(encoder, TableEncoder) else table.data)
    if encoder is None:
        inputs.encoder_ = None
        return _check_rows(inputs, table.data, parameters.dtype, reset=True)
    return fit_encoder(inputs, encoder, parameters.dtype, table, targets, rows)


def fit_encoder(
    inputs: FittedInputs,
    encoder: Transformer,
    dtype: str,
    table: Table,
    targets: Targets,
    rows: np.ndarray | None,
) -> MemoryRows:
    """Fit this encoder on some rows (None for all), set `inputs`, and encode all."""
    weight = targets.sample_weight
    if rows is not None:
        # validation rows get the weight 0, and so count as little as ignored ones
        counted = 1.0 if weight is None else weight[rows]
        weight = np.zeros(len(targets.y))  # (n_rows,)
        weight[rows] = counted
    weights = {}
    # an encoder without such a parameter is fitted on all rows alike
    if weight is not None and has_fit_parameter(encoder, "sample_weight"):
        weights = {"sample_weight": weight}
    y = targets.y
    # other encoders would refuse labels such as Decimal
    if is_unknown_to_sklearn(y):
        y = find_labels(y, targets.classes)
    # a subclass, or another transformer, expects what users pass
    X = table if type(encoder) is TableEncoder else table.data
    x = encoder.fit_transform(X, y, **weights)
    inputs.take_encoder(encoder)
    return _check_encoded(x, dtype)


def encode_rows(inputs: FittedInputs, X: TableLike, dtype: str) -> MemoryRows:
    """Encode rows by fitted inputs, or by an estimator that has their attributes."""
    table = as_table(X)
    if type(inputs.encoder_) is TableEncoder:  # a subclass may transform otherwise
        return _check_encoded(inputs.encoder_.transform_for(inputs, table), dtype)
    check_names(inputs, table.data)
    if inputs.encoder_ is None:
        return _check_rows(inputs, table.data, dtype)
    return _check_encoded(inputs.encoder_.transform(table.data), dtype)


def _check_encoded(encoded: TableData, dtype: str) -> MemoryRows:
    """Return the output of an encoder as a finite array or CSR matrix of `dtype`."""
    name = "the encoded X"
    if type(encoded) is np.ndarray and encoded.dtype == dtype and encoded.ndim == 2:
        # all that can be wrong with it, at a tenth of the time of all checks
        assert_all_finite(encoded, input_name=name)
    else:
        encoded = check_array(
            normalize(encoded), accept_sparse="csr", input_name=name, dtype="numeric"
        )
    return _as_matrix(encoded, dtype)


def _check_rows(
    inputs: FittedInputs, X: TableData, dtype: str, reset: bool = False
) -> MemoryRows:
    """Return X that has no encoder as a finite array or CSR matrix of `dtype`."""
    if not reset and _looks_plain(X, inputs):
        # a tenth of the time of scikit-learn's checks, which find nothing else here
        matrix = _in_dtype(X, dtype)
        if np.isfinite(matrix).all():
            return matrix
    try:
        checked = validate_data(
            inputs,
            X,
            accept_sparse="csr",
            dtype="numeric",
            # scikit-learn's own message names another estimator
            ensure_all_finite=False,
            reset=reset,
        )
        assert_all_finite(checked, input_name="X")
        return _as_matrix(checked, dtype)
    except (TypeError, ValueError) as error:
        if _holds_finite_numbers(X, dtype):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{error}\nExpected finite numbers and unique column names in X, since "
            'preprocessing=None. Set preprocessing="auto", which encodes text, dates '
            "and missing values."
        ) from error


def check_dense(x: TrainingRows) -> np.ndarray:
    """Return encoded rows of a fit by part, which must be dense."""
    if isinstance(x, np.ndarray):
        return x
    raise TypeError(
        "preprocessing gives sparse rows, and the rows of a data set in parts are kept "
        "as a dense matrix; let it give dense ones, or pass the rows in memory."
    )


def _holds_finite_numbers(X: TableData, dtype: str) -> bool:
    """Return False if a `TableEncoder` could encode what a network can't read."""
    if not getattr(getattr(X, "columns", None), "is_unique", True):  # of pandas
        return False
    array = X.data if is_sparse(X) else np.asarray(X)  # zeros are finite
    if array.dtype.kind in "SU":
        return False  # text
    if array.dtype.kind == "c":
        return True  # an encoder refuses complex numbers too
    try:
        return bool(np.isfinite(_in_dtype(array, dtype)).all())
    except (TypeError, ValueError):
        return False


def _as_matrix(X: M, dtype: str) -> M:
    """Return X in `dtype`, finite, row by row in memory.

    Here rather than in `validate_data`, which rounds a data frame to a matrix that lies
    column by column, and then copies that.
    """
    matrix = _in_dtype(X, dtype)
    if matrix is not X:
        assert_all_finite(matrix, input_name="X")
    return matrix


@np.errstate(all="ignore")
def _in_dtype(X: M, dtype: str) -> M:
    """Convert X to `dtype`; a number that is too large for it becomes inf."""
    if isinstance(X, np.ndarray):
        # aligned, since what comes out of a message or a file may begin at any byte
        return np.require(X, dtype, ["C_CONTIGUOUS", "ALIGNED"])
    return X.astype(dtype, copy=False)


def _looks_plain(X: TableData, inputs: FittedInputs) -> TypeGuard[np.ndarray]:
    """Return True for an array in which only NaN or infinity could be wrong."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == inputs.n_features_in_
        and not hasattr(inputs, "feature_names_in_")
    )
