"""Multilayer perceptron classifier for scikit-learn."""

from skmlp import search_spaces
from skmlp._show_versions import show_versions
from skmlp._version import __version__
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.nn.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Activation,
    Identity,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from skmlp.persistence.archive import FileRefusedError
from skmlp.persistence.models import load
from skmlp.plotting.activations import ActivationDisplay
from skmlp.plotting.loss_curves import LossCurveDisplay
from skmlp.plotting.networks import NetworkDisplay
from skmlp.tabular.encoder import TableEncoder

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "ActivationDisplay",
    "FileRefusedError",
    "Identity",
    "LeakyReLU",
    "LossCurveDisplay",
    "MLPSoftmaxClassifier",
    "NetworkDisplay",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "TableEncoder",
    "Tanh",
    "__version__",
    "load",
    "search_spaces",
    "show_versions",
]
