"""Unpacking of official archives as if they were hostile: every entry is checked and all bytes written are counted.

zip and tar are read here. rar, 7z and zstd are converted to a tar stream by bsdtar if it is installed, which then
writes no file itself, or else unpacked by 7z or unrar.
"""

import contextlib
import errno
import lzma
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from iqadistill.console import byte_progress
from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.archives import archive_kind, has_further_parts, is_blank
from iqadistill.datasets.retrieval.entries import BLOCK, Entry, UnusableArchive, check_limit
from iqadistill.datasets.retrieval.names import is_left_out, safe_path
from iqadistill.datasets.retrieval.tar_entries import open_tar, tar_entries
from iqadistill.datasets.retrieval.zip_entries import zip_entries
from iqadistill.errors import InputError, machine_fault

# what the standard library raises for bytes that make no sense; OSError without a number is that of gzip and bz2
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def unpack(archive: Path, folder: Path, limit: int, encoding: str | None = None) -> None:
    """Unpack an archive into a folder.

    Args:
        archive: zip, tar (plain, gz, bz2, xz, zst), rar or 7z; the first of several parts. Its content tells what it
            is, not its name.
        folder: An empty folder.
        limit: Largest number of bytes that it may unpack to; the smallest file counts as 4096.
        encoding: Encoding of names where a zip or tar does not state it; None for UTF-8, or else cp437.

    Raises:
        UnusableArchive: The archive is damaged, empty or not an archive.
        InputError: An entry leads out of the folder, is a link or a device, or occurs twice; the archive unpacks to
            more than `limit` bytes or is protected by a password; a program to read it is missing; the disk is full.
    """
    try:
        entries = _entries(archive, folder, limit, encoding)
        if entries is None:
            unpackers.unpack_by_program(archive, folder, limit, check=partial(safe_path, archive))
            _remove_left_out(folder)
        else:
            _write(archive, entries, folder, limit)
        if not any(path.is_file() for path in folder.rglob("*")):
            what = "only zero bytes, as an interrupted download leaves them" if is_blank(archive) else "no files"
            raise UnusableArchive(f"{archive}: holds {what}; delete it and get it again.")
    except InputError:  # a ValueError
        raise
    except _DAMAGE as error:
        raise _damaged(archive, error) from None
    except NotImplementedError as error:
        raise InputError(
            f"{archive}: cannot be read here ({error}); unpack it yourself into {archive.parent}."
        ) from None
    except OSError as error:
        if error.errno is None or error.errno == errno.EINVAL:
            raise _damaged(archive, error) from None
        raise InputError(f"{archive}: cannot be read ({error.strerror}); make it readable and run again.") from None


def _entries(archive: Path, folder: Path, limit: int, encoding: str | None) -> Generator[Entry, None, None] | None:
    """Files in an archive; None where a program has to unpack it into the folder."""
    kind = None if has_further_parts(archive) else archive_kind(archive)
    if kind == "zip":
        return zip_entries(archive, limit, encoding)
    if kind == "tar":
        return tar_entries(archive, folder, encoding, partial(open_tar, archive, limit))
    if bsdtar := unpackers.find_bsdtar(archive):
        return tar_entries(archive, folder, encoding, partial(unpackers.tar_stream, bsdtar, archive))
    if kind == "tar.zst":
        raise InputError(
            f"{archive}: is compressed by zstd, which needs bsdtar; "
            f"install it, or unpack it yourself into {archive.parent}."
        )
    return None


def _damaged(archive: Path, error: BaseException) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UnusableArchive(f"{archive}: is damaged or truncated ({reason}); delete it and get it again.")


def _write(archive: Path, entries: Generator[Entry, None, None], folder: Path, limit: int) -> None:
    stated = written = 0
    known: dict[str, str] = {}
    with contextlib.closing(entries), byte_progress(f"{archive.name} unpacked") as advance:
        for entry in entries:
            path = safe_path(archive, entry.name)
            stated += max(entry.size, BLOCK)
            check_limit(archive, stated, limit)
            if is_left_out(path):
                continue
            if not path.parts:
                raise InputError(
                    f"{archive}: entry {entry.name!r} has no name; unpack it yourself into {archive.parent}."
                )
            spelling = unicodedata.normalize("NFC", str(path)).casefold()
            with _writing(archive, entry):
                target = _new_file(archive, folder, path, known.get(spelling, ""))
                file = open(target, "xb")  # noqa: SIM115 - closed below
            known[spelling] = str(path)
            try:
                with entry.open() as source, file:
                    while chunk := source.read(entry.chunk):
                        written += len(chunk)
                        check_limit(archive, written, limit)
                        with _writing(archive, entry):
                            file.write(chunk)
                        advance(len(chunk))
                    with _writing(archive, entry):
                        file.flush()
            except (zipfile.BadZipFile, tarfile.TarError) as error:
                entries.throw(error)  # where a program unpacks, it may have said why
                raise


def _new_file(archive: Path, folder: Path, path: PurePosixPath, similar: str) -> Path:
    """Path of a file to write, whose folders exist.

    Args:
        archive: The archive.
        folder: The folder that it is unpacked into.
        path: Path of the file in the folder.
        similar: Path of a file written before that differs in letter case or accents at most; empty for none.

    Raises:
        InputError: There is a file or folder of this name.
    """
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _twice(archive, path, "is in a folder that is a file as well") from None
    if target.is_dir():
        raise _twice(archive, path, "is both a file and a folder")
    if target.exists():
        if similar and similar != str(path):
            raise _twice(
                archive, path, f"and {similar!r} are one file on this disk, which ignores letter case or accents"
            )
        raise _twice(archive, path, "occurs twice")
    return target


def _twice(archive: Path, path: PurePosixPath, what: str) -> InputError:
    return InputError(f"{archive}: entry {str(path)!r} {what}; unpack it yourself into {archive.parent}.")


@contextlib.contextmanager
def _writing(archive: Path, entry: Entry) -> Iterator[None]:
    """Say in one sentence what a disk refuses.

    Raises:
        InputError: It is full, or cannot hold such a name.
    """
    try:
        yield
    except OSError as error:
        fault = machine_fault(error, archive)
        if fault and error.errno != errno.ENAMETOOLONG:  # the entry's name, not the archive's
            raise fault from None
        raise InputError(
            f"{archive}: entry {entry.name[:100]!r} cannot be written into {archive.parent} ({error.strerror}); "
            f"unpack it yourself into {archive.parent}, or keep the dataset on another disk."
        ) from None


def _remove_left_out(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # files before their folders
        if path.is_file() and is_left_out(PurePosixPath(path.relative_to(folder).as_posix())):
            path.unlink()
