from importlib.metadata import version

import pytest

import skmlp
from skmlp import _show_versions
from skmlp.core import library


@pytest.fixture(autouse=True)
def chosen_anew():
    library._select_engine.cache_clear()
    yield
    library._select_engine.cache_clear()


def report(capsys):
    """The lines of each section."""
    _show_versions.show_versions()
    sections = {}
    for line in capsys.readouterr().out.splitlines():
        if not line.startswith(" "):
            lines = sections.setdefault(line.removesuffix(":"), {})
        else:
            name, _, value = line.strip().partition(": ")
            lines[name] = value
    return sections


def test_says_what_a_report_should_hold(capsys):
    sections = report(capsys)
    assert list(sections) == ["System", "Packages", "Threads", "Engine"]
    assert list(sections["System"]) == ["python", "executable", "machine"]
    assert sections["Packages"]["skmlp"] == skmlp.__version__
    for name in ("scikit-learn", "numpy", "scipy", "pandas", "narwhals"):
        assert sections["Packages"][name] == version(name)
    assert int(sections["Threads"]["cores"]) > 0
    assert "num_threads=" in sections["Threads"]["blas"]
    assert sections["Engine"]["engine"] == library.engine()


def test_says_which_package_is_not_installed(capsys, monkeypatch):
    monkeypatch.setattr(_show_versions, "PACKAGES", ["no-such-package"])
    assert report(capsys)["Packages"]["no-such-package"] == "not installed"


def test_says_why_numpy_computes(capsys, monkeypatch):
    monkeypatch.setenv("SKMLP_ENGINE", "numpy")
    _show_versions.show_versions()
    assert capsys.readouterr().out.endswith(
        "    engine: numpy\n    The environment variable SKMLP_ENGINE says so.\n"
    )


def test_says_that_the_variable_asks_for_what_is_not_there(capsys, monkeypatch):
    monkeypatch.setenv("SKMLP_ENGINE", "avx3")
    assert "asks for 'avx3', which is not there" in report(capsys)["Engine"]["none"]
