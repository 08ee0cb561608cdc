"""Unpacking official archives as if they were hostile: entries are checked one by one and everything written is counted.

zip and tar are read here. rar and 7z are turned into a tar stream by an installed bsdtar, which so writes no file of its
own, or else are unpacked by 7z or unrar.
"""

import contextlib
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

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
    """A file of an archive: its name, the size it claims, and how to read it."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


def unpack(archive: Path, folder: Path, limit: int) -> None:
    """Unpack an archive into a folder.

    Args:
        archive: zip, tar (plain, gz, bz2, xz), rar or 7z; of several parts, the first.
        folder: An empty folder of its own.
        limit: Bytes that may come out at most.

    Raises:
        InputError: An entry leads out of the folder, is a link or a device, or is there twice; more bytes come out than
            `limit`; the archive is damaged or protected by a password; a program to read it is missing.
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
            f"{archive}: is damaged or cut short ({error or type(error).__name__}); delete it and get it again."
        ) from None


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """An entry's path inside the folder.

    Raises:
        InputError: The path is absolute or leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise InputError(f"{archive}: entry {name!r} leads out of the folder; this is no official archive, delete it.")
    return path


def _write(archive: Path, entries: Iterator[Entry], folder: Path, limit: int) -> None:
    claimed = written = 0
    with contextlib.closing(entries), byte_progress(f"{archive.name} unpacked") as advance:
        for entry in entries:
            path = safe_path(archive, entry.name)
            claimed += entry.size
            unpackers.check_limit(archive, claimed, limit)
            if path.parts[0] == "__MACOSX":  # what a Mac adds for itself
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise InputError(f"{archive}: entry {entry.name!r} is there twice; this is no official archive.")
            with entry.open() as source, open(target, "xb") as file:
                while chunk := source.read(_CHUNK):
                    written += len(chunk)
                    unpackers.check_limit(archive, written, limit)
                    file.write(chunk)
                    advance(len(chunk))


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as opened:
        unpackable = [info for info in opened.infolist() if not info.is_dir()]
        for info in unpackable:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise _special(archive, info.filename)
            if info.flag_bits & 1:
                raise InputError(unpackers.PASSWORD.format(archive=archive, folder=archive.parent))
            yield Entry(info.filename, info.file_size, lambda info=info: opened.open(info))


def _tar_entries(archive: Path, opener: Callable[[], contextlib.AbstractContextManager]) -> Iterator[Entry]:
    with opener() as opened:
        for member in opened:
            if member.isdir():
                safe_path(archive, member.name)
            elif not member.isreg():
                raise _special(archive, member.name)
            else:
                yield Entry(member.name, member.size, lambda member=member: opened.extractfile(member))


def _special(archive: Path, name: str) -> InputError:
    return InputError(
        f"{archive}: entry {name!r} is a link or device, not a file; this is no official archive, delete it."
    )
