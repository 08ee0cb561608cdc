"""Memory and cores that this process may use: those of the machine, or of its container, job or shell."""

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_memory() -> float:
    """Bytes of memory: those of the machine, or fewer by a control group or by ulimit -v."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    shell = math.inf if soft == resource.RLIM_INFINITY else soft
    return min(machine_memory(), memory_of_groups(), shell)


def machine_memory() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def visible_cores() -> int:
    """Cores that Snakemake counts for `--cores all`."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_of_groups() -> float:
    """Bytes that the control groups of this process allow; infinite without such a limit."""
    limits = [_number(folder / name) for folder in _groups() for name in ("memory.max", "memory.limit_in_bytes")]
    return min(limits, default=math.inf)


def cores_of_groups() -> float:
    """Cores whose time the control groups of this process allow; infinite without such a limit."""
    return min(map(_quota, _groups()), default=math.inf)


def _groups() -> Iterator[Path]:
    """Folders of the control groups of this process, of version 1 or 2, and of those that hold them.

    In a container the path may be that of the host, and only the topmost folder is there.
    """
    if not MEMBERSHIP.is_file():
        return
    for line in MEMBERSHIP.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            top = CGROUPS / controller
            group = top / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top) and folder.is_dir())


def _number(file: Path) -> float:
    """The number in a file; infinite if it holds "max" or is not there."""
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return math.inf


def _quota(group: Path) -> float:
    """Time on cores that a control group allows in each second."""
    try:
        if (file := group / "cpu.max").is_file():
            quota, period = map(float, file.read_text().replace("max", "inf").split())
        else:
            quota, period = (_number(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    except (OSError, ValueError):
        return math.inf
    return quota / period if 0 < quota < math.inf else math.inf  # version 1 writes -1 for no limit
