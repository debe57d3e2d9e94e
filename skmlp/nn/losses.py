"""The loss: softmax and cross-entropy, joined since their joint gradient is simple."""

from functools import cache

import numpy as np


def classes_first(logits: np.ndarray) -> np.ndarray:
    """The same numbers, seen from (..., n_samples, n_classes) class by class.

    As `np.moveaxis` does, in a fraction of its time.
    """
    return logits.T if logits.ndim == 2 else logits.transpose(2, 0, 1)


def classes_last(by_class: np.ndarray) -> np.ndarray:
    """Back from `classes_first`."""
    return by_class.T if by_class.ndim == 2 else by_class.transpose(1, 2, 0)


def sum_over_classes(by_class: np.ndarray) -> np.ndarray:
    """Sum over the first axis in its order, also for a lone row.

    NumPy by itself would sum that one in another order than rows among others.
    """
    if by_class[0].size > 1:
        return by_class.sum(axis=0)
    return np.add.accumulate(by_class)[-1]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of each row, overwriting `logits`.

    exp(z_k) / sum_j exp(z_j), after subtracting the largest logit of the row, which
    changes nothing but keeps exp from overflowing.
    """
    # class by class: NumPy is slow along a short last axis
    probabilities = np.ascontiguousarray(classes_first(logits))
    probabilities -= probabilities.max(axis=0)
    np.exp(probabilities, out=probabilities)
    probabilities /= sum_over_classes(probabilities)
    logits[:] = classes_last(probabilities)
    return logits


@np.errstate(all="ignore")
def compute_probabilities(
    logits: np.ndarray,
    temperature: float = 1.0,
    ensemble_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities of a network, or their mean over a stack of them.

    Parameters
    ----------
    logits : ndarray of shape (..., n_samples, n_classes)
        Overwritten.
    temperature : float, default=1.0
        Above 1 it draws probabilities towards each other, below 1 apart; the order of
        the classes stays.
    shares : ndarray of shape (n_members,), default=None
        What each network of a stack has of the mean; they sum to 1. None is for all
        the same.
    """
    if logits.ndim == 3:
        logits = log_mean_probabilities(logits, ensemble_weights)
    if temperature != 1:
        logits /= temperature
    return softmax(logits)


def log_mean_probabilities(
    logits: np.ndarray, ensemble_weights: np.ndarray | None = None
) -> np.ndarray:
    """Logarithm of the mean probabilities of a stack, overwriting `logits`."""
    probabilities = softmax(logits)
    if ensemble_weights is None:
        mean = probabilities.mean(axis=0)
    else:
        # member by member, in an order that does not depend on the number of rows
        mean = np.zeros(probabilities.shape[1:], probabilities.dtype)
        for share, of_member in zip(
            ensemble_weights.tolist(), probabilities, strict=True
        ):
            of_member *= share
            mean += of_member
    return log_probabilities(mean)


def log_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Their logarithm, which is finite for those that are 0 in their type."""
    return np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny))


@cache
def probability_floor(dtype: np.dtype) -> float:
    """What is added to all probabilities in training: 1.4e-14 in float32.

    Beside 1 it is lost in rounding, twice over. But the delta of a wrong class, which
    on rows told apart well falls below the smallest normal number, 1.2e-38, stays far
    above it, and so do most products with it. For each operation on subnormal numbers,
    Intel's processors take more than a hundred cycles.
    """
    return float(np.finfo(dtype).eps) ** 2


class SoftmaxCrossEntropy:
    """Mean over the rows of weight * -sum_k t_k log p_k, with p = softmax(logits).

    The target t is 1 for the row's class and 0 elsewhere, or, with label smoothing
    (Szegedy et al., 2016), 1 - s + s / n_classes and s / n_classes. Targets come as
    integer codes and are never spread out.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        The part s of the target that is spread evenly over all classes.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SoftmaxCrossEntropy()
    >>> value, delta = loss.loss_and_grad(np.zeros((1, 2)), np.array([0]))
    >>> round(value, 4), delta
    (0.6931, array([[-0.5,  0.5]]))
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def loss_and_grad(
        self,
        logits: np.ndarray,
        y_encoded: np.ndarray,
        sample_weight: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """The loss, and d loss / d logits; may overwrite `logits`.

        Parameters
        ----------
        logits : ndarray of shape (..., n_samples, n_classes)
            Output of the network, or of each network of a stack; overwritten.
        codes : ndarray of int of shape (..., n_samples)
            Class of each row, from 0 to n_classes - 1.
        weight : ndarray of shape (..., n_samples), default=None
            Weight of each row; None means 1.

        Returns
        -------
        value : float
            Mean of weight * loss over the rows, and over the networks of a stack.
        delta : ndarray of shape (..., n_samples, n_classes)
            weight * (p - t) / n_samples, each network's own.
        """
        # one row per class: reductions then run along whole rows, and the logits that
        # `Dense(order="F")` gives need no copy to be numbered through
        probabilities = np.ascontiguousarray(classes_first(logits))
        n_classes, n_samples, n_rows = (
            len(probabilities),
            y_encoded.shape[-1],
            y_encoded.size,
        )
        smoothing = self.label_smoothing
        # small types of integers would not hold it
        own_class = np.multiply(y_encoded, n_rows, dtype=np.intp)
        own_class += np.arange(n_rows).reshape(y_encoded.shape)

        probabilities -= np.maximum.reduce(probabilities, axis=0)
        losses = probabilities.take(own_class)
        losses *= smoothing - 1
        if smoothing:
            losses -= smoothing * probabilities.mean(axis=0)
        np.exp(probabilities, out=probabilities)
        probabilities += probability_floor(probabilities.dtype)
        total = np.add.reduce(probabilities, axis=0)
        losses += np.log(total)

        share = 1 / n_samples
        if sample_weight is None:
            value = float(np.add.reduce(losses, axis=None, dtype=np.float64)) / n_rows
        else:
            value = float(np.vdot(losses.astype(np.float64), sample_weight)) / n_rows
            share = sample_weight * share
        probabilities *= np.divide(share, total, out=total)
        probabilities.ravel()[own_class] -= (1 - smoothing) * share
        if smoothing:
            probabilities -= smoothing / n_classes * share
        return value, classes_last(probabilities)

    def value(
        self,
        logits: np.ndarray,
        y_encoded: np.ndarray,
        sample_weight: np.ndarray | None = None,
    ) -> float:
        """The loss alone; overwrites `logits`."""
        value, _ = self.loss_and_grad(logits, y_encoded, sample_weight)
        return value
