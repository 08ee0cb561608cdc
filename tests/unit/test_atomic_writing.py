"""Files are written whole or not at all, and what killed processes left behind is removed."""

import os

import pytest

from iqadistill import atomic_writing
from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError


def test_failed_write_keeps_only_the_old_file(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"whole")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomically(tmp_path / "t.parquet", fail)
    assert (tmp_path / "t.parquet").read_bytes() == b"whole"
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_folder_is_searched_for_leftovers_once(tmp_path, monkeypatch):
    """Listing it at each write takes time that is quadratic in the number of its files."""
    left = tmp_path / f".other.{atomic_writing._HOST}-{2**22 + 1}.partial"
    foreign = tmp_path / f".other.00000000-{2**22 + 1}.partial"
    for file in (left, foreign):
        file.touch()
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    for number in range(5):
        write_atomically(tmp_path / f"{number}.txt", lambda path: path.write_text("x"))
    assert listed == [tmp_path] and not left.exists() and foreign.exists()


def test_no_device_pipe_or_folder_is_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(InputError, match=f"{name}: is a folder, a device or a pipe; give a file"):
            write_atomically(tmp_path / name, lambda file: file.write_text("whole"))
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 3
