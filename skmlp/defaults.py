"""What the size of the table decides, where a parameter says "auto"."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skmlp.fitting.parameters import ActivationLike, Parameters
from skmlp.optim.schedules import SCHEDULES

MOST_NUMBERS_EMBEDDED = 50
"""Columns of numbers up to which each gets a periodic embedding.

Tables of more columns than that, such as pixels, are learnt with bends that are in the
units instead, and, where rows are very many, by wider networks.
"""

MANY_ROWS = 10_000
"""From so many rows on, few networks are wide, and hold out little."""

VERY_MANY_ROWS = 50_000
"""From so many rows on, four networks and little patience do; all hold out the same
rows, of which there are enough."""


ENOUGH_ROWS = 2_000_000
"""From so many rows on, a few planned passes do, the last of them in small steps."""

MAX_ROW_VISITS = 10_000_000
"""Rows that a network then looks at, or one pass over all of them if these are more."""

MOST_HELD_OUT = 100_000
"""Rows that tell enough, of however many."""

MIN_OUT_OF_FOLD_MEMBERS = 3
"""Networks whose mean tells how sure the mean of all of them is.

A network alone is surer of itself than the mean of several: a temperature that makes up
for that would leave the mean too unsure.
"""


class MemberConfig(NamedTuple):
    """In what some networks of an ensemble differ from others.

    Attributes
    ----------
    frequency : float
        Factor on the frequencies that waves of numbers start with.
    dropout : float or tuple of float
        For all hidden layers, or one per hidden layer.
    weight_decay : float
        What the weights lose per step, before the learning rate.
    """

    frequency: float
    dropout: float | tuple[float, ...]
    weight_decay: float


MEMBER_CONFIGS = (
    # bends, the best by itself
    MemberConfig(0.3, dropout=0.15, weight_decay=0.3),
    # thresholds, as trees find them
    MemberConfig(2.0, dropout=0.15, weight_decay=0.3),
    # waves so slow that they are straight, and nothing held back: clean classes
    MemberConfig(0.03, dropout=0.0, weight_decay=0.0),
    # held back by decay alone
    MemberConfig(1.0, dropout=0.0, weight_decay=1.0),
)
"""Networks of these kinds stand for each other's weaknesses (Wenzel et al., 2020)."""


MEMBER_CONFIGS_FOR_MANY_ROWS = (MEMBER_CONFIGS[0], MEMBER_CONFIGS[3], MEMBER_CONFIGS[1])
"""Without those that nothing holds back, which learn many rows by heart."""


class TrainConfig(NamedTuple):
    """Those parameters of the classifier that may be "auto", once they are settled.

    Beside these, `kinds` has what dropout and weight decay are for some networks and
    others, `n_folds` in how many parts the rows are split, of which each network holds
    out one, and `initial_patience` the epochs that are waited for beside as many as
    have led to the best one, if that is less than `n_iter_no_change`.
    """

    hidden_layer_sizes: tuple[int, ...]
    activation: ActivationLike | tuple[ActivationLike, ...]
    label_smoothing: float
    kinds: tuple[MemberConfig, ...]
    batch_size: int
    learning_rate: str
    max_iter: int
    n_iter_no_change: float
    initial_patience: float
    early_stopping: bool
    validation_fraction: float
    n_folds: int
    n_estimators: int


def default_config(n_samples: int, n_columns: int) -> TrainConfig:
    """The settings for a table of so many rows and columns.

    Small tables are learnt by many narrow networks in small steps, each for as many
    epochs as its held-out rows ask for: few where classes are noisy, many where they
    can be told apart without error. There is a network of each kind for each fold.
    Large ones, which take longer and differ less from one network to the next, are
    learnt by fewer and wider networks, whose steps get small once the larger ones lead
    no further. The more rows there are, the fewer passes over them are needed.

    A little label smoothing keeps networks from being ever surer of rows that they
    know already; the temperature makes up for what it takes from their probabilities.
    """
    is_wide = n_columns > MOST_NUMBERS_EMBEDDED
    activation = "gelu" if is_wide else "relu"
    if n_samples < MANY_ROWS:
        return TrainConfig(
            hidden_layer_sizes=(64, 64),
            activation=activation,
            label_smoothing=0.01,
            kinds=MEMBER_CONFIGS,
            batch_size=32 if n_samples < 1000 else 64,
            learning_rate="constant",
            max_iter=min(300, 2_000_000 // max(n_samples, 1)),
            n_iter_no_change=20,
            initial_patience=2,
            early_stopping=True,
            validation_fraction=0.25,
            n_folds=4,
            n_estimators=16,
        )
    are_very_many = n_samples >= VERY_MANY_ROWS
    settings = TrainConfig(
        hidden_layer_sizes=(128, 128),
        activation=activation,
        label_smoothing=0.02,
        kinds=MEMBER_CONFIGS_FOR_MANY_ROWS,
        batch_size=256 if n_samples < 2 * VERY_MANY_ROWS else 512,
        learning_rate="reduce_on_plateau",
        max_iter=max(10, min(60, 4_000_000 // n_samples)),
        n_iter_no_change=1 if are_very_many else 2,
        initial_patience=np.inf,
        early_stopping=True,
        validation_fraction=0.05 if are_very_many else 0.1,
        n_folds=1 if are_very_many else 2,
        n_estimators=4 if are_very_many else 6,
    )
    if is_wide and are_very_many:
        settings = settings._replace(
            hidden_layer_sizes=(256, 256),
            label_smoothing=0.0,
            kinds=MEMBER_CONFIGS[:1],
            n_estimators=2,
        )
    if n_samples >= ENOUGH_ROWS:
        settings = settings._replace(
            learning_rate="cosine",
            max_iter=max(1, MAX_ROW_VISITS // n_samples),
            n_iter_no_change=np.inf,
            validation_fraction=MOST_HELD_OUT / n_samples,
        )
    return settings


IN_PARTS: dict[str, Any] = {
    "label_smoothing": 0.0,
    "learning_rate": "constant",
    "n_iter_no_change": 10,
    "initial_patience": np.inf,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""What changes where rows come in parts, and nobody knows how many are to come."""

FULL_BATCH: dict[str, Any] = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "label_smoothing": 0.0,
    "kinds": (MemberConfig(1.0, dropout=0.0, weight_decay=0.0),),
    "learning_rate": "constant",
    "max_iter": 200,
    "n_iter_no_change": 10,
    "initial_patience": np.inf,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
}
"""What changes for a solver that works on all rows at once."""


def is_auto(value: object) -> bool:
    """Whether a parameter leaves its value to the recipe."""
    return isinstance(value, str) and value == "auto"


def resolve_auto(
    parameters: Parameters,
    n_samples: int,
    n_columns: int,
    auto_of_solver: Mapping[str, Any],
    in_parts: bool = False,
) -> TrainConfig:
    """The parameters of an estimator, with "auto" replaced by what suits its table."""
    settings = default_config(n_samples, n_columns)
    if in_parts:
        settings = settings._replace(**IN_PARTS)
    settings = settings._replace(**auto_of_solver)
    settings = settings._replace(**select_given(parameters, TrainConfig._fields))
    if not is_auto(parameters.validation_fraction) and n_samples < MANY_ROWS:
        # as few as hold out every row between them
        n_folds = math.ceil(1 / settings.validation_fraction - 1e-9)
        settings = settings._replace(n_folds=n_folds)
    kinds = settings.kinds if parameters.diverse_members else settings.kinds[:1]
    given = select_given(parameters, MemberConfig._fields)
    kinds = tuple(kind._replace(**given) for kind in kinds)
    settings = settings._replace(kinds=kinds)
    is_smoothed_by_recipe = is_auto(parameters.label_smoothing)
    if is_smoothed_by_recipe and not has_temperature_fit(parameters, settings):
        settings = settings._replace(label_smoothing=0.0)
    # patience suits the schedule that it came with
    if not is_auto(parameters.n_iter_no_change):
        return settings._replace(initial_patience=np.inf)
    if is_auto(parameters.learning_rate):
        return settings
    has_fixed_length = SCHEDULES[settings.learning_rate].has_fixed_length
    return settings._replace(
        n_iter_no_change=np.inf if has_fixed_length else 10, initial_patience=np.inf
    )


def has_temperature_fit(parameters: Parameters, settings: TrainConfig) -> bool:
    """Whether enough networks hold out the same rows to tell how sure to be."""
    n_judges = math.ceil(settings.n_estimators / settings.n_folds)
    return (
        settings.early_stopping
        and is_auto(parameters.temperature)
        and n_judges >= min(MIN_OUT_OF_FOLD_MEMBERS, settings.n_estimators)
    )


def select_given(parameters: Parameters, names: Sequence[str]) -> dict[str, Any]:
    """Those of the parameters of these names that are set."""
    given = {name: getattr(parameters, name, "auto") for name in names}
    return {name: value for name, value in given.items() if not is_auto(value)}


def count_embedded_columns(
    parameters: Parameters, n_numbers: int, suits_solver: bool
) -> int:
    """How many columns of numbers get a periodic embedding: all or none."""
    if parameters.numeric_embedding is None:
        return 0
    suits = suits_solver and n_numbers <= MOST_NUMBERS_EMBEDDED
    return n_numbers if suits or not is_auto(parameters.numeric_embedding) else 0


def check_partial_fit_parameters(parameters: Parameters) -> None:
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
    if name != "auto" and SCHEDULES[name].has_fixed_length:
        raise ValueError(
            f"learning_rate={name!r} is laid out over max_iter "
            "epochs, and partial_fit knows no last epoch; choose "
            '"constant", "invscaling" or "adaptive".'
        )
