"""The unpacked archive of a dataset: files found by their official path, however the archive was wrapped or spelt."""

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from iqadistill.errors import InputError

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
DEPTH = 5  # official layouts have at most four levels, and archives often one more around them


class Archive:
    """Files below a folder.

    A path is official when the files lie as the authors' archive unpacks them. The same files one or more folders deeper, in
    other letter case, and pictures with another suffix are found by it as well.

    Args:
        root: Folder the official archive was unpacked into.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"{root}: does not exist; unpack the dataset's official archive into this folder.")
        self._files: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._folders: dict[str, list[PurePosixPath]] = defaultdict(list)
        for file in self._walk():
            # the end of a path names a file, without suffix so that any picture format will do
            for parts in _ends(file.with_suffix("")):
                self._files[parts].append(file)
            for parts in _ends(file.parent):
                self._folders[parts].append(file)

    def _walk(self) -> list[PurePosixPath]:
        found = []
        for folder, folders, files in os.walk(self.root, followlinks=True):
            here = PurePosixPath(Path(folder).relative_to(self.root).as_posix())
            # macOS archives carry a shadow of every file in __MACOSX and ._ files
            deep = len(here.parts) >= DEPTH
            folders[:] = [] if deep else sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
            found += [here / name for name in sorted(files) if not name.startswith(".")]
        return found

    def find(self, path: str) -> str | None:
        """Where a file lies, relative to the root; None where it does not.

        Args:
            path: Official path, e.g. "refimgs/bikes.bmp".

        Raises:
            InputError: Several files fit equally well.
        """
        wanted = PurePosixPath(path)
        suffix = wanted.suffix.lower()
        fitting = [
            file
            for file in self._files.get(wanted.with_suffix("").as_posix().lower(), ())
            if file.suffix.lower() == suffix or (suffix in PICTURES and file.suffix.lower() in PICTURES)
        ]
        # the least wrapped one, and the official format rather than a copy in another
        ranks = [(len(file.parts), file.suffix.lower() != suffix) for file in fitting]
        best = [file for file, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
        if len(best) > 1:
            raise InputError(f"{self.root}: {path} is there twice, as {best[0]} and {best[1]}; keep one of them.")
        return best[0].as_posix() if best else None

    def need(self, *paths: str) -> Path:
        """The first of several files that is there.

        Raises:
            InputError: None of them is.
        """
        for path in paths:
            found = self.find(path)
            if found is not None:
                return self.root / found
        others = f" (nor {', '.join(paths[1:])})" if len(paths) > 1 else ""
        raise InputError(
            f"{self.root}: has no label file {paths[0]}{others}; unpack the dataset's official archive there."
        )

    def pictures(self, folder: str) -> list[str]:
        """Names of the pictures in a folder given by its official path, sorted."""
        files = self._folders.get(folder.lower(), ())
        return sorted(file.name for file in files if file.suffix.lower() in PICTURES)


def _ends(path: PurePosixPath) -> list[str]:
    """Every end of a path in lower case: a/b/c, b/c, c."""
    parts = path.as_posix().lower().split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
