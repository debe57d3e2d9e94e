"""Builds the compiled core along with a wheel: a shared library per instruction set.

The libraries lie beside their source, where an editable install finds them, and are
removed before each build, so none is older than its source. The environment variable
SKMLP_BUILD_CORE says whether they are built: "1" for a build that fails without them,
"0" for a wheel without them, and "auto" for one with them where a compiler can.
"""

import os
import shlex
import shutil
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent / "skmlp" / "core"

INSTRUCTION_SETS: dict[str, dict[str, list[str]]] = {
    "x86_64": {
        "baseline": [],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": [
            *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma"),
            "-mprefer-vector-width=512",
        ],
    },
    "aarch64": {"neon": []},
}
"""Flags of each instruction set of a machine; any other machine has `OTHERS`."""

OTHERS: dict[str, list[str]] = {"baseline": []}

FLAGS = [
    *("-O3", "-std=c11", "-shared", "-fvisibility=hidden"),
    # as -ffast-math, but sums keep their order, and NaN and infinity their meaning
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
]

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class NotBuiltError(Exception):
    """The core can't be built here; the message says why."""


class Target(NamedTuple):
    """What is compiled for, as the tag of a wheel names it."""

    platform: str
    """Such as linux_x86_64, win_amd64, or macosx_11_0_arm64."""

    machine: str
    """A key of `INSTRUCTION_SETS`, or another machine."""

    flags: list[str]
    """What the compiler must be told of it."""

    @classmethod
    def of(cls, name: str) -> "Target":
        """The target that Python calls by a name, such as macosx-11.0-universal2."""
        *system, machine = name.split("-")
        flags = [] if name.startswith("win") else ["-fPIC"]
        if name.startswith("macosx"):
            machine = machine_of_mac(machine)
            flags += ["-arch", machine, f"-mmacosx-version-min={system[1]}"]
        if name.startswith("linux") and struct.calcsize("P") == 4:
            # Python of 32 bits on a kernel of 64 goes by the name of the latter
            machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
        platform = "_".join([*system, machine])
        known_as = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
        return cls(platform.replace(".", "_"), known_as, flags)

    @property
    def instruction_sets(self) -> dict[str, list[str]]:
        """Names and flags of those that the machine may have."""
        return INSTRUCTION_SETS.get(self.machine, OTHERS)


def machine_of_mac(machine: str) -> str:
    """The one to build for, which ARCHFLAGS may name, where Python serves both."""
    asked_for = os.environ.get("ARCHFLAGS", "").split()[1::2]
    if len(asked_for) == 1:
        return asked_for[0]
    return os.uname().machine if machine == "universal2" else machine


def find_compiler() -> list[str]:
    """The command that runs the C compiler."""
    given = shlex.split(os.environ.get("CC", ""), posix=os.name != "nt")
    # cl.exe has no vectors, which the core is written in
    names = ["clang"] if os.name == "nt" else ["cc", "gcc", "clang"]
    for name in given[:1] or names:
        if shutil.which(name):
            return given or [name]
    tried = ", ".join(given[:1] or names)
    raise NotBuiltError(f"no C compiler was found (looked for {tried})")


def compile_library(path: Path, flags: Sequence[str] = ()) -> None:
    """Compile the core to a shared library.

    Parameters
    ----------
    path : Path
        Of the library.
    flags : sequence of str, default=()
        To the compiler, behind those that all libraries have.
    """
    compiler = find_compiler()
    target = Target.of(sysconfig.get_platform())
    libraries = [] if os.name == "nt" else ["-lm"]
    command = [
        *(*compiler, *FLAGS, *target.flags, *flags),
        *(str(FOLDER / "core.c"), "-o", str(path), *libraries),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NotBuiltError(f"`{shlex.join(command)}` failed:\n{result.stderr}")


def compile_all(folder: Path, target: Target) -> list[Path]:
    """Compile a library for each instruction set of the target; their paths."""
    paths = []
    for name, flags in target.instruction_sets.items():
        paths.append(folder / f"core_{name}{SUFFIX}")
        compile_library(paths[-1], flags)
    return paths


class CoreBuildHook(BuildHookInterface):
    """Adds the libraries to a wheel, and says in its tag which machine they are for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.clean([version])
        wish = os.environ.get("SKMLP_BUILD_CORE", "auto")
        if wish not in ("auto", "0", "1"):
            raise ValueError(
                f"the environment variable SKMLP_BUILD_CORE is {wish!r}; choose from "
                "auto, 0 and 1."
            )
        if wish != "0":
            self.build(build_data, must=wish == "1")

    def build(self, build_data: dict[str, Any], must: bool) -> None:
        """Compile the libraries and add them, or warn that this can't be done."""
        target = Target.of(sysconfig.get_platform())
        try:
            paths = compile_all(FOLDER, target)
        except NotBuiltError as error:
            self.clean([])
            if must:
                raise
            self.app.display_warning(
                f"skmlp is built without its compiled core and will compute by NumPy, "
                f"which is slower, since {error}"
            )
            return
        build_data["pure_python"] = False
        # the libraries know nothing of Python, so one wheel serves all its versions
        build_data["tag"] = f"py3-none-{target.platform}"
        for path in paths:
            place = path.relative_to(FOLDER.parents[1]).as_posix()
            build_data["force_include"][str(path)] = place

    def clean(self, versions: list[str]) -> None:
        for path in FOLDER.glob("core_*"):
            path.unlink()
