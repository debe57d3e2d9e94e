"""Who may import whom: the tables of the page on the architecture hold."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import skmlp

ROOT = Path(skmlp.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
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


def rows_of(heading):
    """Cells of the rows of the table under a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def named(cell):
    """Packages, and modules or folders of skmlp (in backticks), named in a cell."""
    names = re.findall(r"`?[\w.-]+`?", cell.replace("scikit-learn", "sklearn"))
    return {f"skmlp.{n.strip('`')}" if n.startswith("`") else n for n in names}


class Row(NamedTuple):
    """What the table says of a module or folder."""

    allowed: set[str]
    later: set[str]
    never: set[str]


TABLE = {
    name.removeprefix("skmlp."): Row(
        *(named(part) for part in f"{allowed}; later".split("; later")[:2]),
        named(never),
    )
    for names, allowed, never in rows_of("What may import what")
    for name in sorted(named(names))  # the same order in every process
}
ORDER = [re.findall(r"`skmlp/([^`]+)`", name)[0] for name, _ in rows_of("Modules")]


def row_of(module):
    """Name of the row that counts for a module: its own, or that of its folder."""
    return module if module in TABLE else module.split(".")[0]


def imported(module):
    """What a module imports from outside its folder: at the top, and later."""
    tree, folder = MODULES[module], f"skmlp.{module.split('.')[0]}"
    ignored = sys.stdlib_module_names | {folder, "skmlp"}
    top = set(imports(tree.body))
    later = set(imports(ast.walk(tree))) - top
    return ({package(name) for name in names} - ignored for names in (top, later))


@pytest.mark.parametrize("module", MODULES)
def test_imports_what_the_table_allows(module):
    row = TABLE[row_of(module)]
    top, later = imported(module)
    assert top <= row.allowed
    assert later <= row.later


@pytest.mark.parametrize("name", TABLE)
def test_the_table_allows_nothing_that_nobody_needs(name):
    line = [other for other in TABLE if TABLE[other] == TABLE[name]]
    modules = [module for module in MODULES if row_of(module) in line]
    assert modules, "a row is about some module"
    top, later = (
        set().union(*each) for each in zip(*map(imported, modules), strict=True)
    )
    assert TABLE[name].allowed == top
    assert TABLE[name].later == later


@pytest.mark.parametrize("name", TABLE)
def test_what_the_table_forbids_is_there_and_not_allowed(name):
    allowed, later, never = TABLE[name]
    known = set().union(*(row.allowed | row.later for row in TABLE.values()))
    assert never <= known | {f"skmlp.{module.split('.')[0]}" for module in MODULES}
    assert not never & (allowed | later)


def test_no_module_has_two_rows():
    names = [
        name for names, *_ in rows_of("What may import what") for name in named(names)
    ]
    assert sorted(names) == sorted(f"skmlp.{name}" for name in TABLE)


def test_every_module_has_its_line():
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    # a folder stands for its `__init__`, in which there is nothing but a sentence
    lines = [re.sub("(?<=/)__init__.py", "", file) for file in files]
    assert sorted(ORDER) == sorted(lines)
    for module, tree in MODULES.items():
        if module.endswith(".__init__"):
            assert len(tree.body) == 1


def test_modules_import_from_those_above_them():
    order = [line.removesuffix(".py").replace("/", ".").strip(".") for line in ORDER]
    for place, module in enumerate(order):
        tree = MODULES.get(module) or MODULES[f"{module}.__init__"]
        names = {n for n in imports(ast.walk(tree)) if n.startswith("skmlp.")}
        own = {name.removeprefix("skmlp.") for name in names} & set(order)
        assert own <= set(order[:place]), module


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
