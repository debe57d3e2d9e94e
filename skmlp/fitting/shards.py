"""Training on shards: epochs of rounds, whoever carries these out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, Self

import numpy as np

from skmlp.fitting.averaging import State, Visit, learning_rate_factor, mean_of
from skmlp.fitting.engines import engine_of
from skmlp.fitting.solvers import Descent, Trainer, save_to_checkpoint, start_of
from skmlp.fitting.task import Memory, Task
from skmlp.optim.optimizers import OptimizerState
from skmlp.optim.schedules import Schedule
from skmlp.training.batches import Samples, ShardedRows
from skmlp.training.monitor import Monitor, StopReason
from skmlp.training.threads import SERIAL, Workers, open_workers


class Round(NamedTuple):
    """What all shards do between two means.

    Attributes
    ----------
    visit : Visit
        That of the first shard; the others differ in their numbers.
    learning_rate : float
        Before the factor of the schedule.
    """

    visit: Visit
    learning_rate: float


class Report(NamedTuple):
    """What is told of the state behind a round without sending it."""

    weight: float
    loss: float
    first_loss: float

    @classmethod
    def of(cls, state: State) -> Self:
        """That of a state."""
        return cls(state.weight, state.loss, state.first_loss)


@dataclass(frozen=True)
class Course:
    """What all rounds of a fit have in common; it holds no rows, so that it is light.

    Attributes
    ----------
    descent : Descent
        Takes the steps.
    task : Task
        That of all rows, without these.
    schedule : Schedule
        The factor on the learning rate.
    n_penalised : float
        Over how many rows the penalty is spread.
    """

    descent: Descent
    task: Task
    schedule: Schedule
    n_penalised: float

    @classmethod
    def of(cls, descent: Descent, task: Task) -> Self:
        """That of a task."""
        nothing = np.empty((len(task.parameters), 0), task.architecture.dtype)
        without_rows = replace(
            task,
            parameters=nothing,
            samples=Samples(nothing, np.empty((len(nothing), 0), int)),
            validation=None,
            goal=task.goal._replace(scoring="neg_log_loss"),  # others may hold anything
            memory=Memory(),
            checkpoint=None,
            fit_task=None,
        )
        schedule = descent.schedule_of(task)
        return cls(descent, without_rows, schedule, task.n_penalised)

    def take(
        self,
        samples: Samples,
        state: State,
        of_all: Round,
        shard: int,
        workers: Workers,
    ) -> State:
        """Take one shard's part in a round.

        Parameters
        ----------
        samples : Samples
            Rows of the shard, one line of them.
        state : State
            Where the round begins.
        of_all : Round
            What all shards do.
        shard : int
            The number of this one.
        crew : Crew
            For its networks.

        Raises
        ------
        RuntimeError
            If another engine computes here than where training was begun.
        """
        here = engine_of(self.task.architecture, samples.x, self.descent.optimizer)
        if here != self.task.engine:
            raise RuntimeError(
                f"the engine is {here!r} on a worker and {self.task.engine!r} where "
                "fit was called, and these differ in the last digits; set the "
                "environment variable SKMLP_ENGINE to one that all of them have, such "
                'as "numpy".'
            )
        samples = samples.broadcast_members(len(self.task.parameters))
        return self.descent.take_round(
            self.task.on_shard(samples, self.n_penalised),
            state,
            of_all.visit._replace(shard=shard),
            of_all.learning_rate,
            self.schedule,
            workers,
        )


class Runner(Protocol):
    """Has the rounds of an epoch carried out.

    Attributes
    ----------
    sizes : sequence of int
        Rows of each shard.
    """

    @property
    def sizes(self) -> Sequence[int]: ...

    def epoch(
        self,
        course: Course,
        state: State,
        rounds: Sequence[Round],
        should_stop: Callable[[], bool],
    ) -> tuple[State, list[Report]]:
        """The state behind an epoch that begins with `state`, and what led there.

        Rounds behind that after which `should_stop`, and some row was visited, are left
        out.
        """


class InTurn:
    """Carries rounds out where it is asked to, one shard after the other.

    Parameters
    ----------
    rows : ShardedRows
        The shards, as `Samples`.
    crew : Crew, default=ALONE
        For the networks.
    """

    def __init__(self, rows: ShardedRows, workers: Workers = SERIAL) -> None:
        self.sizes = rows.sizes
        self.shards: Sequence[Samples] = rows.shards
        self.workers = workers

    def epoch(
        self,
        course: Course,
        state: State,
        rounds: Sequence[Round],
        should_stop: Callable[[], bool],
    ) -> tuple[State, list[Report]]:
        reports: list[Report] = []
        for one in rounds:
            state = mean_of(
                course.take(samples, state, one, number, self.workers)
                for number, samples in enumerate(self.shards)
            )
            reports.append(Report.of(state))
            if state.weight and should_stop():
                break
        return state, reports


class OnShards(Trainer):
    """Steps on each shard by itself, whose mean is taken in each round.

    On one shard, in one round per epoch, training is that of `descent` to the last bit.

    Parameters
    ----------
    descent : Descent
        Takes the steps.
    runner : Runner
        Has the rounds carried out.
    n_rounds : int
        Rounds per epoch.
    """

    def __init__(self, descent: Descent, runner: Runner, n_rounds: int) -> None:
        self.descent = descent
        self.runner = runner
        self.n_rounds = n_rounds
        self.learning_rate = descent.learning_rate
        self.plateau_factor = descent.plateau_factor
        self.smallest_factor = descent.smallest_factor

    def engine(self, task: Task) -> str:
        """What computes on all shards."""
        return self.descent.engine(task)

    def threads(self, task: Task) -> AbstractContextManager[Workers]:
        """A crew for the held-out rows."""
        return open_workers(len(task.parameters))

    def train(
        self, task: Task, parameters: np.ndarray, monitor: Monitor, workers: Workers
    ) -> OptimizerState | None:
        """Have epochs carried out, from where a checkpoint or a call has left."""
        state = start = start_of(task, monitor, self.descent.optimizer)
        parameters[...] = state.parameters
        course = Course.of(self.descent, task)
        save_to_checkpoint(task, monitor, lambda: state)
        while monitor.stop_reason is None and monitor.n_epochs < task.goal.max_iter:
            monitor.begin_epoch()
            rounds = self.rounds(monitor)
            state, reports = self.runner.epoch(
                course, state, rounds, monitor.is_out_of_time
            )
            parameters[...] = state.parameters
            visited = [report for report in reports if report.weight]
            monitor.set_divergence_limit(visited[0].first_loss)
            monitor.end_epoch(
                mean_loss(visited),
                parameters,
                self.last_rate(course, rounds[len(reports) - 1]),
                self.penalty(task, parameters, rounds[0].visit.ended),
            )
        if monitor.stop_reason is None and self.descent.schedule.has_fixed_length:
            monitor.stop_reason = StopReason.COMPLETED
        has_diverged = monitor.stop_reason == StopReason.DIVERGED
        return start.optimizer_state if has_diverged else state.optimizer_state

    def rounds(self, monitor: Monitor) -> list[Round]:
        """Those of the next epoch."""
        n_shards, epoch = len(self.runner.sizes), monitor.n_epochs
        members = range(len(monitor.parameters))
        ended = frozenset(filter(monitor.has_stopped, members))
        base = self.learning_rate * monitor.factor
        return [
            Round(
                Visit(epoch, number, self.n_rounds, 0, n_shards, ended),
                base * learning_rate_factor(n_shards, epoch + number / self.n_rounds),
            )
            for number in range(self.n_rounds)
        ]

    def last_rate(self, course: Course, last: Round) -> float:
        """The learning rate of the last step of a round, on the largest shard."""
        n_batches = -(-max(self.runner.sizes) // self.descent.batch_size)
        progress = last.visit.progress(n_batches, course.task.goal.max_iter)
        return last.learning_rate * course.schedule(progress[-1] if progress else 0.0)

    @np.errstate(all="ignore")
    def penalty(
        self, task: Task, parameters: np.ndarray, ended: frozenset[int]
    ) -> float:
        """That on the weights of networks in training, summed up as learners do it."""
        stacks = [
            stack
            for stack in self.descent.stacks(task)
            if not ended.issuperset(range(stack.start, stack.stop))
        ]
        values = [task.regularization().value(parameters[stack]) for stack in stacks]
        n_members = [stack.stop - stack.start for stack in stacks]
        return float(np.average(values, weights=n_members))


def mean_loss(reports: Sequence[Report]) -> float:
    """The mean over all rows that some rounds have visited."""
    weight = loss = 0.0
    for report in reports:
        weight += report.weight
        loss += (report.loss - loss) * (report.weight / weight)
    return loss
