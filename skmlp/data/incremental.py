"""The first rows of partial_fit: kept until an encoder can be settled on them.

As long as they are few, the encoder is fitted anew whenever they have become twice as
many. Its outputs then are other ones, so the network starts anew as well, and is led
over all calls once more, in their order. What comes of it is the network that had been
given this encoder from the start.
"""

import warnings
from copy import deepcopy
from typing import NamedTuple, Protocol

import numpy as np
from sklearn.base import clone

from skmlp._utils import make_generator
from skmlp.data.prepare import (
    FittedInputs,
    encode_rows,
    fit_encoder,
    fit_inputs,
    is_fitted,
    spawn_encoder_rng,
    take_encoder,
)
from skmlp.data.targets import Targets, build_samples, compute_class_weights
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.progress import log
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.frame import TableLike, format_list, remember_names
from skmlp.tabular.kept import FirstRows, Kept, keep
from skmlp.training.batches import MemoryRows

ENOUGH_ROWS = 1000
"""Rows on which an encoder is settled if every column had two different values."""

MOST_ROWS = 10_000
"""Rows on which it is settled whatever the columns had."""

GROWTH = 2
"""By how much rows must have grown for the encoder to be fitted anew before that.

So a stream of single rows is gone over two or three times on top.
"""


class Streaming(FittedInputs, Protocol):
    """An estimator that may keep the first rows that it is given."""

    classes_: np.ndarray
    _first_rows: FirstRows | None


class PartialFitBatch(NamedTuple):
    """What one call of partial_fit has brought, ready to be learnt from.

    Attributes
    ----------
    x : ndarray or CSR of shape (n_rows, n_inputs)
        Its rows, encoded.
    targets : Targets
        Their labels and weights.
    rng : numpy.random.Generator
        Source of the draws.
    reinitializes : bool
        Whether the network is to be a new one, whatever there was before.
    verbose : bool or int
        What is shown of it.
    """

    x: MemoryRows
    targets: Targets
    rng: np.random.Generator
    reinitializes: bool
    verbose: bool | int


def batches_to_train(
    estimator: Streaming,
    parameters: Parameters,
    X: TableLike,
    targets: Targets,
    rng: np.random.Generator,
    is_warm_start: bool,
) -> list[PartialFitBatch]:
    """The present call alone or, where the encoder was fitted anew, all calls so far.

    Parameters
    ----------
    reader : Streaming
        The estimator, whose encoder and kept rows are brought up to date.
    parameters : Parameters
        Its parameters.
    X, targets : table, Targets
        What the present call has brought.
    rng : numpy.random.Generator
        Source of the draws of this call.
    is_warm_start : bool
        Whether there was a fit, or another call, before.
    """
    if not is_warm_start:
        x = first_inputs(estimator, parameters, X, targets, rng)
        return [PartialFitBatch(x, targets, rng, True, parameters.verbose)]
    # names and kinds of the columns are checked by the present encoder
    x = encode_rows(estimator, X, parameters.dtype)
    if estimator._first_rows is None:
        return [PartialFitBatch(x, targets, rng, False, parameters.verbose)]
    first_rows = estimator._first_rows.followed_by(kept_call(X, targets))
    if not is_due(len(first_rows.fitted.y_encoded), first_rows.n_rows):
        estimator._first_rows = first_rows
        return [PartialFitBatch(x, targets, rng, False, parameters.verbose)]
    return calls_anew(estimator, parameters, first_rows.joined(), rng)


def is_due(n_fitted: int, n_rows: int) -> bool:
    """Whether so many more rows have come that the encoder is to be fitted anew."""
    if any(n_fitted < limit <= n_rows for limit in (ENOUGH_ROWS, MOST_ROWS)):
        return True
    return n_rows >= GROWTH * n_fitted


def calls_anew(
    estimator: Streaming, parameters: Parameters, kept: Kept, rng: np.random.Generator
) -> list[PartialFitBatch]:
    """Fit the encoder on all rows, and give all calls as it encodes them."""
    x = fit_anew(estimator, parameters, kept, rng)
    parts = kept.parts()
    former = [
        PartialFitBatch(
            x[part],
            targets_of(estimator, parameters, kept, part),
            make_generator(parameters.random_state) if place else rng,
            reinitializes=place == 0,
            verbose=False,
        )
        for place, part in enumerate(parts)
    ]
    return [*former[:-1], former[-1]._replace(verbose=parameters.verbose)]


def fit_anew(
    estimator: Streaming, parameters: Parameters, kept: Kept, rng: np.random.Generator
) -> MemoryRows:
    """Fit the encoder on all rows, which it is settled on if they are enough."""
    encoder = clone(estimator.encoder_)
    # has its seeds already; but the network is to start as it did in the first call
    spawn_encoder_rng(rng)
    targets = targets_of(estimator, parameters, kept)
    rows = targets.samples.indices
    x = fit_encoder(estimator, encoder, parameters.dtype, kept.X, targets, rows)
    if is_enough(encoder, len(kept.y_encoded)):
        settle(estimator, encoder, len(kept.y_encoded), parameters.verbose)
    else:
        estimator._first_rows = FirstRows(kept)
    return x


def targets_of(
    estimator: Streaming,
    parameters: Parameters,
    kept: Kept,
    part: slice = slice(None),
) -> Targets:
    """What some of the kept rows are to be learnt as."""
    y_encoded = kept.y_encoded[part]
    weight = None if kept.weight is None else kept.weight[part]
    y = estimator.classes_[y_encoded]
    class_weights = compute_class_weights(
        parameters.class_weight, estimator.classes_, y
    )
    samples = build_samples(y_encoded, weight, class_weights)
    return Targets(y, estimator.classes_, weight, class_weights, samples)


# Keeping


def first_inputs(
    estimator: Streaming,
    parameters: Parameters,
    X: TableLike,
    targets: Targets,
    rng: np.random.Generator,
) -> MemoryRows:
    """The matrix of a first call, on which an encoder is fitted unless it is so."""
    estimator._first_rows = None
    given = parameters.preprocessing
    if not isinstance(given, str | None) and is_fitted(given):
        take_encoder(estimator, deepcopy(given))
        remember_names(estimator, None)
        return encode_rows(estimator, X, parameters.dtype)
    x = fit_inputs(estimator, parameters, X, targets, targets.samples.indices, rng)
    encoder, n_rows = estimator.encoder_, len(targets.y)
    if not isinstance(encoder, TableEncoder):
        return x
    if is_enough(encoder, n_rows):
        settle(estimator, encoder, n_rows, parameters.verbose)
    else:
        estimator._first_rows = FirstRows(kept_call(X, targets))
    return x


def kept_call(X: TableLike, targets: Targets) -> Kept:
    """Copies of the rows of a call."""
    y_encoded = np.searchsorted(targets.classes, targets.y)
    return keep(X, y_encoded, targets.sample_weight)


def is_enough(encoder: TableEncoder, n_rows: int) -> bool:
    """Whether an encoder that is fitted on so many rows is to stay as it is."""
    return n_rows >= (MOST_ROWS if encoder.columns_without_use() else ENOUGH_ROWS)


def settle(
    estimator: Streaming, encoder: TableEncoder, n_rows: int, verbose: bool | int
) -> None:
    """Keep the encoder, which is fitted on so many rows, and no rows any more."""
    estimator._first_rows = None
    log(
        verbose,
        f"encoder settled on the first {n_rows} rows: {encoder.n_features_in_} columns "
        f"to {encoder.n_features_out_} inputs",
    )
    warn_of_columns_without_use(encoder, n_rows)


def end_stream(estimator: Streaming, is_warm_start: bool) -> None:
    """Settle on the encoder that there is, and keep no rows any more.

    Parameters
    ----------
    reader : Streaming
        An estimator in `fit`.
    is_warm_start : bool
        Whether the encoder is one of `partial_fit`, with which training goes on.
    """
    first_rows, estimator._first_rows = estimator._first_rows, None
    if (
        is_warm_start
        and first_rows is not None
        and isinstance(estimator.encoder_, TableEncoder)
    ):
        warn_of_columns_without_use(
            estimator.encoder_, len(first_rows.fitted.y_encoded)
        )


def warn_of_columns_without_use(encoder: TableEncoder, n_rows: int) -> None:
    """Say which columns the first rows have shown too little of."""
    names = encoder.columns_without_use()
    if names:
        warnings.warn(
            f"{len(names)} of {encoder.n_features_in_} columns hold no two different "
            f"values in the first {n_rows} rows of partial_fit, {format_list(names)}; "
            "the encoder, which is fitted on these rows alone, takes no notice of them "
            "from now on. Begin with rows that differ in them, or pass a TableEncoder "
            "that was fitted on representative rows as preprocessing.",
            stacklevel=3,
        )
