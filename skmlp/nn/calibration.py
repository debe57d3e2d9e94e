"""Calibration: the temperature that makes probabilities as sure as they are right."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from skmlp.nn.losses import SoftmaxCrossEntropy, log_mean_probabilities

SPREAD_OF_LOG_TEMPERATURE = 0.3
"""Standard deviation of the temperature's logarithm, before any row is seen."""


@np.errstate(all="ignore")
def best_temperature(
    logits: np.ndarray, codes: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The most probable temperature, given rows with their classes (Guo et al., 2017).

    Its logarithm is thought to come from a normal distribution around 0: that a few
    rows are all told right does not make a network infallible. Many rows outweigh it.

    Parameters
    ----------
    logits : ndarray of shape (..., n_samples, n_classes)
        Of rows that no network was trained on; overwritten.
    codes : ndarray of int of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,), default=None
        Weight of each row; None means 1.
    """
    if logits.ndim == 3:
        logits = log_mean_probabilities(logits)
    loss = SoftmaxCrossEntropy()
    prior = 0.5 / (len(codes) * SPREAD_OF_LOG_TEMPERATURE**2)
    result = minimize_scalar(
        lambda log_t: (
            loss.value(logits / math.exp(log_t), codes, weight) + prior * log_t**2
        ),
        bounds=(-3, 3),
        method="bounded",
    )
    return math.exp(result.x)
