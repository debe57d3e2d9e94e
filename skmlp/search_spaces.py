"""Search spaces for `RandomizedSearchCV` and `HalvingRandomSearchCV`.

Each is a dict of distributions or lists by parameter. Copy one to change it.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from sklearn.model_selection import RandomizedSearchCV
>>> from skmlp import MLPSoftmaxClassifier, search_spaces
>>> X, y = load_iris(return_X_y=True)
>>> search = RandomizedSearchCV(
...     MLPSoftmaxClassifier(n_estimators=1, random_state=0),
...     search_spaces.SMALL,
...     n_iter=2,
...     scoring="neg_log_loss",
...     random_state=0,
... ).fit(X, y)
>>> sorted(search.best_params_)
['dropout', 'learning_rate_init', 'weight_decay']
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from scipy.stats import loguniform, uniform

Space: TypeAlias = dict[str, Any]
"""Distribution of `scipy.stats` or list of values, by parameter."""

SMALL: Space = {
    "learning_rate_init": loguniform(5e-4, 1e-2),
    "dropout": uniform(0.0, 0.4),
    "weight_decay": loguniform(1e-2, 1.0),
}
"""Learning rate and regularization, for about ten trials."""

FULL: Space = SMALL | {
    "hidden_layer_sizes": [(48, 48), (128, 128), (256, 256), (48, 48, 48), (256,)],
    "numeric_embedding": ["periodic", None],
}
"""The five most important parameters, for thirty trials or more."""


def for_step(space: Mapping[str, Any], step: str) -> Space:
    """Prefix a space for a classifier in a `Pipeline`.

    Parameters
    ----------
    space : mapping of str to distribution or list
        A space such as `SMALL` or `FULL`.
    step : str
        Name of the step.

    Returns
    -------
    dict of str to distribution or list

    Examples
    --------
    >>> from skmlp import search_spaces
    >>> space = search_spaces.for_step(search_spaces.SMALL, "mlpsoftmaxclassifier")
    >>> sorted(space)[0]
    'mlpsoftmaxclassifier__dropout'
    """
    return {f"{step}__{name}": values for name, values in space.items()}
