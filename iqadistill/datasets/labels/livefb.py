"""LIVE-FB (FLIVE): labels_image.csv (name, mos), pictures in database/SUBSET."""

import pandas as pd

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_table
from iqadistill.datasets.labels.unpacked_folder import Archive

LARGEST_TRAINED = 640


def read_livefb(archive: Archive) -> list[Label]:
    """Read LIVE-FB.

    Names begin with the subset: blur_dataset, EE371R or voc_emotic_ava; ids do too, since copies of the set often lack the
    folder database around them.
    """
    rows = read_table(archive.need("labels_image.csv"), ["name", "mos"])
    return [Label(where, name, number(where, "mos", score)) for where, (name, score) in rows]


def official_roles(width: pd.Series, height: pd.Series) -> pd.Series:
    """The authors' split: pictures with a side above 640 pixels test, all others train."""
    large = (width > LARGEST_TRAINED) | (height > LARGEST_TRAINED)
    return large.map({True: "test", False: "train"}).where(width.notna(), None)
