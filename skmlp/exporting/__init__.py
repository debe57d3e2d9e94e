"""Fitted classifiers as graphs of ONNX, which run where there is no Python."""
