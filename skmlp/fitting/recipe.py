"""What the size of the table decides, where a parameter says "auto"."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skmlp.fitting.parameters import Parameters
from skmlp.optim.schedules import SCHEDULES

MOST_NUMBERS_EMBEDDED = 50
"""Columns of numbers up to which each gets a periodic embedding."""


class Settings(NamedTuple):
    """Those parameters of the classifier that may be "auto", once they are settled."""

    hidden_layer_sizes: int | Sequence[int]
    dropout: float | Sequence[float]
    batch_size: int
    learning_rate: str
    max_iter: int
    n_iter_no_change: float
    early_stopping: bool
    validation_fraction: float
    n_estimators: int


def by_size(n_samples: int) -> Settings:
    """The settings for a table of so many rows.

    Small tables are learnt by many narrow networks in small steps, for as many epochs
    as the held-out rows ask for: few where classes are noisy. Large ones, which take
    longer and differ less from one network to the next, are learnt by fewer and wider
    networks, in a set number of epochs at the end of which the steps get small.
    """
    if n_samples < 10_000:
        return Settings(
            hidden_layer_sizes=(48, 48),
            dropout=0.15,
            batch_size=32 if n_samples < 1000 else 64,
            learning_rate="constant",
            max_iter=50,
            n_iter_no_change=15,
            early_stopping=True,
            validation_fraction=0.15,
            n_estimators=10,
        )
    return Settings(
        hidden_layer_sizes=(256, 256),
        dropout=0.15,
        batch_size=256,
        learning_rate="one_cycle",
        max_iter=24,
        n_iter_no_change=np.inf,
        early_stopping=True,
        validation_fraction=0.05,
        n_estimators=4,
    )


IN_PARTS: dict[str, Any] = {
    "learning_rate": "constant",
    "n_iter_no_change": 10,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""What changes where rows come in parts, and nobody knows how many are to come."""

FULL_BATCH: dict[str, Any] = {
    "hidden_layer_sizes": (100,),
    "dropout": 0.0,
    "learning_rate": "constant",
    "max_iter": 200,
    "n_iter_no_change": 10,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""What changes for a solver that works on all rows at once."""


def is_auto(value: object) -> bool:
    """Whether a parameter leaves its value to the recipe."""
    return isinstance(value, str) and value == "auto"


def settle(
    parameters: Parameters,
    n_samples: int,
    auto_of_solver: Mapping[str, Any],
    in_parts: bool = False,
) -> Settings:
    """The parameters of an estimator, with "auto" replaced by what suits its rows."""
    settings = by_size(n_samples)
    if in_parts:
        settings = settings._replace(**IN_PARTS)
    settings = settings._replace(**auto_of_solver)
    given = {name: getattr(parameters, name) for name in Settings._fields}
    settings = settings._replace(
        **{name: value for name, value in given.items() if not is_auto(value)}
    )
    # patience suits the schedule that it came with
    if is_auto(parameters.n_iter_no_change) and not is_auto(parameters.learning_rate):
        has_end = SCHEDULES[settings.learning_rate].has_end
        settings = settings._replace(n_iter_no_change=np.inf if has_end else 10)
    return settings


def numbers_to_embed(parameters: Parameters, n_numbers: int, suits_solver: bool) -> int:
    """How many columns of numbers get a periodic embedding: all or none."""
    if parameters.numeric_embedding is None:
        return 0
    suits = suits_solver and n_numbers <= MOST_NUMBERS_EMBEDDED
    return n_numbers if suits or not is_auto(parameters.numeric_embedding) else 0


def check_in_parts(parameters: Parameters) -> None:
    """Raise if a parameter asks for what can't be had of rows that come in parts."""
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
    if name != "auto" and SCHEDULES[name].has_end:
        raise ValueError(
            f"learning_rate={name!r} is laid out over max_iter "
            "epochs, and partial_fit knows no last epoch; choose "
            '"constant", "invscaling" or "adaptive".'
        )
