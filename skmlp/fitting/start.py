"""Where training starts: a network with its first weights, or the past of a model."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skmlp.data.targets import Targets, check_label_types, has_same_labels
from skmlp.fitting.engines import NUMPY
from skmlp.fitting.parameters import ActivationLike, Parameters
from skmlp.fitting.recipe import (
    Kind,
    Settings,
    is_auto,
    numbers_to_embed,
    settle,
)
from skmlp.fitting.solvers import SOLVERS, stack_states
from skmlp.fitting.task import Data, Goal, Learnt, Member, Memory, Task, TrainResult
from skmlp.nn.activations import resolve_activation
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OptimizerState
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.persistence.fingerprints import fingerprint_fit
from skmlp.tabular.frame import format_list
from skmlp.tabular.labels import read_labels
from skmlp.training.batches import Samples, TrainingRows
from skmlp.training.monitor import PlateauTracker, StopReason

MOST_WEIGHTS = 2**40
"""Weights of all networks together; more than these take terabytes of memory."""


class Fitted(Protocol):
    """An estimator, as far as training may go on from it."""

    classes_: np.ndarray
    architecture_: Architecture
    parameters_: np.ndarray
    history_: dict[str, list[float]]
    best_iter_: int | np.ndarray
    temperature_: float
    t_: int
    _optimizer_state: OptimizerState | None
    _plateau: PlateauTracker | None


class FittedState(NamedTuple):
    """What a model has become so far, for training to go on from.

    Its encoder is not here: it stays with the estimator, which reads X by it.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Its labels.
    learnt : Learnt
        Its network, weights and history.
    memory : Memory
        What its training remembers.
    """

    classes: np.ndarray
    learnt: Learnt
    memory: Memory

    @classmethod
    def of(cls, estimator: Fitted) -> Self | None:
        """That of an estimator; None if it is not fitted."""
        if "parameters_" not in vars(estimator):
            return None
        learnt = Learnt(
            estimator.architecture_,
            np.atleast_2d(estimator.parameters_),
            estimator.history_,
            np.atleast_1d(estimator.best_iter_),
            estimator.temperature_,
            vars(estimator).get("member_weights_", np.ones(1)),
            # those from before there were two engines say nothing of it
            vars(estimator).get("engine_", NUMPY),
        )
        optimizer_state = estimator._optimizer_state and stack_states(
            estimator._optimizer_state
        )
        memory = Memory(optimizer_state, estimator._plateau, estimator.t_)
        return cls(estimator.classes_, learnt, memory)

    @property
    def n_estimators(self) -> int:
        """Number of networks."""
        return len(self.learnt.parameters)

    @property
    def n_epochs(self) -> int:
        """Epochs in its history."""
        return len(self.learnt.history["loss"])

    def check_classes(self, classes: np.ndarray) -> None:
        """Raise unless the labels are the same."""
        if not has_same_labels(classes, self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes}, `y` has "
                f"{classes}"
            )

    def shaped(self, settings: Settings, parameters: Parameters) -> Settings:
        """Settings by which networks keep their shape where the recipe is asked."""
        shape: dict[str, Any] = {
            "hidden_layer_sizes": self.learnt.architecture.hidden_layer_sizes,
            "n_estimators": self.n_estimators,
        }
        # layers that are asked for need not be as many as there were
        if is_auto(parameters.hidden_layer_sizes):
            shape["activation"] = self.learnt.architecture.activations
        return settings._replace(
            **{
                name: kept
                for name, kept in shape.items()
                if is_auto(getattr(parameters, name))
            }
        )

    def weights(self, architecture: Architecture, n_estimators: int) -> np.ndarray:
        """The weights to go on from, which only fit networks of the same layers."""
        self.check_layers(architecture, n_estimators)
        return self.learnt.parameters

    def check_layers(
        self, architecture: Architecture, n_estimators: int, reinitializes: bool = False
    ) -> None:
        """Raise unless networks keep their layers, and their inputs if they go on."""
        former = self.learnt.architecture
        before, now = (
            (n_networks, layers.hidden_layer_sizes, layers.activations)
            for n_networks, layers in [
                (self.n_estimators, former),
                (n_estimators, architecture),
            ]
        )
        same_inputs = reinitializes or former.n_periodic == architecture.n_periodic
        if before != now or not same_inputs:
            embedding = " (with another numeric_embedding; sparse X has none)"
            raise ValueError(
                "the fitted model has networks, hidden layers and activations "
                f"{before}, but the parameters now say {now}"
                f"{'' if same_inputs else embedding}; to train another one, call fit "
                "with warm_start=False."
            )

    def followed_by(self, train_result: TrainResult) -> Learnt:
        """What is learnt now, with the epochs from before in front of its history."""
        now, before = train_result.learnt, self.learnt
        if before.history.keys() != now.history.keys():
            return now
        history = {
            name: before.history[name] + values for name, values in now.history.items()
        }
        has_diverged = train_result.stop_reason == StopReason.DIVERGED
        offset = before.best_epochs if has_diverged else self.n_epochs
        return now._replace(history=history, best_epochs=now.best_epochs + offset)


def all_classes(
    classes: ArrayLike | None, fitted_state: FittedState | None
) -> np.ndarray:
    """The classes of a first call of `partial_fit`, which others may only repeat."""
    if classes is None:
        if fitted_state is not None:
            return fitted_state.classes
        raise ValueError("classes must be passed on the first call to partial_fit.")
    labels = np.asarray(read_labels(classes, "classes"))
    check_label_types(labels, "classes")
    labels = np.unique(labels)
    if fitted_state is not None and not has_same_labels(labels, fitted_state.classes):
        raise ValueError(
            f"classes={format_list(labels)} differs from what the network was "
            f"built for, {format_list(fitted_state.classes)}; leave classes out."
        )
    if len(labels) < 2:
        raise ValueError(
            "a classifier needs at least 2 classes, but classes has only "
            f"{format_list(labels)}."
        )
    return labels


# Settings


def resolve_defaults(
    parameters: Parameters,
    targets: Targets,
    n_columns: int,
    fitted_state: FittedState | None,
    in_parts: bool = False,
) -> Settings:
    """All that the table, the solver and a former network decide."""
    if fitted_state is not None:
        fitted_state.check_classes(targets.classes)
    auto_of_solver = SOLVERS[parameters.solver].auto
    n_samples = len(targets.samples.y_encoded)
    settings = settle(parameters, n_samples, n_columns, auto_of_solver, in_parts)
    if fitted_state is not None:
        settings = fitted_state.shaped(settings, parameters)
    if in_parts:
        return settings._replace(max_iter=1)
    if targets.have_one_class:
        # the start values know it already, and no score could tell better
        return settings._replace(max_iter=1, early_stopping=False)
    return settings


# The network


def architecture_of(
    parameters: Parameters,
    settings: Settings,
    x: TrainingRows,
    n_numbers: int,
    n_classes: int,
) -> Architecture:
    """What the parameters say of the network, checked and looked up.

    Parameters
    ----------
    parameters, settings : Parameters, Settings
        What a user asked for, and what the recipe made of it.
    x : ndarray or CSR of shape (n_samples, n_inputs)
        Input of the network.
    n_numbers : int
        How many of its columns, the first ones, are numbers.
    n_classes : int
        Number of outputs.
    """
    sizes = settings.hidden_layer_sizes
    check_n_weights((x.shape[1], *sizes, n_classes), settings.n_estimators)
    dropout = dropout_of(parameters, settings.kinds[0], sizes)
    solver = SOLVERS[parameters.solver]
    activations: Sequence[ActivationLike] = one_per_layer(
        "activation", settings.activation, sizes
    )
    n_periodic = numbers_to_embed(parameters, n_numbers, solver.embeds_numbers)
    if issparse(x) and parameters.numeric_embedding == "periodic":
        raise ValueError(
            'numeric_embedding="periodic" takes a dense X, got a sparse one. Pass '
            'X.toarray(), or numeric_embedding="auto", which embeds no sparse columns.'
        )
    return Architecture(
        x.shape[1],
        sizes,
        n_classes,
        tuple(resolve_activation(activation) for activation in activations),
        dropout,
        parameters.dtype,
        n_periodic=0 if issparse(x) else n_periodic,
    )


def check_n_weights(sizes: Sequence[int], n_networks: int) -> None:
    """Raise if layers of these sizes, inputs and outputs included, can't be stored."""
    n_weights = n_networks * sum(
        fan_in * fan_out for fan_in, fan_out in pairwise(sizes)
    )
    if n_weights > MOST_WEIGHTS:
        raise ValueError(
            f"expected at most {MOST_WEIGHTS:.2g} weights in all networks, got more of "
            f"hidden_layer_sizes={tuple(sizes[1:-1])} and n_estimators={n_networks}. "
            "Choose smaller layers or fewer networks."
        )


def dropout_of(
    parameters: Parameters, kind: Kind, sizes: Sequence[int]
) -> tuple[float, ...]:
    """Dropout rate behind each hidden layer."""
    dropout = one_per_layer("dropout", kind.dropout, sizes)
    if any(dropout):
        shown = f"dropout={parameters.dropout!r}"
        SOLVERS[parameters.solver].check_takes(parameters, "dropout", shown)
    return tuple(dropout)


def members_of(
    parameters: Parameters, settings: Settings, sizes: Sequence[int]
) -> tuple[Member, ...]:
    """The networks: one of the first kind per fold, then of the next, and so on."""
    kinds = [
        (kind.frequency, dropout_of(parameters, kind, sizes), kind.weight_decay)
        for kind in settings.kinds
    ]
    places = [
        number // settings.n_folds % len(kinds)
        for number in range(settings.n_estimators)
    ]
    return tuple(Member(place, *kinds[place]) for place in places)


def one_per_layer(name: str, given: Any, sizes: Sequence[int]) -> list:
    """What was given for each hidden layer, or for all of them."""
    entries = list(given) if isinstance(given, tuple) else [given] * len(sizes)
    if len(entries) != len(sizes):
        raise ValueError(
            f"{name} has {len(entries)} entries, but hidden_layer_sizes has "
            f"{len(sizes)}; give one for all, or one per hidden layer."
        )
    return entries


def init_parameters(
    network: Architecture,
    members: Sequence[Member],
    rng: np.random.Generator,
    class_priors: np.ndarray | None = None,
) -> np.ndarray:
    """Where training starts: a stack of vectors, one per network."""
    frequencies = [member.frequency for member in members]
    return np.stack(
        [network.init_parameters(rng, class_priors, factor) for factor in frequencies]
    )


def task_of(
    parameters: Parameters,
    settings: Settings,
    data: Data,
    rng: np.random.Generator,
    fitted_state: FittedState | None,
    in_parts: bool = False,
    reinitializes: bool = False,
) -> Task:
    """What is to be trained, from where, and what it is to reach.

    A network that `reinitializes` keeps the layers of its past, but not its weights.
    """
    samples, validation, classes, n_numbers = data
    architecture = architecture_of(
        parameters, settings, samples.x, n_numbers, len(classes)
    )
    members = members_of(parameters, settings, architecture.hidden_layer_sizes)
    if fitted_state is not None and reinitializes:
        fitted_state.check_layers(architecture, settings.n_estimators, reinitializes)
        fitted_state = None
    if fitted_state is None:
        # first rows need not be like the rest
        ensemble_weights = None if in_parts else samples.class_priors(len(classes))
        weights = init_parameters(architecture, members, rng, ensemble_weights)
        past_epochs, memory = 0, Memory()
    else:
        weights = fitted_state.weights(architecture, settings.n_estimators)
        past_epochs, memory = fitted_state.n_epochs, fitted_state.memory
        if not in_parts:
            # a fit watches another loss, on other rows, than the calls before it
            memory = memory._replace(plateau=None)
    has_fixed_budget = in_parts or has_fixed_length(parameters, samples)
    return Task(
        architecture,
        members,
        weights,
        samples,
        validation,
        classes,
        rng,
        goal_of(parameters, settings, has_fixed_budget),
        memory,
        past_epochs if in_parts else 0,
        parameters.verbose,
    )


def has_fixed_length(parameters: Parameters, samples: Samples) -> bool:
    """Whether the epochs are what is wanted, rather than as many as it takes."""
    is_by_recipe = is_auto(parameters.max_iter)
    has_one_class = bool(np.ptp(samples.y_encoded) == 0)
    return has_one_class or (is_by_recipe and SOLVERS[parameters.solver].plans_epochs)


def goal_of(parameters: Parameters, settings: Settings, has_fixed_budget: bool) -> Goal:
    """What the parameters say that training is to reach."""
    return Goal(
        settings.label_smoothing,
        parameters.alpha,
        parameters.scoring,
        parameters.temperature,
        parameters.member_weights,
        settings.max_iter,
        has_fixed_budget,
        parameters.tol,
        settings.n_iter_no_change,
        settings.initial_patience,
    )


def checkpoint_of(
    parameters: Parameters,
    all_given: Callable[[], Mapping[str, object]],
    given: Callable[[], Mapping[str, object]],
    fitted_state: FittedState | None,
    rng: np.random.Generator,
) -> Checkpoint | None:
    """Where the state of this fit is saved, or was by one that was cut off.

    In the latter case the generator is set to where that one stood. `all_given` gives
    the parameters of the estimator, those of nested ones included; `given` gives what
    tells the data of fits apart.
    """
    if parameters.checkpoint is None:
        return None
    path = os.fspath(parameters.checkpoint)
    solver = SOLVERS[parameters.solver]
    solver.check_takes(parameters, "checkpoint", f"checkpoint={path!r}")
    former = None if fitted_state is None else fitted_state.learnt.parameters
    fingerprint = fingerprint_fit(
        {**all_given(), **vars(parameters)},
        {**given(), "start (the former weights)": former},
    )
    checkpoint = Checkpoint(path, parameters.checkpoint_every, fingerprint)
    checkpoint.resume(rng)
    return checkpoint
