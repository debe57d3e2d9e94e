"""Multilayer perceptrons with softmax output, at home in scikit-learn."""

from skmlp import search_spaces
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.displays.activations import ActivationDisplay
from skmlp.displays.loss_curves import LossCurveDisplay
from skmlp.displays.networks import NetworkDisplay
from skmlp.nn.activations import ACTIVATIONS, Activation, PReLU
from skmlp.tabular.encoder import TableEncoder

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationDisplay",
    "LossCurveDisplay",
    "MLPSoftmaxClassifier",
    "NetworkDisplay",
    "PReLU",
    "TableEncoder",
    "search_spaces",
]
