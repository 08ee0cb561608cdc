"""Folders that a run writes to: permissions, room, clock, spelling of names, locks."""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from iqadistill.doctor.finding import Finding, State, gigabytes, listed
from iqadistill.errors import machine_fault

ENOUGH_SPACE = 20e9  # bytes that a study with some official datasets needs
LEAST_SPACE = 2e9  # bytes that even the demo needs
LEAST_TEMPORARY = 100e6  # bytes
SKEW = 2.0  # seconds; less may be the resolution of the file system's times


class Trial(NamedTuple):
    """What writing a file into a folder showed.

    Attributes:
        ahead: Seconds that the clock of the file system is ahead of this machine's.
        tells_case: Whether names that differ in case alone are those of different files.
        locks: Whether a lock on a file keeps others out.
    """

    ahead: float
    tells_case: bool
    locks: bool


def check_folders() -> Iterator[Finding]:
    """Try the folders that every run writes to."""
    results, records = Path("results"), Path(".snakemake")
    yield from check_writable("results", results, "link results to a folder of yours, or run from one")
    yield from check_writable(
        "records", records, "run from a folder of yours, with snakemake --snakefile CHECKOUT/Snakefile"
    )
    yield from _others(results, records)
    yield from _behaviour(results)
    yield from _cache()
    yield from _temporary()


def check_space() -> Iterator[Finding]:
    """Free space for data and results, reported once if both are on one disk."""
    for folder in one_a_disk([Path("data"), Path("results")]):
        free = shutil.disk_usage(folder).free
        state: State = "problem" if free < LEAST_SPACE else "warning" if free < ENOUGH_SPACE else "ok"
        advice = "" if state == "ok" else "; free some space, official datasets take up to tens of GB each"
        yield Finding(state, "disk", f"{gigabytes(free)} free at {folder}{advice}")


def one_a_disk(folders: Iterable[Path]) -> list[Path]:
    """The first of the folders on each file system, absolute; of one that is not there, where it would be made."""
    return list({folder.stat().st_dev: folder for folder in reversed([*map(existing, folders)])}.values())[::-1]


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there, absolute."""
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if os.path.isdir(path))  # noqa: PTH112 - never raises


def is_there(path: str | Path) -> bool:
    """Whether a path leads to something that this user may look at."""
    return os.path.exists(path)  # noqa: PTH110 - never raises


def check_writable(subject: str, folder: Path, advice: str) -> Iterator[Finding]:
    """Try to write into a folder, or where it would be made; a problem if that fails, or if it is not a folder."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if there.is_symlink() and not is_there(there):
        yield Finding("problem", subject, f"{there} is a link to {there.readlink()}, which is not there; remove it")
        return
    if not os.path.isdir(there):  # noqa: PTH112 - never raises
        yield Finding("problem", subject, f"{there} is a file, expected a folder; move it away, or {advice}")
        return
    try:
        try_folder(there)
    except OSError as error:
        yield Finding("problem", subject, _refusal(folder, error, advice))
    else:
        yield Finding("ok", subject, f"{folder.resolve()} can be written")


def _refusal(folder: Path, error: OSError, advice: str) -> str:
    """Why a folder cannot be written; of a full disk with the advice for it."""
    fault = str(machine_fault(error, folder) or f"{folder}: {error.strerror or error}").rstrip(".")
    return fault if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"{fault.partition(';')[0]}; {advice}"


def try_folder(folder: Path) -> Trial:
    """Write a file into a folder that is there, and remove it.

    Raises:
        OSError: The folder cannot be written.
    """
    with tempfile.NamedTemporaryFile(prefix="iqadistill-doctor-", dir=folder) as file:
        begun = time.time()
        file.write(b"-")
        file.flush()
        os.fsync(file.fileno())
        path = Path(file.name)
        written = path.stat().st_mtime
        ended = time.time()
        ahead = max(0.0, written - ended) - max(0.0, begun - written)
        return Trial(ahead, not path.with_name(path.name.upper()).exists(), _locks(path))


def _locks(file: Path) -> bool:
    """Whether a second lock on a locked file is refused."""
    with open(file) as first, open(file) as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def _others(results: Path, records: Path) -> Iterator[Finding]:
    """What another user, or another run, left in the folders."""
    inside = [path for folder in (results, records) for path in _inside(folder)]
    effective = os.access in os.supports_effective_ids
    closed = [str(p) for p in inside if p.is_dir() and not os.access(p, os.W_OK, effective_ids=effective)]
    if closed:
        yield Finding(
            "warning", "owner", f"{listed(closed)} cannot be written, though the folder can; change their owner"
        )
    if _inside(records / "locks"):
        yield Finding(
            "warning",
            "lock",
            "Snakemake is at work in this folder, or was killed here; if it was, run snakemake --unlock first",
        )


def _inside(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it is not there or not this user's to read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _behaviour(results: Path) -> Iterator[Finding]:
    """Traits of the file system of the results that surprise."""
    try:
        trial = try_folder(existing(results))
    except OSError:  # reported by `check_writable`
        return
    if abs(trial.ahead) > SKEW:
        side = "ahead of" if trial.ahead > 0 else "behind"
        yield Finding(
            "warning",
            "clock",
            f"the file system of {results} is {abs(trial.ahead):.0f} s {side} this machine; Snakemake goes by the times"
            " of files, and would redo or refuse results: set both clocks by one time server",
        )
    if not trial.tells_case:
        yield Finding(
            "warning",
            "case",
            f"the file system of {results} takes names that differ in case alone for one file; give datasets,"
            " studies and images names that differ otherwise",
        )


def _cache() -> Iterator[Finding]:
    """Snakemake does not start without its folder in the user's cache."""
    try:
        from platformdirs import AppDirs
    except ImportError:  # it comes with Snakemake, whose absence is reported among the packages
        return
    folder = Path(AppDirs("snakemake", "snakemake").user_cache_dir)
    findings = check_writable("cache", folder, "set XDG_CACHE_HOME to a folder of yours")
    yield from (finding for finding in findings if finding.state != "ok")


def _temporary() -> Iterator[Finding]:
    """The folder for temporary files, which also holds the locks by which jobs lease cards."""
    try:
        folder = Path(tempfile.gettempdir())
        free = shutil.disk_usage(folder).free
        trial = try_folder(folder)
    except OSError as error:
        yield Finding("problem", "temporary", f"no folder for temporary files ({error}); set TMPDIR to one of yours")
        return
    wanted = os.environ.get("TMPDIR")
    if wanted and Path(wanted).resolve() != folder.resolve():
        yield Finding(
            "warning",
            "temporary",
            f"TMPDIR is {wanted}, where no file can be written; {folder} is taken, correct TMPDIR",
        )
    elif free < LEAST_TEMPORARY:
        yield Finding("warning", "temporary", f"{gigabytes(free)} free at {folder}; free some, or set TMPDIR")
    else:
        locks = " and its file locks work" if trial.locks else ""
        yield Finding("ok", "temporary", f"{folder} can be written{locks}")
    if not trial.locks:
        yield Finding(
            "warning",
            "locks",
            f"the file system of {folder} has no file locks, by which jobs share cards; on a machine with cards set"
            " TMPDIR to a folder on a local disk, or CUDA_VISIBLE_DEVICES to the card to use",
        )
