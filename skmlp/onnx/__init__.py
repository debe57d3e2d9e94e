"""ONNX export of fitted classifiers: raw columns in, label and probabilities out."""

from importlib.util import find_spec

from skmlp.onnx.export import to_onnx
from skmlp.onnx.feeds import to_inputs

__all__ = ["to_inputs", "to_onnx"]

if find_spec("skl2onnx") is not None:
    from skmlp.onnx.converter import register

    register()
