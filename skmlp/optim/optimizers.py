"""Optimizers of one flat parameter vector, or of a stack of them: SGD, Adam, L-BFGS."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy.optimize import OptimizeResult, minimize

OptimizerState = dict[str, Any]
"""State vectors of an optimizer by name, and "t", the number of steps so far."""

# a number so small that it changes no network; its square is still a normal number
NEGLIGIBLE = 1e-18
# steps between two flushes, each of which takes as long as 3 vector sums
FLUSH_EVERY = 64


def flush_subnormals(vector: np.ndarray, smallest: float, scratch: np.ndarray) -> None:
    """Set numbers below `smallest` to 0, overwriting `vector` and `scratch`."""
    # The momentum of a unit that is off for all rows, or its weights under a penalty,
    # shrink by a factor per step. They would end as subnormal numbers, which are slow
    # (see `probability_floor`), and stay so: 0.9 times the smallest is rounded to it.
    vector[np.abs(vector, out=scratch) < smallest] = 0


class Optimizer(ABC):
    """A first-order optimizer with state vectors, such as momentum."""

    state_names: tuple[str, ...] = ()  # attributes that hold the state vectors

    @classmethod
    def from_parameters(cls, parameters: Any) -> Self:
        """Construct from the attributes of `parameters` that `__init__` names."""
        names = inspect.signature(cls).parameters
        return cls(**{name: getattr(parameters, name) for name in names})

    def init_state(
        self, parameters: np.ndarray, state: OptimizerState | None = None
    ) -> Self:
        """Set the state to zeros, or to a copy of a former `state` of this optimizer.

        The state of another optimizer is useless and ignored.
        """
        if state is None or not state.keys() >= set(self.state_names):
            zeros = np.zeros_like(parameters)
            state = dict.fromkeys(self.state_names, zeros) | {"t": 0}
        self.t = int(state["t"])
        for name in self.state_names:
            setattr(self, name, state[name].astype(parameters.dtype, copy=True))
        self.step = np.empty_like(parameters)
        return self

    def state(self) -> OptimizerState:
        """Return the state, from which `init_state` resumes."""
        return {name: getattr(self, name) for name in ("t", *self.state_names)}

    @abstractmethod
    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        """Return the step to subtract from the parameters, valid until the next."""


class SGD(Optimizer):
    """Stochastic gradient descent with (Nesterov) momentum.

    v <- momentum * v + gradient; the step is v, or gradient + momentum * v with
    Nesterov's look-ahead (Sutskever et al., 2013).
    """

    state_names = ("velocity",)
    velocity: np.ndarray

    def __init__(self, momentum: float = 0.9, nesterovs_momentum: bool = True) -> None:
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum

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
    (1 - beta_1^t), the order of computation at the end of the paper's section 2, which
    scikit-learn uses as well.
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

    def update(self, gradient: np.ndarray, learning_rate: float = 1.0) -> np.ndarray:
        self.t += 1
        m, v, step = self.first_moment, self.second_moment, self.step
        # without the factors 1 - beta, which then cost a scalar further down instead of
        # a pass over memory here
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


# optimizers by the name that `MLPSoftmaxClassifier(solver=...)` takes
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


class Regularization:
    """L2 penalty l2 / 2 * ||w||^2, and decoupled weight decay, of the weights.

    The gradient of the penalty goes through the optimizer; weight decay (Loshchilov and
    Hutter, 2019) takes learning_rate * weight_decay of the weights off beside it.
    """

    def __init__(self, l2: float, n_weights: int, weight_decay: float = 0.0) -> None:
        self.l2 = l2
        self.weight_decay = weight_decay
        # weights are the first part of a parameter vector; biases are not regularized
        self.weights = np.s_[..., :n_weights]
        self.penalized = np.s_[..., : n_weights if l2 > 0 else 0]

    def value(self, parameters: np.ndarray) -> float:
        """Penalty, its mean for a stack of vectors."""
        weights = parameters[self.penalized].ravel()
        n_members = parameters.size // parameters.shape[-1]
        return 0.5 * self.l2 * float(np.dot(weights, weights)) / n_members

    def _add_gradient(
        self, parameters: np.ndarray, gradient: np.ndarray, scratch: np.ndarray
    ) -> None:
        """Add the penalty's gradient, overwriting `gradient` and `scratch`."""
        part = self.penalized
        weight_gradient = gradient[part]
        weight_gradient += np.multiply(parameters[part], self.l2, out=scratch[part])

    def decay(self, parameters: np.ndarray, learning_rate: float) -> None:
        """Apply the weight decay of one step."""
        if self.weight_decay:
            parameters[self.weights] *= 1 - learning_rate * self.weight_decay


class ParameterUpdater:
    """Apply an optimizer, regularization and learning-rate factors to parameters."""

    def __init__(
        self,
        optimizer: Optimizer,  # with its state initialized
        parameters: np.ndarray,  # (..., n_parameters), overwritten by `step`
        gradient: np.ndarray,  # of the same shape, overwritten as well
        regularization: Regularization,
        factors: np.ndarray | None = None,  # of the last parameters' learning rates
    ) -> None:
        self.optimizer = optimizer
        self.parameters = parameters
        self.gradient = gradient
        self.regularization = regularization
        self.factors = factors

    def step(self, learning_rate: float) -> None:
        """Take one step against the gradient."""
        self.regularization._add_gradient(
            self.parameters, self.gradient, self.optimizer.step
        )
        step = self.optimizer.update(self.gradient, learning_rate)
        if self.factors is not None:
            step[..., -len(self.factors) :] *= self.factors
        self.regularization.decay(self.parameters, learning_rate)
        self.parameters -= step
        if self.optimizer.t % FLUSH_EVERY == 0:
            flush_subnormals(self.parameters, NEGLIGIBLE, step)

    @np.errstate(all="ignore")
    def penalty(self) -> float:
        """Penalty on the present parameters."""
        return self.regularization.value(self.parameters)


def minimize_lbfgs(
    objective: Callable[[], float],  # fills `gradient`, returns the (mean) loss
    parameters: np.ndarray,  # (..., n_parameters), float64; ends as the solution
    gradient: np.ndarray,
    regularization: Regularization,
    end_iteration: Callable[[float, np.ndarray], bool],  # of loss, parameters; stop?
    *,
    max_iter: int,
    max_fun: int,  # most evaluations of the objective
    tol: float,  # on the largest component of the gradient
) -> OptimizeResult:
    """Minimize a full-batch loss with SciPy's L-BFGS-B (Liu and Nocedal, 1989)."""
    scratch = np.empty_like(parameters)
    shape = parameters.shape
    n_members = parameters.size // shape[-1]

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        parameters[...] = x.reshape(shape)
        value = objective() + regularization.value(parameters)
        regularization._add_gradient(parameters, gradient, scratch)
        # a stack of networks minimizes the sum, whose gradient is each network's own
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
            # relative decrease of the loss that ends the search: SciPy's default where
            # tol is scikit-learn's 1e-4 or more, else in proportion
            "ftol": 2.2e-9 * min(1.0, tol / 1e-4),
        },
    )
    parameters[...] = result.x.reshape(shape)
    return result
