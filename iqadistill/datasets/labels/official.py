"""Official labels of a dataset as a table with the columns of images.csv."""

import importlib
from pathlib import Path

import pandas as pd

from iqadistill.datasets.images_csv import image_ids
from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.registry import format_module
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.datasets.spelling import one_spelling, without_suffix
from iqadistill.errors import InputError


def read_official_labels(format: str, root: str | Path) -> pd.DataFrame:
    """Read a dataset's official labels.

    Files are found by their official paths, also in a folder around them or in other letter case. Image ids follow the
    official paths, so they do not depend on where the archive was unpacked.

    Args:
        format: One of `format_names()`.
        root: Folder with the unpacked archive.

    Returns:
        The columns of `read_images_csv`, and official_role (train, val, test or None). References that the labels name
        without rating them come last, without score.

    Raises:
        InputError: There is no such format; a label file is missing, unreadable or not as its dataset's authors made
            it.
    """
    reader = importlib.import_module(format_module(format))
    folder = UnpackedFolder(root)
    labels = reader.read_labels(folder)
    for label in labels:
        if label.score_std is not None and label.score_std < 0:
            raise InputError(
                f"{label.where}: the standard deviation {label.score_std:g} is below 0; get the label file again."
            )
    references = one_spelling((label.reference for label in labels), [label.image for label in labels])
    labels = [label._replace(reference=name) for label, name in zip(labels, references, strict=True)]
    listed = {label.image for label in labels}
    for label in list(labels):
        if label.reference is not None and label.reference not in listed:
            listed.add(label.reference)
            labels.append(Label(label.where, label.reference, None, is_reference=True))
    listing = pd.DataFrame(labels, columns=Label._fields).astype({"score": float, "score_std": float, "level": "Int32"})
    listing = listing.rename(columns={"image": "official"})
    listing["image_id"] = image_ids(listing["where"], listing["official"])
    listing["image"] = [folder.find(image) or image for image in listing["official"]]
    named = listing["reference"].where(listing["reference"].notna(), listing["official"])
    listing["reference_id"] = named.map(without_suffix)
    return listing.drop(columns=["official", "reference"])


def official_roles(format: str, images: pd.DataFrame) -> pd.Series:
    """Role of each image in the authors' split, None where it has none.

    Args:
        format: One of `format_names()`.
        images: Columns official_role as `read_official_labels` gives it, and width and height of the decoded images.
    """
    reader = importlib.import_module(format_module(format))
    return reader.official_roles(images) if hasattr(reader, "official_roles") else images["official_role"]
