"""Graph: names, constants that are there once, and the versions that it asks for."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sessions import evaluate

from skmlp.onnx.graph import (
    LOWEST_OPSET,
    TEXT_OPSET,
    Graph,
    as_float32,
    as_int64,
)


def test_a_constant_is_there_once():
    graph = Graph()
    first, again = (
        graph.add_constant(as_int64(1, 2)),
        graph.add_constant(as_int64(1, 2)),
    )
    others = [as_int64(1, 3), as_int64(1, 2).reshape(2, 1), as_float32([1, 2])]
    names = {graph.add_constant(value) for value in others}
    assert first == again
    assert len(names | {first}) == len(graph.constants) == 4


def test_constants_of_text_are_told_apart():
    graph = Graph()
    names = [graph.add_constant(np.array(text, object)) for text in ("a", "b", "a")]
    assert names[0] == names[2] != names[1]


def test_a_body_shares_constants_and_versions():
    graph = Graph("p_")
    body = graph.body()
    assert body.add_constant(as_int64(7)) == graph.add_constant(as_int64(7))
    name = body.add("StringConcat", "x", "x", since=TEXT_OPSET)
    assert name.startswith("p_body_")
    assert graph.opsets[""] == TEXT_OPSET
    assert graph.nodes == []


def test_a_graph_asks_for_no_more_than_its_nodes_need():
    graph = Graph()
    graph.add("Neg", "x")
    assert graph.opsets == {"": LOWEST_OPSET}
    graph.look_up("x", np.array(["a"], object), as_int64(1), 0)
    assert graph.opsets == {"": LOWEST_OPSET, "ai.onnx.ml": 2}
    graph.look_up("x", np.array([0.5]), as_int64(1), 0)
    assert graph.opsets == {"": LOWEST_OPSET, "ai.onnx.ml": 4}


def test_only_the_last_node_gets_another_name():
    graph = Graph()
    first = graph.add("Neg", "x")
    last = graph.add("Neg", first)
    graph.rename(last, "y")
    assert graph.nodes[-1].output == ["y"]
    with pytest.raises(AssertionError):
        graph.rename(first, "z")


def test_one_part_is_joined_without_a_node():
    graph = Graph()
    assert graph.concat(["x"]) == "x"
    assert graph.nodes == []
    both = graph.concat(["x", "y"])
    result = evaluate(graph, both, x=np.ones((2, 1)), y=np.zeros((2, 2)))
    assert_array_equal(result, [[1, 0, 0]] * 2)


@pytest.mark.parametrize("values", [as_int64(10, 20), as_float32([0.5, -0.5])])
@pytest.mark.parametrize(
    ("keys", "x"),
    [
        (np.array(["a", ""], object), np.array([["a"], ["b"], [""]], object)),
        (as_int64(5, -7), as_int64(5, 6, -7).reshape(3, 1)),
        (np.array([0.5, np.nan]), np.array([[0.5], [1.5], [np.nan]])),
    ],
)
def test_values_are_looked_up(keys, x, values):
    graph = Graph()
    found = graph.look_up("x", keys, values, 3)
    result = evaluate(graph, found, x=x)
    assert_array_equal(result, [[values[0]], [3], [values[1]]])
    assert result.dtype == values.dtype


@pytest.mark.parametrize(
    "x", [np.array([["a"], ["b"]], object), as_int64(1, 2)[:, None]]
)
def test_look_up_without_keys_gives_the_default(x):
    graph = Graph()
    found = graph.look_up("x", np.array([], x.dtype), as_int64(), 3)
    assert evaluate(graph, found, x=x).tolist() == [[3], [3]]
