"""The parameter vector: named arrays that share one contiguous block of memory."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

ParameterKey = tuple[int, str]
"""(index of the layer, name of the array in it), such as ``(0, "weight")``."""


class Views(Protocol):
    """Arrays by name, one attribute each, such as ``p.weight`` and ``p.bias``."""

    def __getattribute__(self, name: str, /) -> np.ndarray: ...


class ParameterLayout:
    """Where each named array lies in a flat vector.

    Parameters
    ----------
    shapes : mapping of (layer index, name) to shape
        The arrays in the order in which they lie in the vector.

    Attributes
    ----------
    size : int
        Length of the vector.

    Examples
    --------
    >>> import numpy as np
    >>> layout = ParameterLayout({(0, "weight"): (2, 3), (0, "bias"): (3,)})
    >>> vector = np.zeros(layout.size)
    >>> layout.views(vector)[0, "bias"][:] = 1
    >>> vector
    array([0., 0., 0., 0., 0., 0., 1., 1., 1.])
    """

    def __init__(self, shapes: Mapping[ParameterKey, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.slices: dict[ParameterKey, slice] = {}
        stop = 0
        for key, shape in self.shapes.items():
            start, stop = stop, stop + int(np.prod(shape, dtype=np.int64))
            self.slices[key] = slice(start, stop)
        self.size = stop

    def views(self, vector: np.ndarray) -> dict[ParameterKey, np.ndarray]:
        """Named arrays that share memory with `vector`.

        For a stack of vectors, (n_members, size), they are stacks as well.
        """
        members = vector.shape[:-1]
        return {
            key: vector[..., self.slices[key]].reshape(members + shape)
            for key, shape in self.shapes.items()
        }

    def fill(
        self,
        values: Mapping[str, float],
        default: float = 1.0,
        dtype: np.typing.DTypeLike = np.float64,
    ) -> np.ndarray:
        """A flat vector with one value per array name, such as ``{"bias": 0}``."""
        vector = np.empty(self.size, dtype)
        for (_, name), place in self.slices.items():
            vector[place] = values.get(name, default)
        return vector
