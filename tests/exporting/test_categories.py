"""Columns of categories as nodes, beside what the encoder makes of them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from onnx import helper
from sessions import evaluate

from skmlp.exporting.categories import KEY_TYPES, categories
from skmlp.exporting.feeds import CONVERSIONS
from skmlp.exporting.graph import Graph, joined
from skmlp.exporting.inputs import type_of_categories
from skmlp.tabular.columns import CategoryColumn, factorize
from skmlp.tabular.tables import Column, pandas_values
from skmlp.tabular.target_means import Rows, Target


def compare(train, new, *, max_categories=40, y=None):
    """Fit on some values, and let encoder and graph write others."""
    column = Column(0, "kind", pandas_values(pd.Series(train)))
    fitted = CategoryColumn(0, max_categories, 2)
    target = None if y is None else Target(np.asarray(y), ["a", "b", "c"])
    fitted.fit(column, factorize(column), Rows.of(None), target)
    elem_type, kind = type_of_categories(fitted, "kind")
    graph = Graph()
    name = joined(graph, categories(graph, "x", elem_type, fitted))
    rows = Column(0, "kind", pandas_values(pd.Series(new)))
    wanted = np.zeros((len(new), len(fitted.labels)))
    fitted.write(fitted.codes(rows, factorize(rows)), wanted)
    dtype = helper.tensor_dtype_to_np_dtype(elem_type)
    x = CONVERSIONS[kind](rows, dtype).reshape(-1, 1)
    result = evaluate(graph, name, x=x)
    assert result.dtype == np.float32
    assert_allclose(result, wanted, atol=1e-7)
    return elem_type


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
    "mixed": ([1, "a", 2.5, "a", 1, 2.5, (1, 2), (1, 2)], [1, "a", (1, 2), "b"]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_categories", [2, 3, 40])
@pytest.mark.parametrize("has_target", [False, True])
def test_categories(kind, max_categories, has_target):
    train, new = KINDS[kind]
    y = np.arange(len(train)) % 3 if has_target else None
    compare(train, new, max_categories=max_categories, y=y)


def test_empty_text_is_a_value_where_training_had_it():
    compare(["", "a", "b"] * 2, ["", "a", "c"])


def test_types_that_values_come_in():
    types = {kind: compare(*KINDS[kind]) for kind in KINDS}
    assert set(types.values()) == set(KEY_TYPES)


def test_values_that_print_the_same_are_told():
    column = Column(0, "kind", np.array([1, "1", "a"], object))
    fitted = CategoryColumn(0, 40, 2)
    fitted.fit(column, factorize(column), Rows.of(None), None)
    with pytest.raises(TypeError, match="'kind' holds values that are different"):
        type_of_categories(fitted, "kind")
