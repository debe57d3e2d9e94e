"""The parameters of an estimator, as those who fit it read them."""

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from skmlp.nn.activations import Activation

ActivationLike = str | type[Activation] | Activation
"""What stands for an activation: its name, its class or itself."""

Scoring = str | Callable[..., float]
"""The name of a scorer, or a scorer."""

Auto = Literal["auto"]


class Transformer(Protocol):
    """A transformer of scikit-learn's kind; its `fit` may take weights or not."""

    fit_transform: Callable[..., Any]
    transform: Callable[[Any], Any]
    get_params: Callable[[], dict[str, Any]]
    set_params: Callable[..., Any]
    get_feature_names_out: Callable[[], Any]


class Parameters(Protocol):
    """What the constructor of an estimator has stored; its docstring says more."""

    hidden_layer_sizes: int | Sequence[int] | Auto
    activation: ActivationLike | Sequence[ActivationLike]
    preprocessing: Transformer | Auto | None
    categorical_features: ArrayLike | None
    encoder_rows: int | Auto
    numeric_embedding: Literal["auto", "periodic"] | None
    dropout: float | Sequence[float] | Auto
    label_smoothing: float | Auto
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    solver: Literal["adam", "sgd", "lbfgs"]
    alpha: float
    weight_decay: float | Auto
    batch_size: int | Auto
    learning_rate: Literal[
        "auto",
        "constant",
        "invscaling",
        "adaptive",
        "reduce_on_plateau",
        "cosine",
        "one_cycle",
    ]
    learning_rate_init: float
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_fun: int
    max_iter: int | Auto
    tol: float
    n_iter_no_change: float | Auto
    early_stopping: bool | Auto
    validation_fraction: float | Auto
    scoring: Scoring
    n_estimators: int | Auto
    diverse_members: bool
    member_weights: Auto | None
    temperature: float | Auto | None
    shuffle: bool
    dtype: Literal["float32", "float64"]
    random_state: int | np.random.RandomState | None
    max_time: float | None
    checkpoint: str | os.PathLike | None
    checkpoint_every: int | str | dt.timedelta
    verbose: bool | int
