"""Calibration on held-out rows: the temperature and the weights of an ensemble."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from skmlp.nn.losses import SoftmaxCrossEntropy

# standard deviation of the prior of log temperature, a normal around 0
LOG_TEMPERATURE_STD = 1.0
N_PRIOR_ROWS = 5  # pseudo-rows that speak for equal ensemble weights
N_EM_ITERATIONS = 100  # iterations of EM, after which weights that matter hardly move


@np.errstate(all="ignore")
def fit_temperature(
    logits: np.ndarray,  # (n_rows, n_classes), of rows that no network was trained on
    y_encoded: np.ndarray,  # (n_rows,)
    sample_weight: np.ndarray | None = None,  # (n_rows,), with mean 1
) -> float:
    """Most probable temperature of held-out rows (Guo et al., 2017)."""
    loss = SoftmaxCrossEntropy()
    # the prior keeps a few rows, all classified well, from making a network infallible;
    # beside many rows it has no weight
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
    probabilities: np.ndarray,  # (n_rows, n_parts), of each row's own class, positive
    sample_weight: np.ndarray | None = None,  # (n_rows,), with mean 1
) -> np.ndarray:
    """Most probable weights (n_parts,) of a mixture, by expectation maximization.

    For the weights alone the likelihood has one maximum, which EM (Dempster, Laird and
    Rubin, 1977) finds.
    """
    n_samples, n_parts = probabilities.shape
    ensemble_weights = np.full(n_parts, 1 / n_parts)
    sample_weight = np.ones(n_samples) if sample_weight is None else sample_weight
    for _ in range(N_EM_ITERATIONS):
        # E: how far each part is responsible for each row
        parts = probabilities * ensemble_weights
        parts *= (sample_weight / parts.sum(axis=1))[:, np.newaxis]
        # M: the share of each part in all rows, pseudo-rows included
        ensemble_weights = parts.sum(axis=0) + N_PRIOR_ROWS / n_parts
        ensemble_weights /= ensemble_weights.sum()
    return ensemble_weights
