"""Combining: what the networks of an ensemble count for, and how sure to be of them.

Both come from rows that were held out, each of which is judged by those networks alone
that were not trained on it.
"""

from typing import NamedTuple

import numpy as np

from skmlp.fitting.engines import make_predictor
from skmlp.fitting.recipe import FEWEST_JUDGES
from skmlp.fitting.task import Task
from skmlp.nn.calibration import fit_ensemble_weights, fit_temperature
from skmlp.nn.losses import log_probabilities, softmax

SMALLEST_PART = 0.1
"""Of the rows held out, how many must have so many judges.

Where parts of classes are rounded up, two folds share a row or two, which have judges
from both: too few rows to say anything of all.
"""


class Combination(NamedTuple):
    """How probabilities of several networks become those of the ensemble.

    Attributes
    ----------
    shares : ndarray of shape (n_members,)
        What each network has of the mean; they sum to 1.
    temperature : float
        What the logarithms of the mean are divided by.
    """

    ensemble_weights: np.ndarray
    temperature: float


class Judged(NamedTuple):
    """Rows that were held out, as networks of each kind see them.

    Attributes
    ----------
    probabilities : ndarray of shape (n_kinds, n_rows, n_classes)
        Mean over the networks of a kind that held a row out.
    n_judges : ndarray of int of shape (n_kinds, n_rows)
        How many these are.
    codes : ndarray of int of shape (n_rows,)
        Class of each row.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row.
    """

    probabilities: np.ndarray
    n_judges: np.ndarray
    y_encoded: np.ndarray
    weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> "Judged | None":
        """Some of the rows, whose weights become 1 on average; None for no weight."""
        weight = None if self.weight is None else self.weight[rows]
        if not np.any(rows if weight is None else weight):
            return None
        if weight is not None:
            weight /= weight.mean()
        return Judged(
            self.probabilities[:, rows],
            self.n_judges[:, rows],
            self.y_encoded[rows],
            weight,
        )


@np.errstate(all="ignore")
def combination(task: Task, parameters: np.ndarray) -> Combination:
    """Shares and temperature as they were asked for, or as held-out rows suggest."""
    kinds = np.array([member.kind for member in task.members])
    ensemble_weights = np.full(len(kinds), 1 / len(kinds))
    goal = task.goal
    weighs = goal.member_weights == "auto" and len(np.unique(kinds)) > 1
    is_to_be_found = goal.temperature == "auto"
    temperature = 1.0 if goal.temperature in (None, "auto") else float(goal.temperature)
    if task.validation is None or not (weighs or is_to_be_found):
        return Combination(ensemble_weights, temperature)
    judged = judge(task, parameters, kinds)
    if weighs:
        ensemble_weights = shares_of(judged, kinds)
    if is_to_be_found:
        temperature = temperature_of(judged, kinds, ensemble_weights)
    return Combination(ensemble_weights, temperature)


def judge(task: Task, parameters: np.ndarray, kinds: np.ndarray) -> Judged:
    """What networks say of the rows that they held out."""
    assert task.validation is not None, "nothing was held out"
    parts = task.validation.split_members()
    rows_of = [
        np.arange(len(part.y_encoded)) if part.indices is None else part.indices
        for part in parts
    ]
    known = np.unique(np.concatenate(rows_of))
    shape = (int(kinds.max()) + 1, len(known))
    totals = np.zeros((*shape, task.architecture.n_classes))
    n_judges = np.zeros(shape, dtype=int)
    y_encoded = np.empty(len(known), dtype=int)
    weight = None if parts[0].sample_weight is None else np.empty(len(known))
    for kind, vector, part, rows in zip(kinds, parameters, parts, rows_of, strict=True):
        predictor = make_predictor(task.architecture, vector, part.x)
        places = np.searchsorted(known, rows)
        totals[kind, places] += softmax(predictor.logits(part.x, part.indices))
        n_judges[kind, places] += 1
        y_encoded[places] = part.y_encoded
        if weight is not None and part.sample_weight is not None:
            weight[places] = part.sample_weight
    totals /= np.maximum(n_judges, 1)[:, :, np.newaxis]
    return Judged(totals, n_judges, y_encoded, weight)


def shares_of(judged: Judged, kinds: np.ndarray) -> np.ndarray:
    """What each network gets, by kind, from the rows that all kinds have judged."""
    n_members = np.bincount(kinds)
    part = judged.take(np.all(judged.n_judges > 0, axis=0))
    if part is None:
        return np.full(len(kinds), 1 / len(kinds))
    of_own_class = part.probabilities[:, np.arange(len(part.y_encoded)), part.y_encoded]
    smallest = np.finfo(np.float32).tiny
    # of a network that ran away, who says NaN, nothing is probable either
    ensemble_weights = fit_ensemble_weights(
        np.fmax(of_own_class.T, smallest), part.weight
    )
    return (ensemble_weights / n_members)[kinds]


def temperature_of(
    judged: Judged, kinds: np.ndarray, ensemble_weights: np.ndarray
) -> float:
    """The temperature from the rows that enough networks have judged."""
    enough = min(FEWEST_JUDGES, len(kinds))
    has_enough = judged.n_judges.sum(axis=0) >= enough
    part = judged.take(has_enough)
    if part is None or has_enough.mean() < SMALLEST_PART:
        return 1.0
    of_kind = np.zeros(len(part.n_judges))
    of_kind[kinds] = ensemble_weights
    counted = of_kind[:, np.newaxis] * part.n_judges
    counted /= counted.sum(axis=0)
    mean = np.einsum("kr,krc->rc", counted, part.probabilities)
    return fit_temperature(log_probabilities(mean), part.y_encoded, part.weight)
