"""Fitted classifiers as ONNX graphs: raw columns in, label and probabilities out."""

from importlib.util import find_spec

from onnx import ModelProto, TensorProto, helper
from onnx.checker import check_model

from skmlp._version import __version__
from skmlp.classifier import MLPSoftmaxClassifier
from skmlp.onnx.feeds import to_inputs
from skmlp.onnx.graph import Graph
from skmlp.onnx.models import (
    add_model,
    choose_prefix,
    inputs_of_model,
    label_type,
    metadata,
    name_outputs,
)

__all__ = ["to_inputs", "to_onnx"]

if find_spec("skl2onnx") is not None:
    from skmlp.onnx.converter import register

    register()


def to_onnx(model: MLPSoftmaxClassifier) -> ModelProto:
    """A fitted classifier as an ONNX graph, which runs where there is no Python.

    The graph holds all that `predict_proba` does: it reads raw columns, encodes them,
    and gives the label and the probabilities of each row. Computation in the network is
    in single precision, also where `dtype` is "float64".

    Parameters
    ----------
    model : MLPSoftmaxClassifier
        A fitted classifier, whose `preprocessing` is "auto", None or a
        :class:`TableEncoder`.

    Returns
    -------
    onnx_model : onnx.ModelProto
        ``onnx_model.SerializeToString()`` is what a file holds. Its inputs are one per
        column, of shape (n_rows, 1), named as the columns are; one of shape
        (n_rows, n_features), named "X", where they are numbers without names, or where
        `preprocessing` is None:

        - numbers as doubles, NaN where missing; "X" of a model without preprocessing in
          its `dtype`;
        - text, and all categories that are no numbers, as strings (what `str` makes of
          them), "" where missing, unless that was a category in training;
        - categories that are whole numbers or truth values as int64 or bool, or as
          doubles if some were missing in training; the smallest int64 where missing,
          if doubles don't hold all of them, and strings if int64 does not either;
        - dates as int64, microseconds since 1970 in UTC (by the clock, if they have no
          time zone); durations and times of the day, since midnight, in microseconds as
          well; the smallest int64 where missing. Where the time zone matters, an input
          "<name>_utc_offset" takes the seconds that the clock is ahead of UTC.

        A column without a name gets one, such as "x0". :func:`to_inputs` fills all of
        them as `predict_proba` reads a table.

        Outputs are "label" (n_rows,), int64 for whole numbers and truth values (uint64
        if there are larger ones), else strings or doubles, and "probabilities"
        (n_rows, n_classes), floats. They are called "output_label" and
        "output_probabilities" where columns have these names.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it holds what can't be exported: a transformer or an activation of one's own,
        or categories that text can't tell apart.
    ValueError
        If a category, a term or a label is no Unicode text.

    See Also
    --------
    skmlp.onnx.to_inputs : Rows of a table in the form that the graph takes.

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
    inputs = inputs_of_model(model)
    label, probability = name_outputs(inputs)
    graph = Graph(choose_prefix(inputs))
    add_model(graph, model, inputs, label, probability)
    n_classes = len(model.classes_)
    outputs = [
        helper.make_tensor_value_info(label, label_type(model.classes_), ["n_rows"]),
        helper.make_tensor_value_info(
            probability, TensorProto.FLOAT, ["n_rows", n_classes]
        ),
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
    helper.set_model_props(onnx_model, metadata(model, inputs))
    check_model(onnx_model)
    return onnx_model
