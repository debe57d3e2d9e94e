"""The playground: a browser trains as the package does, and shows what it says."""

import html
import importlib
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmlp import ACTIVATIONS, MLPSoftmaxClassifier
from skmlp.nn.losses import SoftmaxCrossEntropy, softmax
from skmlp.nn.network import Architecture, Network
from skmlp.optim.optimizers import Adam, ParameterUpdater, Regularization

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "playground"
NAMES = [name for name in ACTIVATIONS if name != "logistic"]
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
]
TRAINED = "() => document.querySelector('#status').textContent.includes('Trained')"


def source(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def test_fields_are_in_the_order_of_the_structure():
    structures = source("playground.c").split("typedef struct {")
    (structure,) = [one for one in structures if "} Choice;" in one]
    in_c = re.findall(r"\w+(?=[,;])", structure.split("*/")[1].split("}")[0])
    (fields,) = re.findall(r"const FIELDS = (\[.*?\])", source("network.js"), re.DOTALL)
    assert re.findall(r"\w+", fields) == in_c


def test_start_values_are_in_the_order_of_the_enumeration(build_playground):
    (names,) = re.findall(r"enum \{ (ZEROS.*?) \}", source("playground.c"))
    assert names.lower().split(", ") == build_playground.INITIALIZERS


@pytest.fixture(scope="module")
def build_playground():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("build_playground")


class Quiet(SimpleHTTPRequestHandler):
    """A server that keeps to itself what it is asked for."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(build_playground, tmp_path_factory):
    """Where a server on this machine has the page."""
    pytest.importorskip("ziglang", reason="compiles the core for browsers")
    folder = tmp_path_factory.mktemp("site")
    build_playground.build(folder / "playground")
    shutil.copy(FOLDER / "index.html", folder / "playground.html")  # a page above
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=folder)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/playground/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="drives the browser")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, timeout=0
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that must ask no other host and complain of nothing."""
    page = browser.new_page(reduced_motion="reduce")
    page.set_default_timeout(0)
    complaints, asked = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert complaints == []
    assert all(url.startswith((address, "data:")) for url in asked)


def show(page, address, query=""):
    """Open the page and wait for the end of training; the share of right new points."""
    page.goto(f"{address}index.html?{query}")
    return trained(page)


def trained(page):
    page.wait_for_function(TRAINED)
    return float(page.inner_text("#accuracy").rstrip("%")) / 100


def picture(page):
    return page.evaluate("document.querySelector('#map').toDataURL()")


def test_two_moons_take_a_hidden_layer(page, address):
    assert show(page, address) > 0.95
    assert show(page, address, "layers=0") < 0.92
    assert page.inner_text("#parameters") == "6"


def test_runs_from_a_disk(browser, build_playground, tmp_path):
    pytest.importorskip("ziglang", reason="compiles the core for browsers")
    build_playground.build(tmp_path)
    page = browser.new_page(reduced_motion="reduce")
    page.set_default_timeout(0)
    page.goto((tmp_path / "index.html").as_uri())
    assert trained(page) > 0.95
    page.close()


@pytest.mark.parametrize("key", ["layers", "units", "dropout", "alpha", "epochs"])
def test_keys_move_a_control_and_the_picture(page, address, key):
    show(page, address)
    before = picture(page), page.inner_text("#status")
    page.focus(f"#{key}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    trained(page)
    assert picture(page) != before[0]
    value = page.input_value(f"#{key}")
    assert page.inner_text(f"output[for={key}]") in (value, "0.1")


def test_points_activation_and_start_values_change_the_picture(page, address):
    show(page, address)
    seen = [picture(page)]
    page.get_by_label("circles").check(force=True)
    trained(page)
    seen.append(picture(page))
    page.select_option("#activation", "tanh")
    trained(page)
    seen.append(picture(page))
    page.click("button[type=submit]")
    trained(page)
    seen.append(picture(page))
    assert len(set(seen)) == 4


def test_screen_readers_are_told_what_the_pictures_show(page, address):
    show(page, address, "layers=1")
    said = page.get_attribute("#map", "aria-label")
    assert re.fullmatch(
        r"Map of the moons\. 1 hidden layer of 8 relu units: right for [\d.]+% of the "
        r"new points and [\d.]+% of the learnt ones\.",
        said,
    )
    assert page.get_attribute("#curve", "aria-label").startswith("Loss by epoch: falls")
    assert page.get_attribute("#status", "role") == "status"


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_fits_the_window(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    show(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_as_a_part_of_a_page_it_takes_its_theme_and_is_as_high_as_it_needs(
    page, address
):
    frame = '<iframe src="index.html" style="width: 100%; height: 9px"></iframe>'
    outer = f'<html data-theme="dark"><body>{frame}</body></html>'
    given = {"body": outer, "content_type": "text/html"}
    page.route("**/outer.html", lambda route: route.fulfill(**given))
    page.goto(f"{address}outer.html")
    inner = page.frames[1]
    inner.wait_for_function(TRAINED)
    assert inner.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not inner.is_visible("header")
    assert inner.evaluate("document.body.offsetHeight <= innerHeight")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_call_in_python_learns_the_same_points_as_well(page, address):
    accuracy = show(page, address, "units=16&activation=tanh&alpha=0.1")
    code = page.text_content("#python")
    call = code.replace("MLPSoftmaxClassifier(\n", "model = MLPSoftmaxClassifier(\n")
    names = {}
    exec(call, names)
    model = names["model"].set_params(random_state=0)
    data = page.evaluate("PACKAGE.data.moons")
    x, codes = np.reshape(data["x"], (-1, 2)), np.array(data["codes"])
    model.fit(x[:200], codes[:200])
    assert model.n_parameters_ == int(page.inner_text("#parameters"))
    assert model.score(x[200:], codes[200:]) == pytest.approx(accuracy, abs=0.03)


def experiments():
    """Queries of the text's links, with the shares that it names."""
    text = (DOCS / "playground.md").read_text(encoding="utf-8")
    row = r'\| <a href="([^"]+)" target="playground">[^|]*\| ([\d.]+)% \|'
    return [
        (urlsplit(html.unescape(link)).query, float(share) / 100)
        for link, share in re.findall(row, text)
    ]


def test_the_text_says_what_one_sees(page, address):
    named = experiments()
    assert len(named) == 10
    names = {name for query, _ in named for name, _ in parse_qsl(query)}
    show(page, address)
    controls = "[...document.querySelector('#controls').elements].map((e) => e.name)"
    assert names <= set(page.evaluate(controls))
    for query, share in named:
        assert show(page, address, query) == pytest.approx(share, abs=0.02), query


# What is learnt

LEARN = """(choice) => {
    const { x, codes } = PACKAGE.data.spirals;
    const facts = { ...PACKAGE.rule, ...PACKAGE.activations[choice.name] };
    network.start(x.slice(0, 400), codes.slice(0, 200), { ...facts, ...choice });
    const start = network.parameters();
    const epochs = [1, 2, 3].map(() => [network.takeEpoch(), network.order(200)]);
    const end = network.parameters();
    return { x, codes, start, epochs, end, said: Array.from(network.predict(x)) };
}"""
CHOICE = {
    "n_hidden": 2,
    "n_units": 5,
    "dropout": 0,
    "alpha": 0.5,
    "learning_rate": 0.01,
    "seed": 3,
}
RULE = {
    name: value
    for name, value in MLPSoftmaxClassifier().get_params().items()
    if name in ("beta_1", "beta_2", "epsilon")
}


def architecture_of(name, sizes):
    kinds = (ACTIVATIONS[name](),) * len(sizes)
    return Architecture(2, sizes, 3, kinds, (0.0,) * len(sizes), "float32")


def by_numpy(architecture, start, x, codes, orders):
    """Losses of epochs, and parameters behind them, of the same steps in NumPy."""
    vector = np.array(start, np.float32)
    gradient = np.empty_like(vector)
    network, loss = Network(architecture, vector, gradient), SoftmaxCrossEntropy()
    updater = ParameterUpdater(
        Adam(**RULE).init_state(vector),
        vector,
        gradient,
        Regularization(CHOICE["alpha"] / 200, architecture.n_weights),
        architecture.learning_rate_factors(),
    )
    losses = []
    for order in orders:
        total = 0
        for rows in np.split(np.array(order), range(32, 200, 32)):
            logits = network.forward(x[rows], training=True)
            value, grad = loss.loss_and_grad(logits, codes[rows])
            network.backward(grad)
            updater.step(CHOICE["learning_rate"])
            total += value * len(rows)
        losses.append(total / 200)
    return losses, vector


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_takes_the_steps_that_numpy_takes(page, address, name, n_hidden):
    show(page, address)
    got = page.evaluate(LEARN, CHOICE | {"name": name, "n_hidden": n_hidden})
    x, codes = np.reshape(got["x"], (-1, 2)).astype(np.float32), np.array(got["codes"])
    architecture = architecture_of(name, (5,) * n_hidden)
    losses, orders = zip(*got["epochs"], strict=True)
    assert all(sorted(order) == list(range(200)) for order in orders)
    assert orders[0] != orders[1]
    expected, end = by_numpy(architecture, got["start"], x, codes, orders)
    assert_allclose(losses, expected, rtol=1e-5)
    assert_allclose(got["end"], end, atol=2e-5)
    said = softmax(Network(architecture, end).logits(x))
    assert_allclose(np.reshape(got["said"], (-1, 3)), said, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_starts_as_the_package_does(page, address, name):
    show(page, address)
    choice = CHOICE | {"name": name, "n_units": 32}
    starts = [page.evaluate(LEARN, choice | {"seed": seed})["start"] for seed in (1, 2)]
    assert starts[0] != starts[1]
    architecture = architecture_of(name, (32, 32))
    theirs = architecture.init_parameters(np.random.default_rng(0))
    views = architecture.layout.views(np.array(starts[0], np.float32))
    for key, expected in architecture.layout.views(theirs).items():
        if key[1] == "weight":
            assert views[key].std() == pytest.approx(expected.std(), rel=0.3)
        else:
            assert_allclose(views[key], expected)


def test_dropout_drops_in_training_alone(page, address):
    show(page, address)
    choice = CHOICE | {"name": "relu", "n_units": 32, "alpha": 0}
    plain, dropped = (
        page.evaluate(LEARN, choice | {"dropout": rate}) for rate in (0, 0.5)
    )
    assert dropped["start"] == plain["start"]
    assert dropped["epochs"][-1][0] > plain["epochs"][-1][0]
    again = "Array.from(network.predict(PACKAGE.data.spirals.x))"
    assert page.evaluate(again) == dropped["said"]
