"""The classifier as a step of what skl2onnx converts; only this module imports it."""

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
from skmlp.onnx.graph import Graph, ints, joined
from skmlp.onnx.inputs import Input
from skmlp.onnx.models import add_model, classes_of, inputs_of_model

ALIAS = "SkmlpMLPSoftmaxClassifier"

LABEL_TYPES = {
    TensorProto.INT64: Int64TensorType,
    TensorProto.DOUBLE: DoubleTensorType,
    TensorProto.STRING: StringTensorType,
}


def register() -> None:
    """Let skl2onnx convert pipelines and calibrated classifiers with ours inside."""
    update_registered_converter(
        MLPSoftmaxClassifier,
        ALIAS,
        set_output_types,
        convert,
        options={
            "zipmap": [True, False, "columns"],
            "output_class_labels": [False, True],
            "nocl": [True, False],
        },
    )


def set_output_types(operator: Any) -> None:
    """Say what comes out: labels and probabilities."""
    classes = classes_of(operator.raw_operator.classes_)
    n_rows = operator.inputs[0].get_first_dimension()
    label_type = LABEL_TYPES.get(helper.np_dtype_to_tensor_dtype(classes.dtype))
    if label_type is None:
        raise TypeError(
            "expected labels that int64 holds, got larger whole numbers. Turn them "
            "into text before fit."
        )
    operator.outputs[0].set_type(label_type([n_rows]))
    # as skl2onnx has it for all classifiers, and other steps rely on
    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    probability_type = DoubleTensorType if is_double else FloatTensorType
    operator.outputs[1].set_type(probability_type([n_rows, len(classes)]))


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier to a graph of skl2onnx.

    Raises
    ------
    RuntimeError
        If the graph is to be of a lower opset than the nodes need.
    TypeError, ValueError
        If the classifier can't be exported, or what comes to it is not what it reads.
    """
    model = operator.raw_operator
    graph = Graph(scope.get_unique_operator_name("skmlp") + "_")
    inputs = connected(graph, inputs_of_model(model), operator.inputs)
    label, probability = (output.full_name for output in operator.outputs)
    elem_type = guess_proto_type(operator.outputs[1].type)
    add_model(graph, model, inputs, label, probability, elem_type)
    targets = container.target_opset_all
    for domain, version in graph.opsets.items():
        # a domain that is not named comes in whatever version it is needed
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


def connected(
    graph: Graph, wanted: Sequence[Input], variables: Sequence[Any]
) -> list[Input]:
    """The inputs under the names of what comes from the steps before."""
    if wanted[0].kind == "matrix":
        parts = [in_type(graph, variable, wanted[0]) for variable in variables]
        return [wanted[0]._replace(name=joined(graph, parts))]
    by_name = {variable.raw_name: variable for variable in variables}
    if all(entry.name in by_name for entry in wanted):
        return [
            entry._replace(name=in_type(graph, by_name[entry.name], entry))
            for entry in wanted
        ]
    if not all(entry.kind == "numbers" for entry in wanted):
        raise ValueError(
            f"the classifier reads {[entry.name for entry in wanted]}, but the graph "
            f"has {sorted(by_name)} at this step; let it come first, or encode its "
            "columns in a step before, and fit it with preprocessing=None."
        )
    # a step before it made one array of what were named columns
    parts = [in_type(graph, variable, wanted[0]) for variable in variables]
    whole = joined(graph, parts)
    columns = [
        graph.add("Gather", whole, ints(place), axis=1) for place in range(len(wanted))
    ]
    return [
        entry._replace(name=column)
        for entry, column in zip(wanted, columns, strict=True)
    ]


def in_type(graph: Graph, variable: Any, wanted: Input) -> str:
    """A variable in the type of an input."""
    elem_type = guess_proto_type(variable.type)
    if elem_type == wanted.elem_type:
        return variable.full_name
    if TensorProto.STRING in (elem_type, wanted.elem_type):
        names = [TensorProto.DataType.Name(t) for t in (elem_type, wanted.elem_type)]
        raise TypeError(
            f"{variable.raw_name!r} is of type {names[0]} in the graph, but the "
            f"classifier reads {names[1]}."
        )
    return graph.add("Cast", variable.full_name, to=wanted.elem_type)
