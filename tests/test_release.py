"""What is published agrees with itself: versions, addresses, recipe, workflows."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from skmlp import MLPSoftmaxClassifier, __version__

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
ADDRESS = PROJECT["urls"]["Repository"]
PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+\.\d+\.\d+")

pytestmark = pytest.mark.skipif(
    not GITHUB.exists(), reason="needs the whole source distribution"
)


def read(path):
    return (ROOT / path).read_text("utf-8")


def parsed(path):
    return yaml.safe_load(read(path))


# Versions and addresses


def test_all_files_tell_the_same_version():
    assert parsed("CITATION.cff")["version"] == __version__
    assert parsed("conda/recipe.yaml")["context"]["version"] == __version__
    newest = re.search(r"^## (\S+) \((.+)\)$", read("CHANGELOG.md"), re.MULTILINE)
    assert newest[1] == __version__
    assert re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", newest[2])


def test_the_repository_has_one_address():
    in_folders = ("*.md", "*.cff", "*.toml", "conda/*", ".github/**/*.*", "docs/*.md")
    files = {path for pattern in in_folders for path in ROOT.glob(pattern)}
    text = "\n".join(path.read_text("utf-8") for path in files if path.is_file())
    text += MLPSoftmaxClassifier._doc_link_template
    text = text.replace("raw.githubusercontent.com", "github.com")
    assert set(re.findall(r"https://github\.com/[\w-]+/skmlp\b", text)) == {ADDRESS}
    assert all(url.startswith(ADDRESS) for url in PROJECT["urls"].values())


def test_supported_pythons_are_told_alike():
    name = "Programming Language :: Python :: 3."
    listed = [line for line in PROJECT["classifiers"] if line.startswith(name)]
    minors = [int(line.removeprefix(name)) for line in listed]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert PROJECT["requires-python"] == f">=3.{minors[0]}"
    assert f"[![Python 3.{minors[0]} to 3.{minors[-1]}]" in read("README.md")
    tested = re.findall(r"\"3\.(\d+)\"", read(".github/workflows/tests.yml"))
    assert set(map(int, tested)) == set(minors)


def test_the_recipe_asks_for_what_the_package_asks_for():
    needs = parsed("conda/recipe.yaml")["requirements"]

    def as_in_pyproject(lines):
        not_python = (line for line in lines if not line.startswith("python "))
        return {line.replace(" ", "") for line in not_python}

    assert as_in_pyproject(needs["run"]) == set(PROJECT["dependencies"])
    host = set(PYPROJECT["build-system"]["requires"]) | {"pip"}
    assert as_in_pyproject(needs["host"]) == host


# What runs on GitHub


def test_there_are_workflows():
    names = {path.stem for path in WORKFLOWS}
    assert names == {"tests", "wheels", "docs", "publish"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_do_little(path):
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job.get("permissions", {}).keys() <= {"pages", "id-token"}
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_actions_are_pinned_to_commits():
    commits = {}
    for path in WORKFLOWS:
        for used in re.findall(r"uses: (.+)", path.read_text("utf-8")):
            if used.startswith("./"):
                assert (ROOT / used).exists()
                continue
            pinned = PINNED.fullmatch(used)
            assert pinned, used
            commits.setdefault(pinned["action"], set()).add(pinned["commit"])
    assert all(len(pins) == 1 for pins in commits.values())


def test_reports_of_faults_ask_for_versions():
    fields = {
        field["id"]: field
        for field in parsed(GITHUB / "ISSUE_TEMPLATE/bug.yml")["body"]
    }
    assert "skmlp.show_versions()" in fields["versions"]["attributes"]["description"]
    assert fields["versions"]["validations"]["required"]
