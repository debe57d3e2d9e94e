"""Dask's cluster: the client, and tasks that are released together."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from distributed import Client, Future, default_client
from distributed.protocol import pickle

PIECE_SIZE = 1 << 22
"""Most bytes of a value that are sent with one task; Dask warns of ten millions."""


class Tasks(AbstractContextManager):
    """What workers are asked to do, and let go of together.

    A value that they need goes with a task, and not to a worker's memory: so Dask can
    compute everything again that is lost with a worker.

    Parameters
    ----------
    client : distributed.Client
        Who asks.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.futures: list[Future] = []
        self.workers: list[str] = []

    def __exit__(self, *exception: object) -> None:
        for future in self.futures:
            future.release()

    def submit(
        self, function: Callable[..., Any], *args: Any, worker: str | None = None
    ) -> Future:
        """Have a function called, on a certain worker if that is there."""
        future = self.client.submit(
            function,
            *args,
            workers=worker,
            allow_other_workers=worker is not None,
            # the same arguments, in another fit, are for its own tasks
            pure=False,
        )
        self.futures.append(future)
        return future

    def send(self, value: object, worker: str | None = None) -> Future:
        """Have a value where workers get it, in pieces that a task can bear."""
        content = pickle.dumps(value)
        pieces = [
            self.submit(itself, content[start : start + PIECE_SIZE])
            for start in range(0, len(content), PIECE_SIZE)
        ]
        return self.submit(received, *pieces, worker=worker)

    def places(self, n_shards: int) -> list[str]:
        """A worker for each shard: the one of before, if it is still there."""
        there = list(self.client.nthreads())
        before = self.workers or [""] * n_shards
        n_shards_of = Counter(worker for worker in before if worker in there)
        if not there:  # others are about to start; then any may do it
            return before
        self.workers = []
        for worker in before:
            if worker not in there:
                worker = min(there, key=n_shards_of.__getitem__)
                n_shards_of[worker] += 1
            self.workers.append(worker)
        return self.workers


def itself(value: Any) -> Any:
    """A value, as the outcome of a task."""
    return value


def received(*pieces: bytes) -> Any:
    """The value that was sent in these pieces."""
    return pickle.loads(b"".join(pieces))


def client_of(given: Client | None) -> Client:
    """The client that was given, or the one that was made last."""
    if given is not None:
        if has_closed(given):
            raise ValueError(
                f"expected an open Dask client, got one that is {given.status}. Make a "
                "new one, as in client = distributed.Client(), and pass client=."
            )
        return given
    try:
        return default_client()
    except ValueError as error:
        raise ValueError(
            "there is no Dask cluster to train on; make one, as in "
            "client = distributed.Client(), or pass client=."
        ) from error


def has_closed(client: Client) -> bool:
    """Return True if a client has lost its scheduler, or is about to."""
    return client.status in ("closing", "closed")


def n_workers_of(client: Client) -> int:
    """How many workers there are now, each of which is to get a shard."""
    n_workers = len(client.nthreads())
    if n_workers == 0:
        raise ValueError(
            "the cluster has no workers, of which each would get a shard; call "
            "client.wait_for_workers(n) before, or set n_shards."
        )
    return n_workers
