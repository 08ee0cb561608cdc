import errno
import fcntl
import os
import tempfile
import time
from pathlib import Path

import pytest

from iqadistill.doctor import folders


def found(state):
    """Subjects and texts of the findings of a state."""
    return {finding.subject: finding.text for finding in folders.check_folders() if finding.state == state}


def test_nothing_is_wrong_in_a_plain_folder_and_nothing_is_left_there(folder):
    assert not found("problem") and not found("warning")
    assert {"results", "records", "temporary"} <= found("ok").keys() and not list(folder.iterdir())


def test_read_only_results(common_user):
    Path("results").mkdir()
    Path("results").chmod(0o555)
    assert "no permission" in found("problem")["results"] and "link results" in found("problem")["results"]
    assert "records" in found("ok")


def test_read_only_checkout(common_user):
    common_user.chmod(0o555)
    problems = found("problem")
    common_user.chmod(0o755)
    assert problems.keys() == {"results", "records"} and "--snakefile" in problems["records"]


def test_results_of_another_user(common_user):
    Path("results/logs").mkdir(parents=True)
    Path("results/logs").chmod(0o555)
    assert "results/logs cannot be written" in found("warning")["owner"]


def test_folders_that_cannot_be_read(common_user):
    for name in ("results", ".snakemake"):
        Path(name).mkdir(mode=0)
    assert found("problem").keys() == {"results", "records"} and not found("warning").keys() & {"owner", "lock"}


def test_results_that_are_no_folder(folder):
    Path("results").touch()
    assert "results is a file" in found("problem")["results"]
    Path("results").unlink()
    Path("results").symlink_to("gone")
    assert "link to gone, which is not there" in found("problem")["results"]
    (folder / "gone").mkdir()
    assert not found("problem")


def test_full_disk(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    assert found("problem")["results"] == "results: no space is left on the disk; make room and run again"


@pytest.mark.parametrize(("offset", "text"), [(-600, "600 s ahead of"), (600, "600 s behind")])
def test_clock_of_the_file_system(offset, text, monkeypatch):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + offset)
    assert text in found("warning")["clock"]


def test_file_system_that_takes_upper_for_lower_case(folder, monkeypatch):
    (folder / "IQADISTILL-DOCTOR-A").touch()
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: iter("a"))
    assert not folders.try_folder(folder).tells_case
    monkeypatch.setattr(folders, "try_folder", lambda _: folders.Trial(0.0, False, True))
    assert "differ in case alone" in found("warning")["case"]


@pytest.mark.parametrize("lock", [OSError(errno.ENOLCK, "No locks available"), None])
def test_file_system_without_locks(lock, monkeypatch):
    def flock(*_):
        if lock:
            raise lock

    monkeypatch.setattr(fcntl, "flock", flock)
    assert "TMPDIR" in found("warning")["locks"] and "locks work" not in found("ok")["temporary"]


def test_lock_that_a_killed_run_left():
    Path(".snakemake/locks").mkdir(parents=True)
    assert "lock" not in found("warning")
    Path(".snakemake/locks/0.output.lock").touch()
    assert "--unlock" in found("warning")["lock"]


def test_cache_that_snakemake_cannot_make(folder, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))
    assert f"{folder}/file is a file" in found("problem")["cache"]
    assert "XDG_CACHE_HOME" in found("problem")["cache"]


def test_temporary_folder_that_is_not_the_wanted_one(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    assert "TMPDIR is /no/such/folder" in found("warning")["temporary"]
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert "set TMPDIR" in found("problem")["temporary"]


def test_folder_is_tried_where_it_would_be_made(folder):
    assert folders.existing(Path("results/of/mine")) == folder
    assert folders.one_a_disk([Path("data"), Path("results")]) == [folder]
