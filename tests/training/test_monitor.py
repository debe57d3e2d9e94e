"""The monitor, told as scenarios: what it is shown, what it decides, what it keeps."""

import copy
import math

import numpy as np
import pytest
from interrupts import InterruptAtCall
from numpy.testing import assert_array_equal

from skmlp.training.monitor import (
    DIVERGENCE_FACTOR,
    Monitor,
    Observer,
    PlateauTracker,
    StopReason,
)

NAN, INF = math.nan, math.inf


class Scenario:
    """Training runs whose parameters in epoch n are [n, n], watched by a monitor.

    Scores and held-out losses are one per epoch, for a network alone, or tuples with
    one for each network. Parameters change in each epoch, whichever networks have
    ended.
    """

    def __init__(self, scores=None, validation_losses=None, **params):
        n_networks = 1 if scores is None else np.size(scores[0])
        self.parameters = np.zeros((n_networks, 2))
        self.asked = []
        if scores is not None:
            losses = validation_losses or [1.0] * len(scores)
            validation = iter(zip(losses, scores, strict=True))

            def evaluate(members):
                self.asked.append(list(members))
                return tuple(
                    np.broadcast_to(values, n_networks)[members]
                    for values in next(validation)
                )

            params["evaluate"] = evaluate
        self.monitor = Monitor(
            self.parameters,
            **{"tol": 1e-4, "patience": 2, "learning_rate": 1.0} | params,
        )

    def epoch(self, loss, penalty=0.0, learning_rate=1.0):
        self.monitor.begin_epoch()
        self.parameters += 1
        self.monitor.set_divergence_limit(loss)
        return self.monitor.end_epoch(loss, self.parameters, learning_rate, penalty)

    def run(self, losses):
        """Show epoch by epoch until the monitor stops; return the finished monitor."""
        for loss in losses:
            if self.epoch(loss):
                break
        self.monitor.finish()
        return self.monitor


def test_a_falling_loss_goes_on_and_the_last_weights_are_kept():
    monitor = Scenario().run([3, 2, 1])
    assert monitor.stop_reason is None
    assert monitor.n_epochs == monitor.best_epochs == 3
    assert_array_equal(monitor.best_parameters, [[3, 3]])


def test_a_loss_that_stands_still_ends_after_patience_is_used_up():
    monitor = Scenario(patience=2).run([3, 2] + [2.5] * 10)
    assert monitor.stop_reason == "converged"
    assert monitor.n_epochs == 2 + 3
    assert_array_equal(monitor.best_parameters, [[5, 5]])


def test_patience_starts_again_with_each_improvement():
    monitor = Scenario(patience=2).run([5, 5.5, 5.5, 4, 4.5, 4.5, 3, 3.5, 3.5])
    assert monitor.stop_reason is None


def test_a_network_that_was_best_early_is_not_waited_for_long():
    early = Scenario([0.5] + [0.4] * 30, patience=8, initial_patience=2)
    assert early.run([1] * 31).n_epochs == 1 + (2 + 1) + 1
    late = [0.1 * epoch for epoch in range(1, 11)]
    late = Scenario(late + [0.4] * 30, patience=8, initial_patience=2)
    assert late.run([1] * 40).n_epochs == 10 + 8 + 1


def test_infinite_patience_never_ends():
    assert Scenario(patience=INF).run([1] * 50).stop_reason is None


def test_an_improvement_by_less_than_tol_is_none():
    assert Scenario(tol=0.25).run([3, 2.875, 2.8125, 2.78125, 2]).n_epochs == 4
    assert Scenario(tol=0.25).run([3, 2.75, 2.5, 2.25, 2, 1.75]).stop_reason is None


def test_the_loss_in_the_history_holds_the_penalty():
    scenario = Scenario()
    scenario.epoch(1.75, penalty=0.25, learning_rate=0.1)
    scenario.epoch(1.5, penalty=0.5, learning_rate=0.05)
    assert scenario.monitor.history == {
        "loss": [1.75 + 0.25, 1.5 + 0.5],
        "learning_rate": [0.1, 0.05],
    }


def test_history_has_one_number_per_epoch_under_each_name():
    monitor = Scenario([0.5, 0.7, 0.6], [3, 2, 1]).run([30, 20, 10])
    assert monitor.history == {
        "loss": [30, 20, 10],
        "learning_rate": [1, 1, 1],
        "validation_loss": [3, 2, 1],
        "validation_score": [0.5, 0.7, 0.6],
    }
    assert {type(n) for column in monitor.history.values() for n in column} == {float}


@pytest.mark.parametrize("bad_loss", [NAN, INF, 1e9])
def test_history_stays_rectangular_when_a_run_diverges(bad_loss):
    monitor = Scenario([0.5, 0.7, 0.6]).run([1, bad_loss])
    assert {len(column) for column in monitor.history.values()} == {2}


def test_the_weights_of_the_best_score_are_kept():
    monitor = Scenario([0.5, 0.8, 0.7, 0.75]).run([4, 3, 2, 1])
    assert monitor.best_epochs == 2
    assert_array_equal(monitor.best_parameters, [[2, 2]])


def test_a_score_that_stands_still_ends_training_though_the_loss_falls():
    monitor = Scenario([0.5] + [0.4] * 20, patience=3).run(range(30, 0, -1))
    assert monitor.stop_reason == "converged"
    assert monitor.n_epochs == 1 + 4
    assert monitor.best_epochs == 1


def test_a_score_better_by_less_than_tol_is_kept_though_patience_runs_on():
    monitor = Scenario([0.5, 0.501, 0.502, 0.503], tol=0.01).run([1] * 4)
    assert monitor.stop_reason == "converged"
    assert monitor.best_epochs == 4


def test_of_equal_scores_the_first_is_kept():
    assert Scenario([0.5, 0.7, 0.7]).run([1] * 3).best_epochs == 2


@pytest.mark.parametrize("no_score", [NAN, -INF])
def test_a_score_that_says_nothing_is_no_improvement(no_score):
    monitor = Scenario([no_score, 0.5, no_score, 0.4]).run([1] * 4)
    assert monitor.best_epochs == 2
    monitor = Scenario([no_score] * 10, patience=2).run([1] * 10)
    assert monitor.stop_reason == "converged"
    assert monitor.n_epochs == 3
    # no epoch is known to be the best, so the last weights are kept
    assert monitor.best_epochs == 3
    assert_array_equal(monitor.best_parameters, [[3, 3]])


@pytest.mark.parametrize("bad_loss", [NAN, INF, -INF, DIVERGENCE_FACTOR * 2.1])
def test_a_loss_that_runs_away_ends_with_weights_from_before(bad_loss):
    monitor = Scenario().run([2, 1.5, bad_loss, 1])
    assert monitor.stop_reason == "diverged"
    assert monitor.n_epochs == 3
    # the loss of epoch 2 was measured with the weights at its start
    assert monitor.best_epochs == 1
    assert_array_equal(monitor.best_parameters, [[1, 1]])


def test_a_high_loss_is_measured_by_the_first_batch():
    assert Scenario().run([500, DIVERGENCE_FACTOR * 400]).stop_reason is None
    assert Scenario().run([1e-3, 0.9 * DIVERGENCE_FACTOR]).stop_reason is None
    assert Scenario().run([1e-3, 1.1 * DIVERGENCE_FACTOR]).stop_reason == "diverged"


def test_a_run_that_diverges_at_once_keeps_the_weights_before_training():
    monitor = Scenario().run([NAN])
    assert monitor.stop_reason == "diverged"
    assert monitor.best_epochs == 0
    assert_array_equal(monitor.best_parameters, 0)


def test_a_run_that_diverges_keeps_the_best_score():
    monitor = Scenario([0.5, 0.8, 0.7, 0.9]).run([1, 1, 1, INF])
    assert monitor.stop_reason == "diverged"
    assert monitor.best_epochs == 2


def test_a_held_out_loss_that_runs_away_ends_training_too():
    monitor = Scenario([0.5, 0.9], [1, NAN]).run([1, 1])
    assert monitor.stop_reason == "diverged"
    assert monitor.best_epochs == 1


def test_weights_that_are_not_finite_are_never_kept():
    scenario = Scenario()
    scenario.epoch(2)
    scenario.parameters[0, 0] = INF
    assert scenario.epoch(1)
    assert scenario.monitor.stop_reason == "diverged"
    assert np.isfinite(scenario.monitor.best_parameters).all()


def test_a_scorer_that_refuses_nan_does_not_hide_that_training_diverged():
    def evaluate(members):
        if not np.isfinite(scenario.parameters).all():
            raise ValueError("Input contains NaN.")  # as sklearn.metrics.roc_auc_score
        return np.ones(1), np.full(1, 0.5)

    scenario = Scenario(evaluate=evaluate)
    scenario.epoch(1)
    scenario.parameters[:] = NAN
    assert scenario.epoch(NAN)
    assert scenario.monitor.stop_reason == "diverged"
    assert scenario.monitor.best_epochs == 1


def test_an_adaptive_rate_falls_at_each_plateau_and_ends_at_a_millionth():
    scenario = Scenario(patience=1, learning_rate=1e-4, plateau_factor=0.2)
    factors = []
    for _ in range(20):
        if scenario.epoch(1):
            break
        factors.append(scenario.monitor.factor)
    # one epoch sets the mark; two without improvement make a plateau
    expected = [1, 1] + [0.2**n for n in (1, 1, 2, 2, 3, 3)]
    assert factors == pytest.approx(expected, rel=1e-12)
    assert scenario.monitor.stop_reason == "converged"


def test_a_rate_falls_no_further_than_to_the_smallest_factor():
    steps = {"plateau_factor": 0.2, "smallest_factor": 0.04}
    scenario = Scenario(patience=0, **steps)
    factors = []
    for _ in range(20):
        if scenario.epoch(1):
            break
        factors.append(scenario.monitor.factor)
    assert factors == pytest.approx([1, 0.2, 0.04], rel=1e-12)
    assert scenario.monitor.stop_reason == "converged"


def test_training_goes_on_from_a_plateau_of_an_earlier_call():
    plateau = PlateauTracker(lowest=1.0, n_bad_epochs=2, factor=0.5)
    scenario = Scenario(plateau=plateau, plateau_factor=0.1)
    assert not scenario.epoch(1.5)
    assert scenario.monitor.factor == pytest.approx(0.05)
    assert plateau == PlateauTracker(lowest=1.0, n_bad_epochs=2, factor=0.5)
    assert Scenario(plateau=PlateauTracker(1.0, 2)).run([1.5, 0.5]).n_epochs == 1


def test_monitors_do_not_share_their_plateaus():
    Scenario().run([1, 1, 1])
    assert Scenario().monitor.plateaus == [PlateauTracker()]


def test_the_kept_weights_are_a_copy():
    scenario = Scenario([0.5])
    scenario.epoch(1)
    scenario.parameters[:] = 77
    assert_array_equal(scenario.monitor.best_parameters, [[1, 1]])


def test_iterations_of_a_solver_count_as_epochs():
    parameters = np.zeros((1, 2))
    monitor = Monitor(parameters, tol=1e-4, patience=1)
    losses = [3.0, 1e6, 2.0, 2.0, 2.0]
    assert [monitor.end_epoch(loss, parameters) for loss in losses] == [
        False,
        False,
        False,
        False,
        True,
    ]
    assert monitor.history["loss"] == losses
    assert all(math.isnan(rate) for rate in monitor.history["learning_rate"])


class Witness(Observer):
    """Writes down what it is told of, and may set how training ends."""

    def __init__(self, stop_reason=None):
        self.seen = []
        self.stop_reason = stop_reason

    def begin_epoch(self, monitor):
        self.seen.append(("begin", monitor.n_epochs))

    def end_epoch(self, monitor):
        self.seen.append(("end", monitor.n_epochs, monitor.stop_reason))
        monitor.stop_reason = monitor.stop_reason or self.stop_reason


def test_observers_see_each_epoch_with_the_verdict_on_it():
    witness = Witness()
    Scenario([0.5, 0.4, 0.3], observers=[witness], patience=1).run([3, 2, 1])
    assert witness.seen == [
        ("begin", 0),
        ("end", 1, None),
        ("begin", 1),
        ("end", 2, None),
        ("begin", 2),
        ("end", 3, "converged"),
    ]


def test_an_observer_may_end_training():
    monitor = Scenario([0.5, 0.75], observers=[Witness("enough")]).run([2, 1.5])
    assert (monitor.stop_reason, monitor.n_epochs, monitor.best_epochs) == (
        "enough",
        1,
        1,
    )


def test_the_deadline_ends_training_at_the_best_weights_so_far():
    scenario = Scenario([0.5, 0.75, 0.6, 0.9], patience=INF)
    assert not any(scenario.epoch(1) for _ in range(2))
    scenario.monitor.deadline = 0
    assert scenario.epoch(1)
    scenario.monitor.finish()
    assert scenario.monitor.stop_reason == "time"
    assert_array_equal(scenario.monitor.best_parameters, [[2, 2]])


def test_kept_is_what_finish_settles_on():
    of_two = [(0.5, NAN), (0.75, NAN), (0.25, NAN)]
    for scores in (None, [0.5, 0.75, 0.25], [NAN, NAN, NAN], of_two):
        scenario = Scenario(scores, patience=INF)
        for _ in range(3):
            scenario.epoch(1)
            weights, epochs = (
                one.copy() for one in scenario.monitor.select_parameters()
            )
        scenario.monitor.finish()
        assert_array_equal(weights, scenario.monitor.best_parameters)
        assert_array_equal(epochs, scenario.monitor.best_epochs)


# Several networks


def test_each_network_keeps_the_weights_of_its_own_best_score():
    scores = [(0.5, 0.9, 0.1), (0.8, 0.7, 0.2), (0.7, 0.6, 0.3)]
    monitor = Scenario(scores).run([3, 2, 1])
    assert_array_equal(monitor.best_epochs, [2, 1, 3])
    assert_array_equal(monitor.best_parameters, [[2, 2], [1, 1], [3, 3]])


def test_the_history_has_means_over_all_networks():
    scores, losses = [(0.5, 0.75), (0.25, 1.0)], [(4.0, 2.0), (1.0, 2.0)]
    monitor = Scenario(scores, losses).run([3, 2])
    assert monitor.history["validation_score"] == [0.625, 0.625]
    assert monitor.history["validation_loss"] == [3.0, 1.5]
    assert {type(n) for column in monitor.history.values() for n in column} == {float}


def ended(monitor):
    """Numbers of the networks whose part is over."""
    return [
        number
        for number in range(len(monitor.best_parameters))
        if monitor.has_stopped(number)
    ]


def test_a_network_ends_by_itself_and_training_once_all_have():
    first, second = [0.5, 0.4, 0.4, 1, 1, 1], [0.1, 0.2, 0.3, 0.2, 0.2, 0.9]
    scenario = Scenario(list(zip(first, second, strict=True)), patience=1)
    seen = []
    for loss in range(6, 0, -1):
        should_stop = scenario.epoch(loss)
        seen.append((ended(scenario.monitor), scenario.monitor.stop_reason))
        if should_stop:
            break
    assert seen == [
        ([], None),
        ([], None),
        ([0], None),
        ([0], None),
        ([0, 1], "converged"),
    ]
    scenario.monitor.finish()
    assert_array_equal(scenario.monitor.best_epochs, [1, 3])


def test_a_network_that_has_ended_is_not_looked_at_again():
    scores = [(0.5, 0.1), (0.4, 0.2), (0.3, 0.3), (1, 0.4), (1, 0.5)]
    losses = [(1, 2), (1, 2), (3, 2), (NAN, 2), (0, 2)]
    scenario = Scenario(scores, losses, patience=1)
    monitor = scenario.run([1] * 5)
    assert scenario.asked == [[0, 1]] * 3 + [[1]] * 2
    # its latest values stay in the means
    assert_array_equal(monitor.latest_evaluation, [[3, 2], [0.3, 0.5]])
    assert monitor.history["validation_loss"] == [1.5, 1.5, 2.5, 2.5, 2.5]
    assert monitor.history["validation_score"][-2:] == [0.35, 0.4]


def test_the_weights_of_a_network_that_has_ended_are_kept_while_others_are_trained():
    scores = [(0.5, n / 10) for n in range(5)]
    scenario = Scenario(scores, patience=1)
    for _ in range(5):
        scenario.epoch(1)
        kept, epochs = scenario.monitor.select_parameters()
        assert_array_equal(kept[0], [1, 1])
        assert epochs[0] == 1
    assert ended(scenario.monitor) == [0]
    assert_array_equal(scenario.parameters, np.full((2, 2), 5.0))
    assert_array_equal(scenario.monitor.best_parameters, [[1, 1], [5, 5]])


def test_networks_whose_learning_rate_falls_are_watched_as_one():
    # the mean is best in epoch 3, though by itself each network is elsewhere
    scores = [(0.9, 0.1), (0.8, 0.3), (0.7, 0.6), (0.2, 0.9), (0.8, 0.4), (0, 0)]
    scenario = Scenario(scores, patience=1, plateau_factor=0.2)
    factors = []
    for _ in range(6):
        scenario.epoch(1)
        assert ended(scenario.monitor) == []
        factors.append(scenario.monitor.factor)
    scenario.monitor.finish()
    assert factors == [1, 1, 1, 1, 0.2, 0.2]
    assert len(scenario.monitor.plateaus) == 1
    assert scenario.asked == [[0, 1]] * 6
    assert_array_equal(scenario.monitor.best_epochs, [3, 3])
    assert_array_equal(scenario.monitor.best_parameters, np.full((2, 2), 3.0))


def test_networks_without_held_out_rows_are_watched_as_one():
    parameters = np.zeros((3, 2))
    monitor = Monitor(parameters, tol=1e-4, patience=1)
    for loss in (3.0, 2.0, 2.0, 2.0):
        parameters += 1
        monitor.end_epoch(loss, parameters)
        assert ended(monitor) == []
    monitor.finish()
    assert monitor.stop_reason == "converged"
    assert_array_equal(monitor.best_epochs, [4, 4, 4])


@pytest.mark.parametrize("no_score", [NAN, -INF])
def test_scores_of_one_network_that_say_nothing_have_no_say_in_another(no_score):
    scores = [(no_score, 0.5), (no_score, 0.7), (no_score, 0.6), (0.9, 0.6)]
    monitor = Scenario(scores, patience=2).run([1] * 4)
    assert (monitor.n_epochs, monitor.stop_reason) == (4, None)
    assert ended(monitor) == [0]
    # no epoch of the first is known to be its best
    assert_array_equal(monitor.best_epochs, [4, 2])
    assert_array_equal(monitor.best_parameters, [[4, 4], [2, 2]])
    assert_array_equal(monitor.history["validation_score"][:3], [no_score] * 3)


def test_a_score_that_is_infinitely_good_is_kept():
    monitor = Scenario([(0.5, 0.5), (INF, 0.6), (0.9, 0.7)]).run([1] * 3)
    assert_array_equal(monitor.best_epochs, [2, 3])


def test_one_network_whose_loss_runs_away_ends_training_of_all():
    scores, losses = [(0.5, 0.5), (0.4, 0.6), (0.9, 0.9)], [(1, 1), (1, 1), (1, NAN)]
    monitor = Scenario(scores, losses).run([1] * 3)
    assert (monitor.stop_reason, monitor.n_epochs) == ("diverged", 3)
    assert_array_equal(monitor.best_epochs, [1, 2])


def test_an_interruption_keeps_the_best_of_each_and_otherwise_the_start():
    scenario = Scenario([(0.5, NAN), (0.4, NAN)])
    for _ in range(2):
        scenario.epoch(1)
    scenario.monitor.stop_reason = StopReason.INTERRUPTED
    scenario.monitor.finish()
    assert_array_equal(scenario.monitor.best_epochs, [1, 0])
    assert_array_equal(scenario.monitor.best_parameters, [[1, 1], [0, 0]])


def test_finish_after_interrupt_anywhere_in_an_epoch_gives_curves_of_one_length():
    was_interrupted, n_calls = True, 0
    while was_interrupted:
        n_calls += 1
        scenario = Scenario(scores=[1.0, 2.0])
        scenario.epoch(3)
        with InterruptAtCall(n_calls) as interrupt:
            scenario.epoch(2)
        was_interrupted = interrupt.has_come
        scenario.monitor.finish()
        assert len({len(curve) for curve in scenario.monitor.history.values()}) == 1
        assert scenario.monitor.best_epochs[0] <= scenario.monitor.n_epochs
    assert scenario.monitor.n_epochs == 2


# Going on


SCORES = [0.5, 0.75, 0.6, 0.9, 0.1, 0.2, 0.3]
OF_TWO = [(0.5, 0.5), (0.4, 0.75), (0.3, 0.6), (0.2, 0.9), (1, 0.1), (1, 0.2), (1, 0)]


@pytest.mark.parametrize("n_before", range(1, 6))
@pytest.mark.parametrize("plateau_factor", [None, 0.2])
@pytest.mark.parametrize(
    ("scores", "losses"),
    [
        (SCORES, [1] * 7),
        (OF_TWO, [1] * 7),
        (None, [3, 2, 1.5, 1.6, 1.7, 1.4, 1.45]),
        (None, [1, 0.9, 0.8, 1e9, 1, 1, 1]),
    ],
)
def test_a_restored_monitor_goes_on_as_if_nothing_had_happened(
    n_before, scores, losses, plateau_factor
):
    params = {"patience": 2, "plateau_factor": plateau_factor}
    whole = Scenario(scores, **params).run(losses)

    first = Scenario(scores, **params)
    for loss in losses[:n_before]:
        if first.epoch(loss):
            break
    second = Scenario(None if scores is None else scores[n_before:], **params)
    second.monitor.restore(copy.deepcopy(first.monitor.state()))
    second.parameters += n_before
    if second.monitor.stop_reason is None:
        monitor = second.run(losses[n_before:])
    else:
        monitor = second.run([])
    assert monitor.history == whole.history
    assert monitor.stop_reason == whole.stop_reason
    assert monitor.plateaus == whole.plateaus
    assert_array_equal(monitor.best_epochs, whole.best_epochs)
    assert_array_equal(monitor.latest_evaluation, whole.latest_evaluation)
    assert_array_equal(monitor.best_parameters, whole.best_parameters)
