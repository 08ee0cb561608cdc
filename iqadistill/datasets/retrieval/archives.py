"""Archives recognised by file name, and by their first bytes."""

import os
import re
import tarfile
from pathlib import Path
from typing import BinaryIO, Literal

from iqadistill.datasets.retrieval.entries import UnusableArchive
from iqadistill.errors import InputError
from iqadistill.file_kinds import REMEDIES, file_kind

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_FIRST_PART = re.compile(r"\.(part0*1\.rar|(zip|7z)\.0*1)$", re.IGNORECASE)
_FURTHER_PART = re.compile(r"\.(z\d+|r\d+|part\d+\.rar|(zip|7z)\.\d+)$", re.IGNORECASE)

Kind = Literal["zip", "tar", "tar.zst", "rar", "7z"]
_MAGIC: dict[bytes, Kind] = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",  # without entries
    b"PK00PK\3\4": "zip",  # meant to have several parts, but one was enough
    b"Rar!\x1a\7": "rar",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x28\xb5\x2f\xfd": "tar.zst",
    b"\x1f\x8b": "tar",
    b"BZh": "tar",
    b"\xfd7zXZ\0": "tar",
}
_HEAD, _BLOCK, _CHUNK = 4096, tarfile.BLOCKSIZE, 1 << 20
_LAST_PART = (
    "{archive}: is the last of several parts; put the others ({stem}.z01 and so on) into {folder}, then run again."
)
_END, _END_SIZE, _LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF
_FURTHEST = 64 << 20  # bytes that may follow a zip
_ZIP64_LOCATOR = 20  # bytes, before the record that ends it


def is_archive(name: str) -> bool:
    """Whether a file is an archive to unpack: a complete one, or the first of several parts."""
    if _FIRST_PART.search(name):
        return True
    return name.lower().endswith((".zip", *TAR, ".rar", ".7z")) and not _FURTHER_PART.search(name)


def has_further_parts(archive: Path) -> bool:
    """Whether an archive has further parts: x.z01 next to x.zip, x.r00 next to x.rar, x.part2.rar, x.7z.002."""
    if _FIRST_PART.search(archive.name):
        return True
    return any(archive.with_suffix(suffix).exists() for suffix in (".z01", ".Z01", ".r00", ".R00"))


def archive_kind(archive: Path) -> Kind:
    """What an archive is by its content, whatever its name says.

    Raises:
        UnusableArchive: It is empty, a web page, a Git LFS pointer, or no archive at all.
        InputError: It is the last of several parts.
    """
    with open(archive, "rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise UnusableArchive(f"{archive}: is empty; delete it and get it again.")
    what = file_kind(head)
    if what in REMEDIES:
        raise UnusableArchive(f"{archive}: is {what}, not an archive; {REMEDIES[what]} into {archive.parent}.")
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if found != "zip":
        return found or _kind_without_magic(archive, head)
    if _disk_number(archive):
        raise InputError(_LAST_PART.format(archive=archive, stem=archive.stem, folder=archive.parent))
    return "zip"


def is_blank(archive: Path) -> bool:
    """Whether a file holds zero bytes only."""
    with open(archive, "rb") as file:
        return all(not chunk.strip(b"\0") for chunk in iter(lambda: file.read(_CHUNK), b""))


def _kind_without_magic(archive: Path, head: bytes) -> Kind:
    if head[257:262] == b"ustar":
        return "tar"
    if not head[:_BLOCK].strip(b"\0") and not end_record(archive):  # a tar without members
        return "tar"
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")  # an old tar, told by its check sum
        return "tar"
    except (tarfile.TarError, ValueError):
        pass
    if _disk_number(archive):
        raise InputError(_LAST_PART.format(archive=archive, stem=archive.stem, folder=archive.parent))
    if end_record(archive):  # behind a program that unpacks it
        return "zip"
    by_name = archive.suffix.lower()
    if by_name == ".rar" or by_name == ".7z":  # behind such a program as well: let the unpacking program decide
        return "rar" if by_name == ".rar" else "7z"
    what = file_kind(head)
    raise UnusableArchive(
        f"{archive}: is {f'{what}, ' if what else ''}not a zip, tar, rar or 7z archive, whatever its name says; "
        f"put the dataset's own archive into {archive.parent}, then run again."
    )


def _disk_number(archive: Path) -> int:
    """Number of the part that ends a zip; 0 for a complete zip."""
    end = end_record(archive)
    number = int.from_bytes(end[4:6], "little")
    return 0 if number == 0xFFFF else number  # in zip64 the number stands elsewhere


def end_record(archive: Path) -> bytes:
    """The record of 22 bytes that ends a zip; empty where there is none."""
    with open(archive, "rb") as file:
        return _find_end(file)[0]


def end_of_zip(archive: Path) -> int:
    """Number of bytes of a zip without what follows its end, which `zipfile` takes for damage if it is much."""
    with open(archive, "rb") as file:
        record, start = _find_end(file)
        size = file.seek(0, os.SEEK_END)
    return min(size, start + _END_SIZE + int.from_bytes(record[-2:], "little")) if record else size


def _find_end(file: BinaryIO) -> tuple[bytes, int]:
    """The record that ends a zip, and its place: near the end of the file, or further before, behind its directory."""
    stop = file.seek(0, os.SEEK_END)
    furthest, near = max(0, stop - _FURTHEST), max(0, stop - _END_SIZE - _LONGEST_COMMENT)
    begin = near
    while True:
        file.seek(begin)
        chunk = file.read(stop - begin)
        start = len(chunk)
        while (start := chunk.rfind(_END, 0, start)) >= 0:
            record = chunk[start : start + _END_SIZE]
            if len(record) == _END_SIZE and (begin == near or _follows_directory(file, record, begin + start)):
                return record, begin + start
        if begin <= furthest:
            return b"", 0
        begin, stop = max(furthest, begin - _CHUNK), begin + _END_SIZE - 1  # a record may lie across the border


def _follows_directory(file: BinaryIO, record: bytes, start: int) -> bool:
    size = int.from_bytes(record[12:16], "little")
    zip64 = size == 0xFFFFFFFF
    place = start - (_ZIP64_LOCATOR if zip64 else size)
    if place < 0:
        return False
    file.seek(place)
    return file.read(4) == (b"PK\6\7" if zip64 else b"PK\1\2" if size else _END)
