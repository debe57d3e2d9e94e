"""Rows of a fit on a cluster: gathered if they are few, else encoded by workers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from distributed import Future

from skmlp.dask.cluster import Tasks, client_of, n_workers_of
from skmlp.dask.partitions import (
    Part,
    Partitions,
    labels_of,
    rows_of,
    together,
    words_of,
)
from skmlp.data.inputs import FittedInputs, check_dense
from skmlp.data.sources import (
    MemorySource,
    PartedSource,
    PartLabels,
    Source,
    encode_part,
    resolve_encoder_rows,
)
from skmlp.data.splits import SplitRole
from skmlp.fitting.config import TrainData
from skmlp.fitting.parameters import Parameters
from skmlp.tabular.frame import TableLike
from skmlp.training.batches import Samples, ShardedRows

if TYPE_CHECKING:
    from skmlp.dask.classifier import DaskMLPSoftmaxClassifier


MOST_ENCODER_ROWS = 200_000
"""Rows that the encoder is fitted on, where `fit` was called, if there are more."""


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
        limit = resolve_encoder_rows(
            parameters, partitions.n_columns, MOST_ENCODER_ROWS
        )
        kind = Gathered if partitions.n_rows <= limit else OnWorkers
        source = kind(partitions)
        stack.pop_all()  # to be closed with the source
    return source


class Gathered(MemorySource):
    """Rows that are few enough to be encoded where `fit` was called.

    Parameters
    ----------
    partitions : Partitions
        Where they come from.
    """

    has_one_split = True  # rows lie in one place, and so are the same for all networks

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

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        return {**super().fingerprint(), **shards_in_words(self.n_shards)}

    def place(self, data: TrainData, rng: np.random.Generator) -> TrainData:
        """Deal the training rows to shards at random."""
        rows = data.samples.select_members(0)
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
        shape = check_dense(rows.x).shape
        x = ShardedRows((n_rows, shape[1]), tuple(map(len, parts)), shards)
        samples = data.samples._replace(x=x, indices=None)
        return data._replace(samples=samples)


def compact(rows: Samples, part: np.ndarray) -> Samples:
    """Some samples on a matrix of their own."""
    places = part if rows.indices is None else rows.indices[part]
    return rows.take(part)._replace(x=check_dense(rows.x)[places], indices=None)


def shards_in_words(n_shards: int) -> dict[str, str]:
    """What a checkpoint tells fits on shards apart by, beside their rows."""
    return {"number of shards (n_shards, or the workers at the start)": str(n_shards)}


class OnWorkers(PartedSource):
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

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        words = self.partitions.gather(words_of, self.partitions.futures)
        X, y, sample_weight = (repr(one) for one in zip(*words, strict=True))
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        return {**given, **shards_in_words(self.partitions.n_shards)}

    def labels(self) -> Sequence[PartLabels]:
        return self.partitions.labels

    def rows(self, wanted: np.ndarray) -> TableLike:
        masks = [wanted[place] for place in self.partitions.places()]
        parts = self.partitions.gather(rows_of, self.partitions.futures, masks)
        return together(parts)

    def encode(
        self,
        inputs: FittedInputs,
        parameters: Parameters,
        roles: np.ndarray,
        known: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """Partitions are encoded by workers, and dealt to the shards in turn."""
        plans = self.plans(roles, known)
        n_rows_of = [plan.n_to_train_on for plan in plans]
        n_shards = min(self.partitions.n_shards, int(np.count_nonzero(n_rows_of)))
        shard_of = (np.cumsum(np.array(n_rows_of) > 0) - 1).clip(0) % n_shards
        shards, validation = self.encoded((inputs, parameters.dtype), plans, shard_of)
        sizes = np.bincount(shard_of, n_rows_of).astype(int)
        is_training = np.isin(roles, TO_TRAIN_ON)
        shape = (int(sizes.sum()), validation.x.shape[1])
        x = ShardedRows(shape, tuple(sizes.tolist()), shards)
        weight = self.targets.full_weight()
        samples = Samples(
            x,
            self.targets.y[is_training],
            None if weight is None else weight[is_training],
        )
        return samples, validation if len(validation.y_encoded) else None

    def encoded(
        self,
        reading: tuple[FittedInputs, str],
        plans: Sequence["Plan"],
        shard_of: np.ndarray,
    ) -> tuple[list[Future], Samples]:
        """The shards, of which each partition has its own, and the rows held out."""
        workers = self.tasks.places(int(shard_of.max()) + 1)
        with Tasks(self.tasks.client) as tasks:
            everywhere = tasks.send((*reading, self.targets.classes))
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

    def plans(self, uses: np.ndarray, sample: np.ndarray | None) -> list["Plan"]:
        """What is to be done with the rows of each partition."""
        weight = self.targets.full_weight()
        plans, n_sampled = [], 0
        for place in self.partitions.places():
            use, known = uses[place], None
            if sample is not None:
                start = n_sampled
                n_sampled += int((use == SplitRole.ENCODER).sum())
                known = sample[start:n_sampled]
            its_weight = None if weight is None else weight[place]
            plans.append(Plan(use, self.targets.y[place], its_weight, known))
        return plans


TO_TRAIN_ON = (SplitRole.TRAINING, SplitRole.ENCODER)


class Plan(NamedTuple):
    """What is to be done with the rows of a partition.

    Attributes
    ----------
    use : ndarray of uint8 of shape (n_rows,)
        Members of `SplitRole`.
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
    reading: tuple[FittedInputs, str, np.ndarray], part: Part, plan: Plan
) -> tuple[Samples, Samples]:
    """The encoded rows of a partition: those to train on, and those held out."""
    inputs, dtype, classes = reading
    use, y_encoded, weight, known = plan
    if not np.array_equal(labels_of(part).encode(classes), y_encoded):
        raise RuntimeError(
            "a partition was lost with its worker, and has other labels now that it "
            "was computed again; write the table to Parquet, or sort it, before fit."
        )
    x = encode_part(inputs, dtype, part.X, use, known)
    samples = Samples(x, y_encoded, weight)
    masks = np.isin(use, TO_TRAIN_ON), use == SplitRole.VALIDATION
    first, second = (
        samples.take(mask)._replace(x=x[mask], indices=None) for mask in masks
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
