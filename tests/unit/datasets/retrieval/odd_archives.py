"""Archives of any packer: written for tests, and what unpacking makes of them."""

import io
import random
import shutil
import struct
import tarfile
import zipfile
import zlib

import pytest

from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.unpacking import unpack
from iqadistill.errors import InputError

LIMIT = 8 << 20
SEVEN_ZIP = next(filter(None, map(shutil.which, ("7z", "7zz", "7za"))), None)
needs_7z = pytest.mark.skipif(SEVEN_ZIP is None, reason="7z is not installed")
needs_bsdtar = pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar is not installed")
needs_unzip = pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
CONTENT = {"a/1.png": random.Random(1).randbytes(3000), "a/2.png": b"abc" * 50, "images.csv": b"image,mos\n"}


def raw_zip(path, names, method=zipfile.ZIP_STORED, *, extra=b"", flags=0, pack=None, prefix=b"", comment=b""):
    """A zip written by hand of raw name -> content."""
    body, directory = bytearray(prefix), b""
    for name, content in names.items():
        packed = pack(content) if pack else content if method == zipfile.ZIP_STORED else zlib.compress(content)[2:-4]
        common = struct.pack(
            "<HHHHHLLLHH",
            20,
            flags,
            method,
            0,
            33,
            zlib.crc32(content),
            len(packed),
            len(content),
            len(name),
            len(extra),
        )
        directory += b"PK\1\2\x14\0" + common + struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name + extra
        body += b"PK\3\4" + common + name + extra + packed
    end = struct.pack("<HHHHLLH", 0, 0, len(names), len(names), len(directory), len(body), len(comment))
    path.write_bytes(body + directory + b"PK\5\6" + end + comment)
    return path


def with_method(path, method):
    """The zip with another number for the method of compression, of all entries."""
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = -1
        while (start := content.find(magic, start + 1)) >= 0:
            content[start + offset : start + offset + 2] = method.to_bytes(2, "little")
    path.write_bytes(content)
    return path


def deflate64_zip(path):
    """A zip as Windows Explorer makes it. Short matches have the same bits in Deflate and Deflate64."""
    return with_method(raw_zip(path, {name.encode(): data for name, data in CONTENT.items()}, 8), 9)


def tar_of(path, members, mode="w:gz", **options):
    """A tar of name -> bytes or TarInfo."""
    with tarfile.open(path, mode, **options) as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, tarfile.TarInfo):
                packed.addfile(content)
                continue
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def unpacked(archive, limit=LIMIT, encoding=None):
    """Content of the unpacked files by path."""
    folder = archive.parent / "out"
    folder.mkdir()
    unpack(archive, folder, limit, encoding)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def refusal(archive, limit=LIMIT, encoding=None):
    """The sentence that refuses an archive, before anything of it is written."""
    folder = archive.parent / "out"
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        unpack(archive, folder, limit, encoding)
    message = str(caught.value)
    assert message.count(archive.name) >= 1 and "\n" not in message
    return message


def only_programs(monkeypatch, *names):
    """Let only these programs be found."""
    which = shutil.which
    monkeypatch.setattr(unpackers.shutil, "which", lambda name: which(name) if name in names else None)
