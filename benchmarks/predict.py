"""Time of predict_proba on 1, 100 and 100000 rows, array and data frame.

    python benchmarks/predict.py

The same network, fitted by skmlp and by scikit-learn, in turn within one run.
"""

import time
import warnings

import numpy as np
import pandas as pd
from _classic import classic
from _machine import describe_machine, markdown_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

HIDDEN = [(100,), (256, 256)]
N_FEATURES = 64
ROWS = {1: 500, 100: 200, 100_000: 3}
"""Rows per call, and calls per repeat."""

N_REPEATS = 7


def microseconds(model, X, n_calls):
    start = time.perf_counter()
    for _ in range(n_calls):
        model.predict_proba(X)
    return (time.perf_counter() - start) / n_calls * 1e6


def main():
    rng = np.random.default_rng(0)
    n_most = max(ROWS)
    arrays = rng.normal(size=(n_most, N_FEATURES))
    kinds = {"array": arrays, "frame": pd.DataFrame(arrays).add_prefix("x")}
    y = np.arange(n_most) % 10
    rows = []
    for hidden in HIDDEN:
        for kind, X in kinds.items():
            # how well they are fitted is of no account here
            models = [
                classic(hidden, preprocessing=None, learning_rate="cosine", max_iter=1),
                MLPClassifier(hidden, early_stopping=True, max_iter=2),
            ]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                for model in models:
                    model.fit(X[:2000], y[:2000])
            for n_rows, n_calls in ROWS.items():
                times = np.array(
                    [
                        [microseconds(model, X[:n_rows], n_calls) for model in models]
                        for _ in range(N_REPEATS + 1)
                    ]
                )
                ours, theirs = np.median(times[1:], axis=0)
                rows.append(
                    [
                        str(hidden),
                        kind,
                        str(n_rows),
                        f"{ours:.0f}",
                        f"{theirs:.0f}",
                        f"{theirs / ours:.2f}",
                    ]
                )
    header = ["hidden", "X", "rows", "skmlp, us", "scikit-learn, us", "times faster"]
    print(markdown_table(header, rows))
    print("\n" + describe_machine("scikit-learn", "numpy", "pandas"))


if __name__ == "__main__":
    main()
