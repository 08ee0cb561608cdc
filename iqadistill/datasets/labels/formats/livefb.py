"""LIVE-FB (FLIVE): labels_image.csv (name, mos), and images in database/SUBSET."""

import pandas as pd

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_csv
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder

LARGEST_TRAINED = 640


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of LIVE-FB.

    Names begin with the subset: blur_dataset, EE371R or voc_emotic_ava. So do ids, since copies of the dataset often
    lack the folder database around the subsets.
    """
    rows = read_csv(folder.need("labels_image.csv"), ["name", "mos"])
    return [Label(where, name, as_number(where, "mos", score)) for where, (name, score) in rows]


def official_roles(images: pd.DataFrame) -> pd.Series:
    """Roles of the authors' split: images with a side above 640 pixels are for testing, all others for training.

    Summaries of the dataset also say that both sides of a test image are at most 640. We follow the authors' code
    (github.com/baidut/PaQ-2-PiQ, fastiqa/labels/FLIVE.py): the images of its class FLIVE, which networks train on, are
    those with both sides at most 640, padded to 640 x 640; its class FLIVE_2k holds all others, for testing only.

    Args:
        images: Columns width and height, null where an image could not be decoded.
    """
    large = (images["width"] > LARGEST_TRAINED) | (images["height"] > LARGEST_TRAINED)
    return large.map({True: "test", False: "train"}).where(images["width"].notna(), None)
