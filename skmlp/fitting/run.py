"""One run of training: from settings and samples to the weights to keep."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from skmlp._sklearn import FitTask
from skmlp.fitting.progress import shown
from skmlp.fitting.recipe import Settings
from skmlp.fitting.scoring import ModelInTraining, score_function
from skmlp.nn.calibration import best_temperature
from skmlp.nn.losses import SoftmaxCrossEntropy, softmax
from skmlp.nn.network import BLOCK_ROWS, Architecture, Network
from skmlp.optim.optimizers import (
    OPTIMIZERS,
    Decay,
    Optimizer,
    Rule,
    minimize_lbfgs,
)
from skmlp.optim.schedules import SCHEDULES
from skmlp.saving.checkpoints import Checkpoint
from skmlp.training.batches import Batches, Samples
from skmlp.training.loop import Learner, full_batch, train
from skmlp.training.monitor import Monitor, Observer, Plateau
from skmlp.training.threads import side_by_side, suitable_threads

MEMBERS_TOGETHER = 16
"""Most networks of an ensemble whose matrices are multiplied as one stack."""

SMALLEST_SHARED_LAYER = 2**16
"""Outputs of a hidden layer, for a batch and two networks, from which stacks are worth
threads of their own: below, the threads mostly wait for their turn in Python."""


class Run(NamedTuple):
    """What one call of fit or partial_fit trains, from where, and on what.

    Attributes
    ----------
    estimator : MLPSoftmaxClassifier
        Its parameters say how; nothing of it is changed.
    settings : Settings
        Those parameters that may be "auto".
    architecture : Architecture
        Of the network, or of each network of an ensemble.
    start : ndarray of shape (n_parameters,) or (n_members, n_parameters)
        Where training starts.
    samples, held_out : Samples
        The rows to train on and those to score after each epoch, or None.
    rng : numpy.random.Generator
        Source of all draws.
    epochs_before : int
        Of which the reader of a printed line knows already.
    deadline : float
        Value of `time.monotonic` at which training is to end.
    checkpoint : Checkpoint or None
        Where the state is saved, and maybe gone on from.
    task : FitTask or None
        Where scikit-learn's callbacks hear of epochs.
    """

    estimator: Any
    settings: Settings
    architecture: Architecture
    start: np.ndarray
    samples: Samples
    held_out: Samples | None
    rng: np.random.Generator
    epochs_before: int = 0
    deadline: float = math.inf
    checkpoint: Checkpoint | None = None
    task: FitTask | None = None

    def decay(self) -> Decay:
        """The L2 penalty and the decay of weights, which leave biases alone.

        A row of weight 2 counts as two; but weights that are small altogether are as
        good as larger ones, and rows count no less than one each.
        """
        n_rows = self.samples.codes.shape[-1]
        strength = self.estimator.alpha / max(self.samples.total_weight(), n_rows)
        weight_decay = self.estimator.weight_decay
        return Decay(strength, self.architecture.n_weights, weight_decay)

    def loss(self) -> SoftmaxCrossEntropy:
        """What the training rows are measured by."""
        return SoftmaxCrossEntropy(self.estimator.label_smoothing)

    def rule(self) -> Rule:
        """The update rule of "sgd" or "adam"."""
        rule = OPTIMIZERS[self.estimator.solver]
        names = inspect.signature(rule).parameters
        return rule(**{name: getattr(self.estimator, name) for name in names})


class Outcome(NamedTuple):
    """What a run leaves: what happened, and what the rule remembers."""

    monitor: Monitor
    rule_state: dict[str, Any] | None


class EpochTasks(Observer):
    """Tells scikit-learn's callbacks of epochs, and lets them end training."""

    def __init__(self, run: Run, task: FitTask) -> None:
        self.run = run
        self.task = task

    def begin_epoch(self, monitor: Monitor) -> None:
        # "lbfgs" may evaluate its loss once more after the last iteration
        if monitor.n_epochs < self.run.settings.max_iter:
            self.task.begin_epoch()

    def end_epoch(self, monitor: Monitor) -> None:
        wants_end = self.task.end_epoch(partial(learnt, self.run, monitor))
        if wants_end and monitor.ending is None:
            monitor.ending = "callback"


class Saver(Observer):
    """Saves the state of training when the checkpoint is due, and at the end."""

    def __init__(
        self, run: Run, checkpoint: Checkpoint, learners: Sequence[Learner]
    ) -> None:
        self.run = run
        self.checkpoint = checkpoint
        self.learners = learners

    def end_epoch(self, monitor: Monitor) -> None:
        if monitor.is_out_of_time():
            return  # the epoch may have been cut short, which nobody can go on from
        is_last = monitor.n_epochs == self.run.settings.max_iter
        is_over = is_last or monitor.ending is not None
        if is_over or self.checkpoint.is_due(monitor.n_epochs):
            self.checkpoint.save(
                {
                    "monitor": monitor.state(),
                    "rule": memory_of(self.learners),
                    "draws": [one.rng.bit_generator.state for one in self.learners],
                }
            )


@np.errstate(all="ignore")
def learnt(run: Run, monitor: Monitor) -> dict[str, Any]:
    """The fitted attributes of the estimator if training ended here."""
    vectors, epoch = monitor.kept()
    parameters = vectors.astype(run.architecture.dtype)
    return {
        "architecture_": run.architecture,
        "parameters_": parameters,
        "history_": {name: list(values) for name, values in monitor.history.items()},
        "best_iter_": epoch,
        "temperature_": temperature_of(run, parameters),
    }


def carry_out(
    run: Run,
    rule_state: dict[str, Any] | None,
    plateau: Plateau | None,
    samples_seen: int,
) -> Outcome:
    """Train, from where former runs have left rule and plateau."""
    params, settings = run.estimator, run.settings
    steps = params.solver != "lbfgs"
    at_work = run
    if not steps:
        # the line search can't meet its tolerances in float32
        in_float64 = dataclasses.replace(run.architecture, dtype="float64")
        at_work = run._replace(architecture=in_float64)
    parameters = run.start.astype(at_work.architecture.dtype)
    # without held-out rows, "lbfgs" goes on as far as its gradient leads
    may_stop = steps or run.held_out is not None
    schedule = SCHEDULES[settings.learning_rate](
        power_t=params.power_t,
        n_epochs=settings.max_iter,
        n_samples=run.samples.codes.shape[-1],
        samples_seen=samples_seen,
    )
    monitor = Monitor(
        parameters,
        tol=params.tol,
        patience=settings.n_iter_no_change if may_stop else np.inf,
        learning_rate=params.learning_rate_init,
        plateau_factor=schedule.plateau_factor if steps else None,
        evaluate=evaluation(at_work, parameters),
        plateau=plateau,
        deadline=run.deadline,
    )
    with shown(params.verbose, run.epochs_before, settings.max_iter) as observers:
        monitor.observers += observers
        if run.task is not None:
            monitor.observers.append(EpochTasks(run, run.task))
        try:
            if steps:
                rule_state = descend(run, parameters, monitor, schedule, rule_state)
            else:
                solve_full_batch(at_work, parameters, monitor)
        except KeyboardInterrupt:
            monitor.ending = "interrupted"
    monitor.finish()
    return Outcome(monitor, rule_state)


def temperature_of(run: Run, parameters: np.ndarray) -> float:
    """What the logits are divided by: as given, or fitted on the held-out rows.

    Members of an ensemble that hold out other rows each give no row that all of them
    could be judged by; a fit on the rows of each would make up for a confidence that
    their mean does not have.
    """
    wanted = run.estimator.temperature
    if wanted != "auto":
        return 1.0 if wanted is None else float(wanted)
    if run.held_out is None:
        return 1.0
    parts = run.held_out.each()
    rows_of_each = [part.rows for part in parts if part.rows is not None]
    if len(rows_of_each) > 1 and np.ptp(rows_of_each, axis=0).any():
        return 1.0
    x, codes, weight, rows = parts[0].with_mean_weight_one("float64")
    logits = Network(run.architecture, parameters).logits(x, rows)
    return best_temperature(logits.astype(np.float64), codes, weight)


def descend(
    run: Run,
    parameters: np.ndarray,
    monitor: Monitor,
    schedule: Any,
    rule_state: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """Train step by step, with "sgd" or "adam"; return the rule's memory."""
    batch_size = run.settings.batch_size
    saved = None if run.checkpoint is None else run.checkpoint.training
    if saved is not None:
        monitor.restore(saved["monitor"])
        parameters[...] = monitor.parameters
        rule_state = saved["rule"]
    if parameters.ndim == 1:
        learners = [learner(run, parameters, run.rng, rule_state)]
        largest = run.architecture.largest_product(batch_size)
        threads = suitable_threads(largest)
    else:
        learners = learners_of_members(run, parameters, rule_state)
        threads = side_by_side(len(learners))
    if saved is not None:
        for one, draws in zip(learners, saved["draws"], strict=True):
            one.rng.bit_generator.state = draws
    if run.checkpoint is not None:
        # before those that may take long or raise
        monitor.observers.insert(0, Saver(run, run.checkpoint, learners))
    with threads as run_all:
        train(
            learners,
            parameters,
            monitor,
            learning_rate=run.estimator.learning_rate_init,
            schedule=schedule,
            n_epochs=run.settings.max_iter,
            run=run_all,
        )
    if monitor.ending == "diverged":
        return rule_state
    if monitor.ending is None and schedule.has_end:
        monitor.ending = "schedule"
    return memory_of(learners)


def memory_of(learners: Sequence[Learner]) -> dict[str, Any]:
    """What the update rules remember, put together for all networks."""
    first, *others = [one.optimizer.rule.state() for one in learners]
    if not others:
        return first
    vectors = {
        name: np.concatenate([first[name], *(state[name] for state in others)])
        for name in first.keys() - {"t"}
    }
    return {"t": first["t"], **vectors}


def learners_of_members(
    run: Run, parameters: np.ndarray, rule_state: dict[str, Any] | None
) -> list[Learner]:
    """The networks of an ensemble, some of them as one stack."""
    together = MEMBERS_TOGETHER
    widest = max(run.architecture.hidden_layer_sizes, default=0)
    if 2 * run.settings.batch_size * widest >= SMALLEST_SHARED_LAYER:
        together = min(together, 2)
    if issparse(run.samples.x):
        together = 1  # sparse rows can't be stacked
    learners = []
    for start in range(0, len(parameters), together):
        members = slice(start, start + together)
        state = None
        if rule_state is not None:
            state = {
                name: memory if name == "t" else memory[members]
                for name, memory in rule_state.items()
            }
        part = run._replace(samples=run.samples.members(members))
        # draws of its own, so that the threads' timing has no say in the outcome
        rng = np.random.default_rng(run.rng.integers(2**63, size=2))
        learners.append(learner(part, parameters[members], rng, state))
    return learners


def learner(
    run: Run,
    parameters: np.ndarray,
    rng: np.random.Generator,
    rule_state: dict[str, Any] | None,
) -> Learner:
    """A network, or a stack of networks, ready to be trained."""
    gradient = np.empty_like(parameters)
    return Learner(
        Network(run.architecture, parameters, gradient, rng),
        run.loss(),
        Optimizer(
            run.rule().start(parameters, rule_state),
            parameters,
            gradient,
            run.decay(),
            run.architecture.learning_rate_factors(),
        ),
        Batches(
            run.samples.with_mean_weight_one(run.architecture.dtype),
            run.settings.batch_size,
            rng if run.estimator.shuffle else None,
        ),
        rng,
    )


def solve_full_batch(run: Run, parameters: np.ndarray, monitor: Monitor) -> None:
    """Train on all rows at once, with "lbfgs"."""
    gradient = np.empty_like(parameters)
    batch_size = min(BLOCK_ROWS, run.samples.codes.shape[-1])
    objectives = [
        full_batch(
            Network(run.architecture, vector, its_gradient, run.rng),
            run.loss(),
            Batches(samples.with_mean_weight_one("float64"), batch_size, rng=None),
        )
        for vector, its_gradient, samples in zip(
            one_by_one(parameters),
            one_by_one(gradient),
            run.samples.each(),
            strict=True,
        )
    ]

    def mean_objective() -> float:
        monitor.begin_epoch()
        return float(np.mean([objective() for objective in objectives]))

    threads = suitable_threads(run.architecture.largest_product(batch_size))
    with threads, np.errstate(all="ignore"):
        result = minimize_lbfgs(
            mean_objective,
            parameters,
            gradient,
            run.decay(),
            monitor.end_epoch,
            max_iter=run.settings.max_iter,
            max_fun=run.estimator.max_fun,
            tol=run.estimator.tol,
        )
    if monitor.n_epochs == 0:
        monitor.end_epoch(result.fun, parameters)
    if monitor.ending is None and result.success:
        monitor.ending = "converged"


def one_by_one(parameters: np.ndarray) -> np.ndarray:
    """The vectors of a stack, or a vector alone."""
    return parameters.reshape(-1, parameters.shape[-1])


def evaluation(
    run: Run, parameters: np.ndarray
) -> Callable[[], tuple[float, float]] | None:
    """A function that gives log-loss and score of the held-out rows.

    For an ensemble, the means over its networks, each on rows of its own.
    """
    if run.held_out is None:
        return None
    losses, scores = [], []
    for vector, part in zip(one_by_one(parameters), run.held_out.each(), strict=True):
        network = Network(run.architecture, vector)
        part = part.with_mean_weight_one(run.architecture.dtype)
        losses.append(partial(log_loss, network, part))
        # our own log-loss also works where a class has no held-out row, and with one
        # class, where nothing could be scored
        if run.estimator.scoring != "neg_log_loss" and run.architecture.n_classes > 1:
            model = ModelInTraining(
                run.estimator.classes_, partial(probabilities, network)
            )
            score = score_function(
                run.estimator.scoring, model, part.inputs(), part.codes, part.weight
            )
            scores.append(score)

    def evaluate() -> tuple[float, float]:
        with np.errstate(all="ignore"):
            loss = float(np.mean([loss() for loss in losses]))
        if not scores or not np.isfinite(loss):
            return loss, -loss
        return loss, float(np.mean([score() for score in scores]))

    return evaluate


def log_loss(network: Network, samples: Samples) -> float:
    """Mean log-loss of samples, without label smoothing."""
    logits = network.logits(samples.x, samples.rows)
    return SoftmaxCrossEntropy().value(logits, samples.codes, samples.weight)


@np.errstate(all="ignore")
def probabilities(network: Network, x: Any) -> np.ndarray:
    """What a network says of the rows of x."""
    return softmax(network.logits(x))
