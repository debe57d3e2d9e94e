"""Networks that tests compare with others: one at a time, by the classic recipe."""

from skmlp import MLPSoftmaxClassifier

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
