"""Simulated speed-up of local SGD on many workers, by a model of compute and network.

    python benchmarks/scaling.py

Only the rows per second of one core are measured on this machine, by processor time
(the best round, so that other programs have little influence). A round takes the time
of its slowest worker, plus the transfer of states up a binary tree and of their mean
down again, plus the work of the scheduler. The model:

- four networks of (256, 256) on the columns of flights, and Adam's two moments, one
  core per worker, 8 or 32 rounds per epoch;
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
from averaging import Run, prepare_run
from threadpoolctl import threadpool_limits

from skmlp.fitting.averaging import LocalSteps
from skmlp.fitting.trainer import init_state

N_NETWORKS = 4
N_ROUNDS = [8, 32]
SPREAD = 0.1
SECONDS_PER_SHARD = 0.007
"""Assumed work of the scheduler per round: 0.7 s for the tasks of 100 shards."""

N_DRAWS = 1000
N_WORKERS = [1, 2, 4, 8, 16, 32, 64, 100]


class Link(NamedTuple):
    """A network connection between two workers."""

    name: str
    latency: float  # seconds
    bandwidth: float  # bytes per second


LINKS = [
    Link("10 Gbit/s, 0.1 ms", 1e-4, 10e9 / 8),
    Link("1 Gbit/s, 1 ms", 1e-3, 1e9 / 8),
    Link("0.1 Gbit/s, 20 ms", 2e-2, 0.1e9 / 8),
]


class Seconds(NamedTuple):
    """Parts of the duration of a round."""

    compute: float
    slowest: float
    network: float
    scheduler: float


class Machines(NamedTuple):
    """Measured properties that the model needs."""

    speed: float  # rows per second, by one core for one network
    n_bytes: float  # size of the state of all networks

    def estimate_round(self, n_workers, n_rows, link, n_rounds):
        """Estimate the duration of a round with `n_rows` on each worker."""
        compute = N_NETWORKS * n_rows / n_rounds / self.speed
        if n_workers == 1:
            return Seconds(compute, 0.0, 0.0, 0.0)
        rng = np.random.default_rng(0)
        factors = rng.lognormal(sigma=SPREAD, size=(N_DRAWS, n_workers))
        slowest = compute * (factors.max(axis=1).mean() - 1)
        n_levels = math.ceil(math.log2(n_workers))
        of_level = link.latency + self.n_bytes / link.bandwidth
        scheduler = SECONDS_PER_SHARD * n_workers
        return Seconds(compute, slowest, 2 * n_levels * of_level, scheduler)

    def estimate_speedup(self, n_workers, n_rows, link, n_rounds):
        """Return the rows per second relative to one worker, with `n_rows` on each."""
        alone, together = (
            sum(self.estimate_round(n, n_rows, link, n_rounds)) for n in (1, n_workers)
        )
        return n_workers * alone / together


def measure_machine():
    """Measure the speed of one core, and the size of a state."""
    run = Run("flights", 1)
    _, task, solver = prepare_run(run)
    task = replace(task, backend=solver.select_backend(task))
    state, schedule = init_state(task), solver.build_schedule(task)
    rates = []
    with threadpool_limits(1):
        for number in range(N_ROUNDS[0]):
            begin = time.process_time()
            state = solver.train_locally(
                task,
                state,
                LocalSteps(0, number, N_ROUNDS[0]),
                solver.learning_rate,
                schedule,
            )
            rates.append(state.weight / (time.process_time() - begin))
    vectors = [
        state.parameters,
        *(v for k, v in state.optimizer_state.items() if k != "t"),
    ]
    n_bytes = N_NETWORKS * sum(vector.nbytes for vector in vectors)
    return Machines(max(rates), n_bytes)


def print_tables(machines):
    print(
        f"one core: {machines.speed:.0f} rows/s for one network; "
        f"state: {machines.n_bytes / 1e6:.1f} MB\n"
    )
    rows = [
        [
            f"{n_rows}",
            *(
                f"{machines.estimate_speedup(100, n_rows, link, n_rounds):.2g}"
                for link in LINKS
                for n_rounds in N_ROUNDS
            ),
        ]
        for n_rows in (10_000, 100_000, 1_000_000, 10_000_000)
    ]
    header = ["speed-up of 100 workers, rows of each"]
    header += [f"{link.name}, {n} rounds" for link in LINKS for n in N_ROUNDS]
    print(markdown_table(header, rows) + "\n")
    rows = []
    for n_workers in N_WORKERS:
        parts = machines.estimate_round(n_workers, 1_000_000, LINKS[1], N_ROUNDS[0])
        found = machines.estimate_speedup(n_workers, 1_000_000, LINKS[1], N_ROUNDS[0])
        cells = [f"{value:.2f} s" for value in (*parts, sum(parts))]
        rows.append([str(n_workers), *cells, f"{found:.1f}"])
    header = ["workers of 1000000 rows, 1 Gbit/s, 8 rounds", "compute", "the slowest"]
    header += ["network", "scheduler", "a round", "speed-up"]
    print(markdown_table(header, rows))


def plot_speedups(machines):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    n_rows_of_each = np.geomspace(1e4, 1e7, 40)
    for link, color in zip(LINKS, ["#c0392b", "#2c6fbb", "#7f8c8d"], strict=True):
        for n_rounds, style in zip(N_ROUNDS, ["-", "--"], strict=True):
            setting = link, n_rounds
            looks = {"color": color, "linestyle": style}
            label = f"{link.name}, {n_rounds} rounds"
            found = [
                machines.estimate_speedup(n, 1_000_000, *setting) for n in N_WORKERS
            ]
            axes[0].plot(N_WORKERS, found, marker=".", label=label, **looks)
            found = [
                machines.estimate_speedup(100, n, *setting) for n in n_rows_of_each
            ]
            axes[1].plot(n_rows_of_each, found, **looks)
    axes[0].plot(N_WORKERS, N_WORKERS, color="#999999", linestyle=":", label="ideal")
    axes[0].set(xlabel="workers, each with 1 million rows", xlim=(0, 102))
    axes[1].set(xlabel="rows of each of 100 workers", xscale="log")
    axes[1].xaxis.set_major_formatter("{x:,.0f}")
    for ax in axes:
        ax.set(ylabel="speed-up", ylim=(0, 102))
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("Simulated: four networks, and a mean in a tree after each round")
    save(figure, "scaling.png")


def main():
    machines = measure_machine()
    print_tables(machines)
    plot_speedups(machines)
    print("\n" + describe_machine("numpy", "scikit-learn"))


if __name__ == "__main__":
    main()
