"""The order in which a gallery shows its pages."""

from pathlib import Path

FIRST = [
    "quickstart",
    "plot_what_is_an_mlp",
    "plot_tables",
    "plot_calibration",
    "plot_tuning",
    "plot_rare_classes",
    "plot_larger_than_memory",
    "plot_saving",
]


class AsRead:
    """Key of a script: what is asked first comes first, what is not listed by name."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        """Rank of the script among those listed, and its name."""
        stem = Path(name).stem
        return (FIRST.index(stem) if stem in FIRST else len(FIRST)), stem
