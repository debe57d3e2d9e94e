"""How rounds on many workers would scale, by a model of compute and network.

    python benchmarks/scaling.py

A simulation; only the rows per second of one core are measured, on this machine. A
round takes as long as its slowest worker computes, plus the way of the states up a
binary tree and of their mean down again, plus the work of the scheduler. The model:

- four networks of (256, 256) on the columns of flights, and Adam's two moments, one
  core per worker, 8 rounds per epoch;
- a worker's speed varies from round to round by a lognormal factor of 10%;
- each level of the tree, up and down, takes the latency of a link and the bytes of a
  state by its bandwidth; all links of a level work at the same time;
- a scheduler such as Dask's takes 7 ms per shard and round for its tasks and joins.
"""

import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from _machine import describe_machine, markdown_table, save
from averaging import Run, start_of
from threadpoolctl import threadpool_limits

from skmlp.fitting.solvers import first_state
from skmlp.parts.rounds import Visit

N_NETWORKS = 4
N_ROUNDS = 8
SPREAD = 0.1
SECONDS_PER_SHARD = 0.007
"""Of a scheduler and round: a round with nothing to do took 0.7 s on a hundred workers
of a local cluster of Dask."""

N_DRAWS = 1000
N_WORKERS = [1, 2, 4, 8, 16, 32, 64, 100]


class Link(NamedTuple):
    """What lies between two workers."""

    name: str
    latency: float
    bandwidth: float


LINKS = [
    Link("10 Gbit/s, 0.1 ms", 1e-4, 10e9 / 8),
    Link("1 Gbit/s, 1 ms", 1e-3, 1e9 / 8),
    Link("0.1 Gbit/s, 20 ms", 2e-2, 0.1e9 / 8),
]


def measured():
    """Rows per second of one network on one core, and bytes of its state."""
    run = Run("flights", 1)
    _, task, solver = start_of(run)
    task = replace(task, engine=solver.engine(task))
    state, schedule = first_state(task), solver.schedule_of(task)
    rates = []
    with threadpool_limits(1):
        for number in range(4):
            begin = time.perf_counter()
            state = solver.take_round(
                task, state, Visit(0, number, N_ROUNDS), solver.learning_rate, schedule
            )
            rates.append(state.weight / (time.perf_counter() - begin))
    vectors = [state.parameters, *(v for k, v in state.rule_state.items() if k != "t")]
    return float(np.median(rates)), sum(vector.nbytes for vector in vectors)


class Seconds(NamedTuple):
    """Of which a round is made."""

    compute: float
    slowest: float
    network: float
    scheduler: float

    @property
    def of_round(self):
        return sum(self)


def seconds_of_round(n_workers, n_rows, link, speed, n_bytes):
    """A round of workers, each with so many rows."""
    compute = N_NETWORKS * n_rows / N_ROUNDS / speed
    rng = np.random.default_rng(0)
    factors = rng.lognormal(sigma=SPREAD, size=(N_DRAWS, n_workers))
    wait = compute * (factors.max(axis=1).mean() - 1) if n_workers > 1 else 0.0
    n_levels = math.ceil(math.log2(n_workers))
    of_level = link.latency + N_NETWORKS * n_bytes / link.bandwidth
    scheduler = SECONDS_PER_SHARD * n_workers if n_workers > 1 else 0.0
    return Seconds(compute, wait, 2 * n_levels * of_level, scheduler)


def speedup(n_workers, n_rows, link, speed, n_bytes):
    """Rows per second by those of one worker; each worker has so many rows."""
    alone = seconds_of_round(1, n_rows, link, speed, n_bytes).of_round
    together = seconds_of_round(n_workers, n_rows, link, speed, n_bytes).of_round
    return n_workers * alone / together


def print_tables(speed, n_bytes):
    facts = (speed, n_bytes)
    print(
        f"one core: {speed:.0f} rows/s and network; "
        f"a state: {N_NETWORKS * n_bytes / 1e6:.1f} MB\n"
    )
    rows = [
        [f"{n_rows}", *(f"{speedup(100, n_rows, link, *facts):.0f}" for link in LINKS)]
        for n_rows in (10_000, 100_000, 1_000_000, 10_000_000)
    ]
    header = ["speed-up of 100 workers, rows of each", *(link.name for link in LINKS)]
    print(markdown_table(header, rows) + "\n")
    rows = []
    for n_workers in N_WORKERS:
        parts = seconds_of_round(n_workers, 1_000_000, LINKS[1], *facts)
        found = speedup(n_workers, 1_000_000, LINKS[1], *facts)
        cells = [f"{value:.2f} s" for value in (*parts, parts.of_round)]
        rows.append([str(n_workers), *cells, f"{found:.1f}"])
    header = ["workers of 1000000 rows, 1 Gbit/s", "compute", "the slowest", "network"]
    print(markdown_table([*header, "scheduler", "a round", "speed-up"], rows))


def draw(speed, n_bytes):
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    colors = ["#c0392b", "#2c6fbb", "#7f8c8d"]
    n_rows_of_each = np.geomspace(1e4, 1e7, 40)
    for link, color in zip(LINKS, colors, strict=True):
        left.plot(
            N_WORKERS,
            [speedup(n, 1_000_000, link, speed, n_bytes) for n in N_WORKERS],
            marker="o",
            color=color,
            label=link.name,
        )
        parts = [
            speedup(100, n_rows, link, speed, n_bytes) for n_rows in n_rows_of_each
        ]
        right.plot(n_rows_of_each, parts, color=color, label=link.name)
    left.plot(N_WORKERS, N_WORKERS, color="#999999", linestyle=":", label="ideal")
    left.set(
        xlabel="workers, each with 1 million rows",
        ylabel="speed-up",
        xscale="log",
        yscale="log",
    )
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter("{x:g}")
    right.set(
        xlabel="rows of each of 100 workers",
        ylabel="speed-up",
        xscale="log",
        ylim=(0, 100),
    )
    right.xaxis.set_major_formatter("{x:,.0f}")
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    figure.suptitle(
        "Simulated: four networks, 8 rounds per epoch, a mean in a tree after each"
    )
    save(figure, "scaling.png")


def main():
    facts = measured()
    print_tables(*facts)
    draw(*facts)
    print("\n" + describe_machine("numpy", "scikit-learn"))


if __name__ == "__main__":
    main()
