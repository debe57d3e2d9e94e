"""Verbose output of training: a line per epoch, or tqdm's progress bar."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skmlp.training.monitor import Monitor, Observer

COLUMNS = {
    "loss": ("loss", 10, ".5f"),
    "validation_score": ("validation score", 18, ".5f"),
    "learning_rate": ("learning rate", 15, ".3g"),
}
"""Heading, width and format by the name in the history."""


class EpochPrinter(Observer):
    """Prints an aligned line per epoch."""

    def __init__(self, epochs_before: int = 0) -> None:
        self.epochs_before = epochs_before  # of earlier calls, which it counts on from
        self.start = time.perf_counter()
        self.needs_headings = epochs_before == 0

    def end_epoch(self, monitor: Monitor) -> None:
        columns = {name: COLUMNS[name] for name in COLUMNS if name in monitor.history}
        if self.needs_headings:
            headings = (f"{text:>{width}}" for text, width, _ in columns.values())
            print("epoch", *headings, f"{'seconds':>10}", sep="")
            self.needs_headings = False
        cells = []
        for name, (_, width, form) in columns.items():
            value = monitor.history[name][-1]
            # L-BFGS has no learning rate
            text = "-" if math.isnan(value) else format(value, form)
            cells.append(f"{text:>{width}}")
        epoch = self.epochs_before + monitor.n_epochs
        seconds = time.perf_counter() - self.start
        print(f"{epoch:>5}", *cells, f"{seconds:>10.2f}", sep="")


class ProgressBar(Observer):
    """Advances a bar of tqdm by one with each epoch."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def end_epoch(self, monitor: Monitor) -> None:
        text = f"loss {monitor.history['loss'][-1]:.4f}"
        if "validation_score" in monitor.history:
            text += f", validation {monitor.history['validation_score'][-1]:.4f}"
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(monitor.n_epochs - self.bar.n)


@contextmanager
def open_progress(
    verbose: bool | int, epochs_before: int, n_epochs: int
) -> Iterator[list[Observer]]:
    """Open a block with the observers that `verbose` asks for.

    1 prints lines; 2 or more shows tqdm's progress bar, or lines where it is missing.
    """
    if not verbose:
        yield []
        return
    if verbose >= 2:
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            with tqdm(total=n_epochs, unit="epoch") as bar:
                yield [ProgressBar(bar)]
            return
    yield [EpochPrinter(epochs_before)]


def log(verbose: bool | int, sentence: str) -> None:
    """Print a sentence if `verbose` is set."""
    if verbose:
        print(sentence)
