"""Rounds of training on shards that lie with workers, and the mean after each."""

from collections.abc import Callable, Sequence

import numpy as np
from distributed import Future

from skmlp.dask.cluster import Tasks
from skmlp.fitting.averaging import TrainingState, average_states
from skmlp.fitting.shards import CommunicationRound, Executor, RoundStats, ShardJob
from skmlp.training.batches import Samples, ShardedRows
from skmlp.training.threads import open_workers

STATES_AT_ONCE = 4
"""States whose mean is taken by one task."""


class OnCluster(Executor):
    """Has rounds carried out by workers.

    All tasks of an epoch are submitted at once. It begins with the state that the last
    one has ended with, which is here: so no more than an epoch is computed again.

    Parameters
    ----------
    tasks : Tasks
        Those of the fit.
    rows : ShardedRows
        The shards, as futures.
    """

    def __init__(self, tasks: Tasks, rows: ShardedRows) -> None:
        self.tasks = tasks
        self.sizes = rows.sizes
        self.shards: Sequence[Future] = rows.shards

    def run_epoch(
        self,
        job: ShardJob,
        state: TrainingState,
        rounds: Sequence[CommunicationRound],
        should_stop: Callable[[], bool],
    ) -> tuple[TrainingState, list[RoundStats]]:
        workers = self.tasks.places(len(self.shards))
        with Tasks(self.tasks.client) as tasks:
            in_common, now = tasks.send(job), tasks.send(state)
            states, promised = [], []
            for one in rounds:
                parts = [
                    tasks.submit(
                        part_in_round,
                        *(in_common, shard, now, one, number),
                        worker=workers[number],
                    )
                    for number, shard in enumerate(self.shards)
                ]
                now = mean_in_tree(tasks, parts)
                states.append(now)
                promised.append(tasks.submit(RoundStats.from_state, now))
            reports: list[RoundStats] = []
            for report in promised:
                reports.append(report.result())
                if reports[-1].weight and should_stop():
                    break
            return states[len(reports) - 1].result(), reports


def mean_in_tree(tasks: Tasks, parts: Sequence[Future]) -> Future:
    """The mean of states, of which a task takes some at a time.

    A task costs more than a mean. As it takes a power of two of them, it joins the same
    pairs as `average_states` would.
    """
    while len(parts) > 1:
        parts = [
            tasks.submit(mean_of_some, *parts[start : start + STATES_AT_ONCE])
            for start in range(0, len(parts), STATES_AT_ONCE)
        ]
    return parts[0]


def mean_of_some(*states: TrainingState) -> TrainingState:
    """The mean of some states, as a task."""
    return average_states(states)


def part_in_round(
    job: ShardJob,
    samples: Samples,
    state: TrainingState,
    of_all: CommunicationRound,
    shard: int,
) -> TrainingState:
    """One shard's part in a round, on one thread: workers have tasks for the others."""
    with open_workers(1) as workers:
        return job.train_shard(as_received(samples), state, of_all, shard, workers)


def as_received(samples: Samples) -> Samples:
    """Samples whose arrays are aligned: those of a message may begin at any byte."""
    arrays = {
        name: np.require(array, requirements=["ALIGNED"])
        for name, array in samples._asdict().items()
        if isinstance(array, np.ndarray)
    }
    return samples._replace(**arrays)
