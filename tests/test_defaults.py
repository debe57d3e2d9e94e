"""What "auto" stands for, and that each part of it can be set."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from skmlp import MLPSoftmaxClassifier, defaults
from skmlp.defaults import (
    ENOUGH_ROWS,
    LBFGS_DEFAULTS,
    MANY_ROWS,
    MAX_EMBEDDED_COLUMNS,
    MEMBER_CONFIGS,
    PARTIAL_FIT_DEFAULTS,
    VERY_MANY_ROWS,
    MemberConfig,
)
from skmlp.nn.activations import resolve_activation
from skmlp.optim.schedules import SCHEDULES


class Values(SimpleNamespace):
    """Defaults by name."""

    def replace(self, **changes):
        return Values(**vars(self) | changes)


def default_config(n_samples, n_columns):
    return Values(**defaults.default_config(n_samples, n_columns))


def resolve_auto(*given):
    return Values(**defaults.resolve_auto(*given))


OF_KINDS = ["dropout", "weight_decay"]
NOT_GIVEN = {"member_configs", "n_folds", "initial_patience"}
"""Settings that are no parameters: what they are of is given otherwise."""

SIZES = [2, 10, 150, 299, 300, 1000, 5000, 20_000, 100_000, 10**6, 3 * 10**6, 10**8]
WIDE = MAX_EMBEDDED_COLUMNS + 1
SHAPES = [(n_samples, n_columns) for n_samples in SIZES for n_columns in (10, WIDE)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_size_gets_settings_that_fit_accepts(shape):
    settings = default_config(*shape)
    given = vars(settings)
    for kind in settings.member_configs:
        of_kind = {name: getattr(kind, name) for name in OF_KINDS}
        given = {k: v for k, v in given.items() if k not in NOT_GIVEN} | of_kind
        MLPSoftmaxClassifier(**given)._validate_params()
    assert "auto" not in [
        value for value in vars(settings).values() if isinstance(value, str)
    ]
    assert settings.n_folds >= 1


@pytest.mark.parametrize("n_columns", [10, WIDE])
def test_the_rows_that_are_looked_at_are_bounded(n_columns):
    """Ten million by each network, or one pass; and few of them are held out."""
    for n_samples in (ENOUGH_ROWS, 4 * 10**6, 10**7, 10**9):
        settings = default_config(n_samples, n_columns)
        visits = settings.max_iter * n_samples
        assert visits <= max(10**7, n_samples)
        assert 2 * visits > 10**7
        assert round(settings.validation_fraction * n_samples) == 100_000
        assert SCHEDULES[settings.learning_rate].has_fixed_length


@pytest.mark.parametrize("n_samples", SIZES)
@pytest.mark.parametrize(
    "name", sorted(defaults.default_config(9, 9).keys() - NOT_GIVEN)
)
def test_what_is_given_is_not_changed(name, n_samples):
    given = {
        "hidden_layer_sizes": np.array([7]),
        "activation": "tanh",
        "label_smoothing": 0.3,
        "batch_size": 9,
        "learning_rate": "adaptive",
        "max_iter": 11,
        "n_iter_no_change": 3,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_estimators": 5,
    }[name]
    model = MLPSoftmaxClassifier(**{name: given})
    settings = resolve_auto(model, n_samples, 10, {})
    assert getattr(settings, name) is given
    others = vars(default_config(n_samples, 10)) | {name: given}
    if name == "validation_fraction":
        others["n_folds"] = settings.n_folds
    if name == "n_estimators" and n_samples < MANY_ROWS:
        others["label_smoothing"] = 0.0  # no row is held out by enough of them
    if name == "n_iter_no_change":
        others["initial_patience"] = np.inf
    if name != "learning_rate":
        assert settings == Values(**others)


# Wide tables


@pytest.mark.parametrize("n_samples", SIZES)
def test_wide_tables_get_bends_in_their_units_and_else_the_same(n_samples):
    narrow, wide = default_config(n_samples, 10), default_config(n_samples, WIDE)
    assert default_config(n_samples, WIDE - 1) == narrow
    assert (narrow.activation, wide.activation) == ("relu", "gelu")
    if n_samples < VERY_MANY_ROWS:
        assert wide == narrow.replace(activation="gelu")
    else:
        assert min(wide.hidden_layer_sizes) > max(narrow.hidden_layer_sizes)
        assert wide.n_estimators < narrow.n_estimators


@pytest.mark.parametrize(
    "form", [np.asarray, pd.DataFrame, csr_matrix, np.ndarray.tolist]
)
@pytest.mark.parametrize("n_columns", [WIDE - 1, WIDE])
def test_a_fit_asks_for_what_suits_the_columns_of_x(n_columns, form):
    X = form(np.random.default_rng(0).normal(size=(40, n_columns)))
    model = MLPSoftmaxClassifier(n_estimators=1, max_iter=1).fit(X, [0, 1] * 20)
    expected = resolve_activation(default_config(40, n_columns).activation)
    assert model.architecture_.activations == (expected, expected)


# Label smoothing


@pytest.mark.parametrize(
    "without",
    [
        {"early_stopping": False},
        {"temperature": None},
        {"temperature": 1.0},
        # no row is held out by enough of them
        {"n_estimators": 2},
        {"n_estimators": 8},
    ],
    ids=str,
)
def test_labels_are_smoothed_only_where_a_temperature_is_found(without):
    assert resolve_auto(MLPSoftmaxClassifier(), 500, 10, {}).label_smoothing > 0
    assert (
        resolve_auto(MLPSoftmaxClassifier(**without), 500, 10, {}).label_smoothing == 0
    )
    given = MLPSoftmaxClassifier(label_smoothing=0.1, **without)
    assert resolve_auto(given, 500, 10, {}).label_smoothing == 0.1
    alone = MLPSoftmaxClassifier(n_estimators=1)
    assert resolve_auto(alone, 500, 10, {}).label_smoothing > 0
    in_parts = resolve_auto(MLPSoftmaxClassifier(), 500, 10, PARTIAL_FIT_DEFAULTS)
    assert in_parts.label_smoothing == 0


# Kinds


def test_kinds_differ_and_each_can_be_trained():
    assert len(set(MEMBER_CONFIGS)) == len(MEMBER_CONFIGS) > 1
    for kind in MEMBER_CONFIGS:
        assert kind.frequency > 0
        assert 0 <= kind.dropout < 1
        assert kind.weight_decay >= 0


@pytest.mark.parametrize("n_samples", [n for n in SIZES if n < MANY_ROWS])
def test_there_is_a_network_of_each_kind_for_each_fold(n_samples):
    settings = default_config(n_samples, 10)
    assert settings.member_configs == MEMBER_CONFIGS
    assert settings.n_estimators == len(MEMBER_CONFIGS) * settings.n_folds
    assert settings.n_folds * settings.validation_fraction >= 1


@pytest.mark.parametrize("n_samples", SIZES)
@pytest.mark.parametrize("name", OF_KINDS)
@pytest.mark.parametrize("value", [0.4, 0.0, [0.1, 0.2]])
def test_what_is_given_holds_for_networks_of_all_kinds(name, value, n_samples):
    plain = default_config(n_samples, 10)
    settings = resolve_auto(MLPSoftmaxClassifier(**{name: value}), n_samples, 10, {})
    assert settings.member_configs == tuple(
        kind._replace(**{name: value}) for kind in plain.member_configs
    )
    assert settings.replace(member_configs=plain.member_configs) == plain


@pytest.mark.parametrize("n_samples", SIZES)
def test_networks_that_are_not_to_differ_are_of_the_first_kind(n_samples):
    plain = default_config(n_samples, 10)
    model = MLPSoftmaxClassifier(diverse_members=False)
    settings = resolve_auto(model, n_samples, 10, {})
    assert settings == plain.replace(member_configs=plain.member_configs[:1])
    given = resolve_auto(
        model.set_params(dropout=0.4, weight_decay=0.1), n_samples, 10, {}
    )
    (kind,) = given.member_configs
    assert kind == MemberConfig(plain.member_configs[0].frequency, 0.4, 0.1)


def test_a_network_alone_is_of_the_first_kind():
    for changes in ({}, PARTIAL_FIT_DEFAULTS):
        model = MLPSoftmaxClassifier(n_estimators=1)
        assert (
            resolve_auto(model, 500, 10, changes).member_configs[0] == MEMBER_CONFIGS[0]
        )


# Folds


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.5, 2), (0.25, 4), (0.2, 5), (0.1, 10), (0.15, 7), (0.3, 4), (0.05, 20)],
)
def test_folds_of_a_given_part_are_as_few_as_hold_out_every_row(fraction, expected):
    model = MLPSoftmaxClassifier(validation_fraction=fraction)
    settings = resolve_auto(model, 500, 10, {})
    assert settings.n_folds == expected
    assert expected * fraction >= 1 - 1e-9 > (expected - 1) * fraction
    assert settings.member_configs == MEMBER_CONFIGS


@pytest.mark.parametrize("n_samples", [MANY_ROWS, 10**6])
def test_large_tables_keep_their_folds(n_samples):
    model = MLPSoftmaxClassifier(validation_fraction=0.25)
    assert (
        resolve_auto(model, n_samples, 10, {}).n_folds
        == default_config(n_samples, 10).n_folds
    )


# Other parts of the recipe


@pytest.mark.parametrize(
    ("learning_rate", "patience"),
    [("constant", 10), ("adaptive", 10), ("invscaling", 10), ("cosine", np.inf)],
)
def test_patience_is_for_schedules_without_an_end(learning_rate, patience):
    model = MLPSoftmaxClassifier(learning_rate=learning_rate)
    assert resolve_auto(model, 500, 10, {}).n_iter_no_change == patience


def test_larger_tables_get_no_more_epochs_and_no_smaller_batches():
    settings = [default_config(n_samples, 10) for n_samples in SIZES]
    epochs = [one.max_iter for one in settings]
    batches = [one.batch_size for one in settings]
    assert epochs == sorted(epochs, reverse=True)
    assert batches == sorted(batches)


def test_one_network_is_trained_where_rows_come_in_parts():
    settings = resolve_auto(MLPSoftmaxClassifier(), 1000, 10, PARTIAL_FIT_DEFAULTS)
    assert settings.n_estimators == 1
    assert settings.learning_rate == "constant"
    assert settings.early_stopping is False


def test_lbfgs_has_what_scikit_learn_has():
    settings = resolve_auto(
        MLPSoftmaxClassifier(solver="lbfgs"), 1000, 10, LBFGS_DEFAULTS
    )
    assert settings.hidden_layer_sizes == (100,)
    assert (settings.n_estimators, settings.max_iter) == (1, 200)
    assert settings.member_configs == (
        MemberConfig(1.0, dropout=0.0, weight_decay=0.0),
    )
    assert settings.n_iter_no_change == 10


@pytest.mark.parametrize(
    ("numeric_embedding", "n_numbers", "expected"),
    [
        (None, 5, 0),
        ("periodic", 5, 5),
        ("periodic", 60, 60),
        ("auto", MAX_EMBEDDED_COLUMNS, MAX_EMBEDDED_COLUMNS),
        ("auto", MAX_EMBEDDED_COLUMNS + 1, 0),
    ],
)
def test_many_numbers_are_not_embedded_unless_asked_to(
    numeric_embedding, n_numbers, expected
):
    X = np.random.default_rng(0).normal(size=(40, n_numbers))
    model = MLPSoftmaxClassifier(
        numeric_embedding=numeric_embedding, n_estimators=1, max_iter=1
    ).fit(X, [0, 1] * 20)
    assert model.architecture_.n_periodic == expected
