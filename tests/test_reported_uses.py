"""Uses that public reports of other libraries point at, each with the right answer."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix, diags
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

import skmlp
from skmlp import MLPSoftmaxClassifier, TableEncoder
from skmlp.defaults import resolve_auto
from skmlp.nn.activations import ACTIVATIONS
from skmlp.optim.schedules import SCHEDULES, Cosine
from skmlp.training.monitor import Monitor

X_IRIS, Y_IRIS = load_iris(return_X_y=True)


def quick(*sizes, **params):
    """A small network that ends by its schedule, so that no warning is due."""
    defaults = {
        "n_estimators": 1,
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_iter": 5,
        "random_state": 0,
    }
    return MLPSoftmaxClassifier(sizes or (8,), **defaults | params)


# Sparse rows that are not canonical


def shuffled(matrix, rng, as_kind):
    """The same matrix with its entries in any order, and some split in two."""
    rows, columns = matrix.nonzero()
    values = matrix[rows, columns]
    part = rng.integers(0, 2, len(values)) * rng.integers(1, 5, len(values)) / 8
    parts = np.concatenate([values * part, values * (1 - part)])
    order = rng.permutation(len(parts))
    rows, columns = np.tile(rows, 2)[order], np.tile(columns, 2)[order]
    if as_kind is coo_array:
        return coo_array((parts[order], (rows, columns)), shape=matrix.shape)
    major, minor = (rows, columns) if as_kind is csr_array else (columns, rows)
    by_major = np.argsort(major, kind="stable")
    starts = np.searchsorted(
        major[by_major], np.arange(matrix.shape[as_kind is csc_array] + 1)
    )
    made = (parts[order][by_major], minor[by_major], starts)
    return as_kind(made, shape=matrix.shape)


def parts_of(matrix):
    names = ("row", "col") if isinstance(matrix, coo_array) else ("indices", "indptr")
    return [getattr(matrix, name).copy() for name in ("data", *names)]


SPARSE_MODELS = {
    "auto": lambda: quick(),
    "ensemble": lambda: quick(n_estimators=3),
    "float64": lambda: quick(dtype="float64"),
    "none": lambda: quick(preprocessing=None),
    "own": lambda: quick(preprocessing=FunctionTransformer(accept_sparse=True)),
}


@pytest.mark.parametrize("make", SPARSE_MODELS.values(), ids=SPARSE_MODELS)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6), kind=st.sampled_from([csr_array, csc_array, coo_array])
)
def test_sparse_entries_in_any_order_mean_what_the_dense_matrix_means(make, seed, kind):
    rng = np.random.default_rng(seed)
    # eighths, so that a number split in two has the same sum
    dense = rng.integers(1, 64, (60, 5)) / 8 * (rng.random((60, 5)) < 0.4)
    y = (dense[:, 0] > dense[:, 1]).astype(int)
    sorted_rows, any_order = csr_array(dense), shuffled(dense, rng, kind)
    assert_array_equal(any_order.toarray(), dense)
    before = parts_of(any_order)
    model, other = (make().fit(X, y) for X in (sorted_rows, any_order))
    assert_array_equal(model.parameters_, other.parameters_)
    expected = model.predict_proba(sorted_rows)
    assert_array_equal(model.predict_proba(any_order), expected)
    validation = make().fit(sorted_rows, y, X_val=any_order, y_val=y)
    again = make().fit(sorted_rows, y, X_val=sorted_rows, y_val=y)
    assert validation.validation_scores_ == again.validation_scores_
    for was, now in zip(before, parts_of(any_order), strict=True):
        assert_array_equal(was, now)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_encoder_takes_sparse_entries_in_any_order(dtype):
    rng = np.random.default_rng(0)
    dense = rng.integers(1, 64, (80, 6)) / 8 * (rng.random((80, 6)) < 0.5)
    expected = TableEncoder(dtype=dtype).fit_transform(csr_array(dense)).toarray()
    on_dense = TableEncoder(dtype=dtype).fit(dense).transform(dense)
    for kind in (csr_array, csc_array, coo_array):
        X = shuffled(dense, rng, kind)
        encoder = TableEncoder(dtype=dtype)
        assert_array_equal(encoder.fit_transform(X).toarray(), expected)
        assert_array_equal(encoder.transform(X).toarray(), expected)
        dense_fit = TableEncoder(dtype=dtype).fit(dense)
        assert_array_equal(dense_fit.transform(X), on_dense)


def test_a_product_with_a_diagonal_matrix_is_the_same_matrix():
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.random((300, 12)) * (rng.random((300, 12)) < 0.4))
    y = (X[:, [0]].toarray().ravel() > X[:, [1]].toarray().ravel()).astype(int)
    model = MLPSoftmaxClassifier(random_state=0).fit(X, y)
    same = X @ diags(np.ones(12), format="csr")
    assert not same.has_sorted_indices
    assert model.score(same, y) == model.score(X, y) > 0.95


def test_what_a_sparse_matrix_believes_of_its_order_is_not_trusted():
    X = csr_array(X_IRIS)
    model = quick().fit(X, Y_IRIS)
    expected = model.predict_proba(X)
    assert X.has_canonical_format
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.indices[start:stop] = X.indices[start:stop][::-1]
        X.data[start:stop] = X.data[start:stop][::-1]
    assert_array_equal(model.predict_proba(X), expected)


# Columns of identifiers


def with_identifiers(table, seed=0):
    names = [f"customer {number}" for number in range(len(table))]
    order = np.random.default_rng(seed).permutation(len(table))
    return table.assign(customer=np.array(names)[order])


def test_identifiers_alone_give_the_class_shares():
    table = with_identifiers(pd.DataFrame(index=range(200)))
    y = np.repeat([0, 1], 100)
    for model in (MLPSoftmaxClassifier(random_state=0), quick()):
        model.fit(table, y)
        assert_allclose(model.predict_proba(table), 0.5, atol=0.05)
        new = pd.DataFrame({"customer": ["someone new"]})
        assert_allclose(model.predict_proba(new), 0.5, atol=0.05)
    y = np.arange(200) % 10 == 0
    model.fit(table, y)
    assert_allclose(model.predict_proba(table)[:, 1], 0.1, atol=0.04)


@pytest.mark.parametrize("n_pairs", [0, 30])
def test_what_becomes_of_a_value_seen_once_is_the_same_for_all_labels(n_pairs):
    numbers = np.append(np.arange(300 - n_pairs), np.arange(n_pairs))
    table = pd.DataFrame({"customer": [f"c{number}" for number in numbers]})
    y = np.random.default_rng(0).integers(0, 2, 300)
    once = (numbers >= n_pairs) & (numbers < 300 - n_pairs)
    encoder = TableEncoder(split_names=False, random_state=0)
    for encoded in (encoder.fit_transform(table, y), encoder.transform(table)):
        assert np.ptp(encoded[once], axis=0).max() < 1e-6


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_identifiers_beside_useful_numbers_do_no_harm(weight):
    gains = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        numbers = pd.DataFrame(rng.normal(size=(1300, 2)), columns=["a", "b"])
        y = (numbers["a"] + numbers["b"] + 0.6 * rng.normal(size=1300) > 0).astype(int)
        train, test = slice(0, 300), slice(300, 1300)
        without, beside = (
            [model.score(X[rows], y[rows]) for rows in (train, test)]
            for X in (numbers, with_identifiers(numbers, seed))
            for model in [
                MLPSoftmaxClassifier(random_state=seed).fit(
                    X[train], y[train], np.full(300, weight)
                )
            ]
        )
        gains.append(np.subtract(beside, without))
    # means of five fits differ by some 0.005 by chance
    assert (np.mean(gains, axis=0) > -0.015).all()


def test_one_row_per_customer_and_the_same_customers_later():
    rng = np.random.default_rng(0)
    table = with_identifiers(pd.DataFrame(index=range(300)))
    first, later = rng.integers(0, 2, (2, 300))
    model = MLPSoftmaxClassifier(random_state=0).fit(table, first)
    share = np.bincount(later).max() / 300
    assert model.score(table, later) > share - 0.1
    assert_allclose(model.predict_proba(table)[:, 1], first.mean(), atol=0.05)


def test_dates_as_text_are_identifiers_as_well_unless_they_are_read():
    days = pd.date_range("2020-01-01", periods=300).astype(str)
    y = np.random.default_rng(0).integers(0, 2, 300)
    encoder = TableEncoder(read_text=False, split_names=False)
    model = MLPSoftmaxClassifier(preprocessing=encoder, random_state=0)
    model.fit(pd.DataFrame({"day": days}), y)
    assert_allclose(
        model.predict_proba(pd.DataFrame({"day": days}))[:, 1], y.mean(), atol=0.05
    )


@pytest.mark.parametrize("n_rows_each", [2, 4])
def test_values_seen_twice_or_more_stay_useful(n_rows_each):
    rng = np.random.default_rng(0)
    n_customers = 300
    of_customer = rng.integers(0, 2, n_customers)
    customers = np.repeat(np.arange(n_customers), n_rows_each)
    flipped = rng.random(len(customers)) < 0.1
    table = pd.DataFrame({"customer": [f"c{number}" for number in customers]})
    y = np.where(flipped, 1 - of_customer[customers], of_customer[customers])
    model = MLPSoftmaxClassifier(random_state=0).fit(table, y)
    later = pd.DataFrame({"customer": [f"c{number}" for number in range(n_customers)]})
    assert model.score(later, of_customer) > 0.88


# Masked arrays


def test_masked_numbers_are_missing():
    X = np.where(X_IRIS > 6.5, -9999, X_IRIS)
    masked = np.ma.masked_equal(X, -9999)
    missing = np.where(X == -9999, np.nan, X)
    expected = quick().fit(missing, Y_IRIS)
    model = quick().fit(masked, Y_IRIS)
    assert_array_equal(model.parameters_, expected.parameters_)
    probabilities = expected.predict_proba(missing)
    assert_array_equal(model.predict_proba(masked), probabilities)
    assert_array_equal(model.predict_proba(list(masked)), probabilities)
    assert_array_equal(model.predict_proba(masked[:, :].tolist()), probabilities)
    assert (masked.data[masked.mask] == -9999).all()
    validation = quick().fit(missing, Y_IRIS, X_val=masked, y_val=Y_IRIS)
    again = quick().fit(missing, Y_IRIS, X_val=missing, y_val=Y_IRIS)
    assert validation.validation_scores_ == again.validation_scores_


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (np.array([1, 2, 3, 4]), np.array([1, np.nan, 3, 4])),
        (np.array([1, 2, 3, 4], "uint8"), np.array([1, np.nan, 3, 4])),
        (np.array([1, 2, 3, 4], "float32"), np.array([1, np.nan, 3, 4], "float32")),
        (np.array([True, True, False, True]), [True, None, False, True]),
        (np.array(list("abca")), ["a", None, "c", "a"]),
        (np.array(list("abca"), dtype=object), ["a", None, "c", "a"]),
        (
            np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]"),
            np.array(["2024-01-01", "NaT", "2024-01-03", "2024-01-04"], "M8[D]"),
        ),
        (np.arange(4).astype("m8[h]"), np.array([0, "NaT", 2, 3], "m8[h]")),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_masks_of_any_dtype_are_missing(values, missing):
    masked = np.ma.masked_array(values, [False, True, False, False])[:, np.newaxis]
    missing = np.asarray(missing, None if isinstance(missing, np.ndarray) else object)
    encoder = TableEncoder(min_frequency=1).fit(masked)
    expected = TableEncoder(min_frequency=1).fit(missing[:, np.newaxis])
    assert_array_equal(
        encoder.transform(masked), expected.transform(missing[:, np.newaxis])
    )
    unmasked = np.ma.masked_array(values, False)[:, np.newaxis]
    assert_array_equal(
        TableEncoder().fit_transform(unmasked),
        TableEncoder().fit_transform(values[:, np.newaxis]),
    )


def test_masked_numbers_that_go_straight_in_are_missing_and_refused():
    masked = np.ma.masked_greater(X_IRIS, 6.5)
    with pytest.raises(ValueError, match="X contains NaN"):
        quick(preprocessing=None).fit(masked, Y_IRIS)
    model = quick(preprocessing=None).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(masked)


def test_masked_labels_and_weights_are_refused():
    labels = np.ma.masked_equal(Y_IRIS, 2)
    weight = np.ma.masked_array(np.ones(150), Y_IRIS == 2)
    for fit in (
        lambda: quick().fit(X_IRIS, labels),
        lambda: quick().fit(X_IRIS, Y_IRIS, X_val=X_IRIS, y_val=labels),
        lambda: quick(learning_rate="constant").partial_fit(X_IRIS, labels, [0, 1, 2]),
        lambda: TableEncoder().fit(X_IRIS, labels),
    ):
        with pytest.raises(ValueError, match=r"y(_val)? has no label in 50 rows"):
            fit()
    for fit in (
        lambda: quick().fit(X_IRIS, Y_IRIS, weight),
        lambda: quick().fit(
            X_IRIS, Y_IRIS, X_val=X_IRIS, y_val=Y_IRIS, sample_weight_val=weight
        ),
        lambda: TableEncoder().fit(X_IRIS, sample_weight=weight),
    ):
        with pytest.raises(ValueError, match="masked array that hides 50 of its"):
            fit()
    open_labels = np.ma.masked_array(Y_IRIS, False)
    assert_array_equal(quick().fit(X_IRIS, open_labels).classes_, [0, 1, 2])


# One door for randomness


def table_with_a_long_column():
    rng = np.random.default_rng(0)
    towns = rng.integers(0, 120, 400)
    table = pd.DataFrame(
        {
            "town": [f"town {number}" for number in towns],
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(towns, unit="h"),
            "size": rng.normal(size=400),
        }
    )
    return table, (towns % 3 + rng.integers(0, 2, 400) > 1).astype(int)


class CutOffError(Exception):
    """What ends a fit in its midst."""


@pytest.mark.parametrize(
    "preprocessing",
    [
        "auto",
        TableEncoder(),
        make_pipeline(TableEncoder(), QuantileTransformer(n_quantiles=50)),
    ],
    ids=["auto", "encoder", "pipeline"],
)
def test_a_fit_that_was_cut_off_goes_on_with_the_same_matrix(
    tmp_path, monkeypatch, preprocessing
):
    table, y = table_with_a_long_column()
    path = tmp_path / "fit.npz"

    def fit(seed):
        np.random.seed(seed)  # noqa: NPY002 - what random_state=None draws from
        return quick(
            32,
            random_state=None,
            learning_rate_init=0.005,
            checkpoint=path,
            max_iter=6,
            n_estimators=2,
            preprocessing=clone(preprocessing, safe=False),
        ).fit(table, y)

    whole = fit(seed=0)
    assert whole.score(table, y) > 0.7, "what the encoder draws has to matter"
    path.unlink()
    end_epoch = Monitor.end_epoch

    def cut_off(monitor, *args):
        result = end_epoch(monitor, *args)
        if monitor.n_epochs == 3:
            raise CutOffError
        return result

    monkeypatch.setattr(Monitor, "end_epoch", cut_off)
    with pytest.raises(CutOffError):
        fit(seed=0)
    monkeypatch.undo()
    gone_on = fit(seed=1)
    assert_array_equal(gone_on.parameters_, whole.parameters_)
    assert_array_equal(gone_on.predict_proba(table), whole.predict_proba(table))
    assert gone_on.history_ == whole.history_


def test_the_network_draws_the_same_whatever_the_encoder():
    inside = quick().fit(X_IRIS, Y_IRIS)
    seeded = quick(preprocessing=TableEncoder(random_state=7)).fit(X_IRIS, Y_IRIS)
    assert_array_equal(inside.parameters_, seeded.parameters_)
    assert seeded.encoder_.random_state == 7


# partial_fit in small pieces


def test_a_first_batch_that_shows_too_little_of_columns_is_only_a_beginning():
    table = pd.DataFrame(
        {
            "constant": 1.0,
            "missing": np.nan,
            "useful": np.arange(40.0),
            "word": "same",
            "day": pd.Timestamp("2024-01-01"),
        }
    )
    y = np.arange(40) % 2
    model = quick(learning_rate="constant").partial_fit(table, y, [0, 1])
    useless = ["constant", "missing", "word", "day"]
    assert model.encoder_.columns_without_use() == useless
    later = table.assign(
        constant=y,
        missing=-y,
        word=np.where(y, "one", "other"),
        day=pd.date_range("2024-01-01", periods=40),
    )
    model.partial_fit(later, y)
    assert model.encoder_.columns_without_use() == []
    for _ in range(30):
        model.partial_fit(later, y)
    assert model.score(later, y) == 1


def test_columns_that_never_vary_are_named_once_the_encoder_is_settled():
    X, y = np.tile(X_IRIS, (70, 1)), np.tile(Y_IRIS, 70)
    X[:, 1] = 3
    with pytest.warns(UserWarning, match=r"1 of 4 columns hold no two.*\['x1'\]"):
        quick(learning_rate="constant").partial_fit(X, y, [0, 1, 2])
    with pytest.warns(UserWarning, match=r"1 of 4 columns.*\['x1'\]"):
        quick(learning_rate="constant").partial_fit(csr_array(X), y, [0, 1, 2])
    frame = pd.DataFrame(X, columns=[7, 8, 9, 10])
    with pytest.warns(UserWarning, match=r"1 of 4 columns.*\[8\]"):
        quick(learning_rate="constant").partial_fit(frame, y, [0, 1, 2])


def test_a_fitted_encoder_that_has_seen_more_gives_no_warning():
    encoder = TableEncoder().fit(X_IRIS, Y_IRIS)
    model = quick(learning_rate="constant", preprocessing=encoder)
    for rows in range(0, 150, 7):
        model.partial_fit(X_IRIS[rows : rows + 1], Y_IRIS[rows : rows + 1], [0, 1, 2])


# Big-endian arrays


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


def test_bytes_of_another_order_are_read():
    codes = np.column_stack([np.arange(150) % 7, np.arange(150) % 3]).astype("int32")
    for X in (X_IRIS, X_IRIS.astype("float32"), codes, codes.astype("U2")):
        expected = quick().fit(X, Y_IRIS)
        swapped = big_endian(X)
        model = quick().fit(swapped, big_endian(Y_IRIS), big_endian(np.ones(150)))
        assert_array_equal(model.parameters_, expected.parameters_)
        assert_array_equal(model.predict_proba(swapped), expected.predict_proba(X))
        assert_array_equal(model.classes_, [0, 1, 2])
        frame = pd.DataFrame({"a": swapped[:, 0], "b": swapped[:, 1]})
        native = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
        assert_array_equal(
            TableEncoder().fit_transform(frame), TableEncoder().fit_transform(native)
        )
        assert model.predict(swapped).dtype.isnative


def test_categories_and_batches_in_another_order_of_bytes():
    codes = np.column_stack([np.arange(150) % 7, np.arange(150) % 3]).astype("float64")
    model = quick(categorical_features=[0, 1]).fit(big_endian(codes), Y_IRIS)
    expected = quick(categorical_features=[0, 1]).fit(codes, Y_IRIS)
    assert_array_equal(model.parameters_, expected.parameters_)
    days = np.arange("2024-01-01", "2024-05-30", dtype="M8[D]")[:150, np.newaxis]
    assert_array_equal(
        TableEncoder().fit_transform(big_endian(days)),
        TableEncoder().fit_transform(days),
    )
    stream, other = (quick(learning_rate="constant") for _ in range(2))
    classes = np.arange(3)
    stream.partial_fit(big_endian(X_IRIS), big_endian(Y_IRIS), big_endian(classes))
    other.partial_fit(X_IRIS, Y_IRIS, classes)
    assert_array_equal(stream.parameters_, other.parameters_)
    sparse = csr_array(X_IRIS)
    swapped = csr_array((big_endian(sparse.data), sparse.indices, sparse.indptr))
    assert_array_equal(
        quick().fit(swapped, Y_IRIS).predict_proba(swapped),
        quick().fit(sparse, Y_IRIS).predict_proba(sparse),
    )
    straight = quick(preprocessing=None).fit(big_endian(X_IRIS), Y_IRIS)
    assert_array_equal(
        straight.predict_proba(X_IRIS), straight.predict_proba(big_endian(X_IRIS))
    )


# np.seterr(all="raise")


TINY = np.where(np.arange(150)[:, np.newaxis] % 5 == 0, 1e-320, X_IRIS)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_estimators": 3},
        {"solver": "lbfgs", "max_iter": 2000},
        {"solver": "sgd"},
        {"preprocessing": None},
        {"max_iter": 300, "weight_decay": 0.0},
        {"dtype": "float64", "activation": ["silu"]},
        {"scoring": "roc_auc_ovr", "early_stopping": True},
    ],
    ids=str,
)
def test_harmless_underflow_ends_no_fit(params):
    model = quick(16, **params)
    # text of many values, numbers that underflow when squared, separable classes
    table = pd.DataFrame(TINY).add_prefix("x")
    if params.get("preprocessing", "auto") is not None:
        table = table.assign(word=[f"w{number % 50}" for number in range(150)])
    expected = clone(model).fit(table, Y_IRIS)
    weight = np.random.default_rng(0).permutation(np.geomspace(1e-300, 1, 150))
    with np.errstate(all="raise"):
        if "scoring" not in params:  # some class would have no held-out weight
            model.fit(table, Y_IRIS, weight)
        model.fit(table, Y_IRIS)
        probabilities = model.predict_proba(table)
        model.predict_log_proba(table)
    assert_array_equal(model.parameters_, expected.parameters_)
    assert_array_equal(probabilities, expected.predict_proba(table))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_activation_minds_how_errors_are_handled(activation):
    X = X_IRIS * 20
    with np.errstate(all="raise"):
        model = quick(
            activation=activation, preprocessing=None, learning_rate_init=1e-4
        )
        model.fit(X, Y_IRIS).predict_proba(X)
        model.set_params(warm_start=True, solver="sgd").fit(X, Y_IRIS)


# Weights of any scale


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-30, 1e30, 1e300, 4e307])
@pytest.mark.parametrize(
    "params",
    [{}, {"n_estimators": 3}, {"preprocessing": None}, {"class_weight": "balanced"}],
    ids=str,
)
def test_only_the_ratios_of_weights_matter(scale, params):
    table, y = table_with_a_long_column()
    X = table[["size"]] if "preprocessing" in params else table.drop(columns="town")
    # powers of 2, whose ratios survive any scale
    weight = 2.0 ** np.random.default_rng(0).integers(0, 3, len(y))
    expected = quick(alpha=0.0, **params).fit(X, y, weight)
    model = quick(alpha=0.0, **params).fit(X, y, weight * scale)
    tolerance = 1e-2 if scale == 1e-320 else 1e-4
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=tolerance)
    quick(**params).fit(X, y, weight * scale)


@pytest.mark.parametrize("scale", [1e-300, 1e308])
def test_class_weights_of_any_scale(scale):
    weights = {0: 1.0, 1: 0.5, 2: 0.25}
    scaled = {label: weight * scale for label, weight in weights.items()}
    expected = quick(alpha=0.0, class_weight=weights).fit(X_IRIS, Y_IRIS)
    model = quick(alpha=0.0, class_weight=scaled).fit(X_IRIS, Y_IRIS)
    assert_allclose(
        model.predict_proba(X_IRIS), expected.predict_proba(X_IRIS), atol=1e-4
    )
    quick(class_weight=scaled).fit(X_IRIS, Y_IRIS, np.full(150, scale))


def test_weights_that_sum_to_one_get_the_usual_penalty():
    usual = quick(alpha=10.0).fit(X_IRIS, Y_IRIS, np.ones(150))
    for weight in (1 / 128, 1e-300):
        small = quick(alpha=10.0).fit(X_IRIS, Y_IRIS, np.full(150, weight))
        assert_allclose(small.parameters_, usual.parameters_, atol=1e-6)


# One class only


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_estimators": 3},
        {"solver": "lbfgs"},
        {"hidden_layer_sizes": ()},
        {"scoring": "roc_auc", "early_stopping": True},
        {"class_weight": "balanced", "label_smoothing": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("label", ["only", 3, True])
def test_one_class_is_answered_with_certainty(tmp_path, params, label):
    table, _ = table_with_a_long_column()
    y = np.full(len(table), label)
    model = MLPSoftmaxClassifier(random_state=0, **params).fit(table, y)
    like = DummyClassifier().fit(table, y)
    assert_array_equal(model.classes_, like.classes_)
    assert_array_equal(model.predict(table), y)
    assert model.predict(table).dtype == y.dtype
    assert_array_equal(model.predict_proba(table), np.ones((len(table), 1)))
    assert_array_equal(model.predict_log_proba(table), np.zeros((len(table), 1)))
    assert model.score(table, y) == 1
    assert model.n_outputs_ == 1
    model.save(tmp_path / "model")
    for loaded in (
        skmlp.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert_array_equal(loaded.predict(table), y)
    model._repr_html_()


def test_one_class_goes_on_and_takes_rows_of_its_own():
    y = np.zeros(150, dtype=int)
    model = classic((8,), max_iter=30).fit(X_IRIS, y)
    model.partial_fit(X_IRIS, y)
    assert_array_equal(model.predict_proba(X_IRIS), np.ones((150, 1)))
    with pytest.raises(ValueError, match=r"y contains \[1, 2\]"):
        model.partial_fit(X_IRIS, Y_IRIS)
    model.set_params(warm_start=True).fit(X_IRIS, y)
    model.set_params(scoring="f1").fit(X_IRIS, y, X_val=X_IRIS, y_val=y)
    assert_array_equal(model.predict(X_IRIS), y)
    with pytest.raises(ValueError, match="at least 2 classes"):
        classic((8,)).partial_fit(X_IRIS, y, classes=[0])


def test_one_class_with_weight_is_predicted_among_all():
    model = quick().fit(X_IRIS, Y_IRIS, sample_weight=Y_IRIS == 1)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert_array_equal(model.predict(X_IRIS), np.ones(150))


def test_groups_of_one_class_are_fitted_like_others():
    table = pd.DataFrame({"x": X_IRIS[:, 0], "y": Y_IRIS, "group": Y_IRIS // 2})
    scores = table.groupby("group")[["x", "y"]].apply(
        lambda rows: quick().fit(rows[["x"]], rows["y"]).score(rows[["x"]], rows["y"])
    )
    assert scores[1] == 1 > scores[0] > 0.5


# Labels of nullable and pyarrow types

LABELS = [True, False, True, True] * 30
NUMBERS = [3, 1, 2, 3] * 30
WORDS = ["b", "a", "b", "c"] * 30


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pd.Series(LABELS, dtype="boolean"), np.array([False, True])),
        (pd.Series(NUMBERS, dtype="Int64"), np.array([1, 2, 3])),
        (pd.Series(NUMBERS, dtype="UInt8"), np.array([1, 2, 3], dtype="uint8")),
        (pd.Series(NUMBERS, dtype="Float64"), np.array([1.0, 2, 3])),
        (pd.array(NUMBERS, dtype="Int32"), np.array([1, 2, 3], dtype="int32")),
        (pd.Index(NUMBERS, dtype="Int64"), np.array([1, 2, 3])),
        (pd.Series(WORDS, dtype="string"), np.array(["a", "b", "c"], object)),
        (pd.Series(WORDS, dtype="category"), np.array(["a", "b", "c"], object)),
        (
            pd.Series(pd.array(NUMBERS, dtype="Int64")).astype("category"),
            np.array([1, 2, 3]),
        ),
        (pd.Series(LABELS, dtype="bool[pyarrow]"), np.array([False, True])),
        (pd.Series(NUMBERS, dtype="int64[pyarrow]"), np.array([1, 2, 3])),
        (pd.Series(WORDS, dtype="string[pyarrow]"), np.array(["a", "b", "c"], object)),
        (pa.chunked_array([LABELS]), np.array([False, True])),
        (pa.chunked_array([NUMBERS]), np.array([1, 2, 3])),
        (pa.array(WORDS), np.array(["a", "b", "c"], object)),
        (
            pa.chunked_array([pa.array(NUMBERS).dictionary_encode()]),
            np.array([1, 2, 3]),
        ),
        (pd.Series(LABELS, dtype=object), np.array([False, True])),
        (pd.Series(NUMBERS, dtype=object), np.array([1, 2, 3])),
        (pl.Series(WORDS).cast(pl.Categorical), np.array(["a", "b", "c"], object)),
        (pl.Series(LABELS), np.array([False, True])),
        (pl.Series(NUMBERS), np.array([1, 2, 3])),
        (pl.Series(WORDS), np.array(["a", "b", "c"], object)),
    ],
    ids=lambda value: f"{type(value).__module__}-{getattr(value, 'dtype', '')}",
)
def test_labels_come_back_as_what_they_were(labels, expected):
    X = np.linspace(0, 1, 120)[:, np.newaxis]
    model = quick().fit(X, labels, X_val=X, y_val=labels)
    assert_array_equal(model.classes_, expected)
    if expected.dtype != object:
        assert model.classes_.dtype == expected.dtype
    assert set(model.predict(X)) <= set(expected.tolist())
    stream = quick(learning_rate="constant").partial_fit(X, labels, labels)
    assert_array_equal(stream.classes_, expected)
    assert stream.classes_.dtype == model.classes_.dtype


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([*LABELS[1:], None], dtype="boolean"),
        pd.Series([*NUMBERS[1:], None], dtype="Int64"),
        pd.Series([*NUMBERS[1:], None], dtype="int64[pyarrow]"),
        pd.Series([*WORDS[1:], None], dtype="string"),
        pd.Series([*WORDS[1:], None], dtype="category"),
        pa.chunked_array([[*NUMBERS[1:], None]]),
        pl.Series([*NUMBERS[1:], None]),
    ],
    ids=lambda value: f"{type(value).__module__}-{getattr(value, 'dtype', '')}",
)
def test_missing_labels_get_a_sentence(labels):
    X = np.linspace(0, 1, 120)[:, np.newaxis]
    with pytest.raises(ValueError, match="y has no label in 1 rows"):
        quick().fit(X, labels)


def test_a_column_of_nullable_labels_is_taken_as_a_column():
    y = pd.DataFrame({"y": pd.array(NUMBERS, dtype="Int64")})
    X = np.linspace(0, 1, 120)[:, np.newaxis]
    with pytest.warns(match="column-vector y was passed"):
        model = quick().fit(X, y)
    assert model.classes_.dtype == np.int64


# Parameters of the encoder in a search


def test_parameters_of_the_encoder_in_a_grid():
    table, y = table_with_a_long_column()
    grid = {"preprocessing__max_categories": [5, 50]}
    with pytest.raises(ValueError, match=r"pass preprocessing=TableEncoder\(\)"):
        GridSearchCV(quick(), grid, cv=2).fit(table, y)
    search = GridSearchCV(quick(preprocessing=TableEncoder()), grid, cv=2)
    best = search.fit(table, y).best_estimator_
    assert [best.encoder_.max_categories] == [*search.best_params_.values()]
    both = quick().set_params(
        preprocessing=TableEncoder(), preprocessing__max_categories=5
    )
    assert both.preprocessing.max_categories == 5
    with pytest.raises(ValueError, match="preprocessing is None"):
        quick(preprocessing=None).set_params(preprocessing__max_categories=5)
    with pytest.raises(ValueError, match="Invalid parameter"):
        quick().set_params(maximum=5)


# Adding a schedule


def test_a_new_schedule_with_an_end_is_never_cut_short(monkeypatch):
    monkeypatch.setitem(SCHEDULES, "half_wave", Cosine)
    model = MLPSoftmaxClassifier(learning_rate="half_wave")
    assert resolve_auto(model, 500, 10, {})["n_iter_no_change"] == np.inf


# fit after partial_fit


def test_a_warm_fit_counts_its_own_epochs_without_improvement():
    params = {"learning_rate": "constant", "dropout": 0.0, "warm_start": True}
    model = quick(**params, early_stopping=False, n_iter_no_change=3, max_iter=20)
    for _ in range(600):
        model.partial_fit(X_IRIS, Y_IRIS, [0, 1, 2])
        if model._plateau.n_bad_epochs > 3:
            break
    assert model._plateau.n_bad_epochs > 3
    model.set_params(early_stopping=True).fit(X_IRIS, Y_IRIS)
    assert model.n_iter_ > 3
