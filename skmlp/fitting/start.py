"""Start of a run: parameters to settings, network, initial weights and checkpoint."""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skmlp.data.targets import Targets, check_label_types, has_same_labels
from skmlp.defaults import (
    MAX_EMBEDDED_COLUMNS,
    PARTIAL_FIT_DEFAULTS,
    is_auto,
    resolve_auto,
)
from skmlp.fitting.config import TrainConfig, TrainData, TrainingRun, TrainResult
from skmlp.fitting.parameters import Parameters
from skmlp.fitting.solvers import SOLVERS, check_supports
from skmlp.nn.activations import resolve_activation
from skmlp.nn.network import Architecture
from skmlp.persistence.checkpoints import Checkpoint
from skmlp.persistence.fingerprints import fingerprint_fit
from skmlp.tabular.frame import format_list
from skmlp.tabular.labels import read_labels

MAX_WEIGHTS = 2**40
"""Most weights of all networks together; more take terabytes of memory."""


# Settings


def resolve_config(
    parameters: Parameters,
    targets: Targets,
    n_columns: int,
    previous: TrainResult | None,
    in_parts: bool = False,
) -> TrainConfig:
    """Resolve each setting by table and solver, or as the fitted networks have it."""
    if previous is not None and not has_same_labels(targets.classes, previous.classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the "
            f"previous call to fit. Previously got {previous.classes}, `y` has "
            f"{targets.classes}"
        )
    solver = SOLVERS[parameters.solver]
    changes = {**(PARTIAL_FIT_DEFAULTS if in_parts else {}), **solver.defaults}
    n_samples = len(targets.samples.y_encoded)
    values = resolve_auto(parameters, n_samples, n_columns, changes)
    if previous is not None:
        values |= _keep_shape(parameters, previous)
    values |= _resolve_epochs(parameters, values, targets.have_one_class, in_parts)
    sizes = values["hidden_layer_sizes"]
    values["activation"] = tuple(
        map(
            resolve_activation,
            _one_per_layer("activation", values["activation"], sizes),
        )
    )
    values["member_configs"] = tuple(
        config._replace(dropout=_resolve_dropout(parameters, config.dropout, sizes))
        for config in values["member_configs"]
    )
    values["max_embedded_columns"] = {None: 0.0, "periodic": np.inf}.get(
        parameters.numeric_embedding,
        MAX_EMBEDDED_COLUMNS if solver.embeds_numbers else 0,
    )
    # all other settings are parameters as they are
    others = TrainConfig._fields - values.keys()
    return TrainConfig(**values, **{name: getattr(parameters, name) for name in others})


def _resolve_epochs(
    parameters: Parameters, values: dict[str, Any], has_one_class: bool, in_parts: bool
) -> dict[str, Any]:
    """Return the number of epochs, whether all are wanted, and whether to validate."""
    is_wanted = is_auto(parameters.max_iter) and (
        SOLVERS[parameters.solver].has_fixed_budget
    )
    # the initial biases know a single class already, and no score could tell better
    return {
        "max_iter": 1 if in_parts or has_one_class else values["max_iter"],
        "has_fixed_budget": in_parts or has_one_class or is_wanted,
        "early_stopping": values["early_stopping"] and (in_parts or not has_one_class),
    }


def _keep_shape(parameters: Parameters, previous: TrainResult) -> dict[str, Any]:
    """Return the shape of the fitted networks, as far as no parameter sets it."""
    shape: dict[str, Any] = {
        "hidden_layer_sizes": previous.architecture.hidden_layer_sizes,
        "n_estimators": len(previous.parameters),
    }
    # another number of layers needs another number of activations
    if is_auto(parameters.hidden_layer_sizes):
        shape["activation"] = previous.architecture.activations
    return {
        name: value
        for name, value in shape.items()
        if is_auto(getattr(parameters, name))
    }


def _resolve_dropout(
    parameters: Parameters, rates: float | tuple[float, ...], sizes: Sequence[int]
) -> tuple[float, ...]:
    """Return the dropout rate behind each hidden layer."""
    dropout = _one_per_layer("dropout", rates, sizes)
    if any(dropout):
        shown = f"dropout={parameters.dropout!r}"
        check_supports(parameters.solver, "dropout", shown)
    return tuple(dropout)


def _one_per_layer(name: str, given: Any, sizes: Sequence[int]) -> list:
    """Return a value per hidden layer, given one for each or one for all."""
    entries = list(given) if isinstance(given, tuple) else [given] * len(sizes)
    if len(entries) != len(sizes):
        raise ValueError(
            f"{name} has {len(entries)} entries, but hidden_layer_sizes has "
            f"{len(sizes)}; give one for all, or one per hidden layer."
        )
    return entries


def check_classes(
    classes: ArrayLike | None, fitted_classes: np.ndarray | None
) -> np.ndarray:
    """Return the sorted classes of `partial_fit`, which later calls may repeat."""
    if classes is None:
        if fitted_classes is not None:
            return fitted_classes
        raise ValueError("classes must be passed on the first call to partial_fit.")
    labels = np.asarray(read_labels(classes, "classes"))
    check_label_types(labels, "classes")
    labels = np.unique(labels)
    if fitted_classes is not None and not has_same_labels(labels, fitted_classes):
        raise ValueError(
            f"classes={format_list(labels)} differs from what the network was "
            f"built for, {format_list(fitted_classes)}; leave classes out."
        )
    if len(labels) < 2:
        raise ValueError(
            "a classifier needs at least 2 classes, but classes has only "
            f"{format_list(labels)}."
        )
    return labels


# The run


def build_run(
    config: TrainConfig,
    data: TrainData,
    rng: np.random.Generator,
    previous: TrainResult | None,
    in_parts: bool = False,
    reinitialize: bool = False,
) -> TrainingRun:
    """Build the networks, with new weights or those of the previous call.

    With `reinitialize` they keep their layers, but get new weights.
    """
    architecture = _build_architecture(config, data)
    if previous is not None:
        _check_layers(previous, architecture, config.n_estimators, reinitialize)
    if previous is None or reinitialize:
        # the first rows of a stream need not be like the rest
        priors = None if in_parts else data.samples.class_priors(len(data.classes))
        parameters = np.stack(
            [
                architecture.init_parameters(rng, priors, member.frequency)
                for member in config.members
            ]
        )  # (n_members, n_parameters)
        return TrainingRun(config, data, architecture, parameters, rng)
    return TrainingRun(
        config,
        data,
        architecture,
        previous.parameters,
        rng,
        previous.optimizer_state,
        # a fit watches another loss, on other rows, than the calls before it
        previous.plateau if in_parts else None,
        previous.samples_seen,
        previous.n_epochs if in_parts else 0,
    )


def _build_architecture(config: TrainConfig, data: TrainData) -> Architecture:
    """Describe the layers, whose input is the encoded rows."""
    x, n_classes = data.samples.x, len(data.classes)
    sizes = config.hidden_layer_sizes
    n_weights = config.n_estimators * sum(
        fan_in * fan_out
        for fan_in, fan_out in pairwise((x.shape[1], *sizes, n_classes))
    )
    if n_weights > MAX_WEIGHTS:
        raise ValueError(
            f"expected at most {MAX_WEIGHTS:.2g} weights in all networks, got more of "
            f"hidden_layer_sizes={sizes} and n_estimators={config.n_estimators}. "
            "Choose smaller layers or fewer networks."
        )
    if issparse(x) and config.max_embedded_columns == np.inf:
        raise ValueError(
            'numeric_embedding="periodic" takes a dense X, got a sparse one. Pass '
            'X.toarray(), or numeric_embedding="auto", which embeds no sparse columns.'
        )
    is_embedded = not issparse(x) and data.n_numbers <= config.max_embedded_columns
    return Architecture(
        x.shape[1],
        sizes,
        n_classes,
        config.activation,
        config.member_configs[0].dropout,
        config.dtype,
        n_periodic=data.n_numbers if is_embedded else 0,
    )


def _check_layers(
    previous: TrainResult,
    architecture: Architecture,
    n_estimators: int,
    reinitialize: bool,
) -> None:
    """Raise unless networks keep their layers, and with their weights their inputs."""
    former = previous.architecture
    before, now = (
        (n_networks, layers.hidden_layer_sizes, layers.activations)
        for n_networks, layers in [
            (len(previous.parameters), former),
            (n_estimators, architecture),
        ]
    )
    same_inputs = reinitialize or former.n_periodic == architecture.n_periodic
    if before != now or not same_inputs:
        embedding = " (with another numeric_embedding; sparse X has none)"
        raise ValueError(
            "the fitted model has networks, hidden layers and activations "
            f"{before}, but the parameters now say {now}"
            f"{'' if same_inputs else embedding}; to train another one, call fit "
            "with warm_start=False."
        )


def open_checkpoint(
    parameters: Parameters,
    all_params: Mapping[str, object],
    data_of_fit: Mapping[str, Any],
    previous: TrainResult | None,
    rng: np.random.Generator,
) -> Checkpoint:
    """Open the checkpoint of a fit, and resume its random generator.

    `all_params` are the parameters of the estimator and of nested ones, `data_of_fit`
    is what the fit is compared by.
    """
    path = os.fspath(parameters.checkpoint)
    check_supports(parameters.solver, "checkpoint", f"checkpoint={path!r}")
    former = None if previous is None else previous.parameters
    fit = fingerprint_fit(
        {**all_params, **vars(parameters)},
        {**data_of_fit, "start (the former weights)": former},
    )
    checkpoint = Checkpoint(path, parameters.checkpoint_every, fit)
    checkpoint.resume(rng)
    return checkpoint
