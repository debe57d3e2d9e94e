"""The Dask client of a fit, and the tasks that it submits to workers."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any

from distributed import Client, Future, default_client
from distributed.protocol import pickle

CHUNK_SIZE = 1 << 22  # bytes per task; Dask warns if a task carries more than 10 MB


class Tasks(AbstractContextManager):
    """Tasks of a Dask client that are released together."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.futures: list[Future] = []

    def __exit__(self, *exception: object) -> None:
        # explicitly: a traceback may keep the futures, and with them what they hold on
        # the cluster, for as long as the session lasts
        for future in self.futures:
            future.release()

    def submit(
        self, function: Callable[..., Any], *args: Any, worker: str | None = None
    ) -> Future:
        """Call a function on a worker, preferably the given one."""
        future = self.client.submit(
            function,
            *args,
            workers=worker,
            # a preference only: if that worker dies, another one takes over
            allow_other_workers=worker is not None,
            # no sharing with equal tasks of another fit, which may be released earlier
            pure=False,
        )
        self.futures.append(future)
        return future

    def run(
        self, function: Callable[..., Any], *arguments: Collection[Any]
    ) -> list[Any]:
        """Call a function on workers for each set of arguments; return the results."""
        with Tasks(self.client) as tasks:  # workers need not keep the results
            tasks.futures = self.client.map(function, *arguments, pure=False)
            return self.client.gather(tasks.futures)

    def send(self, value: object, worker: str | None = None) -> Future:
        """Send a value to the cluster as the result of a task."""
        # Tasks carry their data. `client.scatter` would be shorter, but scattered data
        # is lost with its worker. The scheduler knows the arguments of a task, and
        # repeats the task elsewhere: that is why killed workers change no result.
        content = pickle.dumps(value)
        chunks = [
            self.submit(bytes, content[start : start + CHUNK_SIZE])  # as it is
            for start in range(0, len(content), CHUNK_SIZE)
        ]
        return self.submit(_unpickle, chunks, worker=worker)

    def assign_workers(self, n_shards: int) -> list[str | None]:
        """Return the preferred worker of each shard, such that all get equal shares."""
        # in the order of addresses, so that shards stay where they are between epochs;
        # without workers (some may be about to start) there is no preference
        workers = sorted(self.client.nthreads()) or [None]
        return [workers[shard % len(workers)] for shard in range(n_shards)]


def _unpickle(chunks: Sequence[bytes]) -> Any:
    """Restore a value that was pickled and sent in chunks."""
    return pickle.loads(b"".join(chunks))


def get_client(client: Client | None) -> Client:
    """Return the given client, or else the default one, if it is open."""
    if client is not None:
        if is_closed(client):
            raise ValueError(
                f"expected an open Dask client, got one that is {client.status}. Make "
                "a new one, as in client = distributed.Client(), and pass client=."
            )
        return client
    try:
        return default_client()
    except ValueError as error:
        raise ValueError(
            "there is no Dask cluster to train on; make one, as in "
            "client = distributed.Client(), or pass client=."
        ) from error


def is_closed(client: Client) -> bool:
    """Return True if a client has lost its scheduler, or is about to."""
    return client.status in ("closing", "closed")


def count_workers(client: Client) -> int:
    """Return the number of workers; raise ValueError if there is none."""
    n_workers = len(client.nthreads())
    if n_workers == 0:
        raise ValueError(
            "the cluster has no workers, of which each would get a shard; call "
            "client.wait_for_workers(n) before, or set n_shards."
        )
    return n_workers
