"""The order in which a gallery shows its pages."""

from pathlib import Path

FIRST = ["quickstart", "plot_what_is_an_mlp", "plot_tables", "plot_calibration"]
LAST = ["plot_activations", "fashion_mnist"]


class AsRead:
    """Key of a script: what a beginner asks first comes first, the rest by name."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        """Rank of the script among those listed, and its name."""
        stem = Path(name).stem
        if stem in FIRST:
            return FIRST.index(stem), stem
        return len(FIRST) + (LAST.index(stem) + 1 if stem in LAST else 0), stem
