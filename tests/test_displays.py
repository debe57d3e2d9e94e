"""Pictures of activations: what is drawn is what is computed."""

import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmlp import ACTIVATIONS, Activation, ActivationDisplay, PReLU
from skmlp.nn.activations import ELU, as_activation

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def learnt_at_start(activation):
    return SimpleNamespace(
        **{name: np.array([number]) for name, number in activation.initial.items()}
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_draws_value_and_derivative(name):
    display = ActivationDisplay.from_activation(name)
    activation = as_activation(name)
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


def test_says_how_to_get_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skmlp\[plots\]'"):
        ActivationDisplay.from_activation("relu")
