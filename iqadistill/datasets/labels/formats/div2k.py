"""DIV2K: pristine images in DIV2K_train_HR and DIV2K_valid_HR, without labels."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

FOLDERS = ("DIV2K_train_HR", "DIV2K_valid_HR")


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Images of DIV2K, each a reference without score."""
    images = [f"{name}/{image}" for name in FOLDERS for image in folder.images(name)]
    if not images:
        raise InputError(
            f"{folder.root}: has no images in {' and '.join(FOLDERS)}; unpack the official archives there."
        )
    return [Label(str(folder.root / image), image, None, is_reference=True) for image in images]
