"""Names of files in archives: their encoding, where they lead, and which are left out."""

import re
import warnings
import zlib
from pathlib import Path, PurePosixPath

from iqadistill.errors import InputError
from iqadistill.images.listing import is_kept_by_system

_LEFT_OUT = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_LONGEST = 255  # bytes of one part of a path, on all common file systems
_THREE_BYTES = "\u0800"  # the first letter that takes three bytes in UTF-8
_UNICODE_PATH = 0x7075  # extra field of a zip entry


class NameDecoder:
    """Decodes names whose encoding an archive does not state: UTF-8 if they are valid as such, or else cp437.

    Chinese, Japanese and Western names cannot be told apart safely, so their encoding must be stated. Even UTF-8 is
    certain only for letters of three and more bytes: many pairs of Chinese letters in GBK are valid UTF-8 as well.

    Args:
        archive: The archive.
        stated: Encoding that the dataset's entry states; None for none.
    """

    def __init__(self, archive: Path, stated: str | None):
        self._archive, self._stated = archive, stated
        self._guessed: dict[str, str] = {}  # name -> encoding

    def decode(self, raw: bytes) -> str:
        """Decode a name.

        Raises:
            InputError: The stated encoding does not fit.
        """
        if raw.isascii():
            return raw.decode()
        try:
            name = raw.decode(self._stated or "utf-8")
        except UnicodeDecodeError:
            if self._stated:
                raise InputError(
                    f"{self._archive}: the name {raw[:200]!r} is not valid {self._stated}; correct its `names`."
                ) from None
            name = raw.decode("cp437")
            self._guessed[name] = "cp437"
        if not self._stated and max(name) < _THREE_BYTES:
            self._guessed.setdefault(name, "UTF-8")
        return name

    def warn(self) -> None:
        """Warn of names whose encoding is uncertain, in one sentence."""
        if self._guessed:
            name, encoding = next(iter(self._guessed.items()))
            count = len(self._guessed)
            names = f"{count} names are" if count > 1 else "1 name is"
            warnings.warn(
                f"{self._archive}: {names} not ASCII and of an encoding that is not stated; {name!r} was taken as "
                f"{encoding}; if that is wrong, set `names` of its entry in datasets.yaml (gbk, cp932 or another), or "
                f"unpack it yourself into {self._archive.parent}.",
                stacklevel=2,
            )
            self._guessed = {}


def unicode_path(raw: bytes, extra: bytes) -> str | None:
    """Name in the Unicode path field of a zip entry; None where it has none, or one of another name.

    Args:
        raw: The entry's name as stored.
        extra: The entry's extra fields (APPNOTE.TXT 4.6.9).
    """
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and field[:1] == b"\1" and field[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            try:
                return field[5:].decode("utf-8")
            except UnicodeDecodeError:
                return None
    return None


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """An entry's path inside the folder.

    Raises:
        InputError: The path is absolute, leads out of the folder, or is too long for a disk.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    # C:/x is a path on a drive of Windows, but a:b.png a name
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:[/\\]", name) or "\0" in name:
        raise InputError(
            f"{archive}: entry {name[:200]!r} leads out of the folder; if you trust the archive, unpack it yourself "
            f"into {archive.parent}, or pack it again with paths inside its folder."
        )
    if any(len(part.encode("utf-8", "surrogateescape")) > _LONGEST for part in path.parts):
        raise InputError(
            f"{archive}: the name of entry {name[:60]!r}… is longer than the {_LONGEST} bytes that a disk can hold; "
            f"unpack it yourself into {archive.parent} under another name."
        )
    return path


def is_left_out(path: PurePosixPath) -> bool:
    """Whether a file was made by an operating system, beside the images: `._x.png`, __MACOSX, Thumbs.db."""
    return any(
        part.startswith("._") or part.lower() in _LEFT_OUT or (part[0] != "." and is_kept_by_system(part))
        for part in path.parts
    )
