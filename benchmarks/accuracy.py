"""Probabilities of untuned classifiers on real tables, handed over as they are loaded.

    python benchmarks/accuracy.py                    measures what is missing, reports
    python benchmarks/accuracy.py --again skmlp      measures one anew, after a change
    python benchmarks/accuracy.py --again all        measures everyone anew, in turn
    python benchmarks/accuracy.py --report           only reports
    python benchmarks/accuracy.py --fashion          all of Fashion-MNIST
    python benchmarks/accuracy.py --text             tables with text, beside skrub

The tables of suite.py are split 70/30, stratified, several times (--splits, three by
default; one for tables of 10000 rows and more).
Every classifier gets the same data frames; what it needs around it (holes filled,
scales, codes for categories) is part of it and of its time. For a table and a split,
all are timed one right after the other. --classifiers and --tables take some names,
with commas between. results/accuracy.csv keeps every result as soon as it is there, so
that a run only adds what is missing.

Probabilities are cut at 1e-7 for everyone, a class that was never seen gets that too.
LightGBM, CatBoost and RealMLP take part where they are installed: the first two come
with `pip install skmlp[benchmarks]`, RealMLP with `skmlp[realmlp]`. As it takes long,
it learns only tables of fewer than 4000 rows, on one split. Who lacks some results is
compared on the splits that it has, in a table of its own.
"""

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _machine import describe_machine, markdown_table, save
from _peers import CLASSIFIERS, PACKAGES, SLOW, version
from matplotlib.transforms import Bbox
from scipy.stats import friedmanchisquare, studentized_range
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from suite import MANY_ROWS, WITH_TEXT, fashion_mnist, rows_for_splits, suite

from skmlp import MLPSoftmaxClassifier, TableEncoder

RESULTS = Path(__file__).parent / "results" / "accuracy.csv"
SMALLEST = 1e-7
CLEAN = 0.1
MOST_ROWS_WHEN_SLOW = 4000
MOST_CELLS_OF_CATBOOST = 50_000_000
HIGHER_IS_BETTER = {
    "log_loss": False,
    "accuracy": True,
    "auc": True,
    "calibration_error": False,
}
FIELDS = [
    "table",
    "split",
    "classifier",
    "n_rows",
    "n_columns",
    "n_classes",
    "version",
    *HIGHER_IS_BETTER,
    "fit_seconds",
    "predict_seconds",
]


def calibration_error(correct, confidence, n_bins=15):
    """Distance of confidence from accuracy, a mean over bins (Guo et al., 2017)."""
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, correct - confidence, minlength=n_bins)
    return np.abs(gaps).sum() / len(correct)


def predict(model, X, classes):
    """Probabilities of all classes, none below `SMALLEST`."""
    p = pd.DataFrame(model.predict_proba(X), columns=model.classes_)
    p = p.reindex(columns=classes).fillna(0).to_numpy(float).clip(SMALLEST)
    return p / p.sum(axis=1, keepdims=True)


def score(y, p, classes):
    correct = classes[p.argmax(axis=1)] == y.to_numpy()
    of_class = p[:, 1] if len(classes) == 2 else p
    return {
        "log_loss": log_loss(y, p, labels=classes),
        "accuracy": correct.mean(),
        "auc": roc_auc_score(y, of_class, multi_class="ovr", labels=classes),
        "calibration_error": calibration_error(correct, p.max(axis=1)),
    }


def measure(name, X, y, seed):
    """Fit and predict once with a classifier of the table, as it comes by default."""
    return measure_model(CLASSIFIERS[name](X, seed), X, y, seed)


def measure_model(model, X, y, seed):
    """Fit and predict once, on a split drawn with `seed`."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    classes = np.unique(y)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    fitted = time.perf_counter()
    p = predict(model, X_test, classes)
    end = time.perf_counter()
    return score(y_test, p, classes) | {
        "fit_seconds": fitted - start,
        "predict_seconds": end - fitted,
    }


def read_results():
    if not RESULTS.exists():
        return pd.DataFrame(columns=FIELDS)
    return pd.read_csv(RESULTS, dtype={"version": str})


def append(row):
    RESULTS.parent.mkdir(exist_ok=True)
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def drop_results(names, tables):
    results = read_results()
    dropped = results.classifier.isin(names) & results.table.isin(tables)
    if dropped.any():
        results[~dropped].to_csv(RESULTS, index=False)


def takes_long(name, X, y, split):
    """Whether a table would take a classifier an hour, or its splits minutes each."""
    if name in SLOW:
        return split > 0 or len(X) >= MOST_ROWS_WHEN_SLOW
    n_cells_of_all_classes = X.size * y.nunique()
    return name == "CatBoost" and n_cells_of_all_classes > MOST_CELLS_OF_CATBOOST


def measure_missing(names, tables, n_splits):
    found = read_results()[["table", "split", "classifier"]]
    done = set(found.itertuples(index=False, name=None))
    for table, load_table in tables.items():
        X, y = rows_for_splits(*load_table())
        for split in range(n_splits if len(X) < MANY_ROWS else 1):
            for name in names:
                if (table, split, name) in done or takes_long(name, X, y, split):
                    continue
                figures = measure(name, X, y, split)
                about = {
                    "table": table,
                    "split": split,
                    "classifier": name,
                    "n_rows": len(X),
                    "n_columns": X.shape[1],
                    "n_classes": y.nunique(),
                    "version": version(name),
                }
                append(about | {key: f"{figures[key]:.5g}" for key in figures})
                print(
                    f"{table:16} {split} {name:22} {figures['log_loss']:.4f} "
                    f"{figures['accuracy']:.4f} {figures['fit_seconds']:7.2f} s",
                    flush=True,
                )


def comparisons(results):
    """Results on the same splits of tables, those of the fullest classifiers first.

    Each part has the splits of one classifier, with everyone who has all of them.
    """
    runs = {
        name: frozenset(zip(part.table, part.split, strict=True))
        for name, part in results.groupby("classifier")
    }
    pairs = pd.Series(zip(results.table, results.split, strict=True), results.index)
    for wanted in sorted(set(runs.values()), key=len, reverse=True):
        names = [name for name, has in runs.items() if has >= wanted]
        if len(names) > 1:
            yield results[results.classifier.isin(names) & pairs.isin(wanted)]


def by_table(results, metric):
    """Means over the splits: a line per table, a column per classifier."""
    return results.pivot_table(index="table", columns="classifier", values=metric)


def rank(results, metric):
    """Ranks on each table, 1 being best."""
    ascending = not HIGHER_IS_BETTER[metric]
    return by_table(results, metric).rank(axis=1, ascending=ascending)


def critical_difference(n_classifiers, n_tables):
    """Least difference of two mean ranks by the Nemenyi test, 5% (Demsar, 2006)."""
    q = studentized_range.ppf(0.95, n_classifiers, np.inf) / np.sqrt(2)
    return q * np.sqrt(n_classifiers * (n_classifiers + 1) / (6 * n_tables))


def print_ranks(results, title):
    ranks = {metric: rank(results, metric) for metric in HIGHER_IS_BETTER}
    errors = by_table(results, "calibration_error").mean()
    seconds = by_table(results, "fit_seconds")
    header = [
        "classifier",
        *(f"rank, {metric.replace('_', ' ')}" for metric in HIGHER_IS_BETTER),
        "mean calibration error",
        "median fit, s",
        "skmlp's fit / its",
    ]
    rows = []
    for name in ranks["log_loss"].mean().sort_values().index:
        ratio = "-"
        if "skmlp" in seconds:
            ratio = f"{(seconds['skmlp'] / seconds[name]).median():.2f}"
        rows.append(
            [
                name,
                *(f"{ranks[metric][name].mean():.2f}" for metric in HIGHER_IS_BETTER),
                f"{errors[name]:.3f}",
                f"{seconds[name].median():.2f}",
                ratio,
            ]
        )
    print(f"\n{title}\n\n{markdown_table(header, rows)}")
    n_tables, n_classifiers = seconds.shape
    if n_tables > 1 and n_classifiers > 2:
        test = friedmanchisquare(*ranks["log_loss"].to_numpy().T)
        difference = critical_difference(n_classifiers, n_tables)
        print(
            f"\nFriedman test of the ranks in log-loss: chi2 = {test.statistic:.1f}, "
            f"p = {test.pvalue:.1g}; critical difference of mean ranks (Nemenyi, 5%): "
            f"{difference:.2f}"
        )


def print_losses(results):
    """Log-loss table by table, the smaller tables first."""
    losses = by_table(results, "log_loss")
    losses = losses[[name for name in CLASSIFIERS if name in losses]]
    sizes = results.groupby("table")[["n_rows", "n_columns", "n_classes"]].first()
    rows = []
    for table, (n_rows, n_columns, n_classes) in sizes.sort_values("n_rows").iterrows():
        line = losses.loc[table].map("{:.4f}".format)
        rows.append(
            [
                table,
                f"{n_rows}x{n_columns}, {n_classes}",
                *(f"**{loss}**" if loss == line.min() else loss for loss in line),
            ]
        )
    header = ["log-loss", "rows x columns, classes", *losses]
    print("\n" + markdown_table(header, rows))
    if {"skmlp", "scikit-learn MLP"} <= set(losses):
        ratios = losses["skmlp"] / losses["scikit-learn MLP"]
        print(
            f"\nskmlp's log-loss is below that of scikit-learn's MLP on "
            f"{(ratios < 1).sum()} of {len(ratios)} tables; the largest ratio is "
            f"{ratios.max():.3f} ({ratios.idxmax()})"
        )


def print_by_size(results):
    """Mean ranks and errors on small, middling and large tables, and on clean ones."""
    losses = by_table(results, "log_loss")
    n_rows = results.groupby("table").n_rows.first()
    parts = {
        "below 1000 rows": n_rows < 1000,
        "1000 to 10000 rows": n_rows.between(1000, 10_000),
        "above": n_rows > 10_000,
        f"best log-loss below {CLEAN}": losses.min(axis=1) < CLEAN,
    }
    rows = []
    for name in rank(results, "log_loss").mean().sort_values().index:
        ranks = [rank(results, metric)[name] for metric in ("log_loss", "accuracy")]
        cells = [
            [f"{one[part].mean():.2f}" for one in ranks] for part in parts.values()
        ]
        rows.append([name, *(" / ".join(pair) for pair in cells)])
    header = ["mean rank in log-loss / in accuracy"]
    header += [f"{title} ({part.sum()})" for title, part in parts.items()]
    print(f"\n{markdown_table(header, rows)}")
    clean = losses[losses.min(axis=1) < CLEAN].clip(SMALLEST)
    if "skmlp" in clean:
        ratios = clean["skmlp"] / clean.drop(columns="skmlp").min(axis=1)
        print(
            "\nskmlp's log-loss on the last, by the best other's: geometric mean "
            f"{np.exp(np.log(ratios).mean()):.3f}, largest {ratios.max():.2f} "
            f"({ratios.idxmax()})"
        )


def groups(means, difference):
    """Places of the first and last of each group that no pair sets apart."""
    ends = np.searchsorted(means, means + difference) - 1
    return [
        (start, end)
        for start, end in enumerate(ends)
        if end > start and (start == 0 or end > ends[start - 1])
    ]


def color_of(name):
    return "#c1272d" if name == "skmlp" else "#333333"


def draw_ranks(results):
    """Mean ranks, with a bar over those that the test does not tell apart."""
    import matplotlib.pyplot as plt

    ranks = rank(results, "log_loss")
    means = ranks.mean().sort_values()
    n_classifiers, n_tables = len(means), len(ranks)
    difference = critical_difference(n_classifiers, n_tables)
    bars = groups(means.to_numpy(), difference)
    n_left = (n_classifiers + 1) // 2
    first_label = 0.6 + 0.3 * len(bars)
    last_label = first_label + 0.5 * (n_left - 1)
    figure, ax = plt.subplots(
        figsize=(9, 1.6 + 0.55 * last_label), layout="constrained"
    )
    ax.hlines(0, 1, n_classifiers, color="black")
    for tick in range(1, n_classifiers + 1):
        ax.vlines(tick, -0.12, 0, color="black")
        ax.text(tick, -0.2, str(tick), ha="center", va="bottom")
    ax.plot([1, 1 + difference], [-1, -1], "|-", color="black", markersize=8)
    ax.text(1, -1.15, f"critical difference {difference:.2f}", va="bottom")
    for place, (start, end) in enumerate(bars):
        y = 0.3 + 0.3 * place
        ends = means.iloc[start] - 0.04, means.iloc[end] + 0.04
        ax.hlines(y, *ends, color="black", linewidth=4)
    for place, (name, mean) in enumerate(means.items()):
        is_left = place < n_left
        row = place if is_left else n_classifiers - 1 - place
        y, end = first_label + 0.5 * row, 0.8 if is_left else n_classifiers + 0.2
        color = color_of(name)
        ax.plot([mean, mean, end], [0, y, y], color=color, linewidth=1)
        label = f"{name}  {mean:.2f} " if is_left else f" {mean:.2f}  {name}"
        side = "right" if is_left else "left"
        ax.text(end, y, label, ha=side, va="center", color=color)
    ax.set(xlim=(-0.9, n_classifiers + 1.9), ylim=(last_label + 0.3, -1.7))
    ax.set_title(
        f"Mean rank in log-loss over {n_tables} tables (1 is best); "
        "a bar joins those that\nthe Nemenyi test does not tell apart at 5%",
        fontsize=11,
    )
    ax.axis("off")
    save(figure, "accuracy_ranks.png")


def label_points(ax, names, xs, ys, fontsize=None):
    """Names beside points, each at the first of some places that is free."""
    ax.figure.draw_without_rendering()
    ax.figure.set_layout_engine("none")  # what was drawn is to stay where it is
    points = ax.transData.transform(np.column_stack([xs, ys]))
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in points]
    for name, x, y in zip(names, xs, ys, strict=True):
        label = ax.annotate(
            name,
            (x, y),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=color_of(name),
            fontsize=fontsize,
        )
        for dx, dy in [(8, 0), (-8, 0), (8, 9), (8, -9), (-8, 9), (-8, -9), (8, 18)]:
            label.set(position=(dx, dy), ha="left" if dx > 0 else "right")
            box = label.get_window_extent()
            is_inside = ax.bbox.x0 < box.x0 and box.x1 < ax.bbox.x1
            if is_inside and not box.count_overlaps(taken):
                break
        taken.append(box)


def draw_ranks_against_time(results):
    import matplotlib.pyplot as plt

    means = rank(results, "log_loss").mean().sort_values()
    seconds = by_table(results, "fit_seconds").median()[means.index]
    figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    ax.scatter(seconds, means, color=[color_of(name) for name in means.index])
    ax.set(
        xscale="log",
        xlabel="median time of a fit, s (log scale)",
        ylabel="mean rank in log-loss (1 is best)",
        title="Good and fast is at the top left",
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.margins(0.2, 0.12)
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    label_points(ax, means.index, seconds, means)
    save(figure, "accuracy_time.png")


def report(results):
    """Tables of each comparison, and pictures of that with most usual classifiers."""
    parts = list(comparisons(results))
    for part in parts:
        sizes = part.drop_duplicates(["table", "split"]).groupby("table").size()
        print_ranks(part, f"Over {len(sizes)} tables, {sizes.sum()} splits in all")
        print_by_size(part)
        print_losses(part)
    if parts:
        usual = [part[~part.classifier.isin(SLOW)] for part in parts]
        most = max(usual, key=lambda part: (part.classifier.nunique(), len(part)))
        draw_ranks(most)
        draw_ranks_against_time(most)


def compare_on_whole_fashion_mnist():
    """Defaults, both on the same pixels, divided by 255, and the usual test images."""
    X_train, y_train, X_test, y_test = fashion_mnist.load()
    rows = []
    for model in MLPSoftmaxClassifier(random_state=0), MLPClassifier(random_state=0):
        start = time.perf_counter()
        model.fit(X_train, y_train)
        elapsed = time.perf_counter() - start
        p = predict(model, X_test, np.unique(y_train))
        figures = score(pd.Series(y_test), p, np.unique(y_train))
        rows.append(
            [
                type(model).__name__,
                f"{figures['accuracy']:.4f}",
                f"{figures['log_loss']:.4f}",
                f"{elapsed:.1f}",
            ]
        )
        print(*rows[-1], flush=True)
    header = ["Fashion-MNIST, 60000 images", "accuracy", "log-loss", "seconds"]
    print("\n" + markdown_table(header, rows))


def compare_on_text():
    """Log-loss and time with text read, with text as categories, and by skrub."""
    from skrub import tabular_pipeline

    trees = HistGradientBoostingClassifier(random_state=0)
    as_categories = TableEncoder(read_text=False, text_components=0, text_odds=False)
    models = {
        "skmlp": MLPSoftmaxClassifier(random_state=0),
        "text as categories": MLPSoftmaxClassifier(
            preprocessing=as_categories, random_state=0
        ),
        "skrub, HistGradientBoosting": tabular_pipeline(trees),
    }
    rows = []
    for name in WITH_TEXT:
        X, y = rows_for_splits(*suite()[name]())
        found = [measure_model(model, X, y, 0) for model in models.values()]
        cells = [f"{one['log_loss']:.3f} ({one['fit_seconds']:.1f} s)" for one in found]
        rows.append([f"{name} ({len(X)})", *cells])
        print(*rows[-1], flush=True)
    header = ["table (rows)", *models]
    print("\n" + markdown_table(header, rows))


def chosen(text, table):
    """The names in a text with commas, all of them by default."""
    names = list(table) if text in (None, "all") else text.split(",")
    for name in names:
        if name not in table:
            sys.exit(f"unknown name {name!r}; choose from {', '.join(table)}")
    return names


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifiers", help="names, with commas between")
    parser.add_argument("--tables", help="names, with commas between")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--again", help="forget the results of these, or of all")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--fashion", action="store_true", help="all of Fashion-MNIST")
    parser.add_argument("--text", action="store_true", help="tables with text")
    return parser.parse_args()


def run(arguments):
    every_table = suite()
    tables = {name: every_table[name] for name in chosen(arguments.tables, every_table)}
    names = chosen(arguments.classifiers or arguments.again, CLASSIFIERS)
    for name in [name for name in names if version(name) is None]:
        print(f"{name} is left out: {PACKAGES[name]} is not installed")
        names.remove(name)
    if arguments.again:
        again = chosen(arguments.again, CLASSIFIERS)
        drop_results([name for name in again if name in names], tables)
    measure_missing(names, tables, arguments.splits)


def main():
    warnings.simplefilter("ignore")
    arguments = parse_arguments()
    if arguments.fashion:
        compare_on_whole_fashion_mnist()
    elif arguments.text:
        compare_on_text()
    else:
        if not arguments.report:
            run(arguments)
        results = read_results()
        if arguments.tables:
            results = results[results.table.isin(arguments.tables.split(","))]
        report(results[results.split < arguments.splits])
    packages = ["scikit-learn", "numpy", "lightgbm", "catboost", "pytabkit", "torch"]
    print("\n" + describe_machine(*packages))


if __name__ == "__main__":
    main()
