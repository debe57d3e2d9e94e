"""A task says how strong its penalty is, and an outcome what an estimator stores."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tasks import ARCHITECTURE, CODES, GOAL, X, regression

from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.start import FittedState
from skmlp.fitting.task import Learnt, Member, Memory, TrainResult, best_iter_of
from skmlp.training.endings import StopReason

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
    samples = regression(n_networks).samples
    if weight is not None:
        shape = samples.y_encoded.shape
        samples = samples._replace(weight=np.broadcast_to(weight, shape))
    task = regression(samples=samples, goal=GOAL._replace(alpha=3.0))
    assert task.n_samples == 60
    regularization = task.regularization(0.1)
    assert regularization.l2 == pytest.approx(expected)
    assert regularization.weight_decay == 0.1


def test_biases_do_not_decay():
    # 2 inputs x 3 classes; the 3 biases are behind the weights
    penalty = regression(goal=GOAL._replace(alpha=60.0)).regularization()
    assert penalty.value(np.array([1.0, 2, 3, 4, 5, 6, 9, 9, 9])) == 91 / 2


def test_the_loss_is_smoothed_as_the_goal_says():
    logits = np.log([[0.5, 0.25, 0.25]])
    loss = regression(goal=GOAL._replace(label_smoothing=0.3)).loss()
    # 0.8 + 0.1 + 0.1 of the target, on 1/2, 1/4 and 1/4
    expected = np.log(2) * (0.8 + 2 * 0.1 + 2 * 0.1)
    assert loss.value(logits, np.array([0]), None) == pytest.approx(expected)


def test_tasks_share_no_memory():
    assert regression().memory == Memory(None, None, 0)
    assert regression().samples.x is X


def test_what_is_learnt_is_what_a_fitted_estimator_stores():
    model = MLPSoftmaxClassifier((), n_estimators=1, max_iter=1).fit(X, CODES)
    attributes = FittedState.of(model).learnt.attributes()
    assert_array_equal(attributes.pop("parameters_"), model.parameters_)
    assert attributes.pop("best_iter_") == model.best_iter_ == 1
    assert all(getattr(model, name) is value for name, value in attributes.items())
    besides = {"classes_", "encoder_", "n_features_in_", "t_", "_optimizer_state"}
    stored = vars(model).keys() - model.get_params(deep=False).keys()
    besides |= {"parameters_", "best_iter_", "_plateau", "_row_buffer"}
    assert stored == attributes.keys() | besides


def test_an_outcome_counts_the_epochs_of_its_history():
    history = {"loss": [3.0, 2.0], "learning_rate": [0.1, 0.1]}
    learnt = Learnt(
        ARCHITECTURE, np.zeros((1, 9)), history, np.ones(1, int), 1.0, np.ones(1)
    )
    assert (
        TrainResult(learnt, StopReason.MAX_ITER_REACHED, Memory(), False).n_epochs == 2
    )
    assert_array_equal(learnt.attributes()["history_"]["loss"], [3, 2])


def test_the_best_epoch_is_a_number_for_a_network_alone():
    assert type(best_iter_of(np.array([3]))) is int
    assert_array_equal(best_iter_of(np.array([3, 3])), [3, 3])


def test_networks_of_one_way_differ_in_what_is_settled_before_training():
    one = Member(0, 0.3, dropout=(0.1, 0.1), weight_decay=0.5)
    assert one.way == one._replace(kind=1, frequency=2.0).way
    assert one.way != one._replace(dropout=(0.1, 0.0)).way
    assert one.way != one._replace(weight_decay=0.4).way
