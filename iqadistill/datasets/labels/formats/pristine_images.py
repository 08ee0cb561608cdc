"""A folder of pristine images without labels."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.unpacked_folder import ARCHIVED_SUFFIXES, UnpackedFolder
from iqadistill.errors import InputError


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """All images of a folder and the folders below it, each a reference without score; hidden ones are left out."""
    paths = (file.relative_to(folder.root) for file in folder.root.rglob("*"))
    shown = (path for path in paths if not any(part.startswith(".") for part in path.parts))
    images = sorted(path.as_posix() for path in shown if path.suffix.lower() in ARCHIVED_SUFFIXES)
    if not images:
        raise InputError(f"{folder.root}: has no images; put some there, or name another folder as root.")
    return [Label(str(folder.root / image), image, None, is_reference=True) for image in images]
