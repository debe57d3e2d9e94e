"""Training on shards: communication rounds of local steps, by any executor."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skmlp.backend import choose_backend
from skmlp.fitting.averaging import (
    LocalSteps,
    TrainingState,
    average_states,
    scale_learning_rate,
)
from skmlp.fitting.config import TrainingRun
from skmlp.fitting.stochastic import StochasticTrainer
from skmlp.fitting.trainer import Trainer, load_state, save_epochs
from skmlp.optim.optimizers import OptimizerState
from skmlp.optim.schedules import Schedule
from skmlp.training.batches import Samples, ShardedRows
from skmlp.training.monitor import Monitor, StopReason
from skmlp.training.threads import SERIAL, Workers, open_workers


class CommunicationRound(NamedTuple):
    """Work of all shards between two averages."""

    steps: LocalSteps  # of the first shard; the others differ in their numbers
    learning_rate: float  # before the factor of the schedule


class RoundStats(NamedTuple):
    """Statistics of a round, which are sent without its state."""

    weight: float  # of the rows, in all
    loss: float
    first_loss: float

    @classmethod
    def from_state(cls, state: TrainingState) -> "RoundStats":
        """Return the statistics of the last round of a state."""
        return cls(state.weight, state.loss, state.first_loss)


@dataclass(frozen=True)
class ShardJob:
    """Everything that the rounds of a fit share; small, since it holds no rows."""

    trainer: StochasticTrainer
    run: TrainingRun  # that of all rows, without these
    schedule: Schedule
    penalized_weight: float  # of all rows

    @classmethod
    def from_run(cls, trainer: StochasticTrainer, run: TrainingRun) -> "ShardJob":
        """Strip the rows, and anything else that workers do not need, from a run."""
        nothing = np.empty((len(run.parameters), 0), run.architecture.dtype)
        without_rows = replace(
            run,
            # a callable may be huge
            config=run.config._replace(scoring="neg_log_loss"),
            data=run.data._replace(
                samples=Samples(nothing, np.empty((len(nothing), 0), int)),
                validation=None,
            ),
            parameters=nothing,
            optimizer_state=None,
            plateau=None,
            checkpoint=None,
            fit_task=None,
        )
        schedule = trainer.build_schedule(run)
        return cls(trainer, without_rows, schedule, run.penalized_weight)

    def train_shard(
        self,
        samples: Samples,
        state: TrainingState,
        one_round: CommunicationRound,
        shard: int,
        workers: Workers,
    ) -> TrainingState:
        """Take the local steps of a shard, whose samples are those of one network."""
        optimizer = self.trainer.optimizer
        here = choose_backend(self.run.architecture, samples.x, optimizer)
        if here != self.run.backend:
            raise RuntimeError(
                f"the engine is {here!r} on a worker and {self.run.backend!r} where "
                "fit was called, and these differ in the last digits; set the "
                "environment variable SKMLP_ENGINE to one that all of them have, such "
                'as "numpy".'
            )
        samples = samples.broadcast_members(len(self.run.parameters))
        return self.trainer.train_locally(
            self.run.on_shard(samples, self.penalized_weight),
            state,
            one_round.steps._replace(shard=shard),
            one_round.learning_rate,
            self.schedule,
            workers,
        )


class Executor(ABC):
    """Carries out the rounds of an epoch."""

    sizes: Sequence[int]  # rows of each shard

    @abstractmethod
    def run_epoch(
        self,
        job: ShardJob,
        state: TrainingState,
        rounds: Sequence[CommunicationRound],
        should_stop: Callable[[], bool],
    ) -> tuple[TrainingState, list[RoundStats]]:
        """Return the state after an epoch, and the statistics of its rounds.

        It ends early after a round with some rows, if `should_stop` then returns True.
        """


class SerialExecutor(Executor):
    """Runs rounds in this process, one shard after the other."""

    def __init__(self, rows: ShardedRows, workers: Workers = SERIAL) -> None:
        self.sizes = rows.sizes
        self.shards: Sequence[Samples] = rows.shards
        self.workers = workers

    def run_epoch(
        self,
        job: ShardJob,
        state: TrainingState,
        rounds: Sequence[CommunicationRound],
        should_stop: Callable[[], bool],
    ) -> tuple[TrainingState, list[RoundStats]]:
        stats: list[RoundStats] = []
        for one_round in rounds:
            state = average_states(
                job.train_shard(samples, state, one_round, number, self.workers)
                for number, samples in enumerate(self.shards)
            )
            stats.append(RoundStats.from_state(state))
            if state.weight and should_stop():
                break
        return state, stats


class ShardedTrainer(Trainer):
    """Local SGD: steps on each shard by itself, averaged after each round.

    On one shard, with one round per epoch, it equals `trainer` to the last bit.
    """

    def __init__(
        self, trainer: StochasticTrainer, executor: Executor, n_rounds: int
    ) -> None:
        self.trainer = trainer
        self.executor = executor
        self.n_rounds = n_rounds  # per epoch
        self.learning_rate = trainer.learning_rate
        self.plateau_factor = trainer.plateau_factor
        self.smallest_factor = trainer.smallest_factor

    def select_backend(self, run: TrainingRun) -> str:
        """Return the backend of all shards."""
        return self.trainer.select_backend(run)

    def open_threads(self, run: TrainingRun) -> AbstractContextManager[Workers]:
        """Open workers for the validation of the networks."""
        return open_workers(len(run.parameters))

    def train(
        self,
        run: TrainingRun,
        parameters: np.ndarray,
        monitor: Monitor,
        workers: Workers,
    ) -> OptimizerState | None:
        """Run epochs, from a checkpoint or an earlier call."""
        state = start = load_state(run, monitor, self.trainer.optimizer)
        parameters[...] = state.parameters
        job = ShardJob.from_run(self.trainer, run)
        save_epochs(run, monitor, lambda: state)
        while monitor.stop_reason is None and monitor.n_epochs < run.config.max_iter:
            monitor.begin_epoch()
            rounds = self._plan_rounds(monitor)
            state, stats = self.executor.run_epoch(
                job, state, rounds, monitor.is_out_of_time
            )
            parameters[...] = state.parameters
            visited = [one for one in stats if one.weight]
            monitor.set_divergence_limit(visited[0].first_loss)
            monitor.end_epoch(
                _average_loss(visited),
                parameters,
                self._last_rate(job, rounds[len(stats) - 1]),
                self._penalty(run, parameters, rounds[0].steps.ended),
            )
        if monitor.stop_reason is None and self.trainer.schedule.has_fixed_length:
            monitor.stop_reason = StopReason.COMPLETED
        has_diverged = monitor.stop_reason == StopReason.DIVERGED
        return start.optimizer_state if has_diverged else state.optimizer_state

    def _plan_rounds(self, monitor: Monitor) -> list[CommunicationRound]:
        """Return the rounds of the next epoch."""
        n_shards, epoch = len(self.executor.sizes), monitor.n_epochs
        members = range(len(monitor.parameters))
        ended = frozenset(filter(monitor.has_stopped, members))
        base = self.learning_rate * monitor.factor
        return [
            CommunicationRound(
                LocalSteps(epoch, number, self.n_rounds, 0, n_shards, ended),
                base * scale_learning_rate(n_shards, epoch + number / self.n_rounds),
            )
            for number in range(self.n_rounds)
        ]

    def _last_rate(self, job: ShardJob, last: CommunicationRound) -> float:
        """Return the learning rate of the last step of a round on the largest shard."""
        n_batches = -(-max(self.executor.sizes) // self.trainer.batch_size)
        progress = last.steps.progress(n_batches, job.run.config.max_iter)
        return last.learning_rate * job.schedule(progress[-1] if progress else 0.0)

    @np.errstate(all="ignore")
    def _penalty(
        self, run: TrainingRun, parameters: np.ndarray, ended: frozenset[int]
    ) -> float:
        """Return the mean penalty of the active networks, summed as in learners."""
        stacks = [
            stack
            for stack in self.trainer.split_members(run)
            if not ended.issuperset(range(stack.start, stack.stop))
        ]
        values = [run.regularization().value(parameters[stack]) for stack in stacks]
        n_members = [stack.stop - stack.start for stack in stacks]
        return float(np.average(values, weights=n_members))


def _average_loss(stats: Sequence[RoundStats]) -> float:
    """Return the mean loss over all rows of some rounds."""
    weight = loss = 0.0
    for one in stats:
        weight += one.weight
        loss += (one.loss - loss) * (one.weight / weight)
    return loss
