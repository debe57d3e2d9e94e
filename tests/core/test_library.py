import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from skmlp.core import library

THERE = [name for name in library.INSTRUCTION_SETS if name in library._list_built()]


@pytest.fixture(autouse=True)
def chosen_anew(monkeypatch):
    """The engine is chosen in each test, from what the test says is there."""
    monkeypatch.delenv("SKMLP_ENGINE", raising=False)
    library._select_engine.cache_clear()
    yield
    library._select_engine.cache_clear()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder for libraries, which are files without content."""
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    return tmp_path


def put(folder, *names):
    for name in names:
        (folder / f"core_{name}{library.SUFFIX}").touch()


@pytest.fixture
def cpu(monkeypatch):
    """Names of instruction sets that the CPU lacks; any file is a library."""
    lacks = set()

    def load(path):
        name = path.rpartition("core_")[2].removesuffix(library.SUFFIX)
        functions = ("train", "predict_logits", "prepare")
        return SimpleNamespace(
            name=name,
            runs_here=lambda: name not in lacks,
            **{function: SimpleNamespace() for function in functions},
        )

    monkeypatch.setattr(library.ctypes, "CDLL", load)
    return lacks


def test_the_best_library_that_runs_here_is_in_use(folder, cpu):
    put(folder, "baseline", "avx2", "avx512")
    cpu.add("avx512")
    assert library.engine() == library._get_library().name == "avx2"
    assert library.why_numpy() is None


def test_the_variable_asks_for_another(folder, cpu, monkeypatch):
    put(folder, "baseline", "avx2")
    monkeypatch.setenv("SKMLP_ENGINE", "baseline")
    assert library.engine() == library._get_library().name == "baseline"
    assert library.why_numpy() is None


@pytest.mark.parametrize("value", ["auto", ""])
def test_auto_and_nothing_ask_for_the_best(folder, cpu, monkeypatch, value):
    put(folder, "neon")
    monkeypatch.setenv("SKMLP_ENGINE", value)
    assert library.engine() == "neon"


def test_the_variable_switches_the_core_off(monkeypatch):
    monkeypatch.setenv("SKMLP_ENGINE", "numpy")
    assert (library.engine(), library._get_library()) == ("numpy", None)
    assert library.why_numpy() == "The environment variable SKMLP_ENGINE says so."


def test_without_a_library_numpy_computes(folder):
    assert (library.engine(), library._get_library()) == ("numpy", None)
    assert library.why_numpy() == "The core was not compiled in this installation."


def test_a_library_of_another_name_is_taken_only_by_name(folder, cpu, monkeypatch):
    put(folder, "sanitized")
    assert library.engine() == "numpy"
    library._select_engine.cache_clear()
    monkeypatch.setenv("SKMLP_ENGINE", "sanitized")
    assert library.engine() == "sanitized"


def test_files_that_are_no_libraries_are_passed_over(folder):
    put(folder, "avx512", "baseline")
    assert library.engine() == "numpy"
    assert "No compiled core runs here (avx512: " in library.why_numpy()
    assert "; baseline: " in library.why_numpy()


def test_a_name_that_is_not_there_is_refused(folder, monkeypatch):
    put(folder, "baseline")
    monkeypatch.setenv("SKMLP_ENGINE", "avx3")
    message = "asks for 'avx3', which is not there; choose from auto, numpy, baseline"
    with pytest.raises(RuntimeError, match=message):
        library.engine()


def test_an_instruction_set_that_the_cpu_lacks_is_refused(folder, cpu, monkeypatch):
    put(folder, "avx2")
    cpu.add("avx2")
    monkeypatch.setenv("SKMLP_ENGINE", "avx2")
    message = "'avx2', which does not run here .this CPU lacks its instructions"
    with pytest.raises(RuntimeError, match=message):
        library._get_library()


def test_the_variable_is_read_once(monkeypatch):
    monkeypatch.setenv("SKMLP_ENGINE", "numpy")
    assert library.engine() == "numpy"
    monkeypatch.setenv("SKMLP_ENGINE", "avx3")
    assert library.engine() == "numpy"


def test_threads_that_come_first_together_get_the_same_engine():
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: library.engine(), range(8)))
    assert len(set(names)) == 1


@pytest.mark.parametrize("name", THERE)
def test_a_library_that_is_there_loads_or_the_cpu_lacks_something(name):
    try:
        functions = library._load_library(name)
    except OSError as error:
        if name == "baseline" or "lacks its instructions" not in str(error):
            raise
    else:
        assert len(functions.train.argtypes) == 6


def test_import_does_not_load_the_core():
    code = "import skmlp.core.library as lib; print(lib._select_engine.cache_info())"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "currsize=0" in result.stdout
