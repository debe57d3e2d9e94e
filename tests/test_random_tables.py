"""Random tables of every library: a model says the same however it is reached."""

import pickle
import re
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from numpy.testing import assert_allclose, assert_array_equal
from random_tables import Case, cases, take
from scipy import sparse
from sklearn.base import clone

import skmlp
from skmlp import MLPSoftmaxClassifier
from skmlp.onnx import to_inputs, to_onnx

ARGUMENTS = ["X", "y", "sample_weight", "samples", "classes"]
ARGUMENTS += MLPSoftmaxClassifier().get_params()
NAMED = re.compile(rf"[Cc]olumns?\b|\b({'|'.join(ARGUMENTS)})\b")
"""What a message has to name: a column, an argument or a parameter."""


class Fitted(NamedTuple):
    """A case, the model of its first form, and what that says of which tables."""

    case: Case
    model: MLPSoftmaxClassifier
    predicted: list[tuple[Any, np.ndarray]]


def attempt(function, *args):
    """The value of a call, or the error, which says what is wrong."""
    try:
        return function(*args)
    except (ValueError, TypeError) as caught:
        error = caught
    assert NAMED.search(str(error)), error
    return error


def is_error(value):
    return isinstance(value, Exception)


def fit(case, form):
    """A fitted model, or an error."""
    model = MLPSoftmaxClassifier(random_state=0, **case.params)
    return attempt(model.fit, form.X, form.y, case.sample_weight)


def assert_same(actual, expected):
    """The same bits, or errors both."""
    assert is_error(actual) == is_error(expected), (actual, expected)
    if not is_error(expected):
        assert actual.dtype == expected.dtype
        assert_array_equal(actual, expected)


def has_names(X):
    return isinstance(X, pd.DataFrame | pl.DataFrame | pa.Table)


def write_out(case):
    """What is handed over, as text."""
    return [as_text(part) for form in case.forms for part in form]


def as_text(part):
    if isinstance(part, pd.DataFrame | pd.Series):
        return repr((part.to_dict(), part.index, part.dtypes))
    if sparse.issparse(part):
        return repr((part.format, part.data, part.nonzero()))
    # tables of polars and pyarrow can't change
    return repr(part.tolist() if isinstance(part, np.ndarray) else part)


def as_labels(values):
    """Labels as a graph has them."""
    values = np.asarray(values)
    return values.astype(str) if values.dtype == object else values


# What holds


def check_probabilities(fitted):
    case, model, predicted = fitted
    for X, probabilities in predicted:
        assert probabilities.shape == (X.shape[0], len(model.classes_))
        assert (probabilities >= 0).all()
        assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        labels = model.predict(X)
        assert labels.dtype == model.classes_.dtype
        assert_array_equal(labels, model.classes_[probabilities.argmax(axis=1)])
    assert set(model.classes_.tolist()) == set(case.labels)


def check_score(fitted):
    case, model, _ = fitted
    (X, y, _), weight = case.forms[0], case.sample_weight
    pairs = zip(model.predict(X).tolist(), case.labels, strict=True)
    hits = [predicted == label for predicted, label in pairs]
    assert model.score(X, y) == pytest.approx(np.mean(hits))
    expected = np.average(hits, weights=weight)
    assert model.score(X, y, weight) == pytest.approx(expected)


def check_second_fit(fitted):
    case, _, predicted = fitted
    again = fit(case, case.forms[0])
    assert_same(again.predict_proba(case.forms[0].X), predicted[0][1])


def check_files(fitted, path):
    _, model, predicted = fitted
    copies = [pickle.loads(pickle.dumps(model))]
    if not is_error(attempt(model.save, path)):
        copies.append(skmlp.load(path))
    for copy in copies:
        assert_same(copy.classes_, model.classes_)
        for X, probabilities in predicted:
            assert_same(copy.predict_proba(X), probabilities)


def check_forms(fitted):
    case, model, predicted = fitted
    first, second = case.forms
    twin = fit(case, second)
    assert not is_error(twin), twin
    assert twin.classes_.tolist() == model.classes_.tolist()
    assert_same(twin.predict_proba(second.X), predicted[0][1])
    new = attempt(model.predict_proba, first.new)
    assert_same(attempt(twin.predict_proba, second.new), new)
    if has_names(first.X) == has_names(second.X):
        assert_same(attempt(model.predict_proba, second.new), new)
        assert_same(attempt(twin.predict_proba, first.new), new)


def check_rows(fitted):
    _, model, predicted = fitted
    # NumPy's own sums depend on how many rows there are
    atol = 1e-6 if model.engine_ == "numpy" else 0
    for X, probabilities in predicted:
        order = np.random.default_rng(0).permutation(len(probabilities))
        for rows in (order, order[:1], order[-1:]):
            alone = model.predict_proba(take(X, rows))
            assert_allclose(alone, probabilities[rows], rtol=0, atol=atol)


def fit_in_parts(case, *forms):
    """What a model says that was fed half of the rows in each form."""
    model = MLPSoftmaxClassifier(random_state=0, **case.params)
    halves = np.array_split(np.arange(len(case.labels)), 2)
    for form, rows in zip(forms, halves, strict=True):
        labels = [case.labels[row] for row in rows]
        parts = take(form.X, rows), labels, sorted(set(case.labels))
        result = attempt(model.partial_fit, *parts)
    return result if is_error(result) else attempt(model.predict_proba, form.new)


def check_parts(fitted):
    first, second = fitted.case.forms
    if hasattr(fitted.model, "partial_fit") and (
        has_names(first.X) == has_names(second.X)
    ):
        assert_same(
            fit_in_parts(fitted.case, first, second),
            fit_in_parts(fitted.case, second, second),
        )


def check_parquet(fitted, path):
    case, model, predicted = fitted
    X, weight = case.forms[0].X, case.sample_weight
    if not isinstance(X, pa.Table):
        return
    parquet = path.with_suffix(".parquet")
    labels = list(map(str, case.labels))  # Parquet has no integers of any size
    table = X.append_column("label of fit", pa.array(labels))
    if weight is not None:
        table = table.append_column("weight", pa.array(weight, pa.float64()))
    pq.write_table(table, parquet)
    on_disk = pq.read_table(parquet).select(range(X.num_columns))
    # rows in parts are drawn in another order, so the weights are others
    twin = clone(model).fit(parquet, "label of fit", weight and "weight")
    assert set(twin.classes_) == set(labels)
    assert_same(columns_written(twin, parquet, path), twin.predict_proba(on_disk))
    if (
        on_disk.schema.types == X.schema.types
    ):  # a dictionary of dates comes back as dates
        assert_same(columns_written(model, parquet, path), predicted[0][1])


def columns_written(model, parquet, path):
    """The probabilities that a model writes for a file of Parquet."""
    written = path.with_suffix(".predicted")
    model.predict_to_parquet(parquet, written)
    columns = pq.read_table(written).columns[1:]
    return np.stack([column.to_numpy() for column in columns], axis=1)


def check_order_of_columns(fitted):
    case, model, _ = fitted
    X = case.forms[0].X
    if has_names(X) and X.shape[1] > 1:
        names = list(model.feature_names_in_[::-1])
        other = X[names] if isinstance(X, pd.DataFrame) else X.select(names)
        with pytest.raises(ValueError, match="order"):
            model.predict_proba(other)


def check_onnx(fitted):
    _, model, predicted = fitted
    graph = attempt(to_onnx, model)
    if is_error(graph):
        return
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for X, expected in predicted:
        feeds = attempt(to_inputs, graph, X)
        if is_error(feeds):
            continue
        labels, probabilities = session.run(None, feeds)
        assert_allclose(probabilities, expected, atol=1e-5)
        is_told = as_labels(labels) == as_labels(model.predict(X))
        best = expected.max(axis=1, keepdims=True)
        has_tie = (expected > best - 1e-4).sum(axis=1) > 1
        assert (is_told | has_tie).all()


def check_failed_fit(fitted):
    case, model, predicted = fitted
    X, y, _ = case.forms[0]
    state, n_rows = pickle.dumps(model), len(case.labels)
    for wrong in [
        (X, [*case.labels[:-1], None]),
        (X, case.labels[1:]),
        (X, y, [np.nan] * n_rows),
        (pl.DataFrame({"a": [[1]] * n_rows}), y),
    ]:
        assert is_error(attempt(model.fit, *wrong))
        assert pickle.dumps(model) == state
        assert_same(model.predict_proba(X), predicted[0][1])


CHECKS = [
    check_probabilities,
    check_score,
    check_second_fit,
    check_forms,
    check_rows,
    check_parts,
    check_order_of_columns,
    check_onnx,
    check_failed_fit,
]


def fit_and_predict(case):
    """The fitted case, or an error of both of its forms."""
    first, second = case.forms
    model = fit(case, first)
    if is_error(model):
        assert is_error(fit(case, second)), model
        return model
    predicted = [(X, attempt(model.predict_proba, X)) for X in (first.X, first.new)]
    assert not is_error(predicted[0][1]), predicted[0][1]
    return Fitted(case, model, [pair for pair in predicted if not is_error(pair[1])])


def check(case, path):
    """Everything about one table."""
    before = write_out(case)
    fitted = fit_and_predict(case)
    if not is_error(fitted):
        check_files(fitted, path)
        check_parquet(fitted, path)
        for check_one in CHECKS:
            check_one(fitted)
    assert write_out(case) == before


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("random") / "model.skmlp"


pytestmark = [
    pytest.mark.skipif(
        int(pd.__version__.split(".")[0]) < 3,
        reason="pandas 2 refuses dates that nanoseconds don't reach",
    ),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:no class has enough rows"),
    pytest.mark.filterwarnings("ignore:batch_size"),
    pytest.mark.filterwarnings("ignore:column .* of its rows other text"),
]
PARTS = [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 20))]
"""One of 50 tables belongs to the suite, all 1,000 run with `-m "slow or not slow"`."""


@pytest.mark.parametrize("part", PARTS)
def test_random_tables_are_told_the_same_in_every_way(part, path):
    @seed(part)
    @settings(
        max_examples=50,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # smaller tables would take minutes to find
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def check_some(case):
        check(case, path)

    check_some()
