"""Multilayer perceptrons with softmax output, at home in scikit-learn."""

from skmlp import search_spaces
from skmlp._files import FileRefusedError
from skmlp._version import __version__
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.displays import ActivationDisplay
from skmlp.loading import load
from skmlp.nn.activations import ACTIVATIONS, Activation, PReLU
from skmlp.tabular.encoder import TableEncoder

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationDisplay",
    "FileRefusedError",
    "MLPSoftmaxClassifier",
    "PReLU",
    "TableEncoder",
    "__version__",
    "load",
    "search_spaces",
]
