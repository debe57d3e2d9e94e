"""Each ending calls for a sentence that is whole, or for none."""

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from tasks import parameters, result

from skmlp.fitting.run import format_epochs, warn_about_training
from skmlp.fitting.solvers import SOLVERS
from skmlp.training.monitor import StopReason

EXPECTED = {  # after 7 epochs, of which 5 is the best, with adam on rows as they come
    StopReason.CONVERGED: None,
    StopReason.DIVERGED: (
        "training diverged in epoch 7: the loss became 1.23e+06. The last good weights,"
        " those of epoch 5, are kept. Lower learning_rate_init=0.5, or scale X.",
        ConvergenceWarning,
    ),
    StopReason.OUT_OF_TIME: None,
    StopReason.INTERRUPTED: (
        "Training interrupted by user in epoch 8; the weights of epoch 5 are kept.",
        UserWarning,
    ),
    StopReason.BY_CALLBACK: None,
    StopReason.COMPLETED: None,
    StopReason.MAX_ITER_REACHED: (
        'solver="adam" ended after 7 iterations, before the loss had settled. Raise '
        "max_iter=9, scale X, or let early_stopping=True or "
        'learning_rate="cosine" decide when to end.',
        ConvergenceWarning,
    ),
}


def outcome_of(stop_reason, n_epochs=7, best_epochs=(5,), lacks_scores=False):
    losses = [1.0] * (n_epochs - 1) + [1234567.0] if n_epochs else []
    return result(
        len(best_epochs),
        {"loss": losses},
        best_epochs,
        stop_reason=stop_reason,
        lacks_scores=lacks_scores,
    )


def warning_of(train_result, solver="adam", is_scaled=False, scoring="f1"):
    """What is said of an outcome, and its kind; None for nothing."""
    given = parameters(solver=solver, scoring=scoring, learning_rate_init=0.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_about_training(train_result, given, 9, is_scaled)
    assert len(caught) <= 1
    return (str(caught[0].message), caught[0].category) if caught else None


@pytest.mark.parametrize("stop_reason", StopReason)
def test_what_is_said_of_each_ending(stop_reason):
    assert warning_of(outcome_of(stop_reason)) == EXPECTED[stop_reason]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("n_epochs", [0, 1])
@pytest.mark.parametrize("stop_reason", StopReason)
def test_every_sentence_is_whole(stop_reason, n_epochs, is_scaled, solver):
    said = warning_of(outcome_of(stop_reason, n_epochs, (0,)), solver, is_scaled)
    if said is not None:
        sentence, _ = said
        assert sentence.endswith(".")
        assert not re.search(r"[{}]|None|  | [,.]|,,|\.\.", sentence)
        assert not (is_scaled and "scale X" in sentence)
    if stop_reason == StopReason.MAX_ITER_REACHED:
        assert SOLVERS[solver].advice in sentence


@pytest.mark.parametrize(
    ("params", "remedy"),
    [
        ({"alpha": 1e9}, "alpha=1e+09"),
        ({"weight_decay": 5e3}, "weight_decay=5000"),
        ({"alpha": 1e9, "weight_decay": 5e3}, "alpha=1e+09 and weight_decay=5000"),
        ({"weight_decay": 0.1}, "learning_rate_init=0.5"),
    ],
)
def test_divergence_by_decay_does_not_blame_the_learning_rate(params, remedy):
    given = parameters(learning_rate_init=0.5, **params)
    with pytest.warns(ConvergenceWarning, match=rf"Lower {re.escape(remedy)}\.$"):
        warn_about_training(outcome_of(StopReason.DIVERGED), given, 9, True)


def test_divergence_by_the_learning_rate_does_not_blame_a_small_penalty():
    given = parameters(learning_rate_init=1e9, alpha=0.1)
    with pytest.warns(ConvergenceWarning, match=r"Lower learning_rate_init=1e\+09\.$"):
        warn_about_training(outcome_of(StopReason.DIVERGED), given, 9, True)


def test_weights_from_before_the_first_epoch_are_called_so():
    for none in [(0,), (0, 0)]:
        sentence, _ = warning_of(outcome_of(StopReason.DIVERGED, best_epochs=none))
        assert "those at the start, are kept" in sentence
        sentence, _ = warning_of(outcome_of(StopReason.INTERRUPTED, best_epochs=none))
        assert "the weights at the start are kept" in sentence


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        ((5,), "epoch 5"),
        ((5, 5), "epoch 5"),
        ((6, 2, 4), "epochs 2 to 6"),
        ((0, 3), "epochs 0 to 3"),
    ],
)
def test_epochs_of_several_networks_are_from_one_to_another(epochs, words):
    assert format_epochs(np.array(epochs)) == words
    interrupted, _ = warning_of(outcome_of(StopReason.INTERRUPTED, 7, epochs))
    assert f"the weights of {words} are kept" in interrupted
    diverged, _ = warning_of(outcome_of(StopReason.DIVERGED, 7, epochs))
    assert f"those of {words}, are kept" in diverged


@pytest.mark.parametrize("stop_reason", StopReason)
def test_scores_that_say_nothing_are_named_unless_there_is_worse_to_say(stop_reason):
    said = warning_of(outcome_of(stop_reason, lacks_scores=True))
    expected = EXPECTED[stop_reason] or (
        "scoring='f1' gave no finite score on the held-out rows in any epoch; the last "
        "weights are kept.",
        UserWarning,
    )
    assert said == expected


def test_a_name_with_braces_is_no_field():
    train_result = outcome_of(StopReason.COMPLETED, lacks_scores=True)
    sentence, _ = warning_of(train_result, scoring="{loss}")
    assert sentence.startswith("scoring='{loss}' gave")
