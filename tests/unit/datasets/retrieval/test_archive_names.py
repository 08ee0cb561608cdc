"""Names in archives: in any encoding, unfit for a disk, or of files that operating systems add."""

import shutil
import struct
import subprocess
import tarfile
import warnings
import zlib
from pathlib import Path

import pytest
from odd_archives import (
    SEVEN_ZIP,
    needs_7z,
    needs_bsdtar,
    only_programs,
    raw_zip,
    refusal,
    tar_of,
    unpacked,
    with_method,
)


@pytest.mark.parametrize(
    "encoding, name", [("gbk", "图片1.png"), ("gbk", "测试.png"), ("cp932", "表示ソ.png"), ("cp1252", "Übung.png")]
)
def test_names_in_a_stated_encoding_are_read_and_others_warned_of(tmp_path, encoding, name):
    raw = name.encode(encoding)
    archive = raw_zip(tmp_path / "a.zip", {raw: b"1"})
    assert unpacked(archive, encoding=encoding) == {name: b"1"}
    shutil.rmtree(tmp_path / "out")
    taken = "UTF-8" if name == "图片1.png" else "cp437"  # its bytes in GBK are valid UTF-8 by chance
    with pytest.warns(UserWarning, match=rf"a\.zip: 1 name is not ASCII.*{taken}.*`names`.*gbk"):
        assert set(unpacked(archive)) == {raw.decode(taken).replace("\\", "/")}


@needs_7z
@needs_bsdtar
@pytest.mark.parametrize("program", ["7z", "bsdtar"])
def test_names_of_piped_files_are_decoded_as_those_of_others(tmp_path, monkeypatch, program):
    (tmp_path / "abcd1.png").write_bytes(b"1" * 500)
    subprocess.run([SEVEN_ZIP, "a", "-mm=PPMd", "a.zip", "abcd1.png"], cwd=tmp_path, check=True, capture_output=True)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"abcd1", "图片1".encode("gbk")))
    only_programs(monkeypatch, program)
    assert unpacked(tmp_path / "a.zip", encoding="gbk") == {"图片1.png": b"1" * 500}


def test_utf8_names_without_flag_and_unicode_path_field_need_no_warning(tmp_path):
    raw = "图片1.png".encode("gbk")
    field = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + "图片1.png".encode()
    extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(field)) + field
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unpacked(raw_zip(tmp_path / "a.zip", {raw: b"1"}, extra=extra)) == {"图片1.png": b"1"}
        shutil.rmtree(tmp_path / "out")
        assert unpacked(raw_zip(tmp_path / "b.zip", {"图片2.png".encode(): b"1"})) == {"图片2.png": b"1"}


def test_unicode_path_field_of_another_name_is_ignored(tmp_path):
    field = b"\1" + zlib.crc32(b"other").to_bytes(4, "little") + b"../evil"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert unpacked(raw_zip(tmp_path / "a.zip", {b"x.png": b"1"}, extra=extra)) == {"x.png": b"1"}
    field = b"\1" + zlib.crc32(b"x.png").to_bytes(4, "little") + b"../evil"
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert "leads out" in refusal(raw_zip(tmp_path / "b.zip", {b"x.png": b"1"}, extra=extra))


def test_names_that_are_flagged_as_utf8_but_are_not_are_no_traceback(tmp_path):
    assert "stated as UTF-8" in refusal(raw_zip(tmp_path / "a.zip", {b"\xff\xfe.png": b"1"}, flags=1 << 11))


def test_tar_names_in_gbk(tmp_path):
    archive = tar_of(tmp_path / "a.tar", {"图片.png": b"1"}, "w", format=tarfile.GNU_FORMAT, encoding="gbk")
    assert unpacked(archive, encoding="gbk") == {"图片.png": b"1"}
    shutil.rmtree(tmp_path / "out")
    assert "not valid ascii" in refusal(archive, encoding="ascii")


@pytest.mark.parametrize("pack", ["zip", "tar"])
@pytest.mark.parametrize(
    "names, said",
    [
        (["a", "a/b"], "file"),
        (["a/b", "a"], "both a file and a folder"),
        (["x" * 300], "255"),
        (["", "."], "no name"),
        (["x", "./x"], "twice"),
        (["/etc/x"], "leads out"),
        (["a/../../x"], "leads out"),
        (["d/" * 3000 + "x"], "cannot be written"),
    ],
    ids=["file first", "folder first", "long", "nameless", "twice", "absolute", "dots", "deep"],
)
def test_names_that_cannot_be_written_are_one_sentence(tmp_path, pack, names, said):
    contents = dict.fromkeys(names, b"1")
    archive = tmp_path / f"x.{pack}"
    if pack == "zip":
        raw_zip(archive, {name.encode(): content for name, content in contents.items()})
    else:
        tar_of(archive, contents, "w")
    message = refusal(archive)
    assert said in message and "damaged" not in message


def test_names_that_differ_in_case_accents_and_odd_ends_are_kept(tmp_path):
    names = {"A.png": b"1", "a.png": b"2", "e\u0301.png": b"3", "\u00e9.png": b"4", "dot.": b"5", " blank ": b"6"}
    assert unpacked(tar_of(tmp_path / "a.tar.gz", names)) == names


def test_names_that_are_one_file_on_this_disk_are_said_to_be(tmp_path, monkeypatch):
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) or exists(path.with_name(path.name.upper())))
    archive = raw_zip(tmp_path / "a.zip", {b"A.PNG": b"1", b"a.png": b"2"})
    message = refusal(archive)
    assert "'A.PNG'" in message and "'a.png'" in message and "letter case" in message


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_colon_in_a_name_is_no_drive(tmp_path, pack):
    names = {"a:b.png": b"1", "x/12:30.png": b"2"}
    if pack == "zip":
        archive = raw_zip(tmp_path / "a.zip", {name.encode(): content for name, content in names.items()})
    else:
        archive = tar_of(tmp_path / "a.tar", names, "w")
    assert unpacked(archive) == names
    message = refusal(raw_zip(tmp_path / "b.zip", {b"C:/set/a.png": b"1"}))
    assert "leads out" in message and f"unpack it yourself into {tmp_path}" in message and "delete" not in message


@pytest.mark.parametrize("name", ["._1.png", "a/._1.png", "__MACOSX/a.png", ".DS_Store", "b/Thumbs.db", "DESKTOP.INI"])
def test_files_of_operating_systems_are_left_out(tmp_path, name):
    assert unpacked(raw_zip(tmp_path / "a.zip", {b"1.png": b"1", name.encode(): b"2"})) == {"1.png": b"1"}
    shutil.rmtree(tmp_path / "out")
    assert unpacked(tar_of(tmp_path / "a.tar", {"1.png": b"1", name: b"2"}, "w")) == {"1.png": b"1"}


@needs_7z
def test_files_that_are_left_out_do_not_shift_those_of_a_pipe(tmp_path, monkeypatch):
    only_programs(monkeypatch, "7z")
    archive = with_method(raw_zip(tmp_path / "a.zip", {b"1.png": b"1", b"._1.png": b"xx", b"2.png": b"22"}, 8), 9)
    assert unpacked(archive) == {"1.png": b"1", "2.png": b"22"}
