"""X to the matrix that the network reads: through an encoder, or straight in."""

from typing import NamedTuple, Protocol, Self, TypeGuard, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skmlp.data.targets import (
    Targets,
    build_samples,
    check_labels,
    encode_labels,
    is_unknown_to_sklearn,
    split_samples,
)
from skmlp.fitting.config import TrainConfig, TrainData
from skmlp.fitting.parameters import Parameters, Transformer
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import (
    SparseMatrix,
    Table,
    TableLike,
    as_table,
    check_names,
    check_not_lazy,
    is_sparse,
    normalize,
    remember_names,
)
from skmlp.tabular.labels import find_labels
from skmlp.training.batches import MemoryRows, Samples, TrainingRows

M = TypeVar("M", np.ndarray, SparseMatrix)
"""A matrix of one kind or the other."""


class FittedInputs(Protocol):
    """An estimator that reads X with what it has learnt of its columns."""

    encoder_: Transformer | None
    n_features_in_: int


# The encoder


def make_encoder(
    parameters: Parameters, rng: np.random.Generator | None = None
) -> Transformer | None:
    """The unfitted encoder that `preprocessing` asks for; None for none.

    Parts of it that would draw from a source of their own get a seed from `rng`.
    """
    if parameters.preprocessing is None:
        return None
    if isinstance(parameters.preprocessing, str):
        encoder = TableEncoder(parameters.categorical_features, dtype=parameters.dtype)
        # an array, whatever scikit-learn is set to give its users
        encoder.set_output(transform="default")
    else:
        encoder = clone(parameters.preprocessing)
    return encoder if rng is None else with_seeds(encoder, rng)


def with_seeds(encoder: Transformer, rng: np.random.Generator) -> Transformer:
    """The encoder, with a seed wherever it or a part of it has none."""
    seeds = {
        name: int(rng.integers(2**31))
        for name, value in encoder.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return encoder.set_params(**seeds)


def spawn_encoder_rng(rng: np.random.Generator) -> np.random.Generator:
    """A source of what an encoder draws, taken from that of a whole fit.

    It is taken for any encoder, so that the network's draws don't depend on which.
    """
    return np.random.default_rng(rng.integers(2**63, size=2))


def is_fitted(preprocessing: object) -> bool:
    """Whether this is a transformer that is ready to transform rows."""
    if not hasattr(preprocessing, "transform"):
        return False
    try:
        check_is_fitted(preprocessing)
    except NotFittedError:
        return False
    return True


def take_encoder(estimator: FittedInputs, encoder: Transformer) -> None:
    """Let a fitted encoder say which columns X has."""
    estimator.encoder_ = encoder
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(encoder, name):
            setattr(estimator, name, getattr(encoder, name))
        elif hasattr(estimator, name):
            delattr(estimator, name)


# The rows to learn from


class ValidationData(NamedTuple):
    """Held-out rows that the caller of fit brings along, or may have."""

    X_val: Table | None
    y_val: ArrayLike | None
    sample_weight_val: ArrayLike | None

    @classmethod
    def of(
        cls,
        X_val: TableLike | None,
        y_val: ArrayLike | None,
        sample_weight_val: ArrayLike | None,
    ) -> Self:
        """What the caller has passed, refused at once where it holds no rows."""
        if X_val is not None:
            X_val = as_table(X_val, "X_val")
        check_not_lazy(y_val=y_val, sample_weight_val=sample_weight_val)
        return cls(X_val, y_val, sample_weight_val)

    def fingerprint(self) -> dict[str, ArrayLike | None]:
        """Return what a checkpoint compares."""
        X_val = None if self.X_val is None else self.X_val.data
        return self._asdict() | {"X_val": X_val}

    @property
    def are_given(self) -> bool:
        """Whether there are any."""
        return self.X_val is not None or self.y_val is not None


def data_of_fit(
    estimator: FittedInputs,
    parameters: Parameters,
    X: TableLike,
    targets: Targets,
    settings: TrainConfig,
    validation_data: ValidationData,
    rng: np.random.Generator,
    is_warm_start: bool,
) -> TrainData:
    """Rows held out, and X encoded by what is there, or by what the others teach."""
    holds_out = settings.early_stopping and not validation_data.are_given
    samples, validation = split_samples(
        parameters, targets.samples, settings._replace(early_stopping=holds_out), rng
    )
    if is_warm_start:
        x = encode_rows(estimator, X, parameters.dtype)
    else:
        x = fit_inputs(estimator, parameters, X, targets, samples.indices, rng)
    if validation_data.are_given:
        own = encode_validation_data(
            estimator, parameters.dtype, targets, validation_data
        )
        validation = own.broadcast_members(settings.n_estimators)
    elif validation is not None:
        validation = validation._replace(x=x)
    return build_data(estimator, x, samples, validation, targets)


def build_data(
    estimator: FittedInputs,
    x: TrainingRows,
    samples: Samples,
    validation: Samples | None,
    targets: Targets,
) -> TrainData:
    """Samples and their matrix, of which the encoder knows which part is numbers."""
    n_numbers = x.shape[1]
    if isinstance(estimator.encoder_, TableEncoder):
        n_numbers = estimator.encoder_.n_numbers_
    return TrainData(samples._replace(x=x), validation, targets.classes, n_numbers)


# The matrix


def fit_inputs(
    estimator: FittedInputs,
    parameters: Parameters,
    X: TableLike,
    targets: Targets,
    rows: np.ndarray | None,
    rng: np.random.Generator,
) -> MemoryRows:
    """Fit a new encoder on some of the rows (None for all), and encode them all."""
    table = as_table(X)
    encoder = make_encoder(parameters, spawn_encoder_rng(rng))
    # a TableEncoder remembers all names by itself
    remember_names(estimator, None if isinstance(encoder, TableEncoder) else table.data)
    if encoder is None:
        estimator.encoder_ = None
        return check_rows(estimator, table.data, parameters.dtype, reset=True)
    return fit_encoder(estimator, encoder, parameters.dtype, table, targets, rows)


def fit_encoder(
    estimator: FittedInputs,
    encoder: Transformer,
    dtype: str,
    X: TableLike,
    targets: Targets,
    rows: np.ndarray | None,
) -> MemoryRows:
    """Fit this encoder on some of the rows (None for all), and encode them all."""
    weight = targets.sample_weight
    if rows is not None:
        # held-out rows count as little as those that have no weight
        counted = 1.0 if weight is None else weight[rows]
        weight = np.zeros(len(targets.y))
        weight[rows] = counted
    weights = {}
    if weight is not None and has_fit_parameter(encoder, "sample_weight"):
        weights = {"sample_weight": weight}
    y = targets.y
    if is_unknown_to_sklearn(y):
        y = find_labels(y, targets.classes)
    own = type(encoder) is TableEncoder
    x = encoder.fit_transform(X if own else as_table(X).data, y, **weights)
    take_encoder(estimator, encoder)
    return check_encoded(x, dtype)


def encode_rows(estimator: FittedInputs, X: TableLike, dtype: str) -> MemoryRows:
    """The matrix of other rows, with what was learnt of their columns."""
    table = as_table(X)
    if type(estimator.encoder_) is TableEncoder:  # a subclass may transform otherwise
        encoded = estimator.encoder_.transform_for(estimator, table)
        return check_encoded(encoded, dtype)
    check_names(estimator, table.data)
    if estimator.encoder_ is None:
        return check_rows(estimator, table.data, dtype)
    encoded = estimator.encoder_.transform(table.data)
    return check_encoded(encoded, dtype)


def encode_validation_data(
    estimator: FittedInputs,
    dtype: str,
    targets: Targets,
    validation_data: ValidationData,
) -> Samples:
    """The caller's own rows to score after each epoch."""
    X_val, y_val, sample_weight_val = validation_data
    if X_val is None or y_val is None:
        given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
        raise ValueError(f"{given} is given without {missing}; pass both.")
    x = encode_rows(estimator, X_val, dtype)
    labels = check_labels(y_val, "y_val")
    if len(labels) != x.shape[0]:
        raise ValueError(
            f"expected a label in y_val for each of the {x.shape[0]} rows of X_val, "
            f"got {len(labels)}. Pass the labels of the same rows."
        )
    _, y_encoded = encode_labels(labels, targets.classes, "y_val")
    try:
        samples = build_samples(y_encoded, sample_weight_val, targets.class_weights)
    except ValueError as error:  # which speaks of sample_weight
        raise ValueError(f"sample_weight_val can't be used: {error}") from error
    return samples._replace(x=x)


def check_encoded(encoded: TableLike, dtype: str) -> MemoryRows:
    """What an encoder gave, as an array or CSR matrix of `dtype`."""
    name = "the encoded X"
    if type(encoded) is np.ndarray and encoded.dtype == dtype and encoded.ndim == 2:
        # all that can be wrong with it, at a tenth of the time of all checks
        assert_all_finite(encoded, input_name=name)
    else:
        encoded = check_array(
            normalize(encoded), accept_sparse="csr", input_name=name, dtype="numeric"
        )
    return as_matrix(encoded, dtype)


def check_rows(
    estimator: FittedInputs, X: TableLike, dtype: str, reset: bool = False
) -> MemoryRows:
    """X that goes straight in, as an array or CSR matrix of `dtype`."""
    if not reset and looks_plain(X, estimator):
        # a tenth of the time of scikit-learn's checks, which find nothing else here
        matrix = in_dtype(X, dtype)
        if np.isfinite(matrix).all():
            return matrix
    try:
        checked = validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype="numeric",
            # scikit-learn's own message names another estimator
            ensure_all_finite=False,
            reset=reset,
        )
        assert_all_finite(checked, input_name="X")
        return as_matrix(checked, dtype)
    except (TypeError, ValueError) as error:
        if holds_finite_numbers(X, dtype):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{error}\nExpected finite numbers and unique column names in X, since "
            'preprocessing=None. Set preprocessing="auto", which encodes text, dates '
            "and missing values."
        ) from error


def holds_finite_numbers(X: TableLike, dtype: str) -> bool:
    """Return False if a `TableEncoder` would take what the network can't."""
    if not getattr(getattr(X, "columns", None), "is_unique", True):  # of pandas
        return False
    array = X.data if is_sparse(X) else np.asarray(X)
    if array.dtype.kind in "SU":
        return False
    if array.dtype.kind == "c":
        return True  # which an encoder does not take either
    try:
        return bool(np.isfinite(in_dtype(array, dtype)).all())
    except (TypeError, ValueError):
        return False


def as_matrix(X: M, dtype: str) -> M:
    """X in `dtype`, row by row in memory, and finite.

    Here rather than in `validate_data`, which rounds a data frame to a matrix that lies
    column by column, and then copies that.
    """
    matrix = in_dtype(X, dtype)
    if matrix is not X:
        assert_all_finite(matrix, input_name="X")
    return matrix


@np.errstate(all="ignore")
def in_dtype(X: M, dtype: str) -> M:
    """X in `dtype`; a number that is too large for it becomes inf."""
    if isinstance(X, np.ndarray):
        # aligned, since what comes out of a message or a file may begin at any byte
        return np.require(X, dtype, ["C_CONTIGUOUS", "ALIGNED"])
    return X.astype(dtype, copy=False)


def looks_plain(X: TableLike, estimator: FittedInputs) -> TypeGuard[np.ndarray]:
    """Whether X is an array that can only be wrong in holding NaN or infinity."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )
