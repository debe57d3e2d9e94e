"""Which rows of a data set are held out, and on which an encoder is fitted."""

from enum import IntEnum

import numpy as np


class Use(IntEnum):
    """What a row is for."""

    NOTHING = 0
    TRAINING = 1
    TRAINING_AND_ENCODER = 2
    HELD_OUT = 3


def uses_of_rows(
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
    uses = np.full(len(y_encoded), Use.TRAINING, np.uint8)
    if counts is not None:
        uses[~counts] = Use.NOTHING
    for code in range(int(y_encoded.max()) + 1) if fraction > 0 else ():
        rows = np.flatnonzero((y_encoded == code) & (uses == Use.TRAINING))
        # as in memory: a class is split where that leaves rows on either side
        if len(rows) < 2 or len(rows) * fraction < 0.5:
            continue
        n_held_out = int(np.clip(np.rint(fraction * len(rows)), 1, len(rows) - 1))
        uses[rows[some_of(len(rows), n_held_out, rng)]] = Use.HELD_OUT
    rows = np.flatnonzero(uses == Use.TRAINING)
    n_to_encoder = min(n_to_encoder, len(rows))
    uses[rows[some_of(len(rows), n_to_encoder, rng)]] = Use.TRAINING_AND_ENCODER
    return uses


def some_of(n: int, n_some: int, rng: np.random.Generator) -> np.ndarray:
    """Some different numbers below n, each set of which is as likely as any other."""
    return rng.choice(n, n_some, replace=False, shuffle=False)
