"""Programs that read what the standard library cannot: rar, 7z and archives of several parts."""

import contextlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from iqadistill.datasets.retrieval.archives import has_further_parts
from iqadistill.errors import InputError

# for rar, 7z and parts; bsdtar reads no archive of several parts, unrar only rar
PROGRAMS = ("bsdtar", "7z", "7zz", "7za", "unrar")
PASSWORD = "{archive}: is protected by a password; unpack it yourself into {folder}, then run again."
_SEVEN_ZIP = ("7z", "7zz", "7za")
_WATCH = 0.5  # seconds between two looks at what a program has written


def find_bsdtar(archive: Path) -> str | None:
    """bsdtar, where it is installed and can read the archive."""
    return None if has_further_parts(archive) else shutil.which("bsdtar")


def check_limit(archive: Path, count: int, limit: int) -> None:
    """Refuse an archive that grows past its limit.

    Raises:
        InputError: `count` bytes are more than `limit`.
    """
    if count > limit:
        raise InputError(
            f"{archive}: unpacks to more than {limit} bytes; if it is the official archive, raise `unpacked` of its entry."
        )


@contextlib.contextmanager
def tar_stream(bsdtar: str, archive: Path) -> Iterator[tarfile.TarFile]:
    """An archive as the tar stream that bsdtar makes of it.

    Raises:
        InputError: bsdtar cannot read the archive.
    """
    command = [bsdtar, "--format", "pax", "-cf", "-", f"@{archive.resolve()}"]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        try:
            with contextlib.closing(tarfile.open(fileobj=process.stdout, mode="r|")) as opened:
                yield opened
            process.stdout.read()  # the padding behind the last entry, lest bsdtar dies of a closed pipe
        except tarfile.ReadError:
            process.stdout.close()  # or bsdtar waits for a reader, and we for bsdtar
            process.wait()
            raise InputError(_failure(archive, complaints)) from None
        finally:
            process.stdout.close()
            ended = process.wait()
        if ended:
            raise InputError(_failure(archive, complaints))


def unpack_by_program(archive: Path, folder: Path, limit: int, *, check: Callable[[str], object]) -> None:
    """Unpack with 7z or unrar: names first, then the files, watched for their size, then a look at what came out.

    Args:
        archive: The archive, or the first of its parts.
        folder: An empty folder.
        limit: Bytes that may come out at most.
        check: Raises `InputError` for an entry's name that leads out of the folder.

    Raises:
        InputError: No program is installed; it cannot read the archive; more than `limit` comes out; a link came out.
    """
    rar = bool(re.search(r"\.rar$", archive.name, re.IGNORECASE))
    program = next((found for name in (*_SEVEN_ZIP, *["unrar"] * rar) if (found := shutil.which(name))), None)
    if program is None:
        several = "of several parts " if has_further_parts(archive) else ""
        wanted = ["7z", *["unrar"] * rar, *["bsdtar"] * (not several)]
        raise InputError(
            f"{archive}: an archive {several}that needs {' or '.join(wanted)}; install one of them, or unpack it yourself into "
            f"{archive.parent}."
        )
    seven = Path(program).name in _SEVEN_ZIP
    listed = _run(
        archive, [program, "l", "-ba", "-slt", "-p", str(archive)] if seven else [program, "lb", "-p-", str(archive)]
    )
    for name in re.findall(r"^Path = (.*)$", listed, re.MULTILINE) if seven else listed.splitlines():
        check(name)
    if seven:
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
    """Run a program to its end, looking after it now and then; what it printed."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=complaints) as process:
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_WATCH)
                    watch()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise InputError(_failure(archive, complaints))
        printed.seek(0)
        return printed.read()


def _failure(archive: Path, complaints) -> str:
    complaints.seek(0)
    said = " ".join(complaints.read().split())
    if re.search("passphrase|password|encrypt", said, re.IGNORECASE):
        return PASSWORD.format(archive=archive, folder=archive.parent)
    return f"{archive}: cannot be unpacked ({said[-300:] or 'no reason given'}); delete it and get it again."
