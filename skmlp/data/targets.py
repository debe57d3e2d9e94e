"""Targets: labels to class indices, class weights and sample weights."""

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

from skmlp.fitting.parameters import Parameters
from skmlp.tabular.frame import TableLike, as_table, check_not_lazy, format_list
from skmlp.tabular.labels import check_weights, find_labels, limit_range, read_labels
from skmlp.training.batches import Samples

_NO_ROWS = np.empty((0, 0))
"""Stands for the matrix of samples until X is encoded."""


class Targets(NamedTuple):
    """Labels and weights of all rows."""

    y: np.ndarray  # labels; class indices, where the rows come by part
    classes: np.ndarray  # sorted labels, (n_classes,)
    sample_weight: np.ndarray | None  # without class weights, (n_rows,)
    class_weights: np.ndarray | None  # (n_classes,)
    samples: Samples  # rows of positive weight, on no matrix yet

    @property
    def have_one_class(self) -> bool:
        """Return True if all rows of positive weight have the same class."""
        return bool(np.ptp(self.samples.y_encoded) == 0)

    def full_weight(self) -> np.ndarray | None:
        """Return the weight of each row, class weights included, also where it is 0."""
        _, _, weight, rows = self.samples
        if weight is None or rows is None:
            return weight
        full = np.zeros(len(self.y), weight.dtype)
        full[rows] = weight
        return full


def read_targets(
    parameters: Parameters,
    X: TableLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    classes: np.ndarray | None = None,
) -> Targets:
    """Read labels and weights of the rows of X; `classes` is None for those of `y`."""
    check_not_lazy(y=y, sample_weight=sample_weight)
    labels = check_row_labels(as_table(X).data, y)  # (n_rows,)
    classes, y_encoded = encode_labels(labels, classes)
    # classes[y_encoded], since labels of a later call may have another type
    return build_targets(
        classes[y_encoded], classes, y_encoded, sample_weight, parameters.class_weight
    )


def build_targets(
    labels: np.ndarray,
    classes: np.ndarray,
    y_encoded: np.ndarray,
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | str | None,
) -> Targets:
    """Build targets of rows whose classes are known."""
    class_weights = compute_class_weights(class_weight, classes, labels)
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
    """Build samples of the rows with a positive weight, class weights included."""
    weight = _compute_row_weights(y_encoded, sample_weight, class_weights)
    samples = Samples(_NO_ROWS, y_encoded, weight)
    if weight is None or weight.all():
        return samples
    # rows of weight 0 are left out, as if they were not there
    return samples.take(np.flatnonzero(weight))


# Labels


def check_row_labels(X: TableLike, y: ArrayLike) -> np.ndarray:
    """Return one label per row of X."""
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
    """Return labels as a 1-D array; `name` is that of the argument, for messages."""
    labels = read_labels(y, name)
    # a sparse y is multilabel, which gets its own message below
    if not hasattr(labels, "toarray"):
        labels = np.asarray(labels)
        check_label_types(labels, name)
        if is_unknown_to_sklearn(labels):
            return column_or_1d(labels, warn=True)
    with np.errstate(invalid="ignore"):  # of infinity, which is refused below
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
    line = column_or_1d(labels, warn=True)  # (n_rows, 1) is taken with a warning
    check_classification_targets(line)
    return line


def check_label_types(y: np.ndarray, name: str = "y") -> None:
    """Raise ValueError if labels can't be sorted, such as integers beside text."""
    labels = y.ravel()
    if y.dtype != object or any(
        all(isinstance(label, kind) for label in labels) for kind in (str, Number)
    ):
        return
    types = sorted({type(label).__name__ for label in labels})
    raise ValueError(
        f"{name} holds labels of the types {', '.join(types)}, but labels must be all "
        f"strings or all numbers; drop rows without a label, or use {name}.astype(str)."
    )


def is_unknown_to_sklearn(labels: np.ndarray) -> bool:
    """Return True for numbers that scikit-learn takes for no classes.

    NumPy has no type for them: `Decimal`, `Fraction`, integers of more than 64 bits.
    """
    first = labels.ravel()[:1]
    return labels.dtype == object and not all(isinstance(one, str) for one in first)


def encode_labels(
    y: np.ndarray, classes: np.ndarray | None = None, name: str = "y"
) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted classes and the index of each label; refuse labels not in them."""
    if classes is None:
        encoder = LabelEncoder()
        y_encoded = encoder.fit_transform(y)
        return encoder.classes_, y_encoded
    classes = np.unique(classes)  # sorted, as searches need it
    y_encoded = find_labels(y, classes)
    is_unseen = y_encoded < 0  # -1 marks them
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
    """Return the accuracy, also of labels that scikit-learn takes for no classes."""
    y_encoded, predicted = find_labels(y, classes), find_labels(predicted, classes)
    return float(accuracy_score(y_encoded, predicted, sample_weight=sample_weight))


# Weights


def compute_class_weights(
    class_weight: Mapping[Any, float] | str | None,
    classes: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray | None = None,
) -> np.ndarray | None:
    """Return the weight of each class; `counts` is how often each label of y comes."""
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
def _compute_row_weights(
    y_encoded: np.ndarray,
    sample_weight: ArrayLike | None = None,
    class_weights: np.ndarray | None = None,
) -> np.ndarray | None:
    """Multiply class weight and sample weight of each row; None if there are none."""
    if sample_weight is None and class_weights is None:
        return None
    weight = check_weights(sample_weight, len(y_encoded))
    if class_weights is not None:  # (n_classes,) to (n_rows,)
        weight = limit_range(weight * class_weights[y_encoded])
    if not weight.any():
        raise ValueError(
            "all weights are zero: sample_weight times class_weight must be positive "
            "for some row."
        )
    return weight
