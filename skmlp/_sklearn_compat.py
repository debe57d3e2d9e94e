"""All that is used of scikit-learn's private parts, and how its versions differ."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, ParamSpec, Protocol, TypeVar

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.metrics import mean_squared_error
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import (
    _check_feature_names,
    _check_feature_names_in,
    _check_n_features,
    _check_sample_weight,
)

__all__ = [
    "CallbackSupportMixin",
    "FitTask",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "calls_a_metric",
    "check_columns",
    "check_feature_names_in",
    "check_sample_weight",
    "fit_context",
    "is_for_regression",
    "metric_of",
    "response_methods",
    "validate_parameter_constraints",
    "validate_parameters",
    "with_arguments",
    "with_callbacks",
]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

fit_context = _fit_context
"""Decorator that validates hyper-parameters before `fit`."""

check_feature_names_in = _check_feature_names_in
"""The names that `get_feature_names_out` is given or knows."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's class of that name, which came with 1.9."""

        def set_callbacks(self, *callbacks: object) -> NoReturn:
            """Set callbacks, for which scikit-learn 1.9 or later is needed."""
            raise NotImplementedError(
                "set_callbacks needs scikit-learn 1.9 or later, and "
                f"{sklearn.__version__} is installed; upgrade scikit-learn, or train "
                "without callbacks (verbose=True and history_ show each epoch too)."
            )

    def with_callbacks(
        method: Callable[Arguments, Result],
    ) -> Callable[Arguments, Result]:
        """Stand for scikit-learn's decorator of that name, which came with 1.9."""
        return method


class CallbackContext(Protocol):
    """What is used of a task as scikit-learn's callbacks see it."""

    def subcontext(self, *, task_name: str) -> "CallbackContext": ...
    def call_on_fit_task_begin(self, **known: object) -> None: ...
    def call_on_fit_task_end(self, **known: object) -> bool: ...


class FitTask:
    """A fit, as scikit-learn's callbacks see it: a task with one subtask per epoch.

    Parameters
    ----------
    estimator : estimator
        One with callbacks.
    n_epochs : int
        Most epochs that there can be.
    X, y : any
        What `fit` was given.
    sample_weight : array-like or None
        Likewise.
    """

    def __init__(
        self,
        estimator: CallbackSupportMixin,
        n_epochs: int,
        X: object,
        y: object,
        sample_weight: object,
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.known = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.root: CallbackContext = estimator._init_callback_context(
            max_subtasks=n_epochs
        )
        self.root.call_on_fit_task_begin(**self.known)
        self.open_epochs: list[CallbackContext] = []

    def begin_epoch(self) -> None:
        """Begin a subtask, unless the last one has not ended yet."""
        if not self.open_epochs:
            self.open_epochs.append(self.root.subcontext(task_name="epoch"))
            self.open_epochs[0].call_on_fit_task_begin(**self.known)

    def end_epoch(self, learnt: Callable[[], Mapping[str, object]]) -> bool:
        """End the subtask; say whether a callback wants training to end.

        `learnt` gives the attributes of the estimator if `fit` ended here; it is
        called if a callback asks for the fitted estimator.
        """
        return self.open_epochs.pop().call_on_fit_task_end(
            **self.known, reconstruction_attributes=learnt
        )

    def end(self) -> None:
        """End the whole task, with an estimator that is fitted."""
        self.root.call_on_fit_task_end(**self.known, reconstruction_attributes={})


ALLOW_ALL_ZERO = {
    name: True
    for name in inspect.signature(_check_sample_weight).parameters
    if name == "allow_all_zero_weights"
}
"""From 1.9 on, scikit-learn refuses them with a sentence that names no argument."""


def check_sample_weight(sample_weight: ArrayLike | None, n_rows: int) -> np.ndarray:
    """A new array of one non-negative float64 per row; all may be zero."""
    rows = np.empty((n_rows, 1))
    return _check_sample_weight(
        sample_weight,
        rows,
        dtype=np.float64,
        ensure_non_negative=True,
        copy=True,
        **ALLOW_ALL_ZERO,
    )


def check_columns(estimator: BaseEstimator, X: object, reset: bool) -> None:
    """Remember the names and the number of the columns of X, or compare them."""
    _check_feature_names(estimator, X, reset=reset)
    _check_n_features(estimator, X, reset=reset)


def validate_parameters(estimator: BaseEstimator) -> None:
    """Raise unless each hyper-parameter is of a kind that `fit` would take."""
    estimator._validate_params()


def calls_a_metric(scorer: object) -> bool:
    """Whether a scorer is one of scikit-learn's names, or from `make_scorer`."""
    return isinstance(scorer, _BaseScorer)


def metric_of(scorer: _BaseScorer) -> tuple[Callable[..., float], dict[str, object]]:
    """The metric that such a scorer calls, and the arguments that were set for it."""
    metric, given = scorer._score_func, scorer._kwargs
    if isinstance(metric, functools.partial):
        return metric.func, metric.keywords | given
    return metric, given


def response_methods(scorer: _BaseScorer) -> Sequence[str]:
    """The methods of a model that such a scorer may call, the preferred one first."""
    methods = scorer._response_method
    return [methods] if isinstance(methods, str) else methods


def with_arguments(scorer: _BaseScorer, arguments: Mapping[str, object]) -> _BaseScorer:
    """Such a scorer whose metric gets further arguments."""
    completed = copy.copy(scorer)
    completed._kwargs = {**scorer._kwargs, **arguments}
    return completed


def is_for_regression(metric: Callable[..., object]) -> bool:
    """Whether a metric comes from where scikit-learn has those of regression."""
    return getattr(metric, "__module__", None) == mean_squared_error.__module__
