"""Keys of categories: types that hold them exactly, and equality as in Python."""

import datetime as dt
import enum
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto

from skmlp.onnx.keys import (
    MISSING_INT64,
    UNKNOWN,
    _build_identity,
    build_keys,
    check_unicode,
    find_number_key,
    find_text_keys,
)
from skmlp.tabular.categorical import CategoricalBlock
from skmlp.tabular.factorize import factorize
from skmlp.tabular.frame import Column
from skmlp.tabular.target_means import TrainingRows


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):  # noqa: UP042, as its str() is another text
    A = "a"


def keys_of(values):
    array = np.empty(len(values), object)
    array[:] = values
    column = Column(0, "kind", array)
    fitted = CategoricalBlock(0, 40, 1)
    fitted.fit(column, factorize(column), TrainingRows.from_weight(None), None)
    return build_keys(fitted, "kind")


@pytest.mark.parametrize(
    ("values", "elem_type"),
    [
        ([True, False], TensorProto.BOOL),
        ([True, None], TensorProto.DOUBLE),
        ([1, 2], TensorProto.INT64),
        ([1, 2, None], TensorProto.DOUBLE),
        ([2**53 + 1, 2**53], TensorProto.INT64),
        ([2**53 + 1, 2**53, None], TensorProto.INT64),
        ([0.5, 1], TensorProto.DOUBLE),
        ([0.5, 2**53 + 1], TensorProto.STRING),
        ([Decimal("0.5"), 1], TensorProto.DOUBLE),
        ([Decimal("0.1"), 1], TensorProto.STRING),
        ([2**63, 1], TensorProto.DOUBLE),
        ([2**63 + 1, 1], TensorProto.STRING),
        ([10**30, 10**30 + 1], TensorProto.STRING),
        ([10**400, 1], TensorProto.STRING),
        ([MISSING_INT64, 1], TensorProto.DOUBLE),
        ([np.inf, 1], TensorProto.STRING),
        ([1, True, "a"], TensorProto.STRING),
        ([None, None], TensorProto.STRING),
    ],
    ids=str,
)
def test_build_keys_number_type_holds_all_categories(values, elem_type):
    keys = keys_of(values)
    assert keys.elem_type == elem_type
    assert len(set(keys.known)) == len(keys.known)
    if elem_type == TensorProto.INT64:
        assert (keys.missing, keys.unknown) == (MISSING_INT64, UNKNOWN)


@pytest.mark.parametrize("values", [["a"], ["a", None], ["", "a"], ["", "a", None]])
def test_build_keys_missing_and_unknown_are_no_categories(values):
    keys = keys_of(values)
    assert len({keys.missing, keys.unknown, *keys.known}) == 2 + len(keys.known)
    assert (keys.missing == "") == ("" not in values)


def test_build_keys_stand_ins_are_no_categories():
    keys = keys_of(["", "\x1f", "\x1f\x1f", None])
    assert len({keys.missing, keys.unknown, *keys.known}) == 5


def test_build_keys_of_other_types_are_refused_by_name():
    with pytest.raises(
        TypeError, match=r"'kind' to hold text.* of type IPv4Address\. Turn"
    ):
        keys_of([IPv4Address("127.0.0.1"), "a"])


def test_build_keys_lone_surrogate_is_refused_by_name():
    with pytest.raises(ValueError, match=r"column 'kind', got 'a\\ud800', which"):
        keys_of(["a\ud800", "b"])


def test_check_unicode_text_outside_of_the_first_plane_passes():
    check_unicode(["\U0001f600", "", "a"], "it")


EQUAL = [
    [1, 1.0, True, np.True_, np.int8(1), Decimal("1.00"), Fraction(1), Level.LOW],
    [0.5, Decimal("0.50"), Fraction(1, 2), np.float32(0.5)],
    [Decimal("0.1"), Fraction(1, 10)],
    [10**30, Decimal(10**30)],
    [pd.Timestamp("2024-01-01")],
    [
        pd.Timestamp("2024-01-01", tz="UTC"),
        pd.Timestamp("2024-01-01 01:00", tz="Europe/Vienna"),
    ],
    [pd.Period("2024-01-01", "D")],
    [pd.Period("2024", "Y-DEC")],
    [pd.Period("2024", "Y-JUN")],
    [pd.Timedelta("1D"), pd.Timedelta("24h")],
    [pd.Interval(0, 1), pd.Interval(0.0, 1.0)],
    [pd.Interval(0, 1, closed="left")],
    [b"a"],
    [Color.RED],
    [dt.time(1)],
    [np.inf, Decimal("Infinity")],
]


def test_build_identity_is_the_same_just_where_values_are_equal():
    values = [(group, value) for group, equal in enumerate(EQUAL) for value in equal]
    identities = [_build_identity(value) for _, value in values]
    for group, equal in enumerate(EQUAL):
        same = {i for (g, _), i in zip(values, identities, strict=True) if g == group}
        assert len(same) == 1, equal
    assert len(set(identities)) == len(EQUAL)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(3, 3), (3.0, 3), (True, 1), (3.5, -9), ("3", -9), (2**63, -9), (np.inf, -9)],
)
def test_find_number_key_whole_number(value, wanted):
    assert find_number_key(value, np.dtype(np.int64), -9) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(2**53, 2.0**53), (2**53 + 1, -9), (Decimal("0.1"), -9), (10**400, -9), (1j, -9)],
)
def test_find_number_key_double(value, wanted):
    assert find_number_key(value, np.dtype(np.float64), -9) == wanted


def test_find_text_keys_text_never_stands_for_another_category():
    reads = {"missing": "", "unknown": "?", "others": {"1": "1"}}
    values = ["a", "", "1", 1, True, 2, "\ud800"]
    wanted = ["a", "?", "?", "1", "1", "?", "?"]
    assert find_text_keys(values, reads) == wanted
