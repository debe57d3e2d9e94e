"""Pictures: what is drawn is what is computed."""

import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmlp import (
    ACTIVATIONS,
    Activation,
    ActivationDisplay,
    LossCurveDisplay,
    MLPSoftmaxClassifier,
    NetworkDisplay,
    PReLU,
)
from skmlp.nn.activations import ELU, resolve_activation

mpl.use("Agg")

X, Y = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)


def network(**params):
    """A network that trains in no time."""
    defaults = {"hidden_layer_sizes": (6,), "n_estimators": 1, "max_iter": 4}
    return MLPSoftmaxClassifier(**defaults | {"random_state": 0} | params)


@pytest.fixture(scope="module")
def model():
    return network().fit(X, Y)


@pytest.fixture(scope="module")
def ensemble():
    sizes, activations = (6, 5), ["relu", "prelu"]
    params = {"hidden_layer_sizes": sizes, "activation": activations}
    return network(n_estimators=3, **params).fit(X, Y)


@pytest.fixture(scope="module")
def without_held_out_rows():
    with pytest.warns(ConvergenceWarning):
        return network(early_stopping=False, learning_rate="constant").fit(X, Y)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().texts]


@pytest.fixture(autouse=True)
def close_figures():
    plt.close("all")  # those that examples elsewhere have left open
    yield
    plt.close("all")


def learnt_at_start(activation):
    return SimpleNamespace(
        **{name: np.array([number]) for name, number in activation.initial.items()}
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_draws_value_and_derivative(name):
    display = ActivationDisplay.from_activation(name)
    activation = resolve_activation(name)
    z = np.linspace(-8, 8, 1601)[:, np.newaxis]
    p = learnt_at_start(activation)
    value = activation.value(z, np.empty_like(z), p)
    derivative = activation.derivative(z, np.empty_like(z), p)
    assert display.value_line_ in display.ax_.lines
    assert display.derivative_line_ in display.ax_.lines
    assert_array_equal(display.value_line_.get_xydata(), np.hstack([z, value]))
    line = display.derivative_line_
    assert_array_equal(line.get_xydata(), np.hstack([z, derivative]))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_axes_title_and_legend_say_what_is_shown(name):
    display = ActivationDisplay.from_activation(name)
    ax = display.ax_
    assert ax.get_title().split("(")[0] == ACTIVATIONS[name].__name__
    assert ax.get_xlabel() == "z"
    assert "f(z)" in ax.get_ylabel()
    assert [text.get_text() for text in ax.get_legend().texts] == ["f(z)", "f'(z)"]
    display.figure_.canvas.draw()


def test_draws_on_the_axes_it_is_given():
    figure, axes = plt.subplots(ncols=2)
    display = ActivationDisplay.from_activation("relu", ax=axes[1])
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not axes[0].lines


def test_makes_a_new_figure_where_none_is_given():
    plt.figure()
    display = ActivationDisplay.from_activation("relu")
    assert plt.get_fignums() == [1, display.figure_.number]


def test_can_be_drawn_again():
    display = ActivationDisplay.from_activation("tanh")
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first
    assert_array_equal(display.value_line_.get_ydata(), display.value)


def test_takes_range_number_of_points_and_name():
    display = ActivationDisplay.from_activation(
        "tanh", z_range=(-1, 3), n_points=5, name="A wave"
    )
    assert_array_equal(display.value_line_.get_xdata(), [-1, 0, 1, 2, 3])
    assert_allclose(display.value_line_.get_ydata(), np.tanh([-1, 0, 1, 2, 3]))
    assert display.ax_.get_title() == "A wave"


@pytest.mark.parametrize("activation", [PReLU(init=0.5), PReLU(0.5, shared=True)])
def test_learnt_slopes_are_drawn_at_their_start(activation):
    display = ActivationDisplay.from_activation(activation, z_range=(-2, 0), n_points=2)
    assert_array_equal(display.value_line_.get_ydata(), [-1, 0])
    assert display.ax_.get_title() == repr(activation)


def test_draws_an_activation_of_the_users_own():
    class Square(Activation):
        def value(self, z, out, p):
            return np.multiply(z, z, out=out)

        def derivative(self, z, out, p):
            return np.multiply(z, 2, out=out)

    display = ActivationDisplay.from_activation(Square, z_range=(-2, 2), n_points=3)
    assert_array_equal(display.value_line_.get_ydata(), [4, 0, 4])
    assert_array_equal(display.derivative_line_.get_ydata(), [-4, 0, 4])
    assert display.ax_.get_title() == "Square"


@pytest.mark.parametrize("style", [{"linestyle": ":"}, {"ls": ":"}], ids=str)
def test_each_curve_has_a_style_of_its_own(style):
    display = ActivationDisplay.from_activation(
        ELU(),
        value_kwargs={"color": "red", "label": "elu"},
        derivative_kwargs={"color": "blue", **style},
    )
    lines = display.value_line_, display.derivative_line_
    assert [line.get_color() for line in lines] == ["red", "blue"]
    assert [line.get_linestyle() for line in lines] == ["-", ":"]
    assert [line.get_label() for line in lines] == ["elu", "f'(z)"]


def test_the_two_curves_can_be_told_apart_in_grey():
    display = ActivationDisplay.from_activation("relu")
    lines = display.value_line_, display.derivative_line_
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_an_unknown_activation_opens_no_figure():
    with pytest.raises(ValueError, match="unknown activation 'rellu'"):
        ActivationDisplay.from_activation("rellu")
    assert plt.get_fignums() == []


# What an activation has learnt


def test_bands_and_median_of_what_the_units_learnt(ensemble):
    display = ActivationDisplay.from_estimator(ensemble, layer=1, z_range=(-2, 1))
    slopes = ensemble.architecture_.activation_parameters(ensemble.parameters_, 1)
    slopes = slopes["slope"].reshape(-1, 1)
    z = display.z
    assert_allclose(display.learnt, np.where(z > 0, z, slopes * z), atol=1e-6)
    assert display.learnt.shape == (3 * 5, 1601)
    median = np.median(display.learnt, axis=0)
    assert_array_equal(display.learnt_line_.get_ydata(), median)
    assert_allclose(display.value_line_.get_ydata(), np.where(z > 0, z, z / 4))
    whole, middle = (
        band.get_paths()[0].get_extents() for band in display.learnt_bands_
    )
    assert_allclose(whole.y0, -2 * slopes.max(), rtol=1e-5)
    assert whole.y0 <= middle.y0 <= display.learnt_line_.get_ydata()[0]
    assert display.derivative_line_ is None
    assert legend_of(display.ax_) == [
        "all units",
        "middle half",
        "after training, median of 15",
        "before",
    ]
    assert display.ax_.get_ylabel() == "f(z)"
    assert display.value_line_.get_linestyle() != display.learnt_line_.get_linestyle()


def test_a_slope_that_a_layer_shares_is_one_curve():
    shared = network(activation=PReLU(shared=True)).fit(X, Y)
    display = ActivationDisplay.from_estimator(shared)
    assert display.learnt.shape == (1, 1601)
    assert display.learnt_bands_ == []
    assert legend_of(display.ax_) == ["after training", "before"]


def test_an_activation_that_learns_nothing_is_drawn_as_ever(ensemble):
    drawn = ActivationDisplay.from_estimator(ensemble)
    expected = ActivationDisplay.from_activation("relu")
    for name in ("value_line_", "derivative_line_"):
        lines = getattr(drawn, name), getattr(expected, name)
        assert_array_equal(lines[0].get_xydata(), lines[1].get_xydata())
    assert drawn.learnt is drawn.learnt_line_ is None
    assert drawn.ax_.get_title() == "ReLU"


def test_learnt_curves_take_styles_name_and_axes(ensemble):
    _, axes = plt.subplots(ncols=2)
    display = ActivationDisplay.from_estimator(
        ensemble,
        layer=1,
        name="Slopes",
        ax=axes[1],
        value_kwargs={"color": "red"},
        learnt_kwargs={"ls": ":", "label": "now"},
    )
    assert display.ax_ is axes[1]
    assert display.ax_.get_title() == "Slopes"
    assert display.value_line_.get_color() == "red"
    assert display.learnt_line_.get_linestyle() == ":"
    assert "now" in legend_of(axes[1])


@pytest.mark.parametrize("layer", [2, -1, "first"])
def test_says_how_many_hidden_layers_there_are(ensemble, layer):
    with pytest.raises(ValueError, match=r"layer=.* the network has 2 hidden layers"):
        ActivationDisplay.from_estimator(ensemble, layer=layer)
    assert plt.get_fignums() == []


# Loss curves


def test_curves_are_the_history(model):
    display = LossCurveDisplay.from_estimator(model)
    epochs = np.arange(1, model.n_iter_ + 1)
    for line, name in (
        (display.train_line_, "loss"),
        (display.validation_line_, "validation_loss"),
    ):
        assert line in display.ax_.lines
        assert_array_equal(line.get_xdata(), epochs)
        assert_array_equal(line.get_ydata(), model.history_[name])
    best = model.best_iter_
    mark = (best, model.validation_loss_curve_[best - 1])
    assert_array_equal(display.best_line_.get_xydata(), [mark])
    assert legend_of(display.ax_) == ["training", "validation", f"best epoch: {best}"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    lines = display.train_line_, display.validation_line_
    assert [line.get_linestyle() for line in lines] == ["-", "--"]


def test_without_held_out_rows_there_is_one_curve(without_held_out_rows):
    display = LossCurveDisplay.from_estimator(without_held_out_rows)
    assert display.validation_line_ is None
    assert legend_of(display.ax_) == ["training", "weights kept: epoch 4"]
    loss = without_held_out_rows.loss_
    assert_array_equal(display.best_line_.get_xydata(), [(4, loss)])


def test_weights_from_before_training_have_no_mark():
    display = LossCurveDisplay([np.array([np.nan])], [None], [0]).plot()
    assert display.best_line_ is None
    assert legend_of(display.ax_) == ["training"]
    display.figure_.canvas.draw()


def test_epochs_are_whole_numbers(model):
    ax = LossCurveDisplay.from_estimator(model).ax_
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_an_ensemble_has_mean_curves(ensemble):
    display = LossCurveDisplay.from_estimator(ensemble)
    assert_array_equal(display.train_line_.get_ydata(), ensemble.loss_curve_)


def test_each_epoch_that_networks_of_an_ensemble_are_from_has_a_mark():
    losses, validation = np.array([4.0, 3, 2, 1]), np.array([4.0, 2, 1, 3])
    best = np.array([3, 0, 2, 3])  # the second is from before training
    display = LossCurveDisplay([losses], [validation], [best]).plot()
    assert_array_equal(display.best_line_.get_xydata(), [(2, 2), (3, 1)])
    assert legend_of(display.ax_) == ["training", "validation", "best epochs"]
    alone = LossCurveDisplay([losses], [None], [np.array([4, 4])]).plot()
    assert_array_equal(alone.best_line_.get_xydata(), [(4, 1)])
    assert legend_of(alone.ax_) == ["training", "weights kept"]
    display = LossCurveDisplay([losses], [None], [np.array([0, 0])]).plot()
    assert display.best_line_ is None


def test_an_ensembles_own_epochs_are_marked(ensemble):
    display = LossCurveDisplay.from_estimator(ensemble)
    marked = display.best_line_.get_xdata()
    assert_array_equal(marked, np.unique(ensemble.best_iter_))


def test_draws_one_pair_of_curves_per_fold():
    results = cross_validate(network(), X, Y, cv=3, return_estimator=True)
    display = LossCurveDisplay.from_cv_results(results)
    for fold, fitted in enumerate(results["estimator"]):
        train, validation = fitted.loss_curve_, fitted.validation_loss_curve_
        best = fitted.best_iter_
        assert_array_equal(display.train_line_[fold].get_ydata(), train)
        assert_array_equal(display.validation_line_[fold].get_ydata(), validation)
        mark = (best, validation[best - 1])
        assert_array_equal(display.best_line_[fold].get_xydata(), [mark])
    assert len(display.train_line_) == 3
    assert legend_of(display.ax_) == ["training", "validation", "best epochs"]


def test_folds_without_held_out_rows_have_no_validation_curves(without_held_out_rows):
    fits = [make_pipeline(StandardScaler(), without_held_out_rows)] * 2
    display = LossCurveDisplay.from_cv_results({"estimator": fits})
    assert display.validation_line_ is None
    assert legend_of(display.ax_) == ["training", "weights kept"]


def test_results_without_estimators_say_how_to_get_them():
    results = {"fit_time": [1.0], "test_score": [0.9]}
    with pytest.raises(ValueError, match="return_estimator=True"):
        LossCurveDisplay.from_cv_results(results)


def test_loss_curves_take_styles_and_axes(model):
    figure, axes = plt.subplots(ncols=2)
    display = LossCurveDisplay.from_estimator(
        model,
        ax=axes[0],
        train_kwargs={"color": "red", "label": "mine"},
        validation_kwargs={"ls": ":"},
        best_kwargs={"marker": "s"},
    )
    assert display.ax_ is axes[0]
    assert display.figure_ is figure
    assert display.train_line_.get_color() == "red"
    assert display.validation_line_.get_linestyle() == ":"
    assert display.best_line_.get_marker() == "s"
    assert legend_of(axes[0])[0] == "mine"
    assert display.plot().ax_ is not axes[0]


# Networks


def test_says_what_each_layer_is(ensemble):
    display = NetworkDisplay.from_estimator(ensemble)
    assert display.layers == ensemble.architecture_.summary()
    names = [text.get_text().split("\n") for text in display.texts_]
    assert names[:2] == [
        ["inputs", "", ""],
        ["periodic embedding", "cosine", "320 parameters"],
    ]
    assert [name[:2] for name in names[2:]] == [
        ["hidden layer 1", "ReLU"],
        ["hidden layer 2", "PReLU"],
        ["outputs", "softmax"],
    ]
    counts = [int(name[2].split()[0]) for name in names[1:]]
    assert sum(counts) == ensemble.n_parameters_
    shown = [text.get_text() for text in display.ax_.texts]
    assert [text for text in shown if text.isdigit()] == ["4", "16", "6", "5", "3"]
    n = ensemble.n_parameters_
    title = f"3 networks of {n} parameters each, {3 * n:,} in all"
    assert display.ax_.get_title() == title
    assert display.image_ is display.colorbar_ is None


def test_wider_layers_are_higher_bars(ensemble):
    display = NetworkDisplay.from_estimator(ensemble)
    widths = [layer.shape[-1] for layer in display.layers]
    heights = [bar.get_height() for bar in display.bars_]
    assert_array_equal(np.argsort(heights), np.argsort(widths))
    assert np.allclose([bar.get_y() for bar in display.bars_], -np.divide(heights, 2))


def test_softmax_regression_is_a_network_of_two_layers():
    plain = network(hidden_layer_sizes=(), numeric_embedding=None).fit(X, Y)
    display = NetworkDisplay.from_estimator(plain)
    assert len(display.bars_) == 2
    assert display.ax_.get_title() == "15 parameters"


@pytest.mark.parametrize("width", [3, 4, 12])
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_texts_of_the_diagram_do_not_overlap(ensemble, width, stop):
    figure, ax = plt.subplots(figsize=(width, 2.5), layout="constrained")
    layers = ensemble.architecture_.summary()
    NetworkDisplay(layers[:stop], n_networks=100).plot(ax=ax)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in [*ax.texts, ax.title]]
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:place])
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1


@pytest.fixture(scope="module")
def digits_model():
    params = {"hidden_layer_sizes": (30,), "max_iter": 2}
    return network(n_estimators=2, **params).fit(DIGITS, DIGIT)


def test_weights_are_shown_as_images(digits_model):
    display = NetworkDisplay.from_estimator(
        digits_model, kind="weights", image_shape=(8, 8), member=1
    )
    weight = digits_model.coefs_[0][1]
    assert_array_equal(display.images, weight.T[:25].reshape(25, 8, 8))
    shown = display.image_.get_array()
    assert shown.shape == (5 * 9 - 1, 5 * 9 - 1)
    assert_array_equal(shown[9:17, 18:26], display.images[7])
    assert np.ma.filled(shown, np.nan)[8].size
    assert np.isnan(np.ma.filled(shown, np.nan)[8]).all()
    low, high = display.image_.get_clim()
    assert -low == high == np.abs(display.images).max()
    assert display.colorbar_.ax.get_ylabel() == "weight"
    assert display.bars_ == display.texts_ == []


def test_an_embedding_of_the_pixels_is_left_out():
    embedded = network(numeric_embedding="periodic", max_iter=1).fit(DIGITS, DIGIT)
    display = NetworkDisplay.from_estimator(
        embedded, kind="weights", image_shape=(8, 8)
    )
    assert_array_equal(display.images.reshape(6, 64), embedded.coefs_[0][:64].T)


@pytest.mark.parametrize(
    "preprocessing",
    [None, "auto", StandardScaler(), FunctionTransformer(np.log1p)],
    ids=str,
)
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_encoders_that_keep_pixels_have_images(preprocessing, container):
    table = container(DIGITS[:200])
    if container is pd.DataFrame:
        table.columns = [f"pixel {number}" for number in range(64)]
    fitted = network(preprocessing=preprocessing, max_iter=1).fit(table, DIGIT[:200])
    display = NetworkDisplay.from_estimator(fitted, kind="weights", image_shape=(8, 8))
    assert display.images.shape == (6, 8, 8)


def with_holes(X):
    X = X.copy()
    X[::5, 20] = np.nan
    return X


@pytest.mark.parametrize(
    ("preprocessing", "change"),
    [("auto", with_holes), ("auto", lambda X: X > 8), (PCA(64), np.asarray)],
    ids=["missing", "truth values", "mixed"],
)
def test_encoders_that_change_pixels_are_refused(preprocessing, change):
    fitted = network(preprocessing=preprocessing, max_iter=1)
    fitted.fit(change(DIGITS[:200]), DIGIT[:200])
    with pytest.raises(ValueError, match="preprocessing=None or StandardScaler"):
        NetworkDisplay.from_estimator(fitted, kind="weights", image_shape=(8, 8))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "heat"}, "kind must be"),
        ({"kind": "weights"}, r"needs image_shape=\(height, width\)"),
        ({"kind": "weights", "image_shape": 64}, "needs image_shape"),
        ({"kind": "weights", "image_shape": (64,)}, "needs image_shape"),
        ({"kind": "weights", "image_shape": (-8, -8)}, "needs image_shape"),
        ({"kind": "weights", "image_shape": (28, 28)}, "needs 784 inputs.* reads 64"),
        (
            {"kind": "weights", "image_shape": (8, 8), "member": 2},
            "member=2 .* has 2 networks",
        ),
    ],
)
def test_what_can_not_be_drawn_is_said(digits_model, given, message):
    with pytest.raises(ValueError, match=message):
        NetworkDisplay.from_estimator(digits_model, **given)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("kind", ["layers", "weights"])
def test_networks_are_drawn_on_the_axes_they_are_given(digits_model, kind):
    figure, ax = plt.subplots()
    display = NetworkDisplay.from_estimator(
        digits_model,
        kind=kind,
        image_shape=(8, 8),
        ax=ax,
        image_kwargs={"cmap": "PuOr"},
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    if kind == "weights":
        assert display.image_.get_cmap().name == "PuOr"
    assert display.plot().figure_ is not figure


# What all of them take

DISPLAYS = [ActivationDisplay, LossCurveDisplay, NetworkDisplay]


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda network: make_pipeline(StandardScaler(), network),
        lambda network: GridSearchCV(network, {"alpha": [0.1, 0.2]}, cv=2),
        lambda network: GridSearchCV(
            make_pipeline(StandardScaler(), network), {}, cv=2
        ),
    ],
    ids=["pipeline", "search", "search over a pipeline"],
)
def test_finds_the_network_in_an_estimator(display, wrap):
    wrapped = wrap(network())
    with pytest.raises(NotFittedError):
        display.from_estimator(wrapped)
    assert display.from_estimator(wrapped.fit(X, Y)).figure_ is not None


@pytest.mark.parametrize("display", DISPLAYS)
def test_an_unfitted_network_is_not_drawn(display):
    with pytest.raises(NotFittedError, match="MLPSoftmaxClassifier"):
        display.from_estimator(network())
    assert plt.get_fignums() == []


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_search_without_refit_says_so(display):
    search = GridSearchCV(network(), {}, cv=2, refit=False).fit(X, Y)
    with pytest.raises(NotFittedError, match="with refit=True"):
        display.from_estimator(search)


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(
    "other",
    [LogisticRegression(), make_pipeline(LogisticRegression()), "relu", None],
    ids=str,
)
def test_other_estimators_are_refused(display, other):
    with pytest.raises(TypeError, match="pass an MLPSoftmaxClassifier, a Pipeline"):
        display.from_estimator(other)


@pytest.mark.parametrize("display", DISPLAYS)
def test_estimators_say_how_to_get_matplotlib(display, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skmlp\[plots\]'"):
        display.from_estimator(model)


def test_says_how_to_get_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skmlp\[plots\]'"):
        ActivationDisplay.from_activation("relu")
