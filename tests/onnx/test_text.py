"""Columns of text as nodes, beside what the encoder makes of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sessions import evaluate

from skmlp.onnx.encoder import _add_scale
from skmlp.onnx.graph import Graph
from skmlp.onnx.text import TOKENIZERS, add_text, is_lowered_by_graph
from skmlp.tabular.factorize import Factorized
from skmlp.tabular.frame import Column
from skmlp.tabular.target_means import Target, TrainingRows
from skmlp.tabular.text import ANALYZERS, TextBlock, UniqueTexts

WORDS = "tea coffee Good bad ÄRGER naïve x_1 don't 3.5 über!! ... http://a.b 日本"


def fitted(unit, n_rows=300, extra=()):
    rng = np.random.default_rng(0)
    distinct = [
        " ".join(rng.choice([*WORDS.split(), "cafe\u0301"], rng.integers(1, 7)))
        for _ in range(n_rows)
    ]
    distinct[: len(extra)] = extra
    texts = UniqueTexts.from_factorized(Factorized(np.arange(n_rows), distinct))
    codes = np.array([("tea" in note) + ("Good" in note) for note in distinct])
    target = Target(codes, ["a", "b", "c"], np.arange(n_rows) % 5)
    column = TextBlock(0, unit)
    column.fit(
        texts, TrainingRows.from_weight(None), target, 4, np.random.RandomState(0)
    )
    return column, distinct


def add_scaled_text(graph, column):
    return _add_scale(graph, add_text(graph, "x", column), column.scale)


def test_text_words_of_other_alphabets_with_capitals():
    column, _ = fitted("words", extra=["\u043f\u0440\u0438\u0432\u0435\u0442"] * 9)
    word = "\u043f\u0440\u0438\u0432\u0435\u0442"
    values = np.array([word, word.title(), word.upper()], object)
    graph = Graph()
    result = evaluate(graph, add_scaled_text(graph, column), x=values.reshape(-1, 1))
    told = column.read(Column(0, "note", values))
    assert_allclose(result, told.table[told.codes], atol=1e-5)
    assert np.ptp(result, axis=0).max() == 0


@pytest.mark.parametrize(
    ("value", "unit", "wanted"),
    [
        ("ABC", "words", True),
        ("\u041f\u0440\u0438\u0432\u0435\u0442 \xc4\xd6x", "words", True),
        ("\u041f\u0440\u0418\u0432\u0415\u0442", "words", False),
        ("\u041f\u0440\u0418\u0432\u0415\u0442", "characters", True),
        ("\u0130x", "words", False),
        ("\u0130x", "characters", False),
    ],
)
def test_is_lowered_by_graph_letters_that_the_graph_does_not_lower(value, unit, wanted):
    assert is_lowered_by_graph(value, unit) == wanted


ODD = [
    *("", " ", "\n", "GOOD TEA", "good\ttea", "Good\u00a0tea", "tea\u2003\u2003tea"),
    *("ärger", "Ärger", "ÜBER!!", "naÏve", "日本", "İx", "ẞ", "x_1x_1", "dON'T"),
    *("tea" * 60, "tea " * 200, " leading", "trailing ", "a\x1cb", "\ue000", "never"),
]


@pytest.mark.parametrize("unit", ANALYZERS)
def test_text(unit):
    column, distinct = fitted(unit)
    rows = np.array([*distinct, *ODD, None], dtype=object)
    told = column.read(Column(0, "note", rows))
    x = np.array([value or "" for value in rows], dtype=object).reshape(-1, 1)
    graph = Graph()
    result = evaluate(graph, add_scaled_text(graph, column), x=x)
    assert_allclose(result, told.table[told.codes], atol=1e-5)
    assert np.abs(result).max() > 1


@pytest.mark.parametrize("unit", ANALYZERS)
@pytest.mark.parametrize("values", [[""], ["", ""], ["tea"]])
def test_few_rows_or_no_text(unit, values):
    column, _ = fitted(unit)
    graph = Graph()
    name = add_scaled_text(graph, column)
    result = evaluate(graph, name, x=np.array(values, object).reshape(-1, 1))
    told = column.read(Column(0, "note", np.array([*values, "tea"], object)))
    assert_allclose(result, told.table[told.codes][:-1], atol=1e-5)


def test_every_unit_is_taken_apart():
    assert set(TOKENIZERS) == set(ANALYZERS)
