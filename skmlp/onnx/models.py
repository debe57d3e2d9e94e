"""A fitted classifier as nodes: its inputs, what happens to them, and its labels."""

import json
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper
from sklearn.utils.validation import check_is_fitted

from skmlp._version import __version__
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.onnx.encoder import encoded
from skmlp.onnx.graph import Graph
from skmlp.onnx.inputs import KINDS, READS, Input, inputs_of
from skmlp.onnx.keys import check_unicode, spell
from skmlp.onnx.network import check_activations, probabilities
from skmlp.tabular.encoder import TableEncoder, make_unique


def inputs_of_model(model: MLPSoftmaxClassifier) -> list[Input]:
    """What the graph of a model is given; raises if it can't be exported."""
    if not isinstance(model, MLPSoftmaxClassifier):
        raise TypeError(
            f"to_onnx takes a fitted MLPSoftmaxClassifier, got {type(model).__name__}; "
            "for a pipeline or a calibrated classifier around one, import skmlp.onnx "
            "and use skl2onnx.to_onnx."
        )
    check_is_fitted(model)
    check_activations(model.architecture_)
    encoder = model.encoder_
    if encoder is None:
        is_single = model.architecture_.dtype == "float32"
        elem_type = TensorProto.FLOAT if is_single else TensorProto.DOUBLE
        return [Input.matrix(elem_type, model.n_features_in_)]
    if type(encoder) is not TableEncoder:
        raise TypeError(
            f"preprocessing={encoder!r} can't be exported, as it is no TableEncoder; "
            "fit a Pipeline of it and MLPSoftmaxClassifier(preprocessing=None), import "
            "skmlp.onnx, and use skl2onnx.to_onnx."
        )
    return inputs_of(encoder)


def name_outputs(inputs: Sequence[Input]) -> list[str]:
    """Names of label and probabilities, which no input has."""
    taken = [entry.name for entry in inputs]
    return [
        make_unique([*taken, f"output_{name}"])[-1] if name in taken else name
        for name in ("label", "probabilities")
    ]


def choose_prefix(inputs: Sequence[Input]) -> str:
    """A prefix for names inside of the graph that no input's name begins with."""
    prefix = "skmlp_"
    while any(entry.name.startswith(prefix) for entry in inputs):
        prefix += "_"
    return prefix


def add_model(
    graph: Graph,
    model: MLPSoftmaxClassifier,
    inputs: list[Input],
    label: str,
    probability: str,
    elem_type: int = TensorProto.FLOAT,
) -> None:
    """Nodes from the inputs, under their names, to label and probabilities."""
    if isinstance(model.encoder_, TableEncoder):
        x = encoded(graph, model.encoder_, inputs)
    else:
        x = graph.add("Cast", inputs[0].name, to=TensorProto.FLOAT)
    result = probabilities(
        graph,
        x,
        model.architecture_,
        model.parameters_,
        model._ensemble_weights(),
        model.temperature_,
    )
    if elem_type != TensorProto.FLOAT:
        result = graph.add("Cast", result, to=elem_type)
    graph.rename(result, probability)
    most_probable = graph.add("ArgMax", probability, axis=1, keepdims=0)
    labels = graph.add("Gather", classes_of(model.classes_), most_probable)
    graph.rename(labels, label)


def classes_of(classes: np.ndarray) -> np.ndarray:
    """The labels as skl2onnx gives them: whole numbers as int64, or text."""
    if classes.dtype.kind in "biu":
        is_int64 = int(classes.max()) <= np.iinfo(np.int64).max
        return classes.astype(np.int64 if is_int64 else np.uint64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    labels = [spell(label) for label in classes]
    check_unicode(labels, "the labels")
    if len(set(labels)) < len(labels):
        raise TypeError(
            "expected labels that print differently, got some that print the same. "
            "Turn them into text before fit."
        )
    return np.array(labels, dtype=object)


def label_type(classes: np.ndarray) -> int:
    """The type of the labels, one of those of TensorProto."""
    return helper.np_dtype_to_tensor_dtype(classes_of(classes).dtype)


def metadata(model: MLPSoftmaxClassifier, inputs: list[Input]) -> dict[str, str]:
    """What a reader of the file may want to know, as text."""
    kinds = {
        entry.name: {"kind": entry.kind, "column": entry.column} for entry in inputs
    }
    return {
        "skmlp_version": __version__,
        "skmlp_classes": json.dumps(classes_of(model.classes_).tolist()),
        KINDS: json.dumps(kinds),
        READS: json.dumps({entry.name: entry.reads for entry in inputs}),
    }
