"""What all examples end in: a table on the screen and a picture in a file."""

import argparse
import shutil
from pathlib import Path

import matplotlib as mpl
from pandas.api.types import is_numeric_dtype

# a script that saves its pictures needs no screen
mpl.use("Agg")

EXAMPLES = Path(__file__).resolve().parent
OUTPUT = EXAMPLES / "output"
DOCS_IMAGES = EXAMPLES.parent / "docs" / "images"


def wants_docs(description):
    """Whether the script was started with --docs."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="also put the picture where the documentation shows it",
    )
    return parser.parse_args().docs


def print_table(title, frame, formats=None):
    """Print a DataFrame under a title, text to the left and numbers to the right.

    `formats` gives a format specification, such as ".3f", per column.
    """
    formats = formats or {}
    columns = []
    for name in frame.columns:
        cells = [format(value, formats.get(name, "")) for value in frame[name]]
        width = max(len(cell) for cell in [name, *cells])
        side = ">" if is_numeric_dtype(frame[name]) else "<"
        columns.append([f"{cell:{side}{width}}" for cell in [name, *cells]])
    header, *lines = ("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))
    rule = "-" * max(len(line) for line in [header, *lines])
    print("", title, "", header, rule, *lines, sep="\n")


def save(figure, name, docs=False):
    """Save a figure in examples/output and, for the documentation, in docs/images."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / name
    figure.savefig(path, dpi=200)
    print(f"\nPicture: {_seen_from_here(path)}")
    if docs:
        DOCS_IMAGES.mkdir(parents=True, exist_ok=True)
        copy = DOCS_IMAGES / name.removeprefix("plot_")
        shutil.copyfile(path, copy)
        print(f"Copy:    {_seen_from_here(copy)}")


def _seen_from_here(path):
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
