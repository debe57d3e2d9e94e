"""Runs say how strong their penalty is; results, what an estimator stores."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tasks import CODES, CONFIG, X, regression, result, with_samples

from skmlp import MLPSoftmaxClassifier
from skmlp.defaults import MemberConfig
from skmlp.training.monitor import StopReason

STRENGTHS = {  # alpha is 3, and there are 60 rows
    "no weights": (None, 3 / 60),
    "weights that sum to more than the rows": (2.0, 3 / 120),
    "weights that sum to less": (0.25, 3 / 60),
    "weights that sum to the rows": (np.repeat([0.5, 1.5], 30), 3 / 60),
}


@pytest.mark.parametrize("n_networks", [1, 2])
@pytest.mark.parametrize("case", STRENGTHS)
def test_a_row_of_weight_2_counts_as_two_and_none_for_less_than_one(case, n_networks):
    weight, expected = STRENGTHS[case]
    samples = regression(n_networks).data.samples
    if weight is not None:
        shape = samples.y_encoded.shape
        samples = samples._replace(sample_weight=np.broadcast_to(weight, shape))
    task = with_samples(regression(config=CONFIG._replace(alpha=3.0)), samples)
    assert task.n_samples == 60
    regularization = task.regularization(0.1)
    assert regularization.l2 == pytest.approx(expected)
    assert regularization.weight_decay == 0.1


def test_biases_do_not_decay():
    # 2 inputs x 3 classes; the 3 biases are behind the weights
    penalty = regression(config=CONFIG._replace(alpha=60.0)).regularization()
    assert penalty.value(np.array([1.0, 2, 3, 4, 5, 6, 9, 9, 9])) == 91 / 2


def test_the_result_of_a_fit_has_what_the_estimator_stores():
    model = MLPSoftmaxClassifier((), n_estimators=1, max_iter=1).fit(X, CODES)
    attributes = model._get_result().attributes()
    assert_array_equal(attributes.pop("parameters_"), model.parameters_)
    assert attributes.pop("best_iter_") == model.best_iter_ == 1
    assert all(getattr(model, name) is value for name, value in attributes.items())
    besides = {"classes_", "encoder_", "n_features_in_", "t_", "_optimizer_state"}
    stored = vars(model).keys() - model.get_params(deep=False).keys()
    besides |= {"parameters_", "best_iter_", "_plateau", "_row_buffer"}
    assert stored == attributes.keys() | besides


def test_the_best_epoch_is_a_number_for_a_single_network():
    assert type(result().attributes()["best_iter_"]) is int
    assert_array_equal(result(2).attributes()["best_iter_"], [2, 2])
    assert result().n_epochs == 2


@pytest.mark.parametrize(
    ("stop_reason", "best_before", "best_now", "expected"),
    [
        (StopReason.COMPLETED, 2, 1, 3),
        # nothing is kept of the epoch that diverged, so the former best stays
        (StopReason.DIVERGED, 2, 0, 2),
        (StopReason.DIVERGED, 1, 0, 1),
        (StopReason.COMPLETED, [2, 1], [1, 0], [3, 2]),
        (StopReason.DIVERGED, [2, 1], [0, 0], [2, 1]),
        (StopReason.DIVERGED, [2, 1], [1, 0], [3, 1]),
    ],
)
def test_a_result_continues_the_history(stop_reason, best_before, best_now, expected):
    n_networks = np.size(expected)
    before = result(n_networks, best_epochs=best_before)
    now = result(n_networks, {"loss": [1.5]}, best_now, stop_reason=stop_reason)
    joined = now.continuing(before)
    assert joined.history == {"loss": [3.0, 2.0, 1.5]}
    assert_array_equal(joined.best_epochs, np.atleast_1d(expected))
    assert joined.parameters is now.parameters
    assert before.history == {"loss": [3.0, 2.0]}


def test_a_history_of_other_columns_is_not_continued():
    before = result(history={"loss": [3.0], "validation_score": [0.5]})
    now = result(history={"loss": [1.5]}, best_epochs=1)
    assert now.continuing(before) is now


DIFFERENT = (
    MemberConfig(0.5, (0.1,), 0.0),
    MemberConfig(2.0, (0.2,), 0.4),
    MemberConfig(1.0, (0.0,), 1.0),
)


@pytest.mark.parametrize(
    ("n_networks", "n_folds", "expected"),
    [
        (6, 2, [0, 0, 1, 1, 2, 2]),
        (7, 1, [0, 1, 2, 0, 1, 2, 0]),
        (4, 3, [0, 0, 0, 1]),
        (2, 5, [0, 0]),
        (8, 2, [0, 0, 1, 1, 2, 2, 0, 0]),
    ],
)
def test_each_config_has_a_network_per_fold(n_networks, n_folds, expected):
    config = CONFIG._replace(
        n_estimators=n_networks, n_folds=n_folds, member_configs=DIFFERENT
    )
    assert config.members == tuple(DIFFERENT[place] for place in expected)
