"""A task to its outcome: train it, watch it, and settle what is kept."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import call

import numpy as np

from skmlp._sklearn_compat import FitTask
from skmlp.fitting.combining import combination
from skmlp.fitting.engines import Predictor, make_predictor
from skmlp.fitting.progress import shown
from skmlp.fitting.scoring import ModelInTraining, score_function
from skmlp.fitting.solvers import Trainer
from skmlp.fitting.task import Learnt, Memory, Task, TrainResult
from skmlp.nn.losses import SoftmaxCrossEntropy, softmax
from skmlp.optim.optimizers import OptimizerState
from skmlp.training.batches import Samples, TrainingRows
from skmlp.training.monitor import Evaluate, Monitor, Observer, StopReason
from skmlp.training.threads import SERIAL, Workers


def run_training(task: Task, solver: Trainer) -> TrainResult:
    """Train, from where former calls have left it."""
    at_work = task = replace(task, engine=solver.engine(task))
    if solver.dtype is not None:
        in_its_type = replace(task.architecture, dtype=solver.dtype)
        at_work = replace(task, architecture=in_its_type)
    parameters = task.parameters.astype(at_work.architecture.dtype)
    optimizer_state = task.memory.optimizer_state
    monitor = monitor_of(at_work, solver, parameters)
    if task.fit_task is not None:
        monitor.observers.append(EpochTasks(task, task.fit_task))
    try:
        optimizer_state = train_and_show(at_work, solver, parameters, monitor)
    except KeyboardInterrupt:  # also while threads are started, or waited for
        monitor.stop_reason = StopReason.INTERRUPTED
    monitor.finish()
    return TrainResult(
        learnt(task, monitor),
        monitor.stop_reason or ending_of_epochs(task),
        Memory(
            optimizer_state,
            monitor.plateaus[0] if len(monitor.plateaus) == 1 else None,
            task.memory.samples_seen + monitor.n_epochs * task.n_samples,
        ),
        scores_say_nothing=(
            task.validation is not None
            and all(math.isinf(plateau.lowest) for plateau in monitor.plateaus)
        ),
    )


def train_and_show(
    task: Task, solver: Trainer, parameters: np.ndarray, monitor: Monitor
) -> OptimizerState | None:
    """Train with the threads that the solver asks for, and show the progress."""
    with (
        solver.threads(task) as workers,
        shown(task.verbose, task.epochs_before, task.goal.max_iter) as observers,
    ):
        if monitor.evaluate is not None:
            monitor.evaluate = partial(monitor.evaluate, workers=workers)
        monitor.observers[:0] = observers  # show an epoch before a callback may raise
        try:
            return solver.train(task, parameters, monitor, workers)
        except KeyboardInterrupt:
            monitor.deadline = -math.inf  # other threads end behind their batch
            raise


def monitor_of(task: Task, solver: Trainer, parameters: np.ndarray) -> Monitor:
    """A monitor of the parameters that the solver is to move."""
    may_stop = solver.watches_training_loss or task.validation is not None
    return Monitor(
        parameters,
        tol=task.goal.tol,
        patience=task.goal.patience if may_stop else math.inf,
        initial_patience=task.goal.initial_patience,
        learning_rate=solver.learning_rate,
        plateau_factor=solver.plateau_factor,
        smallest_factor=solver.smallest_factor,
        evaluate=evaluation(task, parameters),
        plateau=task.memory.plateau,
        deadline=task.deadline,
    )


def ending_of_epochs(task: Task) -> StopReason:
    """How a task ends that nothing else has ended; held-out rows choose the epoch."""
    is_enough = task.goal.has_fixed_budget or task.validation is not None
    return StopReason.COMPLETED if is_enough else StopReason.MAX_ITER_REACHED


class EpochTasks(Observer):
    """Tells scikit-learn's callbacks of epochs, and lets them end training."""

    def __init__(self, task: Task, fit_task: FitTask) -> None:
        self.task = task
        self.fit_task = fit_task

    def begin_epoch(self, monitor: Monitor) -> None:
        # L-BFGS may evaluate its loss once more after the last iteration
        if monitor.n_epochs < self.task.goal.max_iter:
            self.fit_task.begin_epoch()

    def end_epoch(self, monitor: Monitor) -> None:
        def attributes() -> dict[str, object]:
            return learnt(self.task, monitor).attributes()

        if self.fit_task.end_epoch(attributes) and monitor.stop_reason is None:
            monitor.stop_reason = StopReason.BY_CALLBACK


# What is kept


@np.errstate(all="ignore")
def learnt(task: Task, monitor: Monitor) -> Learnt:
    """What is kept if training ends here."""
    vectors, epochs = monitor.select_parameters()
    parameters = vectors.astype(task.architecture.dtype)
    ensemble_weights, temperature = combination(task, parameters)
    return Learnt(
        task.architecture,
        parameters,
        {name: list(values) for name, values in monitor.history.items()},
        epochs.copy(),
        temperature,
        ensemble_weights,
        task.engine,
    )


# Held-out rows


def evaluation(task: Task, parameters: np.ndarray) -> Evaluate | None:
    """A function that gives log-loss and score of some networks on held-out rows.

    Each network has rows of its own. A crew takes the losses side by side, but
    scorers of any origin come one by one.
    """
    if task.validation is None:
        return None
    losses, scores = [], []
    for vector, part in zip(parameters, task.validation.split_members(), strict=True):
        network = make_predictor(task.architecture, vector, part.x)
        part = part.normalize_weights(task.architecture.dtype)
        losses.append(partial(log_loss, network, part))
        # our own log-loss also works where a class has no held-out row, and with one
        # class, where nothing could be scored
        if task.goal.scoring != "neg_log_loss" and len(task.classes) > 1:
            model = ModelInTraining(task.classes, partial(probabilities, network))
            score = score_function(
                task.goal.scoring,
                model,
                part.gather_inputs(),
                part.y_encoded,
                part.sample_weight,
            )
            scores.append(score)

    def evaluate(
        members: Sequence[int], workers: Workers = SERIAL
    ) -> tuple[np.ndarray, np.ndarray]:
        found = np.array(
            list(workers.map(call, [losses[member] for member in members]))
        )
        if not scores or not np.isfinite(found).all():
            return found, -found
        return found, np.array([scores[member]() for member in members])

    return evaluate


@np.errstate(all="ignore")
def log_loss(network: Predictor, samples: Samples) -> float:
    """Mean log-loss of samples, without label smoothing."""
    logits = network.logits(samples.x, samples.indices)
    return SoftmaxCrossEntropy().value(logits, samples.y_encoded, samples.sample_weight)


@np.errstate(all="ignore")
def probabilities(network: Predictor, x: TrainingRows) -> np.ndarray:
    """What a network says of the rows of x."""
    return softmax(network.logits(x))
