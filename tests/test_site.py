"""The documentation site: what it lists is there, and its check finds what is wrong."""

import importlib
import inspect
import re
import sys
import tomllib
import zlib
from pathlib import Path

import pytest
import sklearn.experimental.enable_halving_search_cv  # noqa: F401
from sklearn.datasets import load_iris

import skmlp
import skmlp.onnx

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def module_at(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return importlib.import_module(path.stem)


# What the pages list


def test_the_front_page_leads_to_every_page():
    page = (DOCS / "index.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"```\{toctree\}(.*?)```", page, re.DOTALL)
    led_to = set(re.findall(r"<([\w/]+)>", listed))
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index", "README"}
    assert led_to == pages | {"course/index", "gallery/index"}


def test_the_reference_lists_every_public_name():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:\.\. auto\w+:: |   )([\w.]+)$", page, re.MULTILINE)
    names = {name.removeprefix("skmlp.") for name in listed}
    elsewhere = {"DaskMLPSoftmaxClassifier", *skmlp.onnx.__all__}
    assert set(skmlp.__all__) | elsewhere <= names


@pytest.mark.parametrize("name", skmlp.__all__)
def test_every_public_name_has_an_example(name):
    described = getattr(skmlp, name)
    if not isinstance(described, str | dict):  # which have no docstring of their own
        assert "\nExamples\n---" in inspect.getdoc(described)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("[!_]*.py")), ids=str)
def test_examples_have_the_title_of_a_page(path):
    first, title, line = path.read_text(encoding="utf-8").splitlines()[:3]
    assert first == '"""'
    assert title.endswith("?")
    assert line == "=" * len(title)


def test_oldest_versions_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = [line.split(">=") for line in project["dependencies"]]
    oldest += [["python", project["requires-python"].removeprefix(">=")]]
    page = (DOCS / "compatibility.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|$", page, re.MULTILINE)
    assert sorted(map(tuple, oldest)) == sorted(shown)


def test_the_code_for_a_table_of_ones_own_runs(tmp_path, monkeypatch, capsys):
    page = (DOCS / "start.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    table = load_iris(as_frame=True).frame.rename(columns={"target": "label"})
    table.to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    accuracy, loss = map(float, capsys.readouterr().out.split())
    assert accuracy > 0.8
    assert loss < 0.5


# Names of other libraries


def listed_names():
    listed = tomllib.loads((DOCS / "inventories.toml").read_text(encoding="utf-8"))
    return [
        name
        for library in listed.values()
        for kind in ("class", "function")
        for name in library.get(kind, [])
    ]


@pytest.mark.parametrize("name", listed_names())
def test_what_other_libraries_are_said_to_have_is_there(name):
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


def test_an_inventory_is_what_sphinx_reads(tmp_path, monkeypatch):
    inventories = module_at(DOCS / "_ext" / "inventories.py", monkeypatch)
    mapping = inventories.write(DOCS / "inventories.toml", tmp_path / "made")
    url, path = mapping["numpy"]
    assert url == "https://numpy.org/doc/stable/"
    *header, body = Path(path).read_bytes().split(b"\n", 4)
    assert header[0] == b"# Sphinx inventory version 2"
    first = zlib.decompress(body).decode().splitlines()[0]
    page = "reference/generated/numpy.ndarray.html#numpy.ndarray"
    assert first == f"numpy.ndarray py:class 1 {page} -"


# The check of a built site


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """A function that writes a site of two pages, and returns the faults found."""
    check_site = module_at(DOCS / "check_site.py", monkeypatch)

    def found(body, css=""):
        (tmp_path / "other").mkdir()
        (tmp_path / "index.html").write_text(body, encoding="utf-8")
        (tmp_path / "other" / "page.html").write_text('<h1 id="here">', "utf-8")
        (tmp_path / "style.css").write_text(css, encoding="utf-8")
        return list(check_site.faults_of(tmp_path))

    return found


@pytest.mark.parametrize(
    "body",
    [
        '<a href="other/page.html#here">',
        '<a href="#top"></a><p id="top">',
        '<a href="https://example.org/page">',
        '<link rel="stylesheet" href="style.css?v=1">',
        '<link rel="canonical" href="https://example.org/">',
        '<img src="data:image/png;base64,AAAA">',
    ],
)
def test_what_is_right_passes(faults, body):
    assert faults(body) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="gone.html">', "index.html leads to gone.html, which is not there"),
        ('<img src="gone.png">', "index.html leads to gone.png, which is not there"),
        ('<a href="../up.html">', "index.html leads to ../up.html, which is not there"),
        (
            '<a href="other/page.html#gone">',
            "index.html leads to other/page.html#gone, and there is no such anchor",
        ),
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "index.html fetches https://cdn.example.org/x.js from another host",
        ),
        (
            '<p style="background: url(//example.org/x.png)">',
            "index.html fetches //example.org/x.png from another host",
        ),
    ],
)
def test_what_is_wrong_is_said(faults, body, fault):
    assert faults(body) == [fault]


def test_fonts_of_other_hosts_are_found(faults):
    css = "@font-face { src: url('https://fonts.example.org/f.woff2'); }"
    fault = "style.css fetches https://fonts.example.org/f.woff2 from another host"
    assert faults("", css) == [fault]
