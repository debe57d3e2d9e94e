"""Which rows of a data set are held out, and on which an encoder is fitted."""

from enum import IntEnum

import numpy as np


class SplitRole(IntEnum):
    """What a row is for."""

    IGNORED = 0
    TRAINING = 1
    ENCODER = 2
    VALIDATION = 3


def assign_splits(
    y_encoded: np.ndarray,
    counts: np.ndarray | None,
    fraction: float,
    n_to_encoder: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """What each row is for, drawn at random.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Class of each row.
    counts : ndarray of bool of shape (n_rows,) or None
        Which rows take part; None for all.
    fraction : float
        Part of each class that is held out, rounded; 0 for none.
    n_to_encoder : int
        How many of the other rows the encoder is fitted on, if there are more.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    uses : ndarray of uint8 of shape (n_rows,)
        Members of `Use`.
    """
    uses = np.full(len(y_encoded), SplitRole.TRAINING, np.uint8)
    if counts is not None:
        uses[~counts] = SplitRole.IGNORED
    for code in range(int(y_encoded.max()) + 1) if fraction > 0 else ():
        rows = np.flatnonzero((y_encoded == code) & (uses == SplitRole.TRAINING))
        # as in memory: a class is split where that leaves rows on either side
        if len(rows) < 2 or len(rows) * fraction < 0.5:
            continue
        n_held_out = int(np.clip(np.rint(fraction * len(rows)), 1, len(rows) - 1))
        uses[rows[draw_subset(len(rows), n_held_out, rng)]] = SplitRole.VALIDATION
    rows = np.flatnonzero(uses == SplitRole.TRAINING)
    n_to_encoder = min(n_to_encoder, len(rows))
    uses[rows[draw_subset(len(rows), n_to_encoder, rng)]] = SplitRole.ENCODER
    return uses


def draw_subset(n: int, n_some: int, rng: np.random.Generator) -> np.ndarray:
    """Some different numbers below n, each set of which is as likely as any other."""
    return rng.choice(n, n_some, replace=False, shuffle=False)
