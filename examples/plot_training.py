"""
What did training do?
=====================

Handwritten digits, 8 by 8 pixels each, go into an ensemble of networks with PReLU
units. Here one learns to read

* the loss per epoch: training and validation loss fall together, and the validation
  loss says which epoch the weights are taken from;
* what an activation has learnt: each PReLU unit starts with the same slope below 0, and
  goes its own way;
* the layers: nearly all parameters sit between the pixels and the hidden units;
* the weights of the first layer: each unit looks for strokes in some places (bright)
  and for empty paper in others (dark).

Run it with ``python examples/plot_training.py``.
"""

import matplotlib.pyplot as plt
import pandas as pd
from _output import print_table, save, wants_docs
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmlp import (
    ActivationDisplay,
    LossCurveDisplay,
    MLPSoftmaxClassifier,
    NetworkDisplay,
)

IMAGE_SHAPE = (8, 8)


def train(X, y):
    """An ensemble that reads the pixels as they are."""
    model = MLPSoftmaxClassifier(
        (48,),
        "prelu",
        preprocessing=None,
        # stronger than usual: weights that help nothing go to 0, and strokes show
        weight_decay=1.0,
        n_estimators=4,
        max_iter=60,
        random_state=0,
    )
    return model.fit(X, y)


def describe_layers(model):
    """The layers as a table."""
    layers = pd.DataFrame(model.architecture_.summary())
    layers["shape"] = [" x ".join(map(str, shape)) for shape in layers["shape"]]
    assert layers["n_parameters"].sum() == model.n_parameters_
    return layers.rename(columns={"n_parameters": "parameters"})


def draw(model):
    """All four pictures."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 10})
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
    LossCurveDisplay.from_estimator(model, ax=axes[0, 0])
    axes[0, 0].set_title("Loss, mean of the networks")
    ActivationDisplay.from_estimator(
        model, z_range=(-4, 2), name="PReLU, hidden layer 1", ax=axes[0, 1]
    )
    NetworkDisplay.from_estimator(model, ax=axes[1, 0])
    NetworkDisplay.from_estimator(
        model, kind="weights", image_shape=IMAGE_SHAPE, ax=axes[1, 1]
    )
    axes[1, 1].set_title("First-layer weights of 25 units")
    return figure


def main():
    docs = wants_docs(__doc__)
    X, y = load_digits(return_X_y=True)
    # pixels go from 0 to 16; centred inputs of about unit size suit a network
    X = X / 8 - 1
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=0
    )
    model = train(X_train, y_train)
    print_table("One of the networks, layer by layer", describe_layers(model))
    slopes = model.architecture_.activation_parameters(model.parameters_, 0)["slope"]
    print(
        f"\nWeights from epoch {model.best_iter_} of {model.n_iter_}; slopes from "
        f"{slopes.min():.2f} to {slopes.max():.2f}."
        f"\nTest accuracy of the {model.n_estimators_} networks together: "
        f"{model.score(X_test, y_test):.1%}"
    )
    save(draw(model), "plot_training.png", docs)


if __name__ == "__main__":
    main()
