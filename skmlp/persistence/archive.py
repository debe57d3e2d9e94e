"""Safe file format: JSON and arrays in an uncompressed ``.npz``, with a checksum.

`numpy.load` opens such a file. ``content.json`` refers by name to the arrays beside it,
and repeats their types and shapes.
The comment of the zip archive, its last 64 bytes, is the SHA-256 of all other bytes.
"""

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np
from numpy.lib import format as npy

from skmlp._version import __version__
from skmlp.persistence.temporary import replace_file

Kind = TypeVar("Kind")

FORMAT = 2
"""Version of the format; newer versions of the package read older formats."""

TREE = "content.json"
"""Member of the archive that holds everything but the arrays."""

CHECKSUM_LENGTH = 64
"""Hexadecimal digits of a SHA-256."""


class FileRefusedError(ValueError):
    """A file is not what it should be, and none of it was used.

    It is damaged or incomplete, was not written by this package, holds something else,
    or comes from a newer version; the message says which, and what to do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmlp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "notes.txt"
    ...     _ = path.write_text("not a model")
    ...     try:
    ...         skmlp.load(path)
    ...     except skmlp.FileRefusedError as error:
    ...         print(str(error).partition("notes.txt ")[2].partition(";")[0])
    is not a file that skmlp wrote, as it starts with b'not a mo'
    """


def write(path: str | os.PathLike, kind: str, content: dict[str, Any]) -> None:
    """Write a tree to a file, replacing an older file only once it is complete."""
    arrays: dict[str, np.ndarray] = {}

    def set_aside(value: Any) -> dict[str, Any]:
        # no other subclass of an array: a masked one would lose its mask
        if type(value) not in (np.ndarray, np.memmap) or not _is_plain(value.dtype):
            raise TypeError(f"{type(value).__name__} can't be written to a file")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        order = "F" if np.isfortran(value) else "C"  # as in NumPy's own header
        dtype, shape = value.dtype.str, value.shape
        return {"array": name, "dtype": dtype, "shape": shape, "order": order}

    header = {"format": FORMAT, "kind": kind, "skmlp": __version__}
    tree = header | {"content": content}
    # not only ASCII, so that names of columns and categories stay legible
    text = json.dumps(
        tree, default=set_aside, ensure_ascii=False, separators=(",", ":")
    )
    with replace_file(path) as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            archive.comment = bytes(CHECKSUM_LENGTH)  # room for the checksum
            with _open_member(archive, TREE) as file:
                # text may hold lone surrogates, which strict UTF-8 has no code for
                file.write(text.encode("utf-8", "surrogatepass"))
            for name, array in arrays.items():
                with _open_member(archive, f"{name}.npy") as file:
                    npy.write_array(file, array, version=(1, 0), allow_pickle=False)
        stream.seek(-CHECKSUM_LENGTH, os.SEEK_END)
        stream.truncate()
        stream.seek(0)
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.write(checksum.encode())


def _open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a zip entry without date and system: same content, same bytes."""
    info = zipfile.ZipInfo(name)  # of 1 January 1980
    info.create_system = 3
    return archive.open(info, "w", force_zip64=True)


def read(path: str | os.PathLike, kind: str) -> dict[str, Any]:
    """Read the tree that `write` wrote with the same kind; refuse any other file.

    Nothing is parsed before the checksum is found right. Reading executes nothing and
    takes memory in proportion to the length of the file, whoever wrote it.
    """
    data = Path(path).read_bytes()
    _verify_checksum(path, data)
    with refuse_invalid(path):
        archive = _open_archive(data)
        unread = set(archive.namelist())

        def insert_array(entries: dict[str, Any]) -> Any:
            if entries.keys() != {"array", "dtype", "shape", "order"}:
                return entries
            name = f"{entries.pop('array')}.npy"
            # at most once, or a short file could ask for one array a million times
            unread.remove(name)
            return _read_array(archive.read(name), **entries)

        text = archive.read(TREE).decode("utf-8", "surrogatepass")
        # without the arrays, which a newer format may store in another way
        _check_header(path, kind, json.loads(text))
        return expect(dict, json.loads(text, object_hook=insert_array)["content"])


def expect(kind: type[Kind], value: object) -> Kind:
    """Return a value read from a file if it is of this type, else raise TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}, got a {type(value).__name__}")
    return value


@contextmanager
def refuse_invalid(path: str | os.PathLike) -> Iterator[None]:
    """Turn any error while a file is read into FileRefusedError."""
    try:
        yield
    except (FileRefusedError, MemoryError):
        raise
    # any Exception: crafted content can make zipfile, json, numpy and pandas raise
    # nearly all there are
    except Exception as error:
        raise FileRefusedError(
            f"{path} has a right checksum, but no valid content ({error}). Do not use "
            "it; save the content again."
        ) from error


def _verify_checksum(path: str | os.PathLike, data: bytes) -> None:
    if not data.startswith(b"PK\x03\x04"):
        start = f"it starts with {data[:8]!r}" if data else "it is empty"
        raise FileRefusedError(
            f"{path} is not a file that skmlp wrote, as {start}; pass the path that "
            "was written to. (What pickle or joblib wrote, only they can read.)"
        )
    body, checksum = memoryview(data)[:-CHECKSUM_LENGTH], data[-CHECKSUM_LENGTH:]
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise FileRefusedError(
            f"{path} is damaged or incomplete, or skmlp did not write it: its last "
            f"{CHECKSUM_LENGTH} bytes are not the checksum of the {len(body)} before "
            "them. Copy it again from where it came from."
        )


def _open_archive(data: bytes) -> zipfile.ZipFile:
    """Open an archive whose members together are no longer than the file."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    # a few bytes could expand to gigabytes
    if any(info.compress_type or info.flag_bits & 1 for info in members):
        raise ValueError("a member is compressed or encrypted")
    if len({info.filename for info in members}) < len(members):
        raise ValueError("two members have the same name")
    # a thousand entries could share the bytes of one long array
    if len({info.header_offset for info in members}) < len(members):
        raise ValueError("two members lie in the same place")
    sizes = [max(info.file_size, info.compress_size) for info in members]
    if sum(sizes) > len(data):
        raise ValueError("its members claim to be longer than the file")
    return archive


def _check_header(path: str | os.PathLike, kind: str, tree: dict[str, Any]) -> None:
    version, found = tree["format"], tree["kind"]
    if type(version) is not int or version < FORMAT:
        raise ValueError(f"its format is {version!r:.50}")
    if version > FORMAT:
        raise FileRefusedError(
            f"{path} was written by skmlp {tree['skmlp']} in format {version}, but "
            f"this is skmlp {__version__}, which reads formats up to {FORMAT}; "
            "upgrade skmlp to read it."
        )
    if found != kind:
        raise FileRefusedError(
            f"{path} is a {found}, not a {kind}; pass the path of a {kind}."
        )


def _read_array(
    member: bytes, dtype: str, shape: list[int], order: Literal["C", "F"]
) -> np.ndarray:
    """Return the array of a ``.npy`` member, once its length is found right."""
    # NumPy's own header is left unread: it is a Python literal, for `numpy.load`
    start = 10 + int.from_bytes(member[8:10], "little")
    values = memoryview(member)[start:]
    kind = np.dtype(expect(str, dtype))
    # before any memory is taken, as a file can claim any shape
    if not _is_plain(kind) or kind.itemsize * math.prod(shape) != len(values):
        raise ValueError(f"an array {dtype} {shape} has {len(values)} bytes")
    return np.ndarray(shape, kind, values, order=order).copy(order)


def _is_plain(dtype: np.dtype) -> bool:
    """Return True for numbers, truth values, dates and text, which need no pickle."""
    return dtype.kind in "biufcUSmM" and dtype.itemsize > 0
