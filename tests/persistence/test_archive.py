"""The file format: what goes in comes back, and anything else is refused."""

import contextlib
import hashlib
import io
import json
import math
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skmlp import FileRefusedError
from skmlp.persistence.archive import FORMAT, TREE, read, write

CONTENT = {
    "parameters": np.linspace(0, 1, 300, dtype=np.float32).reshape(3, 100),
    "names": ["age", "größe", "\ud800"],
    "seed": 2**127 + 5,
    "curve": [0.1, math.inf, -math.inf, -0.0],
    "nothing": None,
    "days": np.array(["2024-01-01", "NaT"], "datetime64[D]"),
}


def sealed(body):
    """Bytes with a right checksum behind them."""
    return body + hashlib.sha256(body).hexdigest().encode()


def archive(members, compression=zipfile.ZIP_STORED):
    """A made-up file with a right checksum."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return sealed(stream.getvalue()[:-2] + struct.pack("<H", 64))


def crafted(content, arrays=None, **header):
    """A made-up file of the right layout, but for what the arguments spoil."""
    tree = {"format": FORMAT, "kind": "test", "skmlp": "9.9", "content": content}
    members = {TREE: json.dumps(tree | header)}
    return archive(members | {f"{n}.npy": data for n, data in (arrays or {}).items()})


def one_array(dtype, shape, data=b"", order="C"):
    """A made-up file with one array of a claimed type and shape."""
    about = {"array": "x", "dtype": dtype, "shape": shape, "order": order}
    member = saved(np.zeros(0))
    return crafted({"a": about}, {"x": member + data})


def saved(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def same(a, b):
    """Whether two trees are equal in values, types, shapes and memory order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
            and a.flags.f_contiguous == b.flags.f_contiguous
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or struct.pack("d", a) == struct.pack("d", b)
    return a == b


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some file.skmlp"


@pytest.fixture
def good(path):
    write(path, "test", CONTENT)
    return path.read_bytes()


# There and back

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
)
TEXT = st.text(st.characters(codec=None))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    TEXT,
    hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0)),
)
TREES = st.recursive(
    LEAVES,
    lambda trees: st.one_of(
        st.lists(trees, max_size=4),
        st.dictionaries(TEXT, trees, max_size=4),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(content=st.dictionaries(TEXT, TREES, max_size=4))
def test_any_content_comes_back_as_it_was(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("round_trip")
    write(folder / "a", "test", content)
    loaded = read(folder / "a", "test")
    assert same(loaded, content)
    write(folder / "b", "test", loaded)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_arrays_come_back_in_their_order_and_can_be_written_to(path):
    table = np.arange(6.0).reshape(2, 3)
    content = {"C": table, "F": np.asfortranarray(table), "part": table[:, ::2]}
    write(path, "test", content)
    loaded = read(path, "test")
    assert loaded["F"].flags.f_contiguous
    for name, array in content.items():
        np.testing.assert_array_equal(loaded[name], array)
        loaded[name] += 1


def test_numpy_opens_the_file(path):
    write(path, "test", {"weights": CONTENT["parameters"]})
    with np.load(path) as file:
        assert set(file) == {TREE, "array_0"}
        np.testing.assert_array_equal(file["array_0"], CONTENT["parameters"])
        content = json.loads(file[TREE])["content"]
        about = {"array": "array_0", "dtype": "<f4", "shape": [3, 100], "order": "C"}
        assert content == {"weights": about}


def test_the_name_is_taken_as_given(tmp_path):
    write(str(tmp_path / "model"), "test", CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert same(read(str(tmp_path / "model"), "test"), CONTENT)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", "test", CONTENT)
    assert (tmp_path / "link").is_symlink()
    assert same(read(tmp_path / "target", "test"), CONTENT)


# What can't be written


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "object can't be written"),
        ({1, 2}, "set can't be written"),
        (np.array([None]), "ndarray can't be written"),
        (np.zeros(2, [("x", "f4")]), "ndarray can't be written"),
        (np.ma.masked_array([1.0, 2.0]), "MaskedArray can't be written"),
        (io.BytesIO, "type can't be written"),
    ],
)
def test_other_content_is_refused_and_leaves_no_file(path, value, message):
    with pytest.raises(TypeError, match=message):
        write(path, "test", {"a": [value]})
    assert list(path.parent.iterdir()) == []


# What can't be read


def refusal(path, data, kind="test"):
    """The sentence that says why bytes are refused."""
    path.write_bytes(data)
    with pytest.raises(FileRefusedError) as caught:
        read(path, kind)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith((".", ".)"))
    return message


def test_any_flipped_byte_is_found(path, good):
    rng = np.random.default_rng(0)
    for place in rng.integers(len(good), size=1000):
        spoilt = bytearray(good)
        spoilt[place] ^= rng.integers(1, 256)
        refusal(path, spoilt)


def test_truncation_and_appended_bytes_are_found(path, good):
    for length in [*range(0, len(good), 7), len(good) - 1]:
        refusal(path, good[:length])
    for more in [b"\0", b"PK", good]:
        assert "damaged or incomplete" in refusal(path, good + more)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "it starts with b'.x89PNG"),
        (pickle.dumps({"a": 1}), "only they can read"),
        (b"some text", "it starts with b'some tex'"),
        (saved(np.arange(3)), "NUMPY"),
        (b"PK\x03\x04", "damaged or incomplete, or skmlp did not write it"),
    ],
)
def test_foreign_files_are_refused(path, data, message):
    assert message.replace(".x", "\\x") in refusal(path, data)


def test_archives_of_others_are_refused(path):
    np.savez(path.with_suffix(".npz"), a=np.arange(3))
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as zipped:
        zipped.writestr(TREE, "{}")
    for other in (".npz", ".zip"):
        data = path.with_suffix(other).read_bytes()
        assert "skmlp did not write it" in refusal(path, data)


def test_what_is_no_file_raises_as_usual(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing", "test")
    with pytest.raises(IsADirectoryError):
        read(tmp_path, "test")
    with pytest.raises(IsADirectoryError):
        write(tmp_path, "test", {})
    assert list(tmp_path.parent.glob(".*.tmp")) == []


def test_another_kind_is_named(path, good):
    message = refusal(path, good, "saved model")
    assert "is a test, not a saved model; pass the path of a saved model" in message


def test_a_newer_format_is_named(path):
    message = refusal(path, crafted({}, format=FORMAT + 1))
    assert f"by skmlp 9.9 in format {FORMAT + 1}" in message
    assert "upgrade skmlp" in message


TWO = {"array": "x", "dtype": "<f8", "shape": [9], "order": "C"}


@pytest.mark.parametrize(
    "data",
    [
        one_array("<f8", [10**12], b"12345678"),
        one_array("<f8", [2**62, 0, 8]),
        one_array("<f8", [1] * 99, bytes(8)),
        one_array("<f8", [-1, -1], bytes(8)),
        one_array("<f8", [1.0], bytes(8)),
        one_array("<f8", 1, bytes(8)),
        one_array("|V0", [10**12]),
        one_array("<U0", [10**12]),
        one_array("<U" + "9" * 99, [1]),
        one_array("<q9[zz]", [1]),
        one_array("<f3", [1], bytes(3)),
        one_array("|O", [1], bytes(8)),
        one_array("(1,)f8", [1], bytes(8)),
        one_array("f8,f8", [1], bytes(16)),
        one_array([["a", "f8"]], [1], bytes(8)),
        crafted({"a": TWO}),
        crafted({"a": TWO}, {"x": b""}),
        crafted({"a": TWO, "b": TWO}, {"x": saved(np.zeros(9))}),
        crafted([]),
        crafted(None),
        crafted({"a": TWO | {"array": ["x"]}}, {"x": saved(np.zeros(9))}),
        crafted({}, format="1"),
        crafted({}, format=0),
        crafted({}, format=True),
        archive({TREE: "[" * 1_000_000}),
        archive({TREE: '{"a":' * 1_000_000}),
        archive({TREE: "1" * 1_000_000}),
        archive({TREE: "[1, 2]"}),
        archive({TREE: b"\xff\xfe"}),
        archive({TREE: "null"}),
        archive({TREE: ""}),
        archive({"other": "{}"}),
        archive({TREE: "{}" + " " * 10**6}, zipfile.ZIP_DEFLATED),
        sealed(b"PK\x03\x04"),
        sealed(b"PK\x03\x04" + bytes(100)),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_made_up_files_with_a_right_checksum_are_refused(path, data):
    assert "right checksum, but no valid content" in refusal(path, data)


def test_members_that_share_their_bytes_are_refused(path):
    many = {f"x{place}": saved(np.zeros(500)) for place in range(20)}
    about = {"dtype": "<f8", "shape": [500], "order": "C"}
    data = crafted({name: about | {"array": name} for name in many}, many)
    path.write_bytes(data)
    assert len(read(path, "test")) == 20
    # every entry of the directory points to the first array
    body = bytearray(data[:-64])
    first = body.index(b"PK\x01\x02", body.index(b"PK\x01\x02") + 1)
    offset = body[first + 42 : first + 46]
    place = first
    while (place := body.find(b"PK\x01\x02", place + 1)) > 0:
        body[place + 42 : place + 46] = offset
    refusal(path, sealed(bytes(body)))


def test_spoilt_files_with_a_right_checksum_raise_nothing_else(path, good):
    rng = np.random.default_rng(1)
    for _ in range(1000):
        body = bytearray(good[:-64])
        for place in rng.integers(4, len(body), size=rng.integers(1, 6)):
            body[place] = rng.integers(256)
        path.write_bytes(sealed(bytes(body)))
        with contextlib.suppress(FileRefusedError):
            assert type(read(path, "test")) is dict


def test_memory_is_bounded_by_the_file(path):
    content = {f"array {place}": np.zeros(100_000) for place in range(10)}
    write(path, "test", content)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        loaded = read(path, "test")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert same(loaded, content)
    assert peak < 2.5 * size


@pytest.mark.parametrize(("dtype", "shape"), [("<f8", 10**12), ("<U999999999", 9**9)])
def test_made_up_sizes_take_no_memory(path, dtype, shape):
    path.write_bytes(one_array(dtype, [shape], bytes(64)))
    tracemalloc.start()
    try:
        with pytest.raises(FileRefusedError):
            read(path, "test")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


# Writing that fails

WRITES_TOO_MUCH = """
import resource, signal, sys
import numpy as np
from skmlp.persistence.archive import write

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write(sys.argv[1], "test", {"a": np.zeros(100_000)})
except OSError as error:
    print(type(error).__name__, error.strerror)
"""


def test_a_disk_that_is_full_leaves_the_old_file_alone(path, good):
    pytest.importorskip("resource")
    command = [sys.executable, "-c", WRITES_TOO_MUCH, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "OSError File too large"
    assert path.read_bytes() == good
    assert list(path.parent.iterdir()) == [path]
