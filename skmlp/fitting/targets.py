"""Targets: labels to codes, weights of rows, and the stratified held-out part."""

from collections.abc import Mapping
from numbers import Number
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skmlp.tabular.labels import read_labels
from skmlp.tabular.names import list_some
from skmlp.tabular.weights import check_weights, in_range


def check_labels(y: Any) -> np.ndarray:
    """One label per row as a 1-D array, or a sentence that says what came instead."""
    y = read_labels(y)
    if not hasattr(y, "toarray"):
        check_label_types(np.asarray(y))
    with np.errstate(invalid="ignore"):  # of NaN, which gets a sentence
        kind = type_of_target(y, input_name="y")
    if kind.startswith("multilabel") or kind == "multiclass-multioutput":
        raise ValueError(
            f"y has shape {np.shape(y)} and is of type {kind!r}, but a softmax gives "
            "each row exactly one label; pass one label per row, or wrap the "
            "classifier in sklearn.multioutput.MultiOutputClassifier."
        )
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    return y


def check_label_types(y: np.ndarray) -> None:
    """Raise where Python objects can't be sorted as labels, such as None with str."""
    if y.dtype != object:
        return
    labels = y.ravel()
    if all(isinstance(label, str) for label in labels):
        return
    if all(isinstance(label, Number) for label in labels):
        return
    types = sorted({type(label).__name__ for label in labels})
    raise ValueError(
        f"y holds labels of the types {', '.join(types)}, but labels must be all "
        "strings or all numbers; drop rows without a label, or use y.astype(str)."
    )


def encode_labels(
    y: np.ndarray, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The sorted classes, and the index of each label among them.

    With `classes` given, a label that is not among them is an error.
    """
    encoder = LabelEncoder()
    if classes is None:
        codes = encoder.fit_transform(y)
        return encoder.classes_, codes
    encoder.fit(classes)
    unseen = np.setdiff1d(y, encoder.classes_)
    if len(unseen):
        raise ValueError(
            f"y contains {list_some(unseen)}, but the classes are "
            f"{list_some(encoder.classes_)}; give every class to the first call, "
            "as partial_fit(..., classes=...) or in the y of fit."
        )
    return encoder.classes_, encoder.transform(y)


def weights_of_classes(
    class_weight: Mapping[Any, float] | str | None, classes: np.ndarray, y: np.ndarray
) -> np.ndarray | None:
    """Weight of each class, "balanced" over the labels `y`; None for none."""
    if class_weight is None:
        return None
    if not isinstance(class_weight, str):
        unknown = [label for label in class_weight if label not in classes]
        # a fold may lack a class that has a weight; but with others left unweighted,
        # the labels were most likely meant to be something else
        if unknown and any(label not in class_weight for label in classes):
            raise ValueError(
                f"class_weight names {unknown}, but the classes are "
                f"{list_some(classes)}."
            )
        if min(class_weight.values(), default=0) < 0:
            raise ValueError(f"class_weight must not be negative, got {class_weight}.")
    return in_range(compute_class_weight(class_weight, classes=classes, y=y))


@np.errstate(all="ignore")
def row_weights(
    codes: np.ndarray,
    sample_weight: Any = None,
    class_weights: np.ndarray | None = None,
) -> np.ndarray | None:
    """Class weight x sample_weight per row in float64; None where none is given."""
    if sample_weight is None and class_weights is None:
        return None
    weight = check_weights(sample_weight, len(codes))
    if class_weights is not None:
        weight = in_range(weight * class_weights[codes])
    if not weight.any():
        raise ValueError(
            "all weights are zero: sample_weight times class_weight must be positive "
            "for some row."
        )
    return weight


def split_held_out(
    codes: np.ndarray, fraction: float, rng: np.random.Generator, n_members: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Row indices of the training part and of the stratified held-out part.

    Each class is split by itself, so that every class that is split has rows in either
    part (which scikit-learn's stratified splits don't promise). A class of which
    `fraction` is less than half a row stays in the training part as a whole.

    With several members, each has parts of its own, of the same sizes, one line per
    member; what they hold out overlaps as little as can be.
    """
    counts = np.bincount(codes)
    is_large = (counts >= 2) & (counts * fraction >= 0.5)
    n_held_out = np.clip(np.rint(fraction * counts).astype(int), 1, counts - 1)
    n_held_out[~is_large] = 0
    # class by class, in random order within each: a window of each class is held out
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    of_row = codes[order]
    place = np.arange(len(codes)) - (np.cumsum(counts) - counts)[of_row]
    first, second = [], []
    for member in range(n_members):
        start = member * counts // n_members
        is_held_out = (place - start[of_row]) % counts[of_row] < n_held_out[of_row]
        first.append(np.sort(order[~is_held_out]))
        second.append(np.sort(order[is_held_out]))
    if n_members == 1:
        return first[0], second[0]
    return np.stack(first), np.stack(second)
