"""The training loop, and the full-batch objective for a solver with its own loop."""

from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, NamedTuple, Protocol

import numpy as np

from skmlp.training.batches import Batches, DiskBatches
from skmlp.training.monitor import Monitor
from skmlp.training.threads import Map


class Network(Protocol):
    """Gives logits, takes their delta and fills the gradient."""

    gradient: np.ndarray

    def seed_dropout(self, rngs: Sequence[np.random.Generator]) -> None: ...

    def forward(self, x: Any, training: bool = False) -> np.ndarray: ...

    def backward(self, grad: np.ndarray) -> None: ...


class Loss(Protocol):
    """Gives the value of logits and its derivative, their delta."""

    def loss_and_grad(
        self, logits: np.ndarray, y_encoded: np.ndarray, weight: np.ndarray | None
    ) -> tuple[float, np.ndarray]: ...


class Optimizer(Protocol):
    """Turns gradients into steps; its state is what it needs to go on later."""

    def state(self) -> dict[str, Any]: ...


class ParameterUpdater(Protocol):
    """Turns the gradient into a step of the parameters."""

    @property
    def optimizer(self) -> Optimizer: ...

    def step(self, learning_rate: float) -> None: ...

    def penalty(self) -> float: ...


class Learner(Protocol):
    """A network, or a stack of them, that is trained for an epoch at a time."""

    @property
    def rngs(self) -> Sequence[np.random.Generator]:
        """Sources of all draws, one per network.

        In each epoch they give the order of the samples and, if there is dropout, one
        seed; so their state between two epochs is all that there is to remember.
        """

    def batch_sizes(self) -> list[int]:
        """Rows of each batch."""

    def train_epoch(
        self, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        """Pass over the samples once, at a learning rate per batch; their losses.

        The pass is cut short behind the batch after which `should_stop`.
        """

    def penalty(self) -> float:
        """The penalty on the present weights, its mean for a stack."""

    def optimizer_state(self) -> dict[str, Any]:
        """What the update rule remembers, vectors of the shape of the parameters."""


class NumpyLearner(NamedTuple):
    """A network, or a stack of them, with all that it takes to train it.

    Attributes
    ----------
    network : Network
        Gives logits, takes their delta and fills the gradient.
    loss : SoftmaxCrossEntropy
        Gives the value and the delta of logits.
    optimizer : Optimizer
        Turns the gradient into a step of the parameters.
    batches : Batches or DiskBatches
        The training samples.
    rngs : sequence of numpy.random.Generator
        Sources, one per network, of the order of its samples and of a seed for dropout
        in each epoch.
    """

    network: Network
    loss: Loss
    updater: ParameterUpdater
    batches: Batches | DiskBatches
    rngs: Sequence[np.random.Generator]

    def batch_sizes(self) -> list[int]:
        """Rows of each batch."""
        return self.batches.batch_sizes()

    def train_epoch(
        self, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        """Pass over the samples once, at a learning rate per batch; their losses."""
        values: list[float] = []
        for part in self.batches.iterate_chunks():
            if values and should_stop():
                break
            values += self._train_batches(part, rates[len(values) :], should_stop)
        return values

    def _train_batches(
        self, part: Batches, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        """Take a step for each batch of a part; their losses."""
        # all that is drawn from `rngs`: however dropout draws, orders stay
        order = part.draw_order()
        self.network.seed_dropout(self.rngs)
        values = []
        # numbers may run away: it is the monitor that says so, in a sentence
        with np.errstate(all="ignore"):
            for batch, rate in zip(part.iterate_in_order(order), rates, strict=False):
                logits = self.network.forward(batch.x, training=True)
                value, grad = self.loss.loss_and_grad(
                    logits, batch.y_encoded, batch.sample_weight
                )
                self.network.backward(grad)
                self.updater.step(rate)
                values.append(value)
                if should_stop():
                    break
        return values

    def penalty(self) -> float:
        """The penalty on the present weights."""
        return self.updater.penalty()

    def optimizer_state(self) -> dict[str, Any]:
        """What the update rule remembers."""
        return self.updater.optimizer.state()


def train(
    learners: Sequence[Learner],
    parameters: np.ndarray,
    monitor: Monitor,
    *,
    learning_rate: float,
    schedule: Callable[[float], float],
    n_epochs: int,
    run: Map = map,
) -> None:
    """Move the parameters until the monitor or `n_epochs` ends it.

    A monitor that knows of epochs already is taken to go on from there.

    Parameters
    ----------
    learners : sequence of Learner
        Each moves its part of the parameters, in as many batches as the others, until
        the monitor ends the part of all its networks.
    parameters : ndarray of shape (..., n_parameters)
        Those of all learners.
    monitor : Monitor
        Takes in each epoch and decides whether to go on.
    learning_rate : float
        Before any factor.
    schedule : callable
        Factor on the learning rate at a progress in [0, 1].
    n_epochs : int
        Most passes over the samples.
    run : callable, default=map
        Applies a function to each learner, maybe at the same time.
    """
    sizes = np.array(learners[0].batch_sizes())
    n_steps = n_epochs * len(sizes)
    if monitor.stop_reason is not None:
        return
    active = _number_members(learners)
    for epoch in range(monitor.n_epochs, n_epochs):
        monitor.begin_epoch()
        active = [
            (learner, members)
            for learner, members in active
            if not all(map(monitor.has_stopped, members))
        ]
        at_work = [learner for learner, _ in active]
        n_members = [len(members) for _, members in active]
        steps = range(epoch * len(sizes), (epoch + 1) * len(sizes))
        base = learning_rate * monitor.factor
        rates = [base * schedule(step / n_steps) for step in steps]
        epoch_of = methodcaller("train_epoch", rates, monitor.is_out_of_time)
        passes = list(run(epoch_of, at_work))
        # learners that run out of time do so in different batches
        n_batches = min(map(len, passes))
        values = np.average([one[:n_batches] for one in passes], 0, n_members)
        penalty = np.average([one.penalty() for one in at_work], weights=n_members)
        monitor.set_divergence_limit(values[0])
        loss = float(np.dot(values, sizes[:n_batches]) / sizes[:n_batches].sum())
        if monitor.end_epoch(loss, parameters, rates[-1], penalty):
            break


def _number_members(learners: Sequence[Learner]) -> list[tuple[Learner, range]]:
    """Each learner with the numbers of the networks that it trains."""
    found, start = [], 0
    for learner in learners:
        end = start + len(learner.rngs)
        found.append((learner, range(start, end)))
        start = end
    return found


def make_full_batch_objective(
    network: Network, loss: Loss, batches: Batches | DiskBatches
) -> Callable[[], float]:
    """A function that returns the loss over all batches and fills the gradient.

    The batches only bound the memory that a pass needs; their gradients are summed.
    """
    total = np.empty_like(network.gradient)

    def objective() -> float:
        value = 0.0
        total.fill(0)
        for x, y_encoded, weight, _ in batches:
            share = y_encoded.shape[-1] / batches.n_samples
            logits = network.forward(x, training=True)
            part, grad = loss.loss_and_grad(logits, y_encoded, weight)
            grad *= share
            network.backward(grad)
            np.add(total, network.gradient, out=total)
            value += share * part
        network.gradient[...] = total
        return value

    return objective
