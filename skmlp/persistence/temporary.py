"""Temporary files and folders: locked while their process lives, removed after that.

A killed process leaves its temporary files, but its locks go with it: so the next
process can tell them from those that are still being written.
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


@contextmanager
def replace_file(path: str | os.PathLike) -> Iterator[BufferedRandom]:
    """Give a new file that replaces the one at `path` once the block ends.

    Even if the process is killed, the file at `path` is the old or the new one, whole.
    """
    path = Path(path).resolve()  # so that a link stays one
    check_folder(path)
    remove_leftovers(path)
    stream, temporary = _open_temporary(path)
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


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of files that were to replace this one."""
    prefix = f".{path.name}."
    # scandir: a folder of checkpoints may hold thousands of files
    with os.scandir(path.parent) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.startswith(prefix)
            and entry.name.endswith(SUFFIX)
            and len(entry.name) == len(prefix) + 8 + len(SUFFIX)
        ]
    for name in names:
        _remove_unless_in_use(path.with_name(name))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder that is removed after the block.

    Folders that killed processes left are removed before.
    """
    if not fcntl:
        with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
            yield Path(name)
        return
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/"):
        _remove_unless_in_use(left)
    folder, descriptor = _make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(descriptor)


def _make_folder() -> tuple[Path, int]:
    """Make and lock a folder; return it and the descriptor that holds the lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        # until it is locked, another process takes it for a leftover and removes it
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            lock(descriptor)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _open_temporary(path: Path) -> tuple[BufferedRandom, Path]:
    """Open and lock a new file beside the one that it will replace."""
    while True:
        temporary = path.with_name(f".{path.name}.{token_hex(4)}{SUFFIX}")
        stream = open(temporary, "x+b")  # noqa: SIM115
        if fcntl:
            lock(stream.fileno())
        if temporary.exists():  # as with folders, it may be gone
            return stream, temporary
        stream.close()


def lock(descriptor: int) -> None:
    """Lock a file until it is closed or the process ends."""
    # where a file system has no locks, nobody removes leftovers
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_unless_in_use(path: Path) -> None:
    with suppress(OSError):  # in use, already gone, or of another user
        if not fcntl:
            path.unlink()
            return
        # on NFS, only files open for writing can be locked; no link, which another
        # user could have laid to a folder of this one
        mode = os.O_RDONLY if path.is_dir() else os.O_RDWR
        descriptor = os.open(path, mode | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(descriptor)
