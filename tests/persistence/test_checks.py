"""What the parts of a saved object may be, one check at a time."""

from fractions import Fraction

import numpy as np
import pytest

from skmlp.persistence.checks import (
    check_state,
    is_a,
    is_array,
    is_count,
    is_flag,
    is_line_of_names,
    is_list_of,
    is_number,
    is_setting,
)

CHECKS = {  # right ones, and wrong ones
    "is_flag": (is_flag, [True, False, np.True_], [0, 1.0, None, "True", [True]]),
    "is_count": (
        is_count,
        [0, 7, 2**70, np.int8(3), np.uint64(0)],
        [-1, np.int8(-1), 1.0, True, np.False_, "1", None, np.array(1)],
    ),
    "is_number": (
        is_number,
        [0, -1.5, np.nan, np.float32(1), np.int8(1), Fraction(1, 3)],
        [True, np.True_, 1j, "1", None, np.array(1.0)],
    ),
    "is_setting": (is_setting, [0.25, 1, True, np.False_], ["0.25", None, [1]]),
    "is_list_of": (
        is_list_of(int, str),
        [[], [1], ["a", 2]],
        [(1,), [1.0], [None], "a", {1}, [[1]]],
    ),
    "is_list_of(object)": (is_list_of(object), [[], [None, 1]], [(), None]),
    "is_array": (
        is_array("iu", 1),
        [np.zeros(0, int), np.ones(2, np.uint8)],
        [np.zeros(2), np.zeros((1, 1), int), np.int8(1), [1], np.array(1)],
    ),
    "is_line_of_names": (
        is_line_of_names,
        [np.array([], dtype=object), np.array(["a", "b"], dtype=object)],
        [np.array(["a"]), np.array(["a", 1], dtype=object), ["a"], "a"],
    ),
    "is_a": (is_a(int, type(None)), [1, None, True], [1.0, "1", [None]]),
}


@pytest.mark.parametrize(("is_right", "right", "wrong"), CHECKS.values(), ids=CHECKS)
def test_what_is_right_and_what_is_wrong(is_right, right, wrong):
    for value in right:
        assert is_right(value) is True, value
    for value in wrong:
        assert is_right(value) is False, value


def test_names_are_strings_and_nothing_that_passes_for_them():
    assert not is_line_of_names(np.array([np.str_("a")], dtype=object))


CHECKS_OF_A_PAIR = {"first": is_count, "second": is_flag}


def test_a_state_has_all_parts_and_no_others():
    check_state("Pair", {"second": True, "first": 3}, CHECKS_OF_A_PAIR)
    check_state("Nothing", {}, {})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"first": 3}, "second of Pair is wrong or missing"),
        ({"first": -3, "second": True}, "first of Pair is wrong or missing"),
        ({"first": 3, "second": None}, "second of Pair is wrong or missing"),
        (
            {"first": 3, "second": True, "third": 1, "another": 2},
            "Pair can't have another, third",
        ),
    ],
    ids=["missing", "wrong", "none", "unknown"],
)
def test_what_is_wrong_with_a_state_is_named(state, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_state("Pair", state, CHECKS_OF_A_PAIR)
