"""What tests of graphs share: nodes and models, computed by onnxruntime."""

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, shape_inference

from skmlp.onnx import to_inputs, to_onnx

SILENT = 3
"""Errors only: that a constant is folded is no news."""


def session_of(onnx_model, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
    """What computes a graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), options, ["CPUExecutionProvider"]
    )


def computed(model, X):
    """Labels and probabilities by the graph of a fitted model, which is well formed."""
    onnx_model = to_onnx(model)
    checker.check_model(onnx_model, full_check=True)
    shape_inference.infer_shapes(onnx_model, check_type=True, strict_mode=True)
    return session_of(onnx_model).run(None, to_inputs(onnx_model, X))


def largest_difference(model, X):
    """Between the probabilities of a model and those of its graph."""
    _, probabilities = computed(model, X)
    assert np.isfinite(probabilities).all()
    return np.abs(probabilities - model.predict_proba(X)).max()


def evaluate(graph, output, **inputs):
    """The value of a node, given arrays for the names that nodes read."""
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    declared = [
        helper.make_tensor_value_info(
            name, elem_type_of(array), [f"{name}_{axis}" for axis in range(array.ndim)]
        )
        for name, array in arrays.items()
    ]
    proto = graph.as_proto(
        "test", declared, [helper.make_empty_tensor_value_info(output)]
    )
    opsets = [helper.make_opsetid(*item) for item in graph.opsets.items()]
    onnx_model = helper.make_model(proto, opset_imports=opsets, ir_version=10)
    return session_of(onnx_model).run(None, arrays)[0]


def elem_type_of(array):
    """The type of an array, one of those of TensorProto."""
    if array.dtype == object:
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)
