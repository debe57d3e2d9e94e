"""Multilayer perceptrons with softmax output, at home in scikit-learn."""

from skmlp import search_spaces
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.displays import ActivationDisplay
from skmlp.nn.activations import ACTIVATIONS, Activation, PReLU
from skmlp.tabular.encoder import TableEncoder

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationDisplay",
    "MLPSoftmaxClassifier",
    "PReLU",
    "TableEncoder",
    "search_spaces",
]
