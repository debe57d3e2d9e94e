"""What the size of the table decides, where a parameter says "auto"."""

from typing import Any, NamedTuple

import numpy as np

MOST_NUMBERS_EMBEDDED = 50
"""Columns of numbers up to which each gets a periodic embedding."""


class Settings(NamedTuple):
    """Those parameters of the classifier that may be "auto", once they are settled."""

    hidden_layer_sizes: Any
    dropout: Any
    batch_size: int
    learning_rate: str
    max_iter: int
    n_iter_no_change: float
    early_stopping: bool
    validation_fraction: float
    n_estimators: int


def by_size(n_samples: int) -> Settings:
    """The settings for a table of so many rows.

    Small tables are learnt by many narrow networks in many small steps; large ones,
    which take longer and differ less from one network to the next, by fewer and wider
    networks.
    """
    if n_samples < 1000:
        members, width, epochs, batch_size, held_out = 8, 48, 50, 32, 0.15
    elif n_samples < 10_000:
        members, width, epochs, batch_size, held_out = 8, 48, 50, 64, 0.15
    else:
        members, width, epochs, batch_size, held_out = 4, 256, 24, 256, 0.05
    return Settings(
        hidden_layer_sizes=(width, width),
        dropout=0.15,
        batch_size=batch_size,
        learning_rate="one_cycle",
        max_iter=epochs,
        n_iter_no_change=np.inf,
        early_stopping=True,
        validation_fraction=held_out,
        n_estimators=members,
    )


IN_PARTS: dict[str, Any] = {
    "learning_rate": "constant",
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
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""What changes for a solver that works on all rows at once."""


def is_auto(value: Any) -> bool:
    """Whether a parameter leaves its value to the recipe."""
    return isinstance(value, str) and value == "auto"


def settle(estimator: Any, n_samples: int, in_parts: bool = False) -> Settings:
    """The parameters of an estimator, with "auto" replaced by what the size decides."""
    settings = by_size(n_samples)
    if in_parts:
        settings = settings._replace(**IN_PARTS)
    if estimator.solver == "lbfgs":
        settings = settings._replace(**FULL_BATCH)
    given = {name: getattr(estimator, name) for name in Settings._fields}
    settings = settings._replace(
        **{name: value for name, value in given.items() if not is_auto(value)}
    )
    if is_auto(estimator.n_iter_no_change):
        has_end = settings.learning_rate in ("cosine", "one_cycle")
        settings = settings._replace(n_iter_no_change=np.inf if has_end else 10)
    return settings


def numbers_to_embed(estimator: Any, n_numbers: int) -> int:
    """How many columns of numbers get a periodic embedding: all or none."""
    if estimator.numeric_embedding is None:
        return 0
    is_too_much = estimator.solver == "lbfgs" or n_numbers > MOST_NUMBERS_EMBEDDED
    return 0 if is_auto(estimator.numeric_embedding) and is_too_much else n_numbers
