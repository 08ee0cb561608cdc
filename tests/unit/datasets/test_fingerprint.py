"""The fingerprint of a folder changes if and only if its files change."""

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


def test_fingerprint_of_unchanged_or_copied_folder_is_equal(folder, tmp_path):
    first = folder_fingerprint(folder)
    assert len(first) == 16 and folder_fingerprint(folder) == first
    shutil.copytree(folder, tmp_path / "copy")  # keeps modification times
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
def test_any_change_of_the_folder_changes_the_fingerprint(folder, change):
    before = folder_fingerprint(folder)
    change(folder)
    assert folder_fingerprint(folder) != before


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", ".cache/a.png", "Thumbs.db", "x/desktop.ini", "x/@eaDir/a.png/thumb.jpg", "#recycle/a.png"),
        *("a.zip", "a.z01", "b.tar.gz", "c.part2.rar", "c.r00", "d.7z.001"),
    ],
)
def test_fingerprint_ignores_hidden_files_and_archives(folder, name):
    before = folder_fingerprint(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    assert folder_fingerprint(folder) == before


def test_fingerprint_of_missing_folder_is_empty(tmp_path):
    assert folder_fingerprint(tmp_path / "none") == ""
    assert folder_fingerprint(tmp_path) != ""


def test_fingerprint_follows_links_and_stops_at_loops(folder, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to(folder)
    (folder / "back").symlink_to(tmp_path / "root")
    (folder / "broken.png").symlink_to(tmp_path / "none.png")
    (folder / "itself.png").symlink_to("itself.png")
    before = folder_fingerprint(tmp_path / "root")
    (folder / "a.png").write_text("longer than before")
    assert folder_fingerprint(tmp_path / "root") != before


def test_file_of_equal_size_and_time_is_the_same_until_it_is_touched(folder):
    before, times = folder_fingerprint(folder), (folder / "a.png").stat()
    (folder / "a.png").write_text("b.png")
    os.utime(folder / "a.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder_fingerprint(folder) == before
    (folder / "a.png").touch()
    assert folder_fingerprint(folder) != before


def test_images_csv_counts_by_its_content(folder):
    before, times = folder_fingerprint(folder), (folder / "images.csv").stat()
    os.utime(folder / "images.csv", ns=(1, 1))
    assert folder_fingerprint(folder) == before
    (folder / "images.csv").write_text("images.cs_")
    os.utime(folder / "images.csv", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder_fingerprint(folder) != before
