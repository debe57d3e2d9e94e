"""Training by an optimizer step per batch, on all rows or on a shard of them."""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Self

import numpy as np
from scipy.sparse import issparse

from skmlp.backend import NUMPY, build_core_settings, choose_backend
from skmlp.core.learner import CoreLearner
from skmlp.defaults import MemberConfig, is_auto
from skmlp.fitting.averaging import (
    LocalSteps,
    TrainingState,
    get_generator_states,
    restore_generators,
)
from skmlp.fitting.config import TrainConfig, TrainingRun
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.trainer import (
    Trainer,
    load_state,
    save_epochs,
    select_members,
    stack_members,
)
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Network
from skmlp.optim.optimizers import (
    OPTIMIZERS,
    Optimizer,
    OptimizerState,
    ParameterUpdater,
)
from skmlp.optim.schedules import SCHEDULES, Schedule
from skmlp.training.batches import Batches, make_batches
from skmlp.training.loop import Learner, NumpyLearner, number_members, train
from skmlp.training.monitor import Monitor, StopReason
from skmlp.training.threads import SERIAL, Workers, limit_blas_threads, open_workers

MAX_MEMBERS_TOGETHER = 16
"""Most networks of an ensemble whose matrices are multiplied as one stack."""

MIN_SHARED_LAYER = 2**16
"""Outputs of a hidden layer, for a batch and two networks, from which stacks are worth
threads of their own: below, the threads mostly wait for their turn in Python."""

MIN_SHARED_BATCH = 2**22
"""Weights times rows of a batch from which the core shares a batch among threads.

On two idle cores a second thread saves a third of a step at 2^22; where another program
keeps one of them busy, the step takes a quarter longer, and hardly so at 2^24.
"""

MIN_ROWS_PER_THREAD = 32
"""Fewest rows of a batch that a thread is worth."""


@dataclass(frozen=True)
class StochasticTrainer(Trainer):
    """Stochastic gradient descent in batches, by any optimizer and schedule."""

    advice = 'let early_stopping=True or learning_rate="cosine" decide when to end'

    optimizer: Optimizer  # a copy of it is started for each learner
    learning_rate: float  # before any factor
    power_t: float  # exponent of inverse scaling
    schedule: type[Schedule]  # factor on the learning rate
    batch_size: int
    shuffle: bool  # rows in a new order in each epoch

    @classmethod
    def from_config(
        cls, parameters: Parameters, config: TrainConfig, n_samples: int
    ) -> Self:
        if config.batch_size > n_samples and not is_auto(parameters.batch_size):
            warnings.warn(
                f"batch_size={parameters.batch_size} is larger than the number of "
                f"training rows, {n_samples}; it is clipped to that.",
                stacklevel=3,
            )
        return cls(
            OPTIMIZERS[parameters.solver].from_parameters(parameters),
            parameters.learning_rate_init,
            parameters.power_t,
            SCHEDULES[config.learning_rate],
            min(config.batch_size, n_samples),
            parameters.shuffle,
        )

    @property
    def plateau_factor(self) -> float | None:  # type: ignore[override]
        """Factor of the schedule on the learning rate at a plateau."""
        return self.schedule.plateau_factor

    @property
    def smallest_factor(self) -> float:  # type: ignore[override]
        """Factor of the schedule at which a plateau ends training."""
        return self.schedule.smallest_factor

    def select_backend(self, run: TrainingRun) -> str:
        """Return the C core if it takes network, rows and optimizer; else "numpy"."""
        return choose_backend(run.architecture, run.data.samples.x, self.optimizer)

    def open_threads(self, run: TrainingRun) -> AbstractContextManager[Workers]:
        """Open workers for the networks, or for the batches of one wide network."""
        if len(run.parameters) > 1:
            return open_workers(len(self.split_members(run)))
        if run.backend == NUMPY:
            return limit_blas_threads(run.architecture.largest_matmul(self.batch_size))
        n_multiplications = self.batch_size * run.architecture.n_weights
        is_wide = n_multiplications >= MIN_SHARED_BATCH
        return open_workers(self.batch_size // MIN_ROWS_PER_THREAD if is_wide else 1)

    def train(
        self,
        run: TrainingRun,
        parameters: np.ndarray,
        monitor: Monitor,
        workers: Workers,
    ) -> OptimizerState | None:
        """Train all networks for some epochs, from a checkpoint or an earlier call."""
        start = load_state(run, monitor, self.optimizer, self._count_steps)
        parameters[...] = start.parameters
        learners = self._build_learners(
            run,
            start._replace(parameters=parameters),
            restore_generators(start.draws),
            workers,
        )

        def get_state() -> TrainingState:
            rngs = [rng for learner in learners for rng in learner.rngs]
            draws = get_generator_states(rngs)
            return TrainingState(parameters, _join_states(learners), draws)

        save_epochs(run, monitor, get_state)
        train(
            learners,
            parameters,
            monitor,
            learning_rate=self.learning_rate,
            schedule=self.build_schedule(run),
            n_epochs=run.config.max_iter,
            # a single network may need the workers for its batches
            run=map if len(learners) == 1 else workers.map,
        )
        if monitor.stop_reason is None and self.schedule.has_fixed_length:
            monitor.stop_reason = StopReason.COMPLETED
        has_diverged = monitor.stop_reason == StopReason.DIVERGED
        return start.optimizer_state if has_diverged else _join_states(learners)

    def _count_steps(self, run: TrainingRun) -> int:
        """Return the number of batches per epoch of each network."""
        samples = run.data.samples.select_members(0)
        return len(make_batches(samples, self.batch_size, rngs=None).batch_sizes())

    def build_schedule(self, run: TrainingRun) -> Schedule:
        """Return the factor on the learning rate over the epochs of a run."""
        return self.schedule(
            power_t=self.power_t,
            n_epochs=run.config.max_iter,
            n_samples=run.n_samples,
            samples_seen=run.samples_seen,
        )

    def train_locally(
        self,
        run: TrainingRun,
        state: TrainingState,
        steps: LocalSteps,
        learning_rate: float,
        schedule: Schedule,
        workers: Workers = SERIAL,
    ) -> TrainingState:
        """Take the local steps of one round on a shard, and return the state after it.

        It overwrites no argument, and depends on nothing else: so it may run anywhere,
        and again if its result was lost. Of the run, `data.samples` are the shard's,
        and neither parameters nor generator are used.
        """
        n_batches = -(-run.n_samples // self.batch_size)
        progress = steps.progress(n_batches, run.config.max_iter)
        shared = restore_generators(state.draws)
        rngs = steps.generators(shared)
        if not progress:  # there are more rounds than batches
            draws = steps.next_draws(state.draws, shared)
            return state._replace(draws=draws, weight=0.0, loss=0.0, first_loss=0.0)
        state = state._replace(parameters=state.parameters.copy())
        learners = self._build_learners(run, state, rngs, workers, steps)
        # networks that have ended wait for the others
        active, n_members = zip(
            *(
                (learner, len(members))
                for learner, members in number_members(learners)
                if not steps.ended.issuperset(members)
            ),
            strict=True,
        )
        rates = [learning_rate * schedule(place) for place in progress]
        train_epoch = methodcaller("train_epoch", rates, lambda: False)
        apply = map if len(learners) == 1 else workers.map
        losses = np.average(list(apply(train_epoch, active)), 0, n_members)
        sizes = np.array(active[0].batch_sizes())
        return TrainingState(
            state.parameters,
            _join_states(learners),
            steps.next_draws(state.draws, shared),
            float(sizes.sum() / run.n_samples * run.data.samples.total_weight()),
            float(np.dot(losses, sizes) / sizes.sum()),
            float(losses[0]),
        )

    def split_members(self, run: TrainingRun) -> list[slice]:
        """Return the networks of each learner: runs that are trained the same way."""
        longest = self._count_together(run)
        slices = [slice(0, 0)]
        members = run.config.members
        for number, member in enumerate(members):
            start = slices[-1].start
            # a stack shares dropout rates and weight decay
            is_same = member[1:] == members[start][1:]
            if is_same and number - start < longest:
                slices[-1] = slice(start, number + 1)
            else:
                slices.append(slice(number, number + 1))
        return slices

    def _count_together(self, run: TrainingRun) -> int:
        """Return the most networks that are multiplied as one stack."""
        is_single = len(run.parameters) == 1
        # sparse rows can't be stacked, and the core has no need of it
        if is_single or issparse(run.data.samples.x) or run.backend != NUMPY:
            return 1
        widest = max(run.architecture.hidden_layer_sizes, default=0)
        is_wide = 2 * self.batch_size * widest >= MIN_SHARED_LAYER
        return 2 if is_wide else MAX_MEMBERS_TOGETHER

    def _build_learners(
        self,
        run: TrainingRun,
        state: TrainingState,
        rngs: Sequence[np.random.Generator],
        workers: Workers,
        steps: LocalSteps | None = None,
    ) -> list[Learner]:
        """Build learners that move the parameters of the state in place."""
        is_single = len(state.parameters) == 1
        together = self._count_together(run)
        return [
            self._build_learner(
                run,
                state,
                # a stack of one takes 3 to 7% longer per step than a network alone
                members.start if together == 1 else members,
                rngs[members],
                workers if is_single else SERIAL,
                steps,
            )
            for members in self.split_members(run)
        ]

    def _build_learner(
        self,
        run: TrainingRun,
        state: TrainingState,
        members: slice | int,
        rngs: Sequence[np.random.Generator],
        workers: Workers,
        steps: LocalSteps | None,
    ) -> Learner:
        """Build the learner of a network or a stack, whose epoch is that of `steps`."""
        run = replace(
            run,
            data=run.data._replace(samples=run.data.samples.select_members(members)),
        )
        first = members if isinstance(members, int) else members.start
        member: MemberConfig = run.config.members[first]
        architecture = replace(run.architecture, dropout=member.dropout)
        loss = SoftmaxCrossEntropy(run.config.label_smoothing)
        regularization = run.regularization(member.weight_decay)
        samples = run.data.samples.normalize_weights(architecture.dtype)
        batches = make_batches(samples, self.batch_size, rngs if self.shuffle else None)
        if steps is not None:
            assert isinstance(batches, Batches), "shards are in memory"
            batches = batches.draw_batches(steps.batches(len(batches)))
            if any(architecture.dropout):
                # after the order, each round of an epoch has a seed of its own
                for rng in rngs:
                    rng.integers(2**63, size=steps.number)
        vectors = state.parameters[members]  # (n_parameters,) or (n_together, ...)
        memory = state.optimizer_state and select_members(
            state.optimizer_state, members
        )
        optimizer = copy(self.optimizer).init_state(vectors, memory)
        if run.backend != NUMPY:
            core_settings = build_core_settings(optimizer, regularization, loss)
            return CoreLearner(
                architecture, vectors, core_settings, batches, rngs, workers
            )
        gradient = np.empty_like(vectors)
        factors = architecture.learning_rate_factors()
        return NumpyLearner(
            Network(architecture, vectors, gradient),
            loss,
            ParameterUpdater(optimizer, vectors, gradient, regularization, factors),
            batches,
            rngs,
        )


def _join_states(learners: Sequence[Learner]) -> OptimizerState:
    """Return the optimizer states of all learners as one stack.

    Networks that have ended have taken fewer steps; all others the same number.
    """
    states = [stack_members(learner.optimizer_state()) for learner in learners]
    vectors = {
        name: np.concatenate([state[name] for state in states])
        for name in states[0].keys() - {"t"}
    }
    return {"t": max(state["t"] for state in states), **vectors}
