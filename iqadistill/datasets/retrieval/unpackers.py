"""External programs for archives that the standard library cannot read: rar, 7z and archives of several parts."""

import contextlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from iqadistill.datasets.retrieval.archives import has_further_parts
from iqadistill.errors import InputError

# bsdtar cannot read archives of several parts, and unrar reads rar only
PROGRAMS = ("bsdtar", "7z", "7zz", "7za", "unrar")
PASSWORD = "{archive}: is protected by a password; unpack it yourself into {folder}, then run again."
_SEVEN_ZIP = ("7z", "7zz", "7za")
_WATCH = 0.5  # seconds between two checks of what a program has written


def find_bsdtar(archive: Path) -> str | None:
    """Path of bsdtar if it is installed and can read the archive."""
    return None if has_further_parts(archive) else shutil.which("bsdtar")


def check_limit(archive: Path, count: int, limit: int) -> None:
    """Refuse an archive that unpacks to more than its limit.

    Raises:
        InputError: `count` bytes exceed `limit`.
    """
    if count > limit:
        raise InputError(
            f"{archive}: unpacks to more than {limit} bytes; "
            "if it is the official archive, raise `unpacked` of its entry."
        )


@contextlib.contextmanager
def tar_stream(bsdtar: str, archive: Path) -> Iterator[tarfile.TarFile]:
    """An archive as a tar stream, converted by bsdtar.

    Raises:
        InputError: bsdtar cannot read the archive.
    """
    command = [bsdtar, "--format", "pax", "-cf", "-", f"@{archive.resolve()}"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None  # a pipe
        try:
            with contextlib.closing(tarfile.open(fileobj=process.stdout, mode="r|")) as opened:
                yield opened
            process.stdout.read()  # the padding after the last entry, or bsdtar would fail on a closed pipe
        except tarfile.ReadError:
            process.stdout.close()  # or bsdtar would wait for a reader, and we for bsdtar
            process.wait()
            raise InputError(_failure(archive, errors)) from None
        finally:
            process.stdout.close()
            status = process.wait()
        if status:
            raise InputError(_failure(archive, errors))


def unpack_by_program(archive: Path, folder: Path, limit: int, *, check: Callable[[str], object]) -> None:
    """Unpack with 7z or unrar: names are checked first, sizes while files are written, and links afterwards.

    Args:
        archive: The archive, or the first of its parts.
        folder: An empty folder.
        limit: Largest number of bytes that it may unpack to.
        check: Function that raises `InputError` for an entry's name that leads out of the folder.

    Raises:
        InputError: No program is installed; it cannot read the archive; it unpacks to more than `limit`, or to a link.
    """
    rar = bool(re.search(r"\.rar$", archive.name, re.IGNORECASE))
    candidates = map(shutil.which, (*_SEVEN_ZIP, *["unrar"] * rar))
    program = next((path for path in candidates if path), None)
    if program is None:
        several = "of several parts " if has_further_parts(archive) else ""
        wanted = ["7z", *["unrar"] * rar, *["bsdtar"] * (not several)]
        raise InputError(
            f"{archive}: this archive {several}needs {' or '.join(wanted)}; "
            f"install one of them, or unpack it yourself into {archive.parent}."
        )
    seven_zip = Path(program).name in _SEVEN_ZIP
    listed = _run(
        archive,
        [program, "l", "-ba", "-slt", "-p", str(archive)] if seven_zip else [program, "lb", "-p-", str(archive)],
    )
    for name in re.findall(r"^Path = (.*)$", listed, re.MULTILINE) if seven_zip else listed.splitlines():
        check(name)
    if seven_zip:
        check_limit(archive, sum(map(int, re.findall(r"^Size = (\d+)$", listed, re.MULTILINE))), limit)
        command = [program, "x", "-y", "-p", f"-o{folder}", str(archive)]
    else:
        command = [program, "x", "-y", "-p-", str(archive), f"{folder}/"]
    _run(archive, command, lambda: check_limit(archive, _size(folder), limit))
    check_limit(archive, _size(folder), limit)
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise InputError(f"{archive}: entry {path.name!r} is a link or device, not a file; delete the archive.")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _run(archive: Path, command: list[str], watch: Callable[[], None] = lambda: None) -> str:
    """Run a program, calling `watch` regularly; returns what it printed."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=errors) as process:
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_WATCH)
                    watch()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise InputError(_failure(archive, errors))
        printed.seek(0)
        return printed.read()


def _failure(archive: Path, errors: IO[str]) -> str:
    errors.seek(0)
    message = " ".join(errors.read().split())
    if re.search("passphrase|password|encrypt", message, re.IGNORECASE):
        return PASSWORD.format(archive=archive, folder=archive.parent)
    return f"{archive}: cannot be unpacked ({message[-300:] or 'no reason given'}); delete it and get it again."
