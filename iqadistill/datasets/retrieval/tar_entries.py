"""Files in a tar, read in one pass."""

import bz2
import contextlib
import gzip
import lzma
import tarfile
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from iqadistill.datasets.retrieval.entries import CHUNK, Entry, check_limit, special
from iqadistill.datasets.retrieval.names import NameDecoder, safe_path
from iqadistill.errors import InputError

_HEADERS = 8 << 20  # bytes of the headers of one member: they are read into memory
_MOST_IN_A_ROW = 1 << 18  # headers without a file between them, such as those of one sparse file
_VOLUME_LABEL = b"V"  # of GNU tar
_BLOCK = tarfile.BLOCKSIZE


def tar_entries(
    archive: Path,
    folder: Path,
    encoding: str | None,
    opener: Callable[[], contextlib.AbstractContextManager[tarfile.TarFile]],
) -> Generator[Entry, None, None]:
    """Files in a tar. A hard link is a copy of the file that it names, which must have been unpacked before.

    Args:
        archive: The archive.
        folder: Folder that it is unpacked into.
        encoding: Encoding of names; None for UTF-8, or else cp437.
        opener: Function that opens the tar.

    Raises:
        InputError: An entry leads out of the folder, or is a link or a device.
        tarfile.TarError: The tar is damaged.
    """
    decoder = NameDecoder(archive, encoding)
    with opener() as opened:
        for member in opened:
            if member.size < 0:
                raise tarfile.ReadError("a size is negative")
            name = member.name if _is_unicode(member.pax_headers.get("path")) else _decoded(decoder, member.name)
            if member.type == _VOLUME_LABEL:
                continue
            if member.isdir():
                safe_path(archive, name)
            elif member.islnk():
                linked = folder / safe_path(archive, _decoded(decoder, member.linkname))
                if not linked.is_file():
                    raise special(archive, name)
                yield Entry(name, linked.stat().st_size, partial(_open_file, linked))
            elif not member.isreg():
                raise special(archive, name)
            else:
                yield Entry(name, member.size, partial(_open_member, opened, member))
    decoder.warn()


@contextlib.contextmanager
def open_tar(archive: Path, limit: int) -> Iterator[tarfile.TarFile]:
    """A tar, plain or compressed by gzip, bzip2 or xz, that is read to its very end.

    `tarfile` ends without an error at a header that it cannot read, and compares no check sum of the compressed file.

    Args:
        archive: The tar.
        limit: Largest number of bytes that may follow its end.

    Raises:
        tarfile.TarError: The tar has no end, or is damaged in another way.
    """
    compressed = _decompressing(archive)
    with compressed(archive) if compressed else open(archive, "rb") as file:
        first = file.read(_BLOCK)
        try:
            if first.strip(b"\0"):
                tarfile.TarInfo.frombuf(first, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError) as error:
            if len(first) < _BLOCK and not compressed:
                raise tarfile.ReadError("unexpected end of data") from None
            if not compressed or first[257:262] == b"ustar":
                raise tarfile.ReadError(str(error)) from None
            raise InputError(
                f"{archive}: is a compressed file but not a compressed tar; put the dataset's own archive into "
                f"{archive.parent}, or unpack it yourself there."
            ) from None
        file.seek(0)
        bounded = _BoundedHeaders(file)
        with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:", encoding="utf-8") as opened:
            yield opened
            file.seek(opened.offset)
            end = file.read(_BLOCK)
            if end.strip(b"\0") or (len(end) < _BLOCK and not compressed):
                raise tarfile.ReadError("unexpected end of data")
            behind = 0
            while rest := _read_on(file):
                behind += len(rest)
                check_limit(archive, behind, limit)


def _read_on(file: IO[bytes]) -> bytes:
    """What follows a tar in its file; other bytes behind a gzip file are ignored, as gzip does, bzip2 and xz here."""
    try:
        return file.read(CHUNK)
    except gzip.BadGzipFile as error:
        if str(error).startswith("Not a gzipped file"):  # and not that its check sum differs
            return b""
        raise


class _BoundedHeaders:
    """A file as `tarfile` sees it, which reads headers of any size that they state into memory."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self._in_a_row = 0  # headers
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        self._in_a_row = self._in_a_row + 1 if size == _BLOCK else 0
        if not 0 <= size <= _HEADERS or self._in_a_row > _MOST_IN_A_ROW:
            raise tarfile.ReadError("a header is endless")
        return self._file.read(size)


def _decompressing(archive: Path) -> Callable[[Path], IO[bytes]] | None:
    """Function that opens a compressed file; None for one that is not compressed."""
    with open(archive, "rb") as file:
        head = file.read(6)
    openers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    return next((opener for magic, opener in openers.items() if head.startswith(magic)), None)


def _open_file(path: Path) -> IO[bytes]:
    return open(path, "rb")


def _open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(member))  # None for what is no regular file


def _decoded(decoder: NameDecoder, name: str) -> str:
    return decoder.decode(name.encode("utf-8", "surrogateescape"))


def _is_unicode(name: str | None) -> bool:
    """Whether a pax header has the name, which is then UTF-8, and valid as such."""
    return name is not None and not any("\ud800" <= one <= "\udfff" for one in name)
