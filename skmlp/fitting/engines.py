"""Which of the two engines computes: the compiled core, or NumPy."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from scipy.sparse import issparse

from skmlp.core.learner import Steps
from skmlp.core.library import engine
from skmlp.core.network import CoreReader, takes
from skmlp.nn.losses import SoftmaxCrossEntropy, mean_probabilities
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import Adam, Decay, Rule, Sgd
from skmlp.training.batches import Rows, RowsInMemory
from skmlp.training.threads import side_by_side

ROWS_PER_PART = 4096
"""Rows of which one thread gives the probabilities at a time."""


NUMPY = "numpy"
"""The engine that takes everything."""


def engine_of(architecture: Architecture, x: Rows, rule: Rule | None = None) -> str:
    """What computes: an instruction set of the compiled core, or "numpy".

    The core takes dense rows in float32, the activations of the table as they are, and,
    for training, the update rules of the table. An activation or a rule of one's own,
    sparse rows and float64 are for NumPy, and so is everything where no core runs.
    """
    core_takes_it = (
        not issparse(x)
        and takes(architecture)
        and (rule is None or type(rule) in RULES)
    )
    return engine() if core_takes_it else NUMPY


class KnownRule(NamedTuple):
    """An update rule as the core knows it: its number there, and its settings."""

    number: int
    settings: Callable[[Any], Mapping[str, float]]


RULES: dict[type[Rule], KnownRule] = {
    Adam: KnownRule(
        0,
        lambda rule: {
            "beta_1": rule.beta_1,
            "beta_2": rule.beta_2,
            "epsilon": rule.epsilon,
        },
    ),
    Sgd: KnownRule(
        1,
        lambda rule: {
            "momentum": rule.momentum,
            "is_nesterov": rule.nesterovs_momentum,
        },
    ),
}
"""Those that the core knows; a subclass is another."""


def steps_of(rule: Rule, decay: Decay, loss: SoftmaxCrossEntropy) -> Steps:
    """How the core takes the steps that NumPy's optimiser would take."""
    known = RULES[type(rule)]
    return Steps(known.number, rule, known.settings(rule), decay, loss.label_smoothing)


class Reader(Protocol):
    """Gives logits of the rows that it was made for."""

    def logits(self, x: Any, rows: np.ndarray | None = None) -> np.ndarray: ...


def reader_of(architecture: Architecture, parameters: np.ndarray, x: Rows) -> Reader:
    """What gives logits of such rows by a network, or by each of a stack."""
    if engine_of(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    return CoreReader(architecture, parameters)


READERS: WeakKeyDictionary[object, CoreReader] = WeakKeyDictionary()
"""Those that owners of parameters have had made, to be used again.

To lay parameters out for the core takes longer than to read a row.
"""


def kept_reader_of(
    owner: object, architecture: Architecture, parameters: np.ndarray, x: Rows
) -> Reader:
    """As `reader_of`; the same one again while its owner has the same parameters."""
    if engine_of(architecture, x) == NUMPY:
        return Network(architecture, parameters)
    reader = READERS.get(owner)
    if reader is None or not reader.is_of(architecture, parameters):
        reader = READERS[owner] = CoreReader(architecture, parameters)
    return reader


def probabilities_of(
    reader: Reader,
    x: RowsInMemory,
    temperature: float,
    shares: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities of each row by a network, or their mean over a stack of them.

    The core computes parts of many rows side by side, and a row's digits depend on no
    other row. NumPy's do, in their last places: BLAS adds up in an order that depends
    on the number of rows. Blocks of 8 rows would avoid that, but take 1 to 47 times as
    long.
    """

    def probabilities(part: RowsInMemory) -> np.ndarray:
        return mean_probabilities(reader.logits(part), temperature, shares)

    if isinstance(reader, Network) or x.shape[0] < 2 * ROWS_PER_PART:
        return probabilities(x)
    starts = range(0, x.shape[0], ROWS_PER_PART)
    parts = [x[start : start + ROWS_PER_PART] for start in starts]
    with side_by_side(len(parts)) as crew:
        return np.concatenate(list(crew.map(probabilities, parts)))
