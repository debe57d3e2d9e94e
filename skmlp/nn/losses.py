"""The loss: softmax and cross-entropy, joined since their joint gradient is simple."""

from functools import cache

import numpy as np

# NumPy is slow along a short last axis, so all of this works class by class, in arrays
# of shape (n_classes, n_rows), or (n_classes, n_members, n_rows) for a stack.


def _classes_first(logits: np.ndarray) -> np.ndarray:
    """Move the last axis to the front, a fraction of the time of `np.moveaxis`."""
    return logits.T if logits.ndim == 2 else logits.transpose(2, 0, 1)


def _classes_last(by_class: np.ndarray) -> np.ndarray:
    """Undo `_classes_first`."""
    return by_class.T if by_class.ndim == 2 else by_class.transpose(1, 2, 0)


def _sum_over_classes(by_class: np.ndarray) -> np.ndarray:
    """Sum over the first axis, in the same order for one row as for many."""
    if by_class[0].size > 1:
        return by_class.sum(axis=0)
    # NumPy sums a lone vector pairwise; a row's digits must not depend on its neighbors
    return np.add.accumulate(by_class)[-1]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Overwrite `logits` (..., n_rows, n_classes) with exp(z_k) / sum_j exp(z_j)."""
    probabilities = np.ascontiguousarray(_classes_first(logits))
    # the largest logit of the row cancels out, but keeps exp from overflowing
    probabilities -= probabilities.max(axis=0)
    np.exp(probabilities, out=probabilities)
    probabilities /= _sum_over_classes(probabilities)
    logits[:] = _classes_last(probabilities)
    return logits


@np.errstate(all="ignore")
def compute_probabilities(
    logits: np.ndarray,  # (n_rows, n_classes) or (n_members, n_rows, n_classes)
    temperature: float = 1.0,  # above 1 it draws probabilities closer to each other
    ensemble_weights: np.ndarray | None = None,  # (n_members,), with sum 1; None: equal
) -> np.ndarray:
    """Probabilities of a network or their mean over a stack; overwrites `logits`."""
    if logits.ndim == 3:
        logits = _log_mean_probabilities(logits, ensemble_weights)
    if temperature != 1:
        logits /= temperature
    return softmax(logits)


def _log_mean_probabilities(
    logits: np.ndarray, ensemble_weights: np.ndarray | None = None
) -> np.ndarray:
    """Log of the mean probabilities of a stack, overwriting `logits`."""
    probabilities = softmax(logits)
    if ensemble_weights is None:
        mean = probabilities.mean(axis=0)
    else:
        # member by member, in an order that does not depend on the number of rows
        mean = np.zeros(probabilities.shape[1:], probabilities.dtype)
        for weight, member in zip(
            ensemble_weights.tolist(), probabilities, strict=True
        ):
            member *= weight
            mean += member
    return log_probabilities(mean)


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Log of probabilities, clipped at the smallest normal number to be finite."""
    return np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny))


@cache
def probability_floor(dtype: np.dtype) -> float:
    """Constant added to all probabilities in training: 1.4e-14 in float32."""
    # Beside 1 it is lost in rounding, twice over. But the gradient of a wrong class,
    # which falls below the smallest normal number, 1.2e-38, on rows that are classified
    # well, stays far above it, and so do most products with it. Each operation on
    # subnormal numbers takes Intel's processors more than a hundred cycles.
    return float(np.finfo(dtype).eps) ** 2


class SoftmaxCrossEntropy:
    """Mean over the rows of sample_weight * -sum_k t_k log p_k, with p = softmax(z).

    The target t is 1 for the row's class and 0 elsewhere, or, with label smoothing s
    (Szegedy et al., 2016), 1 - s + s / n_classes and s / n_classes.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def loss_and_grad(
        self,
        logits: np.ndarray,  # (..., n_rows, n_classes)
        y_encoded: np.ndarray,  # (..., n_rows), class indices
        sample_weight: np.ndarray | None = None,  # (..., n_rows)
    ) -> tuple[float, np.ndarray]:
        """Mean loss (over a stack, too) and its gradient by the logits, overwritten.

        The gradient is sample_weight * (p - t) / n_rows, of each network by itself.
        """
        # no copy for logits from `Dense(order="F")`, which already lie class by class
        probabilities = np.ascontiguousarray(_classes_first(logits))
        n_classes, n_samples, n_rows = (
            len(probabilities),
            y_encoded.shape[-1],
            y_encoded.size,
        )
        smoothing = self.label_smoothing
        # flat index of each row's own class; small integer types would overflow
        own_class = np.multiply(y_encoded, n_rows, dtype=np.intp)
        own_class += np.arange(n_rows).reshape(y_encoded.shape)

        # -sum_k t_k log p_k = log(sum_j exp z_j) - (1 - s) z_own - s mean_k z_k
        probabilities -= np.maximum.reduce(probabilities, axis=0)
        losses = probabilities.take(own_class)
        losses *= smoothing - 1
        if smoothing:
            losses -= smoothing * probabilities.mean(axis=0)
        np.exp(probabilities, out=probabilities)
        probabilities += probability_floor(probabilities.dtype)
        total = np.add.reduce(probabilities, axis=0)
        losses += np.log(total)

        # losses accumulate in float64
        row_weight = 1 / n_samples
        if sample_weight is None:
            value = float(np.add.reduce(losses, axis=None, dtype=np.float64)) / n_rows
        else:
            value = float(np.vdot(losses.astype(np.float64), sample_weight)) / n_rows
            row_weight = sample_weight * row_weight

        # row_weight * (p - t), from exp(z) without a further array
        probabilities *= np.divide(row_weight, total, out=total)
        probabilities.ravel()[own_class] -= (1 - smoothing) * row_weight
        if smoothing:
            probabilities -= smoothing / n_classes * row_weight
        return value, _classes_last(probabilities)

    def value(
        self,
        logits: np.ndarray,
        y_encoded: np.ndarray,
        sample_weight: np.ndarray | None = None,
    ) -> float:
        """Mean loss; overwrites `logits`."""
        value, _ = self.loss_and_grad(logits, y_encoded, sample_weight)
        return value
