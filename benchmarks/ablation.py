"""What each part of the default recipe brings, over the tables of accuracy.py.

    python benchmarks/ablation.py              # measures what is missing, reports
    python benchmarks/ablation.py --report

Each line changes one part. Figures are log-loss by that of the default, as a geometric
mean over tables (those of up to 5000 rows and 500 columns) with its 95% interval, the
number of tables on which the change is better, and time. Results are kept in
results/ablation.csv.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _machine import describe_machine, markdown_table
from accuracy import calibration_error
from scipy.stats import t
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from suite import suite

from skmlp import MLPSoftmaxClassifier

RESULTS = Path(__file__).parent / "results" / "ablation.csv"
MOST_ROWS = 5_000
DEFAULT = "default"
VARIANTS = {
    DEFAULT: {},
    "1 network": {"n_estimators": 1},
    "networks alike": {"diverse_members": False},
    "all count the same": {"member_weights": None},
    "no temperature": {"temperature": None},
    "alike, all the same, no temperature": {
        "diverse_members": False,
        "member_weights": None,
        "temperature": None,
    },
    "10 networks alike": {"diverse_members": False, "n_estimators": 10},
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
    "label smoothing 0.05": {"label_smoothing": 0.05},
    "batches of 200": {"batch_size": 200},
    "1 hidden layer": {"hidden_layer_sizes": (64,)},
    "3 hidden layers": {"hidden_layer_sizes": (64, 64, 64)},
    "48 units": {"hidden_layer_sizes": (48, 48)},
    "128 units": {"hidden_layer_sizes": (128, 128)},
    "PReLU": {"activation": "prelu"},
    "GELU": {"activation": "gelu"},
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


def measure_what_is_missing(n_splits):
    done = read_results()
    done = set(done[["table", "split", "variant"]].itertuples(index=False, name=None))
    for table, load_table in suite().items():
        if all((table, split, name) in done for split in range(n_splits)
               for name in VARIANTS):  # fmt: skip
            continue
        X, y = load_table()
        has_some = y.map(y.value_counts()) >= 4
        X, y = X[has_some], y[has_some]
        if len(X) > MOST_ROWS or X.shape[1] > 500:
            continue
        for split in range(n_splits):
            for name, params in VARIANTS.items():
                if (table, split, name) not in done:
                    found = measure(X, y, params, split)
                    row = {"table": table, "split": split, "variant": name} | found
                    pd.DataFrame([row]).to_csv(
                        RESULTS,
                        mode="a",
                        header=not RESULTS.exists(),
                        index=False,
                        float_format="%.5g",
                    )
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
    means = results.groupby(["variant", "table"]).mean(numeric_only=True)
    losses, seconds = (
        results.pivot_table(index="table", columns="variant", values=value)
        for value in ("log_loss", "fit_seconds")
    )
    rows = []
    for name in VARIANTS:
        ratios = (losses[name] + SMALLEST) / (losses[DEFAULT] + SMALLEST)
        mean, low, high = geometric_mean(ratios)
        of_variant = means.loc[name]
        rows.append(
            [
                name,
                f"{mean:.3f}",
                "" if name == DEFAULT else f"{low:.3f} to {high:.3f}",
                f"{ratios.median():.3f}",
                "" if name == DEFAULT else f"{np.sum(ratios < 1)} of {len(ratios)}",
                f"{of_variant['accuracy'].mean():.4f}",
                f"{of_variant['calibration_error'].mean():.4f}",
                f"{(seconds[name] / seconds[DEFAULT]).median():.2f}",
            ]
        )
    header = ["change", "log-loss, geometric mean", "95% interval", "median"]
    header += ["better on"]
    header += ["accuracy", "calibration error", "time, median"]
    print(markdown_table(header, rows))
    print("\n" + describe_machine("scikit-learn", "numpy"))


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    if not arguments.report:
        measure_what_is_missing(arguments.splits)
    report(read_results())


if __name__ == "__main__":
    main()
