"""ActivationDisplay: an activation with its derivative, or with what was learnt."""

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.nn.activations import Activation, as_activation
from skmlp.plotting.estimators import fitted_classifier
from skmlp.plotting.figures import Style, add_legend, axes_or_new, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

BANDS = {"all units": (0.0, 1.0, "0.9"), "middle half": (0.25, 0.75, "0.75")}
"""What lies between which quantiles of the units, and its shade."""


class ActivationDisplay:
    """An activation over a range of inputs, with its derivative or what was learnt.

    Use `from_activation` or `from_estimator` to create one.

    Parameters
    ----------
    z : ndarray of shape (n_points,)
        Inputs.
    value : ndarray of shape (n_points,)
        f(z).
    derivative : ndarray of shape (n_points,)
        df / dz.
    name : str
        Title of the picture.
    learnt : ndarray of shape (n_units, n_points), default=None
        f(z) of each unit after training; None where nothing is learnt.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves are.
    figure_ : matplotlib.figure.Figure
        The figure around `ax_`.
    value_line_ : matplotlib.lines.Line2D
        f(z), with learnt numbers at their start.
    derivative_line_ : matplotlib.lines.Line2D or None
        f'(z); None where `learnt` is drawn instead.
    learnt_line_ : matplotlib.lines.Line2D or None
        The median of `learnt`.
    learnt_bands_ : list of matplotlib.collections.PolyCollection
        Where all units lie, and where the middle half of them does; empty where there
        are no two units.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skmlp import ActivationDisplay
    >>> display = ActivationDisplay.from_activation("prelu")
    >>> display.ax_.get_title()
    'PReLU(init=0.25, shared=False)'
    """

    def __init__(
        self,
        z: np.ndarray,
        value: np.ndarray,
        derivative: np.ndarray,
        name: str,
        learnt: np.ndarray | None = None,
    ) -> None:
        self.z = z
        self.value = value
        self.derivative = derivative
        self.name = name
        self.learnt = learnt

    @classmethod
    def from_activation(
        cls,
        activation: str | type[Activation] | Activation,
        *,
        z_range: tuple[float, float] = (-8.0, 8.0),
        n_points: int = 1601,
        name: str | None = None,
        ax: "Axes | None" = None,
        value_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
    ) -> "ActivationDisplay":
        """Compute and draw an activation and its derivative.

        Learnt numbers, such as PReLU's slope, are drawn at their start values.

        Parameters
        ----------
        activation : str, Activation or subclass of Activation
            What `MLPSoftmaxClassifier(activation=...)` takes for one layer.
        z_range : tuple of two floats, default=(-8.0, 8.0)
            First and last input.
        n_points : int, default=1601
            Number of inputs.
        name : str, default=None
            Title; None for the activation's own.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        value_kwargs, derivative_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, one for each curve.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        ValueError
            If the activation is unknown.
        ImportError
            If matplotlib is not installed.
        """
        display = cls._at_start(as_activation(activation), z_range, n_points, name)
        return display.plot(
            ax=ax, value_kwargs=value_kwargs, derivative_kwargs=derivative_kwargs
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        layer: int = 0,
        z_range: tuple[float, float] = (-8.0, 8.0),
        n_points: int = 1601,
        name: str | None = None,
        ax: "Axes | None" = None,
        value_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
        learnt_kwargs: Style | None = None,
    ) -> "ActivationDisplay":
        """Draw what the activation of a hidden layer has become in training.

        An activation that learns, such as PReLU, is drawn at its start and as the units
        have it after training: their median, with the middle half and the whole of them
        as bands. Units of all networks count. Another activation is drawn as
        `from_activation` does.

        Parameters
        ----------
        estimator : MLPSoftmaxClassifier, Pipeline or search
            A fitted classifier, a pipeline that ends in one, or a search with its
            `best_estimator_`.
        layer : int, default=0
            Which hidden layer, counted from 0.
        z_range : tuple of two floats, default=(-8.0, 8.0)
            First and last input.
        n_points : int, default=1601
            Number of inputs.
        name : str, default=None
            Title; None for the activation's own.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        value_kwargs, derivative_kwargs, learnt_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, one for each curve.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If there is no MLPSoftmaxClassifier in it.
        ValueError
            If it has no such hidden layer.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> from sklearn.datasets import load_iris
        >>> from skmlp import ActivationDisplay, MLPSoftmaxClassifier
        >>> model = MLPSoftmaxClassifier(
        ...     (16,), "prelu", n_estimators=1, max_iter=5, random_state=0
        ... )
        >>> model = model.fit(*load_iris(return_X_y=True))
        >>> ActivationDisplay.from_estimator(model).learnt.shape
        (16, 1601)
        """
        model = fitted_classifier(estimator)
        activations = model.architecture_.activations
        if layer not in range(len(activations)):
            raise ValueError(
                f"layer={layer!r} is not there: the network has {len(activations)} "
                "hidden layers, which are counted from 0."
            )
        activation = activations[layer]
        display = cls._at_start(activation, z_range, n_points, name)
        learnt = model.architecture_.learnt_by_activation(model.parameters_, layer)
        if learnt:
            units = {key: array.reshape(1, -1) for key, array in learnt.items()}
            display.learnt = values(activation, display.z, SimpleNamespace(**units)).T
        return display.plot(
            ax=ax,
            value_kwargs=value_kwargs,
            derivative_kwargs=derivative_kwargs,
            learnt_kwargs=learnt_kwargs,
        )

    @classmethod
    def _at_start(
        cls,
        activation: Activation,
        z_range: tuple[float, float],
        n_points: int,
        name: str | None,
    ) -> "ActivationDisplay":
        """The curves before training."""
        z = np.linspace(*z_range, n_points)
        column = z[:, np.newaxis]
        p = SimpleNamespace(
            **{key: np.array([[start]]) for key, start in activation.initial.items()}
        )
        return cls(
            z,
            values(activation, z, p)[:, 0],
            activation.derivative(column, np.empty_like(column), p)[:, 0],
            repr(activation).removesuffix("()") if name is None else name,
        )

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        value_kwargs: Style | None = None,
        derivative_kwargs: Style | None = None,
        learnt_kwargs: Style | None = None,
    ) -> "ActivationDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        value_kwargs, derivative_kwargs, learnt_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, one for each curve.

        Returns
        -------
        ActivationDisplay
        """
        ax = axes_or_new(ax)
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        # one of the lines is dashed, so that the two stay apart in grey
        self.learnt_bands_: list[PolyCollection] = []
        self.derivative_line_: Line2D | None = None
        self.learnt_line_: Line2D | None = None
        if self.learnt is None:
            value = styled({"label": "f(z)"}, value_kwargs)
            (self.value_line_,) = ax.plot(self.z, self.value, **value)
            derivative = {"label": "f'(z)", "linestyle": "--"}
            (self.derivative_line_,) = ax.plot(
                self.z, self.derivative, **styled(derivative, derivative_kwargs)
            )
            ylabel = "f(z) and f'(z)"
        else:
            self._plot_learnt(ax, self.learnt, value_kwargs, learnt_kwargs)
            ylabel = "f(z)"
        ax.set(title=self.name, xlabel="z", ylabel=ylabel)
        add_legend(ax, "upper left")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _plot_learnt(
        self,
        ax: "Axes",
        learnt: np.ndarray,
        value_kwargs: Style | None,
        learnt_kwargs: Style | None,
    ) -> None:
        """f(z) before and after training."""
        label = "after training"
        if len(learnt) > 1:
            label = f"after training, median of {len(learnt)}"
            for band, (low, high, shade) in BANDS.items():
                edges = np.quantile(learnt, [low, high], axis=0)
                self.learnt_bands_.append(
                    ax.fill_between(self.z, *edges, color=shade, lw=0, label=band)
                )
        median = np.median(learnt, axis=0)
        style = styled({"label": label}, learnt_kwargs)
        (self.learnt_line_,) = ax.plot(self.z, median, **style)
        start = styled({"label": "before", "linestyle": "--"}, value_kwargs)
        (self.value_line_,) = ax.plot(self.z, self.value, **start)


def values(activation: Activation, z: np.ndarray, p: SimpleNamespace) -> np.ndarray:
    """f(z) with the numbers that units have learnt, of shape (n_points, n_units)."""
    n_units = max([1, *(array.shape[1] for array in vars(p).values())])
    by_unit = np.repeat(z[:, np.newaxis], n_units, axis=1)
    return activation.value(by_unit, np.empty_like(by_unit), p)
