"""Solvers, tested through their table: each reaches the optimum, and says what not."""

import ast
import re
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from tasks import CODES, CONFIG, X, parameters, regression, solver, with_samples

import skmlp
from skmlp import MLPSoftmaxClassifier
from skmlp.defaults import MemberConfig
from skmlp.fitting.averaging import (
    LocalSteps,
    TrainingState,
    average_states,
    get_generator_states,
)
from skmlp.fitting.config import TrainConfig
from skmlp.fitting.run import run_training
from skmlp.fitting.solvers import SOLVERS, check_supports
from skmlp.fitting.stochastic import (
    MAX_MEMBERS_TOGETHER,
    MIN_SHARED_LAYER,
    _join_states,
)
from skmlp.fitting.trainer import (
    CheckpointSaver,
    _create_generators,
    init_state,
    select_members,
)
from skmlp.nn.layers import N_DROPOUT_LEVELS, Dropout
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OPTIMIZERS
from skmlp.training.batches import Samples
from skmlp.training.monitor import Monitor, StopReason
from skmlp.training.threads import SERIAL, open_workers

# The bottom of a bowl


def objective(vector, weight):
    """Mean log-loss and penalty, of which alpha = 1 is spread over the rows."""
    coefficients, intercepts = vector[:6].reshape(2, 3), vector[6:]
    log_p = log_softmax(X @ coefficients + intercepts, axis=1)
    losses = -log_p[np.arange(60), CODES]
    penalty = 0.5 * np.sum(coefficients**2) / max(weight.sum(), 60)
    return np.average(losses, weights=weight) + penalty


def optimum(weight):
    """The smallest objective, and where it is, as scikit-learn finds it."""
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)
    model.fit(X, CODES, sample_weight=weight)
    vector = np.concatenate([model.coef_.T.ravel(), model.intercept_])
    return objective(vector, weight), model.predict_proba(X)


def probabilities(vector):
    logits = X @ vector[:6].reshape(2, 3) + vector[6:]
    return np.exp(log_softmax(logits, axis=1))


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SOLVERS)
def test_softmax_regression_ends_where_scikit_learns_ends(name, weighted, n_networks):
    weight = np.tile([1.0, 3.0], 30) if weighted else np.ones(60)
    task = regression(n_networks, config=CONFIG._replace(max_iter=200, tol=1e-6))
    if weighted:
        shape = task.data.samples.y_encoded.shape
        samples = task.data.samples._replace(
            sample_weight=np.broadcast_to(weight, shape)
        )
        task = with_samples(task, samples)
    start = task.parameters.copy()
    monitor = Monitor(start, tol=task.config.tol, patience=np.inf)
    solver(name, learning_rate="cosine").train(task, start, monitor, SERIAL)
    lowest, expected = optimum(weight)
    for vector in start:
        assert objective(vector, weight) < lowest + 1e-4
        assert_allclose(probabilities(vector), expected, atol=0.01)


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("name", SOLVERS)
def test_the_loss_at_the_bottom_is_that_of_one_network(name, n_networks):
    task = regression(n_networks)
    shape = task.data.samples.y_encoded.shape
    y_encoded = np.broadcast_to(np.tile(np.arange(3), 20), shape)
    samples = task.data.samples._replace(x=np.zeros((60, 2)), y_encoded=y_encoded)
    result = run_training(with_samples(task, samples), solver(name, batch_size=60))
    assert_allclose(result.history["loss"], np.log(3))


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_leaves_what_it_goes_on_from_as_it_was(name):
    before = run_training(regression(), solver(name))
    kept = deepcopy(before)
    run = regression(optimizer_state=before.optimizer_state, plateau=before.plateau)
    run_training(run, solver(name))
    assert before.plateau == kept.plateau
    for key, memory in (kept.optimizer_state or {}).items():
        assert_array_equal(before.optimizer_state[key], memory)


# What a solver says of itself

REFUSALS = [(name, what) for name in SOLVERS for what in SOLVERS[name].unsupported]


@pytest.mark.parametrize(("name", "what"), REFUSALS)
def test_what_is_refused_gets_a_sentence_with_ways_out(name, what):
    shown = f"{what}=1"
    with pytest.raises(ValueError, match=re.escape(shown)) as error:
        check_supports(name, what, shown)
    sentence = str(error.value)
    assert sentence.startswith(f'{shown} with solver="{name}": ')
    assert SOLVERS[name].unsupported[what] in sentence
    assert sentence.endswith(".")
    assert not re.search(r"\.\s", sentence), "it is one sentence"
    offered = re.findall(r'"(\w+)"', sentence.partition("choose solver=")[2])
    assert offered
    assert not any(what in SOLVERS[other].unsupported for other in offered)


@pytest.mark.parametrize("name", SOLVERS)
def test_what_is_not_refused_is_taken_without_a_word(name):
    check_supports(name, "alpha", "alpha=1")


@pytest.mark.parametrize("name", SOLVERS)
def test_it_speaks_of_what_there_is(name):
    known = {"shards", *dir(MLPSoftmaxClassifier())}
    assert SOLVERS[name].unsupported.keys() <= known
    assert SOLVERS[name].defaults.keys() <= set(TrainConfig._fields)


@pytest.mark.parametrize("name", SOLVERS)
def test_there_is_partial_fit_unless_it_is_refused(name):
    model = MLPSoftmaxClassifier(solver=name)
    why = SOLVERS[name].unsupported.get("partial_fit")
    assert hasattr(model, "partial_fit") == (why is None)
    if why is not None:
        with pytest.raises(AttributeError, match="partial_fit") as error:
            _ = model.partial_fit
        assert why in str(error.value.__cause__)


def test_the_classifier_takes_those_in_the_table():
    (constraint,) = MLPSoftmaxClassifier._parameter_constraints["solver"]
    assert constraint.options == SOLVERS.keys()


def comparisons(path):
    """Strings that any comparison or case of a match in a file speaks of."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare | ast.match_case):
            yield from (
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
            )


def test_nobody_asks_which_solver_it_is():
    root = Path(skmlp.__file__).parent
    asked = {path for path in root.rglob("*.py") if "lbfgs" in comparisons(path)}
    assert not asked, "let the solver say what differs, in an attribute"


def test_a_comparison_would_be_found(tmp_path):
    path = tmp_path / "asks.py"
    for asks in ('s == "lbfgs"', '"lbfgs" != s', 's in {"adam", "lbfgs"}'):
        path.write_text(f"if {asks}: pass")
        assert "lbfgs" in comparisons(path)


# Descent


def test_batches_are_no_larger_than_the_rows():
    assert solver("adam", batch_size=7).batch_size == 7
    with pytest.warns(UserWarning, match=r"batch_size=500 .* rows, 60; it is clipped"):
        assert solver("adam", batch_size=500).batch_size == 60


def test_nothing_is_said_of_a_batch_size_that_nobody_has_given():
    config = CONFIG._replace(batch_size=256)
    by_itself = SOLVERS["adam"].from_config(parameters(), config, 60)
    assert by_itself.batch_size == 60


def test_only_an_adaptive_rate_goes_on_behind_a_plateau():
    assert solver("sgd", learning_rate="adaptive").plateau_factor == 0.2
    assert solver("sgd", learning_rate="constant").plateau_factor is None


def build_learners(task):
    """Return the learners of a solver whose batches have 20 rows."""
    state = TrainingState(task.parameters, None, ())
    rngs = _create_generators(task.rng, len(task.parameters))
    return solver("adam")._build_learners(task, state, rngs, SERIAL)


def sizes_of_stacks(n_networks, **changes):
    """Networks that each learner has."""
    task = regression(n_networks, **changes)
    n_parameters = task.parameters.shape[1]
    return [one.updater.parameters.size // n_parameters for one in build_learners(task)]


def test_an_ensemble_is_trained_in_stacks():
    most = MAX_MEMBERS_TOGETHER
    assert sizes_of_stacks(2 * most + 1) == [most, most, 1]


def test_networks_with_wide_layers_are_trained_two_at_a_time():
    # at 2 networks of 20 rows
    for width, expected in [(-1, [5]), (0, [2, 2, 1])]:
        units = -(-MIN_SHARED_LAYER // 40) + width
        wide = Architecture(2, (units,), 3, (skmlp.PReLU(),), (0.0,), "float64")
        start = np.zeros((5, wide.layout.size))
        assert sizes_of_stacks(5, architecture=wide, parameters=start) == expected


@pytest.mark.parametrize(
    ("decays", "expected"),
    [
        ([0.1], [(0, 1)]),
        ([0.1] * 5, [(0, 5)]),
        ([0.1, 0.1, 0.2, 0.2, 0.2], [(0, 2), (2, 5)]),
        ([0.1, 0.2, 0.1], [(0, 1), (1, 2), (2, 3)]),
        ([0.1] * 17, [(0, 16), (16, 17)]),
    ],
)
def test_neighbors_that_are_trained_the_same_way_share_a_stack(decays, expected):
    members = [
        MemberConfig(float(number), (), decay) for number, decay in enumerate(decays)
    ]
    stacks = solver("adam").split_members(regression(len(decays), members=members))
    assert [(stack.start, stack.stop) for stack in stacks] == expected


def test_each_stack_has_the_dropout_and_the_decay_of_its_networks():
    wide = Architecture(2, (4,), 3, (skmlp.PReLU(),), (0.3,), "float64")
    ways = [((0.3,), 0.0), ((0.3,), 0.0), ((0.0,), 0.5), ((0.2,), 0.5)]
    task = regression(
        4,
        architecture=wide,
        parameters=np.zeros((4, wide.layout.size)),
        members=[MemberConfig(1.0, *way) for way in ways],
    )
    learners = build_learners(task)
    assert [len(one.rngs) for one in learners] == [2, 1, 1]
    assert len(solver("adam").split_members(task)) == 3
    decays = [one.updater.regularization.weight_decay for one in learners]
    assert decays == [0.0, 0.5, 0.5]
    rates = [
        [layer.threshold for layer in one.network.layers if isinstance(layer, Dropout)]
        for one in learners
    ]
    assert_allclose(
        np.ravel(rates[0] + rates[2]) / N_DROPOUT_LEVELS, [0.3, 0.2], atol=1e-4
    )
    assert rates[1] == []


def test_networks_on_sparse_rows_are_trained_one_by_one():
    rows = Samples(sparse.csr_array(X), CODES).broadcast_members(3)
    assert sizes_of_stacks(3, samples=rows) == [1, 1, 1]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_rules_remember_of_a_stack_is_what_they_remember_of_its_parts(name):
    gradient = np.random.default_rng(0).normal(size=(5, 3))

    def learner(gradient, state=None):
        optimizer = OPTIMIZERS[name]().init_state(np.zeros_like(gradient), state)
        optimizer.update(gradient)
        return SimpleNamespace(optimizer_state=optimizer.state)

    whole = _join_states([learner(gradient)])
    parts = [slice(0, 2), slice(2, 4), 4]  # the last one alone
    joined = _join_states([learner(gradient[part]) for part in parts])
    again = _join_states(
        [learner(gradient[part], select_members(whole, part)) for part in parts]
    )
    twice = _join_states([learner(gradient, whole)])
    for one, other in [(joined, whole), (again, twice)]:
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_counted_by_those_that_have_gone_on(name):
    learners = []
    for n_steps in (2, 5, 5, 3):
        optimizer = OPTIMIZERS[name]().init_state(np.zeros(3))
        for _ in range(n_steps):
            optimizer.update(np.ones(3))
        learners.append(SimpleNamespace(optimizer_state=optimizer.state))
    assert _join_states(learners)["t"] == 5


@pytest.mark.parametrize(
    ("n_epochs", "stop_reason", "is_late", "is_saved"),
    [
        (1, None, False, False),
        (2, None, False, True),
        (3, StopReason.CONVERGED, False, True),
        (5, None, False, True),
        (2, None, True, False),
        (5, None, True, False),
    ],
    ids=["not due", "due", "over", "last", "due but cut short", "last but cut short"],
)
def test_a_state_that_can_be_gone_on_from_is_saved(
    n_epochs, stop_reason, is_late, is_saved
):
    saved = []
    checkpoint = SimpleNamespace(save=saved.append, is_due=lambda n: n % 2 == 0)
    monitor = Monitor(np.zeros((1, 9)), tol=0.0, patience=np.inf)
    for _ in range(n_epochs):
        monitor.end_epoch(1.0, np.zeros((1, 9)))
    monitor.stop_reason = stop_reason
    monitor.deadline = 0 if is_late else np.inf
    task = regression(config=CONFIG._replace(max_iter=5))
    state = TrainingState(task.parameters, {"t": 0}, get_generator_states([task.rng]))
    CheckpointSaver(checkpoint, task, lambda: state).end_epoch(monitor)
    assert bool(saved) == is_saved
    for state in saved:
        assert state["draws"] == [task.rng.bit_generator.state]
        assert len(state["monitor"]["history"]["loss"]) == n_epochs
        assert state["rule"]["t"] == 0


# Rounds on shards


N_EPOCHS = 3
WAYS = {"one": [0.0], "same": [0.0] * 3, "of kinds": [0.0, 0.0, 0.3, 0.1]}
"""Dropout of each network of an ensemble."""


def layered(dropouts=(0.0,), weighted=False, dtype="float32", x=X):
    """A task of networks with a hidden layer, which the core takes in float32."""
    architecture = Architecture(2, (8,), 3, (skmlp.PReLU(),), (0.0,), dtype)
    n_networks, rng = len(dropouts), np.random.default_rng(1)
    start = [architecture.init_parameters(rng) for _ in dropouts]
    weight = RNG.uniform(0.5, 2, len(x)).astype(dtype) if weighted else None
    if not sparse.issparse(x):
        x = x.astype(dtype)
    return regression(
        n_networks,
        architecture=architecture,
        parameters=np.stack(start),
        members=[MemberConfig(1.0, (rate,), 0.1) for rate in dropouts],
        samples=Samples(x, CODES[: x.shape[0]], weight).broadcast_members(n_networks),
        rng=rng,
        config=CONFIG._replace(max_iter=N_EPOCHS),
    )


RNG = np.random.default_rng(0)


def on_engine(task, descent, by_numpy):
    return replace(task, backend="numpy" if by_numpy else descent.select_backend(task))


def plain_fit(task, descent):
    """Weights, memory of the rule and penalised losses of a fit that has no rounds."""
    parameters = task.parameters.copy()
    monitor = Monitor(parameters, tol=0.0, patience=np.inf)
    memory = descent.train(task, parameters, monitor, SERIAL)
    return parameters, memory, monitor.history["loss"]


def in_rounds(shards, descent, n_rounds, rate=None, state=None, n_epochs=N_EPOCHS):
    """The states behind all rounds of a fit on such shards, each of which is a task."""
    rate = descent.learning_rate if rate is None else rate
    states = [state or init_state(shards[0])]
    schedule = descent.build_schedule(shards[0])
    for epoch in range(n_epochs):
        for number in range(n_rounds):
            visits = [
                LocalSteps(epoch, number, n_rounds, shard, len(shards))
                for shard in range(len(shards))
            ]
            parts = [
                descent.train_locally(task, states[-1], visit, rate, schedule)
                for task, visit in zip(shards, visits, strict=True)
            ]
            states.append(average_states(parts))
    return states


def shards_of(task, *parts):
    """Tasks on parts of the rows."""
    n_networks = len(task.parameters)
    lines = [np.tile(np.array(part, int), (n_networks, 1)) for part in parts]
    return [
        task.on_shard(task.data.samples._take_along(line), task.penalized_weight)
        for line in lines
    ]


def assert_same_state(state, parameters, memory):
    assert_array_equal(state.parameters, parameters)
    assert state.optimizer_state.keys() == memory.keys()
    for name, expected in memory.items():
        assert_array_equal(state.optimizer_state[name], expected)


ENGINES = pytest.mark.parametrize("by_numpy", [True, False], ids=["numpy", "core"])


@ENGINES
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_of_one_round_on_one_shard_is_that_of_a_fit(
    by_numpy, ways, weighted, name
):
    descent = solver(name, learning_rate="one_cycle", batch_size=16)
    task = on_engine(layered(WAYS[ways], weighted), descent, by_numpy)
    parameters, memory, losses = plain_fit(deepcopy(task), descent)
    states = in_rounds(shards_of(deepcopy(task), range(60)), descent, n_rounds=1)
    assert_same_state(states[-1], parameters, memory)
    penalties = [task.regularization().value(state.parameters) for state in states[1:]]
    found = [state.loss for state in states[1:]]
    assert_allclose(np.add(found, penalties), losses, rtol=1e-6)


@ENGINES
@pytest.mark.parametrize("n_rounds", [2, 3, 8])
@pytest.mark.parametrize("shuffle", [False, True])
def test_one_shard_takes_the_steps_of_a_fit_in_however_many_rounds(
    by_numpy, n_rounds, shuffle
):
    descent = solver("adam", learning_rate="cosine", batch_size=16, shuffle=shuffle)
    task = on_engine(layered([0.0] * 3, weighted=True), descent, by_numpy)
    parameters, memory, losses = plain_fit(deepcopy(task), descent)
    states = in_rounds(shards_of(deepcopy(task), range(60)), descent, n_rounds)
    assert_same_state(states[-1], parameters, memory)
    first = states[1 : 1 + n_rounds]
    weights = [state.weight for state in first]
    assert sum(weights) == pytest.approx(task.data.samples.total_weight())
    mean = np.average([state.loss for state in first], weights=weights)
    penalty = task.regularization().value(first[-1].parameters)
    assert mean + penalty == pytest.approx(losses[0])


def test_sparse_rows_and_float64_take_rounds_as_well():
    for task in (layered([0.0] * 2, x=sparse.csr_array(X)), layered(dtype="float64")):
        descent = solver("adam", batch_size=16)
        parameters, memory, _ = plain_fit(deepcopy(task), descent)
        states = in_rounds([task], descent, n_rounds=2)
        assert_same_state(states[-1], parameters, memory)


@ENGINES
def test_a_round_depends_on_its_arguments_and_overwrites_none(by_numpy):
    descent = solver("adam", batch_size=8)
    task = on_engine(layered(WAYS["of kinds"], weighted=True), descent, by_numpy)
    state = in_rounds([task], descent, n_rounds=2, n_epochs=1)[-1]
    given = task, state, LocalSteps(1, 1, 2), 0.05, descent.build_schedule(task)
    untouched = deepcopy(given)
    once = descent.train_locally(*given)
    rng_state = task.rng.bit_generator.state
    with open_workers(2) as workers:
        again = descent.train_locally(*given, workers)
    assert_same_state(again, once.parameters, once.optimizer_state)
    assert again[2:] == once[2:]
    assert_same_state(state, untouched[1].parameters, untouched[1].optimizer_state)
    assert state[2:] == untouched[1][2:]
    assert_array_equal(
        task.data.samples.sample_weight, untouched[0].data.samples.sample_weight
    )
    assert_array_equal(task.parameters, untouched[0].parameters)
    assert task.rng.bit_generator.state == rng_state


@ENGINES
def test_each_round_of_an_epoch_drops_other_units(by_numpy):
    """From the same weights, on the same rows: only the seed of dropout differs."""
    descent = solver("sgd", batch_size=60, shuffle=False)
    task = on_engine(layered([0.5], x=np.tile(X[:1], (120, 1))), descent, by_numpy)
    samples = task.data.samples._replace(y_encoded=np.zeros((1, 120), int))
    task = with_samples(task, samples)
    state = init_state(task)
    losses = [
        descent.train_locally(
            task, state, LocalSteps(0, number, 2), 0.0, descent.build_schedule(task)
        ).loss
        for number in (0, 1, 0)
    ]
    assert losses[0] == losses[2] != losses[1]


def visited_rows(task, descent, n_rounds, shard=0, n_shards=2):
    """Rows of each round of an epoch, by networks that tell which they have seen."""
    state, found = init_state(task), []
    for number in range(n_rounds):
        visit = LocalSteps(0, number, n_rounds, shard, n_shards)
        rngs = visit.generators(_create_generators(np.random.default_rng(0), 1))
        (learner,) = descent._build_learners(task, state, rngs, SERIAL, visit)
        found.append(learner.batches.samples.indices.tolist())
    return found


def test_the_rounds_of_an_epoch_visit_each_row_of_a_shard_once():
    descent = solver("adam", batch_size=8)
    rounds = visited_rows(layered(), descent, n_rounds=3)
    assert [len(rows) for rows in rounds] == [16, 24, 20]
    assert sorted(chain(*rounds)) == list(range(60))
    others = visited_rows(layered(), descent, n_rounds=3, shard=1)
    assert others != rounds
    in_order = solver("adam", batch_size=8, shuffle=False)
    rounds = visited_rows(layered(), in_order, n_rounds=3)
    assert list(chain(*rounds)) == list(range(60))


def test_shards_learn_what_one_machine_learns():
    descent = solver("adam", learning_rate="cosine", batch_size=5)
    task = layered([0.0] * 2)
    task = replace(task, config=task.config._replace(max_iter=40))
    parts = [range(number, 60, 4) for number in range(4)]
    loss = plain_fit(deepcopy(task), descent)[2][-1]
    states = in_rounds(shards_of(task, *parts), descent, n_rounds=3, n_epochs=40)
    penalty = task.regularization().value(states[-1].parameters)
    found = np.mean([state.loss for state in states[-3:]]) + penalty
    assert found == pytest.approx(loss, abs=0.03)
    assert states[-1].optimizer_state["t"] == 40 * 3
    assert states[-1].weight == 20


def test_shards_of_unequal_sizes_count_by_their_rows():
    descent = solver("sgd", batch_size=60)
    task = layered([0.0])
    shards = shards_of(task, range(50), range(50, 60))
    state = init_state(task)
    parts = [
        descent.train_locally(
            shard,
            state,
            LocalSteps(0, 0, 1, number, 2),
            0.1,
            descent.build_schedule(task),
        )
        for number, shard in enumerate(shards)
    ]
    assert [part.weight for part in parts] == [50, 10]
    mean = np.average([part.parameters for part in parts], axis=0, weights=[50, 10])
    assert_allclose(average_states(parts).parameters, mean, rtol=1e-5)
    # gradients of all rows, and so the step that one machine takes
    whole = descent.train_locally(
        task, state, LocalSteps(0, 0, 1), 0.1, descent.build_schedule(task)
    )
    assert_allclose(average_states(parts).parameters, whole.parameters, atol=1e-6)
    assert average_states(parts).loss == pytest.approx(whole.loss, rel=1e-6)


def test_weights_of_rows_count_as_on_one_machine():
    descent = solver("sgd", batch_size=60)
    task = layered([0.0], weighted=True)
    state, schedule = init_state(task), descent.build_schedule(task)
    whole = descent.train_locally(task, state, LocalSteps(0, 0, 1), 0.1, schedule)
    heavy = np.argsort(task.data.samples.sample_weight[0])
    parts = [
        descent.train_locally(
            shard, state, LocalSteps(0, 0, 1, number, 2), 0.1, schedule
        )
        for number, shard in enumerate(shards_of(task, heavy[:30], heavy[30:]))
    ]
    assert sum(part.weight for part in parts) == pytest.approx(whole.weight)
    assert average_states(parts).loss == pytest.approx(whole.loss, rel=1e-6)
    assert_allclose(average_states(parts).parameters, whole.parameters, atol=1e-6)


def test_a_shard_without_rows_has_no_say():
    descent = solver("adam", batch_size=5)
    task = layered([0.0] * 2)
    rows = np.arange(60)
    without = in_rounds(shards_of(task, rows, []), descent, n_rounds=2)[-1]
    visit = LocalSteps(0, 1, 2, shard=1, n_shards=2)
    (_, empty) = shards_of(task, rows, [])
    state = init_state(layered([0.0] * 2))
    nothing = descent.train_locally(
        empty, state, visit, 0.1, descent.build_schedule(task)
    )
    assert (nothing.weight, nothing.loss) == (0.0, 0.0)
    assert_array_equal(nothing.parameters, state.parameters)
    assert nothing.draws != state.draws, "the epoch is over here as well"
    assert without.weight == 30


def test_a_shard_of_few_batches_sits_out_some_rounds():
    descent = solver("adam", batch_size=20)
    shards = shards_of(layered(), range(50), range(50, 60))
    states = in_rounds(shards, descent, n_rounds=3, n_epochs=1)[1:]
    assert [state.weight for state in states] == [20, 20, 20]
    assert all(np.isfinite(state.parameters).all() for state in states)


@ENGINES
def test_a_shard_that_runs_away_is_seen(by_numpy):
    descent = solver("sgd", batch_size=10)
    x = X.copy()
    x[7] = 1e30
    task = on_engine(layered(x=x), descent, by_numpy)
    shards = shards_of(task, range(20), range(20, 40), range(40, 60))
    states = in_rounds(shards, descent, n_rounds=1, n_epochs=2)
    assert not np.isfinite(states[-1].parameters).all()
    assert not np.isfinite(states[-1].loss)


def test_shards_bear_their_shares_of_the_penalty():
    task = layered([0.0])
    for shard in shards_of(task, range(45), range(45, 60)):
        assert shard.regularization().l2 == pytest.approx(task.regularization().l2)
