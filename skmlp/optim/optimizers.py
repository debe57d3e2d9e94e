"""Update rules: turn a flat gradient into a flat step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from scipy.optimize import OptimizeResult, minimize

OptimizerState = dict[str, Any]
"""What an update rule remembers: its vectors by name, and "t", the steps so far."""

NEGLIGIBLE = 1e-18
"""What is smaller changes no network; its square is still a normal number."""

FLUSH_EVERY = 64
"""Steps between two looks for what has faded; each takes as long as 3 vector sums."""


def flush_subnormals(vector: np.ndarray, smallest: float, scratch: np.ndarray) -> None:
    """Set what is below `smallest` to 0, overwriting `vector` and `scratch`.

    The momentum of a unit that is off for all rows, or its weights under a penalty,
    shrink by a factor per step. They would end as subnormal numbers, which are slow
    (see `probability_floor`), and stay so: 0.9 times the smallest is rounded to it.
    """
    vector[np.abs(vector, out=scratch) < smallest] = 0


class OptimizerParameters(Protocol):
    """What all update rules together ask for."""

    @property
    def momentum(self) -> float: ...
    @property
    def nesterovs_momentum(self) -> bool: ...
    @property
    def beta_1(self) -> float: ...
    @property
    def beta_2(self) -> float: ...
    @property
    def epsilon(self) -> float: ...


class Optimizer(ABC):
    """A first-order update rule with vectors of memory, such as momentum.

    Attributes
    ----------
    state_names : tuple of str
        Names of the vectors that the rule keeps from step to step.
    """

    state_names: tuple[str, ...] = ()

    @classmethod
    @abstractmethod
    def from_parameters(cls, parameters: OptimizerParameters) -> Self:
        """The rule that the parameters of an estimator describe."""

    def init_state(
        self, parameters: np.ndarray, state: OptimizerState | None = None
    ) -> Self:
        """Set the memory to zero, or to a copy of what `state` gave earlier.

        The state of another rule is of no use and counts as none.
        """
        if state is None or not state.keys() >= set(self.state_names):
            state = dict.fromkeys(self.state_names, np.zeros_like(parameters)) | {
                "t": 0
            }
        self.t = int(state["t"])
        for name in self.state_names:
            setattr(self, name, state[name].astype(parameters.dtype, copy=True))
        self.step = np.empty_like(parameters)
        return self

    def state(self) -> OptimizerState:
        """What `start` needs to go on from here."""
        return {name: getattr(self, name) for name in ("t", *self.state_names)}

    @abstractmethod
    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        """The step, to be subtracted from the parameters; valid until the next."""


class SGD(Optimizer):
    """Stochastic gradient descent with (Nesterov) momentum.

    v <- momentum * v + gradient; the step is v, or gradient + momentum * v with
    Nesterov's look-ahead (Sutskever et al., 2013).

    Parameters
    ----------
    momentum : float in [0, 1], default=0.9
        How much of the last step goes into the next.
    nesterovs_momentum : bool, default=True
        Whether to look ahead.
    """

    state_names = ("velocity",)
    velocity: np.ndarray

    def __init__(self, momentum: float = 0.9, nesterovs_momentum: bool = True) -> None:
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum

    @classmethod
    def from_parameters(cls, parameters: OptimizerParameters) -> Self:
        return cls(parameters.momentum, parameters.nesterovs_momentum)

    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        self.t += 1
        self.velocity *= self.momentum
        self.velocity += gradient
        if self.t % FLUSH_EVERY == 0:
            flush_subnormals(self.velocity, NEGLIGIBLE, self.step)
        if not self.nesterovs_momentum:
            return np.multiply(self.velocity, learning_rate, out=self.step)
        np.multiply(self.velocity, self.momentum, out=self.step)
        self.step += gradient
        self.step *= learning_rate
        return self.step


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient (Kingma and Ba, 2015).

    The step is c * m / (sqrt(v) + epsilon) with c = sqrt(1 - beta_2^t) /
    (1 - beta_1^t), the order of computation given at the end of the paper's
    section 2, which scikit-learn uses as well. The moments are kept without the factors
    1 - beta_1 and 1 - beta_2, which then cost a scalar instead of a pass over memory.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay of the first moment m and of the second moment v.
    epsilon : float, default=1e-8
        Keeps the division finite.
    """

    state_names = ("first_moment", "second_moment")
    first_moment: np.ndarray
    second_moment: np.ndarray

    def __init__(
        self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @classmethod
    def from_parameters(cls, parameters: OptimizerParameters) -> Self:
        return cls(parameters.beta_1, parameters.beta_2, parameters.epsilon)

    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        self.t += 1
        m, v, step = self.first_moment, self.second_moment, self.step
        m *= self.beta_1
        m += gradient
        v *= self.beta_2
        v += np.multiply(gradient, gradient, out=step)
        if self.t % FLUSH_EVERY == 0:
            flush_subnormals(m, NEGLIGIBLE, step)
            flush_subnormals(v, NEGLIGIBLE**2, step)

        root = math.sqrt(1 - self.beta_2)
        np.sqrt(v, out=step)
        step += self.epsilon / root
        np.divide(m, step, out=step)
        correction = math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        step *= learning_rate * correction * (1 - self.beta_1) / root
        return step


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}
"""Update rules by the name that `MLPSoftmaxClassifier(solver=...)` takes."""


class Regularization:
    """What pulls the first part of a parameter vector towards 0.

    Parameters
    ----------
    strength : float
        Of the penalty strength / 2 * ||p||^2, whose gradient goes through the update
        rule; 0 for none.
    n_weights : int
        Length of the part: weights, but not biases.
    weight_decay : float, default=0.0
        Part of the weights, times the learning rate, that each step takes off beside
        the update rule (Loshchilov and Hutter, 2019).
    """

    def __init__(self, l2: float, n_weights: int, weight_decay: float = 0.0) -> None:
        self.l2 = l2
        self.weight_decay = weight_decay
        self.part = np.s_[..., : n_weights if l2 > 0 else 0]
        self.decaying = np.s_[..., :n_weights]

    def value(self, parameters: np.ndarray) -> float:
        """The penalty itself; its mean for a stack of vectors."""
        weights = parameters[self.part].ravel()
        n_members = parameters.size // parameters.shape[-1]
        return 0.5 * self.l2 * float(np.dot(weights, weights)) / n_members

    def add_gradient(
        self, parameters: np.ndarray, gradient: np.ndarray, scratch: np.ndarray
    ) -> None:
        """Add the penalty's gradient, overwriting `gradient` and `scratch`."""
        part = self.part
        of_weights = gradient[part]
        of_weights += np.multiply(parameters[part], self.l2, out=scratch[part])

    def shrink(self, parameters: np.ndarray, learning_rate: float) -> None:
        """Take off the weight decay of one step."""
        if self.weight_decay:
            parameters[self.decaying] *= 1 - learning_rate * self.weight_decay


class ParameterUpdater:
    """Moves parameters along the direction that a rule gives.

    Parameters
    ----------
    rule : Rule
        A started update rule.
    parameters, gradient : ndarray of shape (..., n_parameters)
        The vector, or stack of vectors, to move, and the one to read before each step.
    decay : Decay
        Penalty on the parameters.
    factors : ndarray of shape (n_factors,), default=None
        Factors on the learning rate of the last so many parameters; None for all 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: np.ndarray,
        gradient: np.ndarray,
        regularization: Regularization,
        factors: np.ndarray | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.gradient = gradient
        self.regularization = regularization
        self.factors = factors

    def step(self, learning_rate: float) -> None:
        """Take one step against the gradient, overwriting the parameters."""
        self.regularization.add_gradient(
            self.parameters, self.gradient, self.optimizer.step
        )
        step = self.optimizer.update(self.gradient, learning_rate)
        if self.factors is not None:
            step[..., -len(self.factors) :] *= self.factors
        self.regularization.shrink(self.parameters, learning_rate)
        self.parameters -= step
        if self.optimizer.t % FLUSH_EVERY == 0:
            flush_subnormals(self.parameters, NEGLIGIBLE, step)

    @np.errstate(all="ignore")
    def penalty(self) -> float:
        """Value of the penalty at the present parameters."""
        return self.regularization.value(self.parameters)


def minimize_lbfgs(
    objective: Callable[[], float],
    parameters: np.ndarray,
    gradient: np.ndarray,
    regularization: Regularization,
    end_iteration: Callable[[float, np.ndarray], bool],
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
) -> OptimizeResult:
    """Minimise a full-batch loss with scipy's L-BFGS-B (Liu and Nocedal, 1989).

    Parameters
    ----------
    objective : callable
        Returns the loss at `parameters` (its mean for a stack of vectors, whose sum is
        minimised) and fills `gradient`.
    parameters, gradient : ndarray of float64 of shape (..., n_parameters)
        Overwritten; at the end `parameters` is the solution.
    decay : Decay
        Penalty on the parameters, added to loss and gradient here.
    end_iteration : callable
        Called with loss and parameters after each iteration; True ends the search.
    max_iter, max_fun : int
        Most iterations and most evaluations of the objective.
    tol : float
        The search ends when no component of the gradient is larger, or when an
        iteration lowers the loss by less than a part of 2.2e-5 * tol (at most 2.2e-9).

    Returns
    -------
    scipy.optimize.OptimizeResult
    """
    scratch = np.empty_like(parameters)
    shape = parameters.shape
    n_members = parameters.size // shape[-1]

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        parameters[...] = x.reshape(shape)
        value = objective() + regularization.value(parameters)
        regularization.add_gradient(parameters, gradient, scratch)
        return value * n_members, gradient.flatten()

    def callback(intermediate_result: OptimizeResult) -> None:
        loss = float(intermediate_result.fun) / n_members
        if end_iteration(loss, intermediate_result.x.reshape(shape)):
            raise StopIteration

    result = minimize(
        value_and_gradient,
        parameters.flatten(),
        method="L-BFGS-B",
        jac=True,
        callback=callback,
        options={
            "maxiter": max_iter,
            "maxfun": max_fun,
            "gtol": tol,
            # scipy's own where tol is scikit-learn's 1e-4 or more, else in proportion
            "ftol": 2.2e-9 * min(1.0, tol / 1e-4),
        },
    )
    parameters[...] = result.x.reshape(shape)
    return result
