"""Training by L-BFGS on all rows at once."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from skmlp.defaults import LBFGS_DEFAULTS
from skmlp.fitting.config import TrainConfig, TrainingRun
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.trainer import Trainer
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import BLOCK_ROWS, Network
from skmlp.optim.optimizers import OptimizerState, minimize_lbfgs
from skmlp.training.batches import make_batches
from skmlp.training.loop import make_full_batch_objective
from skmlp.training.monitor import Monitor, StopReason
from skmlp.training.threads import Workers


@dataclass(frozen=True)
class LbfgsTrainer(Trainer):
    """Limited-memory BFGS, whose line search needs all rows in each iteration."""

    unsupported = {
        "dropout": "it makes the loss random, and no line search works on that; set "
        "dropout=0.0, or",
        "checkpoint": "what that solver remembers lies out of reach in scipy; set "
        "checkpoint=None, or",
        "partial_fit": "its line search needs all rows in each iteration; call fit, or",
        "shards": "its line search needs all rows in each iteration; pass these in "
        "memory to MLPSoftmaxClassifier, or",
    }
    defaults = LBFGS_DEFAULTS
    embeds_numbers = False
    has_fixed_budget = False
    advice = "raise max_fun"
    dtype = "float64"  # the line search can't meet its tolerances in float32
    watches_training_loss = False  # it goes on as far as its gradient leads
    learning_rate = math.inf

    max_fun: int  # most evaluations of the loss

    @classmethod
    def from_config(
        cls, parameters: Parameters, config: TrainConfig, n_samples: int
    ) -> Self:
        return cls(parameters.max_fun)

    def train(
        self,
        run: TrainingRun,
        parameters: np.ndarray,
        monitor: Monitor,
        workers: Workers,
    ) -> OptimizerState | None:
        """Minimize the mean loss of all networks as one problem."""
        gradient = np.empty_like(parameters)
        batch_size = min(BLOCK_ROWS, run.n_samples)  # only bounds the memory
        loss = SoftmaxCrossEntropy(run.config.label_smoothing)
        objectives = [
            make_full_batch_objective(
                Network(run.architecture, vector, its_gradient),
                loss,
                make_batches(
                    samples.normalize_weights("float64"), batch_size, rngs=None
                ),
            )
            for vector, its_gradient, samples in zip(
                parameters, gradient, run.data.samples.split_members(), strict=True
            )
        ]

        def mean_objective() -> float:
            monitor.begin_epoch()
            return float(np.mean([objective() for objective in objectives]))

        with np.errstate(all="ignore"):
            result = minimize_lbfgs(
                mean_objective,
                parameters,
                gradient,
                run.regularization(),
                monitor.end_epoch,
                max_iter=run.config.max_iter,
                max_fun=self.max_fun,
                tol=run.config.tol,
            )
        if monitor.n_epochs == 0:
            monitor.end_epoch(result.fun / len(objectives), parameters)
        if monitor.stop_reason is None and result.success:
            monitor.stop_reason = StopReason.CONVERGED
        return run.optimizer_state
