"""Settings, data, run and result of training; callbacks alone know the estimator."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skmlp._sklearn_compat import FitTask
from skmlp.defaults import MemberConfig
from skmlp.fitting.parameters import Auto, Scoring
from skmlp.nn.activations import Activation
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OptimizerState, Regularization
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.training.batches import Samples
from skmlp.training.monitor import PlateauTracker, StopReason


class TrainConfig(NamedTuple):
    """Settings of a training run: every "auto" resolved, plain values of final types.

    A field that has the name of a parameter of the estimator means the same.
    """

    # the networks
    n_estimators: int
    member_configs: tuple[MemberConfig, ...]  # the different ones
    hidden_layer_sizes: tuple[int, ...]
    activation: tuple[Activation, ...]  # one per hidden layer
    max_embedded_columns: float  # numeric columns up to which all are embedded
    dtype: str
    # loss and steps
    label_smoothing: float
    alpha: float
    batch_size: int
    learning_rate: str  # name of the schedule
    max_iter: int
    has_fixed_budget: bool  # all of max_iter is wanted; else it is a limit
    # validation
    early_stopping: bool
    validation_fraction: float
    n_folds: int  # parts of the rows, of which each network holds out one
    scoring: Scoring
    # stopping
    tol: float
    n_iter_no_change: float
    initial_patience: float  # stop sooner: this many epochs more than led to the best
    # the ensemble
    member_weights: Auto | None
    temperature: float | Auto | None
    verbose: bool | int

    @property
    def members(self) -> tuple[MemberConfig, ...]:
        """Config of each network: the first for one network per fold, then the next."""
        n_configs = len(self.member_configs)
        return tuple(
            self.member_configs[number // self.n_folds % n_configs]
            for number in range(self.n_estimators)
        )


class TrainData(NamedTuple):
    """Encoded rows to train on, and to validate with."""

    samples: Samples  # x (n_rows, n_inputs) of all; labels (n_members, n_samples)
    validation: Samples | None  # scored after each epoch
    classes: np.ndarray  # (n_classes,), sorted
    n_numbers: int  # the first columns of x, which are numbers


@dataclass(frozen=True)
class TrainingRun:
    """One call of fit or partial_fit: its settings and data, and where it starts."""

    config: TrainConfig
    data: TrainData
    architecture: Architecture  # of each network, dropout aside
    parameters: np.ndarray  # (n_members, n_parameters), where it starts; not written
    rng: np.random.Generator  # source of all draws
    # from earlier calls
    optimizer_state: OptimizerState | None = None
    plateau: PlateauTracker | None = None
    samples_seen: int = 0
    epochs_before: int = 0  # offset of the epoch number in verbose output
    # around the training
    deadline: float = math.inf  # value of time.monotonic
    checkpoint: Checkpoint | None = None
    fit_task: FitTask | None = None  # for scikit-learn's callbacks
    backend: str = "numpy"  # or an instruction set of the C core

    @property
    def n_samples(self) -> int:
        """Number of training rows per network."""
        return self.data.samples.y_encoded.shape[-1]

    @property
    def penalized_weight(self) -> float:
        """Weight of the rows that the L2 penalty is divided by.

        A row of weight 2 counts as two rows. But the scale of small weights means
        nothing, so that a row counts no less than one on average.
        """
        return max(self.data.samples.total_weight(), self.n_samples)

    def on_shard(self, samples: Samples, penalized_weight: float) -> "TrainingRun":
        """Return the run on a shard, with its part of the penalty of all rows."""
        shard = replace(self, data=self.data._replace(samples=samples))
        alpha = shard.penalized_weight / penalized_weight * self.config.alpha
        return replace(shard, config=self.config._replace(alpha=alpha))

    def regularization(self, weight_decay: float = 0.0) -> Regularization:
        """L2 penalty and weight decay, which leave biases alone."""
        l2 = self.config.alpha / self.penalized_weight
        return Regularization(l2, self.architecture.n_weights, weight_decay)


@dataclass(frozen=True)
class TrainResult:
    """Outcome of a run, and the state that a later call starts from."""

    classes: np.ndarray  # (n_classes,)
    architecture: Architecture
    parameters: np.ndarray  # (n_members, n_parameters), in the type of the architecture
    history: dict[str, list[float]]  # one entry per epoch under each name
    best_epochs: np.ndarray  # (n_members,), epochs that the parameters are from
    ensemble_weights: np.ndarray  # (n_members,), which sum to 1
    temperature: float  # divides the logits
    backend: str
    stop_reason: StopReason | None = None
    # for a later call
    optimizer_state: OptimizerState | None = None
    plateau: PlateauTracker | None = None
    samples_seen: int = 0
    # for warnings
    lacks_scores: bool = False  # there are validation rows, but no finite score

    @property
    def n_epochs(self) -> int:
        """Number of epochs that have ended, a diverged one included."""
        return len(self.history["loss"])

    def attributes(self) -> dict[str, object]:
        """Return the fitted attributes of the estimator."""
        is_single = len(self.parameters) == 1
        return {
            "architecture_": self.architecture,
            "parameters_": self.parameters[0] if is_single else self.parameters,
            "history_": self.history,
            "best_iter_": int(self.best_epochs[0]) if is_single else self.best_epochs,
            "temperature_": self.temperature,
            "member_weights_": self.ensemble_weights,
            "engine_": self.backend,
        }

    def continuing(self, previous: "TrainResult") -> "TrainResult":
        """Return the result with the epochs of an earlier call before its own."""
        if previous.history.keys() != self.history.keys():
            return self
        history = {
            name: previous.history[name] + values
            for name, values in self.history.items()
        }
        has_diverged = self.stop_reason == StopReason.DIVERGED
        offset = previous.best_epochs if has_diverged else previous.n_epochs
        return replace(self, history=history, best_epochs=self.best_epochs + offset)
