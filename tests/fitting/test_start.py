"""Start of a run: from values that classes decide, or from an earlier call."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from tasks import CODES, CONFIG, X, parameters, result

from skmlp import MLPSoftmaxClassifier, ReLU, Tanh
from skmlp.data.targets import read_targets
from skmlp.defaults import (
    MIN_OUT_OF_FOLD_MEMBERS,
    MemberConfig,
    default_config,
)
from skmlp.fitting.config import TrainData
from skmlp.fitting.parameters import resolve_parameters
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.start import (
    _build_architecture,
    build_run,
    check_classes,
    open_checkpoint,
    resolve_config,
)
from skmlp.nn.network import Architecture
from skmlp.training.batches import Samples
from skmlp.training.monitor import PlateauTracker

# The earlier call


def model(**given):
    settled = {"n_estimators": 1, "learning_rate": "cosine", "early_stopping": False}
    return MLPSoftmaxClassifier((), **settled | {"max_iter": 2} | given)


def test_an_unfitted_estimator_has_no_result():
    assert model()._get_result() is None


def test_a_fit_leaves_weights_but_no_moments():
    fitted = model().fit(X, CODES)
    previous = fitted._get_result()
    assert previous.classes is fitted.classes_
    assert np.shares_memory(previous.parameters, fitted.parameters_)
    assert previous.parameters.shape == (1, fitted.n_parameters_)
    assert (previous.optimizer_state, previous.plateau) == (None, None)
    assert previous.samples_seen == 2 * 60
    assert previous.n_epochs == 2


def test_a_warm_start_goes_on_from_moments_but_from_no_plateau():
    fitted = model(warm_start=True).fit(X, CODES)
    previous = fitted._get_result()
    assert previous.optimizer_state["t"] == 2 * 2  # 32 and 28 rows make two steps
    assert (previous.plateau, previous.samples_seen) == (None, 2 * 60)
    again = fitted.fit(X, CODES)._get_result()
    assert again.optimizer_state["t"] == 4 * 2
    assert again.samples_seen == 4 * 60
    assert again.n_epochs == 2, "each fit has a history of its own"


def test_rows_in_parts_go_on_from_all():
    fitted = model(learning_rate="constant")
    for _ in range(3):
        fitted.partial_fit(X, CODES, classes=[0, 1, 2])
    previous = fitted._get_result()
    assert previous.optimizer_state["t"] == 3 * 2
    assert previous.samples_seen == 3 * 60
    assert previous.plateau.lowest == min(fitted.loss_curve_)
    assert previous.n_epochs == fitted.best_iter_ == 3


# Classes


def test_all_classes_are_named_first_and_may_be_repeated():
    fitted = np.arange(3)
    assert_array_equal(check_classes(["b", "a", "b"], None), ["a", "b"])
    assert check_classes(None, fitted) is fitted
    assert_array_equal(check_classes([2, 0, 1], fitted), fitted)


@pytest.mark.parametrize(
    ("classes", "fitted", "message"),
    [
        (None, None, "must be passed on the first call"),
        ([0, 1], np.arange(3), r"classes=\[0, 1\] differs .* \[0, 1, 2\]; leave"),
        (["a"], None, r"at least 2 classes, but classes has only \['a'\]"),
    ],
)
def test_other_classes_are_refused(classes, fitted, message):
    with pytest.raises(ValueError, match=message):
        check_classes(classes, fitted)


# Settings

LAYERS = (4, (5, 3), 3, (ReLU(), Tanh()), (0.0, 0.0), "float64")
TWO_LAYERS = Architecture(*LAYERS)


def resolved(y=CODES, previous=None, in_parts=False, **given):
    chosen = parameters(**given)
    targets = read_targets(chosen, X, y, classes=np.arange(3) if in_parts else None)
    return resolve_config(chosen, targets, 10, previous, in_parts)


def assert_has(config, values):
    for name in set(config._fields) & values.keys() - {"activation", "member_configs"}:
        assert getattr(config, name) == values[name], name


@pytest.mark.parametrize("name", SOLVERS)
def test_the_rows_decide_or_the_solver(name):
    config = resolved(solver=name)
    values = {**default_config(60, 10), **SOLVERS[name].defaults}
    assert_has(config, values)
    n_layers = len(config.hidden_layer_sizes)
    assert config.activation == (ReLU(),) * n_layers
    assert config.member_configs == tuple(
        member._replace(dropout=(member.dropout,) * n_layers)
        for member in values["member_configs"]
    )


def test_parameters_become_settings_as_they_are():
    given = {"alpha": 2.0, "tol": 0.4, "scoring": "accuracy", "temperature": 5.0}
    given |= {"member_weights": None, "dtype": "float64", "verbose": 2}
    given |= {"label_smoothing": 0.1, "max_iter": 6, "n_iter_no_change": 7}
    assert_has(resolved(**given), given)


def test_one_class_is_known_from_the_start():
    config = resolved(np.zeros(60), max_iter=9, early_stopping=True)
    assert (config.max_iter, config.early_stopping) == (1, False)


def test_rows_in_parts_are_passed_once():
    assert resolved(in_parts=True, max_iter=9).max_iter == 1
    assert resolved(in_parts=True).n_estimators == 1


def test_fitted_networks_keep_their_shape_unless_it_is_set():
    previous = result(7, architecture=TWO_LAYERS)
    config = resolved(previous=previous)
    assert (config.hidden_layer_sizes, config.n_estimators) == ((5, 3), 7)
    assert config.activation == (ReLU(), Tanh())
    given = {"hidden_layer_sizes": (48,), "n_estimators": 10}
    config = resolved(previous=previous, **given)
    assert (config.hidden_layer_sizes, config.n_estimators) == ((48,), 10)
    assert config.activation == (ReLU(),)
    config = resolved(previous=previous, activation="relu")
    assert config.activation == (ReLU(), ReLU())
    with pytest.raises(ValueError, match="warm_start can only be used"):
        resolved(CODES + 1, previous=previous)


@pytest.mark.parametrize("name", SOLVERS)
def test_epochs_are_wanted_by_default_for_one_class_or_in_parts(name):
    is_wanted = SOLVERS[name].has_fixed_budget
    assert resolved(solver=name).has_fixed_budget == is_wanted
    assert not resolved(solver=name, max_iter=3).has_fixed_budget
    assert resolved(np.zeros(60), solver=name, max_iter=3).has_fixed_budget
    assert resolved(in_parts=True, solver=name, max_iter=3).has_fixed_budget


def test_one_for_all_layers_or_one_for_each():
    sizes = {"hidden_layer_sizes": (5, 3)}
    each = resolved(dropout=(0.1, 0.2), activation=("tanh", ReLU), **sizes)
    assert {member.dropout for member in each.member_configs} == {(0.1, 0.2)}
    assert each.activation == (Tanh(), ReLU())
    assert resolved(dropout=0.1, **sizes).member_configs[0].dropout == (0.1, 0.1)
    assert resolved(activation=Tanh(), **sizes).activation == (Tanh(), Tanh())
    for name, wrong in [("dropout", (0.1,) * 3), ("activation", ("relu",))]:
        message = f"{name} has {len(wrong)} entries, but hidden_layer_sizes has 2"
        with pytest.raises(ValueError, match=message):
            resolved(**{name: wrong}, **sizes)


@pytest.mark.parametrize("name", SOLVERS)
def test_dropout_is_for_solvers_that_take_it(name):
    given = {"solver": name, "hidden_layer_sizes": (5,)}
    assert resolved(dropout=0.0, **given).member_configs[0].dropout == (0.0,)
    if "dropout" in SOLVERS[name].unsupported:
        with pytest.raises(ValueError, match=r"dropout=0\.1 with solver"):
            resolved(dropout=0.1, **given)


@pytest.mark.parametrize("n_samples", [100, 5000, 20_000, 60_000, 10**6])
def test_by_default_all_configs_predict_each_validation_row(n_samples):
    # else there would be no weights of networks, or no temperature
    values = default_config(n_samples, 10)
    names = set(CONFIG._fields) & values.keys()
    config = CONFIG._replace(**{name: values[name] for name in names})
    for fold in range(config.n_folds):
        members = config.members[fold :: config.n_folds]
        assert set(members) == set(config.member_configs)
        assert len(members) >= MIN_OUT_OF_FOLD_MEMBERS


# The run

RARE = np.repeat([0, 1, 2], [45, 10, 5])


def data_on(samples, n_numbers=0):
    return TrainData(samples, None, np.arange(3), n_numbers)


def run(previous=None, in_parts=False, config=CONFIG, samples=None, **given):
    samples = samples or Samples(X, RARE).broadcast_members(config.n_estimators)
    rng = np.random.default_rng(0)
    return build_run(config, data_on(samples), rng, previous, in_parts, **given)


def layers(sizes, n_estimators=1, **given):
    return CONFIG._replace(
        n_estimators=n_estimators,
        hidden_layer_sizes=sizes,
        activation=(ReLU(),) * len(sizes),
        member_configs=(MemberConfig(1.0, (0.0,) * len(sizes), 0.0),),
        **given,
    )


@pytest.mark.parametrize("name", SOLVERS)
def test_numbers_are_embedded_but_not_of_sparse_rows(name):
    def n_periodic(x, embedding):
        config = resolved(
            solver=name, numeric_embedding=embedding, hidden_layer_sizes=(5,)
        )
        return _build_architecture(config, data_on(Samples(x, RARE), 2)).n_periodic

    rows = sparse.csr_array(X)
    assert n_periodic(X, "auto") == (2 if SOLVERS[name].embeds_numbers else 0)
    assert n_periodic(rows, "auto") == 0
    assert n_periodic(X, None) == 0
    assert n_periodic(X, "periodic") == 2
    with pytest.raises(ValueError, match=r"takes a dense X.*X\.toarray\(\)"):
        n_periodic(rows, "periodic")


@pytest.mark.parametrize("sizes", [(2**62, 2**62), (2**70,), (2**20, 2**21)])
def test_architecture_of_layers_beyond_memory_is_refused(sizes):
    with pytest.raises(ValueError, match=r"expected at most 1\.1e\+12 weights"):
        _build_architecture(layers(sizes), data_on(Samples(X, RARE)))


def test_biases_start_at_the_class_priors():
    expected = [0.0] * 6 + list(np.log([0.75, 1 / 6, 1 / 12]))
    assert_allclose(run().parameters, [expected])
    weight = np.repeat([1.0, 1.5, 3.0], [45, 10, 5])  # 45, 15 and 15
    weighted = run(samples=Samples(X, RARE, weight).broadcast_members(1))
    assert_allclose(weighted.parameters[0, 6:], np.log([0.6, 0.2, 0.2]))


def test_first_rows_need_not_be_like_the_rest():
    assert_array_equal(run(in_parts=True).parameters, np.zeros((1, 9)))


def test_networks_of_an_ensemble_start_apart():
    first_weights = run(config=layers((4,), 3)).parameters[:, 0]
    assert len(np.unique(first_weights)) == 3


def test_initial_frequencies_are_multiplied_by_the_config_of_the_member():
    members = MemberConfig(0.25, (0.0,), 0.0), MemberConfig(3.0, (0.0,), 0.0)
    config = layers((4,), 2)._replace(member_configs=members)
    samples = Samples(X, RARE).broadcast_members(2)
    found = build_run(config, data_on(samples, 2), np.random.default_rng(0), None)
    rng, layout = np.random.default_rng(0), found.architecture.layout
    priors = samples.class_priors(3)
    for member, vector in zip(members, found.parameters, strict=True):
        plain = found.architecture.init_parameters(rng, priors)
        waves, expected = (
            layout.views(v)[0, "frequency_phase"] for v in (vector, plain)
        )
        assert_allclose(waves[..., 0], member.frequency * expected[..., 0])
        # nothing else differs
        waves[..., 0] = expected[..., 0]
        assert_array_equal(vector, plain)


def test_a_run_starts_from_the_previous_result():
    previous = result(
        optimizer_state={"t": 4}, plateau=PlateauTracker(2.0), samples_seen=120
    )
    for in_parts, epochs_before in [(False, 0), (True, 2)]:
        now = run(previous, in_parts)
        assert now.parameters is previous.parameters
        assert now.optimizer_state is previous.optimizer_state
        assert now.plateau is (previous.plateau if in_parts else None)
        assert (now.samples_seen, now.epochs_before) == (120, epochs_before)
    new = run(previous, in_parts=True, reinitialize=True)
    assert (new.optimizer_state, new.samples_seen, new.epochs_before) == (None, 0, 0)
    assert new.parameters is not previous.parameters


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (layers((5, 4)), r"\(1, \(5, 3\), .* now say \(1, \(5, 4\)"),
        (layers((5,)), r"now say \(1, \(5,\)"),
        (layers((5, 3))._replace(activation=(Tanh(), ReLU())), r"now say .*Tanh"),
        (layers((5, 3), 2), r"\(1, \(5, 3\), .* now say \(2, \(5, 3\)"),
    ],
)
def test_weights_of_other_layers_are_refused(config, message):
    former = Architecture(2, (5, 3), 3, (ReLU(), ReLU()), (0.1, 0.2), "float32")
    previous = result(architecture=former)
    with pytest.raises(ValueError, match=rf"{message}.*warm_start=False"):
        run(previous, config=config)
    # dropout and dtype may differ
    now = run(previous, config=layers((5, 3)))
    assert now.parameters is previous.parameters


def test_weights_of_another_embedding_are_refused_unless_they_are_new():
    former = Architecture(2, (4,), 3, (ReLU(),), (0.0,), "float64", n_periodic=2)
    previous = result(architecture=former)
    with pytest.raises(ValueError, match="with another numeric_embedding"):
        run(previous, config=layers((4,)))
    run(previous, config=layers((4,)), reinitialize=True)


# The checkpoint


def opened(fit, data, previous, rng):
    """The checkpoint of a fit on these data."""
    plain = resolve_parameters(fit)
    return open_checkpoint(plain, fit.get_params(), data, previous, rng)


@pytest.mark.parametrize(
    "name", [name for name in SOLVERS if "checkpoint" in SOLVERS[name].unsupported]
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
        opened(fit, {"X": X}, result(), rng)
