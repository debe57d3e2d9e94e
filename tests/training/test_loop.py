"""The loop calls its parts in order; the full batch is the sum of its blocks."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skmlp.nn.activations import PReLU, Tanh
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Architecture, Network
from skmlp.training.batches import Batches, Samples
from skmlp.training.loop import NumpyLearner, make_full_batch_objective, train


class Recorder:
    """Stands for network, loss, optimiser and monitor, and writes down each call."""

    parameters = "parameters"

    def __init__(self, n_epochs_until_stop=99, factors=(), batches_left=999):
        self.calls = []
        self.factor = 1.0
        self.n_epochs_left = n_epochs_until_stop
        self.n_epochs = 0
        self.stop_reason = None
        self.ended = set()
        self.batches_left = batches_left
        self.factors = iter(factors)

    def seed_dropout(self, rngs):
        self.calls.append(("seed_dropout", rngs))

    def forward(self, x, training):
        self.calls.append(("forward", x[:, 0].tolist(), training))
        return "logits"

    def loss_and_grad(self, logits, y_encoded, weight):
        weight = None if weight is None else weight.tolist()
        self.calls.append(("loss", logits, y_encoded.tolist(), weight))
        return float(y_encoded[0]), "delta"

    def backward(self, grad):
        self.calls.append(("backward", grad))

    def step(self, learning_rate):
        self.calls.append(("step", learning_rate))

    def is_out_of_time(self):
        self.batches_left -= 1
        return self.batches_left < 0

    def has_stopped(self, member):
        return member in self.ended

    def begin_epoch(self):
        self.calls.append(("begin_epoch",))

    def set_divergence_limit(self, value):
        self.calls.append(("set_divergence_limit", value))

    def penalty(self):
        return 0.125

    def end_epoch(self, loss, parameters, learning_rate, penalty):
        self.calls.append(("end_epoch", loss, parameters, penalty, learning_rate))
        self.factor = next(self.factors, 1.0)
        self.n_epochs_left -= 1
        return self.n_epochs_left == 0

    def named(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


def record(n_epochs, schedule=lambda progress: 1.0, weight=None, **params):
    recorder = Recorder(**params)
    samples = Samples(np.arange(5.0)[:, np.newaxis], np.arange(5), weight)
    batches = Batches(samples, 2, rngs=None)
    train(
        [NumpyLearner(recorder, recorder, recorder, batches, [None])],
        recorder.parameters,
        recorder,
        learning_rate=0.5,
        schedule=schedule,
        n_epochs=n_epochs,
    )
    return recorder


def test_each_batch_goes_forward_backward_and_makes_a_step():
    batches = [[0, 1], [2, 3], [4]]
    expected = [("begin_epoch",), ("seed_dropout", [None])]
    for rows in batches:
        expected += [
            ("forward", rows, True),
            ("loss", "logits", rows, [row / 10 for row in rows]),
            ("backward", "delta"),
            ("step", 0.5),
        ]
    # the batches' losses are 0, 2 and 4, and the last one has half the rows
    expected.append(("set_divergence_limit", 0.0))
    expected.append(("end_epoch", 8 / 5, "parameters", 0.125, 0.5))
    assert record(n_epochs=1, weight=np.arange(5) / 10).calls == expected
    assert len(record(n_epochs=4).calls) == 4 * len(expected)


def test_the_schedule_sees_progress_before_each_step():
    seen = []

    def schedule(progress):
        seen.append(progress)
        return 1 - progress

    recorder = record(n_epochs=2, schedule=schedule)
    assert seen == [step / 6 for step in range(6)]
    rates = [rate for (rate,) in recorder.named("step")]
    assert_allclose(rates, [0.5 * (1 - step / 6) for step in range(6)])
    assert [rate for *_, rate in recorder.named("end_epoch")] == [rates[2], rates[5]]


def test_a_plateau_lowers_the_learning_rate_of_the_epochs_behind_it():
    recorder = record(n_epochs=3, factors=[0.2, 0.04])
    rates = [rate for (rate,) in recorder.named("step")]
    assert_allclose(rates, np.repeat([0.5, 0.1, 0.02], 3))


def test_the_monitor_ends_training():
    recorder = record(n_epochs=10, n_epochs_until_stop=3)
    assert len(recorder.named("end_epoch")) == 3
    assert len(recorder.named("step")) == 3 * 3


def test_the_deadline_cuts_an_epoch_short():
    recorder = record(n_epochs=2, n_epochs_until_stop=2, batches_left=4)
    assert len(recorder.named("step")) == 3 + 2
    # the second epoch saw the batches whose losses are 0 and 2
    assert [loss for loss, *_ in recorder.named("end_epoch")] == [8 / 5, 1.0]


def test_a_monitor_that_knows_of_epochs_is_gone_on_with():
    recorder = Recorder()
    samples = Samples(np.arange(5.0)[:, np.newaxis], np.arange(5))
    batches = Batches(samples, 2, None)
    learner = NumpyLearner(recorder, recorder, recorder, batches, [None])
    seen = []

    def go_on(n_epochs):
        train(
            [learner],
            recorder.parameters,
            recorder,
            learning_rate=0.5,
            schedule=lambda progress: seen.append(progress) or 1.0,
            n_epochs=n_epochs,
        )

    recorder.n_epochs = 3
    go_on(4)
    assert seen == [step / 12 for step in range(9, 12)]
    recorder.stop_reason = "converged"
    go_on(10)
    assert len(seen) == 3


class Steady:
    """A learner that computes nothing: all that may be asked of one, and no more."""

    def __init__(self, losses, penalty, n_networks=1):
        self.losses = losses
        self.rngs = [None] * n_networks
        self.asked = []
        self.penalty = lambda: penalty

    def batch_sizes(self):
        return [2, 2, 1]

    def train_epoch(self, rates, should_stop):
        self.asked.append((rates, should_stop()))
        return self.losses

    def optimizer_state(self):
        raise AssertionError("it is for those who save it")


def test_any_learner_is_trained_and_the_means_over_all_are_what_counts():
    recorder = Recorder()
    learners = [Steady([1.0, 2.0, 3.0], 0.5), Steady([3.0, 2.0, 5.0], 0.0)]
    train(
        learners,
        recorder.parameters,
        recorder,
        learning_rate=1.0,
        schedule=lambda progress: 1 - progress,
        n_epochs=1,
    )
    assert recorder.named("set_divergence_limit") == [(2.0,)]
    loss = (2 * 2.0 + 2 * 2.0 + 4.0) / 5
    assert recorder.named("end_epoch") == [(loss, "parameters", 0.25, 1 - 2 / 3)]
    for one in learners:
        assert one.asked == [([1.0, 1 - 1 / 3, 1 - 2 / 3], False)]


def test_a_stack_counts_for_as_many_networks_as_it_has():
    recorder = Recorder()
    learners = [Steady([1.0] * 3, 0.5), Steady([4.0] * 3, 2.0, n_networks=2)]
    train(
        learners,
        recorder.parameters,
        recorder,
        learning_rate=1.0,
        schedule=lambda progress: 1.0,
        n_epochs=1,
    )
    assert recorder.named("set_divergence_limit") == [(3.0,)]
    assert recorder.named("end_epoch") == [(3.0, "parameters", 1.5, 1.0)]


def test_a_learner_is_run_until_all_its_networks_have_ended():
    alone, stack = Steady([1.0] * 3, 0.5), Steady([4.0] * 3, 2.0, n_networks=2)
    last = Steady([7.0] * 3, 0.0)

    class StopReason(Recorder):
        """Ends the part of one network behind each epoch: number 1, 0, 2, then 3."""

        def end_epoch(self, *args):
            self.ended.add([1, 0, 2, 3][len(self.ended)])
            return super().end_epoch(*args) or len(self.ended) == 4

    recorder = StopReason()
    train(
        [alone, stack, last],
        recorder.parameters,
        recorder,
        learning_rate=1.0,
        schedule=lambda progress: 1 - progress,
        n_epochs=10,
    )
    # number 1 is one of the stack, which goes on for number 2
    assert [len(one.asked) for one in (alone, stack, last)] == [2, 3, 4]
    ends = recorder.named("end_epoch")
    assert [loss for loss, *_ in ends] == [4.0, 4.0, 5.0, 7.0]
    assert_allclose(
        [penalty for _, _, penalty, _ in ends], [4.5 / 4, 4.5 / 4, 4 / 3, 0]
    )
    # the schedule goes on by epochs, whoever is trained in them
    steps = np.arange(9, 12)
    assert_allclose(last.asked[-1][0], 1 - steps / 30)


def test_a_network_that_has_ended_before_is_not_begun_with():
    alone, stack = Steady([1.0] * 3, 0.5), Steady([4.0] * 3, 2.0, n_networks=2)
    recorder = Recorder()
    recorder.ended = {0, 2}
    recorder.n_epochs = 5
    train(
        [alone, stack],
        recorder.parameters,
        recorder,
        learning_rate=1.0,
        schedule=lambda progress: 1.0,
        n_epochs=7,
    )
    assert [len(one.asked) for one in (alone, stack)] == [0, 2]


def test_a_learner_speaks_for_its_parts():
    recorder = Recorder()
    recorder.optimizer = SimpleNamespace(state=lambda: {"t": 7})
    samples = Samples(np.zeros((5, 1)), np.arange(5))
    batches = Batches(samples, 2, None)
    learner = NumpyLearner(recorder, recorder, recorder, batches, [None])
    assert learner.batch_sizes() == [2, 2, 1]
    assert learner.penalty() == 0.125
    assert learner.optimizer_state() == {"t": 7}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("n_members", [0, 2], ids=["one", "stack"])
@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.2, 0.0), (0.9, 0.5)], ids=repr)
def test_an_epoch_draws_an_order_and_if_there_is_dropout_a_seed(
    rates, n_members, shuffle
):
    architecture = Architecture(4, (5, 3), 3, (PReLU(), Tanh()), rates, "float64")
    stack = (n_members,) if n_members else ()
    parameters = np.zeros((*stack, architecture.layout.size))
    seeds = range(max(n_members, 1))
    rngs, twins = ([np.random.default_rng(seed) for seed in seeds] for _ in range(2))
    y_encoded = np.zeros((*stack, 7), int)
    learner = NumpyLearner(
        Network(architecture, parameters, np.empty_like(parameters)),
        SoftmaxCrossEntropy(),
        SimpleNamespace(step=lambda rate: None),
        Batches(Samples(np.ones((7, 4)), y_encoded), 2, rngs if shuffle else None),
        rngs,
    )
    for _ in range(2):
        learner.train_epoch([0.1] * 4, lambda: False)
        for rng, twin in zip(rngs, twins, strict=True):
            if shuffle:
                twin.permutation(7)
            if any(rates):
                twin.integers(2**63)
            assert rng.bit_generator.state == twin.bit_generator.state


N_SAMPLES = 23


@pytest.fixture
def architecture():
    return Architecture(4, (5, 3), 3, (PReLU(), Tanh()), (0.0, 0.0), "float64")


def full_batch_result(architecture, batch_size, convert, weighted):
    """Loss and gradient of all samples, in batches of a given size."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_SAMPLES, 4))
    y_encoded = rng.integers(3, size=N_SAMPLES)
    weight = rng.uniform(0, 2, N_SAMPLES) if weighted else None
    parameters = rng.normal(size=architecture.layout.size)
    gradient = np.full_like(parameters, np.nan)
    objective = make_full_batch_objective(
        Network(architecture, parameters, gradient),
        SoftmaxCrossEntropy(0.1),
        Batches(Samples(convert(x), y_encoded, weight), batch_size, rngs=None),
    )
    first = objective(), gradient.copy()
    gradient.fill(np.nan)
    second = objective(), gradient
    assert first[0] == second[0]
    assert_allclose(first[1], second[1], rtol=1e-14)
    return second


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [1, 5, 22])
def test_blocks_sum_to_the_gradient_of_one_block(
    architecture, batch_size, weighted, convert
):
    value, gradient = full_batch_result(architecture, batch_size, convert, weighted)
    expected_value, expected = full_batch_result(
        architecture, N_SAMPLES, np.asarray, weighted
    )
    assert value == pytest.approx(expected_value, rel=1e-12)
    assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)
