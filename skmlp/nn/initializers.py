"""Start values of weights: functions of a shape and a random generator."""

import math
from collections.abc import Callable

import numpy as np

# gives weights of the shape (fan_in, fan_out), drawn from the generator
Initializer = Callable[[tuple[int, int], np.random.Generator], np.ndarray]


def he_normal(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Normal with variance 2 / fan_in, for the relu family (He et al., 2015)."""
    fan_in, _ = shape
    return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)


def glorot_uniform(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    fan_in, fan_out = shape
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def lecun_normal(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Normal with variance 1 / fan_in, as selu needs (LeCun et al., 1998)."""
    fan_in, _ = shape
    return rng.normal(0.0, math.sqrt(1.0 / fan_in), shape)


def zeros(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """0 throughout, for softmax regression, which has no symmetry to break."""
    return np.zeros(shape)


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "lecun_normal": lecun_normal,
    "zeros": zeros,
}
