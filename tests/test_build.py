"""The compiled core comes with the wheel, or a sentence says why it does not."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from skmlp.core import library

ROOT = Path(__file__).parents[1]


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hatch_build = module_at(ROOT / "hatch_build.py")
Target = hatch_build.Target


def has_compiler():
    try:
        return bool(hatch_build.find_compiler())
    except hatch_build.NotBuiltError:
        return False


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="needs a C compiler")


@pytest.fixture
def project(tmp_path):
    """A copy of the sources, beside which libraries may be written and removed."""
    copy = tmp_path / "project"
    no_libraries = shutil.ignore_patterns("core_*", "__pycache__")
    shutil.copytree(ROOT / "skmlp", copy / "skmlp", ignore=no_libraries)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    return copy


def build(project, *targets, **variables):
    """Run the build; what it says."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(project / "dist")]
    for target in targets:
        command += ["-t", target]
    variables = os.environ | {"SKMLP_BUILD_CORE": "auto"} | variables
    return subprocess.run(
        command, cwd=project, env=variables, capture_output=True, text=True, check=False
    )


def wheel_of(project):
    """Name of the wheel, and the names of the libraries in it."""
    (path,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = [Path(name) for name in wheel.namelist()]
    return path, sorted(name.name for name in names if name.name.startswith("core_"))


@needs_compiler
def test_a_wheel_from_the_source_distribution_has_its_core(
    project, tmp_path, monkeypatch
):
    assert build(project, "sdist").returncode == 0
    (archive,) = (project / "dist").glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    result = build(unpacked, "wheel", SKMLP_BUILD_CORE="1")
    assert result.returncode == 0, result.stderr

    target = Target.of(hatch_build.sysconfig.get_platform())
    path, libraries = wheel_of(unpacked)
    assert path.name.endswith(f"-py3-none-{target.platform}.whl")
    assert path.stat().st_size < 1e6
    suffix = library.SUFFIX
    assert libraries == sorted(f"core_{n}{suffix}" for n in target.instruction_sets)

    shutil.unpack_archive(path, tmp_path / "installed", "zip")
    monkeypatch.setattr(library, "_FOLDER", tmp_path / "installed" / "skmlp" / "core")
    assert library._load_best().name in target.instruction_sets


def test_without_a_compiler_the_wheel_is_pure_and_says_so(project, tmp_path):
    (tmp_path / "empty").mkdir()
    stale = project / "skmlp" / "core" / f"core_avx2{library.SUFFIX}"
    stale.touch()
    result = build(project, "wheel", PATH=str(tmp_path / "empty"), CC="")
    assert result.returncode == 0
    assert (result.stdout + result.stderr).count("no C compiler was found") == 1
    path, libraries = wheel_of(project)
    assert path.name.endswith("-py3-none-any.whl")
    assert libraries == []


@pytest.mark.skipif(not shutil.which("false"), reason="needs a command that fails")
def test_with_a_compiler_that_fails_the_wheel_is_pure_and_says_so(project):
    result = build(project, "wheel", CC="false -v")
    assert result.returncode == 0
    assert "will compute by NumPy, which is slower, since `false -v" in result.stderr
    assert wheel_of(project)[1] == []


def test_a_build_that_must_have_the_core_fails_without(project):
    result = build(project, "wheel", CC="no-such-compiler", SKMLP_BUILD_CORE="1")
    assert result.returncode != 0
    assert "no C compiler was found (looked for no-such-compiler)" in result.stderr
    assert not list((project / "dist").glob("*.whl"))


def test_the_core_can_be_left_out(project):
    stale = project / "skmlp" / "core" / f"core_avx2{library.SUFFIX}"
    stale.touch()
    result = build(project, "wheel", SKMLP_BUILD_CORE="0")
    assert result.returncode == 0
    assert "NumPy" not in result.stderr
    assert wheel_of(project)[1] == []
    assert not stale.exists(), "an editable install would load it"


@pytest.fixture
def pure_wheel(project):
    """A wheel without the core: its version, and its files."""
    build(project, "wheel", SKMLP_BUILD_CORE="0")
    path, _ = wheel_of(project)
    with zipfile.ZipFile(path) as wheel:
        yield path.name.split("-")[1], wheel


def test_a_wheel_holds_the_package_alone(pure_wheel):
    version, wheel = pure_wheel
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert folders == {"skmlp", f"skmlp-{version}.dist-info"}


def test_links_of_the_description_lead_to_files_of_this_version(pure_wheel):
    version, wheel = pure_wheel
    text = wheel.read(f"skmlp-{version}.dist-info/METADATA").decode()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert all(link.startswith("https://") for link in links)
    ours = [link for link in links if "/skmlp/skmlp/" in link]
    assert ours
    for link in ours:
        site, path = link.split(f"/v{version}/")
        is_picture = path.endswith(".png")
        assert is_picture == site.startswith("https://raw.githubusercontent.com/")
        assert (ROOT / path.partition("#")[0]).exists()


def test_another_wish_is_refused(project):
    result = build(project, "wheel", SKMLP_BUILD_CORE="yes")
    assert "SKMLP_BUILD_CORE is 'yes'; choose from auto, 0 and 1." in result.stderr


@pytest.mark.parametrize(
    ("name", "platform", "machine"),
    [
        ("linux-x86_64", "linux_x86_64", "x86_64"),
        ("linux-aarch64", "linux_aarch64", "aarch64"),
        ("linux-riscv64", "linux_riscv64", "riscv64"),
        ("win-amd64", "win_amd64", "x86_64"),
        ("win-arm64", "win_arm64", "aarch64"),
        ("win32", "win32", "win32"),
        ("macosx-10.13-x86_64", "macosx_10_13_x86_64", "x86_64"),
        ("macosx-11.0-arm64", "macosx_11_0_arm64", "aarch64"),
    ],
)
def test_targets_are_called_as_in_tags_of_wheels(name, platform, machine, monkeypatch):
    monkeypatch.delenv("ARCHFLAGS", raising=False)
    target = Target.of(name)
    assert (target.platform, target.machine) == (platform, machine)
    assert set(target.instruction_sets) <= set(library.INSTRUCTION_SETS)


def test_a_python_for_both_machines_of_apple_builds_for_one(monkeypatch):
    monkeypatch.setenv("ARCHFLAGS", "-arch x86_64")
    target = Target.of("macosx-11.0-universal2")
    assert target.platform == "macosx_11_0_x86_64"
    assert target.flags == ["-fPIC", "-arch", "x86_64", "-mmacosx-version-min=11.0"]


def test_no_flag_changes_the_meaning_of_numbers_or_takes_the_cpu_of_the_build():
    sets = [*hatch_build.INSTRUCTION_SETS.values(), hatch_build.OTHERS]
    flags = {flag for table in sets for names in table.values() for flag in names}
    flags |= set(hatch_build.FLAGS)
    assert not flags & {"-ffast-math", "-Ofast", "-march=native"}
    assert {name for table in sets for name in table} == set(library.INSTRUCTION_SETS)
