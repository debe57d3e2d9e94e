"""Who may import whom: the table of the design, read from the code with `ast`."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skmlp

ROOT = Path(skmlp.__file__).parent
BELOW = {f"skmlp.{part}" for part in ("_sklearn", "nn", "optim", "tabular", "training")}
MAY_IMPORT = {  # besides the standard library and modules of the same folder
    "nn": {"numpy", "scipy"},
    "optim": {"numpy", "scipy"},
    "training": {"numpy", "threadpoolctl"},
    "tabular": {"numpy", "pandas", "narwhals", "sklearn", "skmlp._sklearn"},
    "saving": {"numpy", "scipy", "pandas", "sklearn", "skmlp._version"} | BELOW,
    "fitting": {"numpy", "scipy", "sklearn", "skmlp.saving"} | BELOW,
    "classifier": {
        "numpy",
        "scipy",
        "sklearn",
        "pandas",
        "skmlp._html",
        "skmlp.fitting",
        "skmlp.saving",
    }
    | BELOW,
    "loading": {"skmlp.saving", "skmlp.classifier"},
    "displays": {"numpy", "sklearn", "skmlp.classifier", "skmlp.nn"},
    "search_spaces": {"scipy"},
    "_sklearn": {"numpy", "sklearn"},
    "_html": set(),
    "_version": set(),
    "__init__": {
        "skmlp._version",
        "skmlp.classifier",
        "skmlp.displays",
        "skmlp.loading",
        "skmlp.nn",
        "skmlp.saving",
        "skmlp.search_spaces",
        "skmlp.tabular",
    },
}
MAY_IMPORT_LATER = {  # within functions, or if they are there
    "displays": {"matplotlib"},
    "_sklearn": {"sklearn"},
    "fitting": {"rich", "tqdm"},
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
