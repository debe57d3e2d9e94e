"""Pictures in scikit-learn's Display manner; matplotlib is imported when drawing."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from skmlp.nn.activations import Activation, as_activation


class ActivationDisplay:
    """An activation and its derivative over a range of inputs.

    Use `from_activation` to create one.

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

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the curves are.
    figure_ : matplotlib.figure.Figure
        The figure around `ax_`.
    value_line_, derivative_line_ : matplotlib.lines.Line2D
        The two curves.

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
        self, z: np.ndarray, value: np.ndarray, derivative: np.ndarray, name: str
    ) -> None:
        self.z = z
        self.value = value
        self.derivative = derivative
        self.name = name

    @classmethod
    def from_activation(
        cls,
        activation: str | type[Activation] | Activation,
        *,
        z_range: tuple[float, float] = (-8.0, 8.0),
        n_points: int = 1601,
        name: str | None = None,
        ax: Any = None,
        value_kwargs: Mapping[str, Any] | None = None,
        derivative_kwargs: Mapping[str, Any] | None = None,
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
        activation = as_activation(activation)
        z = np.linspace(*z_range, n_points)
        column = z[:, np.newaxis]
        p = SimpleNamespace(
            **{key: np.array([start]) for key, start in activation.initial.items()}
        )
        display = cls(
            z,
            activation.value(column, np.empty_like(column), p)[:, 0],
            activation.derivative(column, np.empty_like(column), p)[:, 0],
            repr(activation).removesuffix("()") if name is None else name,
        )
        return display.plot(
            ax=ax, value_kwargs=value_kwargs, derivative_kwargs=derivative_kwargs
        )

    def plot(
        self,
        ax: Any = None,
        *,
        value_kwargs: Mapping[str, Any] | None = None,
        derivative_kwargs: Mapping[str, Any] | None = None,
    ) -> "ActivationDisplay":
        """Draw both curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        value_kwargs, derivative_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.plot`, one for each curve.

        Returns
        -------
        ActivationDisplay
        """
        plt = import_pyplot()
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        # a dashed second line, so that the two stay apart in grey
        styles = [
            {"label": "f(z)"} | normalize_kwargs(dict(value_kwargs or {}), Line2D),
            {"label": "f'(z)", "linestyle": "--"}
            | normalize_kwargs(dict(derivative_kwargs or {}), Line2D),
        ]
        (self.value_line_,) = ax.plot(self.z, self.value, **styles[0])
        (self.derivative_line_,) = ax.plot(self.z, self.derivative, **styles[1])
        ax.set(title=self.name, xlabel="z", ylabel="f(z) and f'(z)")
        ax.legend(loc="upper left")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


def import_pyplot() -> Any:
    """matplotlib.pyplot, or a sentence on how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'skmlp[plots]'"
        ) from error
    return plt
