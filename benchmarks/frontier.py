"""Log-loss against the time of a fit on large tables: is the default at the bend?

    python benchmarks/frontier.py              measures what is missing, reports, draws
    python benchmarks/frontier.py --report     only reports and draws

Each table is learnt by the default, by variants of it with fewer, more, narrower and
wider networks, and by others, on the first split of accuracy.py. What accuracy.py has
measured is taken from there; the rest is kept in results/frontier.csv. The numbers of
`numbers_80000`, of which so many rows are to learn from, are drawn: sines, products and
noise.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _machine import append_row, describe_machine, markdown_table, save
from _peers import CLASSIFIERS, SLOW, version
from accuracy import color_of, label_points, measure, measure_model, takes_long
from accuracy import read_results as results_of_accuracy
from suite import rows_for_splits, suite

from skmlp import MLPSoftmaxClassifier
from skmlp.defaults import default_config

RESULTS = Path(__file__).parent / "results" / "frontier.csv"
TABLES = [
    "storms",
    "diamonds",
    "numbers_80000",
    "Fertility",
    "flights",
    "fashion_mnist",
]
VARIANTS = {
    "1 network": lambda settings: {"n_estimators": 1},
    "half as many networks": lambda settings: {
        "n_estimators": settings["n_estimators"] // 2
    },
    "twice as many networks": lambda settings: {
        "n_estimators": settings["n_estimators"] * 2
    },
    "half as wide": lambda settings: {
        "hidden_layer_sizes": tuple(n // 2 for n in settings["hidden_layer_sizes"])
    },
    "twice as wide": lambda settings: {
        "hidden_layer_sizes": tuple(n * 2 for n in settings["hidden_layer_sizes"])
    },
}
"""Functions of what the default is for a table; what they change."""

MOST_TIMES_THE_BEST = 1.45
"""Log-loss by the best one's, beyond which a classifier is not drawn."""

NAMES = ["skmlp", *VARIANTS, *(n for n in CLASSIFIERS if n not in ["skmlp", *SLOW])]


def load_numbers(n_training_rows=80_000, n_columns=20):
    """Four classes by sines and products of normal numbers, with noise."""
    rng = np.random.default_rng(0)
    n_rows = round(n_training_rows / 0.7)
    X = rng.normal(size=(n_rows, n_columns))
    signal = 2 * np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 3:6].sum(axis=1)
    y = np.digitize(signal + rng.normal(scale=0.5, size=n_rows), [-2, 0, 2])
    return pd.DataFrame(X).add_prefix("x"), pd.Series(y.astype(str))


def load(table):
    if table == "numbers_80000":
        return load_numbers()
    return rows_for_splits(*suite()[table]())


def settings_of(X, n_training_rows):
    """What the default is for a table."""
    return default_config(n_training_rows, X.shape[1])


def measured(table, name, X, y):
    """Log-loss, seconds and the rest of a classifier or of a variant of the default."""
    if name in CLASSIFIERS:
        return measure(name, X, y, 0)
    params = VARIANTS[name](settings_of(X, int(0.7 * len(X))))
    return measure_model(MLPSoftmaxClassifier(random_state=0, **params), X, y, 0)


def read_results():
    """All there is of these tables, here and from accuracy.py."""
    others = results_of_accuracy()
    others = others[(others.split == 0) & others.table.isin(TABLES)]
    parts = [others[others.classifier.isin(NAMES)]]
    if RESULTS.exists():
        parts.append(pd.read_csv(RESULTS))
    columns = ["table", "classifier", "log_loss", "accuracy", "fit_seconds"]
    return pd.concat(parts)[columns].reset_index(drop=True)


def measure_missing():
    found = read_results()
    done = set(zip(found.table, found.classifier, strict=True))
    for table in TABLES:
        missing = [name for name in NAMES if (table, name) not in done]
        X, y = load(table) if missing else (None, None)
        for name in missing:
            is_there = name in VARIANTS or version(name) is not None
            if not is_there or takes_long(name, X, y, 0):
                continue
            row = {"table": table, "classifier": name} | measured(table, name, X, y)
            append_row(RESULTS, row)
            print(
                f"{table:14} {name:22} {row['log_loss']:.4f} {row['fit_seconds']:.1f}",
                flush=True,
            )


def print_table(results):
    losses, seconds = (
        results.pivot_table(index="table", columns="classifier", values=value)
        for value in ("log_loss", "fit_seconds")
    )
    rows = []
    for name in NAMES:
        cells = [
            f"{losses.loc[table, name]:.4f}, {seconds.loc[table, name]:.1f} s"
            if name in losses and np.isfinite(losses.loc[table, name])
            else "-"
            for table in TABLES
        ]
        rows.append([name, *cells])
    print(markdown_table(["log-loss, time of a fit", *TABLES], rows))


def front_of(points):
    """Those of (seconds, log-loss) than which none is both faster and better."""
    points = points.sort_values(["fit_seconds", "log_loss"])
    return points[points.log_loss < points.log_loss.cummin().shift(fill_value=np.inf)]


def draw(results):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 7.5), layout="constrained")
    shown = {}
    for ax, table in zip(axes.flat, TABLES, strict=True):
        points = results[results.table == table].set_index("classifier")
        front = front_of(points)
        best = points.log_loss.min()
        # those far behind would press all others together
        apart = best + 8 * (points.log_loss.quantile(0.75) - best)
        points = points[points.log_loss <= min(apart, MOST_TIMES_THE_BEST * best)]
        ax.plot(front.fit_seconds, front.log_loss, color="#999999", zorder=0)
        for name, point in points.iterrows():
            is_default, is_ours = name == "skmlp", name in ["skmlp", *VARIANTS]
            ax.scatter(
                point.fit_seconds,
                point.log_loss,
                color=color_of("skmlp" if is_ours else name),
                marker="*" if is_default else "o",
                s=140 if is_default else 25,
            )
        margin = 0.08 * (points.log_loss.max() - best)
        ax.set_ylim(best - margin, points.log_loss.max() + margin)
        ax.set(xscale="log", title=table)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.margins(x=0.35)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        shown[ax] = points
    figure.supxlabel("time of a fit, s (log scale)")
    figure.supylabel("log-loss")
    figure.suptitle(
        "Star: the default; red: with other numbers and widths of networks; "
        "grey line: none is both faster and better"
    )
    for ax, points in shown.items():
        names = ["" if name in ["skmlp", *VARIANTS] else name for name in points.index]
        label_points(ax, names, points.fit_seconds, points.log_loss, fontsize=8)
    save(figure, "frontier.png")


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="measure nothing")
    if not parser.parse_args().report:
        measure_missing()
    results = read_results()
    print_table(results)
    draw(results)
    print("\n" + describe_machine("scikit-learn", "numpy", "lightgbm", "catboost"))


if __name__ == "__main__":
    main()
