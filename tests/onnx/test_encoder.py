"""The encoder as nodes, beside `transform`."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper
from scipy import sparse
from sessions import evaluate, session_of

from skmlp import TableEncoder
from skmlp.onnx.encoder import _add_scale, add_encoder, build_inputs
from skmlp.onnx.graph import Graph
from skmlp.tabular.frame import read_columns
from skmlp.tabular.scaling import SmoothScale


def matrix(encoder, X):
    """What the nodes of an encoder make of X."""
    graph, inputs = Graph(), build_inputs(encoder)
    name = add_encoder(graph, encoder, inputs)
    width = encoder.n_features_out_
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_rows", width])
    proto = graph.as_proto("test", [entry.as_proto() for entry in inputs], [output])
    opsets = [helper.make_opsetid(*item) for item in graph.opsets.items()]
    session = session_of(helper.make_model(proto, opset_imports=opsets, ir_version=10))
    if inputs[0].kind == "matrix":
        return session.run(None, {inputs[0].name: np.asarray(X, np.float64)})[0]
    columns = {str(column.name): column for column in read_columns(X)}
    feeds = {i.name: i.fill(columns[i.column]).reshape(-1, 1) for i in inputs}
    return session.run(None, feeds)[0]


@pytest.mark.parametrize(
    "columns",
    [["a"], ["a", "b"], ["word"], ["word", "b"], ["b", "word", "day", "a", "note"]],
)
def test_the_matrix(columns):
    rng = np.random.default_rng(0)
    n_rows = 200
    X = pd.DataFrame(
        {
            "a": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows)),
            "b": rng.normal(size=n_rows) * 1e9,
            "word": rng.choice(["x", "y", "z", None], n_rows),
            "day": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 10**7, n_rows), unit="s"),
            "note": [f"good {a} bad {b}" for a, b in rng.integers(0, 30, (n_rows, 2))],
        }
    )[columns]
    encoder = TableEncoder(random_state=0).fit(X, rng.integers(0, 2, n_rows))
    new = X.sample(frac=1, random_state=0)
    assert_allclose(matrix(encoder, new), encoder.transform(new), atol=1e-5)


def test_numbers_without_names():
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[::5, 1] = np.nan
    encoder = TableEncoder().fit(X)
    assert_allclose(matrix(encoder, X), encoder.transform(X), atol=1e-6)


def test_an_encoder_of_sparse_rows():
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.normal(size=(60, 4)) * (rng.random((60, 4)) < 0.5))
    encoder = TableEncoder().fit(X)
    wanted = encoder.transform(X).toarray()
    assert_allclose(matrix(encoder, X.toarray()), wanted, atol=1e-6)


ODD = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 3.0, 1e39]


def by_encoder(scale, x):
    return scale.transform(x.copy())


def test_add_scale_agrees_with_the_encoder():
    rng = np.random.default_rng(0)
    train = rng.normal([0, 1e15, -3, 0], [1, 1e-1, 1e200, 0], size=(200, 4))
    scale = SmoothScale().fit(train.T, None)
    x = np.concatenate([train, np.array([ODD] * 4).T])
    graph = Graph()
    result = evaluate(graph, _add_scale(graph, "x", scale), x=x)
    assert_allclose(result, by_encoder(scale, x), rtol=1e-14)
    assert np.isfinite(result).all()
    assert (result[:, 3] == 0).all()
