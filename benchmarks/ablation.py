"""What each part of the default recipe brings, over the tables of accuracy.py.

    python benchmarks/ablation.py              # measures what is missing, reports
    python benchmarks/ablation.py --part text  # on some tables: small, large or text
    python benchmarks/ablation.py --report     # only reports

Each line changes one part: on tables of up to 5000 rows, on those of 10000 to 100000
rows, and, of what the encoder does with text, on tables with text.
Figures are log-loss by that of the default, as a geometric mean over tables with its
95% interval, the number of tables on which the change is better, and time. Results are
kept in results/ablation.csv.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _machine import append_row, describe_machine, markdown_table
from accuracy import calibration_error
from scipy.stats import t
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from suite import WITH_TEXT, rows_for_splits, suite

from skmlp import MLPSoftmaxClassifier, TableEncoder

RESULTS = Path(__file__).parent / "results" / "ablation.csv"
MOST_COLUMNS = 500
DEFAULT = "default"
SMALL = {
    DEFAULT: {},
    "1 network": {"n_estimators": 1},
    "networks alike": {"diverse_members": False},
    "all count the same": {"member_weights": None},
    "no temperature, no label smoothing": {"temperature": None},
    "alike, all the same, no temperature": {
        "diverse_members": False,
        "member_weights": None,
        "temperature": None,
    },
    "10 networks alike": {"diverse_members": False, "n_estimators": 10},
    "no label smoothing": {"label_smoothing": 0.0},
    "label smoothing 0.02": {"label_smoothing": 0.02},
    "label smoothing 0.05": {"label_smoothing": 0.05},
    "no embedding of numbers": {"numeric_embedding": None},
    "50 epochs, nothing held out": {"early_stopping": False, "max_iter": 50},
    "a tenth held out": {"validation_fraction": 0.1},
    "at most 50 epochs": {"max_iter": 50},
    "patience of 20 throughout": {"n_iter_no_change": 20},
    "patience of 10 throughout": {"n_iter_no_change": 10},
    "one cycle of 50 epochs": {"learning_rate": "one_cycle", "max_iter": 50},
    "learning rate 0.001": {"learning_rate_init": 0.001},
    "beta_2 0.999": {"beta_2": 0.999},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 0.3": {"weight_decay": 0.3},
    "no dropout": {"dropout": 0.0},
    "dropout 0.15": {"dropout": 0.15},
    "batches of 200": {"batch_size": 200},
    "1 hidden layer": {"hidden_layer_sizes": (64,)},
    "3 hidden layers": {"hidden_layer_sizes": (64, 64, 64)},
    "48 units": {"hidden_layer_sizes": (48, 48)},
    "128 units": {"hidden_layer_sizes": (128, 128)},
    "ReLU": {"activation": "relu"},
    "PReLU": {"activation": "prelu"},
    "GELU": {"activation": "gelu"},
}
LARGE = {
    DEFAULT: {},
    "1 network": {"n_estimators": 1},
    "networks alike": {"diverse_members": False},
    "no temperature, no label smoothing": {"temperature": None},
    "no label smoothing": {"label_smoothing": 0.0},
    "no embedding of numbers": {"numeric_embedding": None},
    "a constant learning rate": {"learning_rate": "constant"},
    "one cycle of 20 epochs": {"learning_rate": "one_cycle", "max_iter": 20},
    "64 units": {"hidden_layer_sizes": (64, 64)},
    "256 units": {"hidden_layer_sizes": (256, 256)},
    "GELU": {"activation": "gelu"},
}
TEXT: dict[str, dict] = {
    DEFAULT: {},
    "text as categories": {
        "preprocessing": TableEncoder(
            read_text=False, text_components=0, text_odds=False
        )
    },
    "no components of text": {"preprocessing": TableEncoder(text_components=0)},
    "30 components of text": {"preprocessing": TableEncoder(text_components=30)},
    "no log-odds of text": {"preprocessing": TableEncoder(text_odds=False)},
    "numbers and dates in text not read": {
        "preprocessing": TableEncoder(read_text=False)
    },
}


class Part(NamedTuple):
    """Some tables, and what is changed for them."""

    title: str
    variants: dict[str, dict]
    has: Callable[[str, pd.DataFrame], bool]


PARTS = {
    "small": Part("up to 5000 rows", SMALL, lambda name, X: len(X) <= 5000),
    "large": Part(
        "10000 to 100000 rows",
        LARGE,
        lambda name, X: 10_000 <= len(X) <= 100_000 and name not in WITH_TEXT,
    ),
    "text": Part("with text", TEXT, lambda name, X: name in WITH_TEXT),
}
SMALLEST = 1e-3
"""Added to log-losses in ratios, lest tables that are told without error decide."""


def measure(X, y, params, seed):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    model = MLPSoftmaxClassifier(random_state=seed, **params)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    elapsed = time.perf_counter() - start
    p = np.clip(model.predict_proba(X_test).astype(float), 1e-7, 1)
    p /= p.sum(axis=1, keepdims=True)
    correct = model.classes_[p.argmax(axis=1)] == y_test.to_numpy()
    return {
        "log_loss": log_loss(y_test, p, labels=model.classes_),
        "accuracy": correct.mean(),
        "calibration_error": calibration_error(correct, p.max(axis=1)),
        "fit_seconds": elapsed,
    }


def measure_what_is_missing(n_splits, parts):
    done = read_results()
    done = set(done[["table", "split", "variant"]].itertuples(index=False, name=None))
    for table, load_table in suite().items():
        X, y = rows_for_splits(*load_table())
        variants = {
            name: params
            for part in parts
            if X.shape[1] <= MOST_COLUMNS and part.has(table, X)
            for name, params in part.variants.items()
        }
        for split in range(n_splits):
            for name, params in variants.items():
                if (table, split, name) not in done:
                    found = measure(X, y, params, split)
                    row = {"table": table, "split": split, "variant": name} | found
                    append_row(RESULTS, row)
            print(table, split, flush=True)


def read_results():
    if not RESULTS.exists():
        return pd.DataFrame(columns=["table", "split", "variant"])
    return pd.read_csv(RESULTS)


def geometric_mean(ratios):
    """Geometric mean over tables, and the ends of its 95% interval by Student's t."""
    logs = np.log(ratios)
    half = t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    return np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])


def report(results):
    losses, accuracies, errors, seconds = (
        results.pivot_table(index="table", columns="variant", values=value)
        for value in ("log_loss", "accuracy", "calibration_error", "fit_seconds")
    )
    for part in PARTS.values():
        if not set(part.variants) <= set(losses):
            continue  # not measured yet
        # a table belongs to the part all of whose variants it has
        of_part = losses[list(part.variants)].dropna().index
        rows = []
        for name in part.variants:
            loss, default = losses.loc[of_part, name], losses.loc[of_part, DEFAULT]
            ratios = (loss + SMALLEST) / (default + SMALLEST)
            mean, low, high = geometric_mean(ratios)
            of_default = seconds.loc[of_part, DEFAULT]
            rows.append(
                [
                    name,
                    f"{mean:.3f}",
                    "" if name == DEFAULT else f"{low:.3f} to {high:.3f}",
                    f"{ratios.median():.3f}",
                    "" if name == DEFAULT else f"{np.sum(ratios < 1)}",
                    f"{accuracies.loc[of_part, name].mean():.4f}",
                    f"{errors.loc[of_part, name].mean():.4f}",
                    f"{(seconds.loc[of_part, name] / of_default).median():.2f}",
                ]
            )
        header = ["change", "log-loss, geometric mean", "95% interval", "median"]
        header += [f"better on, of {len(of_part)}"]
        header += ["accuracy", "calibration error", "time, median"]
        print(f"\nTables {part.title}\n\n{markdown_table(header, rows)}")
    print("\n" + describe_machine("scikit-learn", "numpy"))


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--part", choices=PARTS, help="measure on these tables only")
    arguments = parser.parse_args()
    if not arguments.report:
        parts = [PARTS[arguments.part]] if arguments.part else PARTS.values()
        measure_what_is_missing(arguments.splits, parts)
    report(read_results())


if __name__ == "__main__":
    main()
