"""Splits: which rows are trained on, which validate, which the encoder is fitted on."""

import warnings
from enum import IntEnum

import numpy as np

from skmlp.defaults import is_auto
from skmlp.fitting.config import TrainConfig
from skmlp.fitting.parameters import Parameters
from skmlp.training.batches import Samples


class SplitRole(IntEnum):
    """Role of a row in a fit."""

    IGNORED = 0
    TRAINING = 1
    ENCODER = 2  # trained on as well
    VALIDATION = 3


def assign_splits(
    y_encoded: np.ndarray,
    rows: np.ndarray | None,
    fraction: float,
    n_to_encoder: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the role of each row: one stratified split, for rows that come by part.

    `rows` are those of positive weight (None for all), `fraction` is the part of each
    class that validates. At most `n_to_encoder` of the others fit the encoder.
    """
    roles = np.full(len(y_encoded), SplitRole.TRAINING, np.uint8)  # (n_rows,)
    if rows is not None:
        roles[:] = SplitRole.IGNORED
        roles[rows] = SplitRole.TRAINING
    for label in range(int(y_encoded.max()) + 1) if fraction > 0 else ():
        rows = np.flatnonzero((y_encoded == label) & (roles == SplitRole.TRAINING))
        # as in memory: a class is split where that leaves rows on either side
        if len(rows) < 2 or len(rows) * fraction < 0.5:
            continue
        n_held_out = int(np.clip(np.rint(fraction * len(rows)), 1, len(rows) - 1))
        roles[_draw(rows, n_held_out, rng)] = SplitRole.VALIDATION
    # of what is left, the encoder gets a random part
    rows = np.flatnonzero(roles == SplitRole.TRAINING)
    roles[_draw(rows, min(n_to_encoder, len(rows)), rng)] = SplitRole.ENCODER
    return roles


def _draw(rows: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Draw different rows, any set of them with the same probability."""
    return rows[rng.choice(len(rows), n_rows, replace=False, shuffle=False)]


def split_validation(
    y_encoded: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    n_members: int = 1,
    n_folds: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of training and validation rows, one line per member.

    Each class is split by itself, so that it has rows on both sides (scikit-learn's
    stratified splits don't promise that), or stays in the training part if `fraction`
    of it is less than half a row. Validation sets of different folds overlap as little
    as possible. Members take the folds in turn; by default there is one fold each.
    """
    n_folds = min(n_members, n_folds or n_members)
    counts = np.bincount(y_encoded)  # (n_classes,)
    is_large = (counts >= 2) & (counts * fraction >= 0.5)
    n_held_out = np.clip(np.rint(fraction * counts).astype(int), 1, counts - 1)
    n_held_out[~is_large] = 0
    # class after class, in random order within each: `place` is that within the class
    order = rng.permutation(len(y_encoded))
    order = order[np.argsort(y_encoded[order], kind="stable")]
    label = y_encoded[order]
    place = np.arange(len(y_encoded)) - (np.cumsum(counts) - counts)[label]
    training, validation = [], []
    for fold in range(n_folds):
        # a window of each class validates; it moves on from fold to fold, and around
        start = fold * counts // n_folds
        is_held_out = (place - start[label]) % counts[label] < n_held_out[label]
        training.append(np.sort(order[~is_held_out]))
        validation.append(np.sort(order[is_held_out]))
    turns = np.arange(n_members) % n_folds  # (n_members,), the fold of each
    return np.stack(training)[turns], np.stack(validation)[turns]


def split_samples(
    samples: Samples, config: TrainConfig, rng: np.random.Generator
) -> tuple[Samples, Samples | None]:
    """Split samples in memory for each member; None if no class is large enough."""
    if config.early_stopping:
        rows, validation = split_validation(
            samples.y_encoded,
            config.validation_fraction,
            rng,
            config.n_estimators,
            config.n_folds,
        )
        if validation.size > 0:
            return samples.take(rows), samples.take(validation)
    return samples.broadcast_members(config.n_estimators), None


def warn_no_split(
    parameters: Parameters, config: TrainConfig, y_encoded: np.ndarray
) -> None:
    """Warn that there is no validation set, if the user asked for one."""
    if is_auto(parameters.early_stopping):
        return
    warnings.warn(
        "no class has enough rows to hold out a part of "
        f"{config.validation_fraction:g} (the largest has "
        f"{np.bincount(y_encoded).max()}), so training uses every row and stops on the "
        "training loss; raise validation_fraction or pass X_val and y_val.",
        stacklevel=4,
    )
