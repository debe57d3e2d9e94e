"""The training loop, and the full-batch objective for a solver with its own loop."""

from collections.abc import Callable, Iterable, Sequence
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from skmlp.training.batches import Batches, DiskBatches
from skmlp.training.monitor import Monitor

if TYPE_CHECKING:
    from skmlp.core.learner import CoreLearner
    from skmlp.nn.losses import SoftmaxCrossEntropy
    from skmlp.nn.network import Network
    from skmlp.optim.optimizers import OptimizerState, ParameterUpdater

Learner: TypeAlias = "NumpyLearner | CoreLearner"
"""A network, or a stack of them, with all that trains it for an epoch."""


class NumpyLearner(NamedTuple):
    """Training of a network, or of a stack of them, by the NumPy backend."""

    network: "Network"
    loss: "SoftmaxCrossEntropy"
    updater: "ParameterUpdater"
    batches: Batches | DiskBatches
    # One per network. In each epoch they give the order of the samples and, if there is
    # dropout, one seed; so the generators are all the randomness a checkpoint saves.
    rngs: Sequence[np.random.Generator]

    def batch_sizes(self) -> list[int]:
        """Number of rows of each batch."""
        return self.batches.batch_sizes()

    def train_epoch(
        self,
        rates: Sequence[float],  # learning rate of each batch
        should_stop: Callable[[], bool],  # asked after each batch
    ) -> list[float]:
        """Train for one epoch; return the loss of each batch before its step."""
        losses: list[float] = []
        for chunk in self.batches.iterate_chunks():
            if losses and should_stop():
                break
            losses += self._train_batches(chunk, rates[len(losses) :], should_stop)
        return losses

    def _train_batches(
        self, chunk: Batches, rates: Sequence[float], should_stop: Callable[[], bool]
    ) -> list[float]:
        # dropout draws from a generator of its own, so that it does not change orders
        order = chunk.draw_order()
        self.network.seed_dropout(self.rngs)
        losses = []
        # training may diverge: the monitor reports that, not NumPy's warnings
        with np.errstate(all="ignore"):
            for batch, rate in zip(chunk.iterate_in_order(order), rates, strict=False):
                logits = self.network.forward(batch.x, training=True)
                loss, grad = self.loss.loss_and_grad(
                    logits, batch.y_encoded, batch.sample_weight
                )
                self.network.backward(grad)
                self.updater.step(rate)
                losses.append(loss)
                if should_stop():
                    break
        return losses

    def penalty(self) -> float:
        """Penalty on the present weights, its mean for a stack."""
        return self.updater.penalty()

    def optimizer_state(self) -> "OptimizerState":
        """State of the optimizer, in vectors of the shape of the parameters."""
        return self.updater.optimizer.state()


def train(
    learners: Sequence[Learner],
    parameters: np.ndarray,  # (n_members, n_parameters), those of all learners
    monitor: Monitor,  # resumes after the epochs that it has recorded already
    *,
    learning_rate: float,  # before any factor
    schedule: Callable[[float], float],  # factor on it, by the progress in [0, 1]
    n_epochs: int,
    run: Callable[..., Iterable[Any]] = map,  # calls each learner, maybe in parallel
) -> None:
    """Train until the monitor stops it, or for `n_epochs`."""
    sizes = np.array(learners[0].batch_sizes())  # the same for all learners
    n_steps = n_epochs * len(sizes)
    if monitor.stop_reason is not None:
        return
    active = number_members(learners)
    for epoch in range(monitor.n_epochs, n_epochs):
        monitor.begin_epoch()
        # a learner is done once all of its networks are
        active = [
            (learner, members)
            for learner, members in active
            if not all(map(monitor.has_stopped, members))
        ]
        n_members = [len(members) for _, members in active]
        steps = range(epoch * len(sizes), (epoch + 1) * len(sizes))
        base = learning_rate * monitor.factor
        rates = [base * schedule(step / n_steps) for step in steps]
        train_epoch = methodcaller("train_epoch", rates, monitor.is_out_of_time)
        losses = list(run(train_epoch, [learner for learner, _ in active]))
        # learners that run out of time do so in different batches
        n_batches = min(map(len, losses))
        # (n_batches,), means over the networks
        values = np.average([one[:n_batches] for one in losses], 0, n_members)
        penalties = [learner.penalty() for learner, _ in active]
        monitor.set_divergence_limit(values[0])
        loss = float(np.dot(values, sizes[:n_batches]) / sizes[:n_batches].sum())
        penalty = np.average(penalties, weights=n_members)
        if monitor.end_epoch(loss, parameters, rates[-1], penalty):
            break


def number_members(learners: Sequence[Learner]) -> list[tuple[Learner, range]]:
    """Pair each learner with the indices of the networks that it trains."""
    pairs, start = [], 0
    for learner in learners:
        end = start + len(learner.rngs)
        pairs.append((learner, range(start, end)))
        start = end
    return pairs


def make_full_batch_objective(
    network: "Network", loss: "SoftmaxCrossEntropy", batches: Batches | DiskBatches
) -> Callable[[], float]:
    """Make a function that returns the loss over all batches and fills the gradient.

    Batches only bound the memory of a pass; their gradients are summed.
    """
    total = np.empty_like(network.gradient)

    def objective() -> float:
        value = 0.0
        total.fill(0)
        for x, y_encoded, sample_weight, _ in batches:
            share = y_encoded.shape[-1] / batches.n_samples
            logits = network.forward(x, training=True)
            part, grad = loss.loss_and_grad(logits, y_encoded, sample_weight)
            grad *= share
            network.backward(grad)
            np.add(total, network.gradient, out=total)
            value += share * part
        network.gradient[...] = total
        return value

    return objective
