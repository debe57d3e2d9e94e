"""Fitted classifiers to files and back."""

import os
from collections.abc import Mapping
from typing import NotRequired, TypedDict, TypeVar, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn import validate_parameters
from skmlp.nn.network import Architecture
from skmlp.saving import archive
from skmlp.saving.checks import (
    Check,
    check_state,
    is_a,
    is_array,
    is_count,
    is_line_of_names,
    is_list_of,
    is_number,
)
from skmlp.saving.classes import decode, encode, own_attributes, with_parameters
from skmlp.tabular.encoder import TableEncoder
from skmlp.tabular.kept import FirstRows
from skmlp.tabular.names import ATTRIBUTE
from skmlp.training.monitor import Plateau

KIND = "saved model"

Estimator = TypeVar("Estimator", bound=BaseEstimator)

FITTED: dict[str, Check] = {
    "classes_": lambda value: isinstance(value, np.ndarray) and value.ndim == 1,
    "encoder_": is_a(TableEncoder, type(None)),
    "architecture_": is_a(Architecture),
    "parameters_": lambda value: is_array("f", 1)(value) or is_array("f", 2)(value),
    "history_": lambda value: (
        type(value) is dict and all(map(is_list_of(float), value.values()))
    ),
    "best_iter_": lambda value: is_count(value) or is_array("i", 1)(value),
    "temperature_": lambda value: is_number(value) and 0 < value < np.inf,
    "t_": is_count,
    "n_features_in_": is_count,
    "_rule_state": is_a(dict, type(None)),
    "_plateau": is_a(Plateau, type(None)),
}
"""What a fitted classifier holds."""

OPTIONAL: dict[str, Check] = {
    "engine_": is_a(str),
    "member_weights_": is_array("f", 1),
    "_first_rows": is_a(FirstRows, type(None)),
    "feature_names_in_": is_line_of_names,
    ATTRIBUTE: is_list_of(object),
}
"""What it holds where the columns of X have names, or that former versions lack."""


def save(
    estimator: BaseEstimator, path: str | os.PathLike, cls: type[BaseEstimator]
) -> None:
    """Write a fitted estimator, of just this class, to a file."""
    check_is_fitted(estimator)
    if type(estimator) is not cls:
        raise TypeError(
            f"{type(estimator).__name__} is a subclass of {cls.__name__}, and "
            f"skmlp.load gives back none but that; save the model with skops.io.dump "
            "or pickle instead."
        )
    validate_parameters(estimator)
    state = own_attributes(estimator, FITTED.keys() | OPTIONAL.keys())
    content = {name: encode(value, name) for name, value in state.items()}
    archive.write(path, KIND, {"class": cls.__name__, "state": content})


def load(path: str | os.PathLike, cls: type[Estimator]) -> Estimator:
    """Read a fitted estimator of this class from a file."""
    content = archive.read(path, KIND)
    with archive.refusing(path):
        if content["class"] != cls.__name__:
            raise ValueError(f"it holds no {cls.__name__}")
        trees = archive.expect(dict, content["state"])
        state = {name: decode(tree) for name, tree in trees.items()}
        estimator = with_parameters(cls, state)
        present = {name: OPTIONAL[name] for name in OPTIONAL.keys() & state.keys()}
        check_state(cls.__name__, state, FITTED | present)
        check_fits(cast(Fitted, state))
        vars(estimator).update({"engine_": "numpy"} | state)
    return estimator


class Fitted(TypedDict):
    """What is looked at in the state of a fitted classifier, once it is checked."""

    architecture_: Architecture
    parameters_: np.ndarray
    encoder_: TableEncoder | None
    classes_: np.ndarray
    n_features_in_: int
    member_weights_: NotRequired[np.ndarray]
    _first_rows: NotRequired[FirstRows | None]
    best_iter_: int | np.ndarray
    history_: dict[str, list[float]]
    _rule_state: dict[str, object] | None


def check_fits(state: Fitted) -> None:
    """Raise unless network, parameters, encoder and classes are made for each other."""
    network, parameters = state["architecture_"], state["parameters_"]
    encoder, classes = state["encoder_"], state["classes_"]
    size = parameters.shape[-1]
    sizes = (network.n_inputs, *network.hidden_layer_sizes, network.n_classes)
    # each unit has some parameter, so that no product overflows in `layout`
    if not (0 < len(sizes) <= size and max(sizes) <= size < 2**31 and min(sizes) > 0):
        raise ValueError("the layers have more units than there are parameters")
    if network.layout.size != size or parameters.dtype != network.dtype:
        raise ValueError("the parameters are not those of the layers")
    if parameters.size == 0 or len(classes) != network.n_classes:
        raise ValueError("there are not as many outputs as classes")
    n_networks = 1 if parameters.ndim == 1 else len(parameters)
    sizes_given = np.size(state["best_iter_"]), np.size(state.get("member_weights_", 1))
    if not set(sizes_given) <= {1, n_networks}:
        raise ValueError("epochs or weights are not of as many networks as there are")
    n_inputs = state["n_features_in_"] if encoder is None else encoder.n_features_out_
    if n_inputs != network.n_inputs or network.n_periodic > n_inputs:
        raise ValueError("the encoder does not give what the network reads")
    check_first_rows(state)
    check_curves(state["history_"])
    check_moments(state["_rule_state"], parameters)


def check_first_rows(state: Fitted) -> None:
    """Raise unless kept rows are of the columns and classes that there are."""
    first_rows = state.get("_first_rows")
    if first_rows is None:
        return
    for kept in (first_rows.fitted, *first_rows.since):
        n_columns, n_classes = state["n_features_in_"], len(state["classes_"])
        if kept.table.shape[1] != n_columns or kept.codes.max() >= n_classes:
            raise ValueError("kept rows have other columns or classes than the model")
    if state["encoder_"] is None:
        raise ValueError("rows are kept for an encoder that is not there")


def check_curves(history: Mapping[str, list[float]]) -> None:
    """Raise unless all curves have an entry per epoch."""
    if "loss" not in history or len(set(map(len, history.values()))) != 1:
        raise ValueError("the curves of its history are not equally long")


def check_moments(
    rule_state: Mapping[str, object] | None, parameters: np.ndarray
) -> None:
    """Raise unless the optimiser remembers a number per parameter."""
    is_vector = is_array("f", parameters.ndim)
    for name, memory in (rule_state or {"t": 0}).items():
        if name == "t":
            is_right = is_count(memory)
        else:
            is_right = is_vector(memory) and memory.shape == parameters.shape
        if not is_right:
            raise ValueError("what the optimiser remembers is wrong")
