"""Converter for skl2onnx, for classifiers in pipelines; no other module imports it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
    guess_proto_type,
)

from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.onnx.export import add_model, build_model_inputs, convert_labels
from skmlp.onnx.graph import Graph, as_int64
from skmlp.onnx.inputs import Input, MatrixInput

ALIAS = "SkmlpMLPSoftmaxClassifier"

LABEL_TYPES = {
    TensorProto.INT64: Int64TensorType,
    TensorProto.DOUBLE: DoubleTensorType,
    TensorProto.STRING: StringTensorType,
}


def register() -> None:
    """Register the converter with skl2onnx."""
    update_registered_converter(
        MLPSoftmaxClassifier,
        ALIAS,
        _set_output_types,
        _convert,
        options={
            "zipmap": [True, False, "columns"],
            "output_class_labels": [False, True],
            "nocl": [True, False],
        },
    )


def _set_output_types(operator: Any) -> None:
    """Set the types of labels and probabilities."""
    classes = convert_labels(operator.raw_operator.classes_)
    n_rows = operator.inputs[0].get_first_dimension()
    label_type = LABEL_TYPES.get(helper.np_dtype_to_tensor_dtype(classes.dtype))
    if label_type is None:
        raise TypeError(
            "expected labels that int64 holds, got larger whole numbers. Turn them "
            "into text before fit."
        )
    operator.outputs[0].set_type(label_type([n_rows]))
    # later steps rely on the type that all classifiers of skl2onnx have
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    probability_type = DoubleTensorType if is_double else FloatTensorType
    operator.outputs[1].set_type(probability_type([n_rows, len(classes)]))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier to a graph of skl2onnx."""
    model = operator.raw_operator
    graph = Graph(scope.get_unique_operator_name("skmlp") + "_")
    # names that the scope has made unique among all steps of the pipeline
    inputs = _connect(graph, build_model_inputs(model), operator.inputs)
    label, probability = (output.full_name for output in operator.outputs)
    elem_type = guess_proto_type(operator.outputs[1].type)
    add_model(graph, model, inputs, label, probability, elem_type)
    targets = container.target_opset_all
    for domain, version in graph.opsets.items():
        # domains that target_opset does not name are not limited
        if version > targets.get(domain, version):
            raise RuntimeError(
                f"the graph needs version {version} of the operators of "
                f"{domain or 'ai.onnx'!r}, but target_opset allows "
                f"{targets[domain]}; raise it."
            )
        container.node_domain_version_pair_sets.add((domain, version))
    container.initializers.extend(graph.constants.values())
    container.value_info.extend(graph.declared)
    container.nodes.extend(graph.nodes)


def _connect(
    graph: Graph, wanted: Sequence[Input], variables: Sequence[Any]
) -> list[Input]:
    """Rename the inputs to the variables that the steps before compute."""
    is_matrix = isinstance(wanted[0], MatrixInput)
    by_name = {variable.raw_name: variable for variable in variables}
    if not is_matrix and all(entry.name in by_name for entry in wanted):
        names = [_cast(graph, by_name[i.name], i.elem_type) for i in wanted]
    else:
        if not is_matrix:
            _check_numeric(wanted, sorted(by_name))
        # a step before, such as a scaler, makes one array of all columns
        elem_type = wanted[0].elem_type
        whole = graph.concat([_cast(graph, v, elem_type) for v in variables])
        names = [whole]
        if not is_matrix:
            places = map(as_int64, range(len(wanted)))
            names = [graph.add("Gather", whole, place, axis=1) for place in places]
    return [
        dataclasses.replace(entry, name=name)
        for entry, name in zip(wanted, names, strict=True)
    ]


def _check_numeric(wanted: Sequence[Input], given: list[str]) -> None:
    """Raise unless all inputs are numbers, which may come as one array."""
    for entry in wanted:
        is_text = entry.elem_type == TensorProto.STRING
        if is_text or entry.kind not in {"numbers", "categories"}:
            raise ValueError(
                f"the classifier reads {[entry.name for entry in wanted]}, but the "
                f"graph has {given} at this step; let it come first, or encode its "
                "columns in a step before, and fit it with preprocessing=None."
            )


def _cast(graph: Graph, variable: Any, elem_type: int) -> str:
    """Add a cast of a variable to the type of an input."""
    given = guess_proto_type(variable.type)
    if given == elem_type:
        return variable.full_name
    if TensorProto.STRING in (given, elem_type):
        names = [TensorProto.DataType.Name(t) for t in (given, elem_type)]
        raise TypeError(
            f"{variable.raw_name!r} is of type {names[0]} in the graph, but the "
            f"classifier reads {names[1]}."
        )
    return graph.add("Cast", variable.full_name, to=elem_type)
