"""SPAQ: Annotations/MOS and Image attribute scores.xlsx, pictures in TestImage."""

from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_sheet, read_table
from iqadistill.datasets.labels.unpacked_folder import Archive


def read_spaq(archive: Archive) -> list[Label]:
    """Read SPAQ; SPAQ.txt (dis_img_path, dis_type, score) is read as well."""
    file = archive.need("MOS and Image attribute scores.xlsx", "SPAQ.txt")
    if file.suffix == ".txt":
        rows = read_table(file, ["dis_img_path", "score"])
    else:
        rows = read_sheet(file, ["Image name", "MOS"])
    return [
        Label(where, f"TestImage/{PurePosixPath(path).name}", number(where, "MOS", score))
        for where, (path, score) in rows
    ]
