"""Communication rounds on a cluster: local steps per shard, then averaging."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from distributed import Future

from skmlp.dask.cluster import Tasks
from skmlp.fitting.averaging import TrainingState, average_states
from skmlp.fitting.shards import CommunicationRound, Executor, RoundStats, ShardJob
from skmlp.training.batches import Samples, ShardedRows
from skmlp.training.threads import open_workers

STATES_PER_TASK = 4  # a power of two; a task costs more than the mean of two states


class DaskExecutor(Executor):
    """Runs the communication rounds of an epoch on the workers of a cluster."""

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
        workers = self.tasks.assign_workers(len(self.shards))
        # The graph of the whole epoch is submitted at once, so that no worker waits for
        # the client between rounds:
        #
        #     shard 0 -> local steps --+           +-> local steps --+
        #                              +-> average +                 +-> average -> ...
        #     shard 1 -> local steps --+           +-> local steps --+
        #
        # It begins with the state that the last epoch has brought to the client. So if
        # a worker dies, no more than its part of this epoch is computed again.
        with Tasks(self.tasks.client) as tasks:
            shared_job, current = tasks.send(job), tasks.send(state)
            averages, futures = [], []
            for one_round in rounds:
                states = [
                    tasks.submit(
                        _take_local_steps,
                        *(shared_job, samples, current, one_round, shard),
                        worker=workers[shard],
                    )
                    for shard, samples in enumerate(self.shards)
                ]
                current = _average(tasks, states)
                averages.append(current)
                futures.append(tasks.submit(RoundStats.from_state, current))
            stats: list[RoundStats] = []
            for future in futures:
                stats.append(future.result())
                # a round may be too short for a batch; then there is nothing to keep
                if stats[-1].weight and should_stop():
                    break
            # only now does a state travel to the client; rounds after it are cancelled
            return averages[len(stats) - 1].result(), stats


def _average(tasks: Tasks, states: Sequence[Future]) -> Future:
    """Average the states of all shards by a tree of tasks."""
    # Each level averages groups of a power of two, each in pairs. So the same pairs
    # are joined as by one call of `average_states`, and the result has the same bits.
    while len(states) > 1:
        states = [
            tasks.submit(average_states, states[start : start + STATES_PER_TASK])
            for start in range(0, len(states), STATES_PER_TASK)
        ]
    return states[0]


def _take_local_steps(
    job: ShardJob,
    samples: Samples,
    state: TrainingState,
    one_round: CommunicationRound,
    shard: int,
) -> TrainingState:
    """Train on one shard for one round, as a task."""
    # one thread: Dask runs tasks of other shards on the other threads of a worker
    with open_workers(1) as workers:
        return job.train_shard(_align_arrays(samples), state, one_round, shard, workers)


def _align_arrays(samples: Samples) -> Samples:
    """Copy arrays that are not aligned: in a message they may start at any byte."""
    arrays: list[Any] = [
        None if values is None else np.require(values, requirements=["ALIGNED"])
        for values in samples
    ]
    return Samples(*arrays)
