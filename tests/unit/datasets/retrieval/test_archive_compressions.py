"""Compressions and encryptions of archives, and the installed programs that read them."""

import shutil
import subprocess

import pytest
from odd_archives import (
    CONTENT,
    SEVEN_ZIP,
    deflate64_zip,
    needs_7z,
    needs_bsdtar,
    needs_unzip,
    only_programs,
    raw_zip,
    refusal,
    tar_of,
    unpacked,
    with_method,
)

from iqadistill.datasets.retrieval.archives import is_archive


@pytest.mark.parametrize(
    "program",
    [pytest.param("7z", marks=needs_7z), pytest.param("unzip", marks=needs_unzip)],
)
def test_deflate64_is_unpacked_by_an_installed_program(tmp_path, monkeypatch, program):
    only_programs(monkeypatch, program)
    assert unpacked(deflate64_zip(tmp_path / "a.zip")) == CONTENT


@pytest.mark.parametrize(
    "method, name, programs",
    [
        (1, "Shrink", "7z or unzip"),
        (6, "Implode", "7z or unzip"),
        (9, "Deflate64", "7z or unzip"),
        (93, "zstd", "7z or bsdtar"),
        (95, "xz", "7z or bsdtar"),
        (98, "PPMd", "7z or bsdtar"),
        (77, "another method", "needs 7z;"),
    ],
)
def test_compression_without_a_program_is_named_and_nothing_written(tmp_path, monkeypatch, method, name, programs):
    only_programs(monkeypatch)
    message = refusal(with_method(raw_zip(tmp_path / "a.zip", {b"x.png": b"x" * 99}, 8), method))
    assert name in message and programs in message and f"unpack it yourself into {tmp_path}" in message
    assert "delete" not in message and "damaged" not in message
    assert not any((tmp_path / "out").iterdir())


@needs_7z
@pytest.mark.parametrize("method", ["Deflate64", "LZMA", "PPMd", "BZip2", "xz"])
def test_zip_of_7z_is_read_whatever_its_compression(tmp_path, method):
    for name, content in CONTENT.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    command = [SEVEN_ZIP, "a", f"-mm={method}", str(tmp_path / "a.zip"), "."]
    if subprocess.run(command, cwd=tmp_path / "in", capture_output=True).returncode:
        pytest.skip(f"this 7z cannot write {method}")
    assert unpacked(tmp_path / "a.zip") == CONTENT


@needs_bsdtar
@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_zip_compressed_by_zstd_is_read_by_bsdtar(tmp_path, monkeypatch):
    def pack(content):
        return subprocess.run(["zstd", "-c"], input=content, capture_output=True, check=True).stdout

    archive = raw_zip(tmp_path / "a.zip", {name.encode(): data for name, data in CONTENT.items()}, 93, pack=pack)
    only_programs(monkeypatch, "bsdtar")
    assert unpacked(archive) == CONTENT


@needs_bsdtar
@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_tar_compressed_by_zstd_is_read_or_its_program_named(tmp_path, monkeypatch):
    assert is_archive("a.tar.zst") and is_archive("a.tzst") and is_archive("a.tbz")
    tar_of(tmp_path / "a.tar", {**CONTENT, "图片1.png": b"3"}, "w")
    subprocess.run(["zstd", "-q", tmp_path / "a.tar"], check=True)
    monkeypatch.setenv("LC_ALL", "C")
    assert unpacked(tmp_path / "a.tar.zst") == {**CONTENT, "图片1.png": b"3"}
    only_programs(monkeypatch)
    message = refusal(tmp_path / "a.tar.zst")
    assert "zstd" in message and "bsdtar" in message


@needs_7z
@pytest.mark.parametrize("program", ["7z", pytest.param("bsdtar", marks=needs_bsdtar)])
@pytest.mark.parametrize("options", [["-psecret"], ["-psecret", "-mhe=on"]], ids=["contents", "names"])
def test_password_of_a_7z_is_told_as_one(tmp_path, monkeypatch, program, options):
    (tmp_path / "x.png").write_bytes(b"1" * 50)
    subprocess.run([SEVEN_ZIP, "a", *options, "a.7z", "x.png"], cwd=tmp_path, check=True, capture_output=True)
    only_programs(monkeypatch, program)
    assert "password" in refusal(tmp_path / "a.7z")


def test_aes_and_strong_encryption_are_protected_by_a_password(tmp_path):
    names = {b"x": b"secret" * 9}
    assert "password" in refusal(with_method(raw_zip(tmp_path / "a.zip", names, flags=1), 99))
    assert "password" in refusal(raw_zip(tmp_path / "b.zip", names, flags=65))


@needs_7z
def test_piped_files_keep_their_names_in_any_order_of_directory(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = deflate64_zip(tmp_path / "a.zip")
    content = archive.read_bytes()
    start = content.index(b"PK\1\2")
    listed = content[start : content.index(b"PK\5\6")].split(b"PK\1\2")[1:]
    archive.write_bytes(content[:start] + b"".join(b"PK\1\2" + one for one in listed[::-1]) + content[-22:])
    assert unpacked(archive) == CONTENT


@needs_7z
def test_damage_is_told_from_what_a_program_cannot_read(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = deflate64_zip(tmp_path / "a.zip")
    content = bytearray(archive.read_bytes())
    content[content.index(b"1.png") + 500] ^= 255
    archive.write_bytes(content)
    assert "damaged" in refusal(archive)
    shutil.rmtree(tmp_path / "out")
    with_method(archive, 77)
    message = refusal(archive)
    assert "cannot be unpacked by 7z" in message and "delete" not in message


@pytest.mark.parametrize(
    "printed, said",
    [
        ("System ERROR: errno=28 : No space left on device", "no space is left"),
        ("ERROR: CRC Failed : x", "damaged"),
        ("Unsupported Method : x", "cannot be unpacked by 7z"),
    ],
)
def test_reason_of_a_program_is_understood(tmp_path, monkeypatch, printed, said):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/7z").write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 2\n")
    (tmp_path / "bin/7z").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    message = refusal(tmp_path / "a.7z")
    assert said in message and ("delete" in message) == (said == "damaged")
