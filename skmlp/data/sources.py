"""Where the rows of a fit come from: memory, or a data set that is read in parts."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp.data.disk_matrix import DiskMatrix, ShuffledWriter
from skmlp.data.parquet import DataSet, is_data_set
from skmlp.data.prepare import (
    FittedInputs,
    ValidationData,
    build_data,
    data_of_fit,
    encode_rows,
    encode_validation_data,
    fit_inputs,
)
from skmlp.data.splits import SplitRole, assign_splits
from skmlp.data.targets import (
    Targets,
    build_samples,
    check_labels,
    compute_class_weights,
    read_targets,
    warn_no_split,
)
from skmlp.fitting.config import TrainConfig, TrainData
from skmlp.fitting.parameters import Parameters
from skmlp.tabular.frame import (
    TableLike,
    as_table,
    check_not_lazy,
    is_frame,
    split_columns,
)
from skmlp.tabular.labels import (
    check_no_missing_labels,
    check_weights,
    find_labels,
    read_present_labels,
)
from skmlp.training.batches import Samples

MOST_ENCODER_ROWS = 1_000_000
"""Rows on which an encoder is fitted, if there are more of them."""

MOST_ENCODER_COLUMNS = 20
"""Columns up to which there are so many: they are in memory, some several times."""


class Source(Protocol):
    """Rows with their labels and weights.

    Attributes
    ----------
    X, y, sample_weight : object
        As callbacks get to see them.
    n_columns : int
        Columns of the table, labels and weights aside.
    """

    X: Any
    y: Any
    sample_weight: Any
    n_columns: int

    def __enter__(self) -> "Source": ...

    def __exit__(self, *exception: object) -> object: ...

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        """What a checkpoint tells fits apart by."""

    def targets(self, parameters: Parameters) -> Targets:
        """What labels and weights say."""

    def suited(self, settings: TrainConfig) -> TrainConfig:
        """The settings, as far as these rows can be split by them."""

    def data(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        settings: TrainConfig,
        validation_data: ValidationData,
        rng: np.random.Generator,
        is_warm_start: bool,
    ) -> TrainData:
        """Rows held out, and X encoded by what is there, or by what others teach."""


def open_source(
    parameters: Parameters, X: Any, y: Any, sample_weight: Any
) -> AbstractContextManager[Source]:
    """Where the rows come from that a caller of fit has named."""
    if not is_data_set(X):
        return MemorySource(*resolve_columns(X, y, sample_weight))
    with ExitStack() as stack:
        data_set = stack.enter_context(DataSet(X))
        columns = DataSetColumns(data_set, y, sample_weight)
        if data_set.n_rows > resolve_encoder_rows(parameters, len(columns.features)):
            stack.pop_all()  # to be closed with the source
            return ParquetSource(data_set, columns)
        return MemorySource(*columns.read())


def resolve_encoder_rows(
    parameters: Parameters, n_columns: int, most: int = MOST_ENCODER_ROWS
) -> int:
    """Most rows on which an encoder is fitted; data sets of no more are read whole.

    "auto" is `most`, or fewer where there are many columns.
    """
    if isinstance(parameters.encoder_rows, int):
        return parameters.encoder_rows
    return min(most, MOST_ENCODER_COLUMNS * most // max(n_columns, 1))


# In memory


def resolve_columns(
    X: Any, y: Any, sample_weight: Any, suffix: str = ""
) -> tuple[Any, Any, Any]:
    """Table, labels and weights, where names stand for columns of the table.

    `suffix` is that of the arguments' names, for messages.
    """
    roles = {f"y{suffix}": y, f"sample_weight{suffix}": sample_weight}
    names = {role: given for role, given in roles.items() if isinstance(given, str)}
    if not names:
        return X, y, sample_weight
    table = f"X{suffix}"
    check_not_lazy(**{table: X})
    if not is_frame(X):
        role, name = next(iter(names.items()))
        raise ValueError(
            f"{role}={name!r} names a column, but {table} is a {type(X).__name__}, "
            "whose columns have no names; pass a DataFrame, or one value per row."
        )
    X, columns = split_columns(X, names, table)
    return X, *(roles | columns).values()


def read_validation(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Read the validation set: a table, or a data set, whose rows are all read."""
    if not is_data_set(X):
        return resolve_columns(X, y, sample_weight, "_val")
    with DataSet(X) as data_set:
        return DataSetColumns(data_set, y, sample_weight, "_val").read()


class MemorySource(AbstractContextManager):
    """Rows that are all there."""

    def __init__(self, X: TableLike, y: ArrayLike, sample_weight: ArrayLike | None):
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.table = as_table(X)  # checked once, here

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def n_columns(self) -> int:
        return self.table.n_columns

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        return {"X": self.X, "y": self.y, "sample_weight": self.sample_weight}

    def targets(self, parameters: Parameters) -> Targets:
        targets = read_targets(parameters, self.table, self.y, self.sample_weight)
        self.y = targets.y
        return targets

    def suited(self, settings: TrainConfig) -> TrainConfig:
        return settings

    def data(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        settings: TrainConfig,
        validation_data: ValidationData,
        rng: np.random.Generator,
        is_warm_start: bool,
    ) -> TrainData:
        return data_of_fit(
            estimator,
            parameters,
            self.table,
            targets,
            settings,
            validation_data,
            rng,
            is_warm_start,
        )


# In parts


class DataSetColumns:
    """What the columns of a data set are for.

    Parameters
    ----------
    data_set : DataSet
        The rows.
    label : str
        Name of the column of labels.
    weight : str or None
        Name of the column of weights.
    suffix : str
        That of the arguments' names, for messages.

    Raises
    ------
    ValueError
        If one is no name of a column.
    """

    def __init__(
        self, data_set: DataSet, label: Any, weight: Any, suffix: str = ""
    ) -> None:
        for role, name in {"y": label, "sample_weight": weight}.items():
            if name is None and role == "sample_weight":
                continue
            role += suffix
            if not isinstance(name, str):
                raise ValueError(
                    f"X{suffix} is a data set, of which {role} has to be the name of a "
                    f"column, got {'None' if name is None else type(name).__name__}."
                )
            data_set.check_column(name, role)
        self.data_set = data_set
        self.label: str = label
        self.weight: str | None = weight
        self.features = [
            name for name in data_set.columns if name not in (label, weight)
        ]

    def read(self) -> tuple[Any, Any, Any]:
        """Table, labels and weights of all rows."""
        table = self.data_set.table(self.data_set.columns)
        weight = None if self.weight is None else table[self.weight].to_numpy()
        return table.select(self.features), table[self.label], weight

    def labels(self) -> Iterator["PartLabels"]:
        """Labels and weights, piece by piece."""
        names = [self.label] if self.weight is None else [self.label, self.weight]
        for piece in self.data_set.pieces(names):
            weight = None if self.weight is None else piece[self.weight].to_numpy()
            yield PartLabels.of(piece[self.label], weight)


def read_data_set_labels(
    X: Any, label: Any, weight: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and weights of all rows of a data set, in their order."""
    with DataSet(X) as data_set:
        parts = list(DataSetColumns(data_set, label, weight).labels())
    labels = merge_classes(parts)
    y_encoded = [part.encode(labels) for part in parts]
    return labels[np.concatenate(y_encoded)], join_weights(parts)


class PartedSource(AbstractContextManager, ABC):
    """Rows of which the encoder, and maybe memory, is to see some only.

    Attributes
    ----------
    most_encoder_rows : int
        How many these are by default, if columns are few.
    codes : ndarray of int of shape (n_rows,)
        Class of each row, once `targets` has been called.
    """

    most_encoder_rows: ClassVar[int] = MOST_ENCODER_ROWS
    n_columns: int
    y_encoded: np.ndarray

    @abstractmethod
    def labels(self) -> Iterable["PartLabels"]:
        """Labels and weights, part by part."""

    @abstractmethod
    def rows(self, wanted: np.ndarray) -> TableLike:
        """The rows that a mask says, as a table."""

    @abstractmethod
    def encode(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        uses: np.ndarray,
        sample: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """All rows encoded: those to train on, and those held out, in memory.

        `sample` are those that the encoder was fitted on, encoded; None if it was not.
        """

    def suited(self, settings: TrainConfig) -> TrainConfig:
        """Rows that are held out are few, and the same for all networks."""
        return settings._replace(n_folds=1)

    def targets(self, parameters: Parameters) -> Targets:
        parts = list(self.labels())
        classes = merge_classes(parts)
        self.y_encoded = np.concatenate([part.encode(classes) for part in parts])
        weight = join_weights(parts)
        counts = np.bincount(self.y_encoded, minlength=len(classes))
        class_weights = compute_class_weights(
            parameters.class_weight, classes, classes, counts
        )
        samples = build_samples(self.y_encoded, weight, class_weights)
        return Targets(self.y_encoded, classes, weight, class_weights, samples)

    def data(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        settings: TrainConfig,
        validation_data: ValidationData,
        rng: np.random.Generator,
        is_warm_start: bool,
    ) -> TrainData:
        holds_out = settings.early_stopping and not validation_data.are_given
        n_to_encoder = resolve_encoder_rows(
            parameters, self.n_columns, self.most_encoder_rows
        )
        uses = assign_splits(
            self.y_encoded,
            build_mask(targets.samples.indices, len(self.y_encoded)),
            settings.validation_fraction if holds_out else 0.0,
            0 if is_warm_start else n_to_encoder,
            rng,
        )
        sample = None
        if not is_warm_start:
            sample = self.fit_encoder(estimator, parameters, targets, uses, rng)
        samples, validation = self.encode(
            estimator, parameters, targets, uses, sample, rng
        )
        if validation_data.are_given:
            validation = encode_validation_data(
                estimator, parameters.dtype, targets, validation_data
            )
        elif validation is None and holds_out:
            warn_no_split(parameters, settings, targets.samples.y_encoded)
        n_members = settings.n_estimators
        return build_data(
            estimator,
            samples.x,
            samples.broadcast_members(n_members),
            None if validation is None else validation.broadcast_members(n_members),
            targets,
        )

    def fit_encoder(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        uses: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Fit the encoder on the rows meant for it, and encode these."""
        is_meant = uses == SplitRole.ENCODER
        weight = targets.sample_weight
        of_sample = targets._replace(
            y=targets.classes[self.y_encoded[is_meant]],
            sample_weight=None if weight is None else weight[is_meant],
        )
        rows = self.rows(is_meant)
        return check_dense(
            fit_inputs(estimator, parameters, rows, of_sample, None, rng)
        )


class PartLabels(NamedTuple):
    """Labels and weights of some rows, in little room.

    Attributes
    ----------
    of_row : ndarray of int of shape (n_rows,)
        The place of each row's label among those that are different.
    different : ndarray of shape (n_different,)
        These labels, in the order in which they come.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row; None means 1.
    n_missing : int
        Rows without a label, whose place means nothing.
    """

    of_row: np.ndarray
    different: np.ndarray
    weight: np.ndarray | None
    n_missing: int

    @classmethod
    def of(cls, labels: Any, weight: np.ndarray | None) -> Self:
        """Those of some rows, whose labels come in any form."""
        present, is_missing = read_present_labels(labels)
        places, different = pd.factorize(present)
        of_row = np.zeros(len(is_missing), np.min_scalar_type(len(different)))
        of_row[~is_missing] = places
        return cls(of_row, different, weight, int(is_missing.sum()))

    def encode(self, classes: np.ndarray) -> np.ndarray:
        """The code of each row, in the smallest type that has room for all classes."""
        y_encoded = find_labels(self.different, classes)
        return y_encoded.astype(np.min_scalar_type(len(classes)))[self.of_row]


def merge_classes(parts: Sequence[PartLabels]) -> np.ndarray:
    """The sorted labels of all parts, none of which may lack some."""
    if not parts:
        raise ValueError("the data set has no rows; pass one that has some.")
    check_no_missing_labels(sum(part.n_missing for part in parts))
    arrays = [part.different for part in parts]
    if len({array.dtype.kind for array in arrays}) > 1:
        # as Python compares them: NumPy would merge integers of different types
        arrays = [array.astype(object) for array in arrays]
    # twice, since labels that come once each look like no classes
    return np.unique(check_labels(np.concatenate(2 * arrays)))


def join_weights(parts: Sequence[PartLabels]) -> np.ndarray | None:
    """Weight of the rows of all parts; None means 1."""
    weights = [part.weight for part in parts if part.weight is not None]
    if not weights:
        return None
    return check_weights(np.concatenate(weights), sum(map(len, weights)))


class ParquetSource(PartedSource):
    """Rows of a data set on disk, which are encoded into another file.

    Parameters
    ----------
    data_set : DataSet
        The rows; closed with this.
    columns : Columns
        What its columns are for.
    """

    def __init__(self, data_set: DataSet, columns: DataSetColumns) -> None:
        self.data_set = data_set
        self.columns = columns
        self.X, self.y = data_set.given, columns.label
        self.sample_weight = columns.weight
        self.n_columns = len(columns.features)
        self.files = ExitStack()
        self.files.push(data_set)

    def __exit__(self, *exception: object) -> None:
        self.files.close()

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        return {
            "X": self.data_set.fingerprint(),
            "y": self.y,
            "sample_weight": self.sample_weight,
        }

    def labels(self) -> Iterator[PartLabels]:
        return self.columns.labels()

    def rows(self, wanted: np.ndarray) -> TableLike:
        return self.data_set.rows(self.columns.features, wanted)

    def encode(
        self,
        estimator: FittedInputs,
        parameters: Parameters,
        targets: Targets,
        uses: np.ndarray,
        sample: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """Encode all rows: those to train on into a file, in random order."""
        is_training = (uses == SplitRole.TRAINING) | (uses == SplitRole.ENCODER)
        n_rows, writer = int(is_training.sum()), None
        weight = expand_weight(targets, len(uses))
        given = {"y_encoded": self.y_encoded} | (
            {} if weight is None else {"sample_weight": weight}
        )
        held_out_x = []
        start = n_sampled = 0
        for piece in self.data_set.pieces(self.columns.features):
            place = slice(start, start + len(piece))
            start = place.stop
            use = uses[place]
            n_of_sample = int((use == SplitRole.ENCODER).sum())
            known = None
            if sample is not None:
                known = sample[n_sampled : n_sampled + n_of_sample]
                n_sampled += n_of_sample
            x = encode_part(estimator, parameters.dtype, piece, use, known)
            held_out_x.append(x[use == SplitRole.VALIDATION])
            if writer is None:
                file = DiskMatrix(n_rows, x.shape[1], x.dtype)
                self.files.enter_context(file)
                columns = {
                    name: np.empty(n_rows, values.dtype)
                    for name, values in given.items()
                }
                writer = ShuffledWriter(
                    file, columns, rng if parameters.shuffle else None
                )
            rows = is_training[place]
            writer.add(
                x[rows],
                **{name: values[place][rows] for name, values in given.items()},
            )
        assert writer is not None, "there are more rows than the encoder sees"
        writer.finish()
        is_held_out = uses == SplitRole.VALIDATION
        validation = None
        if is_held_out.any():
            validation = Samples(
                np.concatenate(held_out_x),
                **{name: values[is_held_out] for name, values in given.items()},
            )
        return Samples(file, **writer.columns), validation


def build_mask(rows: np.ndarray | None, n_rows: int) -> np.ndarray | None:
    """Which rows these are, as a mask; None for all."""
    if rows is None:
        return None
    mask = np.zeros(n_rows, bool)
    mask[rows] = True
    return mask


def expand_weight(targets: Targets, n_rows: int) -> np.ndarray | None:
    """Weight of each row, that of its class included, also where it is 0."""
    _, _, weight, rows = targets.samples
    if weight is None or rows is None:
        return weight
    of_all = np.zeros(n_rows, weight.dtype)
    of_all[rows] = weight
    return of_all


def encode_part(
    estimator: FittedInputs,
    dtype: str,
    piece: Any,
    use: np.ndarray,
    known: np.ndarray | None,
) -> np.ndarray:
    """Rows of a piece, of which those that the encoder was fitted on are known.

    Means of the target that a row itself had a part in would be trusted too much.
    """
    if known is None or len(known) == 0:
        return check_dense(encode_rows(estimator, piece, dtype))
    is_known = use == SplitRole.ENCODER
    if is_known.all():
        return known
    x = np.empty((len(use), known.shape[1]), known.dtype)
    x[is_known] = known
    others = select_rows(~is_known, piece)
    x[~is_known] = check_dense(encode_rows(estimator, others, dtype))
    return x


def select_rows(mask: np.ndarray, table: Any) -> Any:
    """The rows of a table of pyarrow or pandas, or of an array, that a mask says."""
    if isinstance(table, pd.DataFrame | np.ndarray):
        return table[mask]
    import pyarrow as pa

    return table.filter(pa.array(mask))


def check_dense(x: Any) -> np.ndarray:
    """Encoded rows, which are to be an array."""
    if isinstance(x, np.ndarray):
        return x
    raise TypeError(
        "preprocessing gives sparse rows, and the rows of a data set in parts are kept "
        "as a dense matrix; let it give dense ones, or pass the rows in memory."
    )
