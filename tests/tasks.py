"""Small tasks built by hand: softmax regression on rows that no line tells apart."""

from types import SimpleNamespace

import numpy as np

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.recipe import Kind, Settings
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.task import Goal, Member, Task
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
CODES = np.digitize(X[:, 0] + RNG.normal(scale=0.7, size=60), [-0.4, 0.4])
HELD_OUT = Samples(X[::4], CODES[::4][np.newaxis])

ARCHITECTURE = Architecture(2, (), 3, (), (), "float64")
GOAL = Goal(
    label_smoothing=0.0,
    alpha=1.0,
    scoring="neg_log_loss",
    temperature=None,
    member_weights=None,
    max_iter=3,
    has_fixed_budget=False,
    tol=1e-4,
    patience=np.inf,
)
SETTINGS = Settings(
    hidden_layer_sizes=(),
    activation="relu",
    label_smoothing=0.0,
    kinds=(Kind(1.0, dropout=0.0, weight_decay=0.0),),
    batch_size=20,
    learning_rate="constant",
    max_iter=3,
    n_iter_no_change=np.inf,
    early_stopping=False,
    validation_fraction=0.1,
    n_folds=1,
    initial_patience=np.inf,
    n_estimators=1,
)


def parameters(**given):
    """What the constructor of an estimator stores, without the estimator."""
    return SimpleNamespace(**MLPSoftmaxClassifier().get_params(deep=False) | given)


def regression(n_networks=1, **changes):
    """A task that starts at zero, of networks that see the same rows."""
    dropout = changes.get("architecture", ARCHITECTURE).dropout
    parts = {
        "architecture": ARCHITECTURE,
        "members": (Member(0, 1.0, dropout, weight_decay=0.0),) * n_networks,
        "parameters": np.zeros((n_networks, ARCHITECTURE.layout.size)),
        "samples": Samples(X, CODES).broadcast_members(n_networks),
        "validation": None,
        "classes": np.arange(3),
        "rng": np.random.default_rng(0),
        "goal": GOAL,
    }
    return Task(**parts | changes)


def solver(name, n_samples=60, **given):
    """A solver by its name; settings may be given among the parameters."""
    given = {"learning_rate_init": 0.05} | given
    settings = {key: given[key] for key in given.keys() & set(Settings._fields)}
    return SOLVERS[name].of(
        parameters(solver=name, **given), SETTINGS._replace(**settings), n_samples
    )
