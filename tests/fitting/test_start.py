"""Where training starts: from values that classes decide, or from what was before."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from tasks import ARCHITECTURE, CODES, SETTINGS, X, parameters

from skmlp import MLPSoftmaxClassifier, ReLU, Tanh
from skmlp.data.targets import read_targets
from skmlp.fitting.parameters import resolve_parameters
from skmlp.fitting.recipe import FEWEST_JUDGES, Kind, by_size, settle
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.start import (
    FittedState,
    all_classes,
    architecture_of,
    checkpoint_of,
    has_fixed_length,
    init_parameters,
    members_of,
    resolve_defaults,
    task_of,
)
from skmlp.fitting.task import Data, Learnt, Member, Memory, TrainResult
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples
from skmlp.training.monitor import PlateauTracker, StopReason

# The past


def model(**given):
    settled = {"n_estimators": 1, "learning_rate": "cosine", "early_stopping": False}
    return MLPSoftmaxClassifier((), **settled | {"max_iter": 2} | given)


def test_who_is_not_fitted_has_no_past():
    assert FittedState.of(model()) is None


def test_a_fit_leaves_weights_but_no_moments():
    fitted = model().fit(X, CODES)
    fitted_state = FittedState.of(fitted)
    assert fitted_state.classes is fitted.classes_
    assert np.shares_memory(fitted_state.learnt.parameters, fitted.parameters_)
    assert fitted_state.learnt.parameters.shape == (1, fitted.n_parameters_)
    assert fitted_state.memory == Memory(None, None, 2 * 60)
    assert (fitted_state.n_estimators, fitted_state.n_epochs) == (1, 2)


def test_a_warm_start_goes_on_from_moments_but_from_no_plateau():
    fitted = model(warm_start=True).fit(X, CODES)
    optimizer_state, plateau, samples_seen = FittedState.of(fitted).memory
    assert optimizer_state["t"] == 2 * 2  # 32 and 28 rows make two steps per epoch
    assert (plateau, samples_seen) == (None, 2 * 60)
    fitted.fit(X, CODES)
    assert FittedState.of(fitted).memory.optimizer_state["t"] == 4 * 2
    assert FittedState.of(fitted).memory.samples_seen == 4 * 60
    assert FittedState.of(fitted).n_epochs == 2, "each fit has a history of its own"


def test_rows_in_parts_go_on_from_all():
    fitted = model(learning_rate="constant")
    for _ in range(3):
        fitted.partial_fit(X, CODES, classes=[0, 1, 2])
    fitted_state = FittedState.of(fitted)
    assert fitted_state.memory.optimizer_state["t"] == 3 * 2
    assert fitted_state.memory.samples_seen == 3 * 60
    assert fitted_state.memory.plateau.lowest == min(fitted.loss_curve_)
    assert fitted_state.n_epochs == fitted.best_iter_ == 3


LAYERS = (4, (5, 3), 3, (ReLU(), Tanh()), (0.0, 0.0), "float64")
TWO_LAYERS = Architecture(*LAYERS)


def learnt(weights, history, best_epochs, temperature=1.0, architecture=ARCHITECTURE):
    ensemble_weights = np.full(len(weights), 1 / len(weights))
    best_epochs = np.broadcast_to(best_epochs, len(weights))
    return Learnt(
        architecture, weights, history, best_epochs, temperature, ensemble_weights
    )


def past_of(architecture=ARCHITECTURE, n_networks=1, history=None, best_epochs=2):
    shape = (n_networks, architecture.layout.size)
    weights = np.arange(np.prod(shape), dtype=float).reshape(shape)
    history = history or {"loss": [3.0, 2.0]}
    before = learnt(weights, history, best_epochs, architecture=architecture)
    return FittedState(np.arange(3), before, Memory({"t": 4}, PlateauTracker(2.0), 120))


def test_networks_keep_their_shape_where_the_recipe_is_asked():
    fitted_state, settings = past_of(TWO_LAYERS, n_networks=7), by_size(100, 10)
    shaped = fitted_state.shaped(settings, parameters())
    assert shaped == settings._replace(
        hidden_layer_sizes=(5, 3), activation=(ReLU(), Tanh()), n_estimators=7
    )
    given = parameters(hidden_layer_sizes=(48, 48), n_estimators=10)
    assert fitted_state.shaped(settings, given) == settings
    given = parameters(activation="relu")
    assert fitted_state.shaped(settings, given).activation == settings.activation
    assert past_of().shaped(settings, parameters()).n_estimators == 1


FITTING = {"dropout": (4, (5, 3), 3, (ReLU(), Tanh()), (0.1, 0.2), "float64")}
FITTING["dtype"] = (*LAYERS[:-1], "float32")
OTHERS = {
    "sizes": (4, (5, 4), 3, (ReLU(), Tanh()), (0.0, 0.0), "float64"),
    "one layer": (4, (5,), 3, (ReLU(),), (0.0,), "float64"),
    "activations": (4, (5, 3), 3, (Tanh(), ReLU()), (0.0, 0.0), "float64"),
}


@pytest.mark.parametrize("case", FITTING)
def test_weights_fit_networks_that_differ_in_what_is_not_learnt(case):
    fitted_state = past_of(TWO_LAYERS)
    weights = fitted_state.weights(Architecture(*FITTING[case]), 1)
    assert weights is fitted_state.learnt.parameters


@pytest.mark.parametrize("case", OTHERS)
def test_weights_of_other_layers_are_refused(case):
    other = Architecture(*OTHERS[case])
    with pytest.raises(ValueError, match="warm_start=False") as error:
        past_of(TWO_LAYERS).weights(other, 1)
    for layers in (TWO_LAYERS, other):
        shown = (1, layers.hidden_layer_sizes, layers.activations)
        assert str(shown) in str(error.value)


def test_weights_of_another_number_of_networks_are_refused():
    with pytest.raises(ValueError, match=r"\(3, \(5, 3\), .* now say \(2, \(5, 3\)"):
        past_of(TWO_LAYERS, n_networks=3).weights(TWO_LAYERS, 2)


def test_weights_of_another_embedding_are_refused():
    embedded = Architecture(*LAYERS, n_periodic=2)
    with pytest.raises(ValueError, match="with another numeric_embedding"):
        past_of(TWO_LAYERS).weights(embedded, 1)
    past_of(embedded).weights(embedded, 1)


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
def test_a_history_goes_on(stop_reason, best_before, best_now, expected):
    n_networks = np.size(expected)
    fitted_state = past_of(n_networks=n_networks, best_epochs=best_before)
    now = learnt(np.ones((n_networks, 9)), {"loss": [1.5]}, best_now, 1.5)
    joined = fitted_state.followed_by(TrainResult(now, stop_reason, Memory(), False))
    assert joined.history == {"loss": [3.0, 2.0, 1.5]}
    assert_array_equal(joined.best_epochs, np.atleast_1d(expected))
    assert joined.parameters is now.parameters
    assert joined.temperature == 1.5
    assert fitted_state.learnt.history == {"loss": [3.0, 2.0]}


def test_a_history_of_other_columns_is_not_gone_on_with():
    fitted_state = past_of(history={"loss": [3.0], "validation_score": [0.5]})
    now = learnt(np.ones((1, 9)), {"loss": [1.5]}, 1)
    assert (
        fitted_state.followed_by(
            TrainResult(now, StopReason.COMPLETED, Memory(), False)
        )
        is now
    )


# Classes


def test_all_classes_are_named_first_and_may_be_repeated():
    fitted_state = past_of()
    assert_array_equal(all_classes(["b", "a", "b"], None), ["a", "b"])
    assert all_classes(None, fitted_state) is fitted_state.classes
    assert_array_equal(all_classes([2, 0, 1], fitted_state), fitted_state.classes)


@pytest.mark.parametrize(
    ("classes", "fitted_state", "message"),
    [
        (None, None, "must be passed on the first call"),
        ([0, 1], past_of(), r"classes=\[0, 1\] differs .* \[0, 1, 2\]; leave classes"),
        (["a"], None, r"at least 2 classes, but classes has only \['a'\]"),
    ],
)
def test_other_classes_are_refused(classes, fitted_state, message):
    with pytest.raises(ValueError, match=message):
        all_classes(classes, fitted_state)


# Settings


def settled(y=CODES, fitted_state=None, in_parts=False, **given):
    chosen = parameters(**given)
    targets = read_targets(chosen, X, y, classes=np.arange(3) if in_parts else None)
    return resolve_defaults(chosen, targets, 10, fitted_state, in_parts)


def test_the_rows_decide():
    assert settled() == by_size(60, 10)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_solver_decides_where_it_has_a_say(name):
    settings = settled(solver=name)
    assert settings == by_size(60, 10)._replace(**SOLVERS[name].auto)
    if "dropout" in SOLVERS[name].refuses:
        assert not any(kind.dropout for kind in settings.kinds)


def test_one_class_is_known_from_the_start():
    settings = settled(np.zeros(60), max_iter=9, early_stopping=True)
    assert (settings.max_iter, settings.early_stopping) == (1, False)


def test_rows_in_parts_are_passed_once():
    assert settled(in_parts=True, max_iter=9).max_iter == 1
    assert settled(in_parts=True).n_estimators == 1


def test_what_was_before_decides_too():
    settings = settled(fitted_state=past_of(TWO_LAYERS, n_networks=7))
    assert (settings.hidden_layer_sizes, settings.n_estimators) == ((5, 3), 7)
    with pytest.raises(ValueError, match="warm_start can only be used"):
        settled(CODES + 1, fitted_state=past_of())


# The network


def network(sizes=(5, 3), dropout=0.0, activation="relu", x=X, n_numbers=0, **given):
    kinds = (Kind(1.0, dropout, weight_decay=0.0),)
    settings = SETTINGS._replace(
        hidden_layer_sizes=sizes, activation=activation, kinds=kinds
    )
    given = {"dropout": dropout} | given
    return architecture_of(parameters(**given), settings, x, n_numbers, 3)


def test_one_for_all_layers_or_one_for_each():
    each = network(dropout=(0.1, 0.2), activation=("tanh", ReLU))
    assert each.dropout == (0.1, 0.2)
    assert each.activations == (Tanh(), ReLU())
    assert network(dropout=0.1).dropout == (0.1, 0.1)
    assert network(activation=Tanh()).activations == (Tanh(), Tanh())
    for name, wrong in [("dropout", (0.1,) * 3), ("activation", ("relu",))]:
        message = f"{name} has {len(wrong)} entries, but hidden_layer_sizes has 2"
        with pytest.raises(ValueError, match=message):
            network(**{name: wrong})


@pytest.mark.parametrize("name", SOLVERS)
def test_dropout_is_for_solvers_that_take_it(name):
    assert network(solver=name, dropout=0.0).dropout == (0.0, 0.0)
    if "dropout" in SOLVERS[name].refuses:
        with pytest.raises(ValueError, match=r"dropout=0\.1 with solver"):
            network(solver=name, dropout=0.1)


@pytest.mark.parametrize("name", SOLVERS)
def test_numbers_are_embedded_but_not_of_sparse_rows(name):
    params = {"solver": name, "n_numbers": 2}
    of_dense = network(**params).n_periodic
    assert of_dense == (2 if SOLVERS[name].embeds_numbers else 0)
    assert network(x=sparse.csr_array(X), **params).n_periodic == 0
    params["numeric_embedding"] = "periodic"
    assert network(**params).n_periodic == 2
    with pytest.raises(ValueError, match=r"takes a dense X.*X\.toarray\(\)"):
        network(x=sparse.csr_array(X), **params)


@pytest.mark.parametrize("sizes", [(2**62, 2**62), (2**70,), (2**20, 2**21)])
def test_architecture_of_layers_beyond_memory_is_refused(sizes):
    with pytest.raises(ValueError, match=r"expected at most 1\.1e\+12 weights"):
        network(sizes)


# The networks

SOME_KINDS = (Kind(0.5, 0.1, 0.0), Kind(2.0, (0.2, 0.0), 0.4), Kind(1.0, 0.0, 1.0))


def members(n_networks, n_folds, kinds=SOME_KINDS, sizes=(5, 3), **given):
    settings = SETTINGS._replace(kinds=kinds, n_folds=n_folds, n_estimators=n_networks)
    return members_of(parameters(**given), settings, sizes)


def test_networks_are_as_their_kinds_say():
    assert members(3, 1) == (
        Member(0, 0.5, (0.1, 0.1), 0.0),
        Member(1, 2.0, (0.2, 0.0), 0.4),
        Member(2, 1.0, (0.0, 0.0), 1.0),
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
def test_there_is_one_of_a_kind_per_fold_before_one_of_the_next(
    n_networks, n_folds, expected
):
    assert [one.kind for one in members(n_networks, n_folds)] == expected


@pytest.mark.parametrize("n_networks", [1, 6, 20, 23])
def test_no_two_networks_share_kind_and_fold_before_all_are_there(n_networks):
    n_folds = 4
    kinds = [one.kind for one in members(n_networks, n_folds)]
    folds = [number % n_folds for number in range(n_networks)]
    times = np.zeros((len(SOME_KINDS), n_folds), dtype=int)
    np.add.at(times, (kinds, folds), 1)
    assert np.ptp(times) <= 1


@pytest.mark.parametrize(
    "name", [name for name in SOLVERS if "dropout" in SOLVERS[name].refuses]
)
def test_a_solver_without_dropout_takes_no_kind_with_it(name):
    with pytest.raises(ValueError, match=r"dropout=0\.1 with solver"):
        members(3, 1, solver=name, dropout=0.1)


# The task

RARE = np.repeat([0, 1, 2], [45, 10, 5])


def task(fitted_state=None, in_parts=False, settings=SETTINGS, samples=None, **given):
    samples = samples or Samples(X, RARE).broadcast_members(1)
    data = Data(samples, None, np.arange(3), 0)
    chosen = parameters(dtype="float64", **{"max_iter": 3} | given)
    rng = np.random.default_rng(0)
    return task_of(chosen, settings, data, rng, fitted_state, in_parts)


def test_biases_start_at_the_shares_of_the_classes():
    expected = [0.0] * 6 + list(np.log([0.75, 1 / 6, 1 / 12]))
    assert_allclose(task().parameters, [expected])
    weight = np.repeat([1.0, 1.5, 3.0], [45, 10, 5])  # 45, 15 and 15
    weighted = task(samples=Samples(X, RARE, weight).broadcast_members(1))
    assert_allclose(weighted.parameters[0, 6:], np.log([0.6, 0.2, 0.2]))


def test_first_rows_need_not_be_like_the_rest():
    assert_array_equal(task(in_parts=True).parameters, np.zeros((1, 9)))


def test_networks_of_an_ensemble_start_apart():
    wide = SETTINGS._replace(hidden_layer_sizes=(4,), n_estimators=3)
    first_weights = task(settings=wide).parameters[:, 0]
    assert len(np.unique(first_weights)) == 3


def test_waves_start_as_fast_as_the_kind_says():
    settings = SETTINGS._replace(
        hidden_layer_sizes=(4,),
        kinds=(Kind(0.25, 0.0, 0.0), Kind(3.0, 0.0, 0.0)),
        n_estimators=2,
    )
    embedded = Architecture(2, (4,), 3, (ReLU(),), (0.0,), "float64", n_periodic=2)
    ways = members_of(parameters(), settings, (4,))
    found = init_parameters(embedded, ways, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    for one, vector in zip(ways, found, strict=True):
        plain = embedded.init_parameters(rng)
        waves, expected = (
            embedded.layout.views(values)[0, "frequency_phase"]
            for values in (vector, plain)
        )
        assert_allclose(waves[..., 0], one.frequency * expected[..., 0])
        # nothing else differs
        waves[..., 0] = expected[..., 0]
        assert_array_equal(vector, plain)


def test_a_past_is_gone_on_from():
    fitted_state = past_of()
    for in_parts, epochs_before in [(False, 0), (True, 2)]:
        now = task(fitted_state, in_parts)
        assert now.parameters is fitted_state.learnt.parameters
        plateau = fitted_state.memory.plateau if in_parts else None
        assert now.memory == fitted_state.memory._replace(plateau=plateau)
        assert now.epochs_before == epochs_before
    assert task().memory == Memory()


def test_the_goal_is_what_the_parameters_say():
    given = {"alpha": 2.0, "tol": 0.4}
    given |= {"scoring": "accuracy", "temperature": 5.0, "member_weights": None}
    settings = SETTINGS._replace(max_iter=6, n_iter_no_change=7, initial_patience=2)
    settings = settings._replace(label_smoothing=0.1)
    goal = task(settings=settings, **given).goal
    expected = given | {
        "label_smoothing": 0.1,
        "max_iter": 6,
        "has_fixed_budget": False,
    }
    expected |= {"patience": 7, "initial_patience": 2}
    assert goal._asdict() == expected


@pytest.mark.parametrize("name", SOLVERS)
def test_epochs_are_planned_by_the_recipe_for_one_class_or_in_parts(name):
    rows, alone = Samples(X, RARE), Samples(X, np.zeros(60, int))
    given, recipe = (parameters(solver=name, max_iter=n) for n in (3, "auto"))
    assert has_fixed_length(recipe, rows) == SOLVERS[name].plans_epochs
    assert not has_fixed_length(given, rows)
    assert has_fixed_length(given, alone)
    assert task(in_parts=True, solver=name).goal.has_fixed_budget
    assert not task(solver=name).goal.has_fixed_budget


# The checkpoint


def opened(fit, data, fitted_state, rng):
    """The checkpoint of a fit on these data."""
    resolved = resolve_parameters(fit)
    return checkpoint_of(resolved, fit.get_params, lambda: data, fitted_state, rng)


def test_nothing_is_saved_unless_asked_for():
    assert (
        checkpoint_of(parameters(), dict, dict, None, np.random.default_rng(0)) is None
    )


@pytest.mark.parametrize(
    "name", [name for name in SOLVERS if "checkpoint" in SOLVERS[name].refuses]
)
def test_a_checkpoint_is_refused_before_any_file_is_touched(name, tmp_path):
    folder = f"{tmp_path}/is made where it is taken/"
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"checkpoint='.*is made.*' with"):
        opened(model(solver=name, checkpoint=folder), {"X": X}, None, rng)
    assert not list(tmp_path.iterdir())
    assert opened(model(checkpoint=folder), {"X": X}, None, rng)
    assert list(tmp_path.iterdir())


def test_a_fit_that_goes_on_draws_what_the_one_cut_off_drew(tmp_path):
    given = {"X": X, "y": CODES}
    fit = model(checkpoint=tmp_path / "fit.npz")
    first, second = np.random.default_rng(1), np.random.default_rng(2)
    checkpoint = opened(fit, given, None, first)
    assert checkpoint.training is None
    drawn = first.random(3)
    checkpoint.save({"what": "training says"})
    again = opened(fit, given, None, second)
    assert again.training == {"what": "training says"}
    assert_array_equal(second.random(3), drawn)


def test_a_checkpoint_is_of_one_start(tmp_path):
    fit = model(checkpoint=tmp_path / "fit.npz")
    rng = np.random.default_rng(0)
    opened(fit, {"X": X}, None, rng).save({})
    with pytest.raises(ValueError, match="another start"):
        opened(fit, {"X": X}, past_of(), rng)


@pytest.mark.parametrize("n_samples", [100, 5000, 20_000, 60_000, 10**6])
def test_by_default_each_row_held_out_is_judged_by_all_kinds(n_samples):
    # else there would be no weights of networks, or no temperature
    settings = settle(parameters(), n_samples, 10, {})
    found = members_of(parameters(), settings, (8, 8))
    for fold in range(settings.n_folds):
        kinds = [member.kind for member in found[fold :: settings.n_folds]]
        assert set(kinds) == set(range(len(settings.kinds)))
        assert len(kinds) >= FEWEST_JUDGES
