"""Each module has a test file of the same name at the same place."""

from pathlib import Path

import pytest

import skmlp

TESTS, SOURCE = Path(__file__).parent, Path(skmlp.__file__).parent
FOLDERS = [
    *("nn", "optim", "training", "core", "tabular"),
    *("saving", "parts", "fitting", "exporting"),
]
MODULES = {
    path.relative_to(SOURCE).as_posix()
    for folder in FOLDERS
    for path in (SOURCE / folder).glob("*.py")
    if path.name != "__init__.py"
}
ELSEWHERE = {
    "training/endings.py": "an enumeration, which fitting/test_endings.py goes through",
}
"""Modules without a test file of their own, and why."""


def has_tests(module):
    folder, name = module.split("/")
    return (TESTS / folder / f"test_{name}").exists()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_each_module_has_a_test_file_or_a_reason(module):
    assert has_tests(module) or module in ELSEWHERE


def test_no_reason_is_out_of_date():
    assert ELSEWHERE.keys() <= MODULES
    assert not any(has_tests(module) for module in ELSEWHERE)


def test_the_folders_are_there():
    assert {module.split("/")[0] for module in MODULES} == set(FOLDERS)
