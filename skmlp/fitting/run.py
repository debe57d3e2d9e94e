"""A training run: train, validate after each epoch, combine the networks, and warn."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import call

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmlp._sklearn_compat import FitTask
from skmlp.backend import Predictor, make_predictor
from skmlp.defaults import is_auto
from skmlp.ensemble.combining import fit_combination
from skmlp.fitting.config import TrainingRun, TrainResult
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.progress import open_progress
from skmlp.fitting.scoring import ModelInTraining, make_score_function
from skmlp.fitting.solvers import SOLVERS
from skmlp.fitting.trainer import Trainer
from skmlp.nn.losses import SoftmaxCrossEntropy, softmax
from skmlp.optim.optimizers import OptimizerState
from skmlp.training.batches import Samples, TrainingRows
from skmlp.training.monitor import Evaluate, Monitor, Observer, StopReason
from skmlp.training.threads import SERIAL, Workers


def run_training(run: TrainingRun, trainer: Trainer) -> TrainResult:
    """Train the networks of a run, and return the weights to keep."""
    run = in_training = replace(run, backend=trainer.select_backend(run))
    if trainer.dtype is not None:  # L-BFGS needs float64, whatever is stored
        architecture = replace(run.architecture, dtype=trainer.dtype)
        in_training = replace(run, architecture=architecture)
    parameters = run.parameters.astype(in_training.architecture.dtype)
    optimizer_state = run.optimizer_state
    monitor = _create_monitor(in_training, trainer, parameters)
    if run.fit_task is not None:
        monitor.observers.append(_CallbackObserver(run, run.fit_task))
    try:
        optimizer_state = _train(in_training, trainer, parameters, monitor)
    except KeyboardInterrupt:  # also while threads are started, or waited for
        monitor.stop_reason = StopReason.INTERRUPTED
    monitor.finish()
    if monitor.stop_reason is None:
        # validation chooses the epoch; without it, the loss could have fallen on
        is_enough = run.config.has_fixed_budget or run.data.validation is not None
        monitor.stop_reason = (
            StopReason.COMPLETED if is_enough else StopReason.MAX_ITER_REACHED
        )
    return replace(
        _create_result(run, monitor),
        optimizer_state=optimizer_state,
        plateau=monitor.plateaus[0] if len(monitor.plateaus) == 1 else None,
        samples_seen=run.samples_seen + monitor.n_epochs * run.n_samples,
        lacks_scores=run.data.validation is not None
        and all(math.isinf(plateau.lowest) for plateau in monitor.plateaus),
    )


def _train(
    run: TrainingRun, trainer: Trainer, parameters: np.ndarray, monitor: Monitor
) -> OptimizerState | None:
    """Train with the threads that the trainer asks for, and show the progress."""
    config = run.config
    with (
        trainer.open_threads(run) as workers,
        open_progress(config.verbose, run.epochs_before, config.max_iter) as observers,
    ):
        if monitor.evaluate is not None:
            monitor.evaluate = partial(monitor.evaluate, workers=workers)
        monitor.observers[:0] = observers  # show an epoch before a callback may raise
        try:
            return trainer.train(run, parameters, monitor, workers)
        except KeyboardInterrupt:
            monitor.deadline = -math.inf  # other threads end after their batch
            raise


def _create_monitor(
    run: TrainingRun, trainer: Trainer, parameters: np.ndarray
) -> Monitor:
    """Return a monitor of the parameters that the trainer is to move."""
    config = run.config
    may_stop = trainer.watches_training_loss or run.data.validation is not None
    return Monitor(
        parameters,
        tol=config.tol,
        patience=config.n_iter_no_change if may_stop else math.inf,
        initial_patience=config.initial_patience,
        learning_rate=trainer.learning_rate,
        plateau_factor=trainer.plateau_factor,
        smallest_factor=trainer.smallest_factor,
        evaluate=_create_evaluation(run, parameters),
        plateau=run.plateau,
        deadline=run.deadline,
    )


@np.errstate(all="ignore")
def _create_result(run: TrainingRun, monitor: Monitor) -> TrainResult:
    """Return the result if training ended here."""
    vectors, epochs = monitor.select_parameters()
    parameters = vectors.astype(run.architecture.dtype)
    ensemble_weights, temperature = fit_combination(run, parameters)
    return TrainResult(
        run.data.classes,
        run.architecture,
        parameters,
        {name: list(values) for name, values in monitor.history.items()},
        epochs.copy(),
        ensemble_weights,
        temperature,
        run.backend,
        monitor.stop_reason,
    )


class _CallbackObserver(Observer):
    """Reports epochs to scikit-learn's callbacks, which may end training."""

    def __init__(self, run: TrainingRun, fit_task: FitTask) -> None:
        self.run = run
        self.fit_task = fit_task

    def begin_epoch(self, monitor: Monitor) -> None:
        # L-BFGS may evaluate its loss once more after the last iteration
        if monitor.n_epochs < self.run.config.max_iter:
            self.fit_task.begin_epoch()

    def end_epoch(self, monitor: Monitor) -> None:
        wants_end = self.fit_task.end_epoch(
            lambda: _create_result(self.run, monitor).attributes()
        )
        if wants_end and monitor.stop_reason is None:
            monitor.stop_reason = StopReason.BY_CALLBACK


# Validation


def _create_evaluation(run: TrainingRun, parameters: np.ndarray) -> Evaluate | None:
    """Return a function that gives loss and score of some networks on validation rows.

    Each network has its own rows. Workers compute losses in parallel; scorers, which
    may be any code, run one after the other.
    """
    if run.data.validation is None:
        return None
    config, classes = run.config, run.data.classes
    losses, scores = [], []
    for vector, part in zip(
        parameters, run.data.validation.split_members(), strict=True
    ):
        network = make_predictor(run.architecture, vector, part.x)
        part = part.normalize_weights(run.architecture.dtype)
        losses.append(partial(_compute_log_loss, network, part))
        # our own log-loss also works where a class has no validation row, and with one
        # class, where no scorer would
        if config.scoring != "neg_log_loss" and len(classes) > 1:
            model = ModelInTraining(classes, partial(_predict_proba, network))
            score = make_score_function(
                config.scoring,
                model,
                part.gather_inputs(),
                part.y_encoded,
                part.sample_weight,
            )
            scores.append(score)

    def evaluate(
        members: Sequence[int], workers: Workers = SERIAL
    ) -> tuple[np.ndarray, np.ndarray]:
        chosen = [losses[member] for member in members]
        log_losses = np.array(list(workers.map(call, chosen)))  # (n_members,)
        if not scores or not np.isfinite(log_losses).all():
            return log_losses, -log_losses
        return log_losses, np.array([scores[member]() for member in members])

    return evaluate


@np.errstate(all="ignore")
def _compute_log_loss(network: Predictor, samples: Samples) -> float:
    """Return the mean log-loss of samples, without label smoothing."""
    logits = network.logits(samples.x, samples.indices)
    return SoftmaxCrossEntropy().value(logits, samples.y_encoded, samples.sample_weight)


@np.errstate(all="ignore")
def _predict_proba(network: Predictor, x: TrainingRows) -> np.ndarray:
    """Return the probabilities (n_rows, n_classes) by a network."""
    return softmax(network.logits(x))


# Warnings


def warn_about_training(
    result: TrainResult, parameters: Parameters, max_iter: int, is_scaled: bool
) -> None:
    """Warn if training was interrupted, diverged, ended too early or gave no score.

    `is_scaled` says that an encoder has scaled X, so that scaling is no remedy.
    """
    best = result.best_epochs
    origin = f"of {format_epochs(best)}" if best.any() else "at the start"
    category: type[Warning] = ConvergenceWarning
    if result.stop_reason == StopReason.INTERRUPTED:
        category = UserWarning
        message = (
            f"Training interrupted by user in epoch {result.n_epochs + 1}; the weights "
            f"{origin} are kept."
        )
    elif result.stop_reason == StopReason.DIVERGED:
        loss = result.history["loss"][-1] if result.n_epochs else math.nan
        message = (
            f"training diverged in epoch {result.n_epochs}: the loss became "
            f"{loss:.3g}. The last good weights, those {origin}, are kept. Lower "
            f"{_list_too_large(parameters)}{'' if is_scaled else ', or scale X'}."
        )
    elif result.stop_reason == StopReason.MAX_ITER_REACHED:
        message = (
            f'solver="{parameters.solver}" ended after {result.n_epochs} iterations, '
            f"before the loss had settled. Raise max_iter={max_iter}"
            f"{'' if is_scaled else ', scale X'}, or "
            f"{SOLVERS[parameters.solver].advice}."
        )
    elif result.lacks_scores:
        category = UserWarning
        message = (
            f"scoring={parameters.scoring!r} gave no finite score on the held-out rows "
            "in any epoch; the last weights are kept."
        )
    else:
        return
    warnings.warn(message, category, stacklevel=3)


def format_epochs(epochs: np.ndarray) -> str:
    """Return "epoch 3", or "epochs 3 to 5"."""
    first, last = epochs.min(), epochs.max()
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def _list_too_large(parameters: Parameters) -> str:
    """List the parameters to lower after divergence."""
    rate = parameters.learning_rate_init
    # a step that takes off more than there is makes weights grow
    penalties = [
        f"{name}={value:g}"
        for name in ("alpha", "weight_decay")
        if not is_auto(value := getattr(parameters, name)) and value > max(1, 1 / rate)
    ]
    return " and ".join(penalties) or f"learning_rate_init={rate:g}"
