"""Defaults: the values of "auto" by the size of a table, and the ensemble's members."""

import math
from typing import Any, NamedTuple

import numpy as np

from skmlp.fitting.parameters import Parameters
from skmlp.optim.schedules import SCHEDULES

MAX_EMBEDDED_COLUMNS = 50
"""Most numeric columns of which each gets a periodic embedding.

Tables of more columns, such as pixels, get smooth activations instead, and, where there
are very many rows, wider networks.
"""

MANY_ROWS = 10_000
"""From here on, few networks are wide, and hold out a small validation set."""

VERY_MANY_ROWS = 50_000
"""From here on, four networks and little patience do, on one large validation set."""

ENOUGH_ROWS = 2_000_000
"""From here on, a fixed number of epochs does, whose learning rate falls to 0."""

MAX_ROW_VISITS = 10_000_000
"""Rows times epochs from `ENOUGH_ROWS` on, or one epoch if there are more rows."""

MAX_VALIDATION_ROWS = 100_000
"""Validation rows that tell enough, however many rows there are."""

MIN_OUT_OF_FOLD_MEMBERS = 3
"""Fewest networks whose mean has the confidence of the mean of all of them.

A network alone is more confident than the mean of several: a temperature that corrects
it would leave the mean underconfident.
"""


class MemberConfig(NamedTuple):
    """Settings in which the networks of an ensemble differ."""

    frequency: float  # factor on the initial frequencies of periodic embeddings
    dropout: Any  # rate behind all hidden layers, or a tuple with one per layer
    weight_decay: float  # what the weights lose per step, before the learning rate


MEMBER_CONFIGS = (
    # smooth functions, the best by itself
    MemberConfig(0.3, dropout=0.15, weight_decay=0.3),
    # thresholds, as trees find them
    MemberConfig(2.0, dropout=0.15, weight_decay=0.3),
    # nearly linear embeddings, unregularized: for classes that are easy to separate
    MemberConfig(0.03, dropout=0.0, weight_decay=0.0),
    # regularized by weight decay alone
    MemberConfig(1.0, dropout=0.0, weight_decay=1.0),
)
"""Members that differ in their hyper-parameters, as in Wenzel et al. (2020)."""

MEMBER_CONFIGS_FOR_MANY_ROWS = (
    MEMBER_CONFIGS[0],
    MEMBER_CONFIGS[3],
    MEMBER_CONFIGS[1],
)
"""For large tables; omits the unregularized member, which overfits."""


def default_config(n_samples: int, n_columns: int) -> dict[str, Any]:
    """Return the values of "auto" for a table, by the names of the parameters.

    Beside parameters it has `member_configs`, `n_folds`, the number of parts of the
    rows of which each network holds out one, and `initial_patience`, which limits the
    patience to that many epochs more than led to the best one.
    """
    is_wide = n_columns > MAX_EMBEDDED_COLUMNS
    activation = "gelu" if is_wide else "relu"
    if n_samples < MANY_ROWS:
        # Many narrow networks, one of each config per fold. The validation set of each
        # decides on its epochs: few for noisy classes, many for separable ones.
        return {
            "hidden_layer_sizes": (64, 64),
            "activation": activation,
            # keeps networks from growing ever more confident; the temperature corrects
            # what it takes from their probabilities
            "label_smoothing": 0.01,
            "member_configs": MEMBER_CONFIGS,
            "batch_size": 32 if n_samples < 1000 else 64,
            "learning_rate": "constant",
            "max_iter": min(300, 2_000_000 // max(n_samples, 1)),
            "n_iter_no_change": 20,
            "initial_patience": 2,
            "early_stopping": True,
            "validation_fraction": 0.25,
            "n_folds": 4,
            "n_estimators": 16,
        }
    return _default_config_for_many_rows(n_samples, is_wide, activation)


def _default_config_for_many_rows(
    n_samples: int, is_wide: bool, activation: str
) -> dict[str, Any]:
    """Return the defaults from `MANY_ROWS` on: fewer, wider networks, fewer epochs."""
    # The learning rate falls once larger steps lead no further.
    are_very_many = n_samples >= VERY_MANY_ROWS
    config: dict[str, Any] = {
        "hidden_layer_sizes": (128, 128),
        "activation": activation,
        "label_smoothing": 0.02,
        "member_configs": MEMBER_CONFIGS_FOR_MANY_ROWS,
        "batch_size": 256 if n_samples < 2 * VERY_MANY_ROWS else 512,
        "learning_rate": "reduce_on_plateau",
        "max_iter": max(10, min(60, 4_000_000 // n_samples)),
        "n_iter_no_change": 1 if are_very_many else 2,
        "initial_patience": np.inf,
        "early_stopping": True,
        "validation_fraction": 0.05 if are_very_many else 0.1,
        "n_folds": 1 if are_very_many else 2,
        "n_estimators": 4 if are_very_many else 6,
    }
    if is_wide and are_very_many:
        config |= {
            "hidden_layer_sizes": (256, 256),
            "label_smoothing": 0.0,
            "member_configs": MEMBER_CONFIGS[:1],
            "n_estimators": 2,
        }
    if n_samples >= ENOUGH_ROWS:
        config |= {
            "learning_rate": "cosine",
            "max_iter": max(1, MAX_ROW_VISITS // n_samples),
            "n_iter_no_change": np.inf,
            "validation_fraction": MAX_VALIDATION_ROWS / n_samples,
        }
    return config


PARTIAL_FIT_DEFAULTS: dict[str, Any] = {
    "label_smoothing": 0.0,
    "learning_rate": "constant",
    "n_iter_no_change": 10,
    "initial_patience": np.inf,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""Differences in `partial_fit`, where the number of rows to come is unknown."""

LBFGS_DEFAULTS: dict[str, Any] = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "label_smoothing": 0.0,
    "member_configs": (MemberConfig(1.0, dropout=0.0, weight_decay=0.0),),
    "learning_rate": "constant",
    "max_iter": 200,
    "n_iter_no_change": 10,
    "initial_patience": np.inf,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""Differences with ``solver="lbfgs"``: scikit-learn's defaults."""


def is_auto(value: object) -> bool:
    """Return True for the parameter value "auto"."""
    return isinstance(value, str) and value == "auto"


def resolve_auto(
    parameters: Parameters, n_samples: int, n_columns: int, changes: dict[str, Any]
) -> dict[str, Any]:
    """Return `default_config` with `changes` and the parameters that are set."""
    config = {**default_config(n_samples, n_columns), **changes}
    given = {
        name: value
        for name in config
        if not is_auto(value := getattr(parameters, name, "auto"))
    }
    config |= given
    if "validation_fraction" in given and n_samples < MANY_ROWS:
        # the fewest folds that together hold out every row
        config["n_folds"] = math.ceil(1 / config["validation_fraction"] - 1e-9)
    if not parameters.diverse_members:
        config["member_configs"] = config["member_configs"][:1]
    own = {name: getattr(parameters, name) for name in ("dropout", "weight_decay")}
    own = {name: value for name, value in own.items() if not is_auto(value)}
    config["member_configs"] = tuple(
        member._replace(**own) for member in config["member_configs"]
    )
    if "label_smoothing" not in given and not _fits_temperature(parameters, config):
        config["label_smoothing"] = 0.0
    # the default patience suits the default schedule alone
    if given.keys() & {"n_iter_no_change", "learning_rate"}:
        config["initial_patience"] = np.inf
    if "learning_rate" in given and "n_iter_no_change" not in given:
        has_fixed_length = SCHEDULES[config["learning_rate"]].has_fixed_length
        config["n_iter_no_change"] = np.inf if has_fixed_length else 10
    return config


def _fits_temperature(parameters: Parameters, config: dict[str, Any]) -> bool:
    """Return True if enough networks hold out the same rows to fit a temperature."""
    n_estimators = config["n_estimators"]
    n_out_of_fold = math.ceil(n_estimators / config["n_folds"])
    return (
        config["early_stopping"]
        and is_auto(parameters.temperature)
        and n_out_of_fold >= min(MIN_OUT_OF_FOLD_MEMBERS, n_estimators)
    )


def check_partial_fit_parameters(parameters: Parameters) -> None:
    """Raise if a parameter needs all rows at once, which `partial_fit` never has."""
    if parameters.early_stopping and not is_auto(parameters.early_stopping):
        raise ValueError(
            "partial_fit does not support early_stopping=True, since it holds no "
            "rows out; set early_stopping=False and score rows of your own."
        )
    if parameters.class_weight == "balanced":
        raise ValueError(
            'partial_fit does not support class_weight="balanced", since it sees '
            "only some of the rows; pass a dict, for example from "
            "sklearn.utils.class_weight.compute_class_weight."
        )
    name = parameters.learning_rate
    if name != "auto" and SCHEDULES[name].has_fixed_length:
        raise ValueError(
            f"learning_rate={name!r} is laid out over max_iter "
            "epochs, and partial_fit knows no last epoch; choose "
            '"constant", "invscaling" or "adaptive".'
        )
