"""X to a matrix: by an encoder with seeds of its own, or straight in."""

import numpy as np
import pandas as pd
import pytest
from networks import classic
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    QuantileTransformer,
    StandardScaler,
)
from tasks import CODES, CONFIG, X

from skmlp import TableEncoder
from skmlp.data import inputs as module
from skmlp.data.inputs import (
    FittedInputs,
    _as_matrix,
    _check_encoded,
    _check_rows,
    encode_rows,
    fit_encoder,
    fit_inputs,
    is_fitted,
    make_encoder,
)
from skmlp.data.prepare import ValidationData, build_data, prepare
from skmlp.data.sources import MemorySource
from skmlp.data.targets import read_targets
from skmlp.tabular.frame import as_table

NOBODYS = ValidationData(None, None, None)
TWO_NETWORKS = CONFIG._replace(n_estimators=2)
FRAME = pd.DataFrame({"width": X[:, 0], "side": np.where(X[:, 1] > 0, "left", "right")})


def rng(seed=0):
    return np.random.default_rng(seed)


def straight(**params):
    return classic(preprocessing=None, **params)


def targets_of(estimator, sample_weight=None):
    return read_targets(estimator, X, CODES, sample_weight)


def blank(estimator):
    return FittedInputs.of(estimator, is_fitted=False)


def prepared(
    estimator, table, settings=CONFIG, *, validation_data=NOBODYS, weight=None
):
    """Inputs and data of a fit on rows in memory."""
    source = MemorySource(table, CODES, weight)
    source.read_targets(estimator)
    inputs = FittedInputs.of(estimator, hasattr(estimator, "encoder_"))
    args = (source, validation_data, estimator, settings, rng(), inputs)
    return inputs, prepare(*args)


# The encoder


def seeds_of(encoder, seed=0):
    """Seeds by their name, once those that were missing are drawn."""
    seeded = make_encoder(classic(preprocessing=encoder), rng(seed)).get_params()
    return {name: seeded[name] for name in seeded if name.endswith("random_state")}


def nested():
    """A pipeline within another, where only the k-means have a seed."""
    inner = make_pipeline(KMeans(random_state=7), RandomTreesEmbedding())
    return make_pipeline(PCA(), inner)


def test_only_parts_without_a_seed_get_one():
    seeds = seeds_of(nested())
    assert seeds.pop("pipeline__kmeans__random_state") == 7
    assert len(seeds) == 2
    assert all(type(seed) is int for seed in seeds.values())
    assert len(set(seeds.values())) == 2, "each part has draws of its own"


def test_seeds_are_those_of_the_generator():
    assert seeds_of(nested()) == seeds_of(nested())
    assert seeds_of(nested(), 1) != seeds_of(nested(), 2)


def test_an_encoder_of_the_users_own_is_cloned():
    own = KBinsDiscretizer(3)
    estimator = classic(preprocessing=own)
    encoder = make_encoder(estimator, rng())
    assert isinstance(encoder, KBinsDiscretizer)
    assert encoder.random_state is not None
    assert own.random_state is None
    assert make_encoder(estimator).random_state is None


def test_an_encoder_of_ours_is_told_of_types_and_categories():
    encoder = make_encoder(classic(dtype="float64", categorical_features=[1]))
    assert isinstance(encoder, TableEncoder)
    assert (encoder.dtype, encoder.categorical_features) == ("float64", [1])
    assert make_encoder(straight(), rng()) is None


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        (None, False),
        ("auto", False),
        (StandardScaler(), False),
        (StandardScaler().fit(X), True),
        (FunctionTransformer(), True),  # has nothing to learn
    ],
)
def test_who_is_ready_to_transform(preprocessing, expected):
    assert is_fitted(preprocessing) == expected


def test_the_encoder_says_which_columns_there_are():
    inputs, estimator = blank(straight()), straight()
    for encoder, names in (
        (StandardScaler().fit(FRAME[["width"]]), ["width"]),
        (StandardScaler().fit(X), None),
    ):
        inputs.take_encoder(encoder)
        inputs.store_on(estimator)
        for one in (inputs, estimator):
            assert one.encoder_ is encoder
            assert one.n_features_in_ == encoder.n_features_in_
            assert_array_equal(getattr(one, "feature_names_in_", None), names)


@pytest.mark.parametrize("sample_weight", [None, np.linspace(0.5, 2, 60)])
def test_an_encoder_learns_of_the_rows_to_train_on_only(sample_weight):
    estimator, rows = classic(preprocessing=StandardScaler()), np.arange(20, 60)
    targets = targets_of(estimator, sample_weight)
    matrix = fit_inputs(blank(estimator), estimator, as_table(X), targets, rows, rng())
    weight = None if sample_weight is None else sample_weight[rows]
    center = np.average(X[rows], axis=0, weights=weight)
    spread = np.average((X[rows] - center) ** 2, axis=0, weights=weight) ** 0.5
    assert_allclose(matrix, (X - center) / spread, rtol=1e-5)


def test_an_encoder_that_takes_no_weights_gets_none():
    estimator = classic(preprocessing=MinMaxScaler())
    targets = targets_of(estimator, np.linspace(0.5, 2, 60))
    matrix = fit_inputs(
        blank(estimator), estimator, as_table(X), targets, np.arange(20), rng()
    )
    assert_allclose([matrix.min(), matrix.max()], [0, 1], atol=1e-6)


@pytest.mark.parametrize(
    "preprocessing", ["auto", StandardScaler(), QuantileTransformer(n_quantiles=9)]
)
def test_draws_behind_the_encoder_are_the_same_for_any(preprocessing):
    drawn = []
    for estimator in (straight(), classic(preprocessing=preprocessing)):
        source = rng()
        fit_inputs(
            blank(estimator),
            estimator,
            as_table(X),
            targets_of(estimator),
            None,
            source,
        )
        drawn.append(source.random())
    assert drawn[0] == drawn[1]


def test_an_encoder_that_is_given_is_fitted_on_some_rows_and_encodes_all():
    estimator, encoder = straight(dtype="float64"), StandardScaler()
    inputs, targets = blank(estimator), targets_of(estimator)
    matrix = fit_encoder(
        inputs, encoder, "float64", as_table(X), targets, np.arange(10)
    )
    assert inputs.encoder_ is encoder
    assert_allclose(encoder.mean_, X[:10].mean(axis=0))
    assert_array_equal(matrix, encoder.transform(X))


# The rows to learn from


def test_all_rows_are_learnt_from_where_none_are_held_out():
    _, data = prepared(straight(dtype="float64"), X)
    assert_array_equal(data.samples.x, X)
    assert_array_equal(data.samples.y_encoded, [CODES])
    assert (data.samples.indices, data.samples.sample_weight, data.validation) == (
        None,
        None,
        None,
    )
    assert_array_equal(data.classes, [0, 1, 2])
    assert data.n_numbers == 2


def test_held_out_rows_and_the_others_are_all_rows_of_one_matrix():
    settings = CONFIG._replace(early_stopping=True)
    weight = np.linspace(0.5, 2, 60)
    _, (samples, validation, *_) = prepared(straight(), X, settings, weight=weight)
    assert samples.x is validation.x
    assert_array_equal(
        np.sort([*samples.indices[0], *validation.indices[0]]), np.arange(60)
    )
    for part in (samples, validation):
        assert_array_equal(part.y_encoded, CODES[part.indices])
        assert_array_equal(part.sample_weight, weight[part.indices])


@pytest.mark.parametrize("settings", [CONFIG, TWO_NETWORKS])
def test_rows_of_ones_own_leave_all_others_to_each_network(settings):
    estimator = straight(dtype="float64", class_weight={0: 1, 1: 2, 2: 3})
    validation_data = ValidationData.of(X[:3] + 1, [0, 1, 2], [4, 5, 6])
    settings = settings._replace(early_stopping=True)
    _, (samples, validation, *_) = prepared(
        estimator, X, settings, validation_data=validation_data
    )
    n_networks = settings.n_estimators
    assert samples.y_encoded.size == n_networks * 60
    assert_array_equal(validation.x, X[:3] + 1)
    for part in validation.split_members():
        assert_array_equal(part.y_encoded, [0, 1, 2])
        assert_array_equal(part.sample_weight, [4, 10, 18])
    assert len(validation.split_members()) == n_networks


@pytest.mark.parametrize(
    ("validation_data", "_is_given"),
    [
        (NOBODYS, False),
        (ValidationData(None, None, [1.0]), False),
        (ValidationData.of(X, None, None), True),
        (ValidationData(None, CODES, None), True),
    ],
)
def test_half_of_ones_own_rows_are_refused(validation_data, _is_given):
    assert validation_data._is_given == _is_given
    if _is_given:
        with pytest.raises(ValueError, match=r"_val is given without ._val; pass both"):
            prepared(straight(), X, validation_data=validation_data)


def test_the_encoder_says_which_columns_of_the_matrix_are_numbers():
    inputs, data = prepared(classic(), FRAME)
    assert data.n_numbers == inputs.encoder_.n_numbers_ == 1
    assert data.samples.x.shape[1] > 1


def test_who_goes_on_reads_by_what_is_there():
    estimator = classic(dtype="float64", preprocessing=StandardScaler())
    estimator.encoder_ = FunctionTransformer(lambda X: 10 * X).fit(X)
    estimator.n_features_in_ = 2
    _, data = prepared(estimator, X)
    assert_array_equal(data.samples.x, 10 * X)


@pytest.mark.parametrize("settings", [CONFIG, TWO_NETWORKS])
def test_samples_on_a_matrix_are_those_of_the_targets(settings):
    estimator = straight(dtype="float64")
    targets = targets_of(estimator)
    x = fit_inputs(blank(estimator), estimator, as_table(X), targets, None, rng())
    given = targets.samples.broadcast_members(settings.n_estimators)._replace(x=x)
    samples, validation, classes, n_numbers = build_data(None, given, None, targets)
    assert validation is None
    assert (len(classes), n_numbers) == (3, 2)
    assert len(samples.split_members()) == settings.n_estimators
    for part in samples.split_members():
        assert_array_equal(part.gather_inputs(), X)
        assert_array_equal(part.y_encoded, CODES)


# The matrix


def test_columns_whose_names_are_no_text_are_remembered_too():
    estimator, frame = straight(dtype="float64"), pd.DataFrame(X)
    inputs, table, targets = blank(estimator), as_table(frame), targets_of(estimator)
    fit_inputs(inputs, estimator, table, targets, None, rng())
    assert_array_equal(encode_rows(inputs, frame, "float64"), X)
    with pytest.raises(ValueError, match="in the order of fit"):
        encode_rows(inputs, frame[[1, 0]], "float64")


KINDS = {
    "array": np.asarray,
    "column by column": np.asfortranarray,
    "frame": pd.DataFrame,
    "list": np.ndarray.tolist,
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_straight_in_lies_row_by_row_in_its_type(kind, dtype):
    matrix = _check_rows(blank(straight()), KINDS[kind](X), dtype, reset=True)
    encoded = _check_encoded(KINDS[kind](X), dtype)
    for one in (matrix, encoded):
        assert one.dtype == dtype
        if sparse.issparse(one):
            assert one.format == "csr"
            one = one.toarray()
        assert one.flags.c_contiguous
        assert_array_equal(one, X.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_begins_at_an_odd_byte_is_copied(dtype, shifted_by_a_byte):
    given = X.astype(dtype)
    shifted = shifted_by_a_byte(given)
    found = _as_matrix(shifted, dtype)
    assert found.flags.aligned
    assert_array_equal(found, given)
    model = classic(preprocessing=None, learning_rate="cosine", max_iter=5)
    fitted = model.fit(given, CODES)
    expected = fitted.predict_proba(given)
    assert_array_equal(fitted.predict_proba(shifted), expected)


def test_what_is_right_already_is_not_copied():
    single = X.astype("float32")
    assert _as_matrix(X, "float64") is X
    assert _check_encoded(single, "float32") is single
    inputs = blank(straight())
    _check_rows(inputs, X, "float64", reset=True)
    assert _check_rows(inputs, X, "float64") is X


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_number_too_large_for_the_type_is_refused(kind):
    with pytest.raises(ValueError, match="X contains infinity or a value too large"):
        _as_matrix(kind([[1.0, 1e300]]), "float32")
    assert _as_matrix(kind([[1.0, 1e300]]), "float64").max() == 1e300


WRONG = {"NaN": np.nan, "infinity": np.inf, "too large for float32": 1e300}


@pytest.mark.parametrize("X_new", [X[:5], X[:5].astype("float32"), X[:0], X[:5, :1]])
@pytest.mark.parametrize("value", [None, *WRONG.values()])
def test_the_short_way_in_ends_where_the_long_one_ends(X_new, value, monkeypatch):
    inputs = blank(straight())
    _check_rows(inputs, X, "float32", reset=True)
    X_new = X_new.copy()
    if value is not None and len(X_new):
        with np.errstate(over="ignore"):
            X_new[0, 0] = value

    def result():
        try:
            return _check_rows(inputs, X_new, "float32")
        except ValueError as error:
            return str(error)

    short = result()
    monkeypatch.setattr(module, "_looks_plain", lambda X, inputs: False)
    assert_array_equal(short, result())


NUMBERS = pd.DataFrame(X[:, :2], columns=["a", "b"])
LABELS = np.arange(len(X)) % 2
FOR_ENCODER = {
    "text": NUMBERS.assign(b="x"),
    "text in an array": NUMBERS.assign(b="x").to_numpy(),
    "text in a list": [["x", 1.0]] * len(X),
    "numbers as text": NUMBERS.astype(str).to_numpy(str),
    "categories": NUMBERS.assign(b=pd.Categorical(["x"] * len(X))),
    "dates": NUMBERS.assign(b=pd.Timestamp("2024-01-01", tz="UTC")),
    "NaN": NUMBERS.assign(b=np.nan),
    "NaN in an array": NUMBERS.assign(b=np.nan).to_numpy(),
    "NaN in float32": NUMBERS.assign(b=np.nan).to_numpy(np.float32),
    "None": NUMBERS.assign(b=None),
    "NA": NUMBERS.assign(b=pd.array([None] * len(X), "Int64")),
    "infinity": NUMBERS.assign(b=np.inf),
    "infinity in an array": NUMBERS.assign(b=-np.inf).to_numpy(),
}
"""What a TableEncoder takes, and a network by itself does not."""
TAKES_NUMBERS = 'since preprocessing=None. Set preprocessing="auto"'


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", FOR_ENCODER)
def test_what_needs_an_encoder_is_refused_with_the_way_to_one(kind):
    model = classic(max_iter=1, preprocessing=None)
    fitted = clone(model).fit(NUMBERS, LABELS)
    for call in (
        lambda: model.fit(FOR_ENCODER[kind], LABELS),
        lambda: model.partial_fit(FOR_ENCODER[kind], LABELS, classes=[0, 1]),
        lambda: model.fit(NUMBERS, LABELS, X_val=FOR_ENCODER[kind], y_val=LABELS),
        lambda: fitted.predict_proba(FOR_ENCODER[kind]),
    ):
        with pytest.raises((TypeError, ValueError), match=TAKES_NUMBERS) as error:
            call()
        assert "HistGradientBoosting" not in str(error.value)


def test_what_no_encoder_takes_either_is_refused_without_a_hint():
    with pytest.raises(ValueError, match="Complex data not supported") as error:
        classic(preprocessing=None).fit(NUMBERS.to_numpy() * 1j, LABELS)
    assert TAKES_NUMBERS not in str(error.value)


SOME_ROWS = NUMBERS.to_numpy()


@pytest.mark.parametrize("preprocessing", ["auto", None, TableEncoder()])
@pytest.mark.parametrize(
    ("taught", "given", "sentence"),
    [
        (NUMBERS, SOME_ROWS, "X does not have valid feature names, but {} was fitted"),
        (
            NUMBERS,
            SOME_ROWS.tolist(),
            "X does not have valid feature names, but {} was",
        ),
        (SOME_ROWS, NUMBERS, "X has feature names, but {} was fitted without"),
    ],
)
def test_a_warning_of_names_names_the_classifier(
    preprocessing, taught, given, sentence
):
    model = classic(max_iter=1, learning_rate="cosine", preprocessing=preprocessing)
    model.fit(taught, LABELS)
    with pytest.warns(UserWarning, match=sentence.format("MLPSoftmaxClassifier")):
        model.predict(given)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("preprocessing", ["auto", None])
def test_a_wrong_number_of_columns_names_the_classifier(preprocessing):
    model = classic(max_iter=1, learning_rate="cosine", preprocessing=preprocessing)
    model.fit(NUMBERS, LABELS)
    with pytest.raises(ValueError, match="but MLPSoftmaxClassifier is expecting 2"):
        model.predict(SOME_ROWS[:, :1])


def test_a_warning_of_a_sparse_matrix_names_the_classifier():
    model = classic(max_iter=1, learning_rate="cosine", preprocessing="auto")
    model.fit(NUMBERS, LABELS)
    with pytest.warns(UserWarning, match="but MLPSoftmaxClassifier was fitted with"):
        model.predict(sparse.csr_array(SOME_ROWS))


def test_a_warning_of_an_encoder_alone_names_the_encoder():
    with pytest.warns(UserWarning, match="but TableEncoder was fitted with"):
        TableEncoder().fit(NUMBERS).transform(SOME_ROWS)
