from pathlib import Path

import pytest

from iqadistill.doctor import programs

CODECS = """echo 'Formats:'; echo ' 0  ...F....  Rar  rar r00  R a r ! 1A 07 00'; echo 'Codecs:'"""


@pytest.fixture(autouse=True)
def no_answer_of_other_tests():
    programs._reads_rar.cache_clear()


def found():
    return {finding.state: finding.text for finding in programs.check_programs()}


def test_without_programs_only_zip_and_tar_are_read(program):
    assert found()["ok"] == "zip and tar"
    kinds = ("rar", "7z", "several parts", "Deflate64", "zstd", "tar.zst")
    assert all(kind in found()["warning"] for kind in kinds)
    assert programs.can_unpack(Path("a.zip")) and programs.can_unpack(Path("scores.csv"))
    assert not programs.can_unpack(Path("a.rar")) and not programs.can_unpack(Path("a.7Z"))


def test_7z_without_the_codec_of_rar_reads_no_rar(program):
    program("7z", CODECS)
    assert programs.rar_program() == "" and "rar (bsdtar or unrar)" in found()["warning"]
    assert "7z (7z)" in found()["ok"] and "several parts (7z)" in found()["ok"]
    assert not programs.can_unpack(Path("a.part1.rar"))
    program("unrar")
    assert programs.rar_program() == "unrar" and programs.can_unpack(Path("a.part1.rar"))


def test_7z_with_the_codec_of_rar(program):
    program("7zz", f"{CODECS}; echo ' 0  D     40305 Rar5'")
    assert programs.rar_program() == "7zz" and programs.can_unpack(Path("tid2013.rar"))


def test_7z_that_does_not_run_reads_no_rar(program):
    program("7z", "exit 1")
    assert not programs.can_unpack(Path("tid2013.rar"))


def test_parts_of_an_archive_need_7z(program, folder):
    program("bsdtar")
    for name in ("a.zip", "a.z01", "b.rar", "b.r00"):
        (folder / name).touch()
    assert not programs.can_unpack(folder / "a.zip") and not programs.can_unpack(folder / "b.rar")
    assert found()["warning"].startswith("zip and tar, but no program for archives of several parts (7z), zip by")
    program("unrar")
    assert programs.can_unpack(folder / "b.rar") and not programs.can_unpack(folder / "a.zip")
