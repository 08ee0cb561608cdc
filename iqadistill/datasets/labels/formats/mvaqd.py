"""MVAQD: MVAQD_ref_dis_label.txt, rows "1.png 16.png 4.3", and all images, numbered, in one folder."""

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_lines
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of MVAQD: columns reference, image, score, in this order.

    References are scattered among the numbers; types and levels of distortions are not part of the labels.
    """
    file = folder.need("MVAQD_ref_dis_label.txt")
    labels = [
        Label(where, image, as_number(where, "score", score), reference=reference)
        for where, (reference, image, score) in read_lines(file, "reference image score")
    ]
    references = {label.reference for label in labels}
    for label in labels:
        if label.image in references:
            raise InputError(
                f"{label.where}: {label.image} is both a rated image and a reference; "
                "expected the columns reference, image, score."
            )
    return labels
