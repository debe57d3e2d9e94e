"""Training rows on a cluster: gathered if they are few, else encoded by workers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from distributed import Future

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.dask.cluster import Tasks, count_workers, get_client
from skmlp.dask.partitions import (
    Partition,
    Partitions,
    concat_parts,
    factorize_labels,
    fingerprint_partition,
)
from skmlp.fitting.inputs import FittedInputs, ValidationData
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.recipe import Settings
from skmlp.fitting.sources import (
    InMemory,
    InParts,
    LabelsOfPart,
    Source,
    dense,
    encoded,
    n_encoder_rows,
    rows_where,
    to_full_weight,
)
from skmlp.fitting.targets import Targets
from skmlp.fitting.task import Data
from skmlp.parts.sample import Use
from skmlp.tabular.tables import TableLike
from skmlp.training.batches import RowsInShards, Samples

if TYPE_CHECKING:
    from skmlp.dask.classifier import DaskMLPSoftmaxClassifier


MAX_GATHERED_ROWS = 200_000  # for the encoder; fewer if there are many columns

TRAINING = (Use.TRAINING, Use.TRAINING_AND_ENCODER)


def open_source(
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
        limit = n_encoder_rows(parameters, partitions.n_columns, MAX_GATHERED_ROWS)
        kind = GatheredSource if partitions.n_rows <= limit else WorkerSource
        source = kind(partitions)
        stack.pop_all()  # the source closes the tasks
    return source


def _describe_shards(n_shards: int) -> dict[str, str]:
    """Return the number of shards as an item of a fingerprint."""
    return {"number of shards (n_shards, or the workers at the start)": str(n_shards)}


class GatheredSource(InMemory):
    """Rows that are encoded here, as in a plain fit, and then dealt to shards."""

    def __init__(self, partitions: Partitions) -> None:
        self.tasks = partitions.tasks
        self.n_shards = partitions.n_shards
        parts = zip(*self.tasks.client.gather(partitions.futures), strict=True)
        X, y, weights = parts
        partitions.release()
        weight = None if weights[0] is None else concat_parts(weights)
        super().__init__(concat_parts(X), concat_parts(y), weight)

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def in_words(self) -> Mapping[str, TableLike | str | None]:
        return {**super().in_words(), **_describe_shards(self.n_shards)}

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
        # a row lies in one shard only, so all networks have the same validation rows
        settings = settings._replace(n_folds=1)
        data = super().data(
            estimator,
            parameters,
            targets,
            settings,
            validation_data,
            rng,
            is_warm_start,
        )
        samples = data.samples.members(0)
        shards = self._deal_to_shards(samples, rng)
        return data._replace(samples=data.samples._replace(x=shards, rows=None))

    def _deal_to_shards(
        self, samples: Samples, rng: np.random.Generator
    ) -> RowsInShards:
        """Send each shard a random part of the training rows, all of equal size."""
        n_rows = len(samples.y_encoded)
        n_shards = min(self.n_shards, n_rows)
        # At random, so that each shard looks like the whole, also if rows are sorted by
        # label. One shard keeps the order, and so repeats a fit without Dask.
        order = np.arange(n_rows) if n_shards == 1 else rng.permutation(n_rows)
        parts = np.array_split(order, n_shards)
        shards = [
            self.tasks.send(_copy_rows(samples, part), worker)
            for part, worker in zip(
                parts, self.tasks.assign_workers(n_shards), strict=True
            )
        ]
        n_columns = dense(samples.x).shape[1]
        return RowsInShards((n_rows, n_columns), tuple(map(len, parts)), shards)


def _copy_rows(samples: Samples, part: np.ndarray) -> Samples:
    """Copy some samples, and of their shared matrix no other rows."""
    rows = part if samples.rows is None else samples.rows[part]
    return samples.take(part)._replace(x=dense(samples.x)[rows], rows=None)


class WorkerSource(InParts):
    """Rows that workers encode and keep; a sample is gathered to fit the encoder."""

    most_encoder_rows = MAX_GATHERED_ROWS

    def __init__(self, partitions: Partitions) -> None:
        self.partitions = partitions
        self.tasks = partitions.tasks
        self.n_columns = partitions.n_columns
        self.X, self.y, self.sample_weight = partitions.given

    def __exit__(self, *exception: object) -> None:
        self.tasks.__exit__(*exception)

    def in_words(self) -> Mapping[str, TableLike | str | None]:
        hashes = self.tasks.run(fingerprint_partition, self.partitions.futures)
        X, y, sample_weight = map(repr, zip(*hashes, strict=True))
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        return {**given, **_describe_shards(self.partitions.n_shards)}

    def labels(self) -> Sequence[LabelsOfPart]:
        return self.partitions.labels

    def rows(self, wanted: np.ndarray) -> TableLike:
        masks = [wanted[place] for place in self.partitions.slices()]
        return concat_parts(self.tasks.run(_take_rows, masks, self.partitions.futures))

    def encode(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        uses: np.ndarray,
        sample: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        plans = self._plan(targets, uses, sample)
        # Partitions with training rows go to the shards in turn: 0, 1, 2, 0, 1, 2, ...
        # Whole partitions, so that no row travels between workers.
        n_rows = np.array([np.isin(plan.use, TRAINING).sum() for plan in plans])
        n_shards = min(self.partitions.n_shards, np.count_nonzero(n_rows))
        shard_of = (np.cumsum(n_rows > 0) - 1).clip(0) % n_shards
        local = cast("DaskMLPSoftmaxClassifier", estimator).as_local()
        shards, validation = self._encode_on_workers(local, plans, shard_of)
        sizes = np.bincount(shard_of, n_rows).astype(int)
        shape = (int(sizes.sum()), validation.x.shape[1])
        is_training = np.isin(uses, TRAINING)
        weight = to_full_weight(targets, len(uses))
        samples = Samples(
            RowsInShards(shape, tuple(sizes.tolist()), shards),
            self.y_encoded[is_training],
            None if weight is None else weight[is_training],
        )
        return samples, validation if len(validation.y_encoded) else None

    def _plan(
        self, targets: Targets, uses: np.ndarray, sample: np.ndarray | None
    ) -> list["EncodingPlan"]:
        """Cut what is known of all rows into pieces, one per partition."""
        weight = to_full_weight(targets, len(uses))
        plans, n_sampled = [], 0
        for place in self.partitions.slices():
            use, known = uses[place], None
            if sample is not None:
                start = n_sampled
                n_sampled += int((use == Use.TRAINING_AND_ENCODER).sum())
                known = sample[start:n_sampled]
            part_weight = None if weight is None else weight[place]
            plans.append(EncodingPlan(use, self.y_encoded[place], part_weight, known))
        return plans

    def _encode_on_workers(
        self,
        estimator: MLPSoftmaxClassifier,
        plans: Sequence["EncodingPlan"],
        shard_of: np.ndarray,
    ) -> tuple[list[Future], Samples]:
        """Encode partitions on workers; return the shards and the validation set."""
        workers = self.tasks.assign_workers(int(shard_of.max()) + 1)
        with Tasks(self.tasks.client) as tasks:
            fitted = tasks.send(estimator)
            encoded_parts = [
                tasks.submit(
                    _encode_partition,
                    *(fitted, partition, tasks.send(plan)),
                    worker=workers[shard],
                )
                for partition, plan, shard in zip(
                    self.partitions.futures, plans, shard_of, strict=True
                )
            ]
            shards = [
                self.tasks.submit(
                    _join_training,
                    *(
                        encoded_parts[part]
                        for part in np.flatnonzero(shard_of == shard)
                    ),
                    worker=worker,
                )
                for shard, worker in enumerate(workers)
            ]
            validation = tasks.run(itemgetter(1), encoded_parts)
        self.partitions.release()
        return shards, _concat_samples(validation)


class EncodingPlan(NamedTuple):
    """Split and labels of a partition, for the worker that encodes it."""

    use: np.ndarray  # (n_rows,) members of `Use`
    y_encoded: np.ndarray  # (n_rows,)
    weight: np.ndarray | None  # (n_rows,)
    known: np.ndarray | None  # (n_known, n_inputs) the encoder's training rows


# Tasks: what workers do with the rows


def _take_rows(wanted: np.ndarray, partition: Partition) -> Any:
    """Return the rows of a partition where a mask is True."""
    return rows_where(wanted, partition.X)


def _encode_partition(
    estimator: MLPSoftmaxClassifier, partition: Partition, plan: EncodingPlan
) -> tuple[Samples, Samples]:
    """Encode a partition, and split it into training and validation rows."""
    use, y_encoded, weight, known = plan
    # a partition that was lost is loaded again; then its rows may have another order
    labels = factorize_labels(partition)
    if not np.array_equal(labels.codes_among(estimator.classes_), y_encoded):
        raise RuntimeError(
            "a partition was lost with its worker, and has other labels now that it "
            "was computed again; write the table to Parquet, or sort it, before fit."
        )
    x = encoded(estimator, str(estimator.dtype), partition.X, use, known)
    samples = Samples(x, y_encoded, weight)
    return (
        _copy_rows(samples, np.flatnonzero(np.isin(use, TRAINING))),
        _copy_rows(samples, np.flatnonzero(use == Use.HELD_OUT)),
    )


def _join_training(*encoded_parts: tuple[Samples, Samples]) -> Samples:
    """Join the training rows of a shard's partitions."""
    return _concat_samples([training for training, _ in encoded_parts])


def _concat_samples(parts: Sequence[Samples]) -> Samples:
    """Concatenate samples with a matrix each."""
    x, y_encoded, weights, _ = zip(*parts, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    return Samples(np.concatenate(x), np.concatenate(y_encoded), weight)
