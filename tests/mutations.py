"""Contents of files, each changed in one place as a careless or hostile hand may."""

import numpy as np

NUMBERS = [
    *(0, 1, -1, 3, 2**31, 2**63, 2**80, -(2**80), 10**400, 0.0, 0.5, -0.5, 1e-40),
    *(1e40, 1e308, np.inf, -np.inf, np.nan),
]
RUBBISH = [
    *(None, True, False, "", "x", "float64", b"x", [], (), {}, [[]], [None], ("a",)),
    *(np.zeros(3), np.zeros(0), np.array("x"), np.float32(0.5), np.int8(-1)),
    *(np.datetime64("2024-01-01"), [1, 2, 3], {"class": "ReLU", "state": {}}),
    {"class": "Index", "state": {}},
    {"class": "dict", "state": {"keys": [1], "values": [1]}},
    {"class": "ndarray", "state": {"values": [1, "a", None]}},
]


def places_of(tree, place=()):
    """Places of all values in a tree but its root."""
    if isinstance(tree, dict | list | tuple):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield (*place, key)
            yield from places_of(tree[key], (*place, key))


def value_at(tree, place):
    """Value at a place of a tree."""
    for key in place:
        tree = tree[key]
    return tree


def changed(tree, place, change):
    """Copy of a tree in which `change` was applied to the holder of a place."""
    holder = dict(tree) if isinstance(tree, dict) else list(tree)
    if len(place) == 1:
        change(holder, place[0])
    else:
        holder[place[0]] = changed(holder[place[0]], place[1:], change)
    return tuple(holder) if isinstance(tree, tuple) else holder


def other_array(array, rng):
    """Array that differs in a value, its dtype, its shape or its memory order."""
    other = array.copy()
    if array.size and array.dtype.kind in "iufb" and rng.random() < 0.5:
        number = rng.choice([np.nan, np.inf, -np.inf, -1, 0, 1, 7, 1e30])
        with np.errstate(all="ignore"):
            other.flat[rng.integers(array.size)] = number.astype(array.dtype)
        return other
    ways = [
        lambda: other[:-1],
        lambda: np.concatenate([other, other[-1:]]),
        lambda: other[::-1].copy(),
        lambda: other[np.newaxis],
        lambda: other.reshape(-1),
        lambda: np.zeros_like(other),
        lambda: np.asfortranarray(np.atleast_2d(other)),
        lambda: other.byteswap().view(other.dtype.newbyteorder()),
        lambda: other.astype(rng.choice(["f2", "f4", "f8", "i1", "i8", "u8", "U3"])),
    ]
    return ways[rng.integers(len(ways))]()


def other_value(value, tree, rng):
    """Value that could stand in the place of another."""
    if isinstance(value, np.ndarray) and value.ndim and rng.random() < 0.8:
        return other_array(value, rng)
    if isinstance(value, list | tuple) and value and rng.random() < 0.5:
        entries, first = list(value), rng.integers(len(value))
        ways = [
            lambda: entries[:-1],
            lambda: [*entries, entries[first]],
            lambda: entries[::-1],
            lambda: [entries[first]] * len(entries),
        ]
        return type(value)(ways[rng.integers(len(ways))]())
    if isinstance(value, int | float) and rng.random() < 0.6:
        near = [value + 1, value - 1, -value, value * 2, value / 3]
        pool = NUMBERS if rng.random() < 0.5 else near
        return pool[rng.integers(len(pool))]
    if rng.random() < 0.3:
        places = list(places_of(tree))
        return value_at(tree, places[rng.integers(len(places))])
    return RUBBISH[rng.integers(len(RUBBISH))]


def mutate(tree, rng):
    """A place of a tree, and a copy of the tree that differs there."""
    places = list(places_of(tree))
    place = places[rng.integers(len(places))]

    def change(holder, key):
        if isinstance(holder, dict) and rng.random() < 0.1:
            del holder[key]
        elif isinstance(holder, dict) and rng.random() < 0.05:
            holder[f"{key}_"] = holder[key]
        else:
            holder[key] = other_value(holder[key], tree, rng)

    return place, changed(tree, place, change)
