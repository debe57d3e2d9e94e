"""Codes of distinct values."""

import datetime as dt
import enum
import pathlib
import uuid

import numpy as np
import pandas as pd
import pytest
from columns import column, of_objects

from skmlp.tabular.factorize import factorize


class Side(enum.Enum):
    LEFT = 1


class Unequal:
    def __repr__(self):
        return "Unequal"


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        ({"a", "b", 3}, {3, "b", "a"}),
        (frozenset({1, "a"}), frozenset({True, "a"})),
        ({1.0, None}, frozenset({1, None})),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": True}),
        ([{"a", "b"}, {"x": {1, 2}}], [{"b", "a"}, {"x": {2, 1}}]),
        (({"a", "b"}, 1), ({"b", "a"}, 1.0)),
        (frozenset({float("nan")}), frozenset({float("nan")})),
        (set(), frozenset()),
    ],
)
def test_factorize_equal_containers_share_a_category(cell, other):
    found = factorize(of_objects(cell, "a", other, None, [], (), {}, {"a"}))
    assert found.codes.tolist() == [0, 1, 0, -1, 2, 3, 4, 5]
    categories = column(pd.Categorical(of_objects("a").data))
    assert factorize(categories).distinct.tolist() == ["a"]


def test_factorize_tuples_stay_tuples():
    found = factorize(of_objects((1, "a"), (1.0, "a"), ("b",)))
    assert found.codes.tolist() == [0, 0, 1]
    assert found.distinct.tolist() == [(1, "a"), ("b",)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.ones(2), "unhashable"),
        ([np.ones(2)], "unhashable"),
        (object(), "address in memory"),
        ([object()], "address in memory"),
        ((1, object()), "address in memory"),
        ({"key": lambda: 0}, "address in memory"),
        (Unequal(), "address in memory"),
    ],
)
def test_factorize_objects_without_identity_are_refused(cell, message):
    with pytest.raises(TypeError, match=rf"column 'age'.*{message}"):
        factorize(of_objects(cell, "a"))


def test_factorize_members_of_enums_and_types_are_categories():
    cells = [Side.LEFT, int, Side.LEFT, uuid.UUID(int=3), pathlib.PurePath("a")]
    assert factorize(of_objects(*cells)).codes.tolist() == [0, 1, 0, 2, 3]


def test_factorize_duration_out_of_range_is_refused():
    with pytest.raises(TypeError, match=r"column 'age'.*turn them into text"):
        factorize(of_objects(dt.timedelta.max))


def test_categories_of_moments_of_both_types_in_one_column_are_merged():
    cells = [dt.datetime(2024, 1, 1), pd.Timestamp("2024-01-01"), pd.NaT]
    cells.append(np.datetime64("2024-01-01"))
    assert factorize(of_objects(*cells)).codes.tolist() == [0, 0, -1, 0]
