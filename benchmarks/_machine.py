"""What benchmarks share: where they ran, results in files, tables and charts."""

import importlib.metadata
import os
import platform
from pathlib import Path

import pandas as pd

OUTPUT = Path(__file__).parent / "output"


def describe_machine(*packages):
    """Processor, cores, Python and versions, for the line under a table."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    python = f"Python {platform.python_version()}"
    return ", ".join([names[0], f"{os.cpu_count()} cores", python, *versions])


def markdown_table(header, rows):
    """Rows of text as an aligned Markdown table."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines
    )


def append_row(path, row):
    """Add a line, a dict, to a file of results, which need not be there yet."""
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame([row]).to_csv(
        path, mode="a", header=not path.exists(), index=False, float_format="%.5g"
    )


def save(figure, name):
    """Save a chart beside the benchmarks and say where it is."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / name
    figure.savefig(path, dpi=150)
    print(f"\nchart: {path.relative_to(Path(__file__).parent.parent)}")
