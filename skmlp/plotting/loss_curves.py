"""LossCurveDisplay: how the loss fell from epoch to epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.plotting.estimators import fitted_classifier
from skmlp.plotting.figures import Style, add_legend, axes_or_new, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


class LossCurveDisplay:
    """Training and validation loss per epoch, of one fit or of several.

    Use `from_estimator` or `from_cv_results` to create one.

    Parameters
    ----------
    train_loss : list of ndarray of shape (n_epochs,)
        Training loss of each fit.
    validation_loss : list of ndarray of shape (n_epochs,) or None
        Log-loss of the held-out rows of each fit; None where it had none.
    best_epoch : list of (int or ndarray of int)
        The epoch, counted from 1, that the weights of each fit are from; 0 where they
        are from none.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves are.
    figure_ : matplotlib.figure.Figure
        The figure around `ax_`.
    train_line_ : matplotlib.lines.Line2D or list of these
        Training loss; a list where there are several fits.
    validation_line_ : matplotlib.lines.Line2D, None, or list of these
        Validation loss; None where there were no held-out rows.
    best_line_ : matplotlib.lines.Line2D, None, or list of these
        Mark of the epoch that the weights are from, on the curve that decided.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skmlp import LossCurveDisplay, MLPSoftmaxClassifier
    >>> model = MLPSoftmaxClassifier(n_estimators=1, max_iter=20, random_state=0)
    >>> model.fit(*load_iris(return_X_y=True))
    MLPSoftmaxClassifier(max_iter=20, n_estimators=1, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> len(display.train_line_.get_ydata())
    20
    """

    def __init__(
        self,
        train_loss: Sequence[np.ndarray],
        validation_loss: Sequence[np.ndarray | None],
        best_epoch: Sequence[int | np.ndarray],
    ) -> None:
        self.train_loss = train_loss
        self.validation_loss = validation_loss
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: "Axes | None" = None,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : MLPSoftmaxClassifier, Pipeline or search
            A fitted classifier, a pipeline that ends in one, or a search with its
            `best_estimator_`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        train_kwargs, validation_kwargs, best_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`: for the training loss,
            the validation loss, and the mark of the epoch that the weights are from.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If there is no MLPSoftmaxClassifier in it.
        ImportError
            If matplotlib is not installed.
        """
        return cls._of([fitted_classifier(estimator)]).plot(
            ax=ax,
            train_kwargs=train_kwargs,
            validation_kwargs=validation_kwargs,
            best_kwargs=best_kwargs,
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, np.ndarray | Sequence[BaseEstimator]],
        *,
        ax: "Axes | None" = None,
        train_kwargs: Style | None = None,
        validation_kwargs: Style | None = None,
        best_kwargs: Style | None = None,
    ) -> Self:
        """Draw the curves of all fits of a cross-validation.

        Parameters
        ----------
        cv_results : dict
            What :func:`sklearn.model_selection.cross_validate` returns, called with
            ``return_estimator=True``.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        train_kwargs, validation_kwargs, best_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, as in `from_estimator`.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If the results hold no estimators.
        NotFittedError, TypeError, ImportError
            As in `from_estimator`.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import cross_validate
        >>> from skmlp import LossCurveDisplay, MLPSoftmaxClassifier
        >>> model = MLPSoftmaxClassifier(n_estimators=1, max_iter=20, random_state=0)
        >>> results = cross_validate(
        ...     model, *load_iris(return_X_y=True), return_estimator=True
        ... )
        >>> display = LossCurveDisplay.from_cv_results(results)
        >>> len(display.train_line_)
        5
        """
        if "estimator" not in cv_results:
            raise ValueError(
                f"cv_results has no 'estimator', only {', '.join(cv_results)}; call "
                "cross_validate with return_estimator=True."
            )
        models = [fitted_classifier(estimator) for estimator in cv_results["estimator"]]
        return cls._of(models).plot(
            ax=ax,
            train_kwargs=train_kwargs,
            validation_kwargs=validation_kwargs,
            best_kwargs=best_kwargs,
        )

    @classmethod
    def _of(cls, models: Sequence[MLPSoftmaxClassifier]) -> Self:
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
            Where to draw; None makes a new figure.
        train_kwargs, validation_kwargs, best_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, as in `from_estimator`.

        Returns
        -------
        LossCurveDisplay
        """
        ax = axes_or_new(ax)
        from matplotlib.ticker import MaxNLocator

        is_alone = len(self.train_loss) == 1
        defaults = self._styles(is_alone)
        given = (train_kwargs, validation_kwargs, best_kwargs)
        train, validation, best = map(styled, defaults, given)
        train_lines, validation_lines, best_lines = [], [], []
        for loss, held_out, best_epoch in zip(
            self.train_loss, self.validation_loss, self.best_epoch, strict=True
        ):
            epochs = np.arange(1, len(loss) + 1)
            train_lines += ax.plot(epochs, loss, **train)
            train["label"] = None  # all fits share an entry of the legend
            if held_out is not None:
                validation_lines += ax.plot(epochs, held_out, **validation)
                validation["label"] = None
            kept = np.unique(best_epoch)
            kept = kept[kept > 0]
            if len(kept):
                decided = np.asarray(loss if held_out is None else held_out)
                best_lines += ax.plot(kept, decided[kept - 1], **best)
                best["label"] = None
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        add_legend(ax, "upper right")
        self.train_line_ = one_or_list(train_lines, is_alone)
        self.validation_line_ = one_or_list(validation_lines, is_alone)
        self.best_line_ = one_or_list(best_lines, is_alone)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _styles(self, is_alone: bool) -> tuple[Style, Style, Style]:
        """How training, validation and best epoch look if nothing else is said."""
        thin: Style = {} if is_alone else {"linewidth": 0.8, "alpha": 0.8}
        # dashes and rings keep apart in grey what colours keep apart elsewhere
        train = {"label": "training", "color": "C0", **thin}
        validation = {"label": "validation", "color": "C1", "linestyle": "--", **thin}
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
        """Without held-out rows the last weights are kept, be they the best or not."""
        has_held_out = any(curve is not None for curve in self.validation_loss)
        if len(self.best_epoch) > 1 or np.size(self.best_epoch[0]) > 1:
            return "best epochs" if has_held_out else "weights kept"
        what = "best epoch:" if has_held_out else "weights kept: epoch"
        return f"{what} {self.best_epoch[0]}"


def one_or_list(
    lines: list["Line2D"], is_alone: bool
) -> "Line2D | list[Line2D] | None":
    """The line of a lone fit, or None if it has none; else all lines."""
    if not is_alone:
        return lines or None
    return lines[0] if lines else None
