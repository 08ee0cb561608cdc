"""The fingerprint of a folder follows its files."""

import os
import shutil

import pytest

from iqadistill.datasets.fingerprint import folder_fingerprint


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "x/b.png", "x/y/c.png", "images.csv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(name)
    return tmp_path / "data"


def test_unchanged_folder_has_the_same_fingerprint_and_a_copy_too(folder, tmp_path):
    first = folder_fingerprint(folder)
    assert len(first) == 16 and folder_fingerprint(folder) == first
    shutil.copytree(folder, tmp_path / "copy")  # keeps times
    assert folder_fingerprint(tmp_path / "copy") == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "x/new.png").touch(),
        lambda folder: (folder / "x/y/c.png").unlink(),
        lambda folder: (folder / "a.png").rename(folder / "d.png"),
        lambda folder: (folder / "a.png").write_text("longer than before"),
        lambda folder: os.utime(folder / "a.png", ns=(1, 1)),
        lambda folder: (folder / "x").rename(folder / "z"),
    ],
    ids=["added", "deleted", "renamed", "size", "time", "folder"],
)
def test_changed_folder_has_another_fingerprint(folder, change):
    before = folder_fingerprint(folder)
    change(folder)
    assert folder_fingerprint(folder) != before


@pytest.mark.parametrize(
    "name", [".DS_Store", ".cache/a.png", "a.zip", "a.z01", "b.tar.gz", "c.part2.rar", "c.r00", "d.7z.001"]
)
def test_hidden_files_and_packed_archives_do_not_count(folder, name):
    before = folder_fingerprint(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    assert folder_fingerprint(folder) == before


def test_missing_folder_has_none_and_an_empty_one_has_one(tmp_path):
    assert folder_fingerprint(tmp_path / "none") == ""
    assert folder_fingerprint(tmp_path) != ""


def test_links_are_followed_and_a_loop_of_links_ends(folder, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to(folder)
    (folder / "back").symlink_to(tmp_path / "root")
    (folder / "broken.png").symlink_to(tmp_path / "none.png")
    before = folder_fingerprint(tmp_path / "root")
    (folder / "a.png").write_text("longer than before")
    assert folder_fingerprint(tmp_path / "root") != before
