"""Networks that tests compare with others: one at a time, by the classic recipe."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skmlp import MLPSoftmaxClassifier
from skmlp.core.library import engine

CLASSIC = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "numeric_embedding": None,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "weight_decay": 0.0,
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "beta_2": 0.999,
    "max_iter": 200,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_estimators": 1,
    "temperature": None,
}
"""What scikit-learn's MLPClassifier has by default."""


def classic(*args, **params):
    """A network that is trained as scikit-learn's is, where `params` don't differ."""
    names = ["hidden_layer_sizes", "activation"]
    given = dict(zip(names, args, strict=False)) | params
    return MLPSoftmaxClassifier(**CLASSIC | given)


def assert_same_predictions(actual, expected):
    """Compare predictions for the same rows among others.

    The compiled core gives the same bits; NumPy's BLAS may round by the place of a row.
    """
    if engine() == "numpy" and np.asarray(expected).dtype.kind == "f":
        assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    else:
        assert_array_equal(actual, expected)
