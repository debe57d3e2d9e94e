"""DaskMLPSoftmaxClassifier: rows and rounds of training on the workers of a cluster."""

import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, ExitStack
from copy import copy
from dataclasses import replace
from numbers import Integral
from operator import itemgetter
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn import HasMethods, Interval, validate_parameters
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.fitting.inputs import FittedInputs, ValidationData
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.recipe import Settings, is_auto
from skmlp.fitting.shards import Course, OnShards, Report, Round
from skmlp.fitting.solvers import SOLVERS, Descent, Trainer
from skmlp.fitting.sources import (
    InMemory,
    InParts,
    LabelsOfPart,
    Source,
    dense,
    encoded,
    n_encoder_rows,
    rows_where,
    weight_of_all,
)
from skmlp.fitting.targets import Targets, accuracy_of, check_labels
from skmlp.fitting.task import Data, Task
from skmlp.parts.rounds import State, batch_size_on, mean_of
from skmlp.parts.sample import Use
from skmlp.persistence.fingerprints import compute_fingerprint
from skmlp.tabular.names import list_some
from skmlp.tabular.tables import TableLike, taken_apart
from skmlp.training.batches import RowsInShards, Samples
from skmlp.training.threads import open_workers

try:
    import dask
    import dask.array as da
    import dask.dataframe as dd
    from dask.dataframe.dispatch import concat
    from distributed import Client, Future, KilledWorker, default_client
    from distributed.protocol import pickle
except ImportError as error:
    raise ImportError(
        "skmlp.dask needs Dask with its data frames and its scheduler; pip install "
        "'skmlp[dask]'."
    ) from error

MOST_ENCODER_ROWS = 200_000
"""Rows that the encoder is fitted on, where `fit` was called, if there are more."""

STATES_AT_ONCE = 4
"""States whose mean is taken by one task."""

PIECE_SIZE = 1 << 22
"""Most bytes of a value that are sent with one task; Dask warns of ten millions."""


# Tasks


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


# Partitions


class Part(NamedTuple):
    """The rows of one partition: a data frame or an array, labels and weights."""

    X: Any
    y: Any
    sample_weight: Any


def part_of(
    X: Any,
    y: Any,
    sample_weight: Any,
    columns: Sequence[Any],
    roles: Mapping[str, str],
    number: int,
) -> Part:
    """The parts that belong together, once it is sure that they do.

    `columns` are those of X as Dask knows it; `roles` has the names of those that stand
    for the labels or the weights.
    """
    if isinstance(X, pd.DataFrame) and list(X.columns) != columns:
        raise ValueError(
            f"partition {number} has the columns {list_some(list(X.columns))}, and X "
            f"should have {list_some(columns)}; select these in each partition."
        )
    if hasattr(X, "tocsr"):
        raise TypeError(
            f"X has blocks of the type {type(X).__name__}; workers train on dense "
            "ones: pass X.map_blocks(lambda block: block.toarray())."
        )
    if roles:
        X, taken = taken_apart(X, roles)
        y = taken.get("y", y)
        sample_weight = taken.get("sample_weight", sample_weight)
    for role, values in (("y", y), ("sample_weight", sample_weight)):
        if values is not None and len(values) != len(X):
            raise ValueError(
                f"partition {number} has {len(X)} rows in X and {len(values)} in "
                f"{role}; let both come from one table, or be persisted."
            )
    return Part(X, y, sample_weight)


def labels_of(part: Part) -> LabelsOfPart:
    """Labels and weights of a partition."""
    weight = part.sample_weight
    return LabelsOfPart.of(part.y, None if weight is None else np.asarray(weight))


def rows_of(part: Part, wanted: np.ndarray) -> Any:
    """The rows of a partition that a mask says."""
    return rows_where(wanted, part.X)


def words_of(part: Part) -> list[str | None]:
    """What tells a partition from others."""
    return [
        compute_fingerprint(None if given is None else one_table(given))
        for given in part
    ]


def one_table(given: Any) -> Any:
    """A series as a table, which is told apart by its name as well."""
    return given.to_frame() if isinstance(given, pd.Series) else given


def together(parts: Sequence[Any]) -> Any:
    """Partitions as one, as Dask computes it."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    if isinstance(parts[0], pd.DataFrame):
        parts = with_common_categories(parts)
    elif isinstance(parts[0], pd.Series) and len({part.dtype for part in parts}) > 1:
        # the dtype that joins integers of several types would merge some
        parts = [part.astype(object) for part in parts]
    return concat(parts) if len(parts) > 1 else parts[0]


def with_common_categories(frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames, where columns are categories of one type in all of them or in none.

    Where a column has no value, it has no say.
    """
    frames = list(frames)
    for name in set().union(*(frame.select_dtypes("category") for frame in frames)):
        columns = [frame[name] for frame in frames]
        known = [one.dtype for one in columns if hasattr(one, "cat")]
        others = [one for one in columns if not hasattr(one, "cat")]
        is_alike = len({dtype.categories.dtype for dtype in known}) == 1
        has_values = any(one.notna().any() for one in others)
        if not is_alike or has_values:
            frames = [frame.astype({name: object}) for frame in frames]
        elif others:
            frames = [
                frame if hasattr(one, "cat") else frame.astype({name: known[0]})
                for frame, one in zip(frames, columns, strict=True)
            ]
    return frames


class Partitions:
    """A table of Dask with its labels and weights, in the memory of workers.

    Parameters
    ----------
    tasks : Tasks
        Those of the fit.
    X : dask.dataframe.DataFrame or dask.array.Array
        The rows.
    y, sample_weight : dask.dataframe.Series, dask.array.Array or str
        Labels and weights, or names of columns of X; weights may be None.
    n_shards : int
        How many shards are wanted.

    Attributes
    ----------
    labels : list of LabelsOfPart
        Labels and weights of those partitions that have rows.
    futures : list of distributed.Future
        The partitions themselves.
    n_columns : int
        Columns of X, labels and weights aside.
    n_shards : int
        How many there are at most.
    """

    def __init__(
        self, tasks: Tasks, X: Any, y: Any, sample_weight: Any, n_shards: int
    ) -> None:
        self.given = X, y, sample_weight
        self.tasks = tasks
        names = {"y": y, "sample_weight": sample_weight}
        self.roles = {role: name for role, name in names.items() if is_name(name)}
        check_types(X, y, sample_weight)
        self.n_columns = X.shape[1] - len(self.roles)
        parts = aligned(X, y, sample_weight)
        columns = list(X.columns) if isinstance(X, dd.DataFrame) else []
        all_parts = self.tasks.client.compute(
            [
                dask.delayed(part_of, pure=False)(*part, columns, self.roles, number)
                for number, part in enumerate(parts)
            ]
        )
        self.tasks.futures += all_parts
        found = self.gather(labels_of, all_parts)
        rows = [number for number, labels in enumerate(found) if len(labels.of_row)]
        if not rows:
            raise ValueError("X has no rows, so there is nothing to learn from.")
        self.labels = [found[number] for number in rows]
        self.futures = [all_parts[number] for number in rows]
        self.n_shards = min(n_shards, len(rows))

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return sum(len(labels.of_row) for labels in self.labels)

    def gather(
        self,
        function: Callable[..., Any],
        parts: Sequence[Future],
        *arguments: Sequence[Any],
    ) -> list[Any]:
        """What a function says of each partition, with an argument of its own."""
        with Tasks(self.tasks.client) as tasks:
            given = zip(parts, *arguments, strict=True)
            return tasks.client.gather([tasks.submit(function, *one) for one in given])

    def places(self) -> Iterator[slice]:
        """Where the rows of each partition are among all."""
        stop = 0
        for labels in self.labels:
            start, stop = stop, stop + len(labels.of_row)
            yield slice(start, stop)

    def release(self) -> None:
        """Let go of the rows, which Dask computes again if it must."""
        for future in self.futures:
            future.release()


def n_workers_of(client: Client) -> int:
    """How many workers there are now, each of which is to get a shard."""
    n_workers = len(client.nthreads())
    if n_workers == 0:
        raise ValueError(
            "the cluster has no workers, of which each would get a shard; call "
            "client.wait_for_workers(n) before, or set n_shards."
        )
    return n_workers


def is_name(given: object) -> bool:
    """Whether this is the name of a column."""
    return isinstance(given, str)


def is_lazy(X: object) -> bool:
    """Whether these are rows of Dask."""
    return isinstance(X, dd.DataFrame | da.Array)


def check_types(X: Any, y: Any, sample_weight: Any) -> None:
    """Raise unless these are tables of Dask, or names where they may be."""
    if not is_lazy(X) or X.ndim != 2:
        raise TypeError(
            f"X should be a Dask DataFrame or a Dask Array of two axes, got "
            f"{type(X).__name__}{f' of {X.ndim} axes' if is_lazy(X) else ''}; use "
            "MLPSoftmaxClassifier for rows in memory and for files, or make a "
            "table of Dask, as by dask.dataframe.from_pandas or read_parquet."
        )
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None and role == "sample_weight":
            continue
        if is_name(given) and isinstance(X, dd.DataFrame):
            taken_apart(X._meta, {role: given})
        elif not isinstance(given, dd.Series | da.Array) or given.ndim != 1:
            name = ", or the name of a column" if isinstance(X, dd.DataFrame) else ""
            raise TypeError(
                f"{role} should be a Dask Series or a Dask Array of one axis{name}, "
                f"since X is of Dask; got {type(given).__name__}."
            )


def aligned(X: Any, y: Any, sample_weight: Any) -> list[tuple[Any, Any, Any]]:
    """The parts of each partition, which are taken to have the same rows."""
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1})
    parts: list[list[Any]] = [np.ravel(X.to_delayed()).tolist()]
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if given is None or is_name(given):
            parts.append([None] * len(parts[0]))
            continue
        if isinstance(X, da.Array) and isinstance(given, da.Array):
            given = with_blocks_of(X, given, role)
        parts.append(np.ravel(given.to_delayed()).tolist())
        if len(parts[-1]) != len(parts[0]):
            raise ValueError(
                f"X has {len(parts[0])} partitions and {role} has {len(parts[-1])}; "
                "let both come from one table, or repartition one like the other."
            )
    return list(zip(*parts, strict=True))


def with_blocks_of(X: da.Array, given: da.Array, role: str) -> da.Array:
    """Labels or weights in the blocks of X, where the lengths of these are known."""
    n_rows, n_given = X.shape[0], given.shape[0]
    if np.isnan(n_rows) or np.isnan(n_given):
        return given
    if n_rows != n_given:
        raise ValueError(f"X has {n_rows} rows and {role} has {n_given}.")
    return given.rechunk((X.chunks[0],))


# Sources


def source_on_cluster(
    model: "DaskMLPSoftmaxClassifier",
    parameters: Parameters,
    X: Any,
    y: Any,
    sample_weight: Any,
) -> AbstractContextManager[Source]:
    """Rows that a client gathers, if they are few, or that are left with workers."""
    with ExitStack() as stack:
        tasks = stack.enter_context(Tasks(client_of(model.client)))
        n_shards = int(model.n_shards or n_workers_of(tasks.client))
        partitions = Partitions(tasks, X, y, sample_weight, n_shards)
        limit = n_encoder_rows(parameters, partitions.n_columns, MOST_ENCODER_ROWS)
        kind = Gathered if partitions.n_rows <= limit else OnWorkers
        source = kind(partitions)
        stack.pop_all()  # to be closed with the source
    return source


class Gathered(InMemory):
    """Rows that are few enough to be encoded where `fit` was called.

    Parameters
    ----------
    partitions : Partitions
        Where they come from.
    """

    def __init__(self, partitions: Partitions) -> None:
        self.tasks = partitions.tasks
        self.n_shards = partitions.n_shards
        parts = self.tasks.client.gather(partitions.futures)
        partitions.release()
        X, y, weights = zip(*parts, strict=True)
        weight = None if weights[0] is None else together(weights)
        super().__init__(together(X), together(y), weight)

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def in_words(self) -> Mapping[str, TableLike | str | None]:
        return {**super().in_words(), **shards_in_words(self.n_shards)}

    def data(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        settings: Settings,
        validation_data: ValidationData,
        rng: np.random.Generator,
        is_warm_start: bool,
    ) -> Data:
        """As in memory; then the rows to train on are dealt to shards at random."""
        # rows lie in one place, and so are the same for all networks
        settings = settings._replace(n_folds=1)
        found = super().data(
            estimator,
            parameters,
            targets,
            settings,
            validation_data,
            rng,
            is_warm_start,
        )
        rows = found.samples.members(0)
        n_rows = len(rows.y_encoded)
        n_shards = min(self.n_shards, n_rows)
        # one shard is all there is, in the order of a plain fit
        order = np.arange(n_rows) if n_shards == 1 else rng.permutation(n_rows)
        parts = np.array_split(order, n_shards)
        workers = self.tasks.places(n_shards)
        shards = [
            self.tasks.send(compact(rows, part), worker)
            for part, worker in zip(parts, workers, strict=True)
        ]
        shape = dense(rows.x).shape
        x = RowsInShards((n_rows, shape[1]), tuple(map(len, parts)), shards)
        samples = found.samples._replace(x=x, rows=None)
        return found._replace(samples=samples)


def compact(rows: Samples, part: np.ndarray) -> Samples:
    """Some samples on a matrix of their own."""
    places = part if rows.rows is None else rows.rows[part]
    return rows.take(part)._replace(x=dense(rows.x)[places], rows=None)


def shards_in_words(n_shards: int) -> dict[str, str]:
    """What a checkpoint tells fits on shards apart by, beside their rows."""
    return {"number of shards (n_shards, or the workers at the start)": str(n_shards)}


class OnWorkers(InParts):
    """Rows that are encoded by workers, and stay there.

    Parameters
    ----------
    partitions : Partitions
        Where they come from.
    """

    most_encoder_rows = MOST_ENCODER_ROWS

    def __init__(self, partitions: Partitions) -> None:
        self.partitions = partitions
        self.tasks = partitions.tasks
        self.n_columns = partitions.n_columns
        self.X, self.y, self.sample_weight = partitions.given

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def in_words(self) -> Mapping[str, TableLike | str | None]:
        words = self.partitions.gather(words_of, self.partitions.futures)
        X, y, sample_weight = (repr(one) for one in zip(*words, strict=True))
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        return {**given, **shards_in_words(self.partitions.n_shards)}

    def labels(self) -> Sequence[LabelsOfPart]:
        return self.partitions.labels

    def rows(self, wanted: np.ndarray) -> TableLike:
        masks = [wanted[place] for place in self.partitions.places()]
        parts = self.partitions.gather(rows_of, self.partitions.futures, masks)
        return together(parts)

    def encode(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        uses: np.ndarray,
        sample: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """Partitions are encoded by workers, and dealt to the shards in turn."""
        assert isinstance(estimator, DaskMLPSoftmaxClassifier), "it has asked for this"
        plans = self.plans(targets, uses, sample)
        n_rows_of = [plan.n_to_train_on for plan in plans]
        n_shards = min(self.partitions.n_shards, int(np.count_nonzero(n_rows_of)))
        shard_of = (np.cumsum(np.array(n_rows_of) > 0) - 1).clip(0) % n_shards
        shards, validation = self.encoded(estimator.as_local(), plans, shard_of)
        sizes = np.bincount(shard_of, n_rows_of).astype(int)
        is_training = np.isin(uses, TO_TRAIN_ON)
        shape = (int(sizes.sum()), validation.x.shape[1])
        x = RowsInShards(shape, tuple(sizes.tolist()), shards)
        weight = weight_of_all(targets, len(uses))
        samples = Samples(
            x,
            self.y_encoded[is_training],
            None if weight is None else weight[is_training],
        )
        return samples, validation if len(validation.y_encoded) else None

    def encoded(
        self,
        estimator: MLPSoftmaxClassifier,
        plans: Sequence["Plan"],
        shard_of: np.ndarray,
    ) -> tuple[list[Future], Samples]:
        """The shards, of which each partition has its own, and the rows held out."""
        workers = self.tasks.places(int(shard_of.max()) + 1)
        with Tasks(self.tasks.client) as tasks:
            everywhere = tasks.send(estimator)
            encodings = [
                tasks.submit(
                    encoded_part,
                    *(everywhere, part, tasks.send(plan)),
                    worker=workers[shard],
                )
                for part, plan, shard in zip(
                    self.partitions.futures, plans, shard_of, strict=True
                )
            ]
            shards = [
                self.tasks.submit(
                    shard_of_parts,
                    *(encodings[place] for place in np.flatnonzero(shard_of == shard)),
                    worker=worker,
                )
                for shard, worker in enumerate(workers)
            ]
            validation = tasks.client.gather(
                [tasks.submit(itemgetter(1), one) for one in encodings]
            )
        self.partitions.release()
        return shards, joined(validation)

    def plans(
        self, targets: Targets, uses: np.ndarray, sample: np.ndarray | None
    ) -> list["Plan"]:
        """What is to be done with the rows of each partition."""
        weight = weight_of_all(targets, len(uses))
        plans, n_sampled = [], 0
        for place in self.partitions.places():
            use, known = uses[place], None
            if sample is not None:
                start = n_sampled
                n_sampled += int((use == Use.TRAINING_AND_ENCODER).sum())
                known = sample[start:n_sampled]
            its_weight = None if weight is None else weight[place]
            plans.append(Plan(use, self.y_encoded[place], its_weight, known))
        return plans


TO_TRAIN_ON = (Use.TRAINING, Use.TRAINING_AND_ENCODER)


class Plan(NamedTuple):
    """What is to be done with the rows of a partition.

    Attributes
    ----------
    use : ndarray of uint8 of shape (n_rows,)
        Members of `Use`.
    codes : ndarray of int of shape (n_rows,)
        Class of each row.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row.
    known : ndarray of shape (n_known, n_inputs) or None
        Those rows, encoded, that the encoder was fitted on.
    """

    use: np.ndarray
    y_encoded: np.ndarray
    weight: np.ndarray | None
    known: np.ndarray | None

    @property
    def n_to_train_on(self) -> int:
        """How many rows of it are in a shard."""
        return int(np.isin(self.use, TO_TRAIN_ON).sum())


def encoded_part(
    estimator: MLPSoftmaxClassifier, part: Part, plan: Plan
) -> tuple[Samples, Samples]:
    """The encoded rows of a partition: those to train on, and those held out."""
    use, y_encoded, weight, known = plan
    if not np.array_equal(labels_of(part).codes_among(estimator.classes_), y_encoded):
        raise RuntimeError(
            "a partition was lost with its worker, and has other labels now that it "
            "was computed again; write the table to Parquet, or sort it, before fit."
        )
    x = encoded(estimator, str(estimator.dtype), part.X, use, known)
    samples = Samples(x, y_encoded, weight)
    masks = np.isin(use, TO_TRAIN_ON), use == Use.HELD_OUT
    first, second = (
        samples.take(mask)._replace(x=x[mask], rows=None) for mask in masks
    )
    return first, second


def shard_of_parts(*encodings: tuple[Samples, Samples]) -> Samples:
    """The rows to train on of some partitions."""
    return joined([training for training, _ in encodings])


def joined(parts: Sequence[Samples]) -> Samples:
    """Samples one behind the other."""
    x, y_encoded, weights, _ = zip(*parts, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    return Samples(np.concatenate(x), np.concatenate(y_encoded), weight)


# Rounds


class OnCluster:
    """Has rounds carried out by workers.

    All tasks of an epoch are submitted at once. It begins with the state that the last
    one has ended with, which is here: so no more than an epoch is computed again.

    Parameters
    ----------
    tasks : Tasks
        Those of the fit.
    rows : RowsInShards
        The shards, as futures.
    """

    def __init__(self, tasks: Tasks, rows: RowsInShards) -> None:
        self.tasks = tasks
        self.sizes = rows.sizes
        self.shards: Sequence[Future] = rows.shards

    def epoch(
        self,
        course: Course,
        state: State,
        rounds: Sequence[Round],
        is_over: Callable[[], bool],
    ) -> tuple[State, list[Report]]:
        workers = self.tasks.places(len(self.shards))
        with Tasks(self.tasks.client) as tasks:
            in_common, now = tasks.send(course), tasks.send(state)
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
                promised.append(tasks.submit(Report.of, now))
            reports: list[Report] = []
            for report in promised:
                reports.append(report.result())
                if reports[-1].weight and is_over():
                    break
            return states[len(reports) - 1].result(), reports


def mean_in_tree(tasks: Tasks, parts: Sequence[Future]) -> Future:
    """The mean of states, of which a task takes some at a time.

    A task costs more than a mean. As it takes a power of two of them, it joins the same
    pairs as `mean_of` would.
    """
    while len(parts) > 1:
        parts = [
            tasks.submit(mean_of_some, *parts[start : start + STATES_AT_ONCE])
            for start in range(0, len(parts), STATES_AT_ONCE)
        ]
    return parts[0]


def mean_of_some(*states: State) -> State:
    """The mean of some states, as a task."""
    return mean_of(states)


def part_in_round(
    course: Course, samples: Samples, state: State, of_all: Round, shard: int
) -> State:
    """One shard's part in a round, on one thread: workers have tasks for the others."""
    with open_workers(1) as workers:
        return course.take(as_received(samples), state, of_all, shard, workers)


def as_received(samples: Samples) -> Samples:
    """Samples whose arrays are aligned: those of a message may begin at any byte."""
    arrays = {
        name: np.require(array, requirements=["ALIGNED"])
        for name, array in samples._asdict().items()
        if isinstance(array, np.ndarray)
    }
    return samples._replace(**arrays)


# The estimator


class DaskMLPSoftmaxClassifier(MLPSoftmaxClassifier):
    """:class:`MLPSoftmaxClassifier` for tables of Dask, trained by all of its workers.

    Rows are dealt to shards, which stay with the workers. Networks learn on each shard
    by themselves for a part of an epoch, a round; then all go on from the mean of what
    they have become. The same partitions, `n_shards` and `random_state` give the same
    model, bit for bit, on however many workers, also if some of them die.

    Parameters
    ----------
    *args, **parameters
        As of :class:`MLPSoftmaxClassifier`, where ``solver="lbfgs"`` is refused and
        `encoder_rows`, if "auto", is 200000, or fewer where there are more than 20
        columns. Of no more rows, all are gathered to be encoded where `fit` is called.
        Rows held out are the same for all networks.

    client : distributed.Client or None, default=None
        Where to train; None for the client that was made last. Neither copied by
        :func:`sklearn.base.clone` nor pickled.

    n_shards : int or None, default=None
        How many shards there are, at most as many as partitions with rows; None for the
        number of workers when `fit` is called. More shards learn somewhat less per
        epoch.

    rounds_per_epoch : int, default=8
        How often per epoch the mean is taken.

    Attributes
    ----------
    n_shards_ : int
        How many shards there were.

    See Also
    --------
    MLPSoftmaxClassifier : For rows in memory, or in files; has all other attributes.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> from distributed import Client
    >>> from sklearn.datasets import load_wine
    >>> from skmlp.dask import DaskMLPSoftmaxClassifier
    >>> client = Client(processes=False, n_workers=2, dashboard_address=":0")
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> table = dd.from_pandas(X.assign(kind=y), npartitions=4, sort=False)
    >>> model = DaskMLPSoftmaxClassifier(n_estimators=2, max_iter=20, random_state=0)
    >>> model = model.fit(table, "kind")
    >>> lazy = model.predict_proba(table.drop(columns="kind"))
    >>> lazy.compute().shape
    (178, 3)
    >>> bool(model.to_local().score(X, y) > 0.9)
    True
    >>> client.close()
    """

    _parameter_constraints: dict = {
        **MLPSoftmaxClassifier._parameter_constraints,
        "client": [HasMethods("submit"), None],
        "n_shards": [Interval(Integral, 1, None, closed="left"), None],
        "rounds_per_epoch": [Interval(Integral, 1, None, closed="left")],
    }

    n_shards_: int

    def __init__(
        self,
        *args: Any,
        client: Client | None = None,
        n_shards: int | None = None,
        rounds_per_epoch: int = 8,
        **parameters: Any,
    ) -> None:
        super().__init__(*args, **parameters)
        self.client = client
        self.n_shards = n_shards
        self.rounds_per_epoch = rounds_per_epoch

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the networks on the rows of X, on all workers.

        If it fails, the estimator stays as it was.

        Parameters
        ----------
        X : dask.dataframe.DataFrame or dask.array.Array of shape (n_samples, \
                n_features)
            The rows.
        y : dask.dataframe.Series, dask.array.Array or str
            Labels in as many partitions, or the name of the column of X that has them.
        sample_weight : dask.dataframe.Series, dask.array.Array or str, default=None
            Non-negative weight per row, likewise; None means 1.
        X_val, y_val, sample_weight_val : default=None
            Rows to score after each epoch, as of :class:`MLPSoftmaxClassifier`; those
            of Dask are computed.

        Returns
        -------
        self : DaskMLPSoftmaxClassifier
            The fitted estimator.

        Raises
        ------
        TypeError
            If X, y or weights are not of Dask.
        ValueError
            If data or parameters don't fit together, or there is no open client.
        RuntimeError
            If more workers have died than Dask allows, if they have another engine, or
            if the client or its cluster is closed meanwhile.
        """
        validate_parameters(self)  # before the client among them is used
        client = client_of(self.client)
        validation_data = self._computed(X_val, y_val, sample_weight_val)
        names = ("X_val", "y_val", "sample_weight_val")
        try:
            return super().fit(
                X, y, sample_weight, **dict(zip(names, validation_data, strict=True))
            )
        except KilledWorker as error:
            raise RuntimeError(
                f"{error.allowed_failures + 1} workers died over the same task, one "
                f"after the other; maybe they had too little memory. {self._way_on()}"
            ) from error
        except Exception as error:
            if not isinstance(error, CancelledError) and not has_closed(client):
                raise
            raise RuntimeError(
                "the Dask client or its cluster was closed before fit had ended. Make "
                "a new one, as in client = distributed.Client(), and pass client=. "
                f"{self._way_on()}"
            ) from error

    def _way_on(self) -> str:
        """What to do where a fit was cut off."""
        if self.checkpoint is None:
            return "With checkpoint= the name of a file, fit could go on where it was."
        path = os.fspath(self.checkpoint)
        return f"Called again, fit goes on from the last epoch saved to {path!r}."

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class for each row: of rows of Dask, as a Dask Array.

        Parameters
        ----------
        X : dask.dataframe.DataFrame, dask.array.Array, or what \
                `MLPSoftmaxClassifier` takes
            Rows with the columns that `fit` was given.

        Returns
        -------
        probabilities : dask.array.Array or ndarray of shape (n_samples, n_classes)
            Of a data frame, with unknown lengths of its blocks.
        """
        if is_lazy(X):
            return self._lazily("predict_proba", X)
        return super().predict_proba(X)

    def predict_log_proba(self, X: Any) -> Any:
        """Natural logarithm of `predict_proba`.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.

        Returns
        -------
        log_probabilities : dask.array.Array or ndarray of shape (n_samples, n_classes)
            As of `predict_proba`.
        """
        if is_lazy(X):
            return self._lazily("predict_log_proba", X)
        return super().predict_log_proba(X)

    def predict(self, X: Any) -> Any:
        """The most probable label of each row.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.

        Returns
        -------
        labels : dask.array.Array or ndarray of shape (n_samples,)
            Members of `classes_`.
        """
        if is_lazy(X):
            return self._lazily("predict", X)
        return super().predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict` on given rows; it is computed at once.

        Parameters
        ----------
        X : as of `predict_proba`
            The rows.
        y, sample_weight : as of `fit`
            The right labels, and weights or None.

        Returns
        -------
        score : float
            Part of the rows, by weight, whose label is predicted.
        """
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        given = {"y": y, "sample_weight": sample_weight}
        roles = {role: name for role, name in given.items() if is_name(name)}
        given |= {role: X[name] for role, name in roles.items()}
        if roles:
            X = X.drop(columns=list(roles.values()))
        predicted, labels, weight = self._computed(self.predict(X), *given.values())
        return accuracy_of(self.classes_, check_labels(labels), predicted, weight)

    def to_local(self) -> MLPSoftmaxClassifier:
        """What was learnt, as a classifier that knows nothing of Dask.

        Returns
        -------
        model : MLPSoftmaxClassifier
            Fitted; it shares its arrays with this one.
        """
        check_is_fitted(self)
        return self.as_local()

    def as_local(self) -> MLPSoftmaxClassifier:
        """The same, as far as it is fitted; callbacks are left out."""
        own = self.get_params(deep=False).keys() | {"n_shards_"}
        params = MLPSoftmaxClassifier().get_params(deep=False).keys()
        local = MLPSoftmaxClassifier(**{name: getattr(self, name) for name in params})
        for name, value in vars(self).items():
            if name not in own and not name.startswith("_skl"):
                setattr(local, name, value)
        return local

    def save(self, path: str | os.PathLike) -> None:
        """Write what `to_local` gives to a file that is safe to load.

        Parameters
        ----------
        path : str or os.PathLike
            Where to, as of `MLPSoftmaxClassifier.save`.
        """
        self.to_local().save(path)

    def __sklearn_clone__(self) -> Self:
        # a client is a connection, which can't be copied
        twin = BaseEstimator.__sklearn_clone__(copy(self))
        twin.client = self.client
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    def _computed(self, *values: Any) -> tuple[Any, ...]:
        """Those of the values that are of Dask, computed, beside the others."""
        scheduler = None if self.client is None else client_of(self.client)
        return tuple(
            value.compute(scheduler=scheduler)
            if dask.is_dask_collection(value)
            else value
            for value in values
        )

    def _lazily(self, method: str, X: Any) -> da.Array:
        """What a method of the classifier says of each partition."""
        model = dask.delayed(self.to_local())
        meta = np.empty(0, self.classes_.dtype)
        if method != "predict":
            meta = np.empty((0, len(self.classes_)), self.architecture_.dtype)
        if isinstance(X, dd.DataFrame):
            return X.map_partitions(answers, model, method, meta, meta=meta)
        X = X.rechunk({1: -1})
        return X.map_blocks(
            answers,
            *(model, method, meta),
            meta=meta,
            chunks=(X.chunks[0], *((n,) for n in meta.shape[1:])),
            drop_axis=1 if meta.ndim == 1 else None,
        )

    def _source(
        self, parameters: Parameters, X: Any, y: Any, sample_weight: Any
    ) -> AbstractContextManager[Source]:
        solver = SOLVERS[parameters.solver]
        solver.check_takes(parameters, "shards", "rows in shards")
        return source_on_cluster(self, parameters, X, y, sample_weight)

    def _trainer(
        self, parameters: Parameters, task: Task, settings: Settings
    ) -> Trainer:
        trainer = super()._trainer(parameters, task, settings)
        rows = task.samples.x
        if not isinstance(rows, RowsInShards):  # those of partial_fit
            return trainer
        assert isinstance(trainer, Descent), "others were refused"
        self.n_shards_ = len(rows.sizes)
        if is_auto(parameters.batch_size):
            batch_size = batch_size_on(self.n_shards_, trainer.batch_size)
            trainer = replace(trainer, batch_size=batch_size)
        runner = OnCluster(Tasks(client_of(self.client)), rows)
        return OnShards(trainer, runner, int(self.rounds_per_epoch))


def answers(rows: Any, model: MLPSoftmaxClassifier, method: str, none: Any) -> Any:
    """What a method of a model says of some rows; `none` where there are no rows."""
    return getattr(model, method)(rows) if len(rows) else none


def with_all_parameters() -> inspect.Signature:
    """The constructor's own parameters behind those of the classifier."""
    inherited = inspect.signature(MLPSoftmaxClassifier.__init__).parameters
    own = [
        parameter
        for parameter in inspect.signature(DaskMLPSoftmaxClassifier).parameters.values()
        if parameter.kind == inspect.Parameter.KEYWORD_ONLY
    ]
    return inspect.Signature([*inherited.values(), *own], return_annotation=None)


DaskMLPSoftmaxClassifier.__init__.__signature__ = with_all_parameters()  # type: ignore[attr-defined]
