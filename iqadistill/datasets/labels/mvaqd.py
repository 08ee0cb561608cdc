"""MVAQD: MVAQD_ref_dis_label.txt, rows "1.png 16.png 4.3", all pictures numbered in one folder."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError


def read_mvaqd(archive: Archive) -> list[Label]:
    """Read MVAQD: columns reference, image, score, in this order.

    References are scattered among the numbers, and types and levels of the distortions are not part of the labels.
    """
    file = archive.need("MVAQD_ref_dis_label.txt")
    labels = [
        Label(where, picture, number(where, "score", score), reference=reference)
        for where, (reference, picture, score) in read_lines(file, "reference image score")
    ]
    references = {label.reference for label in labels}
    for label in labels:
        if label.picture in references:
            raise InputError(
                f"{label.where}: {label.picture} is rated and a reference as well; expected the columns reference, image, score."
            )
    return labels
