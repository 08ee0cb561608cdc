"""Installed programs for what the standard library cannot read.

These are rar, 7z, archives of several parts, tar compressed by zstd, and zip compressed by other methods than Deflate,
bzip2 and LZMA, such as Deflate64, which Windows uses for large files.
"""

import contextlib
import errno
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, cast

from iqadistill.datasets.retrieval.archives import has_further_parts
from iqadistill.datasets.retrieval.entries import BLOCK, CHUNK, Entry, UnusableArchive, check_limit, special
from iqadistill.errors import InputError, machine_fault

# bsdtar cannot read archives of several parts, and unrar reads rar only
PROGRAMS = ("bsdtar", "7z", "7zz", "7za", "unrar")
PASSWORD = "{archive}: is protected by a password; unpack it yourself into {folder}, then run again."
READ_HERE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
"""Methods of a zip that the standard library reads."""
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "zstd", 95: "xz", 98: "PPMd"}
_BY_UNZIP = READ_HERE - {zipfile.ZIP_LZMA} | {1, 6, 9}
_BY_BSDTAR = READ_HERE | {93, 95, 98}
_DAMAGE = "crc|data error|headers error|unexpected end|truncated|damaged|corrupt|malformed|offset|check sum|ends early"
SEVEN_ZIP = ("7z", "7zz", "7za")
_WATCH = 0.5  # seconds between two checks of what a program has written


def find_bsdtar(archive: Path) -> str | None:
    """Path of bsdtar if it is installed and can read the archive."""
    return None if has_further_parts(archive) else shutil.which("bsdtar")


@contextlib.contextmanager
def tar_stream(bsdtar: str, archive: Path) -> Iterator[tarfile.TarFile]:
    """An archive as a tar stream, converted by bsdtar.

    Raises:
        InputError: bsdtar cannot read the archive.
    """
    with _output([bsdtar, "--format", "pax", "-cf", "-", f"@{archive.resolve()}"], archive) as output:
        with contextlib.closing(tarfile.open(fileobj=output, mode="r|", encoding="utf-8")) as opened:
            yield opened
        output.read()  # the padding after the last entry, or bsdtar would fail on a closed pipe


def zip_stream(archive: Path, files: dict[zipfile.ZipInfo, str], methods: set[int]) -> Generator[Entry, None, None]:
    """Files in a zip that an installed program unpacks into a pipe, one after the other: it writes no file itself.

    Args:
        archive: The zip.
        files: Names of its files, in the order of its directory.
        methods: Methods of compression in it that the standard library cannot read.

    Raises:
        InputError: No such program is installed, or it cannot read the zip.
        zipfile.BadZipFile: A file differs from its check sum.
    """
    command = _zip_command(archive, methods)
    # libarchive goes through a zip in the order of its bytes, the others in the order of its directory
    by_offset = Path(command[0]).name == "bsdtar"
    with _output(command, archive, verified=True) as output:
        for info in sorted(files, key=lambda info: info.header_offset) if by_offset else files:
            part = _Part(output, info)
            yield Entry(files[info], info.file_size, lambda part=part: part)  # type: ignore[misc]
            while part.read(CHUNK):  # what was left out
                pass
        if output.read(1):
            raise zipfile.BadZipFile("a file is longer than stated")


def _zip_command(archive: Path, methods: set[int]) -> list[str]:
    path = str(archive.resolve())
    if methods <= _BY_BSDTAR and (bsdtar := shutil.which("bsdtar")):  # older 7z cannot read zstd
        return [bsdtar, "-xOf", path]
    if seven_zip := next(filter(None, map(shutil.which, SEVEN_ZIP)), None):
        return [seven_zip, "x", "-so", "-p", path]
    if methods <= _BY_UNZIP and (unzip := shutil.which("unzip")):
        return [unzip, "-p", path]
    wanted = ["7z", *["bsdtar"] * (methods <= _BY_BSDTAR), *["unzip"] * (methods <= _BY_UNZIP)]
    named = " and ".join(
        f"{_METHODS.get(method, 'another method')} (zip method {method})" for method in sorted(methods)
    )
    raise InputError(
        f"{archive}: is compressed by {named}, which needs {' or '.join(wanted)}; "
        f"install {'one of them' if len(wanted) > 1 else 'it'}, or unpack it yourself into {archive.parent}."
    )


class _Part(io.RawIOBase):
    """One file in the output of a program, compared with its size and check sum at its end."""

    def __init__(self, output: IO[bytes], info: zipfile.ZipInfo):
        self._output, self._info = output, info
        self._left, self._sum = info.file_size, 0

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            if self._sum != self._info.CRC:
                raise zipfile.BadZipFile(f"{self._info.filename!r} differs from its check sum")
            return b""
        content = self._output.read(min(size, self._left))
        if not content:
            raise zipfile.BadZipFile(f"{self._info.filename!r} ends early")
        self._left -= len(content)
        self._sum = zlib.crc32(content, self._sum)
        return content

    def close(self) -> None:
        """Leave the output open for the next file."""


@contextlib.contextmanager
def _output(command: list[str], archive: Path, *, verified: bool = False) -> Iterator[IO[bytes]]:
    """What a program writes to its standard output.

    Args:
        command: The program and its arguments.
        archive: The archive that it reads.
        verified: Whether the reader compares check sums, so that an exit status for a mere warning does not count.

    Raises:
        InputError: It fails, or what it writes cannot be read while it says why.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
        ) as process,
    ):
        assert process.stdout is not None  # a pipe
        try:
            yield process.stdout
        except (tarfile.ReadError, zipfile.BadZipFile) as error:
            process.stdout.close()  # or the program would wait for a reader, and we for the program
            process.wait()
            failure = _failure(archive, command, errors, str(error))
            raise failure from None
        finally:
            process.stdout.close()
            status = process.wait()
        if status and not verified:
            raise _failure(archive, command, errors)


def _environment() -> dict[str, str]:
    """The environment with a locale in which names of any language can be written."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


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
    with open(archive, "rb") as file:
        rar = file.read(4) == b"Rar!" or archive.suffix.lower() == ".rar"
    candidates = map(shutil.which, (*["unrar"] * rar, *SEVEN_ZIP))  # many builds of 7z leave rar out
    program = next((path for path in candidates if path), None)
    if program is None:
        several = "of several parts " if has_further_parts(archive) else ""
        wanted = ["7z", *["unrar"] * rar, *["bsdtar"] * (not several)]
        raise InputError(
            f"{archive}: this archive {several}needs {' or '.join(wanted)}; "
            f"install one of them, or unpack it yourself into {archive.parent}."
        )
    seven_zip = Path(program).name in SEVEN_ZIP
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
            raise special(archive, path.name)


def _size(folder: Path) -> int:
    return sum(max(size, BLOCK) for size in _sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the program is at work
            yield path.lstat().st_size


def _run(archive: Path, command: list[str], watch: Callable[[], None] = lambda: None) -> str:
    """Run a program, calling `watch` regularly; returns what it printed."""
    with (
        tempfile.TemporaryFile("w+", errors="replace") as printed,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
    ):
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=errors, env=_environment()
        ) as process:
            try:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_WATCH)
                    watch()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise _failure(archive, command, errors)
        printed.seek(0)
        return printed.read()


def _failure(archive: Path, command: list[str], errors: IO[str], reason: str = "no reason given") -> InputError:
    """The error for a program that failed: only what is damaged should be got again."""
    errors.seek(0)
    message = " ".join(errors.read().split())
    if re.search("passphrase|password|encrypt", message, re.IGNORECASE):
        return InputError(PASSWORD.format(archive=archive, folder=archive.parent))
    message = message[-300:] or reason
    if re.search("no space left|disk full|quota", message, re.IGNORECASE):
        return cast(InputError, machine_fault(OSError(errno.ENOSPC, message), archive))
    if has_further_parts(archive):
        return InputError(
            f"{archive}: a part is missing or damaged ({message}); put all of its parts into {archive.parent}, "
            "then run again."
        )
    if re.search(_DAMAGE, message, re.IGNORECASE):
        return UnusableArchive(f"{archive}: is damaged or truncated ({message}); delete it and get it again.")
    return InputError(
        f"{archive}: cannot be unpacked by {Path(command[0]).name} ({message}); "
        f"unpack it yourself into {archive.parent}."
    )
