"""Rules of imports that the contracts in pyproject.toml can not express."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skmlp

ROOT = Path(skmlp.__file__).parent
MODULES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}


def find_private_parts(tree):
    """Yield names with a leading underscore that a module imports from scikit-learn."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sklearn"):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if name.startswith("_"))


def test_one_module_imports_private_parts_of_scikit_learn():
    users = [path for path, tree in MODULES.items() if any(find_private_parts(tree))]
    assert users == ["_sklearn_compat.py"]


@pytest.mark.parametrize("package", ["matplotlib", "dask", "distributed", "onnx"])
def test_import_does_not_load_what_only_some_need(package):
    code = f"import skmlp, sys; print([m for m in sys.modules if m == {package!r}])"
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_import_takes_numpys_types_of_any_kind():
    # up to Python 3.13, no union of types takes text; with numpy 2.5, ArrayLike is one
    # of them
    alias = "import numpy.typing; numpy.typing.ArrayLike = int | float"
    command = [sys.executable, "-W", "error", "-c", f"{alias}; import skmlp"]
    subprocess.run(command, check=True)
