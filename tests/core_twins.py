"""The same learner twice: as NumPy computes, and as the core does."""

import numpy as np

from skmlp.backend import build_core_settings
from skmlp.core.learner import CoreLearner
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import ParameterUpdater, Regularization
from skmlp.training.batches import Batches, Samples
from skmlp.training.loop import NumpyLearner
from skmlp.training.threads import SERIAL


def build(
    activation, hidden=(20, 7), n_inputs=5, n_classes=3, n_periodic=0, dropout=0.0
):
    """A network of such layers."""
    n = len(hidden)
    return Architecture(
        n_inputs,
        tuple(hidden),
        n_classes,
        (activation,) * n,
        (dropout,) * n,
        "float32",
        n_periodic,
    )


def start(architecture, seed=0):
    """Parameters none of which are 0, as biases would be."""
    rng = np.random.default_rng(seed)
    vector = architecture.init_parameters(rng)
    vector += rng.normal(scale=0.1, size=vector.shape).astype(np.float32)
    return vector


def some_samples(architecture, n_samples, weighted=False, with_rows=False, order="C"):
    """Rows that mean nothing."""
    rng = np.random.default_rng(n_samples)
    n_rows = n_samples + 5 if with_rows else n_samples
    x = rng.normal(size=(n_rows, architecture.n_inputs)).astype(np.float32, order=order)
    return Samples(
        x,
        rng.integers(architecture.n_classes, size=n_samples),
        rng.uniform(0.2, 2, n_samples).astype(np.float32) if weighted else None,
        rng.permutation(n_rows)[:n_samples] if with_rows else None,
    )


def twins(
    architecture,
    samples,
    optimizer,
    *,
    batch_size=16,
    alpha=0.0,
    weight_decay=0.0,
    smoothing=0.0,
    workers=SERIAL,
    vector=None,
):
    """A learner of each engine at the same start, that sees the rows in one order."""
    loss = SoftmaxCrossEntropy(smoothing)
    regularization = Regularization(alpha, architecture.n_weights, weight_decay)
    given = start(architecture) if vector is None else vector
    vector, gradient = given.copy(), np.empty_like(given)
    rng = np.random.default_rng(1)
    by_numpy = NumpyLearner(
        Network(architecture, vector, gradient),
        loss,
        ParameterUpdater(
            optimizer().init_state(vector),
            vector,
            gradient,
            regularization,
            architecture.learning_rate_factors(),
        ),
        Batches(samples, batch_size, [rng]),
        [rng],
    )
    vector, rng = given.copy(), np.random.default_rng(1)
    by_core = CoreLearner(
        architecture,
        vector,
        build_core_settings(optimizer().init_state(vector), regularization, loss),
        Batches(samples, batch_size, [rng]),
        [rng],
        workers,
    )
    return by_numpy, by_core


def never():
    """What is asked whether the time is over."""
    return False
