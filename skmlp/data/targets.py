"""Targets: labels to codes, weights of rows, and the stratified held-out part."""

import warnings
from collections.abc import Mapping
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length

from skmlp.defaults import is_auto
from skmlp.fitting.config import TrainConfig
from skmlp.fitting.parameters import Parameters
from skmlp.tabular.frame import TableLike, as_table, check_not_lazy, format_list
from skmlp.tabular.labels import check_weights, find_labels, limit_range, read_labels
from skmlp.training.batches import Samples

NO_ROWS = np.empty((0, 0))
"""Stands for the matrix of samples until X is encoded."""


class Targets(NamedTuple):
    """What y and the weights say.

    Attributes
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    classes : ndarray of shape (n_classes,)
        The different labels, sorted.
    sample_weight : ndarray of shape (n_rows,) or None
        Weight of each row, that of its class aside.
    class_weights : ndarray of shape (n_classes,) or None
        Weight of each class.
    samples : Samples
        The rows of positive weight, on no matrix yet.
    """

    y: np.ndarray
    classes: np.ndarray
    sample_weight: np.ndarray | None
    class_weights: np.ndarray | None
    samples: Samples

    @property
    def have_one_class(self) -> bool:
        """Whether all rows that count are of the same class."""
        return bool(np.ptp(self.samples.y_encoded) == 0)


def read_targets(
    parameters: Parameters,
    X: TableLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    classes: np.ndarray | None = None,
) -> Targets:
    """Labels and weights of the rows of X; `classes` are all labels, None for y's."""
    check_not_lazy(y=y, sample_weight=sample_weight)
    labels = check_row_labels(as_table(X).data, y)
    classes, y_encoded = encode_labels(labels, classes)
    labels = classes[y_encoded]
    class_weights = compute_class_weights(parameters.class_weight, classes, labels)
    weight = sample_weight
    if weight is not None:
        weight = check_weights(weight, len(labels))
    samples = build_samples(y_encoded, weight, class_weights)
    return Targets(labels, classes, weight, class_weights, samples)


def build_samples(
    y_encoded: np.ndarray,
    sample_weight: ArrayLike | None,
    class_weights: np.ndarray | None,
) -> Samples:
    """Rows with their weight; those of weight 0 are left out, as if not there."""
    weight = compute_row_weights(y_encoded, sample_weight, class_weights)
    samples = Samples(NO_ROWS, y_encoded, weight)
    if weight is None or weight.all():
        return samples
    return samples.take(np.flatnonzero(weight))


def check_row_labels(X: TableLike, y: ArrayLike) -> np.ndarray:
    """One label per row of X."""
    if y is None:
        raise ValueError(
            "This classifier requires y to be passed, but the target y is None. Pass "
            "one label per row."
        )
    labels = check_labels(y)
    check_consistent_length(X, labels)
    if len(labels) == 0:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required."
        )
    return labels


def check_labels(y: ArrayLike, name: str = "y") -> np.ndarray:
    """One label per row as a 1-D array, or a sentence that says what came instead.

    `name` is that of the argument, for messages.
    """
    labels = read_labels(y, name)
    if not hasattr(labels, "toarray"):
        labels = np.asarray(labels)
        check_label_types(labels, name)
        if is_unknown_to_sklearn(labels):
            return column_or_1d(labels, warn=True)
    with np.errstate(invalid="ignore"):  # of infinity, which gets a sentence
        kind = type_of_target(labels, input_name=name)
    if kind.startswith("multilabel") or kind == "multiclass-multioutput":
        raise ValueError(
            f"{name} has shape {np.shape(labels)} and is of type {kind!r}, but a "
            "softmax gives each row exactly one label; pass one label per row, or wrap "
            "the classifier in sklearn.multioutput.MultiOutputClassifier."
        )
    if kind.startswith("continuous"):
        raise ValueError(
            f"Unknown label type: {kind} numbers in {name}, where classes are "
            "expected. Pass classes, or use a regressor."
        )
    line = column_or_1d(labels, warn=True)
    check_classification_targets(line)
    return line


def check_label_types(y: np.ndarray, name: str = "y") -> None:
    """Raise where Python objects can't be sorted as labels, such as int with str."""
    if y.dtype != object:
        return
    labels = y.ravel()
    if all(isinstance(label, str) for label in labels):
        return
    if all(isinstance(label, Number) for label in labels):
        return
    types = sorted({type(label).__name__ for label in labels})
    raise ValueError(
        f"{name} holds labels of the types {', '.join(types)}, but labels must be all "
        f"strings or all numbers; drop rows without a label, or use {name}.astype(str)."
    )


def is_unknown_to_sklearn(labels: np.ndarray) -> bool:
    """Return True if scikit-learn, unlike a network, takes no such labels for classes.

    They are numbers that NumPy has no type for: `Decimal`, `Fraction`, large integers.
    """
    first = labels.ravel()[:1]
    return labels.dtype == object and not all(isinstance(one, str) for one in first)


def encode_labels(
    y: np.ndarray, classes: np.ndarray | None = None, name: str = "y"
) -> tuple[np.ndarray, np.ndarray]:
    """The sorted classes, and the index of each label among them.

    With `classes` given, a label that is not among them is an error.
    """
    if classes is None:
        encoder = LabelEncoder()
        y_encoded = encoder.fit_transform(y)
        return encoder.classes_, y_encoded
    classes = np.unique(classes)
    y_encoded = find_labels(y, classes)
    is_unseen = y_encoded < 0
    if is_unseen.any():
        raise ValueError(
            f"{name} contains {format_list(np.unique(y[is_unseen]))}, but the classes "
            f"are {format_list(classes)}; give every class to the first call, as "
            "partial_fit(..., classes=...) or in the y of fit."
        )
    return classes, y_encoded


def has_same_labels(one: np.ndarray, other: np.ndarray) -> bool:
    """Return True if arrays of any types hold the same labels."""
    return np.array_equal(one.astype(object), other.astype(object))


def compute_accuracy(
    classes: np.ndarray,
    y: np.ndarray,
    predicted: np.ndarray,
    sample_weight: ArrayLike | None,
) -> float:
    """Part of the rows, by weight, whose label, in whichever type, is predicted."""
    y_encoded, predicted = find_labels(y, classes), find_labels(predicted, classes)
    return float(accuracy_score(y_encoded, predicted, sample_weight=sample_weight))


def compute_class_weights(
    class_weight: Mapping[Any, float] | str | None,
    classes: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray | None = None,
) -> np.ndarray | None:
    """Weight of each class, "balanced" over the labels `y`; None for none.

    `counts` says how often each of the labels comes; None for once.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, str):
        known = set(classes.tolist())
        unknown = [label for label in class_weight if label not in known]
        # a fold may lack a class that has a weight; but with others left unweighted,
        # the labels were most likely meant to be something else
        if unknown and any(label not in class_weight for label in classes):
            raise ValueError(
                f"class_weight names {unknown}, but the classes are "
                f"{format_list(classes)}. Name the labels as they are in y."
            )
        # by hand, since scikit-learn takes Decimal and Fraction for integers
        weights = [class_weight.get(label, 1.0) for label in classes.tolist()]
        return limit_range(np.array(weights, dtype=np.float64))
    return limit_range(
        compute_class_weight(class_weight, classes=classes, y=y, sample_weight=counts)
    )


@np.errstate(all="ignore")
def compute_row_weights(
    y_encoded: np.ndarray,
    sample_weight: ArrayLike | None = None,
    class_weights: np.ndarray | None = None,
) -> np.ndarray | None:
    """Class weight x sample_weight per row in float64; None where none is given."""
    if sample_weight is None and class_weights is None:
        return None
    weight = check_weights(sample_weight, len(y_encoded))
    if class_weights is not None:
        weight = limit_range(weight * class_weights[y_encoded])
    if not weight.any():
        raise ValueError(
            "all weights are zero: sample_weight times class_weight must be positive "
            "for some row."
        )
    return weight


def split_validation(
    y_encoded: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    n_members: int = 1,
    n_folds: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Row indices of the training part and of the stratified held-out part.

    Each class is split by itself, so that every class that is split has rows in either
    part (which scikit-learn's stratified splits don't promise). A class of which
    `fraction` is less than half a row stays in the training part as a whole.

    There is one line per member. What one fold and another hold out overlaps as little
    as can be; with more members than folds (by default there are as many), they take
    turns.
    """
    n_folds = min(n_members, n_folds or n_members)
    counts = np.bincount(y_encoded)
    is_large = (counts >= 2) & (counts * fraction >= 0.5)
    n_held_out = np.clip(np.rint(fraction * counts).astype(int), 1, counts - 1)
    n_held_out[~is_large] = 0
    # class by class, in random order within each: a window of each class is held out
    order = rng.permutation(len(y_encoded))
    order = order[np.argsort(y_encoded[order], kind="stable")]
    of_row = y_encoded[order]
    place = np.arange(len(y_encoded)) - (np.cumsum(counts) - counts)[of_row]
    first, second = [], []
    for fold in range(n_folds):
        start = fold * counts // n_folds
        is_held_out = (place - start[of_row]) % counts[of_row] < n_held_out[of_row]
        first.append(np.sort(order[~is_held_out]))
        second.append(np.sort(order[is_held_out]))
    turns = np.arange(n_members) % n_folds
    return np.stack(first)[turns], np.stack(second)[turns]


def split_samples(
    parameters: Parameters,
    samples: Samples,
    settings: TrainConfig,
    rng: np.random.Generator,
) -> tuple[Samples, Samples | None]:
    """Training part, and a held-out part if there is to be one, for each network."""
    if settings.early_stopping:
        rows, validation = split_validation(
            samples.y_encoded,
            settings.validation_fraction,
            rng,
            settings.n_estimators,
            settings.n_folds,
        )
        if validation.size > 0:
            return samples.take(rows), samples.take(validation)
        warn_no_split(parameters, settings, samples.y_encoded)
    return samples.broadcast_members(settings.n_estimators), None


def warn_no_split(
    parameters: Parameters, settings: TrainConfig, y_encoded: np.ndarray
) -> None:
    """Say that no rows are held out, to whoever has asked for some."""
    if is_auto(parameters.early_stopping):
        return
    warnings.warn(
        "no class has enough rows to hold out a part of "
        f"{settings.validation_fraction:g} (the largest has "
        f"{np.bincount(y_encoded).max()}), so training uses every row and stops on the "
        "training loss; raise validation_fraction or pass X_val and y_val.",
        stacklevel=4,
    )
