"""What is to be trained, and what comes of it; callbacks alone know of an estimator."""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from skmlp._sklearn_compat import FitTask
from skmlp.fitting.parameters import Auto, Scoring
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OptimizerState, Regularization
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.training.batches import Samples
from skmlp.training.monitor import PlateauTracker, StopReason


class Memory(NamedTuple):
    """What training remembers from one call to the next, besides the weights.

    Attributes
    ----------
    optimizer_state : dict or None
        What the update rule remembers.
    plateau : PlateauTracker or None
        How long the loss has not moved.
    samples_seen : int
        Training rows seen so far, each epoch counted.
    """

    optimizer_state: OptimizerState | None = None
    plateau: PlateauTracker | None = None
    samples_seen: int = 0


class Member(NamedTuple):
    """A network of an ensemble, as far as it may differ from others.

    Attributes
    ----------
    kind : int
        Those of the same kind differ in draws and held-out rows only.
    frequency : float
        Factor on the frequencies that waves of numbers start with.
    dropout : tuple of float
        Dropout rate behind each hidden layer.
    weight_decay : float
        What the weights lose per step, before the learning rate.
    """

    kind: int
    frequency: float
    dropout: tuple[float, ...]
    weight_decay: float

    @property
    def way(self) -> tuple[tuple[float, ...], float]:
        """How it is trained: networks that share this may be trained as one stack."""
        return self.dropout, self.weight_decay


class Data(NamedTuple):
    """What is learnt from.

    Attributes
    ----------
    samples, validation : Samples
        The rows to train on and those to score after each epoch, or None.
    classes : ndarray of shape (n_classes,)
        The labels that codes stand for.
    n_numbers : int
        How many columns of the matrix, its first ones, are numbers.
    """

    samples: Samples
    validation: Samples | None
    classes: np.ndarray
    n_numbers: int


class Goal(NamedTuple):
    """What training is to reach, and when it has gone far enough.

    Attributes
    ----------
    label_smoothing : float
        Part of each target that is spread over all classes.
    alpha : float
        Penalty on weights.
    scoring : str or callable
        What the held-out rows are scored by.
    temperature : float, "auto" or None
        What the logits are divided by; "auto" is to be found on the held-out rows.
    member_weights : "auto" or None
        What networks count for: "auto" is to be found there as well.
    max_iter : int
        Most epochs or iterations.
    has_fixed_budget : bool
        Whether so many are wanted, rather than as many as it takes.
    tol : float
        By how much the watched value must improve.
    patience : float
        Epochs without improvement, beyond which a plateau is reached.
    initial_patience : float, default=inf
        As many beside those that have led to the best epoch, if that is less.
    """

    label_smoothing: float
    alpha: float
    scoring: Scoring
    temperature: float | Auto | None
    member_weights: Auto | None
    max_iter: int
    has_fixed_budget: bool
    tol: float
    patience: float
    initial_patience: float = math.inf


@dataclass(frozen=True)
class Task:
    """What one call of fit or partial_fit trains, from where, on what and how long.

    Attributes
    ----------
    architecture : Architecture
        Of the network, or of each network of an ensemble, dropout aside.
    members : tuple of Member
        The networks; one, if it is no ensemble.
    parameters : ndarray of shape (n_members, n_parameters)
        Where training starts; never written. One network is a stack of one.
    samples, validation : Samples
        The rows to train on and those to score after each epoch, or None; a stack, of
        a line per network.
    classes : ndarray of shape (n_classes,)
        The labels that codes stand for.
    rng : numpy.random.Generator
        Source of all draws.
    goal : Goal
        What it is to reach.
    memory : Memory
        What is left of former calls.
    epochs_before : int
        Of which the reader of a printed line knows already.
    verbose : bool or int
        What is shown of each epoch.
    deadline : float
        Value of `time.monotonic` at which training is to end.
    checkpoint : Checkpoint or None
        Where the state is saved, and maybe gone on from.
    fit_task : FitTask or None
        Where scikit-learn's callbacks hear of epochs.
    engine : str
        What computes: "numpy", or an instruction set of the core.
    """

    architecture: Architecture
    members: tuple[Member, ...]
    parameters: np.ndarray
    samples: Samples
    validation: Samples | None
    classes: np.ndarray
    rng: np.random.Generator
    goal: Goal
    memory: Memory = field(default_factory=Memory)
    epochs_before: int = 0
    verbose: bool | int = False
    deadline: float = math.inf
    checkpoint: Checkpoint | None = None
    fit_task: FitTask | None = None
    engine: str = "numpy"

    @property
    def n_samples(self) -> int:
        """Training rows per network."""
        return self.samples.y_encoded.shape[-1]

    @property
    def n_penalised(self) -> float:
        """Over how many rows the penalty is spread.

        A row of weight 2 counts as two; but weights that are small altogether are as
        good as larger ones, and rows count no less than one each.
        """
        return max(self.samples.total_weight(), self.n_samples)

    def on_shard(self, samples: Samples, n_penalised: float) -> "Task":
        """The same on some of the rows, which bear their share of the penalty.

        `n_penalised` is that of all shards together.
        """
        shard = replace(self, samples=samples)
        share = shard.n_penalised / n_penalised
        return replace(shard, goal=self.goal._replace(alpha=share * self.goal.alpha))

    def loss(self) -> SoftmaxCrossEntropy:
        """What the training rows are measured by."""
        return SoftmaxCrossEntropy(self.goal.label_smoothing)

    def regularization(self, weight_decay: float = 0.0) -> Regularization:
        """The L2 penalty and the decay of weights, which leave biases alone."""
        l2 = self.goal.alpha / self.n_penalised
        return Regularization(l2, self.architecture.n_weights, weight_decay)


def alone_or_stack(vectors: np.ndarray) -> np.ndarray:
    """The vector of a network alone, or the stack of several."""
    return vectors[0] if len(vectors) == 1 else vectors


def best_iter_of(epochs: np.ndarray) -> int | np.ndarray:
    """The epoch of a network alone, or those of several."""
    return int(epochs[0]) if len(epochs) == 1 else epochs


class Learnt(NamedTuple):
    """What is kept if training ends at some epoch.

    Attributes
    ----------
    architecture : Architecture
        Of the network, or of each network of an ensemble.
    parameters : ndarray of shape (n_members, n_parameters)
        The weights, in the type of the architecture.
    history : dict of str to list of float
        One entry per epoch under each name.
    best_epochs : ndarray of int of shape (n_members,)
        Which epoch the weights of each network are from.
    temperature : float
        What the logits are divided by.
    shares : ndarray of shape (n_members,)
        What each network has of the mean.
    engine : str
        What has trained the networks.
    """

    architecture: Architecture
    parameters: np.ndarray
    history: dict[str, list[float]]
    best_epochs: np.ndarray
    temperature: float
    ensemble_weights: np.ndarray
    engine: str = "numpy"

    def attributes(self) -> dict[str, object]:
        """The same as fitted estimators have it: a network alone has no first axis."""
        return {
            "architecture_": self.architecture,
            "parameters_": alone_or_stack(self.parameters),
            "history_": self.history,
            "best_iter_": best_iter_of(self.best_epochs),
            "temperature_": self.temperature,
            "member_weights_": self.ensemble_weights,
            "engine_": self.engine,
        }


class TrainResult(NamedTuple):
    """What came of a task.

    Attributes
    ----------
    learnt : Learnt
        What is kept.
    ending : Ending
        How it ended.
    memory : Memory
        What a later call can go on from.
    scores_say_nothing : bool
        Whether rows were held out, and no epoch had a finite score.
    """

    learnt: Learnt
    stop_reason: StopReason
    memory: Memory
    scores_say_nothing: bool

    @property
    def n_epochs(self) -> int:
        """Epochs that have ended, a diverged one included."""
        return len(self.learnt.history["loss"])
