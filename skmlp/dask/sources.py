"""Training rows on a cluster: gathered if they are few, else encoded by workers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from distributed import Future

from skmlp.dask.cluster import Tasks, count_workers, get_client
from skmlp.dask.partitions import (
    Partition,
    Partitions,
    concat_parts,
    factorize_labels,
    fingerprint_partition,
)
from skmlp.data.inputs import FittedInputs, check_dense
from skmlp.data.sources import (
    MemorySource,
    PartedSource,
    PartLabels,
    Source,
    encode_part,
    resolve_encoder_rows,
    select_rows,
)
from skmlp.data.splits import SplitRole
from skmlp.fitting.config import TrainData
from skmlp.fitting.parameters import Parameters
from skmlp.tabular.frame import TableLike
from skmlp.training.batches import Samples, ShardedRows

if TYPE_CHECKING:
    from skmlp.dask.classifier import DaskMLPSoftmaxClassifier


MAX_GATHERED_ROWS = 200_000  # for the encoder; fewer if there are many columns

_Fitted: TypeAlias = tuple[FittedInputs, str, np.ndarray]
"""What workers encode with: inputs, dtype of the matrix, and classes."""

TRAINING = (SplitRole.TRAINING, SplitRole.ENCODER)

N_SHARDS = "number of shards (n_shards, or the workers at the start)"  # in fingerprints


def open_dask_source(
    estimator: "DaskMLPSoftmaxClassifier",
    parameters: Parameters,
    X: Any,
    y: Any,
    sample_weight: Any,
) -> AbstractContextManager[Source]:
    """Load lazy tables into workers' memory; gather them here if the rows are few."""
    with ExitStack() as stack:
        tasks = stack.enter_context(Tasks(get_client(estimator.client)))
        n_shards = int(estimator.n_shards or count_workers(tasks.client))
        partitions = Partitions(tasks, X, y, sample_weight, n_shards)
        limit = resolve_encoder_rows(
            parameters, partitions.n_columns, MAX_GATHERED_ROWS
        )
        kind = GatheredSource if partitions.n_rows <= limit else WorkerSource
        source = kind(partitions)
        stack.pop_all()  # the source closes the tasks
    return source


class GatheredSource(MemorySource):
    """Rows that are encoded here, as in a plain fit, and then dealt to shards."""

    # a row lies in one shard only, so all networks have the same validation rows
    has_one_split = True

    def __init__(self, partitions: Partitions) -> None:
        self.tasks = partitions.tasks
        self.n_shards = partitions.n_shards
        parts = self.tasks.client.gather(partitions.futures)
        partitions.release()
        super().__init__(*map(concat_parts, zip(*parts, strict=True)))

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        return {**super().fingerprint(), N_SHARDS: str(self.n_shards)}

    def place(self, data: TrainData, rng: np.random.Generator) -> TrainData:
        """Deal the training rows to shards at random."""
        samples = data.samples.select_members(0)
        n_rows = len(samples.y_encoded)
        n_shards = min(self.n_shards, n_rows)
        # At random, since in a table that is sorted by label a shard would see few of
        # the labels. A single shard keeps the order, and so repeats a plain fit.
        order = np.arange(n_rows) if n_shards == 1 else rng.permutation(n_rows)
        deals = np.array_split(order, n_shards)
        shards = [
            self.tasks.send(_copy_rows(samples, indices), worker)
            for indices, worker in zip(
                deals, self.tasks.assign_workers(n_shards), strict=True
            )
        ]
        shape = (n_rows, check_dense(samples.x).shape[1])
        x = ShardedRows(shape, tuple(map(len, deals)), shards)
        return data._replace(samples=data.samples._replace(x=x, indices=None))


class WorkerSource(PartedSource):
    """Rows that workers encode and keep; a sample is gathered to fit the encoder."""

    most_encoder_rows = MAX_GATHERED_ROWS

    def __init__(self, partitions: Partitions) -> None:
        self.partitions = partitions
        self.tasks = partitions.tasks
        self.n_columns = partitions.n_columns
        self.X, self.y, self.sample_weight = partitions.given

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        hashes = self.tasks.run(fingerprint_partition, self.partitions.futures)
        X, y, sample_weight = map(repr, zip(*hashes, strict=True))
        n_shards = str(self.partitions.n_shards)
        return {"X": X, "y": y, "sample_weight": sample_weight, N_SHARDS: n_shards}

    def labels(self) -> Sequence[PartLabels]:
        return self.partitions.labels

    def rows(self, wanted: np.ndarray) -> TableLike:
        masks = self.partitions.split(wanted)
        return concat_parts(self.tasks.run(_take_rows, masks, self.partitions.futures))

    def encode(
        self,
        inputs: FittedInputs,
        parameters: Parameters,
        roles: np.ndarray,
        known: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        is_training = np.isin(roles, TRAINING)
        weight = self.targets.full_weight()
        # Partitions with training rows go to the shards in turn: 0, 1, 2, 0, 1, 2, ...
        # Whole partitions, so that no row travels between workers.
        n_rows = np.array([part.sum() for part in self.partitions.split(is_training)])
        n_shards = min(self.partitions.n_shards, int(np.count_nonzero(n_rows)))
        shard_of = (np.cumsum(n_rows > 0) - 1).clip(0) % n_shards  # (n_partitions,)
        sizes = np.bincount(shard_of, n_rows).astype(int)  # (n_shards,)
        shards, validation = self._encode_on_workers(
            (inputs, parameters.dtype, self.targets.classes),
            self._split(roles, weight, known),
            shard_of,
        )
        shape = (int(sizes.sum()), validation.x.shape[1])
        samples = Samples(
            ShardedRows(shape, tuple(sizes.tolist()), shards),
            self.targets.y[is_training],
            None if weight is None else weight[is_training],
        )
        return samples, validation if len(validation.y_encoded) else None

    def _split(
        self, roles: np.ndarray, weight: np.ndarray | None, sample: np.ndarray | None
    ) -> list[tuple[Any, ...]]:
        """Split what is known of all rows by partition, for `_encode_partition`."""
        split = self.partitions.split
        parts = split(roles)
        missing = [None] * len(parts)
        known: Sequence[Any] = missing
        if sample is not None:  # (n_sampled, n_inputs)
            ends = np.cumsum([(use == SplitRole.ENCODER).sum() for use in parts])
            known = np.split(sample, ends[:-1])
        weights = missing if weight is None else split(weight)
        return list(zip(parts, split(self.targets.y), weights, known, strict=True))

    def _encode_on_workers(
        self,
        fitted: _Fitted,
        pieces: Sequence[tuple[Any, ...]],
        shard_of: np.ndarray,
    ) -> tuple[list[Future], Samples]:
        """Encode partitions on workers; return the shards and the validation set."""
        workers = self.tasks.assign_workers(int(shard_of.max()) + 1)
        with Tasks(self.tasks.client) as tasks:
            everywhere = tasks.send(fitted)
            encoded_parts = [
                tasks.submit(
                    _encode_partition,
                    *(everywhere, partition, tasks.send(piece)),
                    worker=workers[shard],
                )
                for partition, piece, shard in zip(
                    self.partitions.futures, pieces, shard_of, strict=True
                )
            ]
            # tasks of the fit, not of this block: shards stay on workers until it ends
            shards = [
                self.tasks.submit(
                    _join_training,
                    [encoded_parts[part] for part in np.flatnonzero(shard_of == shard)],
                    worker=worker,
                )
                for shard, worker in enumerate(workers)
            ]
            validation = tasks.run(itemgetter(1), encoded_parts)
        self.partitions.release()
        return shards, _concat_samples(validation)


def _copy_rows(samples: Samples, indices: np.ndarray) -> Samples:
    """Copy some samples, and of the matrix that all share only their rows."""
    rows = indices if samples.indices is None else samples.indices[indices]
    return samples.take(indices)._replace(x=check_dense(samples.x)[rows], indices=None)


# Tasks: what workers do with the rows


def _take_rows(wanted: np.ndarray, partition: Partition) -> Any:
    """Return the rows of a partition where a mask is True."""
    return select_rows(wanted, partition.X)


def _encode_partition(
    fitted: _Fitted, partition: Partition, piece: tuple[Any, ...]
) -> tuple[Samples, Samples]:
    """Encode a partition, and split it into training and validation rows."""
    inputs, dtype, classes = fitted
    use, y_encoded, weight, known = piece
    # a partition that was lost is loaded again; then its rows may have another order
    labels = factorize_labels(partition)
    if not np.array_equal(labels.encode(classes), y_encoded):
        raise RuntimeError(
            "a partition was lost with its worker, and has other labels now that it "
            "was computed again; write the table to Parquet, or sort it, before fit."
        )
    x = encode_part(inputs, dtype, partition.X, use, known)
    samples = Samples(x, y_encoded, weight)
    return (
        _copy_rows(samples, np.flatnonzero(np.isin(use, TRAINING))),
        _copy_rows(samples, np.flatnonzero(use == SplitRole.VALIDATION)),
    )


def _join_training(encoded_parts: Sequence[tuple[Samples, Samples]]) -> Samples:
    """Join the training rows of a shard's partitions."""
    return _concat_samples([training for training, _ in encoded_parts])


def _concat_samples(parts: Sequence[Samples]) -> Samples:
    """Concatenate samples with a matrix each."""
    x, y_encoded, weights, _ = zip(*parts, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    return Samples(np.concatenate(x), np.concatenate(y_encoded), weight)
