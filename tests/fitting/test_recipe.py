"""What "auto" stands for, and that each part of it can be set."""

import numpy as np
import pytest

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.recipe import (
    FULL_BATCH,
    MOST_NUMBERS_EMBEDDED,
    Settings,
    by_size,
    numbers_to_embed,
    settle,
)

SIZES = [2, 10, 150, 299, 300, 1000, 5000, 20_000, 100_000, 10**6]


@pytest.mark.parametrize("n_samples", SIZES)
def test_every_size_gets_settings_that_fit_accepts(n_samples):
    settings = by_size(n_samples)
    model = MLPSoftmaxClassifier(**settings._asdict())
    model._validate_params()
    assert "auto" not in [value for value in settings if isinstance(value, str)]


@pytest.mark.parametrize("n_samples", SIZES)
@pytest.mark.parametrize("name", Settings._fields)
def test_what_is_given_is_not_changed(name, n_samples):
    given = {
        "hidden_layer_sizes": np.array([7]),
        "dropout": 0.3,
        "batch_size": 9,
        "learning_rate": "adaptive",
        "max_iter": 11,
        "n_iter_no_change": 3,
        "early_stopping": True,
        "validation_fraction": 0.2,
        "n_estimators": 5,
    }[name]
    model = MLPSoftmaxClassifier(**{name: given})
    settings = settle(model, n_samples, {})
    assert getattr(settings, name) is given
    others = by_size(n_samples)._asdict() | {name: given}
    if name != "learning_rate":
        assert settings == Settings(**others)


@pytest.mark.parametrize(
    ("learning_rate", "patience"),
    [("constant", 10), ("adaptive", 10), ("invscaling", 10), ("cosine", np.inf)],
)
def test_patience_is_for_schedules_without_an_end(learning_rate, patience):
    model = MLPSoftmaxClassifier(learning_rate=learning_rate)
    assert settle(model, 500, {}).n_iter_no_change == patience


def test_larger_tables_get_no_more_epochs_and_no_smaller_batches():
    settings = [by_size(n_samples) for n_samples in SIZES]
    epochs = [one.max_iter for one in settings]
    batches = [one.batch_size for one in settings]
    assert epochs == sorted(epochs, reverse=True)
    assert batches == sorted(batches)


def test_one_network_is_trained_where_rows_come_in_parts():
    settings = settle(MLPSoftmaxClassifier(), 1000, {}, in_parts=True)
    assert settings.n_estimators == 1
    assert settings.learning_rate == "constant"
    assert settings.early_stopping is False


def test_lbfgs_has_what_scikit_learn_has():
    settings = settle(MLPSoftmaxClassifier(solver="lbfgs"), 1000, FULL_BATCH)
    assert settings.hidden_layer_sizes == (100,)
    assert (settings.n_estimators, settings.max_iter) == (1, 200)
    assert settings.dropout == 0
    assert settings.n_iter_no_change == 10


@pytest.mark.parametrize(
    ("numeric_embedding", "n_numbers", "expected"),
    [
        (None, 5, 0),
        ("periodic", 5, 5),
        ("periodic", 500, 500),
        ("auto", 0, 0),
        ("auto", MOST_NUMBERS_EMBEDDED, MOST_NUMBERS_EMBEDDED),
        ("auto", MOST_NUMBERS_EMBEDDED + 1, 0),
    ],
)
def test_many_numbers_are_not_embedded_unless_asked_to(
    numeric_embedding, n_numbers, expected
):
    model = MLPSoftmaxClassifier(numeric_embedding=numeric_embedding)
    assert numbers_to_embed(model, n_numbers, True) == expected


def test_lbfgs_embeds_only_what_it_is_asked_to():
    model = MLPSoftmaxClassifier(solver="lbfgs")
    assert numbers_to_embed(model, 5, False) == 0
    assert (
        numbers_to_embed(model.set_params(numeric_embedding="periodic"), 5, False) == 5
    )
