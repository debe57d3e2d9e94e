"""Update rules on bowls and against other people's, the penalty, and L-BFGS."""

import math
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import check_grad
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from skmlp.optim.optimizers import (
    FLUSH_EVERY,
    OPTIMIZERS,
    SGD,
    Adam,
    ParameterUpdater,
    Regularization,
    minimize_lbfgs,
)

EVERY_RULE = pytest.mark.parametrize("name", OPTIMIZERS)
GRADIENTS = np.random.default_rng(0).normal(size=(20, 4))
START = np.array([3.0, -2.0, 0.5, 0.0])


def run(optimizer, gradients=GRADIENTS, start=START, learning_rate=0.1):
    """Parameters after each step; `optimizer` is a started one."""
    x = start.copy()
    path = []
    for gradient in gradients:
        x -= optimizer.update(gradient, learning_rate)
        path.append(x.copy())
    return np.array(path)


@EVERY_RULE
@pytest.mark.parametrize("curvatures", [(2, 2), (1, 20), (0.3, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reaches_the_bottom_of_a_bowl(name, curvatures, dtype):
    x = np.array([3.0, -2.0], dtype)
    optimizer = OPTIMIZERS[name]().init_state(x)
    for _ in range(2000):
        x -= 0.01 * optimizer.update(np.array(curvatures, dtype) * x)
    assert np.abs(x).max() < 0.05


@EVERY_RULE
def test_leaves_the_gradient_alone_and_keeps_float32(name):
    gradient = GRADIENTS[0].astype(np.float32)
    optimizer = OPTIMIZERS[name]().init_state(np.zeros(4, np.float32))
    step = optimizer.update(gradient, 0.1)
    assert step.dtype == np.float32
    assert {a.dtype for a in optimizer.state().values() if np.ndim(a)} == {step.dtype}
    assert_array_equal(gradient, GRADIENTS[0].astype(np.float32))


@EVERY_RULE
def test_the_learning_rate_scales_the_step(name):
    whole, tenth = (OPTIMIZERS[name]().init_state(START) for _ in range(2))
    for gradient in GRADIENTS:
        expected = 0.1 * whole.update(gradient)
        assert_allclose(tenth.update(gradient, 0.1), expected, rtol=1e-12)


def sgd_by_hand(gradients, momentum, nesterov, learning_rate):
    """One parameter's path, in plain numbers."""
    x, velocity, path = 0.0, 0.0, []
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        ahead = gradient + momentum * velocity
        x -= learning_rate * (ahead if nesterov else velocity)
        path.append(x)
    return path


def adam_by_hand(gradients, beta_1, beta_2, epsilon, learning_rate):
    """Kingma and Ba (2015), Algorithm 1 with the order of section 2's last lines."""
    x, m, v, path = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        rate = learning_rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        x -= rate * m / (math.sqrt(v) + epsilon)
        path.append(x)
    return path


SGD_SETTINGS = pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.9, True), (0.9, False), (0.0, True), (0.3, True)]
)
ADAM_SETTINGS = pytest.mark.parametrize(
    ("beta_1", "beta_2", "epsilon"),
    [(0.9, 0.999, 1e-8), (0.8, 0.95, 0.1), (0.0, 0.0, 1e-8)],
)


@SGD_SETTINGS
def test_sgd_agrees_with_the_formula_in_plain_numbers(momentum, nesterov):
    actual = run(SGD(momentum, nesterov).init_state(START), start=np.zeros(4))
    for unit, gradients in enumerate(GRADIENTS.T.tolist()):
        expected = sgd_by_hand(gradients, momentum, nesterov, 0.1)
        assert_allclose(actual[:, unit], expected, rtol=1e-12, atol=1e-14)


@ADAM_SETTINGS
def test_adam_agrees_with_the_formula_in_plain_numbers(beta_1, beta_2, epsilon):
    actual = run(Adam(beta_1, beta_2, epsilon).init_state(START), start=np.zeros(4))
    for unit, gradients in enumerate(GRADIENTS.T.tolist()):
        expected = adam_by_hand(gradients, beta_1, beta_2, epsilon, 0.1)
        assert_allclose(actual[:, unit], expected, rtol=1e-12, atol=1e-14)


def run_scikit_learn(make_optimizer):
    parameters = [START.copy()]
    updater = make_optimizer(parameters)
    path = []
    for gradient in GRADIENTS:
        updater.update_params(parameters, [gradient])
        path.append(parameters[0].copy())
    return path


@SGD_SETTINGS
def test_sgd_walks_with_scikit_learn(momentum, nesterov):
    expected = run_scikit_learn(
        lambda parameters: SGDOptimizer(
            parameters, learning_rate_init=0.1, momentum=momentum, nesterov=nesterov
        )
    )
    actual = run(SGD(momentum, nesterov).init_state(START))
    assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


@ADAM_SETTINGS
def test_adam_walks_with_scikit_learn(beta_1, beta_2, epsilon):
    expected = run_scikit_learn(
        lambda parameters: AdamOptimizer(
            parameters,
            learning_rate_init=0.1,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
        )
    )
    actual = run(Adam(beta_1, beta_2, epsilon).init_state(START))
    assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


@EVERY_RULE
def test_goes_on_from_a_state_as_if_never_interrupted(name):
    expected = run(OPTIMIZERS[name]().init_state(START))
    first = OPTIMIZERS[name]().init_state(START)
    beginning = run(first, GRADIENTS[:7])
    second = OPTIMIZERS[name]().init_state(START, first.state())
    end = run(second, GRADIENTS[7:], start=beginning[-1])
    assert_array_equal(np.vstack([beginning, end]), expected)


@EVERY_RULE
def test_start_copies_the_state(name):
    optimizer = OPTIMIZERS[name]().init_state(START)
    run(optimizer)
    state = {key: np.copy(value) for key, value in optimizer.state().items()}
    given = {key: np.copy(value) for key, value in state.items()}
    run(OPTIMIZERS[name]().init_state(START, given))
    for key, value in given.items():
        assert_array_equal(value, state[key])


@EVERY_RULE
def test_starts_anew_when_started_again(name):
    optimizer = OPTIMIZERS[name]().init_state(START)
    assert_array_equal(run(optimizer), run(optimizer.init_state(START)))


@pytest.mark.parametrize(("name", "other"), permutations(OPTIMIZERS, 2))
def test_the_state_of_another_rule_counts_as_none(name, other):
    predecessor = OPTIMIZERS[other]().init_state(START)
    run(predecessor)
    optimizer = OPTIMIZERS[name]().init_state(START, predecessor.state())
    assert_array_equal(run(optimizer), run(OPTIMIZERS[name]().init_state(START)))


def test_decay_is_half_the_squared_length_of_the_weights():
    regularization = Regularization(0.5, n_weights=2)
    assert regularization.value(START) == 0.25 * (3**2 + 2**2)


@pytest.mark.parametrize("l2", [0.0, 0.5, 3.0])
def test_the_gradient_of_decay_is_its_slope_and_comes_on_top(l2):
    regularization = Regularization(l2, n_weights=3)

    def gradient(x):
        total = np.full_like(x, 7.0)
        regularization._add_gradient(x, total, np.empty_like(x))
        return total - 7

    assert check_grad(regularization.value, gradient, START) < 1e-6
    assert gradient(START)[3:] == 0


@EVERY_RULE
def test_a_step_moves_the_parameters_in_place_along_gradient_plus_decay(name):
    parameters, gradient = START.copy(), np.empty(4)
    optimizer = OPTIMIZERS[name]().init_state(parameters)
    updater = ParameterUpdater(
        optimizer, parameters, gradient, Regularization(0.2, n_weights=2)
    )
    expected = START.copy()
    twin = OPTIMIZERS[name]().init_state(expected)
    shrinking = np.array([0.2, 0.2, 0, 0])
    for row in GRADIENTS:
        gradient[:] = row
        updater.step(0.1)
        expected -= twin.update(row + shrinking * expected, 0.1)
    assert_allclose(parameters, expected, rtol=1e-12)
    assert updater.penalty() == pytest.approx(0.1 * np.sum(expected[:2] ** 2))


class Quadratic:
    """1/2 x'Ax - b'x with known minimum, written as L-BFGS wants it."""

    def __init__(self, n=30, l2=0.0):
        rng = np.random.default_rng(0)
        root = rng.normal(size=(n, n))
        self.a = root @ root.T / n + 0.1 * np.eye(n)
        self.b = rng.normal(size=n)
        self.l2 = l2
        self.parameters = np.zeros(n)
        self.gradient = np.empty(n)
        self.n_calls = 0
        self.values = []

    def objective(self):
        self.n_calls += 1
        self.gradient[:] = self.a @ self.parameters - self.b
        return 0.5 * self.parameters @ (self.gradient - self.b)

    def bottom(self):
        penalty = self.l2 * np.eye(len(self.b))
        return np.linalg.solve(self.a + penalty, self.b)

    def minimize(self, end_iteration=None, max_iter=1000, max_fun=1000, tol=1e-8):
        def watch(value, parameters):
            self.values.append(value)
            return end_iteration is not None and end_iteration(value, parameters)

        return minimize_lbfgs(
            self.objective,
            self.parameters,
            self.gradient,
            Regularization(self.l2, n_weights=len(self.b)),
            watch,
            max_iter=max_iter,
            max_fun=max_fun,
            tol=tol,
        )


@pytest.mark.parametrize("l2", [0.0, 0.7])
def test_lbfgs_reaches_the_bottom_of_a_quadratic(l2):
    problem = Quadratic(l2=l2)
    result = problem.minimize()
    assert result.success
    assert_allclose(problem.parameters, problem.bottom(), atol=1e-4)
    penalty = 0.5 * l2 * np.sum(problem.parameters**2)
    assert problem.values[-1] == pytest.approx(problem.objective() + penalty)


def test_lbfgs_stops_after_max_iter_iterations():
    problem = Quadratic()
    result = problem.minimize(max_iter=3)
    assert len(problem.values) == result.nit == 3
    assert not result.success


def test_lbfgs_stops_after_max_fun_evaluations():
    problem = Quadratic()
    result = problem.minimize(max_fun=5)
    # scipy's line search, of at most 20 evaluations, ends before the search does
    assert 5 <= problem.n_calls <= 5 + 20
    assert not result.success


def test_lbfgs_stops_when_the_gradient_is_small_enough():
    coarse, fine = Quadratic(), Quadratic()
    coarse.minimize(tol=0.1)
    fine.minimize(tol=1e-6)
    coarse.objective()
    assert np.abs(coarse.gradient).max() <= 0.1
    assert coarse.n_calls < fine.n_calls


def test_lbfgs_stops_when_told_and_keeps_the_parameters_of_that_iteration():
    problem = Quadratic()
    seen = []

    def end_iteration(value, parameters):
        seen.append(parameters.copy())
        return len(seen) == 4

    problem.minimize(end_iteration)
    assert len(seen) == 4
    assert_array_equal(problem.parameters, seen[-1])
    assert problem.values == sorted(problem.values, reverse=True)


@pytest.mark.parametrize("optimizer", [SGD(0.9), Adam(beta_2=0.9)], ids=["sgd", "adam"])
def test_what_fades_becomes_zero(optimizer):
    parameters, gradient = np.ones(4, np.float32), np.ones(4, np.float32)
    regularization = Regularization(0.0, 4, weight_decay=0.5)
    updater = ParameterUpdater(
        optimizer.init_state(parameters), parameters, gradient, regularization
    )
    updater.step(0.1)
    gradient[:] = 0
    for _ in range(20 * FLUSH_EVERY):
        updater.step(0.1)
    for vector in [
        parameters,
        *(getattr(optimizer, name) for name in optimizer.state_names),
    ]:
        assert_array_equal(vector, 0)


@EVERY_RULE
def test_steps_are_counted(name):
    optimizer = OPTIMIZERS[name]().init_state(START)
    for gradient in GRADIENTS:
        optimizer.update(gradient)
    assert optimizer.state()["t"] == len(GRADIENTS)
