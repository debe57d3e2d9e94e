"""Ready-made `param_distributions` for scikit-learn's randomised searches.

Each is a dict of distributions or lists, for `RandomizedSearchCV`,
`HalvingRandomSearchCV` and what else takes such. Copy one to change it.

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

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from scipy.stats import loguniform, uniform


class Distribution(Protocol):
    """What a parameter is drawn from, such as a distribution of `scipy.stats`."""

    rvs: Callable[..., object]


Space: TypeAlias = dict[str, Distribution | Sequence[object]]
"""By name of a parameter, what it is drawn from."""

SMALL: Space = {
    "learning_rate_init": loguniform(5e-4, 1e-2),
    "dropout": uniform(0.0, 0.4),
    "weight_decay": loguniform(1e-2, 1.0),
}
"""What decides how closely the training rows are followed; for some ten trials."""

FULL: Space = SMALL | {
    "hidden_layer_sizes": [(48, 48), (128, 128), (256, 256), (48, 48, 48), (256,)],
    "numeric_embedding": ["periodic", None],
}
"""The five parameters that matter most; for thirty trials and more."""


def for_step(space: Mapping[str, Distribution | Sequence[object]], step: str) -> Space:
    """The same space for a classifier that is a step of a `Pipeline`.

    Parameters
    ----------
    space : mapping of str to distribution or list
        Such as `SMALL` or `FULL`.
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
