"""Spellings of one image's name: letter case, composed or decomposed letters, blanks, folders, suffixes.

Label files and disks differ in them. Two names that differ in nothing else mean one image, so they never come to be
two contents, of which one could be in training and the other in test.
"""

import difflib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from iqadistill.errors import InputError
from iqadistill.images.listing import IMAGE_SUFFIXES, readable

_RARER = ".avif .dib .dng .gif .heic .heif .j2k .jfif .jp2 .jxl .pbm .pgm .pnm .ppm .psd .tga"
_SUFFIXES = frozenset((*IMAGE_SUFFIXES, *_RARER.split()))


def posix_path(path: str) -> str:
    """A path with slashes, without ./ and doubled slashes."""
    return PurePosixPath(path.replace("\\", "/")).as_posix()


def without_suffix(path: str) -> str:
    """The id of an image, from its path."""
    file = PurePosixPath(path)
    return file.with_suffix("").as_posix() if file.name else path


def folded(name: str) -> str:
    """A name as all its spellings have it: lower case, composed letters, no invisible characters, single blanks."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return "/".join(" ".join(part.split()) for part in visible.split("/"))


def _scene(name: str) -> str:
    """What all spellings of an image's path have in common; a suffix goes only if it is one of images."""
    text = folded(posix_path(name))
    stem, dot, suffix = text.rpartition(".")
    return stem.rstrip() if dot and stem and f".{suffix}" in _SUFFIXES else text


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
        self._exact = dict(zip(images, ids, strict=True)) | {name: name for name in ids}
        self._of_scene: dict[str, str] = {}
        self._of_ending: dict[str, list[str]] = defaultdict(list)
        self._of_file: dict[str, list[str]] = defaultdict(list)
        for image, name in zip(images, ids, strict=True):
            self._of_scene[folded(name)] = name
            for ending in endings(folded(name))[1:]:
                self._of_ending[ending].append(name)
            for file in {PurePosixPath(image).name, PurePosixPath(name).name}:
                self._of_file[file].append(name)

    def find(self, name: str) -> list[str]:
        """Ids of the images that a name fits: the best fit alone, several if they fit equally well."""
        if name in self._exact:
            return [self._exact[name]]
        if name in self._of_file:
            return self._of_file[name]
        scene = _scene(name)
        for key in (scene, folded(name)):
            if key in self._of_scene:
                return [self._of_scene[key]]
            if key in self._of_ending:
                return self._of_ending[key]
        return []


def reference_ids(
    wheres: Iterable[str], images: Sequence[str], ids: Sequence[str], references: Iterable[str]
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
        InputError: A reference fits several images, or other references, equally well.
    """
    named = NamedImages(images, ids)
    unlisted: dict[str, tuple[str, str]] = {}  # scene -> where it is named first, and how
    found: list[str | None] = []
    scenes = []
    for where, image_id, cell in zip(wheres, ids, references, strict=True):
        candidates = named.find(posix_path(cell)) if cell else [image_id]
        if len(candidates) > 1:
            raise InputError(
                f"{where}: reference {cell!r} fits {candidates[0]!r} and {candidates[1]!r}; give its complete path."
            )
        found.append(candidates[0] if candidates else None)
        scenes.append("" if candidates else _scene(cell))
        if not candidates:
            unlisted.setdefault(scenes[-1], (where, cell))
    listed = {folded(name): name for name, image_id in zip(found, ids, strict=True) if name and name != image_id}
    content = _unlisted_contents(unlisted, listed)
    return [content[scene] if name is None else name for name, scene in zip(found, scenes, strict=True)]


def _unlisted_contents(unlisted: dict[str, tuple[str, str]], listed: dict[str, str]) -> dict[str, str]:
    """Name of each content that is not in the listing: a file name alone means the path that ends with it."""
    longer = defaultdict(list)
    for scene, (where, cell) in unlisted.items():
        for ending in endings(scene)[1:]:
            longer[ending].append(scene)
            if ending in listed:
                raise InputError(
                    f"{where}: reference {cell!r} is not in the listing, but other rows name {listed[ending]!r}; spell "
                    "a reference in one way."
                )
    content = {}
    for scene, (where, _) in unlisted.items():
        # a/b/c and b/c both end with c, and are one
        longest = [one for one in longer.get(scene, ()) if one not in longer]
        if len(longest) > 1:
            first, second = (unlisted[one][1] for one in longest[:2])
            raise InputError(
                f"{where}: reference {unlisted[scene][1]!r} fits {first!r} and {second!r}; give its complete path."
            )
        content[scene] = posix_path(unlisted[longest[0] if longest else scene][1])
    return content


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
    others = [name for name in names if Path(name).suffix and _scene(name) == _scene(missing)]
    close = same or others or difflib.get_close_matches(missing, names[:100_000], n=1, cutoff=0.8)
    if not close:
        return ""
    how = " (the names differ in letter case, blanks or the coding of accents)" if same else ""
    return f"; the folder has {readable(close[0])!r}{how}"
