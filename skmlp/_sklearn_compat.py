"""Private parts of scikit-learn, and differences between its versions."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

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
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "validate_parameter_constraints",
    "with_callbacks",
]  # re-exported; other names are defined here

Method = TypeVar("Method")

fit_context = _fit_context
"""Decorator that validates hyper-parameters before `fit`."""

check_feature_names_in = _check_feature_names_in
"""Validates the argument of `get_feature_names_out`."""

# callbacks came with scikit-learn 1.9; before, set_callbacks says so
try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Placeholder of the class that came with scikit-learn 1.9."""

        def set_callbacks(self, *callbacks: object) -> NoReturn:
            """Raise, as callbacks need scikit-learn 1.9."""
            raise NotImplementedError(
                "set_callbacks needs scikit-learn 1.9 or later, and "
                f"{sklearn.__version__} is installed; upgrade scikit-learn, or train "
                "without callbacks (verbose=True and history_ show each epoch too)."
            )

    def with_callbacks(method: Method) -> Method:
        """Return the method: placeholder of a decorator of scikit-learn 1.9."""
        return method


class FitTask:
    """A fit for scikit-learn's callbacks: a task with one subtask per epoch."""

    def __init__(
        self,
        estimator: CallbackSupportMixin,
        n_epochs: int,  # at most
        X: object,
        y: object,
        sample_weight: object,
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.known = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        # CallbackContext, which scikit-learn has from 1.9 on
        self.root: Any = estimator._init_callback_context(max_subtasks=n_epochs)
        self.root.call_on_fit_task_begin(**self.known)
        self.epoch: Any = None  # context of the open subtask

    def begin_epoch(self) -> None:
        """Begin a subtask, unless one is open."""
        if self.epoch is None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.known)

    def end_epoch(self, get_attributes: Callable[[], Mapping[str, object]]) -> bool:
        """End the subtask; return True if a callback stops training.

        `get_attributes` returns the fitted attributes, for callbacks that need them.
        """
        epoch, self.epoch = self.epoch, None
        return epoch.call_on_fit_task_end(
            **self.known, reconstruction_attributes=get_attributes
        )

    def end(self) -> None:
        """End the task of the whole fit."""
        self.root.call_on_fit_task_end(**self.known, reconstruction_attributes={})


ALLOW_ALL_ZERO = {
    name: True
    for name in inspect.signature(_check_sample_weight).parameters
    if name == "allow_all_zero_weights"
}
"""Argument from 1.9 on; its refusal of zero weights names no argument."""


def check_sample_weight(sample_weight: ArrayLike | None, n_rows: int) -> np.ndarray:
    """Convert to a new float64 array, (n_rows,); all weights may be zero."""
    rows = np.empty((n_rows, 1))  # only its length is compared
    return _check_sample_weight(
        sample_weight,
        rows,
        dtype=np.float64,
        ensure_non_negative=True,
        copy=True,
        **ALLOW_ALL_ZERO,
    )


def check_columns(estimator: BaseEstimator, X: object, reset: bool) -> None:
    """Store names and number of the columns of X, or compare them."""
    # names first, as their message is the clearer one where both differ
    _check_feature_names(estimator, X, reset=reset)
    _check_n_features(estimator, X, reset=reset)


def validate_parameters(estimator: BaseEstimator) -> None:
    """Raise if a hyperparameter has an invalid value."""
    estimator._validate_params()


def is_metric_scorer(scorer: object) -> bool:
    """Return True for scorers of scikit-learn, also by `make_scorer`."""
    return isinstance(scorer, _BaseScorer)


def get_metric(scorer: _BaseScorer) -> tuple[Callable[..., float], dict[str, object]]:
    """Return the metric of a scorer, and its arguments."""
    # scorers of scikit-learn may hold arguments in a partial, or beside the metric
    metric, given = scorer._score_func, scorer._kwargs
    if isinstance(metric, functools.partial):
        return metric.func, metric.keywords | given
    return metric, given


def get_response_methods(scorer: _BaseScorer) -> Sequence[str]:
    """Return the methods of a model that a scorer may call, in order of preference."""
    methods = scorer._response_method  # one name, or a sequence of names
    return [methods] if isinstance(methods, str) else methods


def set_metric_arguments(
    scorer: _BaseScorer, arguments: Mapping[str, object]
) -> _BaseScorer:
    """Return a copy of a scorer with more arguments for its metric."""
    completed = copy.copy(scorer)
    completed._kwargs = {**scorer._kwargs, **arguments}
    return completed


def is_regression_metric(metric: Callable[..., object]) -> bool:
    """Return True for a regression metric of scikit-learn."""
    return getattr(metric, "__module__", None) == mean_squared_error.__module__
