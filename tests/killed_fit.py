"""What a process runs that is to be killed in the midst of a fit."""

import warnings

from sklearn.datasets import load_wine

from skmlp import MLPSoftmaxClassifier


def fit(params, begun):
    """Train on the wine data, with a word as soon as it begins."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    begun.set()
    warnings.simplefilter("ignore")
    MLPSoftmaxClassifier(**params).fit(X, y)
