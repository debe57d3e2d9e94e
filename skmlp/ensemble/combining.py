"""Weights and temperature of an ensemble, fitted on out-of-fold predictions.

Each validation row is predicted by those networks alone that were not trained on it.
"""

from typing import NamedTuple

import numpy as np

from skmlp.backend import make_predictor
from skmlp.defaults import MIN_OUT_OF_FOLD_MEMBERS
from skmlp.fitting.config import TrainingRun
from skmlp.nn.calibration import fit_ensemble_weights, fit_temperature
from skmlp.nn.losses import log_probabilities, softmax

MIN_FRACTION = 0.1
"""Smallest part of the validation rows that must have enough out-of-fold predictions.

Where parts of classes are rounded up, two folds share a row or two, which have
predictions of both: too few rows to fit a temperature on.
"""


class OutOfFold(NamedTuple):
    """Predictions for validation rows, averaged over the members of equal config."""

    probabilities: np.ndarray  # (n_groups, n_rows, n_classes)
    n_members: np.ndarray  # (n_groups, n_rows), how many predicted each row
    y_encoded: np.ndarray  # (n_rows,)
    weight: np.ndarray | None  # (n_rows,)

    def take(self, rows: np.ndarray) -> "OutOfFold | None":
        """Return some rows, of mean weight 1; None if they have no weight."""
        weight = None if self.weight is None else self.weight[rows]
        if not np.any(rows if weight is None else weight):
            return None
        if weight is not None:
            weight /= weight.mean()
        return OutOfFold(
            self.probabilities[:, rows],
            self.n_members[:, rows],
            self.y_encoded[rows],
            weight,
        )


@np.errstate(all="ignore")
def fit_combination(
    run: TrainingRun, parameters: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the weights (n_members,) of the networks, and the temperature."""
    config, n_members = run.config, len(parameters)
    ensemble_weights = np.full(n_members, 1 / n_members)
    different = list(dict.fromkeys(config.members))
    groups = np.array([different.index(member) for member in config.members])
    fits_weights = config.member_weights == "auto" and len(different) > 1
    fits_temperature = config.temperature == "auto"
    temperature = (
        1.0 if config.temperature in (None, "auto") else float(config.temperature)
    )
    if run.data.validation is not None and (fits_weights or fits_temperature):
        predictions = _predict_out_of_fold(run, parameters, groups)
        if fits_weights:
            ensemble_weights = _fit_weights(predictions, groups)
        if fits_temperature:
            temperature = _fit_temperature(predictions, groups, ensemble_weights)
    return ensemble_weights, temperature


def _predict_out_of_fold(
    run: TrainingRun, parameters: np.ndarray, groups: np.ndarray
) -> OutOfFold:
    """Predict the validation rows of each network, averaged by group."""
    assert run.data.validation is not None, "there are validation rows"
    parts = run.data.validation.split_members()
    rows_of_members = [
        np.arange(len(part.y_encoded)) if part.indices is None else part.indices
        for part in parts
    ]
    known = np.unique(np.concatenate(rows_of_members))
    shape = (int(groups.max()) + 1, len(known))
    totals = np.zeros((*shape, run.architecture.n_classes))
    n_members = np.zeros(shape, dtype=int)
    y_encoded = np.empty(len(known), dtype=int)
    weight = None if parts[0].sample_weight is None else np.empty(len(known))
    for group, vector, part, rows in zip(
        groups, parameters, parts, rows_of_members, strict=True
    ):
        predictor = make_predictor(run.architecture, vector, part.x)
        places = np.searchsorted(known, rows)
        totals[group, places] += softmax(predictor.logits(part.x, part.indices))
        n_members[group, places] += 1
        y_encoded[places] = part.y_encoded
        if weight is not None and part.sample_weight is not None:
            weight[places] = part.sample_weight
    totals /= np.maximum(n_members, 1)[:, :, np.newaxis]
    return OutOfFold(totals, n_members, y_encoded, weight)


def _fit_weights(predictions: OutOfFold, groups: np.ndarray) -> np.ndarray:
    """Fit a weight per group on the rows that all groups predict; share it equally."""
    part = predictions.take(np.all(predictions.n_members > 0, axis=0))
    if part is None:
        return np.full(len(groups), 1 / len(groups))
    rows = np.arange(len(part.y_encoded))
    of_true_class = part.probabilities[:, rows, part.y_encoded]  # (n_groups, n_rows)
    # a network that has diverged predicts NaN, which counts as improbable
    smallest = np.finfo(np.float32).tiny
    group_weights = fit_ensemble_weights(
        np.fmax(of_true_class.T, smallest), part.weight
    )
    return (group_weights / np.bincount(groups))[groups]


def _fit_temperature(
    predictions: OutOfFold, groups: np.ndarray, ensemble_weights: np.ndarray
) -> float:
    """Fit the temperature on the rows that enough networks predict; 1 without."""
    enough = min(MIN_OUT_OF_FOLD_MEMBERS, len(groups))
    has_enough = predictions.n_members.sum(axis=0) >= enough
    part = predictions.take(has_enough)
    if part is None or has_enough.mean() < MIN_FRACTION:
        return 1.0
    group_weights = np.zeros(len(part.n_members))
    group_weights[groups] = ensemble_weights
    counted = group_weights[:, np.newaxis] * part.n_members  # (n_groups, n_rows)
    counted /= counted.sum(axis=0)
    mean = np.einsum("kr,krc->rc", counted, part.probabilities)
    return fit_temperature(log_probabilities(mean), part.y_encoded, part.weight)
