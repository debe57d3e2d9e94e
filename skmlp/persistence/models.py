"""Fitted classifiers to files and back: the public `load`, and what `save` calls."""

import os
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmlp._sklearn_compat import validate_parameters
from skmlp.nn.network import Architecture
from skmlp.optim.optimizers import OPTIMIZERS
from skmlp.persistence import archive
from skmlp.persistence.checks import (
    Check,
    check_fields,
    check_hashes,
    is_array,
    is_ascending,
    is_count,
    is_count_below,
    is_finite_array,
    is_list,
    is_number_in,
    require,
)
from skmlp.persistence.classes import (
    NAME_FIELDS,
    are_names_consistent,
    build_estimator,
    decode,
    encode,
    get_estimator_state,
)
from skmlp.tabular.encoder import TableEncoder, get_column_names
from skmlp.tabular.frame import NAMES_ATTRIBUTE, is_sparse, to_index
from skmlp.tabular.kept import Columns, FirstRows
from skmlp.training.monitor import PlateauTracker

if TYPE_CHECKING:
    from skmlp.classifier import MLPSoftmaxClassifier

KIND = "saved model"

MIN_TEMPERATURE = {"float32": 1e-30, "float64": 1e-154}
"""Logits divided by a smaller temperature leave the range of their type."""

LOADABLE: dict[str, type[BaseEstimator]] = {}
"""Classes of estimators that a file may hold, by name."""

Class = TypeVar("Class", bound=type[BaseEstimator])

FITTED: dict[str, Check] = {
    "classes_": lambda value: is_array("biufUSOMm", 1)(value) and is_ascending(value),
    "encoder_": TableEncoder | None,
    "engine_": str,
    "architecture_": Architecture,
    "parameters_": lambda value: is_array("f", 1)(value) or is_array("f", 2)(value),
    "member_weights_": is_finite_array("float64", low=0),
    "history_": lambda value: (
        isinstance(value, dict) and all(map(is_list(float), value.values()))
    ),
    "best_iter_": lambda value: is_count(value) or is_array("i", 1)(value),
    "temperature_": is_number_in(0, float(np.finfo("f8").max)),
    "t_": is_count_below(2**63),
    "n_features_in_": is_count,
    "_first_rows": FirstRows | None,
    "_optimizer_state": dict | None,
    "_plateau": PlateauTracker | None,
}
"""Fitted attributes of a classifier; names of columns come on top."""


def loadable(cls: Class) -> Class:
    """Let `save` and `load` handle instances of this class (a decorator)."""
    LOADABLE[cls.__name__] = cls
    return cls


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file."""
    check_is_fitted(estimator)
    if type(estimator) not in LOADABLE.values():
        raise TypeError(
            f"{type(estimator).__name__} is a subclass of {', '.join(LOADABLE)}, and "
            "skmlp.load gives back none but that; save the model with skops.io.dump "
            "or pickle instead."
        )
    validate_parameters(estimator)
    state = get_estimator_state(estimator, FITTED.keys() | NAME_FIELDS.keys())
    # models predict in any memory order, but `load` accepts this one only
    state["parameters_"] = np.ascontiguousarray(cast(np.ndarray, state["parameters_"]))
    content = {name: encode(value, name) for name, value in state.items()}
    name = type(estimator).__name__
    archive.write(path, KIND, {"class": name, "state": content})


def load(path: str | os.PathLike) -> "MLPSoftmaxClassifier":
    """Read a classifier that its method `save` wrote to a file.

    Other than with pickle, a file can come from anywhere: reading executes nothing of
    it, and takes memory in proportion to its length. Whether the model is one to trust
    is another question.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    model : MLPSoftmaxClassifier
        With the parameters, fitted attributes and predictions of the one that was
        saved. Training goes on as it would have there.

    Raises
    ------
    FileRefusedError
        If the file is damaged, incomplete, no saved model, or from a newer version.
    OSError
        If there is no such file, or it can't be opened.

    See Also
    --------
    MLPSoftmaxClassifier.save : Writes such files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmlp
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 20, ["low", "low", "high", "high"] * 20
    >>> model = skmlp.MLPSoftmaxClassifier(n_estimators=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.skmlp"
    ...     model.save(path)
    ...     loaded = skmlp.load(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    content = archive.read(path, KIND)
    with archive.refuse_invalid(path):
        cls = LOADABLE[archive.expect(str, content["class"])]
        trees = archive.expect(dict, content["state"])
        state = {name: decode(tree) for name, tree in trees.items()}
        model: Any = build_estimator(cls, state)
        names = {name: NAME_FIELDS[name] for name in NAME_FIELDS.keys() & state.keys()}
        check_fields(cls.__name__, state, FITTED | names)
        vars(model).update(state)
        # whatever the C core and NumPy take for granted when they predict or train on
        _check_network(model)
        _check_encoder(model)
        _check_training(model)
        if model._first_rows is not None:
            _check_first_rows(model)
    return model


def _check_network(model: Any) -> None:
    """Raise unless network, parameters and classes are made for each other."""
    network, parameters = model.architecture_, model.parameters_
    size = parameters.shape[-1]
    sizes = (network.n_inputs, *network.hidden_layer_sizes, network.n_classes)
    # each unit has some parameter, so that no product overflows in `layout`
    is_small = 0 < len(sizes) <= size < 2**31 and max(sizes) <= size
    require(is_small and min(sizes) > 0, "there are more units than parameters")
    is_laid_out = network.layout.size == size and len(parameters) > 0
    require(is_laid_out, "the parameters are not those of the layers")
    # the C core reads them by the network's type, in rows without strides
    is_right = is_finite_array(network.dtype, parameters.ndim)(parameters)
    require(is_right, "the parameters are not finite numbers of the network's type")
    low, high = MIN_TEMPERATURE[network.dtype], float(np.finfo(network.dtype).max)
    require(low <= model.temperature_ <= high, "the temperature is out of range")
    n_classes = len(model.classes_)
    require(n_classes == network.n_classes, "there are not as many outputs as classes")
    if model.classes_.dtype == object:
        check_hashes(model.classes_)


def _check_encoder(model: Any) -> None:
    """Raise unless the encoder reads X and gives the network's inputs."""
    encoder, network = model.encoder_, model.architecture_
    n_features = n_inputs = n_numbers = model.n_features_in_
    if encoder is not None:
        n_features = encoder.n_features_in_
        n_inputs, n_numbers = encoder.n_features_out_, encoder.n_numbers_
        own, others = (
            list(vars(one).get("feature_names_in_", [])) for one in (model, encoder)
        )
        is_same = own == others and NAMES_ATTRIBUTE not in vars(model)
        require(is_same, "the encoder knows other names of columns")
    is_same = n_features == model.n_features_in_
    has_names = is_same and are_names_consistent(vars(model), n_features)
    require(has_names, "there are not as many names as columns")
    is_right = n_inputs == network.n_inputs and network.n_periodic <= n_numbers
    require(is_right, "the encoder does not give what the network reads")


def _check_training(model: Any) -> None:
    """Raise unless curves, epochs, weights and moments are those of the networks."""
    parameters, history = model.parameters_, model.history_
    curves = ["loss", "learning_rate"]
    if len(history) > 2:
        curves += ["validation_loss", "validation_score"]
    require(list(history) == curves, "the curves of its history are others")
    n_epochs = len(history["loss"])
    is_right = set(map(len, history.values())) == {n_epochs} and n_epochs <= model.t_
    require(is_right, "the curves of its history are not equally long")

    n_members = 1 if parameters.ndim == 1 else len(parameters)
    epochs, weights = np.asarray(model.best_iter_), model.member_weights_
    shape = () if n_members == 1 else (n_members,)
    has_all = epochs.shape == shape and weights.shape == (n_members,)
    require(has_all, "epochs or weights are not of as many networks as there are")
    is_right = bool(((epochs >= 0) & (epochs <= n_epochs)).all())
    require(is_right, "the epochs of its parameters are not in its history")
    is_one = bool(np.isclose(weights.sum(), 1, rtol=0, atol=1e-6))
    require(is_one, "the weights of its networks don't add up to 1")

    if model._optimizer_state is not None:
        moments = dict(model._optimizer_state)
        is_right = is_count_below(2**63)(moments.pop("t", None))
        require(is_right, "the number of the optimizer's steps is wrong")
        is_known = any(
            set(moments) == set(one.state_names) for one in OPTIMIZERS.values()
        )
        require(is_known, "the state of the optimizer is that of none there is")
        for name, moment in moments.items():
            _check_moment(name, moment, parameters)


def _check_moment(name: str, moment: Any, parameters: np.ndarray) -> None:
    is_right = is_array("f", parameters.ndim)(moment) and not np.isnan(moment).any()
    require(is_right, f"the {name} of the optimizer is no array of numbers")
    is_like = moment.shape == parameters.shape and moment.flags.c_contiguous
    require(is_like, f"the {name} of the optimizer has another shape")
    # its square root is taken
    is_right = name != "second_moment" or bool((moment >= 0).all())
    require(is_right, "a second moment of the optimizer is negative")


def _check_first_rows(model: Any) -> None:
    """Raise unless kept rows are of the columns and classes that there are."""
    encoder = model.encoder_
    require(encoder is not None, "rows are kept for an encoder that is not there")
    names = to_index(get_column_names(encoder))
    n_columns, n_classes = model.n_features_in_, len(model.classes_)
    for kept in (model._first_rows.fitted, *model._first_rows.since):
        is_right = kept.table.shape[1] == n_columns and kept.y_encoded.max() < n_classes
        require(is_right, "kept rows have other columns or classes than the model")
        is_right = is_sparse(kept.table) == encoder._is_sparse
        require(is_right, "kept rows are not as sparse as those of the encoder")
        is_frame = isinstance(kept.table, Columns)
        is_right = not is_frame or to_index(kept.table.names).equals(names)
        require(is_right, "kept rows have other names of columns than the encoder")
