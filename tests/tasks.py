"""Small runs built by hand: softmax regression on rows that no line separates."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from skmlp import MLPSoftmaxClassifier
from skmlp.defaults import MemberConfig
from skmlp.fitting.config import TrainConfig, TrainData, TrainingRun, TrainResult
from skmlp.fitting.solvers import SOLVERS
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
CODES = np.digitize(X[:, 0] + RNG.normal(scale=0.7, size=60), [-0.4, 0.4])
HELD_OUT = Samples(X[::4], CODES[::4][np.newaxis])

ARCHITECTURE = Architecture(2, (), 3, (), (), "float64")
CONFIG = TrainConfig(
    n_estimators=1,
    member_configs=(MemberConfig(1.0, dropout=(), weight_decay=0.0),),
    hidden_layer_sizes=(),
    activation=(),
    max_embedded_columns=50,
    dtype="float64",
    label_smoothing=0.0,
    alpha=1.0,
    batch_size=20,
    learning_rate="constant",
    max_iter=3,
    has_fixed_budget=False,
    early_stopping=False,
    validation_fraction=0.1,
    n_folds=1,
    scoring="neg_log_loss",
    tol=1e-4,
    n_iter_no_change=np.inf,
    initial_patience=np.inf,
    member_weights=None,
    temperature=None,
    verbose=False,
)


def parameters(**given):
    """Return parameters that nobody has checked, without an estimator."""
    return SimpleNamespace(**MLPSoftmaxClassifier().get_params(deep=False) | given)


def with_members(config, members):
    """Return a config with one network of each of these configs."""
    return config._replace(
        n_estimators=len(members), member_configs=tuple(members), n_folds=1
    )


def regression(n_networks=1, config=CONFIG, members=None, **changes):
    """Return a run that starts at zero, of networks that see the same rows.

    Changes are those of the run or of its data.
    """
    architecture = changes.get("architecture", ARCHITECTURE)
    if members is None:
        members = [MemberConfig(1.0, architecture.dropout, 0.0)] * n_networks
    data = TrainData(
        Samples(X, CODES).broadcast_members(n_networks), None, np.arange(3), 0
    )
    for name in data._fields:
        if name in changes:
            data = data._replace(**{name: changes.pop(name)})
    parts = {
        "architecture": ARCHITECTURE,
        "parameters": np.zeros((n_networks, ARCHITECTURE.layout.size)),
        "rng": np.random.default_rng(0),
    }
    return TrainingRun(with_members(config, members), data, **parts | changes)


def with_samples(run, samples):
    """Return a run on other samples."""
    return replace(run, data=run.data._replace(samples=samples))


def result(n_networks=1, history=None, best_epochs=2, **changes):
    """Return the result of two epochs, whose weights count up from 0."""
    architecture = changes.get("architecture", ARCHITECTURE)
    shape = (n_networks, architecture.layout.size)
    parts = {
        "classes": np.arange(3),
        "architecture": ARCHITECTURE,
        "parameters": np.arange(np.prod(shape), dtype=float).reshape(shape),
        "history": history or {"loss": [3.0, 2.0]},
        "best_epochs": np.array(np.broadcast_to(best_epochs, n_networks)),
        "ensemble_weights": np.full(n_networks, 1 / n_networks),
        "temperature": 1.0,
        "backend": "numpy",
    }
    return TrainResult(**parts | changes)


def solver(name, n_samples=60, **given):
    """Return a trainer by its solver; settings may be given among the parameters."""
    given = {"learning_rate_init": 0.05} | given
    settings = {key: given[key] for key in given.keys() & set(TrainConfig._fields)}
    config = CONFIG._replace(**settings)
    return SOLVERS[name].from_config(
        parameters(solver=name, **given), config, n_samples
    )
