"""Official label files, a parser each, read into the same columns as images.csv."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from iqadistill.datasets.images_csv import image_ids, without_suffix
from iqadistill.datasets.labels import livefb
from iqadistill.datasets.labels.csiq import read_csiq
from iqadistill.datasets.labels.cviq import read_cviq
from iqadistill.datasets.labels.div2k import read_div2k
from iqadistill.datasets.labels.kadid10k import read_kadid10k
from iqadistill.datasets.labels.koniq10k import read_koniq10k
from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.live import read_live
from iqadistill.datasets.labels.livec import read_livec
from iqadistill.datasets.labels.mvaqd import read_mvaqd
from iqadistill.datasets.labels.oiqa import read_oiqa
from iqadistill.datasets.labels.pictures import read_pictures
from iqadistill.datasets.labels.spaq import read_spaq
from iqadistill.datasets.labels.tid2013 import read_tid2013
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

FORMATS: dict[str, Callable[[Archive], list[Label]]] = {
    "live": read_live,
    "csiq": read_csiq,
    "tid2013": read_tid2013,
    "kadid10k": read_kadid10k,
    "livec": read_livec,
    "koniq10k": read_koniq10k,
    "livefb": livefb.read_livefb,
    "spaq": read_spaq,
    "cviq": read_cviq,
    "oiqa": read_oiqa,
    "mvaqd": read_mvaqd,
    "div2k": read_div2k,
    "pictures": read_pictures,
}


def read_labels(format: str, root: str | Path) -> pd.DataFrame:
    """Read a dataset's official labels.

    Files are found by their official paths, in a folder around them or in other letter case too; ids follow the official
    paths, so they do not depend on where the archive was unpacked.

    Args:
        format: Name in `FORMATS`.
        root: Folder with the unpacked archive.

    Returns:
        The columns of `read_listing`, and official_role (train, val, test or None). References that the labels name without
        rating them stand at the end, without score.

    Raises:
        InputError: No such format; a label file is missing, unreadable or not as its dataset's authors made it.
    """
    if format not in FORMATS:
        raise InputError(f"labels: format {format!r} is unknown; expected one of {', '.join(FORMATS)}.")
    archive = Archive(root)
    labels = FORMATS[format](archive)
    listed = {label.picture for label in labels}
    for label in list(labels):
        if label.reference is not None and label.reference not in listed:
            listed.add(label.reference)
            labels.append(Label(label.where, label.reference, None, is_reference=True))
    listing = pd.DataFrame(labels, columns=Label._fields).astype({"score": float, "score_std": float, "level": "Int32"})
    listing["image"] = [archive.find(picture) or picture for picture in listing["picture"]]
    listing["image_id"] = image_ids(listing["where"], listing["picture"])
    references = listing["reference"].where(listing["reference"].notna(), listing["picture"])
    listing["reference_id"] = references.map(without_suffix)
    return listing.drop(columns=["picture", "reference"])


def official_roles(format: str, images: pd.DataFrame) -> pd.Series:
    """Role of each image in the authors' own split, None where they have none.

    Args:
        format: Name in `FORMATS`.
        images: Columns official_role as `read_labels` found it, width and height.
    """
    if format == "livefb":  # its split goes by the size of the pictures, known only once they are decoded
        return livefb.official_roles(images["width"], images["height"])
    return images["official_role"]
