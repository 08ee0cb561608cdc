import errno
import multiprocessing.synchronize
import os
import resource
import shutil

import pytest

from iqadistill import limits
from iqadistill.doctor import machine


def test_small_containers_are_named(monkeypatch):
    monkeypatch.setattr(limits, "visible_cores", lambda: 8)
    monkeypatch.setattr(limits, "cores_of_groups", lambda: 1.5)
    monkeypatch.setattr(limits, "usable_memory", lambda: 2e9)
    cores, memory = machine._cores(), machine._memory()
    assert cores.state == "warning" and "may use 1.5" in cores.text and "--cores 1" in cores.text
    assert memory.state == "warning" and memory.text.startswith("2.0 GB of ")
    monkeypatch.setattr(limits, "cores_of_groups", lambda: float("inf"))
    assert machine._cores() == ("ok", "cores", "8 cores")


@pytest.mark.parametrize(
    ("kind", "limit", "subject", "advice"),
    [(resource.RLIMIT_NOFILE, 60, "open files", "ulimit -n 64"), (resource.RLIMIT_FSIZE, 10**9, "file size", "1.0 GB")],
)
def test_limits_of_the_shell_on_files(kind, limit, subject, advice, monkeypatch):
    monkeypatch.setattr(limits, "visible_cores", lambda: 8)
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, before[1]))
    try:
        (finding,) = machine._files()
    finally:
        resource.setrlimit(kind, before)
    assert finding[:2] == ("warning", subject) and advice in finding.text
    assert subject not in {finding.subject for finding in machine._files()}


def test_processes_that_cannot_share_a_lock(monkeypatch):
    assert not list(machine._processes())

    def refuse(*_, **__):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    (finding,) = machine._processes()
    assert finding.state == "warning" and "MATLAB" in finding.text and "/dev/shm" in finding.text


def test_shared_memory_counts_with_several_cards_only(monkeypatch):
    monkeypatch.setattr(machine, "SHARED_MEMORY", machine.limits.CGROUPS.parent)  # any folder
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1 << 26, 0, 1 << 26))
    assert not list(machine.check_shared_memory(1))
    (finding,) = machine.check_shared_memory(2)
    assert finding.state == "warning" and "--shm-size=1g" in finding.text
