"""Preparation of a fit: split the rows, fit the encoder, encode all rows."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from skmlp.data.inputs import (
    FittedInputs,
    check_dense,
    encode_rows,
    fit_inputs,
)
from skmlp.data.sources import (
    MemorySource,
    PartedSource,
    Source,
    resolve_encoder_rows,
)
from skmlp.data.splits import (
    SplitRole,
    assign_splits,
    split_samples,
    warn_no_split,
)
from skmlp.data.targets import Targets, build_samples, check_labels, encode_labels
from skmlp.fitting.config import TrainConfig, TrainData
from skmlp.fitting.parameters import Parameters, Transformer
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import Table, TableLike, as_table, check_not_lazy
from skmlp.training.batches import Samples, TrainingRows


class ValidationData(NamedTuple):
    """Validation rows that the caller of fit passes, or None."""

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
        """Check what the caller passes."""
        if X_val is not None:
            X_val = as_table(X_val, "X_val")
        check_not_lazy(y_val=y_val, sample_weight_val=sample_weight_val)
        return cls(X_val, y_val, sample_weight_val)

    @property
    def _is_given(self) -> bool:
        """Return True if there are rows or labels."""
        return self.X_val is not None or self.y_val is not None

    def fingerprint(self) -> dict[str, ArrayLike | None]:
        """Return the data that a checkpoint compares."""
        X_val = None if self.X_val is None else self.X_val.data
        return self._asdict() | {"X_val": X_val}


def prepare(
    source: Source,
    validation_data: ValidationData,
    parameters: Parameters,
    config: TrainConfig,
    rng: np.random.Generator,
    inputs: FittedInputs,
) -> TrainData:
    """Split the rows, fit `inputs` unless it is fitted, and encode all rows."""
    targets = source.targets
    holds_out = config.early_stopping and not validation_data._is_given
    split = config._replace(early_stopping=holds_out)  # for this function only
    if source.has_one_split:
        split = split._replace(n_folds=1)
    # two ways, since rows in memory are shared by members with different splits, and
    # others are written once, in random order
    if isinstance(source, MemorySource):
        samples, validation = _prepare_table(source, parameters, split, rng, inputs)
    else:
        assert isinstance(source, PartedSource)
        samples, validation = _prepare_parts(source, parameters, split, rng, inputs)
    if holds_out and validation is None:
        warn_no_split(parameters, config, targets.samples.y_encoded)
    if validation_data._is_given:
        validation = _encode_validation(
            inputs, parameters.dtype, targets, validation_data
        ).broadcast_members(config.n_estimators)
    return source.place(build_data(inputs.encoder_, samples, validation, targets), rng)


def _prepare_table(
    source: MemorySource,
    parameters: Parameters,
    split: TrainConfig,
    rng: np.random.Generator,
    inputs: FittedInputs,
) -> tuple[Samples, Samples | None]:
    """Split and encode a table in memory: samples share one matrix."""
    # indices of (n_members, n_training) and (n_members, n_validation) rows
    samples, validation = split_samples(source.targets.samples, split, rng)
    x: TrainingRows  # (n_rows, n_inputs), of which samples take rows by index
    if inputs.is_fitted:
        x = encode_rows(inputs, source.table, parameters.dtype)
    else:
        x = fit_inputs(
            inputs, parameters, source.table, source.targets, samples.indices, rng
        )
    return samples._replace(x=x), validation and validation._replace(x=x)


def _prepare_parts(
    source: PartedSource,
    parameters: Parameters,
    split: TrainConfig,
    rng: np.random.Generator,
    inputs: FittedInputs,
) -> tuple[Samples, Samples | None]:
    """Split and encode rows that come by part, the encoder fitted on some of them."""
    targets = source.targets
    fraction = split.validation_fraction if split.early_stopping else 0.0
    n_to_encoder = resolve_encoder_rows(
        parameters, source.n_columns, source.most_encoder_rows
    )
    # rows of weight 0 get no role; (n_rows,)
    roles = assign_splits(
        targets.y,
        targets.samples.indices,
        fraction,
        0 if inputs.is_fitted else n_to_encoder,
        rng,
    )
    known = None
    if not inputs.is_fitted:
        is_chosen = roles == SplitRole.ENCODER
        weight = targets.sample_weight
        # an encoder reads labels, not class indices
        chosen = targets._replace(
            y=targets.classes[targets.y[is_chosen]],
            sample_weight=None if weight is None else weight[is_chosen],
        )
        table = as_table(source.rows(is_chosen))
        known = check_dense(fit_inputs(inputs, parameters, table, chosen, None, rng))
    samples, validation = source.encode(inputs, parameters, roles, known, rng)
    n_members = split.n_estimators
    return samples.broadcast_members(
        n_members
    ), validation and validation.broadcast_members(n_members)


def build_data(
    encoder: Transformer | None,
    samples: Samples,
    validation: Samples | None,
    targets: Targets,
) -> TrainData:
    """Build the data of a training; the encoder knows which inputs are numbers."""
    n_numbers = samples.x.shape[1]  # without an encoder, all
    if isinstance(encoder, TableEncoder):
        n_numbers = encoder.n_numbers_
    return TrainData(samples, validation, targets.classes, n_numbers)


def _encode_validation(
    inputs: FittedInputs,
    dtype: str,
    targets: Targets,
    validation_data: ValidationData,
) -> Samples:
    """Encode validation rows that the caller of fit passes."""
    X_val, y_val, sample_weight_val = validation_data
    if X_val is None or y_val is None:
        given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
        raise ValueError(f"{given} is given without {missing}; pass both.")
    x = encode_rows(inputs, X_val, dtype)
    labels = check_labels(y_val, "y_val")
    if len(labels) != x.shape[0]:
        raise ValueError(
            f"expected a label in y_val for each of the {x.shape[0]} rows of X_val, "
            f"got {len(labels)}. Pass the labels of the same rows."
        )
    _, y_encoded = encode_labels(labels, targets.classes, "y_val")
    try:
        samples = build_samples(y_encoded, sample_weight_val, targets.class_weights)
    except ValueError as error:  # which names the argument sample_weight
        raise ValueError(f"sample_weight_val can't be used: {error}") from error
    return samples._replace(x=x)
