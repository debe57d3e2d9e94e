"""What `verbose` shows of a training run: a line per epoch, or a progress bar."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from skmlp.training.monitor import Monitor, Observer

COLUMNS = {
    "loss": ("loss", 10, ".5f"),
    "validation_score": ("validation score", 18, ".5f"),
    "learning_rate": ("learning rate", 15, ".3g"),
}
"""Heading, width and format of what the history has of an epoch, by its name there."""


class EpochPrinter(Observer):
    """Prints an aligned line per epoch.

    Parameters
    ----------
    epochs_before : int, default=0
        Those of former runs, which the epochs here are counted on from.
    """

    def __init__(self, epochs_before: int = 0) -> None:
        self.epochs_before = epochs_before
        self.start = time.perf_counter()
        self.needs_headings = epochs_before == 0

    def end_epoch(self, monitor: Monitor) -> None:
        columns = {name: COLUMNS[name] for name in COLUMNS if name in monitor.history}
        if self.needs_headings:
            headings = (f"{text:>{width}}" for text, width, _ in columns.values())
            print("epoch", *headings, f"{'seconds':>10}", sep="")
            self.needs_headings = False
        cells = (
            f"{in_cell(monitor.history[name][-1], form):>{width}}"
            for name, (_, width, form) in columns.items()
        )
        epoch = self.epochs_before + monitor.n_epochs
        seconds = time.perf_counter() - self.start
        print(f"{epoch:>5}", *cells, f"{seconds:>10.2f}", sep="")


def log(verbose: bool | int, sentence: str) -> None:
    """Print a sentence, unless nothing is to be shown."""
    if verbose:
        print(sentence)


def in_cell(value: float, form: str) -> str:
    """A number, or a dash for one that there is not, as for the rate of "lbfgs"."""
    return "-" if math.isnan(value) else format(value, form)


class ProgressBar(Observer):
    """Moves a progress bar on by one with each epoch.

    Parameters
    ----------
    show : callable
        Takes the number of epochs done and a few words on the latest.
    """

    def __init__(self, show: Callable[[int, str], None]) -> None:
        self.show = show

    def end_epoch(self, monitor: Monitor) -> None:
        words = [f"loss {monitor.history['loss'][-1]:.4f}"]
        if "validation_score" in monitor.history:
            words.append(f"validation {monitor.history['validation_score'][-1]:.4f}")
        self.show(monitor.n_epochs, ", ".join(words))


@contextmanager
def open_progress(
    verbose: bool | int, epochs_before: int, n_epochs: int
) -> Iterator[list[Observer]]:
    """A block in which observers show what happens, as `verbose` says.

    Parameters
    ----------
    verbose : bool or int
        1 for lines, 2 or more for a progress bar: tqdm's if it is installed, else
        rich's, else lines again.
    epochs_before : int
        Those of former runs, with which lines go on.
    n_epochs : int
        Most epochs that there can be.
    """
    if not verbose:
        yield []
        return
    if verbose < 2:
        yield [EpochPrinter(epochs_before)]
        return
    try:
        from tqdm import tqdm
    except ImportError:
        with shown_by_rich(epochs_before, n_epochs) as observers:
            yield observers
        return
    with tqdm(total=n_epochs, unit="epoch") as bar:

        def show(n_done: int, words: str) -> None:
            bar.set_postfix_str(words, refresh=False)
            bar.update(n_done - bar.n)

        yield [ProgressBar(show)]


@contextmanager
def shown_by_rich(epochs_before: int, n_epochs: int) -> Iterator[list[Observer]]:
    """As `shown`, with rich's progress bar if it is installed, else with lines."""
    try:
        from rich.progress import Progress
    except ImportError:
        yield [EpochPrinter(epochs_before)]
        return
    with Progress() as progress:
        task = progress.add_task("epochs", total=n_epochs)
        yield [
            ProgressBar(
                lambda n_done, words: progress.update(
                    task, completed=n_done, description=words
                )
            )
        ]
