"""An ONNX graph under construction: named nodes and deduplicated constants."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.numpy_helper import from_array

LOWEST_OPSET = 13  # opset of graphs without text columns
TEXT_OPSET = 20  # first opset with StringConcat
# lowest version of each operator domain
DOMAINS = {"": LOWEST_OPSET, "ai.onnx.ml": 2, "com.microsoft": 1}


def as_int64(*values: int) -> np.ndarray:
    """Build a 1-D constant of shapes, axes or indices."""
    return np.array(values, dtype=np.int64)


def as_float32(value: float | np.floating | np.ndarray) -> np.ndarray:
    """Build a constant in single precision, the type of the network."""
    return np.asarray(value, dtype=np.float32)


def as_float64(value: float | np.ndarray) -> np.ndarray:
    """Build a constant in double precision, the type of numbers before scaling."""
    return np.asarray(value, dtype=np.float64)


class Graph:
    """Nodes in order of computation; a `body` (of a loop) shares the constants."""

    def __init__(self, prefix: str = "", outer: "Graph | None" = None) -> None:
        self.prefix = prefix  # of the names of all nodes and constants
        self.nodes: list[NodeProto] = []
        # output types that onnx can't infer, of operators of other domains
        self.declared: list[ValueInfoProto] = []
        # tensors by dtype, shape and content, so that equal ones are stored once
        self.constants: dict[tuple, TensorProto] = {}
        self.opsets = {"": LOWEST_OPSET}  # version needed, by domain
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
        """Add a node; `since` is the opset it needs. Return the name of its output."""
        name = f"{self.prefix}{operator}_{len(self.nodes) + 1}"
        names = [
            value if isinstance(value, str) else self.add_constant(value)
            for value in inputs
        ]
        # the lowest version that all nodes accept, for the sake of old runtimes
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
        """Rename the output of the last node."""
        (output,) = self.nodes[-1].output
        assert output == name, "only the last node can get another name"
        self.nodes[-1].output[0] = new

    def add_constant(self, value: np.ndarray) -> str:
        """Return the name of a constant, which is stored once."""
        content = str(value.tolist()) if value.dtype == object else value.tobytes()
        # bytes, since -0.0 and NaN are constants, too
        key = value.dtype.str, value.shape, content
        if key not in self.constants:
            name = f"{self.prefix}constant_{len(self.constants) + 1}"
            self.constants[key] = from_array(np.asarray(value, order="C"), name)
        return self.constants[key].name

    def body(self) -> "Graph":
        """Return the graph of a loop's body."""
        return Graph(f"{self.prefix}body_", outer=self)

    def as_proto(
        self,
        name: str,
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        with_constants: bool = True,
    ) -> GraphProto:
        """Convert to a GraphProto."""
        constants = list(self.constants.values()) if with_constants else []
        return helper.make_graph(
            self.nodes, name, inputs, outputs, constants, value_info=self.declared
        )

    def concat(self, parts: Sequence[str]) -> str:
        """Concatenate columns; one part needs no node."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def tokenize(self, text: str, pad_value: str, **options: Any) -> str:
        """Split text (n_rows, 1) into pieces (n_rows, n_pieces) by onnxruntime."""
        defaults = {"mark": 0, "mincharnum": 1, "pad_value": pad_value}
        pieces = self.add(
            "Tokenizer", text, domain="com.microsoft", **{**defaults, **options}
        )
        # onnx's checker crashes the process where it can't infer the type of text
        shape = ("n_rows", 1, f"n_{pieces}")
        self.declared.append(
            helper.make_tensor_value_info(pieces, TensorProto.STRING, shape)
        )
        return self.add("Squeeze", pieces, as_int64(1))

    def look_up(
        self, x: str, keys: np.ndarray, values: np.ndarray, default: float
    ) -> str:
        """Map each element of `x` from keys to values (int64 or float32)."""
        if len(keys) == 0:
            # LabelEncoder refuses an empty table
            default_value = np.array(default, dtype=values.dtype)
            return self.add("Expand", default_value, self.add("Shape", x))
        if keys.dtype == np.float64:
            # onnxruntime maps doubles to int64 only, so values come by a second step
            tensors = {
                "keys_tensor": from_array(keys),
                "values_tensor": from_array(np.arange(len(keys))),
                "default_tensor": from_array(as_int64(len(keys))),
            }
            place = self.add("LabelEncoder", x, domain="ai.onnx.ml", since=4, **tensors)
            table = np.append(values, values.dtype.type(default))
            return self.add("Gather", table, place)
        key_type = {"O": "keys_strings", "i": "keys_int64s"}[keys.dtype.kind]
        value_type = {"i": "int64", "f": "float"}[values.dtype.kind]
        return self.add(
            "LabelEncoder",
            x,
            domain="ai.onnx.ml",
            **{
                key_type: keys.tolist(),
                f"values_{value_type}s": values.tolist(),
                f"default_{value_type}": values.dtype.type(default).item(),
            },
        )
