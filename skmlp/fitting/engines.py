"""Which of the two engines computes: the compiled core, or NumPy."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from scipy.sparse import issparse

from skmlp.core.learner import UpdateSettings
from skmlp.core.library import engine
from skmlp.core.network import CorePredictor, is_supported
from skmlp.nn.losses import SoftmaxCrossEntropy, compute_probabilities
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import SGD, Adam, Optimizer, Regularization
from skmlp.training.batches import MemoryRows, TrainingRows
from skmlp.training.threads import open_workers

ROWS_PER_PART = 4096
"""Rows of which one thread gives the probabilities at a time."""


NUMPY = "numpy"
"""The engine that takes everything."""


def engine_of(
    architecture: Architecture, x: TrainingRows, optimizer: Optimizer | None = None
) -> str:
    """What computes: an instruction set of the compiled core, or "numpy".

    The core takes dense rows in float32, the activations of the table as they are, and,
    for training, the update rules of the table. An activation or a rule of one's own,
    sparse rows and float64 are for NumPy, and so is everything where no core runs.
    """
    core_takes_it = (
        not issparse(x)
        and is_supported(architecture)
        and (optimizer is None or type(optimizer) in CORE_OPTIMIZERS)
    )
    return engine() if core_takes_it else NUMPY


class CoreOptimizer(NamedTuple):
    """An update rule as the core knows it: its number there, and its settings."""

    number: int
    settings: Callable[[Any], Mapping[str, float]]


CORE_OPTIMIZERS: dict[type[Optimizer], CoreOptimizer] = {
    Adam: CoreOptimizer(
        0,
        lambda optimizer: {
            "beta_1": optimizer.beta_1,
            "beta_2": optimizer.beta_2,
            "epsilon": optimizer.epsilon,
        },
    ),
    SGD: CoreOptimizer(
        1,
        lambda optimizer: {
            "momentum": optimizer.momentum,
            "is_nesterov": optimizer.nesterovs_momentum,
        },
    ),
}
"""Those that the core knows; a subclass is another."""


def steps_of(
    optimizer: Optimizer, regularization: Regularization, loss: SoftmaxCrossEntropy
) -> UpdateSettings:
    """How the core takes the steps that NumPy's optimiser would take."""
    known = CORE_OPTIMIZERS[type(optimizer)]
    return UpdateSettings(
        known.number,
        optimizer,
        known.settings(optimizer),
        regularization,
        loss.label_smoothing,
    )


class Predictor(Protocol):
    """Gives logits of the rows that it was made for."""

    def logits(self, x: Any, rows: np.ndarray | None = None) -> np.ndarray: ...


def make_predictor(
    architecture: Architecture, parameters: np.ndarray, x: TrainingRows
) -> Predictor:
    """What gives logits of such rows by a network, or by each of a stack."""
    if engine_of(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    return CorePredictor(architecture, parameters)


READERS: WeakKeyDictionary[object, CorePredictor] = WeakKeyDictionary()
"""Those that owners of parameters have had made, to be used again.

To lay parameters out for the core takes longer than to read a row.
"""


def get_cached_predictor(
    owner: object, architecture: Architecture, parameters: np.ndarray, x: TrainingRows
) -> Predictor:
    """Return a predictor; the one of before while its owner has the same parameters."""
    if engine_of(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    predictor = READERS.get(owner)
    if predictor is None or not predictor.is_for(architecture, parameters):
        predictor = READERS[owner] = CorePredictor(architecture, parameters)
    return predictor


def probabilities_of(
    predictor: Predictor,
    x: MemoryRows,
    temperature: float,
    ensemble_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities of each row by a network, or their mean over a stack of them.

    The core computes parts of many rows side by side, and a row's digits depend on no
    other row. NumPy's do, in their last places: BLAS adds up in an order that depends
    on the number of rows. Blocks of 8 rows would avoid that, but take 1 to 47 times as
    long.
    """

    def probabilities(part: MemoryRows) -> np.ndarray:
        return compute_probabilities(
            predictor.logits(part), temperature, ensemble_weights
        )

    if isinstance(predictor, Network) or x.shape[0] < 2 * ROWS_PER_PART:
        return probabilities(x)
    starts = range(0, x.shape[0], ROWS_PER_PART)
    parts = [x[start : start + ROWS_PER_PART] for start in starts]
    with open_workers(len(parts)) as workers:
        return np.concatenate(list(workers.map(probabilities, parts)))
