"""Archives recognised by file name."""

import re
from pathlib import Path

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
PLAIN = (".zip", *TAR)  # formats that the standard library reads
_FIRST_PART = re.compile(r"\.(part0*1\.rar|(zip|7z)\.0*1)$", re.IGNORECASE)
_FURTHER_PART = re.compile(r"\.(z\d+|r\d+|part\d+\.rar|(zip|7z)\.\d+)$", re.IGNORECASE)


def is_archive(name: str) -> bool:
    """Whether a file is an archive to unpack: a complete one, or the first of several parts."""
    if _FIRST_PART.search(name):
        return True
    return name.lower().endswith((*PLAIN, ".rar", ".7z")) and not _FURTHER_PART.search(name)


def is_plain(archive: Path) -> bool:
    """Whether the standard library reads an archive: zip or tar, in one part."""
    return archive.name.lower().endswith(PLAIN) and not has_further_parts(archive)


def has_further_parts(archive: Path) -> bool:
    """Whether an archive has further parts: x.z01 next to x.zip, x.r00 next to x.rar, x.part2.rar, x.7z.002."""
    if _FIRST_PART.search(archive.name):
        return True
    return any(archive.with_suffix(suffix).exists() for suffix in (".z01", ".Z01", ".r00", ".R00"))
