"""Export of a fitted classifier: inputs, nodes, labels and metadata of the graph."""

import json
from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, TensorProto, helper
from onnx.checker import check_model
from sklearn.utils.validation import check_is_fitted

from skmlp._version import __version__
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.onnx.encoder import MATRIX, add_encoder, build_inputs
from skmlp.onnx.graph import Graph
from skmlp.onnx.inputs import METADATA, Input, MatrixInput
from skmlp.onnx.keys import check_unicode, spell
from skmlp.onnx.network import add_networks, check_activations
from skmlp.tabular.encoder import TableEncoder, make_unique


def to_onnx(model: MLPSoftmaxClassifier) -> ModelProto:
    """Export a fitted classifier as an ONNX graph.

    The graph computes `predict_proba` from raw columns: encoding, networks, ensemble
    average and temperature. The network runs in single precision, also where `dtype` is
    "float64".

    Parameters
    ----------
    model : MLPSoftmaxClassifier
        A fitted classifier, whose `preprocessing` is "auto", None or a
        :class:`TableEncoder`.

    Returns
    -------
    onnx_model : onnx.ModelProto
        Save it with ``onnx.save``. It has one input per column, of shape (n_rows, 1)
        and with the column's name, or a single input "X" of shape (n_rows, n_features)
        where columns are numbers without names, or where `preprocessing` is None:

        - numbers, also those that were text in training, as doubles, NaN where
          missing; "X" of a model without preprocessing in its `dtype`;
        - text, and categories that are no numbers, as strings (of other values by
          `str`), "" where missing, unless that was a category in training;
        - categories that are integers or booleans as int64 or bool, or as doubles if
          some were missing in training; the smallest int64 where missing, if doubles
          don't hold all of them, and strings if int64 does not either;
        - dates, also those that were text in training, as int64: microseconds since
          1970 in UTC, or local if they have no time zone; durations, and times of the
          day since midnight, in microseconds as well; the smallest int64 where missing.
          Where the time zone matters, an input "<name>_utc_offset" takes the seconds
          that local time is ahead of UTC.

        A column without a name gets one, such as "x0". :func:`to_inputs` converts a
        table to these inputs.

        Outputs are "label" (n_rows,), int64 for integers and booleans (uint64 if there
        are larger ones), else strings or doubles, and "probabilities"
        (n_rows, n_classes), floats. They are called "output_label" and
        "output_probabilities" where columns have these names.

    Raises
    ------
    TypeError, ValueError
        If a custom transformer or activation, a type of categories, or text can't be
        exported; the message names it.

    See Also
    --------
    skmlp.onnx.to_inputs : Convert a table to the inputs of the graph.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmlp import MLPSoftmaxClassifier
    >>> from skmlp.onnx import to_onnx
    >>> X = pd.DataFrame({"size": [1.0, None] * 20, "kind": list("abca") * 10})
    >>> model = MLPSoftmaxClassifier(max_iter=5, random_state=0)
    >>> onnx_model = to_onnx(model.fit(X, ["no", "no", "yes", "yes"] * 10))
    >>> [entry.name for entry in onnx_model.graph.input]
    ['size', 'kind']
    >>> [entry.name for entry in onnx_model.graph.output]
    ['label', 'probabilities']
    """
    inputs = build_model_inputs(model)
    label, probability = _name_outputs(inputs)
    # no input has a name with the prefix of all names in the graph
    prefix = "skmlp_"
    while any(entry.name.startswith(prefix) for entry in inputs):
        prefix += "_"
    graph = Graph(prefix)
    add_model(graph, model, inputs, label, probability)
    classes = convert_labels(model.classes_)
    label_type = helper.np_dtype_to_tensor_dtype(classes.dtype)
    shape = ("n_rows", len(classes))
    outputs = [
        helper.make_tensor_value_info(label, label_type, ["n_rows"]),
        helper.make_tensor_value_info(probability, TensorProto.FLOAT, shape),
    ]
    proto = graph.as_proto(
        type(model).__name__, [entry.as_proto() for entry in inputs], outputs
    )
    opsets = [helper.make_opsetid(*item) for item in sorted(graph.opsets.items())]
    onnx_model = helper.make_model(
        proto,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets, ignore_unknown=True),
        producer_name="skmlp",
        producer_version=__version__,
    )
    # kinds and states of the inputs, which to_inputs reads
    helper.set_model_props(onnx_model, _build_metadata(model, inputs))
    check_model(onnx_model)
    return onnx_model


def build_model_inputs(model: MLPSoftmaxClassifier) -> list[Input]:
    """Build the inputs of a model; raise if it can't be exported."""
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
        width = model.n_features_in_
        return [MatrixInput(MATRIX, MATRIX, elem_type=elem_type, width=width)]
    if type(encoder) is not TableEncoder:
        raise TypeError(
            f"preprocessing={encoder!r} can't be exported, as it is no TableEncoder; "
            "fit a Pipeline of it and MLPSoftmaxClassifier(preprocessing=None), import "
            "skmlp.onnx, and use skl2onnx.to_onnx."
        )
    return build_inputs(encoder)


def _name_outputs(inputs: Sequence[Input]) -> list[str]:
    """Choose names of label and probabilities that no input has."""
    taken = [entry.name for entry in inputs]
    return [
        make_unique([*taken, f"output_{name}"])[-1] if name in taken else name
        for name in ("label", "probabilities")
    ]


def add_model(
    graph: Graph,
    model: MLPSoftmaxClassifier,
    inputs: list[Input],
    label: str,
    probability: str,
    elem_type: int = TensorProto.FLOAT,  # of the probabilities
) -> None:
    """Add the nodes from the inputs to outputs of the given names."""
    if isinstance(model.encoder_, TableEncoder):
        x = add_encoder(graph, model.encoder_, inputs)
    else:
        x = graph.add("Cast", inputs[0].name, to=TensorProto.FLOAT)
    result = add_networks(
        graph,
        x,
        model.architecture_,
        model.parameters_,
        model.member_weights_ if model.n_estimators_ > 1 else None,
        model.temperature_,
    )
    if elem_type != TensorProto.FLOAT:  # pipelines of skl2onnx may have doubles
        result = graph.add("Cast", result, to=elem_type)
    # renamed at once, as only the last node can be
    graph.rename(result, probability)
    # ties go to the first class, as in predict
    most_probable = graph.add("ArgMax", probability, axis=1, keepdims=0)
    labels = graph.add("Gather", convert_labels(model.classes_), most_probable)
    graph.rename(labels, label)


def convert_labels(classes: np.ndarray) -> np.ndarray:
    """Convert class labels to int64 (uint64 if need be), doubles or text."""
    if classes.dtype.kind in "biu":
        is_int64 = int(classes.max()) <= np.iinfo(np.int64).max
        return classes.astype(np.int64 if is_int64 else np.uint64)
    if classes.dtype.kind == "f":
        return classes.astype(np.float64)
    # objects of other types become text, which must tell them apart
    labels = [spell(label) for label in classes]
    check_unicode(labels, "the labels")
    if len(set(labels)) < len(labels):
        raise TypeError(
            "expected labels that print differently, got some that print the same. "
            "Turn them into text before fit."
        )
    return np.array(labels, dtype=object)


def _build_metadata(
    model: MLPSoftmaxClassifier, inputs: Sequence[Input]
) -> dict[str, str]:
    """Build the properties of the ONNX model, from which `to_inputs` is served."""
    described = {
        i.name: {"kind": i.kind, "column": i.column, **i.state} for i in inputs
    }
    return {
        "skmlp_version": __version__,
        "skmlp_classes": json.dumps(convert_labels(model.classes_).tolist()),
        METADATA: json.dumps(described),
    }
