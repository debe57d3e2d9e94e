"""Classes told apart well: what becomes tiny in training must not become subnormal.

Some processors take a hundred times longer for a product with a subnormal number. The
numbers are counted, not timed: what they cost differs from one processor to the next.
"""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from tasks import CONFIG, regression, solver

from skmlp.fitting.averaging import TrainingState
from skmlp.nn.activations import ACTIVATIONS
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples
from skmlp.training.threads import SERIAL

X, CODES = make_blobs(400, n_features=6, centers=3, random_state=0)
N_EPOCHS = 300


def count_subnormal(array):
    sizes = np.abs(array)
    return int(np.sum((sizes > 0) & (sizes < np.finfo(array.dtype).tiny)))


def trained(name, activation, **goal):
    """A learner after some epochs, and the delta of its rows."""
    activations = (ACTIVATIONS[activation](),) * 2
    architecture = Architecture(6, (32, 32), 3, activations, (0.0, 0.0), "float32")
    rng = np.random.default_rng(0)
    x = (X / 2).astype(np.float32)
    task = regression(
        architecture=architecture,
        parameters=architecture.init_parameters(rng)[np.newaxis],
        samples=Samples(x, CODES).broadcast_members(1),
        rng=rng,
        config=CONFIG._replace(**goal),
    )
    rate = {"adam": 0.01, "sgd": 0.1}[name]
    descent = solver(name, len(X), learning_rate_init=rate, batch_size=50)
    state = TrainingState(task.parameters.copy(), None, ())
    (learner,) = descent._build_learners(task, state, [rng], SERIAL)
    for _ in range(N_EPOCHS):
        learner.train_epoch([rate] * 8, lambda: False)
    logits = learner.network.forward(x)
    _, grad = learner.loss.loss_and_grad(logits, CODES, None)
    return learner, grad


@pytest.mark.parametrize("goal", [{"alpha": 0.0}, {"alpha": 1e-4}], ids=str)
@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_nothing_that_lasts_is_subnormal(name, activation, goal):
    learner, grad = trained(name, activation, **goal)
    optimizer = learner.updater.optimizer
    vectors = {name: getattr(optimizer, name) for name in optimizer.state_names}
    vectors["delta"] = grad
    vectors["gradient"] = learner.network.gradient
    vectors["parameters"] = learner.updater.parameters
    counts = {name: count_subnormal(vector) for name, vector in vectors.items()}
    # squares of gradients pass the second moment on their way to 0: a few in a thousand
    allowed = {"second_moment": optimizer.step.size // 200}
    assert all(count <= allowed.get(name, 0) for name, count in counts.items()), counts
