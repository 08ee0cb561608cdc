"""The unpacked archive of a dataset: files found by official path, in any folder around them and any letter case."""

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from iqadistill.datasets.spelling import endings
from iqadistill.errors import InputError
from iqadistill.images.listing import IMAGE_SUFFIXES, is_kept_by_system

DEPTH = 5  # official layouts have at most four levels of folders, and archives often one more around them


class UnpackedFolder:
    """Files below a folder, by official path.

    A path is official when the files lie as the authors' archive unpacks them. The same files one or more folders
    deeper, in other letter case, and images with another suffix are found by it as well.

    Args:
        root: Folder that the official archive was unpacked into.

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
            # a file is named by the end of its path, without suffix so that any image format will do
            for ending in endings(file.with_suffix("").as_posix().lower()):
                self._files[ending].append(file)
            for ending in endings(file.parent.as_posix().lower()):
                self._folders[ending].append(file)

    def _walk(self) -> list[PurePosixPath]:
        files_below = []
        for folder, folders, files in os.walk(self.root, onerror=_refuse, followlinks=True):
            here = PurePosixPath(Path(folder).relative_to(self.root).as_posix())
            deep = len(here.parts) >= DEPTH
            folders[:] = [] if deep else sorted(name for name in folders if not is_kept_by_system(name))
            files_below += [here / name for name in sorted(files) if not name.startswith(".")]
        return files_below

    def find(self, path: str) -> str | None:
        """Actual path of a file relative to the root; None where there is no such file.

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
            if file.suffix.lower() == suffix or (suffix in IMAGE_SUFFIXES and file.suffix.lower() in IMAGE_SUFFIXES)
        ]
        # the file with the fewest folders around it, and the official format before copies in other formats
        ranks = [(len(file.parts), file.suffix.lower() != suffix) for file in fitting]
        best = [file for file, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
        if len(best) > 1:
            raise InputError(f"{self.root}: {path} exists twice, as {best[0]} and {best[1]}; keep one of them.")
        return best[0].as_posix() if best else None

    def need(self, *paths: str) -> Path:
        """The first of several files that exists.

        Raises:
            InputError: None of them does.
        """
        for path in paths:
            actual = self.find(path)
            if actual is not None:
                return self.root / actual
        others = f" (nor {', '.join(paths[1:])})" if len(paths) > 1 else ""
        raise InputError(
            f"{self.root}: has no label file {paths[0]}{others}; unpack the dataset's official archive there."
        )

    def images(self, folder: str) -> list[str]:
        """Names of the images in a folder given by its official path, sorted."""
        files = self._folders.get(folder.lower(), ())
        return sorted(file.name for file in files if file.suffix.lower() in IMAGE_SUFFIXES)


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); make the folder readable.")
