"""Files that are not archives, and empty, incomplete, damaged and oversized ones, are refused with one sentence."""

import errno
import gzip
import io
import random
import shutil
import struct
import subprocess
import tarfile

import pytest
from odd_archives import SEVEN_ZIP, needs_7z, needs_bsdtar, only_programs, raw_zip, refusal, tar_of

from iqadistill.datasets.retrieval import entries, unpacking


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "web page"),
        (b"<HTML>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (b"not an archive" * 100, "not a zip, tar, rar or 7z archive"),
        (gzip.compress(b"a table" * 300, mtime=0), "not a compressed tar"),
    ],
    ids=["empty", "page", "old page", "pointer", "text", "gz"],
)
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_file_that_is_not_an_archive_is_said_to_be_what_it_is(tmp_path, content, said, name):
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path / name)
    assert said in message and "damaged" not in message


EMPTY = {
    "zeros.zip": lambda path: path.write_bytes(bytes(3000)),
    "zeros.tar": lambda path: path.write_bytes(bytes(3000)),
    "none.zip": lambda path: raw_zip(path, {}),
    "none.tar.gz": lambda path: tar_of(path, {}),
    "folders.zip": lambda path: raw_zip(path, {b"a/": b""}),
    "system.zip": lambda path: raw_zip(path, {b"__MACOSX/._a.png": b"1", b"Thumbs.db": b"2"}),
}


@pytest.mark.parametrize("name", EMPTY)
def test_archive_without_files_is_refused(tmp_path, name):
    EMPTY[name](tmp_path / name)
    message = refusal(tmp_path / name)
    assert ("holds only zero bytes" if name.startswith("zeros") else "holds no files") in message


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
def test_7z_without_files_is_refused(tmp_path, monkeypatch, program):
    (tmp_path / "a").mkdir()
    subprocess.run([SEVEN_ZIP, "a", "a.7z", "a"], cwd=tmp_path, check=True, capture_output=True)
    only_programs(monkeypatch, program)
    assert "holds no files" in refusal(tmp_path / "a.7z")


def test_last_part_alone_asks_for_the_others(tmp_path):
    archive = raw_zip(tmp_path / "set.zip", {b"x": b"1"})
    content = bytearray(archive.read_bytes())
    content[-18:-16] = b"\2\0"
    archive.write_bytes(content)
    message = refusal(archive)
    assert "set.z01" in message and "delete" not in message


@needs_7z
def test_missing_part_is_said_to_be_missing(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    (tmp_path / "x.bin").write_bytes(random.Random(2).randbytes(9000))
    subprocess.run([SEVEN_ZIP, "a", "-v3k", "m.7z", "x.bin"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "m.7z.002").unlink()
    message = refusal(tmp_path / "m.7z.001")
    assert "a part is missing" in message and "delete" not in message


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("padding", [0, 100_000])
def test_truncated_zip_is_damaged_with_and_without_padding(tmp_path, keep, padding):
    """An archive that the zip holds uncompressed is never taken for the zip itself."""
    inner = raw_zip(tmp_path / "inner.zip", {b"evil.png": b"1"}).read_bytes()
    whole = raw_zip(
        tmp_path / "a.zip", {b"x.bin": b"1" * 5000, b"inner.zip": inner, b"y.bin": b"2" * 5000}
    ).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: int(keep * len(whole))] + bytes(padding))
    assert "damaged" in refusal(tmp_path / "a.zip")
    assert not any((tmp_path / "out").iterdir())


def test_truncated_and_altered_tar_is_damaged_wherever_it_ends(tmp_path):
    whole = tar_of(tmp_path / "a.tar", {"1.png": b"1" * 600, "2.png": b"2" * 600, "3.png": b"3"}, "w").read_bytes()
    for size in (100, 700, 1536, 1700, 2600, 3072):
        (tmp_path / "out").mkdir()
        (tmp_path / "a.tar").write_bytes(whole[:size])
        message = refusal(tmp_path / "a.tar")
        assert "damaged" in message or size == 100
        shutil.rmtree(tmp_path / "out")
    packed = gzip.compress(whole, 0)  # stored, so that only the check sum at the end can tell
    (tmp_path / "b.tar.gz").write_bytes(packed.replace(b"1" * 600, b"1" * 599 + b"0"))
    assert "damaged" in refusal(tmp_path / "b.tar.gz")


def test_endless_headers_and_negative_sizes_are_refused(tmp_path):
    for kind, size in ((tarfile.XHDTYPE, 1 << 40), (tarfile.GNUTYPE_LONGNAME, -(1 << 40)), (tarfile.REGTYPE, -1024)):
        member = tarfile.TarInfo("x")
        member.type, member.size = kind, size
        header = member.tobuf(tarfile.GNU_FORMAT)
        (tmp_path / "a.tar").write_bytes(header + bytes(4096))
        assert "damaged" in refusal(tmp_path / "a.tar")
        shutil.rmtree(tmp_path / "out")


def test_many_headers_in_a_row_are_refused(tmp_path):
    member = tarfile.TarInfo("x")
    member.type = tarfile.XHDTYPE
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) * 5000)
    assert "damaged" in refusal(tmp_path / "a.tar")


def test_many_empty_files_count_as_blocks(tmp_path):
    names = {str(number): b"" for number in range(300)}
    assert "unpacks to more" in refusal(raw_zip(tmp_path / "a.zip", {k.encode(): v for k, v in names.items()}), 1 << 20)
    assert "unpacks to more" in refusal(tar_of(tmp_path / "a.tar.gz", names), 1 << 20)
    assert entries.BLOCK * 300 > 1 << 20


def test_overlapping_entries_count_each(tmp_path):
    archive = raw_zip(tmp_path / "a.zip", {b"0": bytes(1 << 16)}, 8)
    content = archive.read_bytes()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    listed = content[start:end]
    many = b"".join(listed[:-1] + bytes([65 + number]) for number in range(50))
    record = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 50, 50, len(many), start, 0)
    archive.write_bytes(content[:start] + many + record)
    assert "unpacks to more" in refusal(archive, 1 << 20)


@pytest.mark.parametrize(
    "number, said", [(errno.ENOSPC, "no space is left"), (errno.EDQUOT, "quota"), (errno.EILSEQ, "cannot be")]
)
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_disk_that_refuses_is_one_sentence(tmp_path, monkeypatch, number, said, pack):
    archive = (
        raw_zip(tmp_path / "a.zip", {b"x": b"1"}) if pack == "zip" else tar_of(tmp_path / "a.tar", {"x": b"1"}, "w")
    )

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(number, "refused")

    monkeypatch.setattr(unpacking, "open", lambda *_: Full(), raising=False)
    message = refusal(archive)
    assert said in message and "damaged" not in message and "delete it" not in message
