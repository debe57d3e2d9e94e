"""The pages of documentation: quotes, examples, tables and links hold."""

import ast
import contextlib
import importlib.util
import io
import re
import textwrap
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from sklearn.neural_network import MLPClassifier

import skmlp
from skmlp import ACTIVATIONS, MLPSoftmaxClassifier
from skmlp.defaults import (
    ENOUGH_ROWS,
    MANY_ROWS,
    MAX_EMBEDDED_COLUMNS,
    MEMBER_CONFIGS,
    VERY_MANY_ROWS,
    default_config,
)

MAY_LACK = {
    "sklearn.callback": "error",
    **dict.fromkeys(("pyspark", "ray", "mlflow"), "ignore"),
}
"""Modules that need not be there for a page to pass, and what warnings do beside them.

The first is of scikit-learn 1.9; the others are large, and warn of things on their own.
"""

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md")) + [
    page
    for name in (
        *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
        *("CODE_OF_CONDUCT.md", "SECURITY.md"),
    )
    if (page := ROOT / name).exists()
]
PAGES_WITH_CODE = [page for page in PAGES if page.parent == DOCS] + [ROOT / "README.md"]

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IMAGE_TAG = re.compile(r"<img[^>]*\bsrc=\"([^\"]+)\"")
IDENTIFIER = re.compile(r"<\w+[^>]*\b(?:id|name)=\"([^\"]+)\"")
QUOTE = re.compile(r"(?:# (?P<python>skmlp/\S+\.py)|/\* (?P<c>skmlp/\S+\.c) \*/)\n")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """The fenced blocks of a page: language, body, line, and the next if it follows."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        block = SimpleNamespace(
            language=match["language"],
            body=textwrap.dedent(match["body"]),
            line=text.count("\n", 0, match.start()) + 1,
            end=match.end(),
            next=None,
        )
        if found and not text[found[-1].end : match.start()].strip():
            found[-1].next = block
        found.append(block)
    return found


def quotes(page):
    return [
        block
        for block in blocks(page)
        if block.language in ("python", "c") and QUOTE.match(block.body)
    ]


def examples(page):
    return [
        block
        for block in blocks(page)
        if block.language == "python" and not QUOTE.match(block.body)
    ]


def may_lack(block):
    """Those modules of a block that need not be there."""
    return [
        module
        for module in MAY_LACK
        if re.search(rf"^(import|from) {module}\b", block.body, re.MULTILINE)
    ]


def find_run(run, lines, start):
    """Index behind the lines that are `run` when dedented; None if there are none."""
    run = textwrap.dedent(run).strip("\n").split("\n")
    for first in range(start, len(lines) - len(run) + 1):
        stop = first + len(run)
        if textwrap.dedent("\n".join(lines[first:stop])).split("\n") == run:
            return stop
    return None


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, id=f"{name_of(page)}:{block.line}")
        for page in PAGES
        for block in quotes(page)
    ],
)
def test_quoted_lines_are_in_the_source(page, block):
    first, _, code = block.body.partition("\n")
    (quoted,) = filter(None, QUOTE.match(block.body).groups())
    lines = (ROOT / quoted).read_text(encoding="utf-8").split("\n")
    position = 0
    for run in re.split(r"^[ \t]*\.\.\.[ \t]*\n", code, flags=re.MULTILINE):
        assert run.strip(), "a quote has an empty part"
        position = find_run(run, lines, position)
        assert position is not None, f"{first} does not contain:\n{run}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES_WITH_CODE if page.exists()], ids=name_of
)
def test_examples_run_and_print_what_the_page_says(page):
    namespace = {"__name__": "page"}
    if examples(page):
        pytest.importorskip("matplotlib").use("Agg")
    for block in examples(page):
        if not all(map(importlib.util.find_spec, may_lack(block))):
            continue
        # as many empty lines before it as on the page, for the line numbers of errors
        code = compile("\n" * block.line + block.body, str(page), "exec")
        printed = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("error")
            for module in may_lack(block):
                warnings.simplefilter(MAY_LACK[module])
            exec(code, namespace)
        if block.next is not None and block.next.language == "text":
            where = f"{page.name}, line {block.line}"
            assert printed.getvalue() == block.next.body, where


# What the user guide must cover


def section(page, heading):
    """The text under a heading, up to the next heading of the same level."""
    text = page.read_text(encoding="utf-8")
    level = re.match("#+", heading)[0]
    _, _, rest = text.partition(f"\n{heading}\n")
    assert rest, f"{page.name} has no section {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table_rows(text):
    """Cells of each table row by the names in its first cell, put in backticks."""
    rows = {}
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        for name in re.findall(r"`([^`]+)`", cells[0]):
            assert name not in rows, f"{name} has two rows"
            rows[name] = cells[1:]
    return rows


GUIDE = DOCS / "user_guide.md"


def test_the_link_in_the_html_representation_has_its_target():
    link = MLPSoftmaxClassifier()._get_doc_link()
    assert link.endswith("docs/user_guide.md#MLPSoftmaxClassifier")
    assert "MLPSoftmaxClassifier" in anchors(GUIDE)


def test_every_parameter_is_described_with_its_default():
    rows = table_rows(section(GUIDE, "## What each parameter does to the network"))
    defaults = MLPSoftmaxClassifier().get_params()
    for_fit = {"sample_weight", "X_val", "y_val", "sample_weight_val"}
    assert rows.keys() == defaults.keys() | for_fit
    for name, (default, description) in rows.items():
        assert default == f"`{defaults.get(name)!r}`", name
        assert description


def test_every_fitted_attribute_is_listed():
    rows = table_rows(section(GUIDE, "## What is there after fit"))
    docstring = textwrap.dedent(MLPSoftmaxClassifier.__doc__.partition("\n")[2])
    _, _, attributes = docstring.partition("\nAttributes\n----------\n")
    attributes, _, _ = attributes.partition("\nSee Also\n")
    documented = set(re.findall(r"^(\w+_) : ", attributes, flags=re.MULTILINE))
    properties = {
        name
        for name, member in vars(MLPSoftmaxClassifier).items()
        if isinstance(member, property) and name.endswith("_")
    }
    assert documented
    assert properties
    assert rows.keys() == documented | properties


def test_every_activation_is_listed_with_its_start_values():
    rows = table_rows(section(GUIDE, "## Activations"))
    assert rows.keys() == ACTIVATIONS.keys()
    for name, (_, learnt, initializer) in rows.items():
        activation = ACTIVATIONS[name]()
        assert initializer == activation.initializer
        assert (learnt == "none") == (not activation.initial)


def test_every_parameter_of_scikit_learn_is_compared():
    rows = table_rows(section(GUIDE, "### Parameters, old and new"))
    assert rows.keys() == MLPClassifier().get_params().keys()


def test_the_mathematics_page_has_every_activation():
    rows = table_rows(section(DOCS / "mathematics.md", "## Activations"))
    assert rows.keys() == ACTIVATIONS.keys()


# What the page on the architecture names


def test_the_architecture_names_what_is_there():
    page = DOCS / "architecture.md"
    files = [*(ROOT / "skmlp").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    paths = {path.relative_to(ROOT).as_posix() for path in files}
    source = (path.read_text(encoding="utf-8") for path in files)
    words = set(re.findall(r"\w+", "\n".join(source)))
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", page.read_text("utf-8"))):
        if code.endswith(".py"):
            assert {code, f"skmlp/{code}"} & paths, code
        else:
            assert set(re.findall(r"[a-zA-Z_]\w+", code)) <= words, code


# What is public


def taken_from_skmlp(code):
    """(module, name) of all that this code imports, or reaches as `skmlp.name`."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.ImportFrom(module=module, names=names):
                taken = [(module, alias.name) for alias in names]
            case ast.Import(names=names):
                # `import skmlp` by itself takes nothing yet
                taken = [alias.name.rpartition(".")[::2] for alias in names]
            case ast.Attribute(value=ast.Name("skmlp"), attr=name):
                taken = [("skmlp", name)]
            case _:
                continue
        yield from (one for one in taken if one[0].split(".")[0] == "skmlp")


def public_in_modules():
    """What the page on the architecture lists beside the names of `skmlp` itself."""
    rows = table_rows(section(DOCS / "architecture.md", "## What is public"))
    return {
        (module, name)
        for module, cells in rows.items()
        for name in re.findall(r"`(\w+)`", cells[0])
    }


@pytest.mark.parametrize(
    ("where", "code"),
    [
        *(
            pytest.param(page, block.body, id=f"{name_of(page)}:{block.line}")
            for page in PAGES_WITH_CODE
            for block in examples(page)
        ),
        *(
            pytest.param(path, path.read_text(encoding="utf-8"), id=name_of(path))
            for folder in (ROOT / "examples", ROOT / "examples/browser", DOCS / "learn")
            for path in sorted(folder.glob("*.py"))
        ),
    ],
)
def test_pages_and_examples_use_what_is_public(where, code):
    public = {("skmlp", name) for name in skmlp.__all__} | public_in_modules()
    public.add(("skmlp.dask", "DaskMLPSoftmaxClassifier"))
    # an import by itself tells skl2onnx of the classifier
    public |= {
        ("skmlp.onnx", "to_onnx"),
        ("skmlp.onnx", "to_inputs"),
        ("skmlp", "onnx"),
    }
    assert set(taken_from_skmlp(code)) <= public, where.name


def test_what_is_public_in_modules_is_what_the_mathematics_takes():
    taken = {
        one
        for block in examples(DOCS / "mathematics.md")
        for one in taken_from_skmlp(block.body)
    }
    assert public_in_modules() == {one for one in taken if one[0] != "skmlp"}


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        ("from skmlp import PReLU, load", {("skmlp", "PReLU"), ("skmlp", "load")}),
        ("from skmlp.nn.losses import softmax", {("skmlp.nn.losses", "softmax")}),
        ("import skmlp.nn.losses", {("skmlp.nn", "losses")}),
        ("import numpy, skmlp\nskmlp.load(skmlp)", {("skmlp", "load")}),
    ],
)
def test_what_code_takes_is_seen(code, taken):
    assert set(taken_from_skmlp(code)) == taken


# Links


def without_code(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]+`", lambda code: code[0].replace("[", " "), text)


def anchors(page):
    """What `#...` can point to: headings, as GitHub names them, and HTML ids."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = set(IDENTIFIER.findall(text))
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, flags=re.MULTILINE):
        title = LINK.sub(lambda link: re.match(r"!?\[([^\]]*)", link[0])[1], heading)
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        repeats = 0
        while (name := f"{slug}-{repeats}" if repeats else slug) in found:
            repeats += 1
        found.add(name)
    return found


@pytest.mark.parametrize(
    ("page", "link"),
    [
        pytest.param(page, link, id=f"{name_of(page)}-{link}")
        for page in PAGES
        for text in [without_code(page)]
        for link in dict.fromkeys(LINK.findall(text) + IMAGE_TAG.findall(text))
        if not re.match(r"[a-z]+:", link)
    ],
)
def test_links_lead_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    assert target.exists(), f"{page.name} links to {path}, which does not exist"
    if anchor:
        assert anchor in anchors(target), f"{target.name} has no #{anchor}"


def test_the_table_of_auto_is_what_the_recipe_says():
    text = (DOCS / "user_guide.md").read_text(encoding="utf-8")
    section = text.split("## What auto means")[1].split("\n## ")[0]
    lines = [line for line in section.split("\n") if line.startswith("| `")]
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines[1:]]
    in_words = {"member_configs", "n_folds"}
    assert {line[0] for line in cells} == default_config(9, 9).keys() - in_words
    bounds = [int(n) for n in re.findall(r"below (\d+)", lines[0])]
    assert bounds[1:] == [MANY_ROWS, VERY_MANY_ROWS, 2 * VERY_MANY_ROWS, ENOUGH_ROWS]
    starts, ends = [2, *bounds], [*(n - 1 for n in bounds), 10**9]
    columns = list(zip(starts, ends, strict=True))
    for name, *shown in cells:
        for cell, sizes in zip(shown, columns, strict=True):
            most, least = (default_config(n_samples, 10)[name] for n_samples in sizes)
            expected = str(least) if least == most else f"{least} to {most}"
            assert cell.strip('"') == expected
    for first, last in columns:
        for name in in_words:
            assert default_config(first, 10)[name] == default_config(last, 10)[name]
    n_folds = default_config(MANY_ROWS - 1, 10)["n_folds"]
    assert f"split in {n_folds} folds" in section


def test_what_is_said_of_wide_tables_is_what_the_recipe_says():
    text = (DOCS / "user_guide.md").read_text(encoding="utf-8")
    section = text.split("## What auto means")[1].split("\n## ")[0]
    most = int(re.search(r"Tables of more than (\d+) columns", section)[1])
    assert most == MAX_EMBEDDED_COLUMNS
    (said,) = re.findall(r"- Tables of more than.*?(?=\n- )", section, re.S)
    wide = SimpleNamespace(**default_config(VERY_MANY_ROWS, most + 1))
    assert f'`activation="{wide.activation}"`' in said
    assert f"From {VERY_MANY_ROWS} rows" in said
    assert f"{wide.n_estimators} networks of {wide.hidden_layer_sizes}" in said
    assert f"`label_smoothing={wide.label_smoothing}`" in said
    assert wide.member_configs == MEMBER_CONFIGS[:1]


def test_the_table_of_kinds_is_what_the_recipe_says():
    text = (DOCS / "user_guide.md").read_text(encoding="utf-8")
    section = text.split("## What auto means")[1].split("\n## ")[0]
    rows = re.findall(
        r"^\| (\d+) \| (\S+) \| (\S+) \| (\S+) \| [^|]+ \|$", section, re.M
    )
    assert [int(number) for number, *_ in rows] == list(
        range(1, len(MEMBER_CONFIGS) + 1)
    )
    assert [tuple(map(float, values)) for _, *values in rows] == list(MEMBER_CONFIGS)
    assert default_config(MANY_ROWS - 1, 10)["member_configs"] == MEMBER_CONFIGS
