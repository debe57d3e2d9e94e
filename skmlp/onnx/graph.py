"""A graph in the making: nodes that are named, and constants that are there once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.numpy_helper import from_array

LOWEST_OPSET = 13
"""What suffices for all but text that is read."""

TEXT_OPSET = 20
"""From here on text can be matched with regular expressions, split and joined."""

DOMAINS = {"": LOWEST_OPSET, "ai.onnx.ml": 2, "com.microsoft": 1}
"""Versions to begin with, by the domain that operators are of."""


class Graph:
    """Nodes in the order of their computation, and the constants that they read.

    Parameters
    ----------
    prefix : str, default=""
        What all names begin with that this graph makes up.
    outer : Graph, default=None
        The graph whose constants a body (of a loop) shares.

    Attributes
    ----------
    nodes : list of NodeProto
        What is computed.
    constants : dict
        Tensors by their content, so that none is there twice.
    declared : list of ValueInfoProto
        Types of what comes from operators that ONNX itself does not know.
    opsets : dict of str to int
        Lowest version of each domain of operators that will do.
    """

    def __init__(self, prefix: str = "", outer: "Graph | None" = None) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []
        self.declared: list[ValueInfoProto] = []
        self.constants: dict[tuple, TensorProto] = {}
        self.opsets = {"": LOWEST_OPSET}
        self.count = 0
        if outer is not None:
            self.constants, self.opsets = outer.constants, outer.opsets

    def add(
        self,
        operator: str,
        *inputs: str | np.ndarray,
        domain: str = "",
        since: int = 0,
        **attributes: Any,
    ) -> str:
        """Add a node with one output, and return the output's name.

        Parameters
        ----------
        operator : str
            What the node does, by the name in its domain.
        *inputs : str or ndarray
            Names of what it reads, or constants.
        domain : str, default=""
            Whose operator it is.
        since : int, default=0
            Version of the domain that the operator needs, if a higher one.
        **attributes : object
            As the operator takes them.
        """
        self.count += 1
        name = f"{self.prefix}{operator}_{self.count}"
        names = [
            value if isinstance(value, str) else self.constant(value)
            for value in inputs
        ]
        self.opsets[domain] = max(
            self.opsets.get(domain, DOMAINS[domain]), since, DOMAINS[domain]
        )
        self.nodes.append(
            helper.make_node(
                operator, names, [name], name=name, domain=domain, **attributes
            )
        )
        return name

    def rename(self, name: str, new: str) -> None:
        """Give the output of the last node, which is called `name`, another name."""
        (output,) = self.nodes[-1].output
        assert output == name, "only the last node can get another name"
        self.nodes[-1].output[0] = new

    def constant(self, value: np.ndarray) -> str:
        """The name of a constant, which is added unless it is there."""
        content = str(value.tolist()) if value.dtype == object else value.tobytes()
        key = value.dtype.str, value.shape, content
        if key not in self.constants:
            name = f"{self.prefix}constant_{len(self.constants) + 1}"
            self.constants[key] = from_array(np.asarray(value, order="C"), name)
        return self.constants[key].name

    def body(self) -> "Graph":
        """A graph for what a node does again and again."""
        return Graph(f"{self.prefix}body_", outer=self)

    def as_proto(
        self,
        name: str,
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        with_constants: bool = True,
    ) -> GraphProto:
        """The graph in ONNX's own form."""
        constants = list(self.constants.values()) if with_constants else []
        return helper.make_graph(
            self.nodes, name, inputs, outputs, constants, value_info=self.declared
        )


# What several parts of the graph ask for


def ints(*values: int) -> np.ndarray:
    """Whole numbers as a constant of one axis."""
    return np.array(values, dtype=np.int64)


def single(value: float | np.floating | np.ndarray) -> np.ndarray:
    """In single precision, in which the network is."""
    return np.asarray(value, dtype=np.float32)


def double(value: float | np.ndarray) -> np.ndarray:
    """In double precision, in which numbers are read and scaled."""
    return np.asarray(value, dtype=np.float64)


def joined(graph: Graph, parts: Sequence[str], axis: int = 1) -> str:
    """Parts beside each other; one part is as it is."""
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=axis)


def tokenized(graph: Graph, text: str, pad_value: str, **how: Any) -> str:
    """Text (n_rows, 1) in pieces (n_rows, n_pieces), by an operator of onnxruntime."""
    options = {"mark": 0, "mincharnum": 1, "pad_value": pad_value, **how}
    pieces = graph.add("Tokenizer", text, domain="com.microsoft", **options)
    # of text whose type it can't infer, onnx's own check ends the process
    shape = ("n_rows", 1, f"n_{pieces}")
    graph.declared.append(
        helper.make_tensor_value_info(pieces, TensorProto.STRING, shape)
    )
    return graph.add("Squeeze", pieces, ints(1))


def matches(graph: Graph, text: str, pattern: str) -> str:
    """Where all of a text is as a regular expression says."""
    return graph.add("RegexFullMatch", text, pattern=pattern, since=TEXT_OPSET)


def looked_up(
    graph: Graph,
    x: str,
    keys: np.ndarray,
    values: np.ndarray,
    default: float,
) -> str:
    """What stands in a table beside each key, or a default for what is no key.

    Parameters
    ----------
    graph : Graph
        Where to.
    x : str
        Text, whole numbers or floats of any shape.
    keys : ndarray of object, int64 or float64
        Of the type of `x`.
    values : ndarray of int64 or float32
        What each stands for.
    default : float
        What all others stand for.
    """
    if len(keys) == 0:
        # a LabelEncoder needs a key
        default_value = np.array(default, dtype=values.dtype)
        return graph.add("Expand", default_value, graph.add("Shape", x))
    if keys.dtype == np.float64:
        # onnxruntime knows whole numbers alone as what doubles stand for
        tensors = {
            "keys_tensor": from_array(keys),
            "values_tensor": from_array(np.arange(len(keys))),
            "default_tensor": from_array(ints(len(keys))),
        }
        place = graph.add("LabelEncoder", x, domain="ai.onnx.ml", since=4, **tensors)
        return graph.add("Gather", np.append(values, values.dtype.type(default)), place)
    kind = {"O": "keys_strings", "i": "keys_int64s"}[keys.dtype.kind]
    value = {"i": "int64", "f": "float"}[values.dtype.kind]
    return graph.add(
        "LabelEncoder",
        x,
        domain="ai.onnx.ml",
        **{
            kind: keys.tolist(),
            f"values_{value}s": values.tolist(),
            f"default_{value}": values.dtype.type(default).item(),
        },
    )
