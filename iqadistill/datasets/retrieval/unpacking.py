"""Unpacking of official archives as if they were hostile: every entry is checked and all bytes written are counted.

zip and tar are read here. rar and 7z are converted to a tar stream by bsdtar if it is installed, which then writes no
file itself, or else unpacked by 7z or unrar.
"""

import contextlib
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from iqadistill.console import byte_progress
from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.archives import is_plain
from iqadistill.errors import InputError

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
)
_CHUNK = 1 << 20


class Entry(NamedTuple):
    """A file in an archive: its name, the size that the archive states, and a function that opens it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, limit: int) -> None:
    """Unpack an archive into a folder.

    Args:
        archive: zip, tar (plain, gz, bz2, xz), rar or 7z; the first of several parts.
        folder: An empty folder.
        limit: Largest number of bytes that it may unpack to.

    Raises:
        InputError: An entry leads out of the folder, is a link or a device, or occurs twice; the archive unpacks to
            more than `limit` bytes, is damaged or protected by a password; a program to read it is missing.
    """
    if not is_plain(archive):
        bsdtar = unpackers.find_bsdtar(archive)
        if bsdtar is None:
            unpackers.unpack_by_program(archive, folder, limit, check=lambda name: safe_path(archive, name))
            return
        entries = _tar_entries(archive, partial(unpackers.tar_stream, bsdtar, archive))
    elif archive.name.lower().endswith(".zip"):
        entries = _zip_entries(archive)
    else:
        entries = _tar_entries(archive, partial(tarfile.open, archive, "r:*"))
    try:
        _write(archive, entries, folder, limit)
    except _DAMAGE as error:
        raise InputError(
            f"{archive}: is damaged or truncated ({error or type(error).__name__}); delete it and get it again."
        ) from None


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """An entry's path inside the folder.

    Raises:
        InputError: The path is absolute or leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise InputError(
            f"{archive}: entry {name!r} leads out of the folder; this is not an official archive, delete it."
        )
    return path


def _write(archive: Path, entries: Generator[Entry, None, None], folder: Path, limit: int) -> None:
    stated = written = 0
    with contextlib.closing(entries), byte_progress(f"{archive.name} unpacked") as advance:
        for entry in entries:
            path = safe_path(archive, entry.name)
            stated += entry.size
            unpackers.check_limit(archive, stated, limit)
            if path.parts[0] == "__MACOSX":  # metadata that macOS adds
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise InputError(
                    f"{archive}: entry {entry.name!r} occurs twice; this is not an official archive, delete it."
                )
            with entry.open() as source, open(target, "xb") as file:
                while chunk := source.read(_CHUNK):
                    written += len(chunk)
                    unpackers.check_limit(archive, written, limit)
                    file.write(chunk)
                    advance(len(chunk))


def _zip_entries(archive: Path) -> Generator[Entry, None, None]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            file_type = stat.S_IFMT(info.external_attr >> 16)
            if file_type not in (0, stat.S_IFREG):
                raise _special(archive, info.filename)
            if info.flag_bits & 1:
                raise InputError(unpackers.PASSWORD.format(archive=archive, folder=archive.parent))
            yield Entry(info.filename, info.file_size, partial(opened.open, info))


def _tar_entries(
    archive: Path, opener: Callable[[], contextlib.AbstractContextManager[tarfile.TarFile]]
) -> Generator[Entry, None, None]:
    with opener() as opened:
        for member in opened:
            if member.isdir():
                safe_path(archive, member.name)
            elif not member.isreg():
                raise _special(archive, member.name)
            else:
                yield Entry(member.name, member.size, partial(_open_member, opened, member))


def _open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(member))  # None for what is no regular file


def _special(archive: Path, name: str) -> InputError:
    return InputError(
        f"{archive}: entry {name!r} is a link or device, not a file; this is not an official archive, delete it."
    )
