"""Choice of the backend: the compiled C core where it can, else NumPy."""

from typing import Any, Protocol
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

NUMPY = "numpy"
"""The backend that takes everything."""

ROWS_PER_PART = 4096
"""Rows of which one thread computes the probabilities at a time."""


class Predictor(Protocol):
    """Gives logits of a network or a stack: `Network` or `CorePredictor`."""

    def logits(self, x: Any, indices: np.ndarray | None = None) -> np.ndarray: ...


CORE_OPTIMIZERS: dict[type[Optimizer], tuple[int, dict[str, str]]] = {
    Adam: (0, {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}),
    SGD: (1, {"momentum": "momentum", "is_nesterov": "nesterovs_momentum"}),
}
"""The core's number of an optimizer, and the attributes with its settings there."""


def choose_backend(
    architecture: Architecture, x: TrainingRows, optimizer: Optimizer | None = None
) -> str:
    """Return an instruction set of the compiled core, or "numpy".

    The core takes dense rows in float32, the activations of the table as they are, and,
    for training, the optimizers of the table. Custom activations or optimizers, sparse
    rows and float64 are for NumPy, and so is everything where no core runs.
    """
    takes_all = (
        not issparse(x)
        and is_supported(architecture)
        # a subclass is another optimizer
        and (optimizer is None or type(optimizer) in CORE_OPTIMIZERS)
    )
    return engine() if takes_all else NUMPY


def build_core_settings(
    optimizer: Optimizer, regularization: Regularization, loss: SoftmaxCrossEntropy
) -> UpdateSettings:
    """Describe to the core the steps that NumPy's optimizer would take."""
    number, names = CORE_OPTIMIZERS[type(optimizer)]
    settings = {field: getattr(optimizer, name) for field, name in names.items()}
    return UpdateSettings(
        number, optimizer, settings, regularization, loss.label_smoothing
    )


def make_predictor(
    architecture: Architecture, parameters: np.ndarray, x: TrainingRows
) -> Predictor:
    """Return a predictor for `x`: the C core if it supports the network, else NumPy."""
    if choose_backend(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    return CorePredictor(architecture, parameters)


PREDICTORS: WeakKeyDictionary[object, CorePredictor] = WeakKeyDictionary()
"""Predictors by the owner of the parameters.

To lay parameters out for the core takes longer than to predict a row.
"""


def get_cached_predictor(
    owner: object, architecture: Architecture, parameters: np.ndarray, x: TrainingRows
) -> Predictor:
    """Return a predictor; the same one as long as its owner has the same parameters."""
    if choose_backend(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    predictor = PREDICTORS.get(owner)
    if predictor is None or not predictor.is_for(architecture, parameters):
        predictor = PREDICTORS[owner] = CorePredictor(architecture, parameters)
    return predictor


def predict_in_parts(
    predictor: Predictor,
    x: MemoryRows,
    temperature: float,
    ensemble_weights: np.ndarray,
) -> np.ndarray:
    """Return the mean probabilities (n_rows, n_classes) of the networks.

    The core computes parts of many rows in parallel, and a row's digits depend on no
    other row. NumPy's do, in their last places: BLAS adds up in an order that depends
    on the number of rows. Blocks of 8 rows would avoid that, but take 1 to 47 times as
    long.
    """
    weights = None if np.ptp(ensemble_weights) == 0 else ensemble_weights

    def predict_part(part: Any) -> np.ndarray:
        return compute_probabilities(predictor.logits(part), temperature, weights)

    if isinstance(predictor, Network) or x.shape[0] < 2 * ROWS_PER_PART:
        return predict_part(x)
    starts = range(0, x.shape[0], ROWS_PER_PART)
    parts = [x[start : start + ROWS_PER_PART] for start in starts]
    with open_workers(len(parts)) as workers:
        return np.concatenate(list(workers.map(predict_part, parts)))
