"""Files in an archive, and the limits of what it may unpack to."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from iqadistill.errors import InputError

CHUNK = 1 << 20
BLOCK = 4096  # bytes that the smallest file takes on a disk, so that many empty files count as well


class UnusableArchive(InputError):
    """A file that is not the archive, or not the whole of it: another one has to be got."""


class Entry(NamedTuple):
    """A file in an archive.

    Attributes:
        name: Its path as the archive states it.
        size: The size that the archive states, in bytes.
        open: Function that opens it.
        chunk: Number of bytes to read at once.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    chunk: int = CHUNK


def check_limit(archive: Path, count: int, limit: int) -> None:
    """Refuse an archive that unpacks to more than its limit.

    Raises:
        InputError: `count` bytes exceed `limit`.
    """
    if count > limit:
        raise InputError(
            f"{archive}: unpacks to more than {limit} bytes; "
            "if it is the official archive, raise `unpacked` of its entry."
        )


def special(archive: Path, name: str) -> InputError:
    """The error for an entry that is not a file."""
    return InputError(
        f"{archive}: entry {name[:200]!r} is a link or device, not a file; if you trust the archive, "
        f"unpack it yourself into {archive.parent}, or pack it again without links."
    )
