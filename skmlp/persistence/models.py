"""Fitted classifiers to files and back."""

import os
from collections.abc import Hashable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn_compat import validate_parameters
from skmlp.data.incremental import BufferedFrame, RowBuffer
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OPTIMIZERS
from skmlp.persistence import archive
from skmlp.persistence.checks import (
    Check,
    check_hashes,
    check_state,
    is_a,
    is_array,
    is_ascending,
    is_count,
    is_count_below,
    is_finite_array,
    is_line_of_names,
    is_list_of,
    is_number,
    is_number_in,
)
from skmlp.persistence.classes import (
    check_has_parameters,
    decode,
    encode,
    names_fit,
    own_attributes,
    with_parameters,
)
from skmlp.tabular.encoder import TableEncoder, get_column_names
from skmlp.tabular.frame import NAMES_ATTRIBUTE, is_sparse, to_index
from skmlp.training.monitor import PlateauTracker

KIND = "saved model"

SMALLEST_TEMPERATURE = {"float32": 1e-30, "float64": 1e-154}
"""Logits that are divided by a smaller one leave the range of their type."""

Estimator = TypeVar("Estimator", bound=BaseEstimator)

FITTED: dict[str, Check] = {
    "classes_": lambda value: is_array("biufUSOMm", 1)(value) and is_ascending(value),
    "encoder_": is_a(TableEncoder, type(None)),
    "architecture_": is_a(Architecture),
    "parameters_": lambda value: is_array("f", 1)(value) or is_array("f", 2)(value),
    "history_": lambda value: (
        type(value) is dict and all(map(is_list_of(float), value.values()))
    ),
    "best_iter_": lambda value: is_count(value) or is_array("i", 1)(value),
    "temperature_": is_number,
    "t_": is_count_below(2**63),
    "n_features_in_": is_count,
    "_optimizer_state": is_a(dict, type(None)),
    "_plateau": is_a(PlateauTracker, type(None)),
}
"""What a fitted classifier holds."""

OPTIONAL: dict[str, Check] = {
    "engine_": is_a(str),
    "member_weights_": is_finite_array("float64", low=0),
    "_row_buffer": is_a(RowBuffer, type(None)),
    "feature_names_in_": is_line_of_names,
    NAMES_ATTRIBUTE: is_list_of(Hashable),
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
    # models predict in any order of memory, but `load` takes this one only
    state["parameters_"] = np.ascontiguousarray(state["parameters_"])
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
        check_has_parameters(cls, state)
        is_of_old_version = "encoder_rows" not in state
        estimator = with_parameters(cls, state)
        present = {name: OPTIONAL[name] for name in OPTIONAL.keys() & state.keys()}
        check_state(cls.__name__, state, FITTED | present)
        check_fits(cast(Fitted, state), is_of_old_version)
        vars(estimator).update({"engine_": "numpy"} | state)
    return estimator


class Fitted(TypedDict):
    """State of a fitted classifier, once each part of it is checked."""

    architecture_: Architecture
    parameters_: np.ndarray
    encoder_: TableEncoder | None
    classes_: np.ndarray
    n_features_in_: int
    member_weights_: NotRequired[np.ndarray]
    _row_buffer: NotRequired[RowBuffer | None]
    best_iter_: int | np.ndarray
    history_: dict[str, list[float]]
    t_: int
    temperature_: float
    _optimizer_state: dict[str, object] | None


def check_fits(state: Fitted, is_of_old_version: bool) -> None:
    """Raise unless network, parameters, encoder and classes are made for each other."""
    network, parameters = state["architecture_"], state["parameters_"]
    size = parameters.shape[-1]
    sizes = (network.n_inputs, *network.hidden_layer_sizes, network.n_classes)
    # each unit has some parameter, so that no product overflows in `layout`
    if not (0 < len(sizes) <= size and max(sizes) <= size < 2**31 and min(sizes) > 0):
        raise ValueError("the layers have more units than there are parameters")
    if network.layout.size != size or len(parameters) == 0:
        raise ValueError("the parameters are not those of the layers")
    if not is_finite_array(network.dtype, parameters.ndim)(parameters):
        raise ValueError("the parameters are not finite numbers of the network's type")
    largest = float(np.finfo(network.dtype).max)
    limit_range = is_number_in(SMALLEST_TEMPERATURE[network.dtype], largest)
    if not limit_range(state["temperature_"]):
        raise ValueError("the temperature is out of range")
    classes = state["classes_"]
    if len(classes) != network.n_classes:
        raise ValueError("there are not as many outputs as classes")
    if classes.dtype == object:
        check_hashes(classes)
    check_encoder(state)
    check_curves(state)
    check_members(state)
    check_first_rows(state, is_of_old_version)
    check_moments(state["_optimizer_state"], parameters)


def check_encoder(state: Fitted) -> None:
    """Raise unless the encoder reads the columns of X and gives what is read of it."""
    encoder, network = state["encoder_"], state["architecture_"]
    n_features = n_inputs = n_numbers = state["n_features_in_"]
    if encoder is not None:
        n_features = encoder.n_features_in_
        n_inputs, n_numbers = encoder.n_features_out_, encoder.n_numbers_
        own, its = (
            list(vars_of.get("feature_names_in_", []))
            for vars_of in (cast(dict[str, Any], state), vars(encoder))
        )
        if own != its or NAMES_ATTRIBUTE in state:
            raise ValueError("the encoder knows other names of columns")
    if not names_fit(state, n_features) or n_features != state["n_features_in_"]:
        raise ValueError("there are not as many names as columns")
    if n_inputs != network.n_inputs or network.n_periodic > n_numbers:
        raise ValueError("the encoder does not give what the network reads")


def check_curves(state: Fitted) -> None:
    """Raise unless all curves have an entry per epoch."""
    history = state["history_"]
    of_training = ["loss", "learning_rate"]
    of_validation = ["validation_loss", "validation_score"]
    if list(history) not in (of_training, of_training + of_validation):
        raise ValueError("the curves of its history are others")
    if len(set(map(len, history.values()))) != 1 or len(history["loss"]) > state["t_"]:
        raise ValueError("the curves of its history are not equally long")


def check_members(state: Fitted) -> None:
    """Raise unless each network has its weight, and the epoch its parameters are of."""
    parameters, epochs = state["parameters_"], np.asarray(state["best_iter_"])
    n_networks = 1 if parameters.ndim == 1 else len(parameters)
    n_epochs = len(state["history_"]["loss"])
    # former versions had one epoch for all networks, and no weights
    is_former = "member_weights_" not in state and epochs.ndim == 0
    equal = np.full(n_networks, 1 / n_networks)
    weights = equal if is_former else state["member_weights_"]
    has_epochs = epochs.shape == (() if n_networks == 1 else (n_networks,))
    if not (has_epochs or is_former) or weights.shape != (n_networks,):
        raise ValueError("epochs or weights are not of as many networks as there are")
    if not (epochs <= n_epochs).all() or (epochs < 0).any():
        raise ValueError("the epochs of its parameters are not in its history")
    if not np.isclose(weights.sum(), 1, rtol=0, atol=1e-6):
        raise ValueError("the weights of its networks don't add up to 1")


def check_first_rows(state: Fitted, is_of_old_version: bool) -> None:
    """Raise unless kept rows are of the columns and classes that there are."""
    if "_row_buffer" not in state and not is_of_old_version:
        raise ValueError("the kept rows are missing")
    first_rows, encoder = state.get("_row_buffer"), state["encoder_"]
    if first_rows is None:
        return
    if encoder is None:
        raise ValueError("rows are kept for an encoder that is not there")
    names = to_index(get_column_names(encoder))
    for kept in (first_rows.fitted, *first_rows.since):
        n_columns, n_classes = state["n_features_in_"], len(state["classes_"])
        if kept.table.shape[1] != n_columns or kept.y_encoded.max() >= n_classes:
            raise ValueError("kept rows have other columns or classes than the model")
        if is_sparse(kept.table) != encoder._is_sparse:
            raise ValueError("kept rows are not as sparse as those of the encoder")
        if isinstance(kept.table, BufferedFrame) and not to_index(
            kept.table.names
        ).equals(names):
            raise ValueError("kept rows have other names of columns than the encoder")


def check_moments(
    optimizer_state: Mapping[str, object] | None, parameters: np.ndarray
) -> None:
    """Raise unless the optimizer has a finite number per parameter in its memory."""
    if optimizer_state is None:
        return
    n_steps, *others = optimizer_state.get("t"), *(optimizer_state.keys() - {"t"})
    if not any(
        set(others) == set(optimizer.state_names) for optimizer in OPTIMIZERS.values()
    ):
        raise ValueError("the memory of the optimizer is that of none there is")
    if not is_count_below(2**63)(n_steps):
        raise ValueError("the number of the optimizer's steps is wrong")
    is_like_parameters = is_array("f", parameters.ndim)
    for name in others:
        moment = optimizer_state[name]
        if not is_like_parameters(moment) or moment.shape != parameters.shape:
            raise ValueError("the memory of the optimizer has another shape")
        if not moment.flags.c_contiguous or np.isnan(moment).any():
            raise ValueError("the memory of the optimizer holds NaN")
        if name == "second_moment" and (moment < 0).any():
            raise ValueError("a second moment of the optimizer is negative")
