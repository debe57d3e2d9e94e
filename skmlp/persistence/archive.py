"""One safe file format: a tree of plain values and arrays, sealed by a checksum.

A file is an uncompressed ``.npz``, which `numpy.load` opens: ``content.json`` holds the
tree, and refers by name to the arrays beside it. The comment at the end of the zip
archive is the SHA-256 of all bytes before it.
"""

import hashlib
import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.lib.format import write_array

from skmlp._version import __version__
from skmlp.persistence.temporary import replace_file

Leaf: TypeAlias = bool | int | float | str | bytes | np.generic | np.ndarray | None
"""What holds nothing further."""

Tree: TypeAlias = Leaf | list["Tree"] | tuple["Tree", ...] | dict[str, "Tree"]
"""What a file holds."""

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What the standard library makes of JSON."""

Kind = TypeVar("Kind")

FORMAT = 1
"""Version of the format. Files of all versions up to it can be read."""

TREE = "content.json"
"""The member of the archive that holds the tree."""

DIGEST_LENGTH = 64
"""Hexadecimal digits of the checksum."""

MOST_LEVELS = 64
"""How deep lists, tuples and dicts may lie in each other."""

DTYPE = re.compile(r"[<>|][biufcUSmM]\d*(\[\d*[a-zA-Zμ]+\])?")
"""Types of arrays: numbers, truth values, text of fixed width, dates and durations."""

ARRAY_HEADER = re.compile(
    r"\{'descr': '([^']+)', 'fortran_order': (True|False), "
    r"'shape': \(([\d, ]*)\), \} *\n"
)
"""What numpy writes in front of an array, read without evaluating any of it."""

ARRAY_MAGIC = b"\x93NUMPY\x01\x00"

LARGEST_PLAIN_INT = 2**53
"""Integers from here on are written in hexadecimal, as not every reader has them."""

MALFORMED = (
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,  # NotImplementedError and RecursionError too
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,  # OverflowError, and those of decimals
    OSError,
    EOFError,
)
"""What zipfile, json and numpy raise where a made-up file misleads them."""


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


def write(path: str | os.PathLike, kind: str, content: dict[str, Tree]) -> None:
    """Write a tree to a file, which is there in full or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Where to; a file that is there already is replaced at the very end.
    kind : str
        What the content is, such as "saved model"; `read` asks for the same.
    content : dict
        None, bool, int, float, str, bytes, list, tuple, dict with keys of type str,
        NumPy scalars, and arrays of numbers, truth values, text or dates, in each other
        as deep as 64 levels. All come back as they are.

    Raises
    ------
    TypeError
        If the content holds anything else; nothing is written then.
    """
    packer = Packer()
    tree: dict[str, Json] = {
        "format": FORMAT,
        "kind": kind,
        "skmlp": __version__,
        "content": packer.pack(content, "content"),
    }
    with replace_file(path) as stream:
        write_archive(stream, tree, packer.arrays)
        seal(stream)


def read(path: str | os.PathLike, kind: str) -> dict[str, Tree]:
    """The tree that `write` wrote to a file.

    Nothing in the file is looked at before its checksum is found right. What is then
    built takes memory in proportion to the file's length, and none of it is executed,
    whoever wrote it.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    kind : str
        What its content has to be.

    Returns
    -------
    content : dict
        With arrays of its own, which can be written to.

    Raises
    ------
    FileRefusedError
        If the file isn't one that this version can read, or not of this kind.
    OSError
        If there is no such file, or it can't be opened.
    """
    data = Path(path).read_bytes()
    check_seal(path, data)
    with refusing(path):
        archive = open_archive(data)
        text = archive.read(TREE).decode("utf-8", "surrogatepass")
        tree = expect(dict, json.loads(text))
        check_header(path, kind, tree)
        return expect(dict, Unpacker(archive).unpack(tree["content"]))


def expect(kind: type[Kind], value: object) -> Kind:
    """A value out of a file, once it is found to be of this type."""
    if not isinstance(value, kind):
        raise TypeError(
            f"there is a {type(value).__name__} in place of a {kind.__name__}"
        )
    return value


@contextmanager
def refusing(path: str | os.PathLike) -> Iterator[None]:
    """Refuse a file if its content can't be made sense of."""
    try:
        yield
    except FileRefusedError:
        raise
    except MALFORMED as error:
        raise FileRefusedError(
            f"{path} has a right checksum, but is not laid out as skmlp does it "
            f"({error}); something else must have written it. Don't use it, or save "
            "what it should hold again."
        ) from error


# The archive


def write_archive(
    stream: io.BufferedRandom, tree: dict[str, Json], arrays: dict[str, np.ndarray]
) -> None:
    """Write all members, the same bytes for the same content."""
    # not only ASCII, so that names stay legible; lone surrogates come back as they are
    text = json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(member(TREE), "w", force_zip64=True) as file:
            file.write(text.encode("utf-8", "surrogatepass"))
        for name, array in arrays.items():
            with archive.open(member(f"{name}.npy"), "w", force_zip64=True) as file:
                write_array(file, array, version=(1, 0), allow_pickle=False)


def member(name: str) -> zipfile.ZipInfo:
    """An entry of the archive that says nothing of the day or the system."""
    info = zipfile.ZipInfo(name)  # of 1 January 1980
    info.create_system = 3
    return info


def seal(stream: io.BufferedRandom) -> None:
    """Append the checksum, as the comment of an archive that has none so far."""
    stream.seek(-2, os.SEEK_END)
    stream.write(struct.pack("<H", DIGEST_LENGTH))
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0, os.SEEK_END)
    stream.write(digest.encode())


def check_seal(path: str | os.PathLike, data: bytes) -> None:
    """Raise unless the last bytes are the checksum of all others."""
    if not data.startswith(b"PK\x03\x04"):
        start = f"it starts with {data[:8]!r}" if data else "it is empty"
        raise FileRefusedError(
            f"{path} is not a file that skmlp wrote, as {start}; pass the path that "
            "was written to. (What pickle or joblib wrote, only they can read.)"
        )
    body, digest = memoryview(data)[:-DIGEST_LENGTH], data[-DIGEST_LENGTH:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise FileRefusedError(
            f"{path} is damaged or incomplete, or skmlp did not write it: its last "
            f"{DIGEST_LENGTH} bytes are not the checksum of the {len(body)} before "
            "them. Copy it again from where it came from."
        )


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The archive, if reading each member once takes no more than the file's length."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    if any(info.compress_type or info.flag_bits & 1 for info in members):
        raise ValueError("a member is compressed or encrypted")
    if len({info.filename for info in members}) < len(members):
        raise ValueError("two members have the same name")
    if len({info.header_offset for info in members}) < len(members):
        raise ValueError("two members lie in the same place")
    sizes = [max(info.file_size, info.compress_size) for info in members]
    if sum(sizes) > len(data):
        raise ValueError("its members claim to be longer than the file")
    return archive


def check_header(path: str | os.PathLike, kind: str, tree: Mapping[str, Json]) -> None:
    """Raise unless a tree is of a format and of the kind asked for."""
    version, found = tree["format"], tree["kind"]
    if type(version) is not int or version < 1:
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


# Trees to JSON and back


class Packer:
    """Turns a tree into what JSON can hold, and sets its arrays aside.

    None, truth values, text, lists, and numbers of usual size stand for themselves. All
    else is an object of one entry, whose key says what it is.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def pack(self, value: Tree, name: str, level: int = 0) -> Json:
        """What stands for a value in JSON; `name` is for messages."""
        if level > MOST_LEVELS:
            raise ValueError(
                f"{name:.100} lies more than {MOST_LEVELS} levels deep, or holds "
                "itself; such content can't be written to a file."
            )
        if isinstance(value, np.generic):
            return {"scalar": self.pack_scalar(value, name)}
        if type(value) not in self.by_type:
            raise TypeError(
                f"{name} is of type {type(value).__name__}, which can't be written to "
                "a file; only plain values and arrays can."
            )
        return self.by_type[type(value)](self, value, name, level + 1)

    def pack_plain(self, value: bool | str | None, name: str, level: int) -> Json:
        return value

    def pack_int(self, value: int, name: str, level: int) -> Json:
        return value if abs(value) < LARGEST_PLAIN_INT else {"int": hex(value)}

    def pack_float(self, value: float, name: str, level: int) -> Json:
        return value if math.isfinite(value) else {"float": str(value)}

    def pack_bytes(self, value: bytes, name: str, level: int) -> Json:
        return {"bytes": value.hex()}

    def pack_list(self, value: Sequence[Tree], name: str, level: int) -> Json:
        places = enumerate(value)
        return [self.pack(entry, f"{name}[{i}]", level) for i, entry in places]

    def pack_tuple(self, value: tuple[Tree, ...], name: str, level: int) -> Json:
        return {"tuple": self.pack_list(value, name, level)}

    def pack_dict(self, value: dict[str, Tree], name: str, level: int) -> Json:
        for key in value:
            if type(key) is not str:
                raise TypeError(
                    f"{name} has the key {key!r}, which can't be written to a file; "
                    "only text can be a key."
                )
        packed = {
            key: self.pack(entry, f"{name}[{key!r}]", level)
            for key, entry in value.items()
        }
        return {"dict": packed}

    def pack_array(self, value: np.ndarray, name: str, level: int) -> Json:
        check_dtype(value.dtype, name)
        key = f"array_{len(self.arrays)}"
        self.arrays[key] = value
        return {"array": key}

    def pack_scalar(self, value: np.generic, name: str) -> list[Json]:
        """Type and value; text and bytes may end in zeros, which arrays forget."""
        if isinstance(value, np.str_):
            return ["U", str(value)]
        if isinstance(value, np.bytes_):
            return ["S", bytes(value).hex()]
        check_dtype(value.dtype, name)
        return [value.dtype.str, value.tobytes().hex()]

    by_type: dict[type, Callable[..., Json]] = {
        type(None): pack_plain,
        bool: pack_plain,
        str: pack_plain,
        int: pack_int,
        float: pack_float,
        bytes: pack_bytes,
        list: pack_list,
        tuple: pack_tuple,
        dict: pack_dict,
        np.ndarray: pack_array,
        np.memmap: pack_array,
    }


def check_dtype(dtype: np.dtype, name: str) -> None:
    """Raise unless a type can be written and read without pickle."""
    if not DTYPE.fullmatch(dtype.str) or dtype.itemsize == 0:
        raise TypeError(
            f"{name} has the dtype {dtype}, which can't be written to a file; only "
            "numbers, truth values, text of fixed width, dates and durations can."
        )


class Unpacker:
    """Turns what a `Packer` made into the tree that it was.

    Each array is read at most once, so that no file gives more than it holds.

    Parameters
    ----------
    archive : zipfile.ZipFile
        Where the arrays are.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.unread = set(archive.namelist())

    def unpack(self, packed: Json, level: int = 0) -> Tree:
        """The value that something in JSON stands for."""
        if level > MOST_LEVELS:
            raise ValueError(f"it is more than {MOST_LEVELS} levels deep")
        if isinstance(packed, list):
            return [self.unpack(entry, level + 1) for entry in packed]
        if not isinstance(packed, dict):
            return packed
        [(tag, body)] = packed.items()
        return self.by_tag[tag](self, body, level)

    def unpack_int(self, body: Json, level: int) -> int:
        return int(expect(str, body), 16)

    def unpack_float(self, body: Json, level: int) -> float:
        return float(expect(str, body))

    def unpack_bytes(self, body: Json, level: int) -> bytes:
        return bytes.fromhex(expect(str, body))

    def unpack_tuple(self, body: Json, level: int) -> tuple[Tree, ...]:
        return tuple([self.unpack(entry, level + 1) for entry in expect(list, body)])

    def unpack_dict(self, body: Json, level: int) -> dict[str, Tree]:
        entries = expect(dict, body).items()
        return {key: self.unpack(entry, level + 1) for key, entry in entries}

    def unpack_array(self, body: Json, level: int) -> np.ndarray:
        name = f"{body}.npy"
        self.unread.remove(name)
        return array_from(self.archive.read(name))

    def unpack_scalar(self, body: Json, level: int) -> Tree:
        code, text = expect(list, body)
        if code == "U":
            return np.str_(text)
        if code == "S":
            return np.bytes_(bytes.fromhex(text))
        return array_of(code, (), "C", bytes.fromhex(text))[()]

    by_tag: dict[str, Callable[..., Tree]] = {
        "int": unpack_int,
        "float": unpack_float,
        "bytes": unpack_bytes,
        "tuple": unpack_tuple,
        "dict": unpack_dict,
        "array": unpack_array,
        "scalar": unpack_scalar,
    }


def array_from(file: bytes) -> np.ndarray:
    """The array that a ``.npy`` file holds."""
    start = len(ARRAY_MAGIC) + 2
    if not file.startswith(ARRAY_MAGIC):
        raise ValueError("an array does not begin as arrays do")
    stop = start + int.from_bytes(file[start - 2 : start], "little")
    header = ARRAY_HEADER.fullmatch(file[start:stop].decode("latin-1"))
    if header is None:
        raise ValueError("the header of an array can't be read")
    code, is_fortran, lengths = header.groups()
    shape = tuple([int(length) for length in lengths.split(",") if length.strip()])
    order: Literal["C", "F"] = "F" if is_fortran == "True" else "C"
    return array_of(code, shape, order, memoryview(file)[stop:])


def array_of(
    code: str,
    shape: tuple[int, ...],
    order: Literal["C", "F"],
    values: bytes | memoryview,
) -> np.ndarray:
    """An array of its own, of a type, shape and order, if it has just these values."""
    if not DTYPE.fullmatch(code):
        raise ValueError(f"an array has the dtype {code!r:.50}")
    dtype = np.dtype(code)
    if dtype.itemsize == 0 or dtype.itemsize * math.prod(shape) != len(values):
        raise ValueError(
            f"an array of shape {shape} and dtype {code} has {len(values)} bytes"
        )
    return np.ndarray(shape, dtype, values, order=order).copy(order)
