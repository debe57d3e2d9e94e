"""ActivationDisplay: an activation and its derivative, or before and after training."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.nn.activations import Activation, resolve_activation
from skmlp.plotting.base import Display, Style, find_classifier, merge_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

BANDS = {"all units": (0.0, 1.0, "0.9"), "middle half": (0.25, 0.75, "0.75")}
"""Lower and upper quantile of the units, and shade, of each band."""


@dataclass(eq=False, repr=False)
class ActivationDisplay(Display):
    """Plot of an activation with its derivative, or before and after training.

    Use `from_activation` or `from_estimator` to create one.

    Parameters
    ----------
    z : ndarray of shape (n_points,)
        Inputs.
    value, derivative : ndarray of shape (n_points,)
        f(z) and df / dz.
    name : str
        Title of the plot.
    learnt : ndarray of shape (n_units, n_points), default=None
        f(z) of each unit after training; None if it has no parameters.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes of the curves, and their figure.
    value_line_ : matplotlib.lines.Line2D
        f(z) with initial parameters.
    derivative_line_ : matplotlib.lines.Line2D or None
        f'(z); None if `learnt` is drawn instead.
    learnt_line_ : matplotlib.lines.Line2D or None
        Median of `learnt`.
    learnt_bands_ : list of matplotlib.collections.PolyCollection
        Range of all units and of the middle half; empty for a single unit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skmlp import ActivationDisplay
    >>> display = ActivationDisplay.from_activation("prelu")
    >>> display.ax_.get_title()
    'PReLU(init=0.25, shared=False)'
    """

    z: np.ndarray
    value: np.ndarray
    derivative: np.ndarray
    name: str
    learnt: np.ndarray | None = None

    @classmethod
    def from_activation(
        cls,
        activation: str | type[Activation] | Activation,
        *,
        z_range: tuple[float, float] = (-8.0, 8.0),
        n_points: int = 1601,
        name: str | None = None,
        ax: "Axes | None" = None,
        **plot_kwargs: Style | None,
    ) -> Self:
        """Draw an activation and its derivative.

        Parameters such as PReLU's slope have their initial values.

        Parameters
        ----------
        activation : str, Activation or subclass of Activation
            Activation of one layer, as for ``MLPSoftmaxClassifier(activation=...)``.
        z_range : tuple of two floats, default=(-8.0, 8.0)
            Lowest and highest input.
        n_points : int, default=1601
            Number of inputs.
        name : str, default=None
            Title; None for the repr of the activation.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **plot_kwargs : dict
            `value_kwargs` and `derivative_kwargs` of `plot`.

        Returns
        -------
        ActivationDisplay
        """
        display = cls._at_start(resolve_activation(activation), z_range, n_points, name)
        return display.plot(ax, **plot_kwargs)

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
        **plot_kwargs: Style | None,
    ) -> Self:
        """Draw the activation of a hidden layer before and after training.

        An activation with parameters, such as PReLU, is drawn with their initial values
        and as the median of the units after training, with bands for the middle half
        and for all units of all members. Others are drawn as by `from_activation`.

        Parameters
        ----------
        estimator : MLPSoftmaxClassifier, Pipeline or search
            A fitted classifier, a pipeline that ends in one, or a search with its
            `best_estimator_`.
        layer : int, default=0
            Index of the hidden layer.
        z_range, n_points, name, ax
            As in `from_activation`.
        **plot_kwargs : dict
            `value_kwargs`, `derivative_kwargs` and `learnt_kwargs` of `plot`.

        Returns
        -------
        ActivationDisplay
        """
        model = find_classifier(estimator)
        activations = model.architecture_.activations
        if layer not in range(len(activations)):
            raise ValueError(
                f"layer={layer!r} is not there: the network has {len(activations)} "
                "hidden layers, which are counted from 0."
            )
        activation = activations[layer]
        display = cls._at_start(activation, z_range, n_points, name)
        learnt = model.architecture_.activation_parameters(model.parameters_, layer)
        if learnt:
            # members and units along one axis
            units = {key: array.reshape(1, -1) for key, array in learnt.items()}
            p = SimpleNamespace(**units)
            display.learnt = _evaluate_units(activation, display.z, p).T
        return display.plot(ax, **plot_kwargs)

    @classmethod
    def _at_start(
        cls,
        activation: Activation,
        z_range: tuple[float, float],
        n_points: int,
        name: str | None,
    ) -> Self:
        """Compute the curves with initial parameters."""
        # an activation takes (n_points, n_units); parameters are (1, n_units)
        z = np.linspace(*z_range, n_points)
        column = z[:, np.newaxis]
        p = SimpleNamespace(
            **{key: np.array([[start]]) for key, start in activation.initial.items()}
        )
        return cls(
            z,
            _evaluate_units(activation, z, p)[:, 0],
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
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        value_kwargs, derivative_kwargs, learnt_kwargs : dict, default=None
            Arguments of `matplotlib.axes.Axes.plot` for each curve.
        """
        ax = self._set_axes(ax)
        # the axes of coordinates, behind the curves
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        self.learnt_bands_: list[PolyCollection] = []
        self.derivative_line_: Line2D | None = None
        self.learnt_line_: Line2D | None = None
        # one of the two lines is dashed, so that they differ in print without color
        if self.learnt is None:
            style = merge_styles({"label": "f(z)"}, value_kwargs)
            (self.value_line_,) = ax.plot(self.z, self.value, **style)
            style = {"label": "f'(z)", "linestyle": "--"}
            style = merge_styles(style, derivative_kwargs)
            (self.derivative_line_,) = ax.plot(self.z, self.derivative, **style)
            ylabel = "f(z) and f'(z)"
        else:
            label = self._plot_bands(ax, self.learnt)
            style = merge_styles({"label": label}, learnt_kwargs)
            median = np.median(self.learnt, axis=0)  # (n_points,)
            (self.learnt_line_,) = ax.plot(self.z, median, **style)
            style = merge_styles({"label": "before", "linestyle": "--"}, value_kwargs)
            (self.value_line_,) = ax.plot(self.z, self.value, **style)
            ylabel = "f(z)"
        return self._finish(title=self.name, xlabel="z", ylabel=ylabel)

    def _plot_bands(self, ax: "Axes", learnt: np.ndarray) -> str:
        """Draw quantiles of the units, if there are several; label their median."""
        if len(learnt) == 1:
            return "after training"
        for label, (low, high, shade) in BANDS.items():
            edges = np.quantile(learnt, [low, high], axis=0)
            band = ax.fill_between(self.z, *edges, color=shade, lw=0, label=label)
            self.learnt_bands_.append(band)
        return f"after training, median of {len(learnt)}"


def _evaluate_units(
    activation: Activation, z: np.ndarray, p: SimpleNamespace
) -> np.ndarray:
    """Compute f(z) for parameters (1, n_units); the result is (n_points, n_units)."""
    n_units = max([1, *(array.shape[1] for array in vars(p).values())])
    # value writes to its second argument, so it needs a full array
    by_unit = np.repeat(z[:, np.newaxis], n_units, axis=1)
    return activation.value(by_unit, np.empty_like(by_unit), p)
