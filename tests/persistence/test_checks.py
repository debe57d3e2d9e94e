"""Checks of the fields of saved objects, one at a time."""

from fractions import Fraction

import numpy as np
import pytest

from skmlp.persistence.checks import (
    check_fields,
    is_array,
    is_bool,
    is_count,
    is_finite_array,
    is_list,
    is_number_in,
)

CHECKS = {  # values that pass, and values that don't
    "is_bool": (is_bool, [True, False, np.True_], [0, 1.0, None, "True", [True]]),
    "is_count": (
        is_count,
        [0, 7, 2**70, np.int8(3), np.uint64(0)],
        [-1, np.int8(-1), 1.0, True, np.False_, "1", None, np.array(1)],
    ),
    "is_number_in": (
        is_number_in(-2, 2),
        [0, -1.5, np.float32(1), np.int8(1), Fraction(1, 3)],
        [True, np.True_, 1j, "1", None, np.array(1.0), np.nan, 3, -np.inf],
    ),
    "is_list": (
        is_list(int, str),
        [[], [1], ["a", 2]],
        [(1,), [1.0], [None], "a", {1}, [[1]]],
    ),
    "is_list(object)": (is_list(object), [[], [None, 1]], [(), None]),
    "is_array": (
        is_array("iu", 1),
        [np.zeros(0, int), np.ones(2, np.uint8)],
        [np.zeros(2), np.zeros((1, 1), int), np.int8(1), [1], np.array(1)],
    ),
    "is_finite_array": (
        is_finite_array("float64", 2, low=0),
        [np.zeros((2, 3)), np.zeros((0, 1))],
        [
            *(np.zeros(2), np.zeros((2, 3), "f4"), np.zeros((2, 3), ">f8"), [[0.0]]),
            *(np.full((1, 1), -1.0), np.full((1, 1), np.nan), np.zeros((3, 2)).T),
        ],
    ),
}


@pytest.mark.parametrize(("check", "right", "wrong"), CHECKS.values(), ids=CHECKS)
def test_check_passes_right_values_only(check, right, wrong):
    for value in right:
        assert check(value) is True, value
    for value in wrong:
        assert check(value) is False, value


CHECKS_OF_PAIR = {"first": is_count, "second": bool | None}


def test_check_fields_takes_all_fields_and_no_others():
    check_fields("Pair", {"second": True, "first": 3}, CHECKS_OF_PAIR)
    check_fields("Nothing", {}, {})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"first": 3}, "second of Pair is wrong or missing"),
        ({"first": -3, "second": True}, "first of Pair is wrong or missing"),
        ({"first": 3, "second": "x"}, "second of Pair is wrong or missing"),
        (
            {"first": 3, "second": True, "third": 1, "another": 2},
            "Pair can't have another, third",
        ),
        ([], "Pair is no dict"),
    ],
    ids=["missing", "wrong", "another type", "unknown", "no dict"],
)
def test_check_fields_names_wrong_field(state, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}$"):
        check_fields("Pair", state, CHECKS_OF_PAIR)
