"""Additions as the page on the architecture describes them, to a copy of skmlp."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import skmlp
from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.solvers import SOLVERS
from skmlp.optim.schedules import SCHEDULES

PACKAGE = Path(skmlp.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

RULE = '''
class RMSProp(Optimizer):
    """Steps scaled by a running mean of squares (Tieleman and Hinton, 2012)."""

    state_names = ("mean_square",)
    mean_square: np.ndarray

    def __init__(self, beta_2: float = 0.9, epsilon: float = 1e-8) -> None:
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        self.t += 1
        self.mean_square *= self.beta_2
        np.multiply(gradient, gradient, out=self.step)
        self.step *= 1 - self.beta_2
        self.mean_square += self.step
        np.sqrt(self.mean_square, out=self.step)
        self.step += self.epsilon
        np.divide(gradient, self.step, out=self.step)
        self.step *= learning_rate
        return self.step
'''

SCHEDULE = '''
class Linear(Schedule):
    """Straight from 1 to 0."""

    has_fixed_length = True

    def __call__(self, progress: float) -> float:
        return 1 - progress
'''

SOLVER = '''
from dataclasses import dataclass

import numpy as np

from skmlp.defaults import LBFGS_DEFAULTS
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import BLOCK_ROWS, Network
from skmlp.optim.optimizers import Optimizer, ParameterUpdater
from skmlp.training.batches import make_batches
from skmlp.training.loop import make_full_batch_objective


@dataclass(frozen=True)
class SteepestDescent(Trainer):
    """Steps against the gradient of all rows at once."""

    unsupported = {
        "checkpoint": "it writes none; set checkpoint=None, or",
        "partial_fit": "it needs all rows for each step; call fit, or",
    }
    defaults = LBFGS_DEFAULTS
    has_fixed_budget = False
    advice = "raise learning_rate_init"

    learning_rate: float
    optimizer: Optimizer

    @classmethod
    def from_config(cls, parameters, config, n_samples):
        optimizer = OPTIMIZERS["sgd"].from_parameters(parameters)
        return cls(parameters.learning_rate_init, optimizer)

    def train(self, run, parameters, monitor, workers):
        gradient = np.empty_like(parameters)
        samples = run.data.samples.normalize_weights(run.architecture.dtype)
        network = Network(run.architecture, parameters, gradient)
        network.seed_dropout([run.rng])
        objective = make_full_batch_objective(
            network,
            SoftmaxCrossEntropy(run.config.label_smoothing),
            make_batches(samples, BLOCK_ROWS, None),
        )
        updater = ParameterUpdater(
            self.optimizer.init_state(parameters),
            parameters,
            gradient,
            run.regularization(),
        )
        with np.errstate(all="ignore"):  # the monitor says what diverged
            for _ in range(run.config.max_iter):
                monitor.begin_epoch()
                loss, penalty = objective(), updater.penalty()
                monitor.set_divergence_limit(loss)
                updater.step(self.learning_rate)
                if monitor.end_epoch(loss, parameters, self.learning_rate, penalty):
                    break
        return None


'''


def hard_swish():
    """The class that the page adds."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    block = next(block for block in blocks if "class HardSwish" in block)
    return textwrap.dedent(block[block.index("   class HardSwish") :])


def add(file, table, line, code):
    """Write a class above a table and its line into it."""
    text = file.read_text(encoding="utf-8")
    start = text.index(f"\n{table}: dict")
    end = text.index("}", start)
    comma = "" if text[:end].rstrip().endswith(("{", ",")) else ","
    text = f"{text[:start]}\n{code}\n{text[start:end]}{comma}{line}{text[end:]}"
    file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs code with a copy of the package to which one of each kind is added."""
    folder = tmp_path_factory.mktemp("additions")
    copy = folder / "skmlp"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, *addition in [
        ("nn/activations", "ACTIVATIONS", '"hard_swish": HardSwish', hard_swish()),
        ("optim/optimizers", "OPTIMIZERS", '"rmsprop": RMSProp', RULE),
        ("optim/schedules", "SCHEDULES", '"linear": Linear', SCHEDULE),
        ("fitting/solvers", "SOLVERS", '"steepest": SteepestDescent', SOLVER),
    ]:
        add(copy / f"{name}.py", *addition)

    def run(code):
        code = f"{HEAD}assert skmlp.__file__.startswith({str(folder)!r})\n{code}"
        command = [sys.executable, "-W", "error", "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=folder
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


HEAD = """
import numpy as np
import skmlp
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)

def fit(**params):
    given = {"hidden_layer_sizes": 8, "random_state": 0, "learning_rate_init": 0.02}
    return skmlp.MLPSoftmaxClassifier(**given | {"max_iter": 20} | params).fit(X, y)
"""


def test_an_activation_an_update_rule_and_a_schedule_are_added(run):
    printed = run("""
for n_estimators in (1, 3):
    model = fit(
        activation="hard_swish",
        solver="rmsprop",
        learning_rate="linear",
        n_estimators=n_estimators,
        beta_2=0.9,
        warm_start=True,
    )
    print(model.score(X, y) > 0.9)
    print(model._optimizer_state["mean_square"].shape == model.parameters_.shape)
    rates = model.history_["learning_rate"]
    print(np.allclose(rates, np.linspace(rates[0], rates[-1], 20)))
    model.fit(X, y)  # goes on, with what the rule remembers
try:
    model.partial_fit(X, y)
except ValueError as error:
    print("laid out over max_iter" in str(error))
""")
    assert printed == ["True"] * 7


def test_a_solver_is_added(run):
    printed = run("""
for n_estimators in (1, 3):
    model = fit(
        solver="steepest",
        learning_rate_init=0.5,
        momentum=0.0,
        max_iter=200,
        tol=0,
        weight_decay=0.0,
        n_estimators=n_estimators,
        early_stopping=True,
    )
    print(model.score(X, y) > 0.9)
for refused in (
    lambda: fit(solver="steepest", checkpoint="file"),
    lambda: model.partial_fit(X, y),
):
    try:
        refused()
    except (ValueError, AttributeError) as error:
        print("steepest" in f"{error}{error.__cause__}")
""")
    assert printed == ["True"] * 4


def test_types_of_the_constructor_name_the_entries_of_the_tables():
    hints = get_type_hints(MLPSoftmaxClassifier.__init__)
    assert set(get_args(hints["solver"])) == SOLVERS.keys()
    assert set(get_args(hints["learning_rate"])) == {"auto", *SCHEDULES}


def test_solvers_refuse_what_is_looked_up():
    source = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    looked_up = re.findall(r"check_supports\([\w.]+, \"(\w+)\"", source)
    features = set().union(*(trainer.unsupported for trainer in SOLVERS.values()))
    assert features <= set(looked_up)
