"""Temporary files: each is locked while its process lives, and removed after that.

A process that is killed leaves its temporary files. Its locks go with it, so that the
next process can tell these files from those that are still being written.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from secrets import token_hex

try:
    import fcntl
except ImportError:  # Windows, where a file that is open can't be removed
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".tmp"

FOLDER_PREFIX = "skmlp-query-"
"""Start of the names of temporary folders."""


# A file that replaces another


@contextmanager
def replace_file(path: str | os.PathLike) -> Iterator[BufferedRandom]:
    """Give a new file that replaces the one at `path` once the block ends.

    The file at `path` is the former or the new one, whole in either case, even if the
    process is killed. If the block raises, the new file is removed.

    Raises
    ------
    FileNotFoundError
        If there is no folder to write to.
    """
    path = Path(path).resolve()  # so that a link stays one
    check_folder(path)
    remove_leftovers(path)
    stream, temporary = open_temporary(path)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if fcntl:  # while it is locked
                os.replace(temporary, path)
        if not fcntl:
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_folder(path: Path) -> None:
    """Raise unless there is a folder to write a file to."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {os.fspath(path.parent)!r} to write {path.name!r} to; "
            "make it first, or pass another path."
        )


def open_temporary(path: Path) -> tuple[BufferedRandom, Path]:
    """Open and lock a new file beside the one that it will replace."""
    while True:
        temporary = path.with_name(f".{path.name}.{token_hex(4)}{SUFFIX}")
        stream = open(temporary, "x+b")  # noqa: SIM115
        if fcntl:
            lock(stream.fileno())
        # until it is locked, another process takes it for a leftover
        if temporary.exists():
            return stream, temporary
        stream.close()


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of files that were to replace this one."""
    prefix = f".{path.name}."
    length = len(prefix) + 8 + len(SUFFIX)
    # scandir: a folder of checkpoints may hold thousands of files
    with os.scandir(path.parent) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.startswith(prefix)
            and entry.name.endswith(SUFFIX)
            and len(entry.name) == length
        ]
    for name in names:
        with suppress(OSError):  # in use, already gone, or not ours to remove
            remove_file(path.with_name(name))


def remove_file(temporary: Path) -> None:
    """Remove a temporary file; raise OSError if a process is still writing to it."""
    if not fcntl:
        temporary.unlink()
        return
    with open(temporary, "r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()


def lock(descriptor: int) -> None:
    """Hold a lock until the file is closed or the process ends."""
    # where a file system has no locks, nobody removes leftovers
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


# A folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder that is removed after the block.

    Folders that killed processes left are removed before.
    """
    if not fcntl:
        with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
            yield Path(name)
        return
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError):  # in use, already gone, or of another user
            remove_folder(left)
    folder, descriptor = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(descriptor)


def make_folder() -> tuple[Path, int]:
    """Make and lock a folder."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        with suppress(FileNotFoundError):  # another process took it for a leftover
            descriptor = os.open(folder, os.O_RDONLY)
            lock(descriptor)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def remove_folder(folder: Path) -> None:
    """Remove a temporary folder; raise OSError if a process is still using it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
