"""Calibration: what rows that were held out say of probabilities, and of their mean."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from skmlp.nn.losses import SoftmaxCrossEntropy

LOG_TEMPERATURE_STD = 1.0
"""Standard deviation of the temperature's logarithm, before any row is seen."""

N_PRIOR_ROWS = 5
"""Rows that speak for all parts of a mixture alike, beside those that are seen."""

N_EM_ITERATIONS = 100
"""Of expectation and maximisation; shares that matter hardly move behind that."""


@np.errstate(all="ignore")
def fit_temperature(
    logits: np.ndarray, y_encoded: np.ndarray, sample_weight: np.ndarray | None = None
) -> float:
    """The most probable temperature, given rows with their classes (Guo et al., 2017).

    Its logarithm is thought to come from a normal distribution around 0: that a few
    rows are all told right does not make a network infallible. Many rows outweigh it.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Of rows that no network was trained on, or the logarithms of probabilities.
    codes : ndarray of int of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,), default=None
        Weight of each row, 1 on average; None means 1.
    """
    loss = SoftmaxCrossEntropy()
    prior = 0.5 / (len(y_encoded) * LOG_TEMPERATURE_STD**2)
    result = minimize_scalar(
        lambda log_t: (
            loss.value(logits / math.exp(log_t), y_encoded, sample_weight)
            + prior * log_t**2
        ),
        bounds=(-3, 3),
        method="bounded",
    )
    return math.exp(result.x)


def fit_ensemble_weights(
    probabilities: np.ndarray, sample_weight: np.ndarray | None = None
) -> np.ndarray:
    """What each part of a mixture gets, so that rows are as probable as can be.

    By expectation and maximisation (Dempster, Laird and Rubin, 1977), which for shares
    alone finds the one maximum; a few rows more speak for all parts alike.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_parts)
        What each part says of the class that a row has; positive.
    weight : ndarray of shape (n_samples,), default=None
        Weight of each row, 1 on average; None means 1.

    Returns
    -------
    shares : ndarray of shape (n_parts,)
        Positive, with sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> fit_ensemble_weights(np.array([[0.9, 0.5]] * 95)).round(2)
    array([0.95, 0.05])
    """
    n_samples, n_parts = probabilities.shape
    ensemble_weights = np.full(n_parts, 1 / n_parts)
    sample_weight = np.ones(n_samples) if sample_weight is None else sample_weight
    for _ in range(N_EM_ITERATIONS):
        parts = probabilities * ensemble_weights
        parts *= (sample_weight / parts.sum(axis=1))[:, np.newaxis]
        ensemble_weights = parts.sum(axis=0) + N_PRIOR_ROWS / n_parts
        ensemble_weights /= ensemble_weights.sum()
    return ensemble_weights
