"""The example of a service: JSON in, what predict_proba gives out."""

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

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
def graph(model, tmp_path_factory):
    """The file that the service is given."""
    path = tmp_path_factory.mktemp("service") / "model.onnx"
    path.write_bytes(to_onnx(model).SerializeToString())
    return path


@pytest.fixture(scope="module")
def address(graph):
    """Where the service listens that a user would start."""
    service = subprocess.Popen(
        [sys.executable, EXAMPLES / "service.py"],
        env=os.environ | {"MODEL": str(graph), "PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with service:
        line = next((line for line in service.stderr if "running on" in line), None)
        assert line, "the service did not start"
        # read on, or it would wait once the pipe is full
        threading.Thread(target=service.stderr.read, daemon=True).start()
        yield re.search(r"http://([\d.:]+)", line)[1]
        service.terminate()


def post(address, body, content_type="application/json"):
    """The status of an answer, and what it says."""
    connection = HTTPConnection(address)
    connection.request("POST", "/predict", body, {"Content-Type": content_type})
    answer = connection.getresponse()
    status, content = answer.status, json.load(answer)
    connection.close()
    return status, content


def test_rows_as_json_give_what_the_model_gives(model, address):
    X, _ = table()
    X = X.head(6).assign(kind=["a", None, "b", "new", None, "a"])
    X.loc[5, ["size", "day"]] = None
    day = X["day"].astype("datetime64[us]").astype("int64").where(X["day"].notna())
    text = X.assign(day=day).to_json(orient="records", double_precision=15)
    rows = json.loads(text)
    del rows[5]["size"]
    answers = [post(address, json.dumps(row)) for row in rows]
    assert [status for status, _ in answers] == [200] * len(rows)
    found = [content for _, content in answers]
    assert [one["label"] for one in found] == model.predict(X).tolist()
    probabilities = [list(one["probabilities"].values()) for one in found]
    assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-5)
    assert list(found[0]["probabilities"]) == ["no", "yes"]


NOT_FOR = {
    "size": ["true", '"12.5"', "[]", "{}", "NaN", "-Infinity", "1e999", "1" * 400],
    "kind": ["true", "12", "[]", "{}", "NaN", r'"\ud800"', r'"a\udfff"'],
    "is_new": ["1", "0.0", '"true"', "[]", "{}", "NaN"],
    "day": ["true", '"12"', "1.5", "[]", "{}", "NaN", "1e999", str(2**63), "9" * 400],
    "sizes": ["1", "null", "NaN", "Infinity", r'"\ud800"', '{"a": NaN}'],
}
"""Values that a field can't have, as JSON or what some libraries take for it."""


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in NOT_FOR for value in NOT_FOR[name]]
)
def test_a_wrong_value_is_refused_with_its_field(address, name, value):
    status, content = post(address, f'{{"{name}": {value}}}')
    assert status == 422
    assert {fault["loc"][1] for fault in content["detail"]} == {json.loads(f'"{name}"')}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"size": "large"}, "Input should be a valid number"),
        ({"sizes": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(address, row, sentence):
    status, content = post(address, json.dumps(row))
    assert status == 422
    assert [sentence] == [fault["msg"] for fault in content["detail"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'[{"size": 1}]',
        b"5",
        b"NaN",
        rb'{"\ud800": 1}',
        b'{"size"',
        b'{"size": ' + b"1" * 5000 + b"}",
        b'{"kind": "\xff"}',
        '{"size": "1"}'.encode("utf-16"),
        b'{"size": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"size":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_a_body_that_is_no_row_is_refused(address, body):
    status, content = post(address, body)
    assert status == 422
    assert content["detail"]


def test_a_body_of_another_content_type_is_refused(address):
    status, _ = post(address, b'{"size": 1}', "text/plain")
    assert status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"size": 1, "size": 2}',
        b'{"size": 1e308}',
        b'{"kind": "\\u0000 \\ud83d\\ude00"}',
        b'{"kind": "' + b"long " * 100_000 + b'"}',
        b'{"day": %d, "is_new": true}' % -(2**63),
        b'{"day": %d, "is_new": false}' % (2**63 - 1),
        b'{"day": 12.0}',
    ],
)
def test_an_unusual_row_has_probabilities(address, body):
    status, content = post(address, body)
    assert status == 200
    assert sum(content["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_above_the_limit_is_refused(address, is_chunked):
    chunk = b" " * 2**16
    body = (chunk for _ in range(80)) if is_chunked else chunk * 80
    status, content = post(address, body)
    assert (status, content["detail"]) == (413, "Expected at most 1048576 bytes.")


class Waiting:
    """A session that answers once it is told to, and knows the threads that asked."""

    def __init__(self, session):
        self.session = session
        self.go = threading.Event()
        self.threads = set()

    def run(self, *args):
        assert self.go.wait(600), "the event loop is blocked"
        self.threads.add(threading.get_ident())
        return self.session.run(*args)


def load_service(graph, monkeypatch):
    """Import the example, which reads the graph."""
    monkeypatch.setenv("MODEL", str(graph))
    spec = importlib.util.spec_from_file_location("service", EXAMPLES / "service.py")
    service = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(service)
    return service


def test_many_requests_share_a_thread_per_core_beside_the_event_loop(
    graph, monkeypatch
):
    service = load_service(graph, monkeypatch)
    service.session = Waiting(service.session)

    async def ask():
        asked = [
            asyncio.ensure_future(service.predict(service.Row())) for _ in range(50)
        ]
        await asyncio.sleep(0)  # all of them begin
        service.session.go.set()
        return await asyncio.gather(*asked)

    answers = asyncio.run(ask())
    assert answers == [answers[0]] * 50
    assert 0 < len(service.session.threads) <= os.cpu_count()
    assert threading.get_ident() not in service.session.threads
    service.executor.shutdown()


def test_the_fields_are_documented(address):
    with urlopen(f"http://{address}/openapi.json") as answer:
        fields = json.load(answer)["components"]["schemas"]["Row"]["properties"]
    assert list(fields) == ["size", "kind", "is_new", "day"]


@pytest.mark.parametrize("name", ["_size", "model_config", "model_x", "copy", "a b"])
def test_field_of_any_name_is_read(model, name, tmp_path, monkeypatch):
    X, y = table()
    model = clone(model).fit(X[["size"]].set_axis([name], axis=1), y)
    graph = tmp_path / "model.onnx"
    graph.write_bytes(to_onnx(model).SerializeToString())
    service = load_service(graph, monkeypatch)
    answer = service.predict_row(service.Row.model_validate({name: 1.5}))
    expected = model.predict_proba(pd.DataFrame({name: [1.5]}))[0]
    found = list(answer["probabilities"].values())
    assert_allclose(found, expected, rtol=0, atol=1e-5)
    service.executor.shutdown()
