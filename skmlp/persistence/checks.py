"""What the parts of a state may be, which is checked before anything is built."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from numbers import Real
from typing import TypeAlias, TypeGuard, cast

import numpy as np

State: TypeAlias = dict[str, object]
"""What an object is built from: its parts, by name."""

Check: TypeAlias = Callable[[object], bool]
"""Whether a part is what it has to be."""


MOST_COLLISIONS = 100
"""Most different values of one hash; values that nobody crafted stay far below."""


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


def is_number_in(low: float, high: float) -> Check:
    """A number from low to high, both included."""
    return lambda value: is_number(value) and bool(low <= value <= high)


def is_setting(value: object) -> bool:
    """Setting of an activation: a truth value, or a number finite in float32."""
    largest = float(np.finfo(np.float32).max)
    return is_flag(value) or is_number_in(-largest, largest)(value)


def is_generator_state(value: object) -> bool:
    """The state of NumPy's default generator."""
    if not isinstance(value, dict) or value.keys() != GENERATOR_STATE.keys():
        return False
    return all(is_right(value[name]) for name, is_right in GENERATOR_STATE.items())


def is_count_below(limit: int) -> Check:
    """A count that is less than a limit."""
    return lambda value: is_count(value) and int(cast(int, value)) < limit


GENERATOR_STATE: dict[str, Check] = {
    "bit_generator": lambda value: isinstance(value, str) and value == "PCG64",
    "state": lambda value: (
        isinstance(value, dict)
        and value.keys() == {"state", "inc"}
        and all(map(is_count_below(2**128), value.values()))
        and value["inc"] % 2 == 1
    ),
    "has_uint32": is_count_below(2),
    "uinteger": is_count_below(2**32),
}


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
            and value.dtype.isnative
            and value.ndim == ndim
        )

    return check


def is_finite_array(
    dtype: str, ndim: int = 1, low: float = -np.inf
) -> Callable[[object], TypeGuard[np.ndarray]]:
    """A C-contiguous array of finite numbers of one dtype, none of them below `low`."""

    def check(value: object) -> TypeGuard[np.ndarray]:
        return (
            is_array("f", ndim)(value)
            and value.dtype == dtype
            and value.flags.c_contiguous
            and bool((np.isfinite(value) & (value >= low)).all())
        )

    return check


def is_line_of_names(value: object) -> bool:
    """What the columns of a table are called."""
    return is_array("O", 1)(value) and all(type(name) is str for name in value)


def is_a(*types: type) -> Check:
    """An object of some types."""
    return lambda value: isinstance(value, types)


def is_ascending(values: Sequence[object] | np.ndarray) -> bool:
    """Values in strictly ascending order, so that none comes twice."""
    array = np.asarray(values)
    return bool(np.all(array[:-1] < array[1:]))


def check_hashes(values: Iterable[Hashable]) -> None:
    """Raise if too many different values share a hash.

    A set or dict of such values takes time in proportion to the square of their number.
    """
    for hash_of in (hash, folded_hash):
        by_hash: dict[int, list[Hashable]] = {}
        for value in values:
            same = by_hash.setdefault(fold(hash_of(value)), [])
            if value not in same:
                same.append(value)
            if len(same) > MOST_COLLISIONS:
                raise ValueError("too many values have the same hash")


def folded_hash(value: Hashable) -> int:
    """Hash as in tables of pandas, which fold the hashes of a tuple's entries."""
    if type(value) is tuple:
        return hash(tuple([fold(folded_hash(entry)) for entry in value]))
    return hash(value)


def fold(number: int) -> int:
    """The lower half of a hash combined with its upper half, as in pandas."""
    return (number ^ (number >> 32)) & 0xFFFFFFFF
