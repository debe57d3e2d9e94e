"""NetworkDisplay: the layers of a network, or what its first layer looks for."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.nn.network import LayerSummary
from skmlp.plotting.estimators import fitted_classifier
from skmlp.plotting.figures import Style, axes_or_new, import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

MOST_UNITS = 25
"""Units whose weights are shown."""

BAR = 0.28
"""Width of a layer in the diagram, in which layers are 1 apart."""


class NetworkDisplay:
    """The layers of a network, or the weights of its first layer as images.

    Use `from_estimator` to create one.

    Parameters
    ----------
    layers : list of LayerSummary
        Name, activation, shape and number of parameters of each layer.
    n_networks : int, default=1
        Networks of these layers whose probabilities are averaged.
    images : ndarray of shape (n_units, height, width), default=None
        Weights to be shown instead of the layers.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the picture is.
    figure_ : matplotlib.figure.Figure
        The figure around `ax_`.
    bars_ : list of matplotlib.patches.Rectangle
        The layers, as high as the logarithm of their width; empty with images.
    texts_ : list of matplotlib.text.Text
        What is said of each layer; empty with images.
    image_ : matplotlib.image.AxesImage or None
        All images, side by side; None with layers.
    colorbar_ : matplotlib.colorbar.Colorbar or None
        What the colours mean; None with layers.

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

    def __init__(
        self,
        layers: Sequence[LayerSummary],
        n_networks: int = 1,
        images: np.ndarray | None = None,
    ) -> None:
        self.layers = layers
        self.n_networks = n_networks
        self.images = images

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
            "layers" for what the network consists of, from inputs to outputs;
            "weights", where each input is a pixel, for the weights with which the first
            25 units of the first layer look at the image. A periodic embedding of the
            pixels is left out.
        image_shape : tuple of two ints, default=None
            Height and width of the images; needed with ``kind="weights"``.
        member : int, default=0
            Which network of an ensemble has its weights shown, counted from 0.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        image_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        NetworkDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If there is no MLPSoftmaxClassifier in it.
        ValueError
            If there is no such kind, no such member, or inputs are no such images.
        ImportError
            If matplotlib is not installed.
        """
        model = fitted_classifier(estimator)
        if kind not in {"layers", "weights"}:
            raise ValueError(f'kind must be "layers" or "weights", got {kind!r}.')
        images = None
        if kind == "weights":
            images = weight_images(model, image_shape, member)
        layers = model.architecture_.summary()
        display = cls(layers, model.n_estimators_, images)
        return display.plot(ax=ax, image_kwargs=image_kwargs)

    def plot(
        self, ax: "Axes | None" = None, *, image_kwargs: Style | None = None
    ) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.
        image_kwargs : dict, default=None
            Further arguments for `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        NetworkDisplay
        """
        self.bars_: list[Rectangle] = []
        self.texts_: list[Text] = []
        self.image_: AxesImage | None = None
        self.colorbar_: Colorbar | None = None
        if self.images is None:
            self.ax_ = axes_or_new(ax, figsize=(1.7 * len(self.layers), 2.8))
            self._plot_layers(self.ax_)
        else:
            self.ax_ = axes_or_new(ax)
            self._plot_images(self.ax_, self.images, image_kwargs)
        self.figure_ = self.ax_.figure
        return self

    def _plot_layers(self, ax: "Axes") -> None:
        """A bar per layer from left to right, joined where they are connected."""
        widths = [layer.shape[-1] for layer in self.layers]
        heights = np.log2(np.add(widths, 1)) / np.log2(max(widths) + 1)
        places = range(len(heights))
        for left, right in pairwise(places):
            edges = [left + BAR / 2, right - BAR / 2]
            tops = heights[[left, right]] / 2
            ax.fill_between(edges, -tops, tops, color="0.92", linewidth=0)
        style: Style = {"color": "C0", "edgecolor": "black", "linewidth": 0.8}
        self.bars_ += ax.bar(places, heights, BAR, bottom=-heights / 2, **style)
        ax.set(xlim=(-0.5, len(heights) - 0.5), ylim=(-1.05, 0.65))
        ax.set_axis_off()
        texts = [layer_in_words(layer) for layer in self.layers]
        size = min(font_size(ax, text, len(texts)) for text in texts)
        for place, (text, width, height) in enumerate(
            zip(texts, widths, heights, strict=True)
        ):
            above: Style = {"ha": "center", "va": "bottom", "fontsize": size}
            ax.text(place, height / 2 + 0.03, f"{width:,}", **above)
            below: Style = {"ha": "center", "va": "top", "fontsize": size}
            self.texts_.append(ax.text(place, -0.56, text, **below))
        total = sum(layer.n_parameters for layer in self.layers)
        title = f"{total:,} parameters"
        if self.n_networks > 1:
            title = (
                f"{self.n_networks} networks of {title} each, "
                f"{self.n_networks * total:,} in all"
            )
        ax.set_title(title, fontsize=font_size(ax, title, 1))

    def _plot_images(
        self, ax: "Axes", images: np.ndarray, image_kwargs: Style | None
    ) -> None:
        """All images in one, with gaps in between, so that they share a scale."""
        limit = np.abs(images).max()
        # blue, grey and yellow rise in brightness, so that the sign is seen in grey too
        style: Style = {"cmap": "cividis", "vmin": -limit, "vmax": limit}
        style = {**style, **(image_kwargs or {})}
        self.image_ = ax.imshow(tile(images), **style)
        self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label="weight")
        ax.set_title("first-layer weights")
        ax.set_axis_off()


def layer_in_words(layer: LayerSummary) -> str:
    """What is to be said of a layer, in short lines."""
    learnt = f"{layer.n_parameters:,} parameters" if layer.n_parameters else ""
    return "\n".join([layer.name, layer.activation, learnt])


def font_size(ax: "Axes", text: str, n_columns: int) -> float:
    """The usual size, or less where a text has less than its width of the axes."""
    room = ax.get_window_extent().width / ax.figure.dpi * 72 / n_columns
    # the mean letter is little more than half as wide as it is high
    needed = 0.55 * max(map(len, text.split("\n")))
    return min(import_pyplot().rcParams["font.size"], room / needed)


def weight_images(
    model: MLPSoftmaxClassifier, image_shape: tuple[int, int] | None, member: int
) -> np.ndarray:
    """Weights from pixels to the first units of the first layer, as images."""
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
    if n_inputs != n_pixels or not keeps_columns(model):
        raise ValueError(
            f"image_shape={image_shape!r} needs {n_pixels} inputs, one per "
            f"pixel in their order, but the network reads {n_inputs} inputs made from "
            f"{model.n_features_in_} columns; pass the shape of the images that it was "
            "fitted on or, where the encoder has added, dropped or mixed columns, fit "
            "it with preprocessing=None or StandardScaler()."
        )
    weight = model.coefs_[0]
    # behind the inputs may come what a periodic embedding makes of them
    weight = weight.reshape(-1, *weight.shape[-2:])[member, :n_inputs, :MOST_UNITS]
    return weight.T.reshape(-1, *shape)


def keeps_columns(model: MLPSoftmaxClassifier) -> bool:
    """Whether the network reads the columns of X as they stand, as far as is known."""
    encoder = model.encoder_
    if encoder is None:
        return True
    try:
        encoded = encoder.get_feature_names_out()
    except AttributeError:
        # an encoder that names no columns is taken at its number of them
        return model.n_features_in_ == model.architecture_.n_inputs
    columns = [f"x{place}" for place in range(model.n_features_in_)]
    return list(encoded) == list(getattr(model, "feature_names_in_", columns))


def tile(images: np.ndarray) -> np.ndarray:
    """Images as one, in a grid that is about square, NaN in the gaps."""
    n_images, height, width = images.shape
    n_columns = int(np.ceil(np.sqrt(n_images)))
    n_rows = -(-n_images // n_columns)
    padded = np.full((n_rows * n_columns, height + 1, width + 1), np.nan)
    padded[:n_images, :-1, :-1] = images
    grid = padded.reshape(n_rows, n_columns, height + 1, width + 1)
    return grid.swapaxes(1, 2).reshape(n_rows * (height + 1), -1)[:-1, :-1]
