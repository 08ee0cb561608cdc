"""Images in a folder: one rule for every command and stage, and what is left out although it looks like an image."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of images where a folder is searched; a file that is named explicitly may have any suffix."""

# what cameras and the web use beside those; Pillow reads some of it
_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".rw2")
_NEWER = (".avif", ".heic", ".heif", ".j2k", ".jp2", ".jpx", ".jxl")
_OTHER = (".apng", ".dib", ".exr", ".gif", ".hdr", ".jfif", ".jpe", ".mpo", ".pbm", ".pgm", ".pnm", ".ppm", ".psd")
OTHER_SUFFIXES = frozenset((*_RAW, *_NEWER, *_OTHER, ".svg", ".tga"))
"""Suffixes of other images, which are left out with a warning."""
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*", b"GIF8", b"RIFF")
# made by operating systems and network storage: copies of metadata, thumbnails, deleted files
_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information"})
_SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_NAMED = 3  # files left out that a sentence names


class FoundImages(NamedTuple):
    """Images in a folder.

    Attributes:
        files: The images, in the order of their paths.
        left_out: A sentence for each reason why something that looks like an image is not among them.
    """

    files: list[Path]
    left_out: list[str]


def find_images(folder: str | Path, *, below: bool = True) -> FoundImages:
    """Find the images in a folder, by suffix in any letter case.

    Hidden files and folders, and those that operating systems keep (`__MACOSX`, `@eaDir`), are left out without a word.
    Linked files and folders are followed, but never back into a folder that leads there.

    Args:
        folder: The folder.
        below: Whether the folders in it are searched as well.
    """
    files: list[Path] = []
    left_out: dict[str, list[str]] = {}
    for path, reason in _files(Path(folder), below, frozenset()):
        reason = reason or _reason(path)
        if not reason:
            files.append(path)
        elif reason != _NO_IMAGE:
            left_out.setdefault(reason, []).append(readable(path.relative_to(folder)))
    sentences = [f"{readable(folder)}: {_names(names)} left out: {reason}." for reason, names in left_out.items()]
    return FoundImages(sorted(files), sentences)


def readable(path: str | Path) -> str:
    """A path in one line that any terminal and file can hold: characters that would break it are escaped."""
    return "".join(one if _shown(one) else one.encode("unicode_escape").decode() for one in str(path))


def shortened(path: str | Path, length: int) -> str:
    """The end of a `readable` path, of at most `length` characters."""
    name = readable(path)
    return name if len(name) <= length else f"...{name[3 - length :]}"


def is_unicode(path: str | Path) -> bool:
    """Whether a path can be written to a table: on Linux a name can be any bytes."""
    return not any("\ud800" <= one <= "\udfff" for one in str(path))


def is_kept_by_system(name: str) -> bool:
    """Whether a file or folder is hidden, as the copies `._x.jpg` by macOS are, or kept by an operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS | _SYSTEM_FILES


_NO_IMAGE = "no image"


def _shown(one: str) -> bool:
    control = one < " " or "\x7f" <= one <= "\x9f" or one in "\u2028\u2029"
    reorders = "\u202a" <= one <= "\u202e" or "\u2066" <= one <= "\u2069"
    return not (control or reorders or "\ud800" <= one <= "\udfff")


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    shown = sorted(names)[:_NAMED]
    if more > 0:
        return f"{', '.join(shown)} and {more} more are"
    return f"{shown[0]} is" if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]} are"


def _files(folder: Path, below: bool, above: frozenset[tuple[int, int]]) -> Iterator[tuple[Path, str]]:
    """Every file with why it cannot be an image, empty if nothing is known against it; folders that cannot be read."""
    try:
        facts = folder.stat()
        here = (facts.st_dev, facts.st_ino)
        if here in above:
            return
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield folder, f"the folder cannot be read ({error.strerror})"
        return
    for entry in inside:
        path = folder / entry.name
        if is_kept_by_system(entry.name):
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link that leads to itself
            is_folder = is_file = False
        if is_folder:
            if below:
                yield from _files(path, below, above | {here})
        elif is_file:
            yield path, ""
        elif entry.is_symlink() and path.suffix.lower() in IMAGE_SUFFIXES:
            yield path, "the link leads nowhere; restore the file that it names"


def _reason(path: Path) -> str:
    """Why a file is not taken for an image; empty if it is."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "" if is_unicode(path) else "the name is not valid UTF-8; rename it"
    if suffix in OTHER_SUFFIXES or (not suffix and _starts_like_an_image(path)):
        return f"not one of {', '.join(IMAGE_SUFFIXES)}; convert or rename it"
    return _NO_IMAGE


def _starts_like_an_image(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(8).startswith(_MAGIC)
    except OSError:
        return False
