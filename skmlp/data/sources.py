"""Sources of rows: a table in memory, or a data set that is read by part.

A source has three verbs: `labels` and `rows` read some of it, `batches` reads all.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmlp.data.disk_matrix import DiskMatrix, ShuffledWriter
from skmlp.data.inputs import FittedInputs, check_dense, encode_rows
from skmlp.data.parquet import DataSet, is_data_set
from skmlp.data.splits import SplitRole
from skmlp.data.targets import (
    Targets,
    build_samples,
    check_labels,
    compute_class_weights,
    read_targets,
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
"""Default of most rows that the encoder is fitted on."""

_MOST_ENCODER_COLUMNS = 20
"""With more columns, rows are fewer: they are in memory, some several times."""


class Source(AbstractContextManager, ABC):
    """Rows of a fit, with their labels and weights."""

    X: Any  # these three as callbacks see them
    y: Any
    sample_weight: Any
    n_columns: int  # without those of labels and weights
    targets: Targets  # set by read_targets
    has_one_split: ClassVar[bool] = False  # the same validation rows for all members

    @abstractmethod
    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        """Return the data that a checkpoint compares."""

    @abstractmethod
    def read_targets(self, parameters: Parameters) -> Targets:
        """Read labels and weights, once."""

    def limit_folds(self, config: TrainConfig) -> TrainConfig:
        """Adapt the config to rows that are split once."""
        return config

    def place(self, data: TrainData, rng: np.random.Generator) -> TrainData:
        """Move training rows to where they are trained on: here, they stay."""
        return data


def open_source(
    parameters: Parameters, X: Any, y: Any, sample_weight: Any
) -> AbstractContextManager[Source]:
    """Open the rows that are passed to `fit`; a small data set is read as a table."""
    if not is_data_set(X):
        return MemorySource(*resolve_columns(X, y, sample_weight))
    with ExitStack() as stack:
        data_set = stack.enter_context(DataSet(X))
        columns = _DataSetColumns(data_set, y, sample_weight)
        if data_set.n_rows > resolve_encoder_rows(parameters, len(columns.features)):
            stack.pop_all()  # not closed here, but with the source
            return ParquetSource(data_set, columns)
        return MemorySource(*columns.read())


def resolve_encoder_rows(
    parameters: Parameters, n_columns: int, most: int = MOST_ENCODER_ROWS
) -> int:
    """Return most rows that the encoder is fitted on; smaller data is read whole."""
    if isinstance(parameters.encoder_rows, int):
        return parameters.encoder_rows
    return min(most, _MOST_ENCODER_COLUMNS * most // max(n_columns, 1))


# In memory


def resolve_columns(
    X: Any, y: Any, sample_weight: Any, suffix: str = ""
) -> tuple[Any, Any, Any]:
    """Take labels and weights that are named as columns out of the table."""
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
    """Read the validation set: a table, or all rows of a data set."""
    if not is_data_set(X):
        return resolve_columns(X, y, sample_weight, "_val")
    with DataSet(X) as data_set:
        return _DataSetColumns(data_set, y, sample_weight, "_val").read()


class MemorySource(Source):
    """A table in memory."""

    def __init__(self, X: TableLike, y: ArrayLike, sample_weight: ArrayLike | None):
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.table = as_table(X)  # checked here, and nowhere below
        self.n_columns = self.table.n_columns

    def __exit__(self, *exception: object) -> None:
        pass

    def fingerprint(self) -> Mapping[str, TableLike | str | None]:
        return {"X": self.X, "y": self.y, "sample_weight": self.sample_weight}

    def read_targets(self, parameters: Parameters) -> Targets:
        self.targets = read_targets(parameters, self.table, self.y, self.sample_weight)
        self.y = self.targets.y  # callbacks get one label per row
        return self.targets


# By part


class PartLabels(NamedTuple):
    """Labels and weights of some rows, in little memory."""

    indices: np.ndarray  # of each row's label in `distinct`, (n_rows,)
    distinct: np.ndarray  # labels in order of appearance
    weight: np.ndarray | None  # (n_rows,)
    n_missing: int  # rows without a label, whose index means nothing

    @classmethod
    def of(cls, labels: Any, weight: np.ndarray | None) -> Self:
        """Read labels in any form."""
        present, is_missing = read_present_labels(labels)
        places, distinct = pd.factorize(present)  # (n_present,), (n_distinct,)
        indices = np.zeros(len(is_missing), np.min_scalar_type(len(distinct)))
        indices[~is_missing] = places
        return cls(indices, distinct, weight, int(is_missing.sum()))

    def encode(self, classes: np.ndarray) -> np.ndarray:
        """Return class indices in the smallest dtype that holds all classes."""
        y_encoded = find_labels(self.distinct, classes)
        return y_encoded.astype(np.min_scalar_type(len(classes)))[self.indices]


def _merge_classes(parts: Sequence[PartLabels]) -> np.ndarray:
    """Return the sorted labels of all parts."""
    if not parts:
        raise ValueError("the data set has no rows; pass one that has some.")
    check_no_missing_labels(sum(part.n_missing for part in parts))
    arrays = [part.distinct for part in parts]
    if len({array.dtype.kind for array in arrays}) > 1:
        # as Python compares them: NumPy would merge integers of different types
        arrays = [array.astype(object) for array in arrays]
    # twice, since labels that come once each look like no classes
    return np.unique(check_labels(np.concatenate(2 * arrays)))


def _join_weights(parts: Sequence[PartLabels]) -> np.ndarray | None:
    """Return the weight of the rows of all parts; None means 1 each."""
    weights = [part.weight for part in parts if part.weight is not None]
    if not weights:
        return None
    return check_weights(np.concatenate(weights), sum(map(len, weights)))


class PartedSource(Source):
    """Rows that do not fit in memory; the encoder is fitted on some of them."""

    has_one_split = True
    most_encoder_rows: ClassVar[int] = MOST_ENCODER_ROWS

    @abstractmethod
    def labels(self) -> Iterable[PartLabels]:
        """Read labels and weights, part by part."""

    @abstractmethod
    def rows(self, mask: np.ndarray) -> TableLike:
        """Read some rows as a table."""

    @abstractmethod
    def encode(
        self,
        inputs: FittedInputs,
        parameters: Parameters,
        roles: np.ndarray,
        known: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """Encode all rows: those to train on, and those that validate, in memory.

        `known` are those that the encoder was fitted on, encoded; None without any.
        """

    def read_targets(self, parameters: Parameters) -> Targets:
        parts = list(self.labels())
        classes = _merge_classes(parts)
        y_encoded = np.concatenate([part.encode(classes) for part in parts])
        weight = _join_weights(parts)
        counts = np.bincount(y_encoded, minlength=len(classes))  # (n_classes,)
        # "balanced" by the counts: labels of all rows may not fit in memory
        class_weights = compute_class_weights(
            parameters.class_weight, classes, classes, counts
        )
        samples = build_samples(y_encoded, weight, class_weights)
        self.targets = Targets(y_encoded, classes, weight, class_weights, samples)
        return self.targets

    def limit_folds(self, config: TrainConfig) -> TrainConfig:
        return config._replace(n_folds=1)


def encode_part(
    inputs: FittedInputs,
    dtype: str,
    table: Any,
    roles: np.ndarray,
    known: np.ndarray | None,
) -> np.ndarray:
    """Encode the rows of a part, except the `known` ones that fitted the encoder.

    Encoded anew, their target means would include their own labels, and so be trusted
    too much.
    """
    if known is None or len(known) == 0:
        return check_dense(encode_rows(inputs, table, dtype))
    is_known = roles == SplitRole.ENCODER
    if is_known.all():
        return known
    x = np.empty((len(roles), known.shape[1]), known.dtype)  # (n_rows, n_inputs)
    x[is_known] = known
    others = select_rows(~is_known, table)
    x[~is_known] = check_dense(encode_rows(inputs, others, dtype))
    return x


def select_rows(mask: np.ndarray, table: Any) -> Any:
    """Select rows of a table of pyarrow or pandas, or of an array."""
    if isinstance(table, pd.DataFrame | np.ndarray):
        return table[mask]
    import pyarrow as pa

    return table.filter(pa.array(mask))


# On disk


class _DataSetColumns:
    """Columns of a data set by role: labels, weights (or None), and features."""

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
        """Read table, labels and weights of all rows."""
        table = self.data_set.table(self.data_set.columns)
        weight = None if self.weight is None else table[self.weight].to_numpy()
        return table.select(self.features), table[self.label], weight

    def labels(self) -> Iterator[PartLabels]:
        """Read labels and weights, piece by piece."""
        names = [self.label] if self.weight is None else [self.label, self.weight]
        for piece in self.data_set.pieces(names):
            weight = None if self.weight is None else piece[self.weight].to_numpy()
            yield PartLabels.of(piece[self.label], weight)


def read_data_set_labels(
    X: Any, label: Any, weight: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read labels and weights of all rows of a data set, in their order."""
    with DataSet(X) as data_set:
        parts = list(_DataSetColumns(data_set, label, weight).labels())
    classes = _merge_classes(parts)
    y_encoded = np.concatenate([part.encode(classes) for part in parts])
    return classes[y_encoded], _join_weights(parts)


class ParquetSource(PartedSource):
    """Rows of a data set on disk, which are encoded into a temporary file."""

    def __init__(self, data_set: DataSet, columns: _DataSetColumns) -> None:
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
        X = self.data_set.fingerprint()
        return {"X": X, "y": self.y, "sample_weight": self.sample_weight}

    def labels(self) -> Iterator[PartLabels]:
        return self.columns.labels()

    def rows(self, mask: np.ndarray) -> TableLike:
        return self.data_set.rows(self.columns.features, mask)

    def batches(self) -> Iterator[tuple[slice, TableLike]]:
        """Read all rows, in tables of some of them."""
        stop = 0
        for table in self.data_set.pieces(self.columns.features):
            start, stop = stop, stop + len(table)
            yield slice(start, stop), table

    def encode(
        self,
        inputs: FittedInputs,
        parameters: Parameters,
        roles: np.ndarray,
        known: np.ndarray | None,
        rng: np.random.Generator,
    ) -> tuple[Samples, Samples | None]:
        """Encode all rows: those to train on into a file, in random order."""
        is_training = (roles == SplitRole.TRAINING) | (roles == SplitRole.ENCODER)
        is_validation = roles == SplitRole.VALIDATION
        columns = {"y_encoded": self.targets.y}  # arrays of (n_rows,)
        weight = self.targets.full_weight()
        if weight is not None:
            columns["sample_weight"] = weight
        x_validation = []  # few rows, which stay in memory
        writer: ShuffledWriter | None = None
        for part, table in self.batches():
            known_part = None
            if known is not None:
                n_known = int((roles[part] == SplitRole.ENCODER).sum())
                # known rows are in the order of the data set
                known_part, known = known[:n_known], known[n_known:]
            x = encode_part(inputs, parameters.dtype, table, roles[part], known_part)
            x_validation.append(x[is_validation[part]])
            if writer is None:  # now that the number of inputs is known
                shape = (int(is_training.sum()), x.shape[1])
                file = self.files.enter_context(DiskMatrix(*shape, x.dtype))
                empty = {
                    name: np.empty(len(file), values.dtype)
                    for name, values in columns.items()
                }
                writer = ShuffledWriter(
                    file, empty, rng if parameters.shuffle else None
                )
            chosen = is_training[part]
            labels = {name: values[part][chosen] for name, values in columns.items()}
            writer.add(x[chosen], **labels)
        assert writer is not None, "there are more rows than the encoder sees"
        writer.finish()
        validation = None
        if is_validation.any():
            labels = {name: values[is_validation] for name, values in columns.items()}
            validation = Samples(np.concatenate(x_validation), **labels)
        return Samples(writer.matrix, **writer.columns), validation
