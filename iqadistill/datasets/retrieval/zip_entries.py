"""Files in a zip. All entries are checked before the first is read."""

import contextlib
import io
import os
import stat
import zipfile
from collections.abc import Generator
from functools import partial
from pathlib import Path

from iqadistill.datasets.retrieval import unpackers
from iqadistill.datasets.retrieval.archives import end_of_zip, end_record
from iqadistill.datasets.retrieval.entries import BLOCK, Entry, check_limit, special
from iqadistill.datasets.retrieval.names import NameDecoder, safe_path, unicode_path
from iqadistill.errors import InputError

_ENCRYPTED, _STRONGLY_ENCRYPTED, _UTF8 = 1 << 0, 1 << 6, 1 << 11
_WHOLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # methods that are read in pieces of any size
_SMALL_CHUNK = 4096  # of other methods one piece may unpack to 20,000 times its size
_IN_ZIP64 = 0xFFFFFFFF  # stands for a number that is stated elsewhere
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
    record = end_record(archive)
    size, place = int.from_bytes(record[12:16], "little"), int.from_bytes(record[16:20], "little")
    if _LONGEST_DIRECTORY < size < _IN_ZIP64:
        raise InputError(
            f"{archive}: lists more files than can be read here; unpack it yourself into {archive.parent}."
        )
    if record and place < _IN_ZIP64 and not _has_directory(archive, place):
        raise zipfile.BadZipFile("it ends within an archive that it holds")
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(_FileUpTo(archive, end_of_zip(archive)))
        try:
            opened = stack.enter_context(zipfile.ZipFile(file))
        except UnicodeDecodeError:
            raise InputError(
                f"{archive}: cannot be read here (its names are stated as UTF-8 but are not); "
                f"unpack it yourself into {archive.parent}."
            ) from None
        files = {info: name for info, name in _names(archive, opened, encoding) if not name.endswith(("/", "\\"))}
        _check(archive, files, limit)
        if methods := {info.compress_type for info in files} - unpackers.READ_HERE:
            yield from unpackers.zip_stream(archive, files, methods)
        else:
            for info, name in files.items():
                chunk = {} if info.compress_type in _WHOLE else {"chunk": _SMALL_CHUNK}
                yield Entry(name, info.file_size, partial(opened.open, info), **chunk)


class _FileUpTo(io.FileIO):
    """The beginning of a file, of a number of bytes, which `zipfile` takes for the whole file."""

    def __init__(self, path: Path, size: int):
        super().__init__(path)
        self._size = size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return super().seek(self._size + offset) if whence == os.SEEK_END else super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _has_directory(archive: Path, place: int) -> bool:
    """Whether the directory of a zip is where its end says; what begins otherwise has a program before it.

    The end of a truncated zip may be that of a zip that it holds uncompressed.
    """
    with open(archive, "rb") as file:
        if file.read(4) != b"PK\3\4":
            return True
        file.seek(place)
        return file.read(4) in (b"PK\1\2", b"PK\5\6", b"PK\6\6")


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
