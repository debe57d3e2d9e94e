"""Training on the workers of a local cluster: log-loss, speed-up, and time per round.

    python benchmarks/dask_rounds.py --quality     4 shards compared to a plain fit
    python benchmarks/dask_rounds.py --speed       two workers compared to one
    python benchmarks/dask_rounds.py --overhead    rounds with almost no training

Tables and networks are those of averaging.py. Measure times on an idle machine.
"""

import argparse
import time
import warnings

import dask.dataframe as dd
import numpy as np
import pandas as pd
from _machine import describe_machine, markdown_table
from averaging import load_rows
from distributed import Client, LocalCluster
from sklearn.metrics import log_loss

from skmlp import MLPSoftmaxClassifier
from skmlp.dask import DaskMLPSoftmaxClassifier

SETTINGS = {
    "hidden_layer_sizes": (256, 256),
    "batch_size": 512,
    "learning_rate": "cosine",
    "early_stopping": False,
    "random_state": 0,
}
N_SHARDS = 4


def start_cluster(n_workers):
    return LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
    )


def load_lazy_rows(table):
    X, _, y, _ = load_rows(table)
    return dd.from_pandas(X.assign(label=y), npartitions=4 * N_SHARDS, sort=False)


def quality(table="flights"):
    """Compare the test log-loss of a plain fit and of a fit on shards."""
    X, X_test, y, y_test = load_rows(table)
    rows = []
    with start_cluster(2) as cluster, Client(cluster):
        for n_epochs in (8, 32):
            given = {**SETTINGS, "n_estimators": 1, "max_iter": n_epochs}
            plain = MLPSoftmaxClassifier(**given).fit(X, y)
            on_shards = DaskMLPSoftmaxClassifier(**given, n_shards=N_SHARDS)
            on_shards.fit(load_lazy_rows(table), "label")
            losses = [
                log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
                for model in (plain, on_shards)
            ]
            rows.append([str(n_epochs), *(f"{loss:.4f}" for loss in losses)])
            rows[-1].append(f"{losses[1] - losses[0]:+.4f}")
    header = ["epochs", "plain fit", f"{N_SHARDS} shards", "difference"]
    print(markdown_table(header, rows))


def time_epochs(model, X, **given):
    """Return the seconds of each epoch but the first."""
    times = []

    def note(fitted, X, y):
        times.append(time.perf_counter())
        return 0.0

    validation_data = {"X_val": given.pop("X_val"), "y_val": given.pop("y_val")}
    model.set_params(scoring=note).fit(X, "label", **validation_data)
    # each network is scored once per epoch
    return np.diff(times[:: model.n_estimators])


def speed(table="flights", n_epochs=4):
    """Measure seconds per epoch on one worker and on two."""
    X, _, y, _ = load_rows(table)
    validation_data = {"X_val": X[:1000], "y_val": y[:1000]}
    found = {}
    for n_workers in (1, 2):
        with start_cluster(n_workers) as cluster, Client(cluster):
            model = DaskMLPSoftmaxClassifier(
                **SETTINGS | {"n_estimators": 4, "max_iter": n_epochs},
                n_shards=N_SHARDS,
                n_iter_no_change=np.inf,
            )
            times = time_epochs(model, load_lazy_rows(table), **validation_data)
            found[n_workers] = np.median(times)
            print(f"{n_workers} workers: {found[n_workers]:.3f} s per epoch", times)
    print(f"two workers by one: {found[1] / found[2]:.2f} times as fast")


def overhead(n_epochs=20, n_rounds=8):
    """Measure seconds per round on a tiny table."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N_SHARDS * n_rounds, 2)), columns=["a", "b"])
    y = X["a"] > 0
    validation_data = {"X_val": X, "y_val": y}
    table = dd.from_pandas(X.assign(label=y), npartitions=N_SHARDS, sort=False)
    with start_cluster(2) as cluster, Client(cluster):
        model = DaskMLPSoftmaxClassifier(
            **SETTINGS | {"n_estimators": 4, "max_iter": n_epochs, "batch_size": 1},
            n_shards=N_SHARDS,
            rounds_per_epoch=n_rounds,
            n_iter_no_change=np.inf,
        )
        times = time_epochs(model, table, **validation_data)
    print(f"{model.n_parameters_} parameters in each of 4 networks")
    print(f"{np.median(times) / n_rounds:.3f} s per round", times / n_rounds)


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections = (quality, speed, overhead)
    for section in sections:
        parser.add_argument(f"--{section.__name__}", action="store_true")
    given = vars(parser.parse_args())
    for section in sections:
        if given[section.__name__] or not any(given.values()):
            section()
    print("\n" + describe_machine("numpy", "dask", "distributed"))


if __name__ == "__main__":
    main()
