"""LossCurveDisplay: training and validation loss per epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.plotting.base import Display, Style, find_classifier, merge_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


@dataclass(eq=False, repr=False)
class LossCurveDisplay(Display):
    """Plot of training and validation loss per epoch, of one fit or of several.

    Use `from_estimator` or `from_cv_results` to create one.

    Parameters
    ----------
    train_loss : list of ndarray of shape (n_epochs,)
        Training loss of each fit.
    validation_loss : list of ndarray of shape (n_epochs,) or None
        Validation loss of each fit; None without validation rows.
    best_epoch : list of (int or ndarray of int)
        Epoch of the weights that each fit kept, counted from 1; 0 for weights from
        before training.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes of the curves, and their figure.
    train_line_ : matplotlib.lines.Line2D or list of these
        Training loss; a list for several fits.
    validation_line_ : matplotlib.lines.Line2D, None, or list of these
        Validation loss; None without validation rows.
    best_line_ : matplotlib.lines.Line2D, None, or list of these
        Mark of the epoch of the weights, on the validation loss if there is one.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from skmlp import LossCurveDisplay, MLPSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPSoftmaxClassifier(n_estimators=1, max_iter=20, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(model.fit(X, y))
    >>> len(display.train_line_.get_ydata())
    20
    >>> results = cross_validate(model, X, y, return_estimator=True)
    >>> len(LossCurveDisplay.from_cv_results(results).train_line_)
    5
    """

    train_loss: Sequence[np.ndarray]
    validation_loss: Sequence[np.ndarray | None]
    best_epoch: Sequence[int | np.ndarray]

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: "Axes | None" = None,
        **plot_kwargs: Style | None,
    ) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : MLPSoftmaxClassifier, Pipeline or search
            A fitted classifier, a pipeline that ends in one, or a search with its
            `best_estimator_`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            `train_kwargs`, `validation_kwargs` and `best_kwargs` of `plot`.

        Returns
        -------
        LossCurveDisplay
        """
        return cls._from_models([find_classifier(estimator)]).plot(ax, **plot_kwargs)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, np.ndarray | Sequence[BaseEstimator]],
        *,
        ax: "Axes | None" = None,
        **plot_kwargs: Style | None,
    ) -> Self:
        """Draw the curves of all fits of a cross-validation.

        Parameters
        ----------
        cv_results : dict
            Result of :func:`sklearn.model_selection.cross_validate`, called with
            ``return_estimator=True``.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            `train_kwargs`, `validation_kwargs` and `best_kwargs` of `plot`.

        Returns
        -------
        LossCurveDisplay
        """
        if "estimator" not in cv_results:
            raise ValueError(
                f"cv_results has no 'estimator', only {', '.join(cv_results)}; call "
                "cross_validate with return_estimator=True."
            )
        models = [find_classifier(estimator) for estimator in cv_results["estimator"]]
        return cls._from_models(models).plot(ax, **plot_kwargs)

    @classmethod
    def _from_models(cls, models: Sequence[MLPSoftmaxClassifier]) -> Self:
        """Create a display of the loss curves of fitted classifiers."""
        validation = [model.validation_loss_curve_ for model in models]
        return cls(
            [np.array(model.loss_curve_) for model in models],
            [None if curve is None else np.array(curve) for curve in validation],
            [model.best_iter_ for model in models],
        )

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        train_kwargs, validation_kwargs, best_kwargs : dict, default=None
            Arguments of `matplotlib.axes.Axes.plot` for the training loss, the
            validation loss, and the mark of the epoch of the weights.
        """
        ax = self._set_axes(ax)
        from matplotlib.ticker import MaxNLocator  # after the check of _set_axes

        # attributes are lines for one fit, and lists of lines for a cross-validation
        is_single = len(self.train_loss) == 1
        defaults = self._styles(is_single)
        given = (train_kwargs, validation_kwargs, best_kwargs)
        train, validation, best = map(merge_styles, defaults, given)
        train_lines, validation_lines, best_lines = [], [], []
        fits = zip(self.train_loss, self.validation_loss, self.best_epoch, strict=True)
        for loss, validation_loss, best_epoch in fits:
            epochs = np.arange(1, len(loss) + 1)
            train_lines += ax.plot(epochs, loss, **train)
            train["label"] = None  # one entry of the legend for all fits
            if validation_loss is not None:
                validation_lines += ax.plot(epochs, validation_loss, **validation)
                validation["label"] = None
            # members of an ensemble may have different epochs
            kept = np.unique(best_epoch)
            kept = kept[kept > 0]
            if len(kept):
                monitored = loss if validation_loss is None else validation_loss
                best_lines += ax.plot(kept, np.asarray(monitored)[kept - 1], **best)
                best["label"] = None
        # no ticks between epochs
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.train_line_ = _unwrap(train_lines, is_single)
        self.validation_line_ = _unwrap(validation_lines, is_single)
        self.best_line_ = _unwrap(best_lines, is_single)
        return self._finish(xlabel="epoch", ylabel="loss")

    def _styles(self, is_single: bool) -> tuple[Style, Style, Style]:
        """Return default styles of training loss, validation loss and best epoch."""
        # many curves are thin, so that all of them show
        thin: Style = {} if is_single else {"linewidth": 0.8, "alpha": 0.8}
        # dashes and rings keep the curves apart in print without color
        train = {"label": "training", "color": "C0", **thin}
        validation = {"label": "validation", "color": "C1", "linestyle": "--", **thin}
        # a ring in front of the curves
        best = {
            "label": self._label_of_best(),
            "color": "black",
            "linestyle": "none",
            "marker": "o",
            "markerfacecolor": "none",
            "zorder": 3,
        }
        return train, validation, best

    def _label_of_best(self) -> str:
        """Name the mark: without validation rows the last weights are kept."""
        has_validation = any(curve is not None for curve in self.validation_loss)
        if len(self.best_epoch) > 1 or np.size(self.best_epoch[0]) > 1:
            return "best epochs" if has_validation else "weights kept"
        what = "best epoch:" if has_validation else "weights kept: epoch"
        return f"{what} {self.best_epoch[0]}"


def _unwrap(lines: list["Line2D"], is_single: bool) -> "Line2D | list[Line2D] | None":
    """Return the line of a single fit, else all lines; None if there are none."""
    if not is_single:
        return lines or None
    return lines[0] if lines else None
