"""Text of many values: terms, components and odds."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from threadpoolctl import threadpool_limits

from skmlp.tabular import text as module
from skmlp.tabular.factorize import factorize
from skmlp.tabular.frame import Column
from skmlp.tabular.target_means import Target, TrainingRows
from skmlp.tabular.text import (
    TextBlock,
    UniqueTexts,
    _compute_components,
    _compute_log_odds,
    _cross_fit_log_odds,
    _have_words,
    are_mostly_distinct,
    choose_analyzer,
)

ALL = TrainingRows.from_weight(None)


def make_target(numbers, labels=(), folds=None):
    return Target(
        numbers, labels, np.arange(len(numbers)) % 5 if folds is None else folds
    )


WORDS = np.array(["red", "green", "blue", "cat", "dog", "bird", "runs", "sings", "!"])


def sentences(n_texts=200, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(n_texts)]


def column(values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return Column(0, "note", cells)


def texts_of(values):
    return UniqueTexts.from_factorized(factorize(column(values)))


def fit(values, unit="words", rows=ALL, target=None, n_components=5):
    fitted = TextBlock(0, unit)
    rng = np.random.RandomState(0)
    return fitted, fitted.fit(texts_of(values), rows, target, n_components, rng)


def outputs(told):
    return told.table[told.codes]


# Which text


def test_missing_text_is_empty_text():
    texts = texts_of(["b", None, "a", "b", 3])
    assert texts.distinct == ["b", "a", "", ""]
    assert_array_equal(texts.codes, [0, 3, 1, 0, 2])
    assert_array_equal(texts.count_rows(ALL), [2, 1, 1, 1])
    rows = TrainingRows.from_weight(np.array([0.5, 1, 0, 2, 0]))
    assert_array_equal(texts.count_rows(rows), [2.5, 0, 0, 1])
    assert texts.list_present(ALL) == ["b", "a"]
    assert texts.list_present(rows) == ["b"]


def test_choose_analyzer():
    free, names = ["a b", "c d", "e"], ["a", "b", "c d"]
    assert _have_words(free)
    assert not _have_words(names)
    assert are_mostly_distinct(free, 5)
    assert not are_mostly_distinct(free, 6)
    for split_names in (True, False):
        assert choose_analyzer(free, 5, split_names) == "words"
        assert choose_analyzer(free, 12, split_names) is None
    assert choose_analyzer(free, 11, True) == "words"
    assert choose_analyzer(names, 11, True) == "characters"
    assert choose_analyzer(names, 12, True) is None
    assert choose_analyzer(names, 3, False) is None


# Terms


@pytest.mark.parametrize("unit", module.ANALYZERS)
def test_terms_are_weighed_as_scikit_learn_does(unit):
    values = [*sentences(), *sentences(20)]
    texts = texts_of(values)
    fitted = TextBlock(0, unit)
    matrix = fitted._fit_terms(texts.distinct, texts.count_rows(ALL))
    theirs = TfidfVectorizer(
        min_df=2, sublinear_tf=True, **module.ANALYZERS[unit].options
    )
    expected = theirs.fit_transform(values)
    assert fitted.terms == theirs.get_feature_names_out().tolist()
    assert_allclose(fitted.idf, theirs.idf_)
    assert_allclose(matrix[texts.codes].toarray(), expected.toarray())


def test_the_terms_of_most_rows_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_TERMS", 3)
    fitted, _ = fit(["a", "a b", "a b c", "a b c d", "e e"] * 2, n_components=2)
    assert fitted.terms == ["a", "a b", "b"]
    assert fitted.weights.shape == (3, 2)


@pytest.mark.parametrize("values", [["", " ", None], ["a", "b", "c"]])
def test_fit_without_frequent_terms_has_no_outputs(values):
    target = make_target(np.array([0, 1, 0]), ["n", "y"], np.arange(3))
    fitted, told = fit(values, target=target)
    assert fitted.labels == []
    assert outputs(told).shape == (3, 0)


def test_only_the_beginning_of_a_text_is_read(monkeypatch):
    unit = module.ANALYZERS["words"]._replace(longest=5)
    monkeypatch.setitem(module.ANALYZERS, "words", unit)
    fitted, _ = fit(["red cat"] * 2)
    assert fitted.terms == ["c", "red", "red c"]


# Components


def test_components_agree_with_truncated_svd():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(90, 4)), rng.normal(size=(4, 60))
    dense = factors[0] @ factors[1] + 0.01 * rng.normal(size=(90, 60))
    matrix = sparse.csr_matrix(dense)
    found = _compute_components(matrix, np.ones(90), 4, np.random.RandomState(0))
    theirs = TruncatedSVD(4, random_state=0).fit(matrix).components_.T
    assert_allclose(found.T @ found, np.eye(4), atol=1e-10)
    assert_allclose(np.abs(found.T @ theirs), np.eye(4), atol=1e-6)


def test_components_take_weights_as_repeated_rows():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(20, 12))
    weight = rng.integers(1, 4, 20)
    weighted, repeated = (
        _compute_components(
            sparse.csr_matrix(a), w * 1e100, 2, np.random.RandomState(0)
        )
        for a, w in (
            (dense, weight.astype(float)),
            (np.repeat(dense, weight, axis=0), np.ones(weight.sum())),
        )
    )
    assert_allclose(np.abs(weighted.T @ repeated), np.eye(2), atol=1e-8)


@pytest.mark.parametrize("shape", [(3, 50), (50, 3)])
def test_components_are_limited_by_rank(shape):
    matrix = sparse.random(*shape, 0.5, format="csr", random_state=0)
    found = _compute_components(matrix, np.ones(shape[0]), 10, np.random.RandomState(0))
    assert found.shape == (shape[1], 3)
    # of a matrix of one row, many times, there is but one
    same = sparse.csr_matrix(np.ones((20, 5)))
    assert _compute_components(
        same, np.ones(20), 4, np.random.RandomState(0)
    ).shape == (
        5,
        1,
    )


def test_outputs_do_not_depend_on_threads():
    values = sentences(3000)
    target = make_target(np.arange(3000) % 3, list("abc"), np.arange(3000) % 5)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            found.append(outputs(fit(values, target=target, n_components=30)[1]))
    assert_array_equal(*found)


# Odds


def test_log_odds_agree_with_naive_bayes():
    rng = np.random.default_rng(0)
    matrix = sparse.random(60, 9, 0.4, format="csr", random_state=0)
    weight, y = rng.uniform(1, 3, 60), rng.integers(0, 2, 60)
    odds = _compute_log_odds(
        matrix,
        np.arange(60),
        make_target(y, ["no", "yes"]),
        TrainingRows.from_weight(weight),
    )
    theirs = MultinomialNB().fit(matrix, y, weight)
    ensemble_weights = theirs.feature_log_prob_
    assert_allclose(odds[:, 0], ensemble_weights[1] - ensemble_weights[0])
    three = _compute_log_odds(matrix, np.arange(60), make_target(y, list("abc")), ALL)
    assert three.shape == (9, 3)
    assert_allclose(three[:, 0], -three[:, 1])


def test_only_ratios_of_small_weights_matter():
    matrix = sparse.random(60, 9, 0.4, format="csr", random_state=0)
    target = make_target(np.arange(60) % 2, ["no", "yes"])
    weight = np.random.default_rng(0).uniform(1, 2, 60)
    weight /= weight.mean()
    small = _compute_log_odds(
        matrix, np.arange(60), target, TrainingRows.from_weight(weight * 1e-90)
    )
    assert_allclose(
        small,
        _compute_log_odds(
            matrix, np.arange(60), target, TrainingRows.from_weight(weight)
        ),
    )


def test_cross_fitted_log_odds_do_not_depend_on_the_own_label():
    rng = np.random.default_rng(0)
    matrix = sparse.random(30, 9, 0.4, format="csr", random_state=0)
    codes, y, folds = rng.integers(0, 30, 80), rng.integers(0, 2, 80), np.arange(80) % 5
    changed = np.where(folds == 2, 1 - y, y)
    before, after = (
        _cross_fit_log_odds(
            matrix, codes, make_target(labels, ["no", "yes"], folds), ALL
        )
        for labels in (y, changed)
    )
    is_same = (before == after).all(axis=1)
    assert is_same[folds == 2].all()
    assert not is_same[folds != 2].any()


def test_odds_say_nothing_where_no_other_row_is_left():
    target = make_target(np.array([0, 1, 0]), ["no", "yes"], np.array([0, 0, 1]))
    rows = TrainingRows.from_weight(np.array([1.0, 1.0, 0.0]))
    codes = np.array([0, 1, 1])
    odds = _cross_fit_log_odds(sparse.csr_matrix(np.eye(2)), codes, target, rows)
    assert_array_equal(odds[:2], 0)
    assert odds[2] > 0


def test_fit_sets_outputs_to_zero_if_log_odds_are_noise():
    values, noise = sentences(300), np.random.default_rng(1).integers(0, 2, 300)
    signal = np.array(["cat" in value for value in values]).astype(int)
    for y, is_noise in ((noise, True), (signal, False)):
        target = make_target(y, ["no", "yes"], np.arange(300) % 5)
        fitted, told = fit(values, target=target)
        for found in (told, fitted.read(column(values))):
            assert (not outputs(found).any()) == is_noise
        assert fitted.labels[-1] == "log_odds_yes"


def test_fit_without_target_keeps_components():
    assert outputs(fit(sentences(300))[1]).any()


# Columns


@pytest.mark.parametrize("unit", module.ANALYZERS)
def test_read_gives_the_scaled_outputs_of_fit(unit):
    values = [*sentences(), None, ""]
    fitted, told = fit(values, unit)
    out = outputs(told)
    assert fitted.labels == [f"text_{place}" for place in range(1, 6)]
    assert np.abs(out).max() <= 3
    assert_allclose(out.mean(axis=0), 0, atol=0.3)
    assert_allclose(out.std(axis=0), 1, atol=0.3)
    assert_array_equal(outputs(fitted.read(column(values))), out)
    assert_array_equal(out[-1], out[-2])
    for place in range(5):
        alone = fitted.read(column(values[place : place + 1]))
        assert_array_equal(outputs(alone)[0], out[place])


def test_numbers_have_no_odds():
    target = make_target(np.linspace(0, 1, 200), folds=np.arange(200) % 5)
    fitted, _ = fit(sentences(), target=target)
    assert fitted.labels == [f"text_{place}" for place in range(1, 6)]


def test_values_that_are_no_text_are_missing_unless_all_are():
    fitted, _ = fit(sentences())
    read = outputs(fitted.read(column(["red cat", 3, None])))
    assert_array_equal(read[1], read[2])
    numbers = Column(0, "note", np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"'note'.*holds numbers, but held text"):
        fitted.read(numbers)
    nothing = outputs(fitted.read(Column(0, "note", np.array([np.nan]))))
    assert_array_equal(nothing[0], read[1])


def test_categories_are_read_as_the_text_they_are():
    fitted, _ = fit(sentences())
    few = sentences(4)
    as_categories = Column(0, "note", pd.Categorical(few))
    expected = outputs(fitted.read(column(few)))
    assert_array_equal(outputs(fitted.read(as_categories)), expected)
