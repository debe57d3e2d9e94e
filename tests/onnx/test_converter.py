"""Pipelines and calibrated classifiers with ours inside, by skl2onnx."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sessions import session_of
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skmlp.onnx
from skmlp import MLPSoftmaxClassifier

skl2onnx = pytest.importorskip("skl2onnx")
assert skmlp.onnx.to_onnx  # importing it has registered the converter

X, Y = load_wine(return_X_y=True)
X = X[:, :4]
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(
    kind=np.where(X[:, 0] > 13, "high", "low")
)
OPTIONS = {"zipmap": False}


def quick(**params):
    return MLPSoftmaxClassifier((8,), **{"max_iter": 5, "random_state": 0, **params})


def columns_of(X):
    return {name: X[[name]].to_numpy() for name in X}


def compare(model, X, feeds, y=Y, **options):
    model.fit(X, y)
    graph = skl2onnx.to_onnx(model, X[:1], options={**OPTIONS, **options})
    session = session_of(graph)
    assert [output.name for output in session.get_outputs()] == [
        "label",
        "probabilities",
    ]
    labels, probabilities = session.run(None, feeds)
    assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)
    assert_array_equal(labels, model.predict(X))
    return graph


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "model",
    [
        quick(),
        quick(preprocessing=None, learning_rate_init=1e-3),
        make_pipeline(StandardScaler(), quick()),
        make_pipeline(StandardScaler(), quick(preprocessing=None)),
        make_pipeline(StandardScaler().set_output(transform="pandas"), quick()),
        CalibratedClassifierCV(quick(), cv=2),
    ],
    ids=str,
)
def test_arrays(model, dtype):
    rows = X.astype(dtype)
    compare(model, rows, {"X": rows})


@pytest.mark.parametrize(
    "y", [Y, Y > 0, np.array(["a", "b", "c"])[Y]], ids=lambda y: y.dtype
)
def test_tables(y):
    compare(make_pipeline(quick()), FRAME, columns_of(FRAME), y)


def test_tables_that_are_encoded_before():
    encode = make_column_transformer(
        (StandardScaler(), list("abcd")), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    model = make_pipeline(encode, quick(preprocessing=None))
    compare(model, FRAME, columns_of(FRAME))


def test_zipmap_as_for_other_classifiers():
    model = quick().fit(X, Y)
    graph = skl2onnx.to_onnx(model, X[:1].astype(np.float32))
    _, (first, *_) = session_of(graph).run(None, {"X": X[:2].astype(np.float32)})
    assert list(first) == [0, 1, 2]


def test_words_where_numbers_were():
    words = FRAME[["kind"]]
    model = make_pipeline(quick()).fit(words, Y)
    wrong = [("kind", skl2onnx.common.data_types.FloatTensorType([None, 1]))]
    with pytest.raises(TypeError, match=r"'kind' is of type FLOAT .* reads STRING"):
        skl2onnx.to_onnx(model, initial_types=wrong)


def test_numbers_that_were_text():
    texts = pd.DataFrame({"number": [f"{value:.2f}" for value in X[:, 0]]})
    model = make_pipeline(quick()).fit(texts, Y)
    with pytest.raises(TypeError, match=r"is of type STRING .* reads DOUBLE"):
        skl2onnx.to_onnx(model, texts[:1])


def test_columns_under_other_names():
    model = make_pipeline(quick()).fit(FRAME, Y)
    renamed = FRAME.rename(columns={"kind": "sort"})
    with pytest.raises(ValueError, match=r"reads .*'kind'.* has .*'sort'"):
        skl2onnx.to_onnx(model, renamed[:1])


def test_an_opset_that_is_too_low():
    texts = pd.DataFrame({"note": [f"tea {a:.2f} or {b:.2f}" for a, b in X[:, :2]]})
    model = make_pipeline(quick()).fit(texts, Y)
    with pytest.raises(RuntimeError, match=r"version 20 .* target_opset allows 15"):
        skl2onnx.to_onnx(model, texts[:1], target_opset=15)
