"""What the parts of a state may be, which is checked before anything is built."""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import TypeAlias, TypeGuard

import numpy as np

State: TypeAlias = dict[str, object]
"""What an object is built from: its parts, by name."""

Check: TypeAlias = Callable[[object], bool]
"""Whether a part is what it has to be."""


def check_state(name: str, state: State, checks: Mapping[str, Check]) -> None:
    """Raise unless each part of a state is what it has to be."""
    unknown = state.keys() - checks.keys()
    if unknown:
        raise ValueError(f"{name} can't have {', '.join(sorted(unknown))}")
    for part, is_right in checks.items():
        if part not in state or not is_right(state[part]):
            raise ValueError(f"{part} of {name} is wrong or missing")


def is_flag(value: object) -> bool:
    """A truth value."""
    return isinstance(value, bool | np.bool_)


def is_count(value: object) -> bool:
    """A whole number, at least 0."""
    if not isinstance(value, int | np.integer) or is_flag(value):
        return False
    return bool(value >= 0)


def is_number(value: object) -> TypeGuard[float]:
    """A real number."""
    return isinstance(value, Real) and not is_flag(value)


def is_setting(value: object) -> bool:
    """What an activation may be told: a number or a truth value."""
    return is_number(value) or is_flag(value)


def is_list_of(*types: type) -> Check:
    """A list with members of some types."""
    return lambda value: (
        type(value) is list and all(isinstance(entry, types) for entry in value)
    )


def is_array(kinds: str, ndim: int) -> Callable[[object], TypeGuard[np.ndarray]]:
    """An array of dtypes of some kinds."""

    def check(value: object) -> TypeGuard[np.ndarray]:
        return (
            isinstance(value, np.ndarray)
            and value.dtype.kind in kinds
            and value.ndim == ndim
        )

    return check


def is_line_of_names(value: object) -> bool:
    """What the columns of a table are called."""
    return is_array("O", 1)(value) and all(type(name) is str for name in value)


def is_a(*types: type) -> Check:
    """An object of some types."""
    return lambda value: isinstance(value, types)
