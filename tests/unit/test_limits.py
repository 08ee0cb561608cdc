"""Memory and cores that this process may use."""

import subprocess
import sys

import pytest

from iqadistill import limits


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A function that writes files of control groups, and what this process belongs to."""
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "MEMBERSHIP", tmp_path / "membership")

    def write(membership, **files):
        (tmp_path / "membership").write_text(membership)
        for name, content in files.items():
            file = tmp_path / "cgroup" / name.replace("__", "/").replace("0", ".")
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


def test_no_groups_are_no_limit(groups):
    assert (limits.memory_of_groups(), limits.cores_of_groups()) == (float("inf"), float("inf"))
    groups("0::/\n")
    assert limits.memory_of_groups() == float("inf")


def test_limit_of_the_shell_on_memory():
    code = (
        "import resource; from iqadistill import limits;"
        "resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, resource.RLIM_INFINITY)); print(limits.usable_memory())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) == 3e9
