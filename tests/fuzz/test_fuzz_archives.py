"""Archives of any bytes: an `InputError` at most, nothing written outside the folder, bytes on disk bounded."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError

LIMIT = 1 << 18
MEMORY = 64 << 20
PIECES = (
    "a",
    "B",
    "..",
    ".",
    "",
    "/",
    "\\",
    "C:",
    "._a",
    "__MACOSX",
    "é",
    "e\u0301",
    "图",
    "\x01",
    " ",
    "x" * 300,
    "a.png",
)
names = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).flatmap(
    lambda pieces: st.sampled_from(("/", "\\", "")).map(lambda joint: joint.join(pieces))
)
contents = st.one_of(st.binary(max_size=300), st.sampled_from((bytes(1000), bytes(1 << 20), b"PK\5\6" + bytes(18))))
compressions = st.sampled_from(
    (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
)
types = st.sampled_from((*tarfile.SUPPORTED_TYPES, *[tarfile.REGTYPE] * 10, b"V", b"Q"))
changes = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(("set", "insert", "cut", "repeat")), st.binary(min_size=1, max_size=8)),
    max_size=6,
)


@pytest.fixture(autouse=True)
def no_programs(monkeypatch):
    """Only what is read here is tried: a process for each example would take too long."""
    monkeypatch.setattr(unpackers.shutil, "which", lambda _: None)


def packed_zip(members):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as packed:
        warnings.simplefilter("ignore")  # of names that occur twice
        for name, content, method, mode in members:
            info = zipfile.ZipInfo(name.replace("\0", ""))
            info.compress_type, info.external_attr = method, mode << 16
            packed.writestr(info, content)
    return file.getvalue()


def packed_tar(members, form, compress):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, encoding="utf-8") as packed:
        for name, content, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            try:
                packed.addfile(info, io.BytesIO(content))
            except ValueError:  # a name that the format cannot hold
                continue
    return compress(file.getvalue())


zips = st.lists(
    st.tuples(names, contents, compressions, st.sampled_from((0, 0, 0o100644, 0o120777, 0o20000))), max_size=5
).map(packed_zip)
tars = st.builds(
    packed_tar,
    st.lists(st.tuples(names, contents, types, names), max_size=5),
    st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)),
    st.sampled_from((bytes, bytes, gzip.compress, bz2.compress, lzma.compress)),
)


def mutated(content, edits):
    for where, how, value in edits:
        at = int(where * len(content))
        if how == "cut":
            content = content[:at]
        elif how == "repeat":
            content = content[:at] + content[max(0, at - 512) : at] * 3 + content[at:]
        else:
            content = content[:at] + value + content[at + (len(value) if how == "set" else 0) :]
    return content


def signed(content):
    """A plain tar with the check sums of its first headers corrected, so that its changes are read."""
    blocks = bytearray(content)
    for start in range(0, min(len(blocks) - 511, 64 * 512), 512):
        header = blocks[start : start + 512]
        if header[257:262] == b"ustar":
            blocks[start + 148 : start + 156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    return bytes(blocks)


def check(content, name, encoding=None):
    """Unpack, and see what was written and where."""
    root = Path(tempfile.mkdtemp())
    try:
        (root / "in/out").mkdir(parents=True)
        (root / "in" / name).write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names in unknown encodings
            tracemalloc.start()
            try:
                unpack(root / "in" / name, root / "in/out", LIMIT, encoding)
            except InputError as error:
                assert name in str(error) and "\n" not in str(error) and len(str(error)) < 1500
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        assert peak < MEMORY, f"{peak} bytes of memory"
        assert {file.name for file in root.iterdir()} == {"in"}
        assert {file.name for file in (root / "in").iterdir()} == {"out", name}
        written = list((root / "in/out").rglob("*"))
        assert not any(file.is_symlink() for file in written)
        assert all(file.is_file() or file.is_dir() for file in written)
        assert sum(file.stat().st_size for file in written if file.is_file()) <= LIMIT
    finally:
        shutil.rmtree(root)


slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


# bytes before and behind a zip, which `zipfile` takes for damage beyond 64 kB
AROUND = ((b"", b""), (b"", bytes(70_000)), (b"", b"<p>" * 30_000), (b"MZ" + bytes(99), bytes(70_000)))


@slow
@given(
    around=st.sampled_from(AROUND),
    content=zips,
    edits=changes,
    name=st.sampled_from(("a.zip", "a.tar.gz")),
    encoding=st.sampled_from((None, "gbk")),
)
@example(around=(b"", b""), content=b"PK\5\6" + bytes(18), edits=[], name="a.zip", encoding=None)
def test_any_zip_is_unpacked_or_refused(around, content, edits, name, encoding):
    check(around[0] + mutated(content, edits) + around[1], name, encoding)


@slow
@given(content=tars, edits=changes, sign=st.booleans(), encoding=st.sampled_from((None, "gbk")))
def test_any_tar_is_unpacked_or_refused(content, edits, sign, encoding):
    content = mutated(content, edits)
    check(signed(content) if sign else content, "a.tar", encoding)


@slow
@given(
    content=st.binary(max_size=2000),
    head=st.sampled_from(
        (b"", b"PK\3\4", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"Rar!\x1a\7", b"MZ")
    ),
    name=st.sampled_from(("a.zip", "a.tar", "a.rar", "a.7z")),
)
def test_any_bytes_are_refused(content, head, name):
    check(head + content, name)
