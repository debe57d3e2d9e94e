"""The core takes the steps that NumPy takes."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from core_twins import build, never, some_samples, start, twins
from numpy.testing import assert_allclose, assert_array_equal

from skmlp.backend import CORE_OPTIMIZERS as RULES_OF_THE_CORE
from skmlp.core.layout import CORE_ACTIVATIONS as KNOWN
from skmlp.core.learner import CoreLearner
from skmlp.core.library import _get_library
from skmlp.nn.activations import ACTIVATIONS, ELU, LeakyReLU, PReLU, ReLU, Tanh
from skmlp.nn.layers import Dropout
from skmlp.optim.optimizers import OPTIMIZERS, SGD, Adam
from skmlp.training.threads import Workers

pytestmark = pytest.mark.skipif(_get_library() is None, reason="the core is not in use")

SHARED = {"shared prelu": PReLU(shared=True), "elu of 0.4": ELU(0.4)}
EACH = {kind.__name__: kind() for kind in KNOWN} | SHARED
CORE_OPTIMIZERS = {
    **OPTIMIZERS,
    "plain momentum": partial(SGD, nesterovs_momentum=False),
    "no momentum": partial(SGD, momentum=0.0),
    "other betas": partial(Adam, 0.8, 0.95, 1e-5),
}
NETWORKS = {
    "softmax regression": {"hidden": ()},
    "one unit": {"hidden": (1,), "n_inputs": 1, "n_classes": 2},
    "odd sizes": {"hidden": (33, 17, 5), "n_inputs": 19, "n_classes": 7},
    "whole vectors": {"hidden": (48, 16), "n_inputs": 32, "n_classes": 16},
    "wide": {"hidden": (256, 300), "n_inputs": 70, "n_classes": 26},
    "embedding": {"n_periodic": 3},
    "embedding of all": {"hidden": (48,), "n_inputs": 16, "n_periodic": 16},
    "embedding of one": {"hidden": (), "n_inputs": 1, "n_classes": 2, "n_periodic": 1},
}


def test_knows_activations_of_the_table():
    assert KNOWN.keys() <= set(ACTIVATIONS.values())
    numbers = [known.number for known in KNOWN.values()]
    assert numbers == list(range(len(KNOWN)))


def gradients(architecture, samples, **given):
    """What each engine says the gradient is: Sgd's velocity after a first step."""
    n_samples = len(samples.y_encoded)
    learners = twins(architecture, samples, SGD, batch_size=n_samples, **given)
    losses = [one.train_epoch([0.1], never) for one in learners]
    return losses, [one.optimizer_state()["velocity"] for one in learners]


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("n_periodic", [0, 3])
def test_loss_and_gradient_with_each_activation(name, n_periodic, relative_error):
    architecture = build(EACH[name], n_periodic=n_periodic)
    samples = some_samples(architecture, 37, weighted=True)
    losses, (by_numpy, by_core) = gradients(architecture, samples, smoothing=0.1)
    assert_allclose(losses[1], losses[0], rtol=1e-6)
    views = architecture.layout.views
    for key, expected in views(by_numpy).items():
        assert relative_error(views(by_core)[key], expected) < 1e-5, key


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_samples", [1, 2, 16, 45, 200])
def test_loss_and_gradient_of_each_network(name, n_samples, relative_error):
    architecture = build(Tanh(), **NETWORKS[name])
    samples = some_samples(architecture, n_samples)
    losses, (by_numpy, by_core) = gradients(architecture, samples)
    assert_allclose(losses[1], losses[0], rtol=1e-6)
    views = architecture.layout.views
    for key, expected in views(by_numpy).items():
        if np.abs(expected).max() > 1e-7:  # a phase that cancels out says nothing
            assert relative_error(views(by_core)[key], expected) < 2e-5, key


@pytest.mark.parametrize("optimizer", CORE_OPTIMIZERS)
@pytest.mark.parametrize(
    "given",
    [{}, {"alpha": 0.3}, {"weight_decay": 0.2}, {"alpha": 0.1, "smoothing": 0.2}],
    ids=str,
)
def test_some_epochs_with_each_rule(optimizer, given):
    architecture = build(PReLU(), n_periodic=2)
    samples = some_samples(architecture, 50, weighted=True, with_rows=True)
    by_numpy, by_core = twins(
        architecture, samples, CORE_OPTIMIZERS[optimizer], **given
    )
    for rate in (0.01, 0.02, 0.005):
        rates = [rate] * len(by_numpy.batch_sizes())
        expected = by_numpy.train_epoch(rates, never)
        assert_allclose(by_core.train_epoch(rates, never), expected, rtol=2e-5)
        assert_allclose(by_core.penalty(), by_numpy.penalty(), rtol=1e-5)
    assert_allclose(by_core.parameters, by_numpy.network.parameters, atol=2e-5)
    assert by_core.batch_sizes() == by_numpy.batch_sizes()
    states = by_numpy.optimizer_state(), by_core.optimizer_state()
    assert states[0].keys() == states[1].keys()
    assert states[0]["t"] == states[1]["t"] == 12
    for name, expected in states[0].items():
        assert_allclose(states[1][name], expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("with_rows", [True, False])
def test_rows_wherever_they_lie(order, with_rows):
    architecture = build(ReLU(), n_inputs=6)
    samples = some_samples(architecture, 40, with_rows=with_rows, order=order)
    wide = np.repeat(samples.x, 2, axis=1)
    for x in (samples.x, wide[:, ::2], samples.x[::-1]):
        twin, learner = twins(architecture, samples._replace(x=x), Adam)
        rates = [0.01] * 3
        assert_allclose(
            learner.train_epoch(rates, never), twin.train_epoch(rates, never), rtol=1e-5
        )


def masks(architecture, seed, batch, n_rows):
    """What dropout leaves in each hidden layer, from the formulas in core.c."""

    def mixed(x):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))

    n_layers = len(architecture.dense_layers)
    for layer, n_units in enumerate(architecture.hidden_layer_sizes):
        key = seed + (batch * n_layers + layer + 1) * 0x9E3779B97F4A7C15 & (2**64 - 1)
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
        key = (key ^ key >> 27) * 0x94D049BB133111EB & (2**64 - 1)
        key = (key ^ key >> 31) >> 32
        counters = np.arange(n_rows * n_units, dtype=np.uint32)
        dropout = Dropout(architecture.dropout[layer])
        draws = mixed(counters ^ np.uint32(key)) >> np.uint32(16)
        stays = (draws >= dropout.threshold).reshape(n_rows, n_units)
        yield stays * np.float32(dropout.scale)


class Replayed(Dropout):
    """Draws what the core has drawn."""

    def __init__(self, masks):
        self.masks = masks

    def forward(self, x, training=False):
        self.mask = next(self.masks)
        return x * self.mask


@pytest.mark.parametrize("activation", [ReLU(), Tanh(), PReLU()], ids=str)
def test_steps_with_dropout(activation):
    architecture = build(activation, dropout=0.3)
    samples = some_samples(architecture, 50)
    by_numpy, by_core = twins(architecture, samples, Adam)
    for epoch in range(2):
        seeds = np.random.default_rng(1)
        for _ in range(epoch + 1):
            seeds.permutation(50)
            seed = int(seeds.integers(2**63))
        drawn = [
            list(masks(architecture, seed, batch, n_rows))
            for batch, n_rows in enumerate(by_numpy.batch_sizes())
        ]
        layers = by_numpy.network.layers
        places = [i for i, layer in enumerate(layers) if isinstance(layer, Dropout)]
        for place, of_layer in zip(places, zip(*drawn, strict=True), strict=True):
            layers[place] = Replayed(iter(of_layer))
        rates = [0.01] * len(by_numpy.batch_sizes())
        expected = by_numpy.train_epoch(rates, never)
        assert_allclose(by_core.train_epoch(rates, never), expected, rtol=2e-5)


def test_dropout_leaves_what_its_rate_says():
    architecture = build(ReLU(), hidden=(400,), dropout=0.3)
    seeds = range(20)
    left = [next(masks(architecture, s, 0, 100)) > 0 for s in seeds]
    ensemble_weights = np.mean(left, axis=(1, 2))
    assert_allclose(ensemble_weights, 0.7, atol=0.012)  # 5 standard deviations
    pairs = np.corrcoef([one.ravel() for one in left]) - np.eye(len(left))
    assert np.abs(pairs).max() < 0.025


@pytest.mark.parametrize("n_threads", [2, 3])
@pytest.mark.parametrize("n_periodic", [0, 3])
def test_threads_change_no_bit(n_threads, n_periodic):
    architecture = build(PReLU(), (90, 40), dropout=0.2, n_periodic=n_periodic)
    samples = some_samples(architecture, 130, weighted=True)
    _, alone = twins(architecture, samples, Adam, batch_size=50, alpha=0.1)
    with ThreadPoolExecutor(n_threads) as pool:
        workers = Workers(n_threads, pool.map)
        _, shared = twins(
            architecture, samples, Adam, batch_size=50, alpha=0.1, workers=workers
        )
        for _ in range(5):
            losses = [one.train_epoch([0.01] * 3, never) for one in (alone, shared)]
            assert losses[0] == losses[1]
    assert_array_equal(alone.parameters, shared.parameters)


class Resumed(Adam):
    """Starts from what another learner remembers."""

    def __init__(self, state):
        super().__init__()
        self.remembered = state

    def init_state(self, parameters, state=None):
        return super().init_state(parameters, self.remembered)


def test_goes_on_from_what_was_remembered(monkeypatch):
    monkeypatch.setitem(RULES_OF_THE_CORE, Resumed, RULES_OF_THE_CORE[Adam])
    architecture = build(PReLU(shared=True), n_periodic=2)
    samples = some_samples(architecture, 40)
    _, learner = twins(architecture, samples, Adam)
    rates = [0.01] * 3
    learner.train_epoch(rates, never)
    _, resumed = twins(
        architecture,
        samples,
        partial(Resumed, learner.optimizer_state()),
        vector=learner.parameters,
    )
    resumed.rngs[0].permutation(40)  # as the first epoch has done
    assert resumed.train_epoch(rates, never) == learner.train_epoch(rates, never)
    assert_array_equal(resumed.parameters, learner.parameters)


def test_an_end_by_the_clock_comes_behind_a_batch():
    architecture = build(ReLU(), (256, 256), n_inputs=50)
    samples = some_samples(architecture, 20_000)
    _, learner = twins(architecture, samples, Adam, batch_size=10)
    values = learner.train_epoch([0.001] * 2000, lambda: True)
    assert 0 < len(values) < 2000
    assert learner.optimizer_state()["t"] == len(values)
    assert np.isfinite(values).all()


def test_calls_in_parts_are_as_one(monkeypatch):
    architecture = build(ReLU(), dropout=0.2)
    samples = some_samples(architecture, 100)
    _, whole = twins(architecture, samples, Adam, batch_size=7)
    _, parts = twins(architecture, samples, Adam, batch_size=7)
    expected = whole.train_epoch([0.01] * 15, never)
    monkeypatch.setattr("skmlp.core.learner.SECONDS_PER_CALL", 0.0)
    asked = []
    assert parts.train_epoch([0.01] * 15, lambda: asked.append(1)) == expected
    assert len(asked) == 14
    assert_array_equal(parts.parameters, whole.parameters)


def test_no_subnormal_number_slows_it_down():
    """What separable classes leave of the deltas, and of dead units' moments."""
    architecture = build(ReLU(), (30,), n_inputs=2)
    rng = np.random.default_rng(0)
    y_encoded = rng.integers(3, size=90)
    centres = np.array([[0, 9], [9, -9], [-9, -9]], np.float32)
    x = centres[y_encoded] + rng.normal(size=(90, 2)).astype(np.float32)
    samples = some_samples(architecture, 90)._replace(x=x, y_encoded=y_encoded)
    _, learner = twins(architecture, samples, Adam, batch_size=30)
    for _ in range(400):
        learner.train_epoch([0.05] * 3, never)
    tiny = np.finfo(np.float32).tiny
    for vector in (learner.parameters, *list(learner.optimizer_state().values())):
        size = np.abs(vector)
        assert not ((size > 0) & (size < tiny)).any()


def test_the_processor_gets_its_mode_back():
    architecture = build(ReLU())
    _, learner = twins(architecture, some_samples(architecture, 20), Adam)
    learner.train_epoch([0.01] * 2, never)
    assert np.float32(1e-38) * np.float32(0.1) > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"y_encoded": np.array([0, 3])},
            r"class indices in \[0, 2\], got values from 0 to 3",
        ),
        (
            {"y_encoded": np.array([-1, 1])},
            r"class indices in \[0, 2\], got values from -1 to 1",
        ),
        (
            {"indices": np.array([0, 2])},
            r"row indices in \[0, 1\], got values from 0 to 2",
        ),
        (
            {"indices": np.array([-1, 0])},
            r"row indices in \[0, 1\], got values from -1 to 0",
        ),
        ({"y_encoded": np.array([0])}, r"class indices of type int64 and shape \(2,\)"),
        (
            {"sample_weight": np.ones(3, "f4")},
            r"sample weights of type float32 and shape \(2,\)",
        ),
        (
            {"y_encoded": np.array([0.0, 1.0])},
            "class indices in a 1-D array of integers",
        ),
        (
            {"y_encoded": np.array([[0], [1]])},
            "class indices in a 1-D array of integers",
        ),
        (
            {"indices": np.array([0, np.nan])},
            "row indices in a 1-D array of integers",
        ),
        (
            {"indices": np.array([True, False])},
            "row indices in a 1-D array of integers",
        ),
        ({"sample_weight": np.ones(2)}, "expected sample weights of type float32"),
        (
            {"sample_weight": np.ones((2, 1), "f4")},
            "expected sample weights of type float32",
        ),
        ({"x": np.zeros((2, 4), "f4")}, "float32 rows of 5 numbers"),
        ({"x": np.zeros((2, 5))}, "expected float32 rows of 5 numbers, got float64"),
    ],
)
def test_refuses_what_it_would_read_out_of_bounds(change, sentence):
    architecture = build(LeakyReLU())
    samples = some_samples(architecture, 2)._replace(**change)
    _, by_core = twins(architecture, samples, Adam)
    with pytest.raises(ValueError, match=sentence):
        by_core.train_epoch([0.01], never)


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ([0, 20], r"sample indices in \[0, 19\]"),
        ([-1, 0], r"sample indices in \[0, 19\]"),
        ([0.0, 1.0], "expected sample indices in a 1-D array of integers"),
        ([[0, 1]], "expected sample indices in a 1-D array of integers"),
    ],
)
def test_order_with_samples_that_are_not_there_raises(order, sentence, monkeypatch):
    architecture = build(ReLU())
    _, learner = twins(architecture, some_samples(architecture, 20), Adam)
    monkeypatch.setattr(learner.batches, "draw_order", lambda: np.array(order))
    with pytest.raises(ValueError, match=sentence):
        learner.train_epoch([0.01] * 2, never)


def test_fewer_learning_rates_than_batches_raise():
    architecture = build(ReLU())
    _, learner = twins(architecture, some_samples(architecture, 40), Adam)
    with pytest.raises(ValueError, match=r"learning rates of type float64 .* \(3,\)"):
        learner.train_epoch([0.01] * 2, never)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_learning_rates_of_another_type_are_read_as_numbers(dtype):
    architecture = build(ReLU())
    samples = some_samples(architecture, 40)
    rates = np.array([0.25, 0.5, 0.125], dtype)
    _, expected = twins(architecture, samples, Adam)
    _, actual = twins(architecture, samples, Adam)
    assert actual.train_epoch(list(rates), never) == expected.train_epoch(
        rates.tolist(), never
    )
    assert_array_equal(actual.parameters, expected.parameters)


def test_batches_larger_than_those_there_is_room_for_raise():
    architecture = build(ReLU())
    _, learner = twins(architecture, some_samples(architecture, 40), Adam)
    learner.batches.batch_size = 40
    with pytest.raises(ValueError, match="expected batches of at most 16 rows, got 40"):
        learner.train_epoch([0.01] * 2, never)


@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: np.append(v, v)])
def test_state_of_another_network_raises(change, monkeypatch):
    monkeypatch.setitem(RULES_OF_THE_CORE, Resumed, RULES_OF_THE_CORE[Adam])
    architecture = build(ReLU())
    samples = some_samples(architecture, 20)
    _, learner = twins(architecture, samples, Adam)
    for name in Adam.state_names:
        state = learner.optimizer_state()
        state[name] = change(state[name])
        with pytest.raises(ValueError, match=r"expected a vector of \d+ float32"):
            twins(architecture, samples, partial(Resumed, state))


def test_start_is_the_same_for_both():
    architecture = build(ReLU())
    by_numpy, by_core = twins(architecture, some_samples(architecture, 20), Adam)
    assert_array_equal(by_core.parameters, by_numpy.network.parameters)
    assert_array_equal(by_core.parameters, start(architecture))


class Failing(ThreadPoolExecutor):
    """Raises an error in place of one submit, counted from 0."""

    def __init__(self, n_threads, number, error):
        super().__init__(n_threads)
        self.before, self.error = number, error

    def submit(self, *given):
        self.before -= 1
        if self.before == -1:
            raise self.error
        return super().submit(*given)


def epochs(learner):
    """Train for two epochs, of a call of the core each."""
    for _ in range(2):
        learner.train_epoch([0.01] * 2, never)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("n_threads", [2, 3])
def test_learner_ends_where_a_part_is_not_submitted(n_threads, error):
    architecture = build(ReLU(), (64,))
    samples = some_samples(architecture, 200)
    for number in range(2 * n_threads):
        with Failing(n_threads, number, error) as pool:
            workers = Workers(n_threads, pool.map)
            _, learner = twins(
                architecture, samples, Adam, batch_size=100, workers=workers
            )
            with pytest.raises(error):
                epochs(learner)


def test_learner_ends_where_another_part_fails(monkeypatch):
    architecture = build(ReLU(), (64,))
    samples = some_samples(architecture, 200)
    _run_worker = CoreLearner._run_worker

    def fail_second(learner, epoch, team, me):
        epoch = None if me == 1 else epoch
        return _run_worker(learner, epoch, team, me)

    monkeypatch.setattr(CoreLearner, "_run_worker", fail_second)
    with ThreadPoolExecutor(2) as pool:
        workers = Workers(2, pool.map)
        _, learner = twins(architecture, samples, Adam, batch_size=100, workers=workers)
        with pytest.raises(TypeError):
            epochs(learner)


def test_threads_left_behind_have_all_they_need():
    """As where Ctrl-C is pressed before other threads have come to their part."""
    architecture = build(ReLU(), (64,), n_inputs=30)
    samples = some_samples(architecture, 2000)
    threads = []

    def interrupted(function, numbers):
        threads.extend(threading.Thread(target=function, args=(n,)) for n in numbers)
        raise KeyboardInterrupt

    _, learner = twins(architecture, samples, Adam, workers=Workers(2, interrupted))
    network = weakref.ref(learner.network)
    with pytest.raises(KeyboardInterrupt):
        learner.train_epoch([0.01] * len(learner.batch_sizes()), never)
    del learner
    gc.collect()
    assert network() is not None
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    del one, threads[:]
    gc.collect()
    assert network() is None
