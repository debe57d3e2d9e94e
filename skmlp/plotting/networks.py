"""NetworkDisplay: the layers of a network, or its first-layer weights as images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.nn.network import LayerSummary
from skmlp.plotting.base import Display, Style, find_classifier, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

MOST_UNITS = 25  # number of units with images

BAR_WIDTH = 0.28  # width of a layer's bar; the distance between layers is 1


@dataclass(eq=False, repr=False)
class NetworkDisplay(Display):
    """Plot of the layers of a network, or of its first-layer weights as images.

    Use `from_estimator` to create one.

    Parameters
    ----------
    layers : list of LayerSummary
        Name, activation, shape and number of parameters of each layer.
    n_networks : int, default=1
        Number of networks in the ensemble.
    images : ndarray of shape (n_units, height, width), default=None
        Weights to draw instead of the layers.

    Attributes
    ----------
    ax_, figure_ : matplotlib.axes.Axes, matplotlib.figure.Figure
        Axes of the plot, and their figure.
    bars_ : list of matplotlib.patches.Rectangle
        Layers, with the logarithm of their width as height; empty with images.
    texts_ : list of matplotlib.text.Text
        Text below each layer; empty with images.
    image_ : matplotlib.image.AxesImage or None
        All images, side by side; None with layers.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        Scale of the weights; None with layers.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_digits
    >>> from skmlp import MLPSoftmaxClassifier, NetworkDisplay
    >>> model = MLPSoftmaxClassifier(n_estimators=1, max_iter=2, random_state=0)
    >>> model = model.fit(*load_digits(return_X_y=True))
    >>> display = NetworkDisplay.from_estimator(model)
    >>> [layer.name for layer in display.layers]
    ['inputs', 'hidden layer 1', 'hidden layer 2', 'outputs']
    >>> NetworkDisplay.from_estimator(
    ...     model, kind="weights", image_shape=(8, 8)
    ... ).images.shape
    (25, 8, 8)
    """

    layers: Sequence[LayerSummary]
    n_networks: int = 1
    images: np.ndarray | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        kind: Literal["layers", "weights"] = "layers",
        image_shape: tuple[int, int] | None = None,
        member: int = 0,
        ax: "Axes | None" = None,
        image_kwargs: Style | None = None,
    ) -> Self:
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : MLPSoftmaxClassifier, Pipeline or search
            A fitted classifier, a pipeline that ends in one, or a search with its
            `best_estimator_`.
        kind : {"layers", "weights"}, default="layers"
            "layers" for a diagram from inputs to outputs; "weights" for the weights of
            the first 25 units of the first layer, if each input is a pixel. Weights of
            a periodic embedding are left out.
        image_shape : tuple of two ints, default=None
            Height and width of the images; needed with ``kind="weights"``.
        member : int, default=0
            Index of the network whose weights are drawn.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        image_kwargs : dict, default=None
            Arguments of `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        NetworkDisplay
        """
        model = find_classifier(estimator)
        if kind not in {"layers", "weights"}:
            raise ValueError(f'kind must be "layers" or "weights", got {kind!r}.')
        display = cls(model.architecture_.summary(), model.n_estimators_)
        if kind == "weights":
            display.images = _extract_images(model, image_shape, member)
        return display.plot(ax, image_kwargs=image_kwargs)

    def plot(
        self, ax: "Axes | None" = None, *, image_kwargs: Style | None = None
    ) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        image_kwargs : dict, default=None
            Arguments of `matplotlib.axes.Axes.imshow`.
        """
        self.bars_: list[Rectangle] = []
        self.texts_: list[Text] = []
        self.image_: AxesImage | None = None
        self.colorbar_: Colorbar | None = None
        if self.images is None:
            figsize = (1.7 * len(self.layers), 2.8)
            self._plot_layers(self._set_axes(ax, figsize=figsize))
        else:
            self._plot_images(self._set_axes(ax), self.images, image_kwargs)
        return self

    def _plot_layers(self, ax: "Axes") -> None:
        """Draw a bar per layer from left to right, and the connections in gray."""
        widths = [layer.shape[-1] for layer in self.layers]
        # on a logarithmic scale, as layers of 3 and 512 units stand side by side
        heights = np.log2(np.add(widths, 1)) / np.log2(max(widths) + 1)
        places = range(len(heights))
        for left, right in pairwise(places):
            edges = [left + BAR_WIDTH / 2, right - BAR_WIDTH / 2]
            tops = heights[[left, right]] / 2
            # a trapezoid between the bars
            ax.fill_between(edges, -tops, tops, color="0.92", linewidth=0)
        style: Style = {"color": "C0", "edgecolor": "black", "linewidth": 0.8}
        self.bars_ += ax.bar(places, heights, BAR_WIDTH, bottom=-heights / 2, **style)
        # room below for the texts, and above for the widths
        ax.set(xlim=(-0.5, len(heights) - 0.5), ylim=(-1.05, 0.65))
        ax.set_axis_off()
        texts = [_describe_layer(layer) for layer in self.layers]
        # one size for all texts: that of the longest one
        size = min(_fit_font_size(ax, text, len(texts)) for text in texts)
        write = partial(ax.text, ha="center", fontsize=size)
        for place, text in enumerate(texts):
            above = heights[place] / 2 + 0.03
            write(place, above, f"{widths[place]:,}", va="bottom")
            self.texts_.append(write(place, -0.56, text, va="top"))
        total = sum(layer.n_parameters for layer in self.layers)
        title = f"{total:,} parameters"
        if self.n_networks > 1:
            n, total = self.n_networks, self.n_networks * total
            title = f"{n} networks of {title} each, {total:,} in all"
        ax.set_title(title, fontsize=_fit_font_size(ax, title, 1))

    def _plot_images(
        self, ax: "Axes", images: np.ndarray, image_kwargs: Style | None
    ) -> None:
        """Draw all images as one with gaps, so that they share a color scale."""
        # symmetric limits put 0 in the middle of the color scale
        limit = np.abs(images).max()
        # cividis rises in brightness, so that the sign shows in print without color
        style: Style = {"cmap": "cividis", "vmin": -limit, "vmax": limit}
        grid = _arrange_in_grid(images)
        self.image_ = ax.imshow(grid, **{**style, **(image_kwargs or {})})
        self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label="weight")
        ax.set_title("first-layer weights")
        ax.set_axis_off()


def _describe_layer(layer: LayerSummary) -> str:
    """Describe a layer in short lines."""
    learned = f"{layer.n_parameters:,} parameters" if layer.n_parameters else ""
    return "\n".join([layer.name, layer.activation, learned])


def _fit_font_size(ax: "Axes", text: str, n_columns: int) -> float:
    """Shrink the default size where a text needs more than its share of the width."""
    # in points, of which an inch has 72
    room = ax.get_window_extent().width / ax.figure.dpi * 72 / n_columns
    # letters are about 0.55 times as wide as high
    needed = 0.55 * max(map(len, text.split("\n")))
    return min(import_pyplot().rcParams["font.size"], room / needed)


def _extract_images(
    model: MLPSoftmaxClassifier, image_shape: tuple[int, int] | None, member: int
) -> np.ndarray:
    """Return the weights of the first units as images (n_units, height, width)."""
    shape = np.asarray(image_shape)
    is_whole = np.issubdtype(shape.dtype, np.integer)
    if shape.shape != (2,) or not is_whole or (shape <= 0).any():
        raise ValueError(
            'kind="weights" shows images, so it needs image_shape=(height, width), got '
            f"image_shape={image_shape!r}."
        )
    if member not in range(model.n_estimators_):
        raise ValueError(
            f"member={member!r} is not there: the ensemble has {model.n_estimators_} "
            "networks, which are counted from 0."
        )
    n_inputs = model.architecture_.n_inputs
    n_pixels = shape.prod()
    if n_inputs != n_pixels or not _reads_plain_columns(model):
        raise ValueError(
            f"image_shape={image_shape!r} needs {n_pixels} inputs, one per "
            f"pixel in their order, but the network reads {n_inputs} inputs made from "
            f"{model.n_features_in_} columns; pass the shape of the images that it was "
            "fitted on or, where the encoder has added, dropped or mixed columns, fit "
            "it with preprocessing=None or StandardScaler()."
        )
    weight = model.coefs_[0]  # (n_inputs, n_units), or (n_members, n_inputs, n_units)
    # rows after the inputs belong to the periodic embedding
    weight = weight.reshape(-1, *weight.shape[-2:])[member, :n_inputs, :MOST_UNITS]
    return weight.T.reshape(-1, *shape)


def _reads_plain_columns(model: MLPSoftmaxClassifier) -> bool:
    """Return True if the inputs of the network are the columns of X in their order."""
    encoder = model.encoder_
    if encoder is None:
        return True
    try:
        encoded = encoder.get_feature_names_out()
    except AttributeError:
        # custom encoders without names: compare the numbers of columns
        return model.n_features_in_ == model.architecture_.n_inputs
    columns = [f"x{place}" for place in range(model.n_features_in_)]
    return list(encoded) == list(getattr(model, "feature_names_in_", columns))


def _arrange_in_grid(images: np.ndarray) -> np.ndarray:
    """Arrange images in a square grid, with NaN in the gaps."""
    n_images, height, width = images.shape
    n_columns = int(np.ceil(np.sqrt(n_images)))
    n_rows = -(-n_images // n_columns)
    padded = np.full((n_rows * n_columns, height + 1, width + 1), np.nan)
    padded[:n_images, :-1, :-1] = images
    # (n_rows, n_columns, height, width) to (n_rows * height, n_columns * width)
    grid = padded.reshape(n_rows, n_columns, height + 1, width + 1)
    return grid.swapaxes(1, 2).reshape(n_rows * (height + 1), -1)[:-1, :-1]
