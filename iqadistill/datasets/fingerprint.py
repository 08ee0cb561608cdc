"""Fingerprint of a folder: changes when a file is added, deleted or replaced, without reading any image.

Size and time of a file decide, as for make and rsync: a file of the same path, size and time, to the resolution of the
file system, counts as the same one. Inode and change time would tell more, but they differ in every copy of a dataset,
which would run all that was made from it again; reading the files takes minutes on a network, at each planning.
images.csv is read: spreadsheets save it anew where nothing was changed.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from iqadistill.errors import InputError
from iqadistill.images.listing import is_kept_by_system
from iqadistill.provenance import file_digest

# packed archives, which users may delete once they are unpacked: x.zip, x.z01, x.part1.rar, x.r00, x.7z.001, x.tar.gz
_PACKED = re.compile(
    r"\.(zip|7z|rar|tgz|tbz2?|txz|tzst|tar|tar\.(gz|bz2|xz|zst)|[zr]\d+|(zip|7z)\.\d+)$", re.IGNORECASE
)


def folder_fingerprint(folder: Path) -> str:
    """Digest of path, size and modification time of all files below a folder, and of the content of its images.csv.

    Hidden files and folders, those that operating systems keep (`Thumbs.db`, `@eaDir`), and packed archives are left
    out; linked files and folders are followed.

    Args:
        folder: The folder.

    Returns:
        16 hexadecimal digits; "" if there is no such folder.

    Raises:
        InputError: A folder cannot be listed.
    """
    if not Path(folder).is_dir():
        return ""
    try:
        lines = sorted(_files(str(folder), "", frozenset()))
    except OSError as error:
        raise InputError(
            f"{error.filename}: cannot be listed ({error.strerror}); make it readable, or name another folder as root."
        ) from None
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def _files(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    """A line of path, size and modification time for every file; `above` are the folders that lead here."""
    facts = Path(folder).stat()
    here = (facts.st_dev, facts.st_ino)
    if here in above:  # a link back to a folder that leads here
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_kept_by_system(entry.name):
                continue
            if entry.is_symlink() and not Path(entry.path).exists():  # leads nowhere, or to itself
                continue
            if entry.is_dir():
                yield from _files(entry.path, f"{prefix}{entry.name}/", above | {here})
            elif entry.is_file() and not _PACKED.search(entry.name):
                facts = entry.stat()
                listing = f"{prefix}{entry.name}" == "images.csv"
                state = file_digest(entry.path) if listing else facts.st_mtime_ns
                yield f"{prefix}{entry.name}\0{facts.st_size}\0{state}"
