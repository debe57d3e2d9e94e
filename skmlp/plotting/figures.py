"""What all pictures need: matplotlib, styles, and room for a legend."""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Style: TypeAlias = Mapping[str, Any]
"""Arguments for a method of matplotlib, by name."""

GAP = 0.03
"""Room around a legend, as part of the axes."""

STEPS = 20
"""Points between two of a curve where it is looked for below a legend."""


def import_pyplot() -> ModuleType:
    """matplotlib.pyplot, or a sentence on how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib; install it with: pip install 'skmlp[plots]'"
        ) from error
    return plt


def axes_or_new(ax: "Axes | None", **figure_kwargs: Any) -> "Axes":
    """The axes to draw on: those that are given, or the ones of a new figure."""
    plt = import_pyplot()
    if ax is None:
        _, ax = plt.subplots(layout="constrained", **figure_kwargs)
    return ax


def styled(defaults: Style, given: Style | None) -> dict[str, Any]:
    """How to draw a line: as the caller says, whichever alias says it, or as usual."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(dict(given or {}), Line2D)}


def add_legend(ax: "Axes", loc: Literal["upper left", "upper right"]) -> None:
    """A legend in an upper corner, and axes so high that it covers no curve."""
    box = ax.legend(loc=loc).get_window_extent().transformed(ax.transAxes.inverted())
    ax.get_ylim()  # lets curves that are new have their say about the limits
    to_axes = ax.transData - ax.transAxes
    paths = [line.get_path() for line in ax.lines]
    paths += [path for band in ax.collections for path in band.get_paths()]
    # the room below the legend; one that fills small axes has to cover something
    free = highest = max(box.y0 - GAP, 0.3)
    for path in paths:
        x, y = to_axes.transform(path.interpolated(STEPS).vertices).T
        is_near = (x > box.x0 - GAP) & (x < box.x1 + GAP) & np.isfinite(y)
        highest = max([highest, *y[is_near]])
    if highest > free:
        top = (ax.transAxes - ax.transData).transform((0, highest / free))[1]
        # later curves may still widen the limits
        ax.set_ylim(top=top, auto=None)
