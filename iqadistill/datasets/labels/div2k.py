"""DIV2K: pristine pictures in DIV2K_train_HR and DIV2K_valid_HR, no labels."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

FOLDERS = ("DIV2K_train_HR", "DIV2K_valid_HR")


def read_div2k(archive: Archive) -> list[Label]:
    """List DIV2K; every picture is a reference without score."""
    pictures = [f"{folder}/{name}" for folder in FOLDERS for name in archive.pictures(folder)]
    if not pictures:
        raise InputError(
            f"{archive.root}: has no pictures in {' and '.join(FOLDERS)}; unpack the official archives there."
        )
    return [Label(str(archive.root / picture), picture, None, is_reference=True) for picture in pictures]
