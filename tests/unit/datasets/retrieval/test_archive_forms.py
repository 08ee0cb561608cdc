"""Archives in any form that packers write, whatever their name and what stands around them."""

import bz2
import gzip
import lzma
import shutil
import subprocess
import tarfile
import zipfile

import pytest
from odd_archives import CONTENT, SEVEN_ZIP, needs_7z, needs_bsdtar, only_programs, raw_zip, refusal, tar_of, unpacked


def test_archive_is_read_as_what_it_is_not_as_its_name_says(tmp_path):
    for name, write in {"tar.zip": tar_of, "gz.tar": tar_of}.items():
        assert unpacked(write(tmp_path / name, CONTENT)) == CONTENT
        shutil.rmtree(tmp_path / "out")
    assert unpacked(raw_zip(tmp_path / "zip.tar.gz", {b"x": b"1"})) == {"x": b"1"}


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
def test_7z_named_zip_is_read_by_a_program(tmp_path, monkeypatch, program):
    (tmp_path / "x.png").write_bytes(b"1")
    (tmp_path / "._x.png").write_bytes(b"2")
    subprocess.run([SEVEN_ZIP, "a", "a.7z", "x.png", "._x.png"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "a.7z").rename(tmp_path / "a.zip")
    only_programs(monkeypatch, program)
    assert unpacked(tmp_path / "a.zip") == {"x.png": b"1"}


def test_prefix_comment_and_zip64_are_read(tmp_path):
    names = {name.encode(): content for name, content in CONTENT.items()}
    assert unpacked(raw_zip(tmp_path / "a.zip", names, prefix=b"MZ" + b"\0" * 900, comment=b"PK made here")) == CONTENT
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed, packed.open("a.png", "w", force_zip64=True) as file:
        file.write(b"1")
    shutil.rmtree(tmp_path / "out")
    assert unpacked(tmp_path / "b.zip") == {"a.png": b"1"}


@pytest.mark.parametrize(
    "padding",
    [bytes(70_000), b"\xff" * 200_000, b"\n" * 66_000, bytes(3), b"<html>log in</html>" * 9999],
    ids=["zeros", "ones", "lines", "few", "text"],
)
@pytest.mark.parametrize("comment", [b"", b"made here"])
@pytest.mark.parametrize("prefix", [b"", b"MZ" + bytes(900), bytes(4000)], ids=["", "program", "blank"])
def test_zip_with_bytes_before_and_behind_it_is_read(tmp_path, padding, comment, prefix):
    names = {name.encode(): content for name, content in CONTENT.items()}
    archive = raw_zip(tmp_path / "a.zip", names, 8, prefix=prefix, comment=comment)
    with open(archive, "ab") as file:
        file.write(padding)
    assert unpacked(archive) == CONTENT


def test_zip64_with_padding_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, packed.open("a.png", "w", force_zip64=True) as file:
        file.write(b"1")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes() + bytes(3 << 20))
    assert unpacked(tmp_path / "a.zip") == {"a.png": b"1"}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_other_bytes_behind_a_compressed_tar_are_ignored(tmp_path, compress):
    tar = tar_of(tmp_path / "a.tar", CONTENT, "w").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(compress(tar) + b"<html>" * 20)
    assert unpacked(tmp_path / "a.tar.gz") == CONTENT


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_tar_formats_with_long_names_are_read(tmp_path, form):
    name = "/".join(["folder" * 5] * 4) + "/图.png" if form != tarfile.USTAR_FORMAT else "f" * 90 + "/" + "x" * 90
    assert unpacked(tar_of(tmp_path / "a.tar", {name: b"1"}, "w", format=form, encoding="utf-8")) == {name: b"1"}


def test_hard_link_to_a_file_before_it_is_a_copy(tmp_path):
    link = tarfile.TarInfo("b.png")
    link.type, link.linkname = tarfile.LNKTYPE, "a.png"
    archive = tar_of(tmp_path / "a.tar.gz", {"a.png": b"1", "b.png": link})
    assert unpacked(archive) == {"a.png": b"1", "b.png": b"1"}
    link.linkname = "../../secret"
    assert "leads out" in refusal(tar_of(tmp_path / "b.tar.gz", {"b.png": link}))
    link.linkname = "later.png"
    assert "link" in refusal(tar_of(tmp_path / "c.tar.gz", {"b.png": link}))


def test_sparse_tar_with_a_label_is_read(tmp_path):
    with open(tmp_path / "holes.bin", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    command = ["tar", "-S", "--label", "Set", "-cf", "a.tar", "holes.bin"]
    if not shutil.which("tar") or subprocess.run(command, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("tar is not GNU tar")
    assert unpacked(tmp_path / "a.tar") == {"holes.bin": bytes(1 << 20) + b"end"}
