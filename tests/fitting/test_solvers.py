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
from tasks import CODES, GOAL, X, parameters, regression, solver

import skmlp
from skmlp import MLPSoftmaxClassifier
from skmlp.fitting.averaging import State, Visit, draws_of, mean_of
from skmlp.fitting.recipe import Settings
from skmlp.fitting.run import run_training
from skmlp.fitting.solvers import (
    MEMBERS_TOGETHER,
    SMALLEST_SHARED_LAYER,
    SOLVERS,
    Saver,
    first_state,
    generators_for,
    runs_of_same,
    state_of,
    state_of_all,
)
from skmlp.fitting.task import Member
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
    task = regression(n_networks, goal=GOAL._replace(max_iter=200, tol=1e-6))
    if weighted:
        shape = task.samples.y_encoded.shape
        samples = task.samples._replace(sample_weight=np.broadcast_to(weight, shape))
        task = regression(n_networks, samples=samples, goal=task.goal)
    start = task.parameters.copy()
    monitor = Monitor(start, tol=task.goal.tol, patience=np.inf)
    solver(name, learning_rate="cosine").train(task, start, monitor, SERIAL)
    lowest, expected = optimum(weight)
    for vector in start:
        assert objective(vector, weight) < lowest + 1e-4
        assert_allclose(probabilities(vector), expected, atol=0.01)


@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("name", SOLVERS)
def test_the_loss_at_the_bottom_is_that_of_one_network(name, n_networks):
    task = regression(n_networks)
    shape = task.samples.y_encoded.shape
    y_encoded = np.broadcast_to(np.tile(np.arange(3), 20), shape)
    samples = task.samples._replace(x=np.zeros((60, 2)), y_encoded=y_encoded)
    train_result = run_training(
        regression(n_networks, samples=samples), solver(name, batch_size=60)
    )
    assert_allclose(train_result.learnt.history["loss"], np.log(3))


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_leaves_what_it_goes_on_from_as_it_was(name):
    before = run_training(regression(), solver(name)).memory
    kept = deepcopy(before)
    run_training(regression(memory=before), solver(name))
    assert before.plateau == kept.plateau
    for key, memory in (kept.optimizer_state or {}).items():
        assert_array_equal(before.optimizer_state[key], memory)


# What a solver says of itself

REFUSALS = [(name, what) for name in SOLVERS for what in SOLVERS[name].refuses]


@pytest.mark.parametrize(("name", "what"), REFUSALS)
def test_what_is_refused_gets_a_sentence_with_ways_out(name, what):
    shown = f"{what}=1"
    with pytest.raises(ValueError, match=re.escape(shown)) as error:
        SOLVERS[name].check_takes(parameters(solver=name), what, shown)
    sentence = str(error.value)
    assert sentence.startswith(f'{shown} with solver="{name}": ')
    assert SOLVERS[name].refuses[what] in sentence
    assert sentence.endswith(".")
    assert not re.search(r"\.\s", sentence), "it is one sentence"
    offered = re.findall(r'"(\w+)"', sentence.partition("choose solver=")[2])
    assert offered
    assert not any(what in SOLVERS[other].refuses for other in offered)


@pytest.mark.parametrize("name", SOLVERS)
def test_what_is_not_refused_is_taken_without_a_word(name):
    SOLVERS[name].check_takes(parameters(solver=name), "alpha", "alpha=1")


@pytest.mark.parametrize("name", SOLVERS)
def test_it_speaks_of_what_there_is(name):
    known = {"shards", *dir(MLPSoftmaxClassifier())}
    assert SOLVERS[name].refuses.keys() <= known
    assert SOLVERS[name].auto.keys() <= set(Settings._fields)


@pytest.mark.parametrize("name", SOLVERS)
def test_there_is_partial_fit_unless_it_is_refused(name):
    model = MLPSoftmaxClassifier(solver=name)
    why = SOLVERS[name].refuses.get("partial_fit")
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
    settled = Settings(*[None] * len(Settings._fields))._replace(
        learning_rate="constant", batch_size=256
    )
    by_itself = SOLVERS["adam"].of(parameters(batch_size="auto"), settled, 60)
    assert by_itself.batch_size == 60


def test_only_an_adaptive_rate_goes_on_behind_a_plateau():
    assert solver("sgd", learning_rate="adaptive").plateau_factor == 0.2
    assert solver("sgd", learning_rate="constant").plateau_factor is None


def sizes_of_stacks(n_networks, **changes):
    """Networks that each learner has, by a solver whose batches have 20 rows."""
    task = regression(n_networks, **changes)
    rngs = generators_for(task.rng, n_networks)
    learners = solver("adam").learners(task, task.parameters, None, rngs, SERIAL)
    return [one.updater.parameters.size // task.parameters.shape[1] for one in learners]


def test_an_ensemble_is_trained_in_stacks():
    most = MEMBERS_TOGETHER
    assert sizes_of_stacks(2 * most + 1) == [most, most, 1]


def test_networks_with_wide_layers_are_trained_two_at_a_time():
    # at 2 networks of 20 rows
    for width, expected in [(-1, [5]), (0, [2, 2, 1])]:
        units = -(-SMALLEST_SHARED_LAYER // 40) + width
        wide = Architecture(2, (units,), 3, (skmlp.PReLU(),), (0.0,), "float64")
        start = np.zeros((5, wide.layout.size))
        assert sizes_of_stacks(5, architecture=wide, parameters=start) == expected


def members(*ways):
    """Networks that are trained in such ways, of kinds of their own each."""
    return [
        Member(kind, 1.0, (), regularization)
        for kind, regularization in enumerate(ways)
    ]


@pytest.mark.parametrize(
    ("ways", "longest", "expected"),
    [
        ([0.1], 5, [(0, 1)]),
        ([0.1] * 5, 5, [(0, 5)]),
        ([0.1] * 5, 2, [(0, 2), (2, 4), (4, 5)]),
        ([0.1, 0.1, 0.2, 0.2, 0.2], 5, [(0, 2), (2, 5)]),
        ([0.1, 0.1, 0.1, 0.2], 2, [(0, 2), (2, 3), (3, 4)]),
        ([0.1, 0.2, 0.1], 5, [(0, 1), (1, 2), (2, 3)]),
        ([0.1, 0.1, 0.2], 1, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_runs_have_neighbours_that_are_trained_the_same_way(ways, longest, expected):
    runs = runs_of_same(members(*ways), longest)
    assert [(run.start, run.stop) for run in runs] == expected


def test_kinds_that_are_trained_the_same_way_share_a_run():
    same = [Member(0, 0.3, (0.1,), 0.2), Member(1, 2.0, (0.1,), 0.2)]
    assert runs_of_same(same, 2) == [slice(0, 2)]
    other = same[1]._replace(dropout=(0.2,))
    assert runs_of_same([same[0], other], 2) == [slice(0, 1), slice(1, 2)]


def test_each_stack_has_the_dropout_and_the_decay_of_its_networks():
    wide = Architecture(2, (4,), 3, (skmlp.PReLU(),), (0.3,), "float64")
    ways = [((0.3,), 0.0), ((0.3,), 0.0), ((0.0,), 0.5), ((0.2,), 0.5)]
    task = regression(
        4,
        architecture=wide,
        parameters=np.zeros((4, wide.layout.size)),
        members=[Member(0, 1.0, *way) for way in ways],
    )
    descent = solver("adam")
    rngs = generators_for(task.rng, 4)
    learners = descent.learners(task, task.parameters, None, rngs, SERIAL)
    assert [len(one.rngs) for one in learners] == [2, 1, 1]
    assert len(descent.stacks(task)) == 3
    assert [one.updater.regularization.weight_decay for one in learners] == [
        0.0,
        0.5,
        0.5,
    ]
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

    whole = state_of_all([learner(gradient)])
    parts = [slice(0, 2), slice(2, 4), 4]  # the last one alone
    joined = state_of_all([learner(gradient[part]) for part in parts])
    again = state_of_all(
        [learner(gradient[part], state_of(whole, part)) for part in parts]
    )
    twice = state_of_all([learner(gradient, whole)])
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
    assert state_of_all(learners)["t"] == 5


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
    goal = GOAL._replace(max_iter=5)
    task = regression(goal=goal)
    state = State(task.parameters, {"t": 0}, draws_of([task.rng]))
    Saver(checkpoint, task, lambda: state).end_epoch(monitor)
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
        members=tuple(Member(0, 1.0, (rate,), 0.1) for rate in dropouts),
        samples=Samples(x, CODES[: x.shape[0]], weight).broadcast_members(n_networks),
        rng=rng,
        goal=GOAL._replace(max_iter=N_EPOCHS),
    )


RNG = np.random.default_rng(0)


def on_engine(task, descent, by_numpy):
    return replace(task, engine="numpy" if by_numpy else descent.engine(task))


def plain_fit(task, descent):
    """Weights, memory of the rule and penalised losses of a fit that has no rounds."""
    parameters = task.parameters.copy()
    monitor = Monitor(parameters, tol=0.0, patience=np.inf)
    memory = descent.train(task, parameters, monitor, SERIAL)
    return parameters, memory, monitor.history["loss"]


def in_rounds(shards, descent, n_rounds, rate=None, state=None, n_epochs=N_EPOCHS):
    """The states behind all rounds of a fit on such shards, each of which is a task."""
    rate = descent.learning_rate if rate is None else rate
    states = [state or first_state(shards[0])]
    schedule = descent.schedule_of(shards[0])
    for epoch in range(n_epochs):
        for number in range(n_rounds):
            visits = [
                Visit(epoch, number, n_rounds, shard, len(shards))
                for shard in range(len(shards))
            ]
            parts = [
                descent.take_round(task, states[-1], visit, rate, schedule)
                for task, visit in zip(shards, visits, strict=True)
            ]
            states.append(mean_of(parts))
    return states


def shards_of(task, *parts):
    """Tasks on parts of the rows."""
    n_networks = len(task.parameters)
    lines = [np.tile(np.array(part, int), (n_networks, 1)) for part in parts]
    return [
        task.on_shard(task.samples.take_along(line), task.n_penalised) for line in lines
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
    assert sum(weights) == pytest.approx(task.samples.total_weight())
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
    given = task, state, Visit(1, 1, 2), 0.05, descent.schedule_of(task)
    untouched = deepcopy(given)
    once = descent.take_round(*given)
    rng_state = task.rng.bit_generator.state
    with open_workers(2) as workers:
        again = descent.take_round(*given, workers)
    assert_same_state(again, once.parameters, once.optimizer_state)
    assert again[2:] == once[2:]
    assert_same_state(state, untouched[1].parameters, untouched[1].optimizer_state)
    assert state[2:] == untouched[1][2:]
    assert_array_equal(task.samples.sample_weight, untouched[0].samples.sample_weight)
    assert_array_equal(task.parameters, untouched[0].parameters)
    assert task.rng.bit_generator.state == rng_state


@ENGINES
def test_each_round_of_an_epoch_drops_other_units(by_numpy):
    """From the same weights, on the same rows: only the seed of dropout differs."""
    descent = solver("sgd", batch_size=60, shuffle=False)
    task = on_engine(layered([0.5], x=np.tile(X[:1], (120, 1))), descent, by_numpy)
    task = replace(
        task, samples=task.samples._replace(y_encoded=np.zeros((1, 120), int))
    )
    state = first_state(task)
    losses = [
        descent.take_round(
            task, state, Visit(0, number, 2), 0.0, descent.schedule_of(task)
        ).loss
        for number in (0, 1, 0)
    ]
    assert losses[0] == losses[2] != losses[1]


def visited_rows(task, descent, n_rounds, shard=0, n_shards=2):
    """Rows of each round of an epoch, by networks that tell which they have seen."""
    state, found = first_state(task), []
    for number in range(n_rounds):
        visit = Visit(0, number, n_rounds, shard, n_shards)
        rngs = visit.generators(generators_for(np.random.default_rng(0), 1))
        learner = descent.learner(task, state.parameters, None, 0, rngs, SERIAL, visit)
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
    task = replace(task, goal=task.goal._replace(max_iter=40))
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
    state = first_state(task)
    parts = [
        descent.take_round(
            shard, state, Visit(0, 0, 1, number, 2), 0.1, descent.schedule_of(task)
        )
        for number, shard in enumerate(shards)
    ]
    assert [part.weight for part in parts] == [50, 10]
    mean = np.average([part.parameters for part in parts], axis=0, weights=[50, 10])
    assert_allclose(mean_of(parts).parameters, mean, rtol=1e-5)
    # gradients of all rows, and so the step that one machine takes
    whole = descent.take_round(
        task, state, Visit(0, 0, 1), 0.1, descent.schedule_of(task)
    )
    assert_allclose(mean_of(parts).parameters, whole.parameters, atol=1e-6)
    assert mean_of(parts).loss == pytest.approx(whole.loss, rel=1e-6)


def test_weights_of_rows_count_as_on_one_machine():
    descent = solver("sgd", batch_size=60)
    task = layered([0.0], weighted=True)
    state, schedule = first_state(task), descent.schedule_of(task)
    whole = descent.take_round(task, state, Visit(0, 0, 1), 0.1, schedule)
    heavy = np.argsort(task.samples.sample_weight[0])
    parts = [
        descent.take_round(shard, state, Visit(0, 0, 1, number, 2), 0.1, schedule)
        for number, shard in enumerate(shards_of(task, heavy[:30], heavy[30:]))
    ]
    assert sum(part.weight for part in parts) == pytest.approx(whole.weight)
    assert mean_of(parts).loss == pytest.approx(whole.loss, rel=1e-6)
    assert_allclose(mean_of(parts).parameters, whole.parameters, atol=1e-6)


def test_a_shard_without_rows_has_no_say():
    descent = solver("adam", batch_size=5)
    task = layered([0.0] * 2)
    rows = np.arange(60)
    without = in_rounds(shards_of(task, rows, []), descent, n_rounds=2)[-1]
    visit = Visit(0, 1, 2, shard=1, n_shards=2)
    (_, empty) = shards_of(task, rows, [])
    state = first_state(layered([0.0] * 2))
    nothing = descent.take_round(empty, state, visit, 0.1, descent.schedule_of(task))
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
