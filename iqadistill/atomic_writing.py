"""Writing files atomically: each is written beside its final name, flushed to the device and renamed."""

import contextlib
import hashlib
import os
import platform
import re
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from iqadistill.errors import InputError, machine_fault

LONGEST_NAME = 200  # bytes of a file's name, to which the name of its unfinished copy adds some; file systems allow 255
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # nodes of a cluster share folders, and may share process ids
_LEFTOVER = re.compile(rf"\..+\.{_HOST}-(?P<process>\d+)\.partial", re.DOTALL)


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to the device, and rename it into place.

    Unfinished files that killed processes of this machine left in the folder are removed.

    Raises:
        InputError: `path` is a folder or a device; the disk is full, read-only or failing, or a limit of the machine is
            reached.
    """
    path = Path(path)
    temporary = _unfinished(path, f"{_HOST}-{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a file in its place would end /dev/null for all programs
            raise InputError(f"{path}: is a folder, a device or a pipe; give a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # where files can be written but not listed or removed
            _remove_leftovers(path.parent.absolute())
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except Exception as error:
        if fault := machine_fault(error, path):
            raise fault from error
        raise
    finally:
        with contextlib.suppress(OSError):  # the error of the write itself is the one to read
            temporary.unlink(missing_ok=True)


def _unfinished(path: Path, writer: str) -> Path:
    """The file beside `path` that a process fills."""
    fits = len(os.fsencode(path.name)) < LONGEST_NAME
    name = path.name if fits else hashlib.sha256(os.fsencode(path.name)).hexdigest()
    return path.with_name(f".{name}.{writer}.partial")


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished files of killed processes, when a folder is first written to: a list of it takes long."""
    with os.scandir(folder) as entries:
        leftovers = [match for entry in entries if (match := _LEFTOVER.fullmatch(entry.name))]
    for leftover in leftovers:
        try:
            os.kill(int(leftover["process"]), 0)
        except ProcessLookupError:
            (folder / leftover[0]).unlink(missing_ok=True)
        except (PermissionError, OverflowError):  # a process of another user, or no file of ours
            continue


def _flush_folder(folder: Path) -> None:
    """Flush a rename to the device; not every file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
