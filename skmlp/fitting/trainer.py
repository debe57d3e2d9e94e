"""The base of all trainers, and the state of training that checkpoints hold."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np

from skmlp.backend import NUMPY
from skmlp.fitting.averaging import TrainingState, get_generator_states
from skmlp.fitting.config import TrainConfig, TrainingRun
from skmlp.fitting.parameters import Parameters
from skmlp.nn.network import BLOCK_ROWS
from skmlp.optim.optimizers import Optimizer, OptimizerState
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.training.monitor import Monitor, Observer, StopReason
from skmlp.training.threads import Workers, limit_blas_threads


class Trainer(ABC):
    """Moves the weights of a run until the monitor or the run ends it."""

    # As one of `SOLVERS`
    defaults: ClassVar[Mapping[str, Any]] = {}  # "auto", where it differs
    embeds_numbers: ClassVar[bool] = True  # if numeric_embedding="auto" may do so
    has_fixed_budget: ClassVar[bool] = True  # max_iter="auto" is no limit, but wanted
    unsupported: ClassVar[Mapping[str, str]] = {}  # feature: the reason, and a remedy
    advice: ClassVar[str] = "change the solver"  # if it ended before the loss settled

    # In training
    dtype: ClassVar[str | None] = None  # that it computes in; None for the network's
    watches_training_loss: ClassVar[bool] = True  # which ends training at a plateau
    learning_rate: float  # before any factor; inf where there is none
    plateau_factor: float | None = None  # on it at a plateau; None ends training
    smallest_factor: float = 0.0  # product of these at which a plateau ends training

    @classmethod
    def from_config(
        cls, parameters: Parameters, config: TrainConfig, n_samples: int
    ) -> Self:
        """Build the trainer for a number of training rows per network."""
        return cls()

    def select_backend(self, run: TrainingRun) -> str:
        """Return "numpy", or an instruction set of the C core."""
        return NUMPY

    def open_threads(self, run: TrainingRun) -> AbstractContextManager[Workers]:
        """Open a block to train in, with workers for the networks."""
        n_rows = min(BLOCK_ROWS, run.n_samples)
        return limit_blas_threads(run.architecture.largest_matmul(n_rows))

    @abstractmethod
    def train(
        self,
        run: TrainingRun,
        parameters: np.ndarray,
        monitor: Monitor,
        workers: Workers,
    ) -> OptimizerState | None:
        """Train `parameters` (n_members, n_parameters) in place; return the state."""


# State


def _create_generators(
    rng: np.random.Generator, n_members: int
) -> list[np.random.Generator]:
    """Return a generator per network; a single one has that of the run."""
    if n_members == 1:
        return [rng]
    # draws of its own, on which neither threads nor stacks have any influence
    seeds = [rng.integers(2**63, size=2) for _ in range(n_members)]
    return [np.random.default_rng(seed) for seed in seeds]


def init_state(run: TrainingRun) -> TrainingState:
    """Return the state before the first epoch of a run."""
    parameters = run.parameters.astype(run.architecture.dtype)
    rngs = _create_generators(run.rng, len(parameters))
    return TrainingState(parameters, run.optimizer_state, get_generator_states(rngs))


def load_state(
    run: TrainingRun,
    monitor: Monitor,
    optimizer: Optimizer,
    count_steps: Callable[[TrainingRun], int] | None = None,
) -> TrainingState:
    """Return the state to start from; restore state and monitor of a checkpoint.

    `count_steps` gives the steps of the optimizer per epoch, if they are known.
    """
    state = init_state(run)
    if run.checkpoint is None or run.checkpoint.training is None:
        return state
    run.checkpoint.check_engine(run.backend)
    memory = copy(optimizer).init_state(state.parameters, state.optimizer_state).state()
    n_steps = None if count_steps is None else count_steps(run)
    saved = run.checkpoint.restore(
        monitor, memory, state.draws, run.config.max_iter, n_steps
    )
    return TrainingState(
        monitor.parameters.copy(), saved["rule"], tuple(saved["draws"])
    )


class CheckpointSaver(Observer):
    """Saves the state of training when the checkpoint is due, and at the end."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        run: TrainingRun,
        get_state: Callable[[], TrainingState],
    ) -> None:
        self.checkpoint = checkpoint
        self.backend = run.backend
        self.max_iter = run.config.max_iter
        self.get_state = get_state

    def end_epoch(self, monitor: Monitor) -> None:
        if monitor.is_out_of_time():
            return  # the epoch may have been cut short, which can't be resumed
        is_last = monitor.n_epochs == self.max_iter
        is_over = is_last or monitor.stop_reason is not None
        if is_over or self.checkpoint.is_due(monitor.n_epochs):
            state = self.get_state()
            memory = state.optimizer_state or {}
            # neither a run that has diverged, nor one that is about to
            if monitor.stop_reason == StopReason.DIVERGED or not all(
                np.isfinite(moment).all() for moment in memory.values()
            ):
                return
            self.checkpoint.save(
                {
                    "engine": self.backend,
                    "monitor": monitor.state(),
                    "rule": state.optimizer_state,
                    "draws": list(state.draws),
                }
            )


def save_epochs(
    run: TrainingRun, monitor: Monitor, get_state: Callable[[], TrainingState]
) -> None:
    """Save epochs to the checkpoint of the run, if it has one."""
    if run.checkpoint is not None:
        # before observers that may take long or raise
        saver = CheckpointSaver(run.checkpoint, run, get_state)
        monitor.observers.insert(0, saver)


def select_members(
    optimizer_state: OptimizerState, members: slice | int | Sequence[int]
) -> OptimizerState:
    """Return the optimizer state of some networks, or of one alone."""
    return {
        name: value if name == "t" else value[members]
        for name, value in optimizer_state.items()
    }


def stack_members(optimizer_state: OptimizerState) -> OptimizerState:
    """Return the optimizer state as a stack, also of a single network."""
    return {
        name: value if name == "t" else np.atleast_2d(value)
        for name, value in optimizer_state.items()
    }
