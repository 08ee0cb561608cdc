"""Files in a zip. All entries are checked before the first is read."""

import stat
import zipfile
from collections.abc import Generator
from functools import partial
from pathlib import Path

from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.archives import end_record
from iqadistill.datasets.retrieval.entries import BLOCK, Entry, check_limit, special
from iqadistill.datasets.retrieval.names import NameDecoder, safe_path, unicode_path
from iqadistill.errors import InputError

_ENCRYPTED, _STRONGLY_ENCRYPTED, _UTF8 = 1 << 0, 1 << 6, 1 << 11
_WHOLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # methods that are read in pieces of any size
_SMALL_CHUNK = 4096  # of other methods one piece may unpack to 20,000 times its size
_LONGEST_DIRECTORY = 128 << 20  # bytes; it is read into memory


def zip_entries(archive: Path, limit: int, encoding: str | None) -> Generator[Entry, None, None]:
    """Files in a zip, as they lie in it.

    Args:
        archive: The zip.
        limit: Largest number of bytes that it may unpack to.
        encoding: Encoding of names that the zip does not state; None for UTF-8, or else cp437.

    Raises:
        InputError: An entry leads out of the folder, is a link or a device, or is protected by a password; the zip
            states more than `limit` bytes, or names that are not UTF-8 as such; a program that reads its compression
            is missing.
        zipfile.BadZipFile: The zip is damaged.
        NotImplementedError: `zipfile` cannot read it.
    """
    size = int.from_bytes(end_record(archive)[12:16], "little")
    if _LONGEST_DIRECTORY < size < 0xFFFFFFFF:
        raise InputError(
            f"{archive}: lists more files than can be read here; unpack it yourself into {archive.parent}."
        )
    try:
        opened = zipfile.ZipFile(archive)
    except UnicodeDecodeError:
        raise InputError(
            f"{archive}: cannot be read here (its names are stated as UTF-8 but are not); "
            f"unpack it yourself into {archive.parent}."
        ) from None
    with opened:
        files = {info: name for info, name in _names(archive, opened, encoding) if not name.endswith(("/", "\\"))}
        _check(archive, files, limit)
        if methods := {info.compress_type for info in files} - unpackers.READ_HERE:
            yield from unpackers.zip_stream(archive, files, methods)
        else:
            for info, name in files.items():
                chunk = {} if info.compress_type in _WHOLE else {"chunk": _SMALL_CHUNK}
                yield Entry(name, info.file_size, partial(opened.open, info), **chunk)


def _names(
    archive: Path, opened: zipfile.ZipFile, encoding: str | None
) -> Generator[tuple[zipfile.ZipInfo, str], None, None]:
    decoder = NameDecoder(archive, encoding)
    for info in opened.infolist():
        if info.flag_bits & _UTF8:
            yield info, info.orig_filename
        else:
            raw = info.orig_filename.encode("cp437")  # as zipfile decoded it
            yield info, unicode_path(raw, info.extra) or decoder.decode(raw)
    decoder.warn()


def _check(archive: Path, files: dict[zipfile.ZipInfo, str], limit: int) -> None:
    check_limit(archive, sum(max(info.file_size, BLOCK) for info in files), limit)
    for info, name in files.items():
        safe_path(archive, name)
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) and info.create_system == 3:
            raise special(archive, name)
        if info.flag_bits & (_ENCRYPTED | _STRONGLY_ENCRYPTED):
            raise InputError(unpackers.PASSWORD.format(archive=archive, folder=archive.parent))
