"""Solvers: what moves the weights of a task, and what each of them refuses."""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import issparse

from skmlp.core.learner import CoreLearner
from skmlp.fitting.averaging import State, Visit, draws_of, generators_at
from skmlp.fitting.engines import NUMPY, engine_of, steps_of
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.recipe import FULL_BATCH, Settings, is_auto
from skmlp.fitting.task import Member, Task
from skmlp.nn.network import BLOCK_ROWS, Network
from skmlp.optim.optimizers import (
    OPTIMIZERS,
    Optimizer,
    OptimizerState,
    ParameterUpdater,
    minimize_lbfgs,
)
from skmlp.optim.schedules import SCHEDULES, Schedule
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.training.batches import Batches, make_batches
from skmlp.training.loop import (
    Learner,
    NumpyLearner,
    make_full_batch_objective,
    number_members,
    train,
)
from skmlp.training.monitor import Monitor, Observer, StopReason
from skmlp.training.threads import SERIAL, Workers, limit_blas_threads, open_workers

MEMBERS_TOGETHER = 16
"""Most networks of an ensemble whose matrices are multiplied as one stack."""

SMALLEST_SHARED_LAYER = 2**16
"""Outputs of a hidden layer, for a batch and two networks, from which stacks are worth
threads of their own: below, the threads mostly wait for their turn in Python."""

SMALLEST_SHARED_BATCH = 2**22
"""Weights times rows of a batch from which the core shares a batch among threads.

On two idle cores a second thread saves a third of a step at 2^22; where another program
keeps one of them busy, the step takes a quarter longer, and hardly so at 2^24.
"""

ROWS_PER_THREAD = 32
"""Fewest rows of a batch that a thread is worth."""


class Trainer(ABC):
    """Moves the weights of a task until the monitor or the task ends it.

    Attributes
    ----------
    dtype : str or None
        The type that it computes in; None for that of the architecture.
    plateau_factor : float or None
        Factor on the learning rate at a plateau; None ends training there.
    smallest_factor : float
        Where the product of these has fallen to this, a plateau ends training.
    watches_training_loss : bool
        Whether a training loss that does not move ends it.
    learning_rate : float
        Before any factor; inf where there is none.
    """

    dtype: ClassVar[str | None] = None
    watches_training_loss: ClassVar[bool] = True
    learning_rate: float
    plateau_factor: float | None = None
    smallest_factor: float = 0.0

    def engine(self, task: Task) -> str:
        """What computes: "numpy", or an instruction set of the core."""
        return NUMPY

    def threads(self, task: Task) -> AbstractContextManager[Workers]:
        """A block to train in, with a crew for its networks."""
        n_rows = min(BLOCK_ROWS, task.n_samples)
        return limit_blas_threads(task.architecture.largest_matmul(n_rows))

    @abstractmethod
    def train(
        self, task: Task, parameters: np.ndarray, monitor: Monitor, workers: Workers
    ) -> OptimizerState | None:
        """Move the parameters; return what the update rule remembers.

        `parameters`, in the trainer's type, are overwritten. `workers` come from
        `threads`.
        """


class Solver(Trainer):
    """A trainer that the parameters of an estimator describe.

    Attributes
    ----------
    refuses : dict of str to str
        Which of "dropout", "checkpoint", "partial_fit" and "shards" it can't do with,
        and why.
    auto : dict
        What "auto" means with it, in place of what the number of rows decides.
    embeds_numbers : bool
        Whether ``numeric_embedding="auto"`` may embed them.
    plans_epochs : bool
        Whether the epochs of the recipe are what is wanted, not a limit.
    way_out : str
        What to do where the loss had not settled.
    """

    refuses: ClassVar[Mapping[str, str]] = {}
    auto: ClassVar[Mapping[str, Any]] = {}
    embeds_numbers: ClassVar[bool] = True
    plans_epochs: ClassVar[bool] = True
    way_out: ClassVar[str]

    @classmethod
    @abstractmethod
    def of(cls, parameters: Parameters, settings: Settings, n_samples: int) -> Self:
        """The solver that the parameters describe, for so many rows per network."""

    @classmethod
    def check_takes(cls, parameters: Parameters, name: str, shown: str) -> None:
        """Raise if it refuses a parameter or method, `shown` as a user writes it."""
        if name in cls.refuses:
            takers = [
                f'"{other}"'
                for other, solver in SOLVERS.items()
                if name not in solver.refuses
            ]
            raise ValueError(
                f'{shown} with solver="{parameters.solver}": {cls.refuses[name]} '
                f"choose solver={' or '.join(takers)}."
            )


@dataclass(frozen=True)
class Descent(Solver):
    """Steps against the gradient of one batch after the other.

    Parameters
    ----------
    rule : Rule
        Turns gradients into steps; a copy of it is started for each learner.
    learning_rate : float
        Before any factor.
    power_t : float
        Exponent of inverse scaling.
    schedule : type of Schedule
        The factor on the learning rate.
    batch_size : int
        Rows per step.
    shuffle : bool
        Whether the rows come in a new order in each epoch.
    """

    way_out = 'let early_stopping=True or learning_rate="cosine" decide when to end'

    optimizer: Optimizer
    learning_rate: float
    power_t: float
    schedule: type[Schedule]
    batch_size: int
    shuffle: bool

    @classmethod
    def of(cls, parameters: Parameters, settings: Settings, n_samples: int) -> Self:
        if settings.batch_size > n_samples and not is_auto(parameters.batch_size):
            warnings.warn(
                f"batch_size={parameters.batch_size} is larger than the number of "
                f"training rows, {n_samples}; it is clipped to that.",
                stacklevel=3,
            )
        return cls(
            OPTIMIZERS[parameters.solver].from_parameters(parameters),
            parameters.learning_rate_init,
            parameters.power_t,
            SCHEDULES[settings.learning_rate],
            min(settings.batch_size, n_samples),
            parameters.shuffle,
        )

    @property
    def plateau_factor(self) -> float | None:  # type: ignore[override]
        """That of the schedule."""
        return self.schedule.plateau_factor

    @property
    def smallest_factor(self) -> float:  # type: ignore[override]
        """That of the schedule."""
        return self.schedule.smallest_factor

    def engine(self, task: Task) -> str:
        """The core where it takes the network, its rows and the rule."""
        return engine_of(task.architecture, task.samples.x, self.optimizer)

    def threads(self, task: Task) -> AbstractContextManager[Workers]:
        """A crew for the learners, or, on the core, for the batches of a wide network.

        Networks that are small enough for a stack gain nothing by threads.
        """
        n_members = len(task.parameters)
        if n_members > 1:
            return open_workers(len(self.stacks(task)))
        if task.engine == NUMPY:
            return limit_blas_threads(task.architecture.largest_matmul(self.batch_size))
        n_multiplications = self.batch_size * task.architecture.n_weights
        is_wide = n_multiplications >= SMALLEST_SHARED_BATCH
        return open_workers(self.batch_size // ROWS_PER_THREAD if is_wide else 1)

    def train(
        self, task: Task, parameters: np.ndarray, monitor: Monitor, workers: Workers
    ) -> OptimizerState | None:
        """Take steps for some epochs, from where a checkpoint or a call has left."""
        start = start_of(task, monitor, self.optimizer, self.steps_per_epoch)
        parameters[...] = start.parameters
        rngs = generators_at(start.draws)
        learners = self.learners(task, parameters, start.optimizer_state, rngs, workers)

        def state() -> State:
            draws = draws_of(generators(learners))
            return State(parameters, state_of_all(learners), draws)

        save_to_checkpoint(task, monitor, state)
        train(
            learners,
            parameters,
            monitor,
            learning_rate=self.learning_rate,
            schedule=self.schedule_of(task),
            n_epochs=task.goal.max_iter,
            # one network by itself may have use for the crew in its batches
            run=map if len(learners) == 1 else workers.map,
        )
        if monitor.stop_reason is None and self.schedule.has_fixed_length:
            monitor.stop_reason = StopReason.COMPLETED
        has_diverged = monitor.stop_reason == StopReason.DIVERGED
        return start.optimizer_state if has_diverged else state_of_all(learners)

    def steps_per_epoch(self, task: Task) -> int:
        """Number of batches of each network."""
        samples = task.samples.select_members(0)
        return len(make_batches(samples, self.batch_size, rngs=None).batch_sizes())

    def schedule_of(self, task: Task) -> Schedule:
        """The factor on the learning rate over the epochs of a task."""
        return self.schedule(
            power_t=self.power_t,
            n_epochs=task.goal.max_iter,
            n_samples=task.n_samples,
            samples_seen=task.memory.samples_seen,
        )

    def take_round(
        self,
        task: Task,
        state: State,
        visit: Visit,
        learning_rate: float,
        schedule: Schedule,
        workers: Workers = SERIAL,
    ) -> State:
        """Take the steps of one round on the rows of one shard.

        What comes of it depends on the arguments alone, and none is overwritten: so it
        may be done anywhere, and again where its outcome was lost.

        Parameters
        ----------
        task : Task
            Whose samples are those of the shard; of its parameters and generator no use
            is made.
        state : State
            Where the round begins, the same on all shards.
        visit : Visit
            Which of the rows it visits.
        learning_rate : float
            Before the factor of the schedule.
        schedule : Schedule
            That of the task on all rows.
        crew : Crew, default=ALONE
            As for `train`.
        """
        n_batches = -(-task.n_samples // self.batch_size)
        progress = visit.progress(n_batches, task.goal.max_iter)
        shared = generators_at(state.draws)
        rngs = visit.generators(shared)
        if not progress:
            draws = visit.draws_behind(state.draws, shared)
            return state._replace(draws=draws, weight=0.0, loss=0.0, first_loss=0.0)
        parameters = state.parameters.copy()
        learners = self.learners(
            task, parameters, state.optimizer_state, rngs, workers, visit
        )
        at_work, n_members = zip(
            *(
                (learner, len(members))
                for learner, members in number_members(learners)
                if not visit.ended.issuperset(members)
            ),
            strict=True,
        )
        rates = [learning_rate * schedule(place) for place in progress]
        round_of = methodcaller("train_epoch", rates, lambda: False)
        run = map if len(learners) == 1 else workers.map
        values = np.average(list(run(round_of, at_work)), 0, n_members)
        sizes = np.array(at_work[0].batch_sizes())
        return State(
            parameters,
            state_of_all(learners),
            visit.draws_behind(state.draws, shared),
            float(sizes.sum() / task.n_samples * task.samples.total_weight()),
            float(np.dot(values, sizes) / sizes.sum()),
            float(values[0]),
        )

    def learners(
        self,
        task: Task,
        parameters: np.ndarray,
        optimizer_state: OptimizerState | None,
        rngs: Sequence[np.random.Generator],
        workers: Workers,
        visit: Visit | None = None,
    ) -> list[Learner]:
        """All networks: by themselves, or some of them as one stack."""
        n_members, together = len(parameters), self.n_together(task)
        return [
            # a stack of one takes 3 to 7% longer per step than a network alone
            self.learner(
                task,
                parameters,
                optimizer_state,
                part.start if together == 1 else part,
                rngs[part],
                workers if n_members == 1 else SERIAL,
                visit,
            )
            for part in self.stacks(task)
        ]

    def stacks(self, task: Task) -> list[slice]:
        """Which networks make up each learner."""
        return runs_of_same(task.members, self.n_together(task))

    def n_together(self, task: Task) -> int:
        """How many networks are multiplied as one stack."""
        is_alone = len(task.parameters) == 1
        # sparse rows can't be stacked, and the core has no need of it
        if is_alone or issparse(task.samples.x) or task.engine != NUMPY:
            return 1
        widest = max(task.architecture.hidden_layer_sizes, default=0)
        is_wide = 2 * self.batch_size * widest >= SMALLEST_SHARED_LAYER
        return 2 if is_wide else MEMBERS_TOGETHER

    def learner(
        self,
        task: Task,
        parameters: np.ndarray,
        optimizer_state: OptimizerState | None,
        members: slice | int,
        rngs: Sequence[np.random.Generator],
        workers: Workers,
        visit: Visit | None = None,
    ) -> Learner:
        """Some networks as a stack, or one of them alone, ready to be trained.

        With a visit, what it visits is the epoch.
        """
        task = replace(task, samples=task.samples.select_members(members))
        first = members if isinstance(members, int) else members.start
        dropout, weight_decay = task.members[first].way
        architecture = replace(task.architecture, dropout=dropout)
        loss, regularization = task.loss(), task.regularization(weight_decay)
        samples = task.samples.normalize_weights(architecture.dtype)
        batches = make_batches(samples, self.batch_size, rngs if self.shuffle else None)
        if visit is not None:
            assert isinstance(batches, Batches), "shards are in memory"
            batches = batches.draw_batches(visit.batches(len(batches)))
            if any(dropout):
                # behind the order, each round of an epoch has a seed of its own
                for rng in rngs:
                    rng.integers(2**63, size=visit.number)
        vectors = parameters[members]
        state = None if optimizer_state is None else state_of(optimizer_state, members)
        optimizer = copy(self.optimizer).init_state(vectors, state)
        if task.engine != NUMPY:
            steps = steps_of(optimizer, regularization, loss)
            return CoreLearner(architecture, vectors, steps, batches, rngs, workers)
        gradient = np.empty_like(vectors)
        factors = architecture.learning_rate_factors()
        return NumpyLearner(
            Network(architecture, vectors, gradient),
            loss,
            ParameterUpdater(optimizer, vectors, gradient, regularization, factors),
            batches,
            rngs,
        )


def runs_of_same(members: Sequence[Member], longest: int) -> list[slice]:
    """Runs of networks that are trained the same way, at most so many in each."""
    runs = [slice(0, 0)]
    for number, member in enumerate(members):
        first = members[runs[-1].start]
        if member.way == first.way and number - runs[-1].start < longest:
            runs[-1] = slice(runs[-1].start, number + 1)
        else:
            runs.append(slice(number, number + 1))
    return runs


def generators_for(
    rng: np.random.Generator, n_members: int
) -> list[np.random.Generator]:
    """A source of draws for each network; one by itself has that of the task."""
    if n_members == 1:
        return [rng]
    # draws of its own, so that neither threads nor stacks have a say in them
    seeds = [rng.integers(2**63, size=2) for _ in range(n_members)]
    return [np.random.default_rng(seed) for seed in seeds]


def first_state(task: Task) -> State:
    """Where the first round of a task begins."""
    parameters = task.parameters.astype(task.architecture.dtype)
    rngs = generators_for(task.rng, len(parameters))
    return State(parameters, task.memory.optimizer_state, draws_of(rngs))


def start_of(
    task: Task,
    monitor: Monitor,
    optimizer: Optimizer,
    steps_per_epoch: Callable[[Task], int] | None = None,
) -> State:
    """Where training begins: behind the last epoch that was saved, if there is one.

    The monitor is then told what it knew there. `steps_per_epoch` gives those of the
    rule; None if they aren't known.
    """
    state = first_state(task)
    if task.checkpoint is None or task.checkpoint.training is None:
        return state
    task.checkpoint.check_engine(task.engine)
    memory = copy(optimizer).init_state(state.parameters, state.optimizer_state).state()
    n_steps = None if steps_per_epoch is None else steps_per_epoch(task)
    saved = task.checkpoint.restore(
        monitor, memory, state.draws, task.goal.max_iter, n_steps
    )
    return State(monitor.parameters.copy(), saved["rule"], tuple(saved["draws"]))


def generators(learners: Sequence[Learner]) -> list[np.random.Generator]:
    """Those of all networks."""
    return [rng for one in learners for rng in one.rngs]


def state_of_all(learners: Sequence[Learner]) -> OptimizerState:
    """What the update rules remember, put together for all networks as a stack.

    Learners whose networks have ended have taken fewer steps; those that go on have all
    taken the same number.
    """
    states = [stack_states(one.optimizer_state()) for one in learners]
    first = states[0]
    vectors = {
        name: np.concatenate([state[name] for state in states])
        for name in first.keys() - {"t"}
    }
    return {"t": max(state["t"] for state in states), **vectors}


def state_of(optimizer_state: OptimizerState, members: slice | int) -> OptimizerState:
    """What the update rule remembers of some of the networks, or of one alone."""
    return {
        name: memory if name == "t" else memory[members]
        for name, memory in optimizer_state.items()
    }


def stack_states(optimizer_state: OptimizerState) -> OptimizerState:
    """What the update rule remembers, as a stack also for a network alone."""
    return {
        name: memory if name == "t" else np.atleast_2d(memory)
        for name, memory in optimizer_state.items()
    }


class Saver(Observer):
    """Saves the state of training when the checkpoint is due, and at the end.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where to.
    task : Task
        What is trained.
    state : callable
        Gives the `State` behind the epoch; its parameters are those of the monitor.
    """

    def __init__(
        self, checkpoint: Checkpoint, task: Task, state: Callable[[], State]
    ) -> None:
        self.checkpoint = checkpoint
        self.engine = task.engine
        self.max_iter = task.goal.max_iter
        self.state = state

    def end_epoch(self, monitor: Monitor) -> None:
        if monitor.is_out_of_time():
            return  # the epoch may have been cut short, which nobody can go on from
        is_last = monitor.n_epochs == self.max_iter
        should_stop = is_last or monitor.stop_reason is not None
        if should_stop or self.checkpoint.is_due(monitor.n_epochs):
            state = self.state()
            if not can_be_resumed(monitor, state):
                return
            self.checkpoint.save(
                {
                    "engine": self.engine,
                    "monitor": monitor.state(),
                    "rule": state.optimizer_state,
                    "draws": list(state.draws),
                }
            )


def can_be_resumed(monitor: Monitor, state: State) -> bool:
    """Return True unless training has diverged, or is about to with such a state."""
    memory = state.optimizer_state or {}
    return monitor.stop_reason != StopReason.DIVERGED and all(
        np.isfinite(moment).all() for moment in memory.values()
    )


def save_to_checkpoint(
    task: Task, monitor: Monitor, state: Callable[[], State]
) -> None:
    """Let epochs be saved, if the task has a checkpoint."""
    if task.checkpoint is not None:
        # before those that may take long or raise
        monitor.observers.insert(0, Saver(task.checkpoint, task, state))


@dataclass(frozen=True)
class FullBatch(Solver):
    """Limited-memory BFGS on all rows at once.

    Parameters
    ----------
    max_fun : int
        Most evaluations of the loss.
    """

    refuses = {
        "dropout": "it makes the loss random, and no line search works on that; set "
        "dropout=0.0, or",
        "checkpoint": "what that solver remembers lies out of reach in scipy; set "
        "checkpoint=None, or",
        "partial_fit": "its line search needs all rows in each iteration; call fit, or",
        "shards": "its line search needs all rows in each iteration; pass these in "
        "memory to MLPSoftmaxClassifier, or",
    }
    auto = FULL_BATCH
    embeds_numbers = False
    plans_epochs = False
    way_out = "raise max_fun"
    dtype = "float64"  # the line search can't meet its tolerances in float32
    # it goes on as far as its gradient leads
    watches_training_loss = False
    learning_rate = math.inf

    max_fun: int

    @classmethod
    def of(cls, parameters: Parameters, settings: Settings, n_samples: int) -> Self:
        return cls(parameters.max_fun)

    def train(
        self, task: Task, parameters: np.ndarray, monitor: Monitor, workers: Workers
    ) -> OptimizerState | None:
        """Minimise the mean loss of all networks, whose parameters are one problem."""
        gradient = np.empty_like(parameters)
        batch_size = min(BLOCK_ROWS, task.n_samples)
        objectives = [
            make_full_batch_objective(
                Network(task.architecture, vector, its_gradient),
                task.loss(),
                make_batches(
                    samples.normalize_weights("float64"), batch_size, rngs=None
                ),
            )
            for vector, its_gradient, samples in zip(
                parameters, gradient, task.samples.split_members(), strict=True
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
                task.regularization(),
                monitor.end_epoch,
                max_iter=task.goal.max_iter,
                max_fun=self.max_fun,
                tol=task.goal.tol,
            )
        if monitor.n_epochs == 0:
            monitor.end_epoch(result.fun / len(objectives), parameters)
        if monitor.stop_reason is None and result.success:
            monitor.stop_reason = StopReason.CONVERGED
        return task.memory.optimizer_state


SOLVERS: dict[str, type[Solver]] = {
    **dict.fromkeys(OPTIMIZERS, Descent),
    "lbfgs": FullBatch,
}
"""Solvers by the name that `MLPSoftmaxClassifier(solver=...)` takes."""
