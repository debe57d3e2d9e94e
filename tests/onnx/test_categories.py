"""Columns of categories as nodes, beside what the encoder makes of them."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto
from sessions import evaluate

from skmlp.onnx.categories import add_categories
from skmlp.onnx.encoder import _build_category_input
from skmlp.onnx.graph import Graph
from skmlp.onnx.keys import build_keys
from skmlp.tabular.categorical import CategoricalBlock
from skmlp.tabular.factorize import factorize
from skmlp.tabular.frame import Column, read_pandas_series
from skmlp.tabular.target_means import Target, TrainingRows


def compare(train, new, *, max_categories=40, y=None):
    """Fit on some values, and let encoder and graph write others."""
    column = Column(0, "kind", read_pandas_series(pd.Series(train)))
    fitted = CategoricalBlock(0, max_categories, 2)
    target = None
    if y is not None:
        target = Target(np.asarray(y), ["a", "b", "c"], np.arange(len(y)) % 5)
    fitted.fit(column, factorize(column), TrainingRows.from_weight(None), target)
    entry = _build_category_input(fitted, ("kind", "kind", 0), {})
    keys = build_keys(fitted, "kind")
    graph = Graph()
    name = graph.concat(add_categories(graph, "x", fitted, keys))
    rows = Column(0, "kind", read_pandas_series(pd.Series(new)))
    wanted = np.zeros((len(new), len(fitted.labels)))
    fitted.write(fitted.read(rows), slice(None), wanted)
    result = evaluate(graph, name, x=entry.fill(rows).reshape(-1, 1))
    assert result.dtype == np.float32
    assert_allclose(result, wanted, atol=1e-7)
    return entry.elem_type


KINDS = {
    "text": (list("abcabcab"), ["a", "d", "c", None]),
    "text with holes": ([*"abcabcab", None], ["a", None, "d", "c"]),
    "two": (list("abab"), ["a", "b", "c", None]),
    "one": (["a", "a"], ["a", "b", None]),
    "one and holes": (["a", "a", None], ["a", "b", None]),
    "infrequent": (list("aabbccdef"), ["a", "d", "x", None]),
    "infrequent with holes": ([*"aabbccdef", None, None], ["a", "d", "x", None]),
    "truth": ([True, False, True], [False, True]),
    "truth with holes": ([True, False, None], [False, True, None]),
    "whole": (pd.Categorical([3, 1, 2, 3, 1, 2]), pd.Categorical([1, 2, 7, 3])),
    "whole with holes": (
        pd.Categorical([3, 1, 2, 3, 1, 2, None]),
        pd.Categorical([1, None, 7, 3]),
    ),
    "floats": (pd.Categorical([0.5, 1.5, 2.5] * 2), pd.Categorical([0.5, 2.5, 9.5])),
    "two floats": (pd.Categorical([0.5, 1.5] * 2), pd.Categorical([0.5, 1.5, 9.5])),
    "intervals": (
        pd.cut([1, 2, 3, 4, 5, 6], [0, 2, 4, 6]),
        pd.cut([1, 3, 5, 9], [0, 2, 4, 6]),
    ),
    "mixed": ([1, "a", 2.5, "a", 1, 2.5, b"x", b"x"], [1, "a", b"x", (1, 2), "b"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_categories", [2, 3, 40])
@pytest.mark.parametrize("has_target", [False, True])
def test_categories(kind, max_categories, has_target):
    train, new = KINDS[kind]
    y = np.arange(len(train)) % 3 if has_target else None
    compare(train, new, max_categories=max_categories, y=y)


@pytest.mark.parametrize("train", [["", "a", "b"], ["", "a", None], ["a", None], ["a"]])
def test_categories_empty_and_missing_text_are_told_apart(train):
    compare(train * 2, ["", "a", "c", None, " ", "\x1f"])


@pytest.mark.parametrize(
    ("train", "new"),
    [
        ([1, True, "a"], [1, True, 1.0, "1", "True", "a", 2]),
        ([True, "a", "b"], [1, "1", "True", True]),
        ([2**53, 2**53 + 1, 2**53 + 2, None], [2**53 + 1, 2**53, None, 5]),
        ([2**62, 2**62 + 1, None, None], [2**62 + 1, None, 2**62]),
        ([2**53, 1, None], [2**53 + 1, 2**53, None]),
        ([10**30, 10**30 + 1, 5], [10**30, 10**30 + 1, 5.0, "5"]),
        ([1, 2, 3], [1.5, 1.0, None, "1", 2**64, np.inf]),
        ([0.1, 0.5, 1], [Decimal("0.1"), np.float32(0.1), np.float32(0.5), True]),
        ([Decimal("1.10"), "a", "b"], [Decimal("1.1"), "1.10", 1.1]),
        ([pd.Interval(0.0, 1.0), "a", "b"], [pd.Interval(0, 1), "(0.0, 1.0]"]),
        (["\xe9", "e\u0301", "\xc9"], ["\xe9", "e\u0301", "E\u0301", "\xc9"]),
        (["a\0b", "a", "x" * 9999], ["a\0b", "a\0c", "a", "x" * 9999, "x" * 9998]),
    ],
    ids=str,
)
def test_categories_object_values_are_found_as_in_python(train, new):
    compare(objects(train * 2), objects(new))


def objects(values):
    """A series of the values as they are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return pd.Series(array, dtype=object)


def test_categories_all_infrequent_need_no_key():
    compare([f"town {place}" for place in range(9)], ["town 1", "elsewhere", None])
    compare(pd.Categorical(range(9)), pd.Categorical([1, 99]))
    compare(pd.Categorical(np.arange(9) + 0.5), pd.Categorical([1.5, 99]))
    compare(objects([None, None]), objects(["a", None]))


def test_types_that_values_come_in():
    types = {kind: compare(*KINDS[kind]) for kind in KINDS}
    wanted = {"STRING", "INT64", "BOOL", "DOUBLE"}
    assert set(map(TensorProto.DataType.Name, types.values())) == wanted


def test_values_that_print_the_same_are_told():
    with pytest.raises(TypeError, match="'kind' holds values that are different"):
        compare([1, "1", "a"], ["a"])
