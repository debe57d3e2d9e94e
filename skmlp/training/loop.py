"""The training loop, and the full-batch objective for a solver with its own loop."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skmlp.training.batches import Batches
from skmlp.training.monitor import Monitor


def train(
    network: Any,
    loss: Any,
    optimizer: Any,
    batches: Batches,
    monitor: Monitor,
    *,
    learning_rate: float,
    schedule: Callable[[float], float],
    n_epochs: int,
) -> None:
    """Move the network's parameters until the monitor or `n_epochs` ends it.

    Parameters
    ----------
    network : Network
        Gives logits, takes their delta and fills the gradient.
    loss : SoftmaxCrossEntropy
        Gives the value and the delta of logits.
    optimizer : Optimizer
        Turns the gradient into a step of the parameters.
    batches : Batches
        The training samples.
    monitor : Monitor
        Takes in each epoch and decides whether to go on.
    learning_rate : float
        Before any factor.
    schedule : callable
        Factor on the learning rate at a progress in [0, 1].
    n_epochs : int
        Most passes over the samples.
    """
    step, n_steps = 0, n_epochs * len(batches)
    for _ in range(n_epochs):
        for x, codes, weight, _ in batches:
            rate = learning_rate * monitor.plateau.factor * schedule(step / n_steps)
            logits = network.forward(x, training=True)
            value, delta = loss.value_and_delta(logits, codes, weight)
            network.backward(delta)
            optimizer.step(rate)
            monitor.end_batch(value, len(codes))
            step += 1
        if monitor.end_epoch(network.parameters, optimizer.penalty(), rate):
            break


def full_batch(network: Any, loss: Any, batches: Batches) -> Callable[[], float]:
    """A function that returns the loss over all batches and fills the gradient.

    The batches only bound the memory that a pass needs; their gradients are summed.
    """
    total = np.empty_like(network.gradient)

    def objective() -> float:
        value = 0.0
        total.fill(0)
        for x, codes, weight, _ in batches:
            share = len(codes) / batches.n_samples
            logits = network.forward(x, training=True)
            part, delta = loss.value_and_delta(logits, codes, weight)
            delta *= share
            network.backward(delta)
            np.add(total, network.gradient, out=total)
            value += share * part
        network.gradient[:] = total
        return value

    return objective
