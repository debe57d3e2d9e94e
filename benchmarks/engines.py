"""The compiled core beside the NumPy engine: whole fits, predictions, probabilities.

    python benchmarks/engines.py                how much faster the core is
    python benchmarks/engines.py accuracy       as good, on the tables of accuracy.py
    SKMLP_ENGINE=avx2 python benchmarks/engines.py      with another instruction set

The default classifier on tables of numbers, on all cores and held to one, and what it
says of one row and of many. Both engines do the same number of epochs on the same rows,
in turn within one run. What they learn differs by the draws of dropout, as with another
seed.
"""

import argparse
import time
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
from _engine import by_numpy, let_threads_settle
from _machine import describe_machine, markdown_table
from accuracy import measure
from scipy.stats import wilcoxon
from suite import rows_for_splits, suite
from threadpoolctl import threadpool_limits

from skmlp import MLPSoftmaxClassifier
from skmlp.core.library import engine

ENGINES = {"NumPy": by_numpy, "core": nullcontext}
N_FEATURES = 20
FITS = {4000: 20, 80_000: 2}
"""Rows of a table, and epochs."""

ROWS = {1: 200, 100: 50, 100_000: 1}
"""Rows to predict, and calls per repeat."""


def table(n_rows):
    """Numbers, some of which tell the class, in parts along a curve."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES))
    signal = X[:, :4].sum(axis=1) + 2 * np.sin(3 * X[:, 4])
    y = signal + rng.normal(size=n_rows) > 0
    return pd.DataFrame(X).add_prefix("x"), y.astype(int)


def model_of(n_rows, n_epochs):
    """The default recipe for so many rows, for a set number of epochs."""
    patience = {"n_iter_no_change": n_epochs}
    return MLPSoftmaxClassifier(max_iter=n_epochs, random_state=0, **patience)


def seconds(work, n_calls=1):
    start = time.perf_counter()
    for _ in range(n_calls):
        work()
    return (time.perf_counter() - start) / n_calls


def in_turn(work, n_repeats, n_calls=1):
    """Median seconds with each engine; the first round warms up."""
    times = {name: [] for name in ENGINES}
    for _ in range(n_repeats + 1):
        for name, chosen in ENGINES.items():
            let_threads_settle()
            with chosen():
                times[name].append(seconds(work, n_calls))
    return [float(np.median(of_engine[1:])) for of_engine in times.values()]


def line(what, by_numpy, by_core, unit):
    factor = {"s": 1, "us": 1e6}[unit]
    numbers = [f"{factor * t:.3g} {unit}" for t in (by_numpy, by_core)]
    return [what, *numbers, f"{by_numpy / by_core:.1f}"]


def fits(n_repeats):
    for n_rows, n_epochs in FITS.items():
        X, y = table(n_rows)
        model = model_of(n_rows, n_epochs)
        for n_threads in (None, 1):
            cores = "all cores" if n_threads is None else "one core"
            with threadpool_limits(n_threads, user_api="blas"):
                times = in_turn(lambda m=model, X=X, y=y: m.fit(X, y), n_repeats)
            what = f"fit, {n_rows} x {N_FEATURES}, {n_epochs} epochs, {cores}"
            yield line(what, *times, "s")


def predictions(n_repeats):
    most = max(ROWS)
    X, _ = table(most)
    for n_fitted in FITS:
        model = model_of(n_fitted, 1).fit(*table(n_fitted))
        kinds = {"array": X.to_numpy(), "frame": X}
        for kind, rows in kinds.items():
            for n_rows, n_calls in ROWS.items():
                part = rows[:n_rows]
                given = model if kind == "frame" else nameless(model)
                times = in_turn(
                    lambda m=given, part=part: m.predict_proba(part), n_repeats, n_calls
                )
                n_networks, sizes = model.n_estimators_, model.architecture_
                who = f"{n_networks} of {sizes.hidden_layer_sizes}"
                what = f"predict, {who}, {n_rows} rows of a {kind}"
                yield line(what, *times, "us")


def nameless(model):
    """The same model, fitted on an array of the same numbers."""
    X, y = table(1000)
    again = MLPSoftmaxClassifier(
        model.architecture_.hidden_layer_sizes,
        n_estimators=model.n_estimators_,
        max_iter=1,
        random_state=0,
    )
    return again.fit(X.to_numpy(), y)


def speed(n_repeats):
    """How much faster the core is."""
    rows = []
    for one in (*fits(n_repeats), *predictions(n_repeats)):
        print(*one, flush=True)
        rows.append(one)
    header = ["work", "NumPy", f"core ({engine()})", "times faster"]
    print("\n" + markdown_table(header, rows))


METRICS = ["log_loss", "accuracy", "calibration_error", "fit_seconds"]


def accuracy(n_splits):
    """The default classifier on real tables, the same splits and seeds with both."""
    results = []
    for name, load_table in suite().items():
        X, y = rows_for_splits(*load_table())
        for split in range(n_splits):
            figures = []
            for chosen in ENGINES.values():
                with chosen():
                    one = measure("skmlp", X, y, split)
                figures.append([one[metric] for metric in METRICS])
            results.append(figures)
            print(name, split, np.round(figures, 4).tolist(), flush=True)
    by_metric = np.moveaxis(np.array(results), -1, 0)
    rows = []
    for metric, values in zip(METRICS, by_metric, strict=True):
        by_numpy, by_core = values.T
        difference = by_core - by_numpy
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        means = [f"{mean:.4f}" for mean in (by_numpy.mean(), by_core.mean())]
        change = f"{difference.mean():+.4f} ({error:.4f})"
        rows.append([metric, *means, change, f"{wilcoxon(difference).pvalue:.2f}"])
    header = ["mean of", "NumPy", "core", "difference (standard error)", "p (Wilcoxon)"]
    print("\n" + markdown_table(header, rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="?", choices=["accuracy", "speed"])
    parser.add_argument("--repeats", type=int, default=5, help="or splits of a table")
    arguments = parser.parse_args()
    section = accuracy if arguments.section == "accuracy" else speed
    with warnings.catch_warnings():
        # some are meant to end after a set number of epochs
        warnings.simplefilter("ignore")
        section(arguments.repeats)
    print("\n" + describe_machine("scikit-learn", "numpy", "scipy", "pandas"))


if __name__ == "__main__":
    main()
