"""The parameter vector: named arrays that share one contiguous block of memory."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np

ParameterKey = tuple[int, str]
"""(index of the layer, name of the array in it), such as ``(0, "weight")``."""

# arrays of one layer as attributes, such as ``p.weight`` and ``p.bias``
Views: TypeAlias = SimpleNamespace


class ParameterLayout:
    """Place of each named array in a flat vector, in the order of `shapes`."""

    def __init__(self, shapes: Mapping[ParameterKey, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.slices: dict[ParameterKey, slice] = {}
        stop = 0
        for key, shape in self.shapes.items():
            start, stop = stop, stop + int(np.prod(shape, dtype=np.int64))
            self.slices[key] = slice(start, stop)
        self.size = stop

    def views(self, vector: np.ndarray) -> dict[ParameterKey, np.ndarray]:
        """Named views of a vector (size,), or of a stack of them (n_members, size)."""
        stack = vector.shape[:-1]
        return {
            key: vector[..., self.slices[key]].reshape(stack + shape)
            for key, shape in self.shapes.items()
        }
