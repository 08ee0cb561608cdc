"""Writes that a full disk, a limit or a kill ends: one sentence, and nothing half-written under a final name."""

import errno
import os
import resource
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from iqadistill.atomic_writing import write_atomically
from iqadistill.cli import main, score
from iqadistill.errors import InputError, machine_fault
from iqadistill.tables import read_metadata, read_rows, read_table, write_table

SPLITS = pd.DataFrame({"split": [0] * 5000, "image_id": [os.urandom(8).hex() for _ in range(5000)], "role": "test"})


@pytest.fixture
def small_files():
    """No file may grow beyond 20 kB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("kind", ["table", "weights", "text"])
def test_write_beyond_a_limit_is_one_sentence_and_leaves_the_old_file(tmp_path, small_files, kind):
    path = tmp_path / "file"
    path.write_text("old")
    writes = {
        "table": lambda: write_table(SPLITS, path, "splits"),
        "weights": lambda: write_atomically(path, lambda file: save_file({"a": torch.ones(20_000)}, file)),
        "text": lambda: write_atomically(path, lambda file: file.write_text("x" * 50_000)),
    }
    with pytest.raises(InputError, match=r"file: the file is larger than .* raise it"):
        writes[kind]()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "EIO", "EACCES"])
def test_faults_of_the_machine_are_one_sentence(name):
    number = getattr(errno, name)
    assert str(machine_fault(OSError(number, "no", "a.csv"))).startswith("a.csv: ")
    assert str(machine_fault(ValueError(f"I/O error (os error {number})"), "b")).startswith("b: ")


def test_other_errors_keep_their_traceback():
    assert machine_fault(OSError(errno.ENOENT, "no", "a.csv")) is None and machine_fault(ValueError("x")) is None


def test_leftover_of_a_killed_process_is_removed_and_that_of_a_living_one_kept(tmp_path):
    lines = "import os, signal; from iqadistill.atomic_writing import write_atomically as w\n"
    lines += "w('a', lambda f: (f.write_text('half'), os.kill(os.getpid(), signal.SIGTERM)))"
    subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, env={**os.environ}, check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    living = left.with_name(left.name.rpartition("-")[0] + f"-{os.getppid()}.partial")
    living.touch()
    write_atomically(tmp_path / "a", lambda file: file.write_text("whole"))
    assert set(tmp_path.iterdir()) == {tmp_path / "a", living} and (tmp_path / "a").read_text() == "whole"


def test_job_on_a_full_disk_ends_with_one_sentence(tmp_path):
    lines = "from iqadistill.console import job_log\nwith job_log('log'):\n    raise OSError(28, 'No space', 'x.png')"
    done = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert (tmp_path / "log").read_text() == "error: x.png: no space is left on the disk; make room and run again.\n"


def test_no_changed_byte_gives_another_table(tmp_path):
    path = tmp_path / "splits.parquet"
    write_table(SPLITS[:30], path, "splits", {"simulated": "yes"})
    whole, table = path.read_bytes(), read_table(path, "splits")
    places, refused = range(0, len(whole), 7), 0
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = read_table(path, "splits")
            assert found.equals(table) and read_metadata(found)["simulated"] == "yes"
        except InputError as error:
            refused += "run its stage again" in str(error)
    assert refused > len(places) // 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped"])
def test_damaged_table_is_named(tmp_path, damage):
    path = tmp_path / "splits.parquet"
    write_table(SPLITS, path, "splits")
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    damaged = {"truncated": whole[:middle], "empty": b"", "flipped": whole[:middle] + bytes(64) + whole[middle + 64 :]}
    path.write_bytes(damaged[damage])
    with pytest.raises(InputError, match=r"splits\.parquet: not a readable Parquet file .* run its stage again"):
        read_table(path, "splits")


def test_damaged_table_of_a_figure_is_named(tmp_path):
    path = tmp_path / "overlap.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"overlap\.parquet: not a readable Parquet file .* run its stage again"):
        read_rows(path)


def test_interrupted_command_says_so(monkeypatch, capsys, tmp_path):
    def interrupt(given):
        raise KeyboardInterrupt

    monkeypatch.setattr(score, "run", interrupt)
    assert main(["score", str(tmp_path), "--model", "m"]) == 130
    sentence = "error: interrupted; what was printed and the files that were written are whole.\n"
    assert capsys.readouterr().err == sentence
