"""SPAQ: Annotations/MOS and Image attribute scores.xlsx, and images in TestImage."""

from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_csv, read_sheet
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of SPAQ; SPAQ.txt (dis_img_path, dis_type, score) is read as well."""
    file = folder.need("MOS and Image attribute scores.xlsx", "SPAQ.txt")
    if file.suffix == ".txt":
        rows = read_csv(file, ["dis_img_path", "score"])
    else:
        rows = read_sheet(file, ["Image name", "MOS"])
    return [
        Label(where, f"TestImage/{PurePosixPath(path).name}", as_number(where, "MOS", score))
        for where, (path, score) in rows
    ]
