"""Codecs: objects of one class to plain fields and back, and those of plain values."""

import datetime as dt
from collections.abc import Callable, Hashable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skmlp.persistence.archive import expect
from skmlp.persistence.checks import (
    Check,
    check_fields,
    check_hashes,
    is_array,
    is_count_below,
)


class Codec(NamedTuple):
    """Conversion between objects of one class and their fields, by name."""

    get_state: Callable[[Any], dict[str, Any] | None]  # None: no file can hold it
    build: Callable[[dict[str, Any]], object]  # raises an error if a field is wrong
    # columns of X that the entries of a field are about, by field; for messages
    get_columns: Callable[[Any], Mapping[str, Sequence[object]]] = lambda built: {}


def by_fields(
    cls: type,
    checks: Mapping[str, Check],
    is_consistent: Callable[[Any], bool] | None = None,
) -> Codec:
    """Return a codec that takes objects apart as pickle does, but checks each field."""
    is_tuple = issubclass(cls, tuple)

    def get_state(value: Any) -> dict[str, Any] | None:
        state = value._asdict() if is_tuple else value.__getstate__() or {}
        return state if state.keys() == checks.keys() else None

    def build(state: dict[str, Any]) -> object:
        check_fields(cls.__name__, state, checks)
        built = cls(**state) if is_tuple else object.__new__(cls)
        if hasattr(built, "__setstate__"):
            built.__setstate__(state)
        elif not is_tuple:
            vars(built).update(state)
        if is_consistent and not is_consistent(built):
            raise ValueError(f"the parts of a {cls.__name__} don't fit together")
        return built

    return Codec(get_state, build)


def by_values(
    get_state: Callable[[Any], dict[str, Any] | None], build: Callable[..., object]
) -> Codec:
    """Return a codec whose objects are built from keyword arguments."""
    return Codec(get_state, lambda state: build(**state))


def by_attributes(build: Callable[..., object], *names: str) -> Codec:
    """Return a codec whose objects are built from some of their attributes."""
    return by_values(
        lambda value: {name: getattr(value, name) for name in names},
        lambda **state: build(*[state.pop(name) for name in names], **state),
    )


def _by_text(
    parse: Callable[[str], object], to_text: Callable[[Any], str | None] = str
) -> Codec:
    """Return a codec whose objects are built from text."""

    def get_state(value: object) -> dict[str, Any] | None:
        text = to_text(value)
        return None if text is None else {"text": text}

    return by_values(get_state, lambda text: parse(expect(str, text)))


def _format_naive(value: Any) -> str | None:
    """Return ISO text of a date or time, None if it has a time zone."""
    return value.isoformat() if getattr(value, "tzinfo", None) is None else None


def _build_scalar(dtype: str, data: str) -> np.generic:
    found = np.dtype(dtype)
    if found.kind not in "biufcmMS":  # the bytes of an object would be an address
        raise ValueError(f"a scalar has the dtype {found}")
    [scalar] = np.frombuffer(bytes.fromhex(data), found)
    return scalar


def _build_objects(values: Sequence[object], shape: Sequence[int]) -> np.ndarray:
    # not np.array, which makes tuples a further axis
    return np.fromiter(values, dtype=object, count=len(values)).reshape(shape)


def _get_index_state(index: pd.Index) -> dict[str, Any] | None:
    values, dtype = index.to_numpy(dtype=object), str(index.dtype)
    is_known = dtype in ("str", "object")
    return {"values": values, "dtype": dtype, "name": index.name} if is_known else None


def _build_index(values: np.ndarray, dtype: str, name: Hashable) -> pd.Index:
    if dtype not in ("str", "object"):  # "U999999999" would take gigabytes
        raise ValueError("the dtype of an index is wrong")
    return pd.Index(values, dtype=dtype, name=name)


def _get_random_state(random_state: np.random.RandomState) -> dict[str, Any] | None:
    state: Any = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return None
    return state["state"] | {name: state[name] for name in ("has_gauss", "gauss")}


def _build_random_state(
    key: np.ndarray, pos: int, has_gauss: int, gauss: float
) -> np.random.RandomState:
    is_key = is_array("u", 1)(key) and key.dtype == np.uint32 and key.shape == (624,)
    # NumPy takes any position, and would read memory there
    if not (is_key and is_count_below(625)(pos)):
        raise ValueError("the state of a RandomState is wrong")
    random_state = np.random.RandomState()
    random_state.set_state(("MT19937", key, pos, has_gauss, gauss))
    return random_state


VALUE_CODECS: dict[type, Codec] = {
    tuple: by_values(
        lambda entries: {"entries": list(entries)}, lambda entries: tuple(entries)
    ),
    dict: by_values(
        lambda pairs: {"keys": list(pairs), "values": list(pairs.values())},
        lambda keys, values: dict(zip(check_hashes(keys), values, strict=True)),
    ),
    # in an order that does not change from process to process
    frozenset: by_values(
        lambda members: {"members": sorted(members, key=repr)},
        lambda members: frozenset(check_hashes(members)),
    ),
    bytes: _by_text(bytes.fromhex, bytes.hex),
    np.str_: _by_text(np.str_),
    np.generic: by_values(  # all other scalars
        lambda scalar: {"dtype": scalar.dtype.str, "data": scalar.tobytes().hex()},
        _build_scalar,
    ),
    np.ndarray: by_values(  # of objects, whatever they are; other arrays are leaves
        lambda array: {"values": list(array.flat), "shape": list(array.shape)},
        _build_objects,
    ),
    np.random.RandomState: by_values(_get_random_state, _build_random_state),
    **dict.fromkeys((PosixPath, WindowsPath), _by_text(Path)),
    Decimal: _by_text(Decimal),
    dt.date: _by_text(dt.date.fromisoformat, _format_naive),
    dt.datetime: _by_text(dt.datetime.fromisoformat, _format_naive),
    dt.time: _by_text(dt.time.fromisoformat, _format_naive),
    dt.timedelta: by_attributes(dt.timedelta, "days", "seconds", "microseconds"),
    pd.Index: by_values(_get_index_state, _build_index),
    pd.Interval: by_attributes(pd.Interval, "left", "right", "closed"),
    pd.Period: by_attributes(
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
        "ordinal",
        "freqstr",
    ),
    pd.Timestamp: by_values(
        lambda moment: {"moment": moment.asm8} if moment.tz is None else None,
        lambda moment: pd.Timestamp(expect(np.datetime64, moment)),
    ),
    pd.Timedelta: by_attributes(
        lambda duration: pd.Timedelta(expect(np.timedelta64, duration)), "asm8"
    ),
}
"""Codecs of values that parameters, categories and column names may be."""
