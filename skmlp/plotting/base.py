"""Base of the displays: axes, styles, legend, and the classifier in an estimator."""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skmlp.classifier import MLPSoftmaxClassifier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Style: TypeAlias = Mapping[str, Any]
"""Keyword arguments of a method of matplotlib."""


class Display:
    """Base of the displays, which draw on given or new axes."""

    ax_: "Axes"
    figure_: "Figure | SubFigure"

    def _set_axes(self, ax: "Axes | None", **figure_kwargs: Any) -> "Axes":
        """Use the axes, or those of a new figure."""
        pyplot = import_pyplot()
        if ax is None:
            # constrained, so that labels and texts stay within the figure
            _, ax = pyplot.subplots(layout="constrained", **figure_kwargs)
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _finish(self, **labels: str) -> Self:
        """Label the axes and add a legend."""
        self.ax_.set(**labels)
        self.ax_.legend(loc="best")
        return self


def import_pyplot() -> ModuleType:
    """Import matplotlib.pyplot; raise with a hint if it is not installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'skmlp[plots]'"
        ) from error
    return plt


def merge_styles(defaults: Style, given: Style | None) -> dict[str, Any]:
    """Override defaults of a line by the user's arguments, which may be aliases."""
    # "ls" must override "linestyle", so aliases become full names
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(dict(given or {}), Line2D)}


def find_classifier(estimator: BaseEstimator) -> MLPSoftmaxClassifier:
    """Return the fitted classifier in a pipeline or search, or the estimator itself."""
    if hasattr(estimator, "refit"):  # a search
        check_is_fitted(
            estimator,
            "best_estimator_",
            msg="This %(name)s has no best_estimator_; call its fit, with refit=True.",
        )
        return find_classifier(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        return find_classifier(estimator[-1])
    if not isinstance(estimator, MLPSoftmaxClassifier):
        raise TypeError(
            f"got {estimator!r}, which holds no network to draw; pass an "
            "MLPSoftmaxClassifier, a Pipeline that ends in one, or a search over one."
        )
    check_is_fitted(estimator)
    return estimator
