"""A folder of pristine images without labels."""

import warnings

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError
from iqadistill.images.listing import find_images


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """All images of a folder and the folders below it, each a reference without score."""
    images, left_out = find_images(folder.root)
    for sentence in left_out:
        warnings.warn(sentence, stacklevel=2)
    if not images:
        raise InputError(f"{folder.root}: has no images; put some there, or name another folder as root.")
    names = (image.relative_to(folder.root).as_posix() for image in images)
    return [Label(str(folder.root / image), image, None, is_reference=True) for image in names]
