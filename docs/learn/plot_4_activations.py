r"""
4. Activations and their derivatives
====================================

The **gradient** of the loss has one number for each weight: its derivative, which says
how the loss changes when this weight grows a little. Training moves each weight a step
against it, so that the loss falls. On its way back from the loss to the weights, the
gradient passes the hidden units, and is multiplied there with the **derivative** of the
activation. So this derivative decides what a network can learn.

On this page you see ReLU, PReLU, sigmoid and tanh with their derivatives; why a step,
the most obvious of all activations, can't be trained; how units *saturate* and how they
*die*; and how PReLU learns its own slope.

It takes about 20 minutes.
"""

# %%
# Four functions and a step
# -------------------------
#
# A hidden unit computes :math:`a = f(z)`, with :math:`z` from its affine map. The
# derivative :math:`f'(z)` says how much :math:`a` changes when :math:`z` changes a
# little.
#
# .. list-table::
#    :header-rows: 1
#
#    * - name
#      - :math:`f(z)`
#      - :math:`f'(z)`
#    * - ReLU
#      - :math:`\max(0, z)`
#      - 1 where :math:`z > 0`, else 0
#    * - PReLU
#      - :math:`z` where :math:`z > 0`, else :math:`s z`
#      - 1 where :math:`z > 0`, else :math:`s`
#    * - sigmoid
#      - :math:`\sigma(z) = 1 / (1 + e^{-z})`
#      - :math:`\sigma(z) \, (1 - \sigma(z))`
#    * - tanh
#      - :math:`(e^z - e^{-z}) / (e^z + e^{-z})`
#      - :math:`1 - \tanh^2 z`
#    * - threshold
#      - 1 where :math:`z > 0`, else 0
#      - 0
#
# The first four are in the table ``skmlp.ACTIVATIONS``, among others. The slope
# :math:`s` of PReLU is *learnt*, like a weight; it starts at 1/4. The threshold is the
# unit of the first perceptrons, of 1958. It is not in the table, for a reason that we
# will see. But an activation of one's own needs only these two formulas:

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmlp import ACTIVATIONS, Activation, ActivationDisplay, MLPSoftmaxClassifier


class Threshold(Activation):
    def value(self, z, out, p):
        return np.greater(z, 0, out=out)

    def derivative(self, z, out, p):
        out.fill(0)
        return out


names = ["relu", "prelu", "sigmoid", "tanh"]
functions = {name: ACTIVATIONS[name] for name in names} | {"threshold": Threshold}

figure, axes = plt.subplots(2, 3, figsize=(9, 5.2), layout="constrained")
displays = {
    name: ActivationDisplay.from_activation(function, name=name, z_range=(-6, 6), ax=ax)
    for ax, (name, function) in zip(axes.flat, functions.items(), strict=False)
}
for name, style in zip(names, ["-", "--", "-.", ":"], strict=True):
    display = displays[name]
    axes[1, 2].plot(display.z, display.derivative, style, label=name)
axes[1, 2].set(title="derivatives", xlabel="z", ylabel="f'(z)", ylim=(-0.05, 1.75))
axes[1, 2].legend(loc="upper center", ncols=2)
plt.show()

# %%
# We check the derivatives with a *difference quotient*,
# :math:`(f(z + h) - f(z - h)) / 2h` for a small :math:`h`. It is close to the
# derivative wherever there is no kink or jump nearby, and :math:`z = 0` is the only
# such place here.

for name, display in displays.items():
    z, value = display.z, display.value
    quotient = (value[2:] - value[:-2]) / (z[2:] - z[:-2])
    away = np.abs(z[1:-1]) > 0.02
    difference = np.abs(quotient - display.derivative[1:-1])[away].max()
    largest = display.derivative.max()
    print(f"{name:9}  largest derivative {largest:.2f}, checked to {difference:.0e}")
    assert difference < 1e-4

# %%
# Why a step can't be trained
# ---------------------------
#
# Take the smallest network: one unit, one input, twelve rows of two classes. Its output
# is the probability of class 1, and we move its bias :math:`b`. With the sigmoid, the
# loss is a smooth valley: anywhere on its side, the slope says which way is down. With
# the threshold, the loss is the share of wrong rows. It jumps where the step passes a
# row, and is flat everywhere else. Its derivative is 0, so it never says which way to
# go.

rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(-1.2, 1, 6), rng.normal(1.2, 1, 6)])
codes = np.repeat([0, 1], 6)
biases = np.linspace(-4, 4, 801)
z = 2 * x + biases[:, np.newaxis]  # one line per bias, one column per row of data
probability = 1 / (1 + np.exp(-z))
smooth = -np.log(np.where(codes == 1, probability, 1 - probability)).mean(axis=1)
steps = ((z > 0) != codes).mean(axis=1)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, title, loss in [
    (axes[0], "sigmoid unit: cross-entropy", smooth),
    (axes[1], "threshold unit: share of wrong rows", steps),
]:
    ax.plot(biases, loss, color="#0072B2", linewidth=2)
    ax.set(title=title, xlabel="bias $b$", ylabel="loss", ylim=(0, None))
plt.show()

# %%
# In a network
# ------------
#
# We train networks of one hidden layer to read digits, 8 by 8 pixels each. The solver
# is plain: ``"sgd"``, *stochastic gradient descent*, goes against the gradient of 32
# rows at a time. How long its steps are is the **learning rate**. One **epoch** is one
# pass over all training rows. We ask how far the weights of each layer have moved
# between the first epoch and the last, relative to their size.

X, y = load_digits(return_X_y=True)
X = X / 8 - 1  # pixels from 0 to 16 become numbers from -1 to 1
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)


def train(activation, hidden_layer_sizes=(32,), n_epochs=20, learning_rate_init=0.05):
    model = MLPSoftmaxClassifier(
        hidden_layer_sizes,
        activation,
        preprocessing=None,
        numeric_embedding=None,
        solver="sgd",
        learning_rate="cosine",
        learning_rate_init=learning_rate_init,
        batch_size=32,
        max_iter=n_epochs,
        # nothing else is to move weights
        alpha=0.0,
        weight_decay=0.0,
        dropout=0.0,
        label_smoothing=0.0,
        early_stopping=False,
        n_estimators=1,
        random_state=0,
    )
    return model.fit(X_train, y_train)


def movement(activation, **kwargs):
    # the same random_state means the same start
    early, late = train(activation, n_epochs=1, **kwargs), train(activation, **kwargs)
    return late, [
        np.linalg.norm(after - before) / np.linalg.norm(before)
        for before, after in zip(early.coefs_, late.coefs_, strict=True)
    ]


rows = []
for name, function in functions.items():
    model, (first, last) = movement(function())
    rows.append((name, first, last, model.score(X_test, y_test)))
columns = ["activation", "hidden moved", "output moved", "held-out accuracy"]
table = pd.DataFrame(rows, columns=columns)
print(table.to_string(index=False, float_format="{:.1%}".format))

# %%
# The hidden weights of the threshold network are where the random start has put them.
# Only the output layer has learnt, since no activation stands between it and the loss.
# That is softmax regression on 32 random features.

assert table.set_index("activation").loc["threshold", "hidden moved"] == 0

# %%
# Saturation
# ----------
#
# The sigmoid is almost flat far from 0, on both sides. A unit there is called
# **saturated**: its derivative is almost 0, and so is what comes through it. And even
# at best, its derivative is 1/4. A gradient that passes six layers of sigmoids is
# multiplied six times with 1/4 at most. The tanh saturates, too, but its derivative is
# 1 in the middle. ReLU's is 1 on the whole right side. Here are networks of six hidden
# layers:

deep = (32,) * 6
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
accuracy = {}
for name, marker in zip(names, "os^D", strict=True):
    model, moved = movement(functions[name](), hidden_layer_sizes=deep)
    accuracy[name] = model.score(X_test, y_test)
    label = f"{name}: {accuracy[name]:.0%} right"
    ax.semilogy(range(1, 8), moved, marker=marker, label=label)
ax.set(
    xlabel="layer (7 is the output layer)",
    ylabel="weights moved,\nrelative to their size",
)
figure.legend(loc="outside right center", title="held-out rows", frameon=False)
plt.show()

# %%
# The sigmoid's first layers have hardly moved: the gradient has **vanished** on its
# way. The network is no better than a guess among ten digits.

assert accuracy["sigmoid"] < 0.2
assert min(accuracy[name] for name in ["relu", "prelu", "tanh"]) > 0.8

# %%
# Dying units, and learnt slopes
# ------------------------------
#
# ReLU has a danger of its own. If a step takes the weights of a unit to where
# :math:`z \le 0` for *every* row, then its derivative is 0 for every row. No gradient
# comes through, and the unit stays as it is: it is **dead**. That happens when steps
# are too long.


def count_dead(model):
    z = X_train @ model.coefs_[0] + model.intercepts_[0]
    return (z <= 0).all(axis=0).sum()


for rate in [0.05, 0.1, 0.2, 0.4]:
    model = train("relu", (64,), learning_rate_init=rate)
    dead, accuracy = count_dead(model), model.score(X_test, y_test)
    print(f"learning rate {rate:.2f}: {dead:2} of 64 dead, {accuracy:.1%} right")

# %%
# PReLU can't die so: its derivative on the left is the slope :math:`s`, which is not 0.
# It learns the slope by the same rule as everything else. The derivative of
# :math:`f(z)` with respect to :math:`s` is :math:`z` where :math:`z < 0`, and 0 where
# :math:`z > 0`. The picture shows where the steps that have killed many ReLU units take
# the slopes of PReLU.

model = train("prelu", (64,), learning_rate_init=0.2)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
display = ActivationDisplay.from_estimator(model, z_range=(-4, 4), ax=ax)
plt.show()

slopes = display.learnt[:, 0] / display.z[0]
print(f"slopes from {slopes.min():.2f} to {slopes.max():.2f}, all began at 0.25")
print(f"{model.score(X_test, y_test):.1%} right")

# %%
# Which one should you take? ReLU is fast and a good first choice, with a learning rate
# that is not too large. PReLU units don't die, for one more number per unit; but steps
# that are longer still make any network's loss jump about or run away. Tanh is smooth,
# and so are its boundaries. The sigmoid is rarely seen in hidden layers today. It lives
# on in the output: softmax of two classes is a sigmoid of the difference of their
# logits.
#
# Exercises
# ---------
#
# **1.** Where is the derivative of the sigmoid largest, and why is it 1/4 there? What
# is left at best of a gradient that has passed ten layers of sigmoids, weights aside?
#
# .. dropdown:: Answer
#
#    :math:`\sigma (1 - \sigma)` is the product of two numbers whose sum is 1. It is
#    largest where both are 1/2, which is at :math:`z = 0`, and is 1/4 there. Ten layers
#    leave :math:`(1/4)^{10} \approx 10^{-6}`.
#
# **2.** Tanh is a sigmoid in disguise: :math:`\tanh z = 2 \sigma(2 z) - 1`. Derive from
# this that its derivative at 0 is 1.
#
# .. dropdown:: Answer
#
#    By the chain rule, :math:`\tanh' z = 2 \cdot 2 \, \sigma'(2 z)`, and
#    :math:`\sigma'(0) = 1/4`. So it is :math:`4 \cdot 1/4 = 1`.
#
# **3.** Which functions is PReLU with the slopes 0, 1 and -1? Which of these should not
# be used?
#
# .. dropdown:: Answer
#
#    With 0 it is ReLU, with 1 the identity, with -1 the absolute value. The identity is
#    affine, and layers of it collapse as on page 2. (As slopes are learnt and each unit
#    has its own, a PReLU network does not end there by itself.)
#
# **The answers, checked.**

z = np.linspace(-5, 5, 1001)
sigmoid = 1 / (1 + np.exp(-z))
derivative = sigmoid * (1 - sigmoid)
assert np.isclose(z[derivative.argmax()], 0)
assert np.isclose(derivative.max(), 1 / 4)
print(f"left after ten layers: {0.25**10:.1e}")

assert np.allclose(np.tanh(z), 2 / (1 + np.exp(-2 * z)) - 1)
assert np.isclose(displays["tanh"].derivative.max(), 1)

for slope, same_as in [(0, np.maximum(z, 0)), (1, z), (-1, np.abs(z))]:
    assert np.allclose(np.where(z > 0, z, slope * z), same_as)
