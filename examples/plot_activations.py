"""
Why can't a threshold unit be trained?
======================================

Backpropagation carries the gradient of the loss from the output back through the
network. On its way through a hidden layer it is multiplied, unit by unit, with the
derivative of the activation. So the derivative decides what the layers before can
learn, and one sees here what that means:

* ReLU passes the gradient on unchanged where a unit is active, and not at all where it
  is not; PReLU lets a part of it through there too, and learns how much;
* the derivatives of sigmoid and tanh fade to 0 on both sides (the units "saturate"),
  and sigmoid's is at most 1/4, so several such layers shrink the gradient (one, as
  here, does no harm);
* the threshold unit of the first perceptrons is flat on both sides of its step. Its
  derivative is 0, no gradient comes through, and the weights before it stay where the
  random start put them, however long one trains. Only the output layer learns.

It also shows how to write an activation of one's own: a subclass of skmlp.Activation
with two formulas.

Run it with ``python examples/plot_activations.py``.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _output import print_table, save, wants_docs
from matplotlib.ticker import MultipleLocator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmlp import Activation, ActivationDisplay, MLPSoftmaxClassifier

N_EPOCHS = 30


class Threshold(Activation):
    """f(z) = 1 where z > 0, else 0: the unit of Rosenblatt's perceptron."""

    def value(self, z, out, p):
        return np.greater(z, 0, out=out)

    def derivative(self, z, out, p):
        out.fill(0)
        return out


ACTIVATIONS = {
    "ReLU": "relu",
    "PReLU": "prelu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "threshold": Threshold(),
}


def train(activation, n_epochs, X, y):
    """One hidden layer, trained with plain stochastic gradient descent."""
    network = MLPSoftmaxClassifier(
        hidden_layer_sizes=(64,),
        activation=activation,
        preprocessing=None,
        solver="sgd",
        # neither would leave the weights alone where no gradient comes through
        alpha=0.0,
        weight_decay=0.0,
        batch_size=32,
        learning_rate="cosine",
        learning_rate_init=0.05,
        max_iter=n_epochs,
        dropout=0.0,
        early_stopping=False,
        n_estimators=1,
        random_state=0,
    )
    return network.fit(X, y)


def distance_moved(short, long):
    """How far the first layer moved between two fits, relative to its size."""
    before, after = short.coefs_[0], long.coefs_[0]
    return np.linalg.norm(after - before) / np.linalg.norm(before)


def compare(displays, X_train, X_test, y_train, y_test):
    """Train with each activation for one epoch and for many, from the same start."""
    rows = []
    for name, activation in ACTIVATIONS.items():
        # the same random_state gives the same start, so where the two fits agree
        # nothing has been learnt in between
        short = train(activation, 1, X_train, y_train)
        long = train(activation, N_EPOCHS, X_train, y_train)
        rows.append(
            {
                "activation": name,
                "largest derivative": displays[name].derivative.max(),
                "first layer moved": distance_moved(short, long),
                "test accuracy": long.score(X_test, y_test),
            }
        )
    return pd.DataFrame(rows)


def draw_activations(axes):
    """Each activation with its derivative, in a picture of its own."""
    displays = {}
    for ax, (name, activation) in zip(axes, ACTIVATIONS.items(), strict=True):
        displays[name] = ActivationDisplay.from_activation(
            activation,
            z_range=(-8, 8),
            name=name,
            ax=ax,
            value_kwargs={"color": "#0072B2", "linewidth": 2},
            derivative_kwargs={"color": "#D55E00", "linewidth": 2},
        )
    # the same scale for what looks alike, so that 1/4 and 1 can be compared
    for ax in axes[:2]:
        ax.set_ylim(-2.4, 8.4)
    for ax in axes[2:]:
        ax.set_ylim(-1.15, 1.9)
    return displays


def draw_distances(ax, table):
    """How far the first layer moved, as bars."""
    bars = ax.barh(table["activation"], table["first layer moved"], color="#0072B2")
    ax.bar_label(bars, fmt="{:.0%}", padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.3)
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set(
        title="first-layer weights moved by",
        xlabel="change relative to their norm",
    )


def main():
    docs = wants_docs(__doc__)
    X, y = load_digits(return_X_y=True)
    # pixels go from 0 to 16; centred inputs of about unit size suit a network
    X = X / 8 - 1
    split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

    plt.rcParams.update({"font.size": 9, "axes.titlesize": 11})
    figure, axes = plt.subplots(2, 3, figsize=(9, 5.4), layout="constrained")
    displays = draw_activations(axes.flat[:5])
    table = compare(displays, *split)
    print_table(
        f"Digits, 64 hidden units, {N_EPOCHS} epochs from the same start",
        table,
        {
            "largest derivative": ".2f",
            "first layer moved": ".1%",
            "test accuracy": ".1%",
        },
    )
    threshold = table.set_index("activation").loc["threshold"]
    assert threshold["first layer moved"] == 0
    print(
        "\nThe weights before the threshold units have not moved at all: what accuracy"
        "\nthere is, the output layer gets out of random features."
    )
    draw_distances(axes.flat[5], table)
    save(figure, "plot_activations.png", docs)


if __name__ == "__main__":
    main()
