"""Cores, memory, open files, and shared memory."""

import math
import multiprocessing
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from iqadistill import limits
from iqadistill.doctor.finding import Finding, gigabytes

LEAST_MEMORY = 3e9  # bytes; the demo's largest job takes 2.9 GB
OPEN_FILES = (40, 3)  # of Snakemake with one job, and for each further job at a time
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED = 1e9  # bytes; what NVIDIA's NCCL asks for in containers


def check_machine() -> Iterator[Finding]:
    """Check what the machine, its container or its shell allows a run."""
    yield _cores()
    yield _memory()
    yield from _files()
    yield from _processes()


def _cores() -> Finding:
    seen, allowed = limits.visible_cores(), limits.cores_of_groups()
    cores = f"{seen} core{'s' * (seen > 1)}"
    if allowed >= seen:
        return Finding("ok", "cores", cores)
    return Finding(
        "warning",
        "cores",
        f"{cores} are seen, but this container or job may use {allowed:g}; --cores all would start {seen} jobs at a"
        f" time, give --cores {max(1, math.floor(allowed))}",
    )


def _memory() -> Finding:
    memory, whole = limits.usable_memory(), limits.machine_memory()
    text = gigabytes(memory) + (f" of {gigabytes(whole)}, by a limit of its container, job or shell" * (memory < whole))
    if memory >= LEAST_MEMORY:
        return Finding("ok", "memory", text)
    return Finding("warning", "memory", f"{text}; the largest job of the demo takes {gigabytes(LEAST_MEMORY)}")


def _files() -> Iterator[Finding]:
    """Check limits of the shell on files."""
    first, each = OPEN_FILES
    needed = first + each * limits.visible_cores()
    opened, size = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE))
    if opened != resource.RLIM_INFINITY and opened < needed:
        yield Finding(
            "warning",
            "open files",
            f"at most {opened}, and Snakemake takes up to {needed} with --cores all; raise the limit with ulimit -n"
            f" {needed}, or give fewer cores",
        )
    if size != resource.RLIM_INFINITY:
        yield Finding(
            "warning",
            "file size",
            f"at most {gigabytes(size)}; larger tables and downloads would fail, lift the limit with ulimit -f"
            " unlimited",
        )


def shares_locks() -> bool:
    """Whether processes can share a lock, as reading a MATLAB file and a training on several cards need."""
    try:
        multiprocessing.get_context("fork").Lock()
    except (OSError, ImportError):
        return False
    return True


def _processes() -> Iterator[Finding]:
    if not shares_locks():
        yield Finding(
            "warning",
            "processes",
            "cannot share a lock, so labels in MATLAB files (LIVE, LIVE Challenge, CVIQ, OIQA) cannot be read, nor"
            f" several cards train one network; mount a writable tmpfs at {SHARED_MEMORY}",
        )


def check_shared_memory(cards: int) -> Iterator[Finding]:
    """Check the memory through which several cards of one training exchange gradients; nothing else needs it."""
    if cards < 2 or not SHARED_MEMORY.is_dir():
        return
    size = shutil.disk_usage(SHARED_MEMORY).total
    if size >= LEAST_SHARED:
        yield Finding("ok", "shared", f"{gigabytes(size)} of shared memory at {SHARED_MEMORY}")
        return
    yield Finding(
        "warning",
        "shared",
        f"{gigabytes(size)} of shared memory at {SHARED_MEMORY}, and a training on several cards may need"
        f" {gigabytes(LEAST_SHARED)}; start the container with --shm-size=1g",
    )
