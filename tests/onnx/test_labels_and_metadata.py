"""A fitted classifier as nodes: what can be exported, labels, and what a file says."""

import json

import numpy as np
import pytest
from onnx import TensorProto
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skmlp
from skmlp import Activation, MLPSoftmaxClassifier
from skmlp.onnx import to_onnx
from skmlp.onnx.export import (
    _build_metadata,
    _name_outputs,
    build_model_inputs,
    convert_labels,
)
from skmlp.onnx.inputs import Input

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.arange(40) % 2


def test_what_can_not_be_exported_is_named():
    class Square(Activation):
        def value(self, z, out, p):
            return np.multiply(z, z, out=out)

        def derivative(self, z, out, p):
            return np.multiply(z, 2, out=out)

    own = MLPSoftmaxClassifier(activation=Square(), max_iter=2).fit(X, Y)
    with pytest.raises(TypeError, match="Square"):
        build_model_inputs(own)
    scaled = MLPSoftmaxClassifier(preprocessing=StandardScaler(), max_iter=2).fit(X, Y)
    with pytest.raises(
        TypeError, match=r"preprocessing=StandardScaler\(\) .* skl2onnx"
    ):
        build_model_inputs(scaled)
    with pytest.raises(TypeError, match="got LogisticRegression"):
        build_model_inputs(LogisticRegression().fit(X, Y))
    with pytest.raises(NotFittedError):
        build_model_inputs(MLPSoftmaxClassifier())


@pytest.mark.parametrize(
    ("classes", "elem_type", "wanted"),
    [
        ([3, 5], TensorProto.INT64, [3, 5]),
        ([False, True], TensorProto.INT64, [0, 1]),
        ([1.0, 2.0], TensorProto.DOUBLE, [1.0, 2.0]),
        (["no", "yes"], TensorProto.STRING, ["no", "yes"]),
        ([2**63, 2**63 + 1], TensorProto.UINT64, [2**63, 2**63 + 1]),
    ],
)
def test_labels(classes, elem_type, wanted):
    assert convert_labels(np.array(classes)).tolist() == wanted
    X = np.arange(20.0).reshape(-1, 1)
    model = MLPSoftmaxClassifier((), max_iter=2).fit(X, np.array(classes).repeat(10))
    label = to_onnx(model).graph.output[0]
    assert label.type.tensor_type.elem_type == elem_type


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["a", "b\ud800"], "Unicode text in the labels"), ([1, "1"], "print differently")],
)
def test_classes_of_labels_that_no_graph_holds_are_refused(classes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        convert_labels(np.array(classes, dtype=object))


def test_names_of_outputs_and_prefix_are_no_inputs():
    names = ["label", "output_label", "skmlp_x", "skmlp__"]
    inputs = [Input(name, name) for name in names]
    assert _name_outputs(inputs) == ["output_label_2", "probabilities"]


def test_what_a_file_says():
    model = MLPSoftmaxClassifier((), max_iter=2).fit(X, np.array(["a", "b"])[Y])
    properties = _build_metadata(model, build_model_inputs(model))
    assert properties["skmlp_version"] == skmlp.__version__
    assert json.loads(properties["skmlp_classes"]) == ["a", "b"]
    assert json.loads(properties["skmlp_inputs"]) == {
        "X": {"kind": "matrix", "column": "X"}
    }
