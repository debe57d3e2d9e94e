"""The example of a service: JSON in, what predict_proba gives out."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmlp import MLPSoftmaxClassifier

for name in ("onnx", "onnxruntime", "fastapi", "uvicorn"):
    pytest.importorskip(name)

from skmlp.onnx import to_onnx  # noqa: E402

EXAMPLES = Path(__file__).parents[1] / "examples"


def table(n_rows=200):
    """Numbers, words, truth values and days, some of them missing, and labels."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n_rows)
    X = pd.DataFrame(
        {
            "size": np.where(size < -1, np.nan, size),
            "kind": rng.choice(["a", "b", None], n_rows),
            "is_new": rng.random(n_rows) < 0.5,
            "day": pd.date_range("2024-01-01", periods=n_rows, freq="31h"),
        }
    )
    return X, np.where(size > 0, "yes", "no")


@pytest.fixture(scope="module")
def model():
    return MLPSoftmaxClassifier(n_estimators=2, max_iter=5, random_state=0).fit(
        *table()
    )


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    """Where the service listens that a user would start."""
    path = tmp_path_factory.mktemp("service") / "model.onnx"
    path.write_bytes(to_onnx(model).SerializeToString())
    service = subprocess.Popen(
        [sys.executable, EXAMPLES / "service.py"],
        env=os.environ | {"MODEL": str(path), "PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with service:
        said = iter(service.stderr)
        line = next((line for line in said if "running on" in line), None)
        assert line, "the service did not start"
        yield re.search(r"http://[\d.:]+", line)[0]
        service.terminate()


def post(address, row):
    request = Request(
        f"{address}/predict",
        json.dumps(row).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_rows_as_json_give_what_the_model_gives(model, address):
    X, _ = table()
    X = X.head(6).assign(kind=["a", None, "b", "new", None, "a"])
    X.loc[5, ["size", "day"]] = None
    day = X["day"].astype("datetime64[us]").astype("int64").where(X["day"].notna())
    text = X.assign(day=day).to_json(orient="records", double_precision=15)
    rows = json.loads(text)
    del rows[5]["size"]
    found = [post(address, row) for row in rows]
    assert [one["label"] for one in found] == model.predict(X).tolist()
    probabilities = [list(one["probabilities"].values()) for one in found]
    assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-5)
    assert list(found[0]["probabilities"]) == ["no", "yes"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"size": "large"}, "Input should be a valid number"),
        ({"sizes": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(address, row, sentence):
    with pytest.raises(HTTPError) as error:
        post(address, row)
    with error.value:
        assert error.value.code == 422
        assert sentence in error.value.read().decode()


def test_the_fields_are_documented(address):
    with urlopen(f"{address}/openapi.json", timeout=60) as answer:
        fields = json.load(answer)["components"]["schemas"]["Row"]["properties"]
    assert list(fields) == ["size", "kind", "is_new", "day"]
