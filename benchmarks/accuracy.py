"""Probabilities of untuned classifiers on real tables, handed over as they are loaded.

    python benchmarks/accuracy.py                    # measures what is missing, reports
    python benchmarks/accuracy.py --again skmlp      # after a change
    python benchmarks/accuracy.py --report           # only reports
    python benchmarks/accuracy.py --fashion          # all of Fashion-MNIST

Each table is split 70/30, stratified, several times; every classifier gets the same
data frames, and what it needs around it (filled holes, scales, codes for categories)
is part of it and of its time. Results are kept in results/accuracy.csv, line by line,
so that a run only adds what is new. LightGBM, CatBoost and RealMLP take part where they
are installed (``pip install lightgbm catboost pytabkit``).
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from _machine import describe_machine, markdown_table, save
from scipy.stats import friedmanchisquare, studentized_range
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from tables import TABLES, load

from skmlp import MLPSoftmaxClassifier

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import fashion_mnist

RESULTS = Path(__file__).parent / "results" / "accuracy.csv"
SMALLEST = 1e-7
"""Probabilities are cut here before their logarithm is taken, for everyone."""

METRICS = ["log_loss", "accuracy", "auc", "calibration_error"]
SEVERAL_THOUSAND = 4000
"""Rows up to which RealMLP, which takes minutes beyond, is measured, on one split."""


# The tables


def suite():
    """(name, function that loads X and y) of each table."""
    tables = {
        name: partial(load, package, name, target)
        for (package, name), target in TABLES.items()
    }
    for loader in (load_digits, load_breast_cancer, load_wine):
        tables[loader.__name__.removeprefix("load_")] = partial(of_scikit_learn, loader)
    if fashion_mnist.INSTALLED.exists():
        tables["fashion_mnist"] = some_of_fashion_mnist
    else:
        print("fashion_mnist is left out: it is not installed")
    return tables


def of_scikit_learn(loader):
    X, y = loader(as_frame=True, return_X_y=True)
    return X, y.astype(str)


def some_of_fashion_mnist():
    X, y, _, _ = fashion_mnist.load()
    X, _, y, _ = train_test_split(X, y, train_size=10_000, stratify=y, random_state=0)
    return pd.DataFrame(X).rename(columns=str), pd.Series(y).astype(str)


# The classifiers


class AsCategories(TransformerMixin, BaseEstimator):
    """Numbers as floats, all else as pandas categories, named c0, c1 and so on."""

    most_categories = 250

    def fit(self, X, y=None):
        self.levels_ = [
            None if is_number(X[name]) else self.levels(X[name]) for name in X
        ]
        return self

    def levels(self, column):
        return column.astype(str).value_counts().index[: self.most_categories]

    def transform(self, X):
        columns = {}
        for place, (name, levels) in enumerate(zip(X, self.levels_, strict=True)):
            column = X[name]
            columns[f"c{place}"] = (
                column.astype(float)
                if levels is None
                else pd.Categorical(column.astype(str), categories=levels)
            )
        return pd.DataFrame(columns, index=X.index)


def is_number(column):
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def dates_as_days(X):
    """Dates become days: none of the others reads them."""
    dates = X.select_dtypes(["datetime", "datetimetz"])
    days = dates.apply(lambda column: (column - column.min()).dt.days.astype(float))
    return X.assign(**days) if len(dates.columns) else X


def in_sound_pipeline(model):
    """Holes filled and marked, numbers scaled, the rest one-hot."""
    is_of_numbers = make_column_selector(dtype_include=["number", "bool"])
    others = make_column_selector(dtype_exclude=["number", "bool"])
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    )
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        max_categories=40,
        sparse_output=False,
    )
    encode = make_column_transformer((numbers, is_of_numbers), (categories, others))
    return make_pipeline(encode, model)


def lightgbm(seed):
    from lightgbm import LGBMClassifier

    return make_pipeline(
        AsCategories(), LGBMClassifier(verbosity=-1, random_state=seed)
    )


def catboost(seed):
    from catboost import CatBoostClassifier

    class CatBoostOnTables(CatBoostClassifier):
        def fit(self, X, y):
            categories = X.select_dtypes("category").columns
            return super().fit(as_text(X), y, cat_features=list(categories))

        def predict_proba(self, X):
            return super().predict_proba(as_text(X))

    def as_text(X):
        categories = X.select_dtypes("category").astype(object).fillna("missing")
        return X.assign(**categories.astype(str))

    model = CatBoostOnTables(
        iterations=500, verbose=False, allow_writing_files=False, random_seed=seed
    )
    return make_pipeline(AsCategories(), model)


def realmlp(name, seed):
    import pytabkit

    model = getattr(pytabkit, name)(device="cpu", random_state=seed)
    fill = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include=float)),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return make_pipeline(AsCategories(), fill, model)


CLASSIFIERS = {
    "skmlp": lambda seed: MLPSoftmaxClassifier(random_state=seed),
    "logistic regression": lambda seed: in_sound_pipeline(
        LogisticRegression(max_iter=1000)
    ),
    "scikit-learn MLP": lambda seed: in_sound_pipeline(
        MLPClassifier(random_state=seed)
    ),
    "random forest": lambda seed: in_sound_pipeline(
        RandomForestClassifier(random_state=seed, n_jobs=-1)
    ),
    "HistGradientBoosting": lambda seed: make_pipeline(
        AsCategories(), HistGradientBoostingClassifier(random_state=seed)
    ),
    "LightGBM": lightgbm,
    "CatBoost": catboost,
    "RealMLP-TD": partial(realmlp, "RealMLP_TD_Classifier"),
    "RealMLP-TD-S": partial(realmlp, "RealMLP_TD_S_Classifier"),
}
PACKAGES = dict.fromkeys(CLASSIFIERS, "scikit-learn") | {
    "skmlp": "skmlp",
    "LightGBM": "lightgbm",
    "CatBoost": "catboost",
    "RealMLP-TD": "pytabkit",
    "RealMLP-TD-S": "pytabkit",
}
COLORS = {"skmlp": "#c1272d"}


# Measuring


def calibration_error(correct, confidence, n_bins=15):
    """Mean distance of confidence and accuracy over bins (Guo et al., 2017)."""
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(bins, correct - confidence, minlength=n_bins)
    return np.abs(gaps).sum() / len(correct)


def measure(make, X, y, seed):
    """One line of results."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    model = make(seed)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    fitted = time.perf_counter()
    p = np.asarray(model.predict_proba(X_test), dtype=float)
    end = time.perf_counter()
    classes = np.asarray(model.classes_).astype(str)
    p = np.clip(p, SMALLEST, 1)
    p /= p.sum(axis=1, keepdims=True)
    correct = classes[p.argmax(axis=1)] == y_test.to_numpy()
    of_class = p[:, 1] if len(classes) == 2 else p
    return {
        "log_loss": log_loss(y_test, p, labels=classes),
        "accuracy": correct.mean(),
        "auc": roc_auc_score(y_test, of_class, multi_class="ovr", labels=classes),
        "calibration_error": calibration_error(correct, p.max(axis=1)),
        "fit_seconds": fitted - start,
        "predict_seconds": end - fitted,
    }


FIELDS = [
    *("table", "split", "classifier", "n_rows", "n_columns", "n_classes", "version"),
    *METRICS,
    *("fit_seconds", "predict_seconds"),
]


def read_results():
    if not RESULTS.exists():
        return pd.DataFrame(columns=FIELDS)
    return pd.read_csv(RESULTS)


def append(row):
    """Add a line at once, so that an interrupted run loses only what it was at."""
    RESULTS.parent.mkdir(exist_ok=True)
    is_new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(
            {
                name: f"{value:.5g}" if isinstance(value, float) else value
                for name, value in row.items()
            }
        )


def measure_what_is_missing(names, tables, n_splits):
    done = set(
        read_results()[["table", "split", "classifier"]].itertuples(
            index=False, name=None
        )
    )
    for table, load_table in tables.items():
        X, y = load_table()
        has_some = y.map(y.value_counts()) >= 4  # a split needs some of each
        X, y = dates_as_days(X[has_some]), y[has_some]
        for split in range(n_splits):
            for name in names:
                slow = name.startswith("RealMLP")
                if (table, split, name) in done or (
                    slow and (split > 0 or len(X) > SEVERAL_THOUSAND)
                ):
                    continue
                found = measure(CLASSIFIERS[name], X, y, split)
                append(
                    {
                        "table": table,
                        "split": split,
                        "classifier": name,
                        "n_rows": len(X),
                        "n_columns": X.shape[1],
                        "n_classes": y.nunique(),
                        "version": importlib.metadata.version(PACKAGES[name]),
                        **{key: float(value) for key, value in found.items()},
                    }
                )
                print(
                    f"{table:16} {split} {name:22} {found['log_loss']:.4f} "
                    f"{found['accuracy']:.4f} {found['fit_seconds']:6.2f} s",
                    flush=True,
                )


# Reporting


def mean_ranks(results, metric):
    """Mean rank of each classifier over tables, and the table of ranks."""
    means = results.pivot_table(index="table", columns="classifier", values=metric)
    higher_is_better = metric in ("accuracy", "auc")
    return means.dropna().rank(axis=1, ascending=not higher_is_better)


def report(results):
    slow = results.classifier.str.startswith("RealMLP")
    print_ranks(results[~slow], "all tables")
    draw(results[~slow])
    if slow.any():
        tables = results[slow].table.unique()
        part = results[results.table.isin(tables) & (results.split == 0)]
        print_ranks(part, f"{len(tables)} tables, one split")
    print_losses(results[~slow])


def print_ranks(results, what):
    ranks = {metric: mean_ranks(results, metric) for metric in METRICS}
    n_tables = len(ranks["log_loss"])
    seconds = results.pivot_table(
        index="table", columns="classifier", values="fit_seconds"
    ).loc[ranks["log_loss"].index]
    errors = results.groupby(["classifier", "table"]).calibration_error.mean()
    order = ranks["log_loss"].mean().sort_values().index
    ratios = seconds.div(seconds["skmlp"], axis=0)
    rows = [
        [
            name,
            *(f"{ranks[metric][name].mean():.1f}" for metric in METRICS),
            f"{errors[name].mean():.3f}",
            f"{seconds[name].median():.2f}",
            f"{ratios[name].median():.2f}",
        ]
        for name in order
    ]
    header = ["classifier", *(metric.replace("_", " ") for metric in METRICS)]
    header += ["mean calibration error", "median fit, s", "fit / skmlp's"]
    print(f"\nMean ranks over {n_tables} tables ({what})\n")
    print(markdown_table(header, rows))
    if n_tables > 2:
        test = friedmanchisquare(*ranks["log_loss"].to_numpy().T)
        print(
            f"\nFriedman test of the ranks in log-loss: chi2 = {test.statistic:.1f}, "
            f"p = {test.pvalue:.1g}; critical difference (Nemenyi, 5%) "
            f"{critical_difference(len(order), n_tables):.2f}"
        )


def critical_difference(n_classifiers, n_tables):
    """Of mean ranks, by the Nemenyi test (Demsar, 2006)."""
    q = studentized_range.ppf(0.95, n_classifiers, np.inf) / np.sqrt(2)
    return q * np.sqrt(n_classifiers * (n_classifiers + 1) / (6 * n_tables))


def print_losses(results):
    losses = results.pivot_table(
        index="table", columns="classifier", values="log_loss"
    ).dropna(axis=1)
    sizes = results.groupby("table")[["n_rows", "n_columns", "n_classes"]].first()
    losses = losses.loc[sizes.sort_values("n_rows").index]
    rows = []
    for table, line in losses.iterrows():
        n_rows, n_columns, n_classes = sizes.loc[table]
        cells = [
            f"**{loss:.4f}**" if loss == line.min() else f"{loss:.4f}" for loss in line
        ]
        rows.append([table, f"{n_rows}x{n_columns}, {n_classes}", *cells])
    print("\nLog-loss\n")
    header = ["table", "rows x columns, classes", *losses]
    print(markdown_table(header, rows))
    ratios = losses["skmlp"] / losses["scikit-learn MLP"]
    print(
        f"\nskmlp's log-loss is below scikit-learn's MLP on {np.sum(ratios < 1)} of "
        f"{len(ratios)} tables; largest ratio {ratios.max():.3f} ({ratios.idxmax()})"
    )


def draw(results):
    """Critical differences of the ranks, and ranks against time."""
    import matplotlib.pyplot as plt

    ranks = mean_ranks(results, "log_loss")
    means = ranks.mean().sort_values()
    difference = critical_difference(len(means), len(ranks))
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for place, (name, rank) in enumerate(means.items()):
        color = COLORS.get(name, "0.35")
        axes.plot(rank, place, "o", color=color)
        axes.plot([rank, rank + difference], [place, place], color=color, lw=1)
        axes.annotate(name, (rank, place), (-8, 0), textcoords="offset points",
                      ha="right", va="center", color=color)  # fmt: skip
    axes.set(
        xlabel="mean rank in log-loss, 1 is best; whoever begins beyond the end of a "
        "line is significantly worse",
        xlim=(means.min() - 2.2, means.max() + difference + 0.2),
        yticks=[],
    )
    axes.invert_yaxis()
    axes.spines[["left", "top", "right"]].set_visible(False)
    save(figure, "accuracy_ranks.png")

    seconds = results.pivot_table(
        index="table", columns="classifier", values="fit_seconds"
    ).median()
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, rank in means.items():
        color = COLORS.get(name, "0.35")
        axes.plot(seconds[name], rank, "o", color=color)
        axes.annotate(name, (seconds[name], rank), (6, 5), textcoords="offset points",
                      color=color)  # fmt: skip
    axes.set(
        xscale="log",
        xlabel="median time of a fit, s",
        ylabel="mean rank in log-loss, 1 is best",
        xlim=(seconds[means.index].min() / 1.5, seconds[means.index].max() * 4),
    )
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "accuracy_time.png")


def whole_fashion_mnist():
    """The default on 60000 images, and scikit-learn's on the same pixels in [0, 1]."""
    X_train, y_train, X_test, y_test = fashion_mnist.load()
    models = {
        "skmlp": MLPSoftmaxClassifier(random_state=0),
        "scikit-learn MLP": make_pipeline(
            FunctionTransformer(lambda X: X / np.float32(255)),
            MLPClassifier(random_state=0),
        ),
    }
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        elapsed = time.perf_counter() - start
        p = model.predict_proba(X_test)
        accuracy = (model.classes_[p.argmax(axis=1)] == y_test).mean()
        print(
            f"{name}: accuracy {accuracy:.4f}, log-loss {log_loss(y_test, p):.4f}, "
            f"{elapsed:.1f} s",
            flush=True,
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--classifiers", help="names, with commas between")
    parser.add_argument("--tables", help="names, with commas between")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--again", help="measure this classifier anew")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--fashion", action="store_true", help="all of Fashion-MNIST")
    return parser.parse_args()


def main():
    warnings.simplefilter("ignore")
    arguments = parse_arguments()
    if arguments.fashion:
        whole_fashion_mnist()
        print(describe_machine("scikit-learn", "numpy"))
        return
    if arguments.again:
        results = read_results()
        results[results.classifier != arguments.again].to_csv(RESULTS, index=False)
    if not arguments.report:
        names = list(CLASSIFIERS)
        if arguments.classifiers:
            names = arguments.classifiers.split(",")
        for name in [n for n in names if not is_installed(PACKAGES[n])]:
            print(f"{name} is left out: {PACKAGES[name]} is not installed")
            names.remove(name)
        tables = suite()
        if arguments.tables:
            tables = {name: tables[name] for name in arguments.tables.split(",")}
        measure_what_is_missing(names, tables, arguments.splits)
    report(read_results())
    packages = ["scikit-learn", "numpy", "lightgbm", "catboost", "pytabkit", "torch"]
    print("\n" + describe_machine(*packages))


def is_installed(package):
    name = {"scikit-learn": "sklearn"}.get(package, package)
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    main()
