"""A folder of pristine pictures, no labels."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.unpacked_folder import PICTURES, Archive
from iqadistill.errors import InputError


def read_pictures(archive: Archive) -> list[Label]:
    """List every picture of a folder and those below it; each is a reference without score."""
    found = (file for file in archive.root.rglob("*") if file.suffix.lower() in PICTURES)
    pictures = sorted(file.relative_to(archive.root).as_posix() for file in found)
    if not pictures:
        raise InputError(f"{archive.root}: has no pictures; put some there, or name another folder as root.")
    return [Label(str(archive.root / picture), picture, None, is_reference=True) for picture in pictures]
