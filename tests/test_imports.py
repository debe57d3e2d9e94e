"""Who may import whom: the table of the design, read from the code with `ast`."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skmlp

ROOT = Path(skmlp.__file__).parent
BELOW = {
    "_checkpoint",
    "_files",
    "_html",
    "_inputs",
    "_recipe",
    "_run",
    "_saving",
    "_scoring",
    "_sklearn",
    "_targets",
    "_verbose",
    "_version",
    "nn",
    "optim",
    "tabular",
    "training",
}
MAY_IMPORT = {  # besides the standard library and modules of the same folder
    "nn": {"numpy", "scipy", "threadpoolctl"},
    "optim": {"numpy", "scipy", "threadpoolctl"},
    "tabular": {"numpy", "pandas", "narwhals", "sklearn", "skmlp._sklearn"},
    "training": {"numpy"},
    "_html": set(),
    "_codec": {
        "numpy",
        "pandas",
        "skmlp._sklearn",
        "skmlp.nn",
        "skmlp.tabular",
        "skmlp.training",
    },
    "_saving": {
        "numpy",
        "sklearn",
        "skmlp._codec",
        "skmlp._files",
        "skmlp._sklearn",
        "skmlp.nn",
        "skmlp.tabular",
        "skmlp.training",
    },
    "loading": {"skmlp._saving", "skmlp.classifier"},
    "_inputs": {"numpy", "scipy", "sklearn", "skmlp.tabular"},
    "_targets": {"numpy", "sklearn", "skmlp._sklearn", "skmlp.tabular"},
    "_sklearn": {"numpy", "sklearn", "skmlp._sklearn"},
    "_scoring": {"numpy", "sklearn", "skmlp._sklearn", "skmlp.tabular"},
    "_recipe": {"numpy", "skmlp.optim"},
    "_files": {"numpy", "skmlp._version"},
    "_checkpoint": {
        "numpy",
        "pandas",
        "scipy",
        "skmlp._files",
        "skmlp._version",
        "skmlp.tabular",
    },
    "_verbose": {"skmlp.training"},
    "_version": set(),
    "_run": {
        "numpy",
        "scipy",
        "skmlp._checkpoint",
        "skmlp._recipe",
        "skmlp._scoring",
        "skmlp._sklearn",
        "skmlp._verbose",
        "skmlp.nn",
        "skmlp.optim",
        "skmlp.training",
    },
    "displays": {"numpy", "sklearn", "skmlp.classifier", "skmlp.nn"},
    "classifier": {"numpy", "scipy", "sklearn", "pandas"}
    | {f"skmlp.{part}" for part in BELOW},
    "search_spaces": {"scipy"},
    "__init__": {
        "skmlp._files",
        "skmlp._version",
        "skmlp.classifier",
        "skmlp.displays",
        "skmlp.loading",
        "skmlp.nn",
        "skmlp.search_spaces",
        "skmlp.tabular",
    },
}
MAY_IMPORT_LATER = {  # within functions, or if they are there
    "displays": {"matplotlib"},
    "_sklearn": {"sklearn"},
    "_verbose": {"rich", "tqdm"},
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(nodes):
    """Full names of the modules that these statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name.removeprefix("skmlp.") in MODULES else node.module


def package(name):
    """What the table speaks of: numpy for numpy.testing, skmlp.nn for its modules."""
    return ".".join(name.split(".")[: 2 if name.startswith("skmlp.") else 1])


@pytest.mark.parametrize("module", MODULES)
def test_imports_what_the_table_allows(module):
    tree, part = MODULES[module], module.split(".")[0]
    allowed = MAY_IMPORT[part] | {f"skmlp.{part}"} | sys.stdlib_module_names
    assert {package(name) for name in imports(tree.body)} <= allowed

    hidden = set(imports(ast.walk(tree))) - set(imports(tree.body))
    assert {package(name) for name in hidden} <= MAY_IMPORT_LATER.get(part, set())


def private_parts_of_scikit_learn(tree):
    """What is imported from scikit-learn under a name with an underscore in front."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sklearn"):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if name.startswith("_"))


@pytest.mark.parametrize("module", MODULES)
def test_private_parts_of_scikit_learn_come_in_through_one_door(module):
    private = list(private_parts_of_scikit_learn(MODULES[module]))
    assert bool(private) == (module == "_sklearn")


def test_imports_run_in_no_circle():
    graph = {f"skmlp.{m}": set(imports(ast.walk(t))) for m, t in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_import_does_not_load_matplotlib():
    code = "import skmlp, sys; print([m for m in sys.modules if 'matplotlib' in m])"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
