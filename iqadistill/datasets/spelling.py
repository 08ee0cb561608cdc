"""Spellings of one image's name: letter case, composed or decomposed letters, blanks, folders, suffixes.

Label files and disks differ in them. Two names that differ in nothing else mean one image, so they never come to be
two contents, of which one could be in training and the other in test. Where they may differ in nothing else, as 2 and
02, the name is refused.
"""

import difflib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from iqadistill.csv_files import MISSING
from iqadistill.errors import InputError
from iqadistill.images.listing import IMAGE_SUFFIXES, OTHER_SUFFIXES, readable

_SUFFIXES = OTHER_SUFFIXES.union(IMAGE_SUFFIXES)
_ERROR = re.compile("#[A-Z0/_]+[!?]")  # of spreadsheet programs, such as #REF! and #NAME?
_NOT_PLAIN = re.compile(r"\\|//|\./|/\.?$|^\.?$")
_DIVIDERS = re.compile(r"[\s_\u2010-\u2015\u2212-]+")
_QUOTES = re.compile("[\"'`\u2018\u2019\u201c\u201d]")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")  # but for those of decimals
_DECIMALS = re.compile(r"(^|/)(\d+)\.0+(?=/|$)")


def posix_path(path: str) -> str:
    """A path with slashes, without ./ and doubled slashes."""
    return PurePosixPath(path.replace("\\", "/")).as_posix() if _NOT_PLAIN.search(path) else path


def without_suffix(path: str) -> str:
    """The id of an image, from its path."""
    plain = posix_path(path)
    dot = plain.rfind(".")
    return plain[:dot] if plain.rfind("/") + 1 < dot < len(plain) - 1 else plain


def folded(name: str) -> str:
    """A name as all its spellings have it: lower case, composed letters, no invisible characters, single blanks.

    Blanks and dots at the end of a folder or file are left out, as Windows does.
    """
    if name.isascii():
        visible = name.lower()
    else:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        visible = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return "/".join(" ".join(part.rstrip(". ").split()) or part.strip() for part in visible.split("/"))


def _scene(name: str) -> str:
    """What all spellings of an image's path have in common; suffixes go only if they are those of images."""
    text = folded(posix_path(name))
    while True:
        stem, _, suffix = text.rpartition(".")
        stem = stem.rstrip(". ")
        if not stem or stem.endswith("/") or f".{suffix.strip()}" not in _SUFFIXES:
            return text
        text = stem


def _unsure(scene: str) -> str:
    """What two names have in common that one person or program may have written for the other.

    Spreadsheet programs remove leading zeros and add decimals, servers code blanks as %20, people replace them.
    """
    text = _DIVIDERS.sub("-", _scene(_QUOTES.sub("", unquote(scene))))
    return _LEADING_ZEROS.sub("", _DECIMALS.sub(r"\1\2", text))


def endings(path: str) -> list[str]:
    """All endings of a path, the longest first: a/b/c, b/c, c."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


class NamedImages:
    """Images of a listing, found by path, id, or an end of their path, in any spelling.

    Args:
        images: Paths of the images.
        ids: Their ids.
    """

    def __init__(self, images: Sequence[str], ids: Sequence[str]):
        self._images, self._ids = images, ids
        self._exact = dict(zip(ids, ids, strict=True)) | dict(zip(images, ids, strict=True))  # a path before an id

    def find(self, name: str) -> list[str]:
        """Ids of the images that a name fits: the best fit alone, several if they fit equally well."""
        if name in self._exact:
            return [self._exact[name]]
        if name in self._of_file:
            return self._of_file[name]
        if folded(name) in self._folded:
            return [self._folded[folded(name)]]
        return self._of_scene.get(_scene(name)) or self._of_ending.get(_scene(name), [])

    @cached_property
    def _of_file(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for image, name in zip(self._images, self._ids, strict=True):
            for file in {image.rpartition("/")[2], name.rpartition("/")[2]}:
                found[file].append(name)
        return dict(found)

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {folded(name): image_id for name, image_id in self._exact.items()}

    @cached_property
    def _of_scene(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self._ids:
            found[_scene(name)].append(name)
        return dict(found)

    @cached_property
    def _of_ending(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for scene, names in self._of_scene.items():
            for ending in endings(scene)[1:]:
                found[ending] += names
        return dict(found)


def reference_ids(
    wheres: Sequence[str], images: Sequence[str], ids: Sequence[str], references: Sequence[str]
) -> list[str]:
    """Content that each image's reference names.

    Args:
        wheres: File and row of each image, for messages.
        images: Paths of the images.
        ids: Their ids.
        references: Path, id or file name of each image's reference; "" where the image is its own.

    Returns:
        The id of the reference; where it is not listed, its name as it is spelt first.

    Raises:
        InputError: A reference fits several images, or other references, equally well; it may be another spelling of
            one, the number of a scene, or stand for none, such as NA.
    """
    named = NamedImages(images, ids)
    unlisted: dict[str, _Unlisted] = {}  # by scene
    found: list[str | None] = []
    scenes = []
    find, scene = cache(lambda cell: named.find(posix_path(cell))), cache(_scene)  # many images have one reference
    for where, image_id, cell in zip(wheres, ids, references, strict=True):
        candidates = find(cell) if cell else [image_id]
        if len(candidates) > 1:
            raise InputError(
                f"{where}: reference {cell!r} fits {candidates[0]!r} and {candidates[1]!r}; give its complete path."
            )
        if not candidates and (cell.lower() in MISSING or _ERROR.fullmatch(cell)):
            raise InputError(
                f"{where}: reference {cell!r} may stand for none; leave the cell empty where an image has no "
                "reference, or name the file with its suffix."
            )
        found.append(candidates[0] if candidates else None)
        scenes.append("" if candidates else scene(cell))
        if not candidates:
            unlisted.setdefault(scenes[-1], _Unlisted(where, cell))
    _refuse_numbers_of_scenes(wheres, ids, references, found)
    if not unlisted:
        return [name for name in found if name is not None]
    others = {name for name in found if name is not None}  # the images that are contents: their own, or those of others
    content = _unlisted_contents(unlisted, {_scene(name): name for name in others})
    return [content[key] if name is None else name for name, key in zip(found, scenes, strict=True)]


def _refuse_numbers_of_scenes(
    wheres: Iterable[str], ids: Sequence[str], references: Iterable[str], found: Sequence[str | None]
) -> None:
    """Refuse a plain word that names an image with another reference: it may be the number of a scene."""
    content = dict(zip(ids, found, strict=True))
    for where, cell, image_id, name in zip(wheres, references, ids, found, strict=True):
        if name is not None and name not in (image_id, content[name]) and not re.search(r"[./\\]", cell):
            raise InputError(
                f"{where}: reference {cell!r} may be the image {name!r}, which has another reference itself; write its "
                "file with the suffix if that is meant, or else another word such as scene-1."
            )


class _Unlisted(NamedTuple):
    """A reference that is not in the listing: file and row that name it first, and how."""

    where: str
    cell: str


def _unlisted_contents(unlisted: dict[str, _Unlisted], listed: dict[str, str]) -> dict[str, str]:
    """Name of each content that is not in the listing: a file name alone means the path that ends with it.

    Args:
        unlisted: References, by scene.
        listed: Images of the listing that are contents, by scene.
    """
    longer = defaultdict(list)
    for scene, (where, cell) in unlisted.items():
        for ending in endings(scene)[1:]:
            longer[ending].append(scene)
            if ending in listed:
                raise InputError(
                    f"{where}: reference {cell!r} is not in the listing, but {listed[ending]!r} is; spell a reference "
                    "in one way, or add a row for it."
                )
    _refuse_unsure(unlisted, listed)
    content = {}
    for scene, (where, cell) in unlisted.items():
        # a/b/c and b/c both end with c, and are one
        longest = [one for one in longer.get(scene, ()) if one not in longer]
        if len(longest) > 1:
            first, second = (unlisted[one].cell for one in longest[:2])
            raise InputError(f"{where}: reference {cell!r} fits {first!r} and {second!r}; give its complete path.")
        content[scene] = posix_path(unlisted[longest[0] if longest else scene].cell)
    return content


def _refuse_unsure(unlisted: dict[str, _Unlisted], listed: dict[str, str]) -> None:
    """Refuse references that may be other spellings of one another, or of an image."""
    alike = defaultdict(list)
    for scene in {**listed, **unlisted}:
        alike[_unsure(scene)].append(scene)
    for scene in {**listed, **unlisted}:
        for other in (one for ending in endings(_unsure(scene)) for one in alike.get(ending, ())):
            if f"/{scene}".endswith(f"/{other}") or (scene in listed and other in listed):
                continue
            first, second = (scene, other) if scene in unlisted else (other, scene)
            where, cell = unlisted[first]
            spelt = unlisted[second].cell if second in unlisted else listed[second]
            raise InputError(
                f"{where}: reference {cell!r} may be {spelt!r}; spell a reference in one way, or, where they are two "
                "images, rename one of them."
            )


def one_spelling(names: Iterable[str | None], first: Iterable[str]) -> list[str | None]:
    """Paths, each as the first path that differs from it in spelling only, also among those of `first`."""
    spelt: dict[str, str] = {}
    for name in first:
        spelt.setdefault(_scene(name), name)
    return [None if name is None else spelt.setdefault(_scene(name), name) for name in names]


def nearest_file(path: str | Path) -> str:
    """A hint that names the file on disk that a missing one may be; "" where none is like it."""
    path = Path(path)
    above = path.parent
    missing = path.name
    while not above.is_dir() and above != above.parent:
        above, missing = above.parent, above.name
    try:
        with os.scandir(above) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return ""
    same = [name for name in names if folded(name) == folded(missing)]
    others = [name for name in names if Path(name).suffix and _unsure(name) == _unsure(missing)]
    close = same or others or difflib.get_close_matches(missing, names[:100_000], n=1, cutoff=0.8)
    if not close:
        return ""
    how = " (the names differ in letter case, blanks or the coding of accents)" if same else ""
    return f"; the folder has {readable(close[0])!r}{how}"
