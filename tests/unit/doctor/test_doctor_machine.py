import errno
import multiprocessing.synchronize
import os
import resource
import shutil
import subprocess
import sys

import pytest

from iqadistill import limits
from iqadistill.doctor import machine


@pytest.fixture
def groups(folder, monkeypatch):
    """A function that writes files of control groups, and what this process belongs to."""
    monkeypatch.setattr(limits, "CGROUPS", folder / "cgroup")
    monkeypatch.setattr(limits, "MEMBERSHIP", folder / "membership")

    def write(membership, **files):
        (folder / "membership").write_text(membership)
        for name, content in files.items():
            file = folder / "cgroup" / name.replace("__", "/").replace("0", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    return write


def test_lowest_limit_of_nested_groups_counts(groups):
    groups(
        "0::/job/step\n",
        job__memory0max="4000000000\n",
        job__step__memory0max="max\n",
        job__cpu0max="250000 100000\n",
        job__step__cpu0max="max 100000\n",
    )
    assert (limits.memory_of_groups(), limits.cores_of_groups()) == (4e9, 2.5)


def test_limits_of_older_groups_and_containers(groups):
    groups(
        "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n",  # which is not seen in the container
        memory__memory0limit_in_bytes="2000000000\n",
        cpu__cpu0cfs_quota_us="50000\n",
        cpu__cpu0cfs_period_us="100000\n",
    )
    assert (limits.memory_of_groups(), limits.cores_of_groups()) == (2e9, 0.5)
    groups("1:cpu:/\n", cpu__cpu0cfs_quota_us="-1\n")
    assert limits.cores_of_groups() == float("inf")


def test_no_groups_are_no_limit(groups, folder):
    assert (limits.memory_of_groups(), limits.cores_of_groups()) == (float("inf"), float("inf"))
    groups("0::/\n")
    assert limits.memory_of_groups() == float("inf")


def test_small_containers_are_named(groups, monkeypatch):
    monkeypatch.setattr(limits, "visible_cores", lambda: 8)
    groups("0::/\n", memory0max="2000000000\n", cpu0max="150000 100000\n")
    cores, memory = machine._cores(), machine._memory()
    assert cores.state == "warning" and "may use 1.5" in cores.text and "--cores 1" in cores.text
    assert memory.state == "warning" and memory.text.startswith("2.0 GB of ")
    groups("0::/\n", memory0max="max\n", cpu0max="max 100000\n")
    assert machine._cores() == ("ok", "cores", "8 cores")


def test_limit_of_the_shell_on_memory():
    code = (
        "import resource; from iqadistill import limits;"
        "resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, resource.RLIM_INFINITY)); print(limits.usable_memory())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) == 3e9


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
