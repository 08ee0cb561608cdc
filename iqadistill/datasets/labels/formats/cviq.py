"""CVIQ: CVIQ.mat (cells of name and MOS), and images 001.png, 002.png ... in blocks of 34 per scene."""

import re

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_name, as_number, read_lines, read_variable
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

BLOCK = 34
LEVELS = 11
TYPES = ("jpeg", "h264", "hevc")
"""Types of the first 33 images of a block, 11 levels each, mildest first; the 34th is the scene's reference."""


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of CVIQ; CVIQD_dis_label.txt and CVIQD_ref_label.txt (rows "001.png 64.66") are read as well."""
    labels = []
    for where, name, score in _rows(folder):
        match = re.fullmatch(r"(\d+)\.\w+", name)
        if match is None or int(match[1]) < 1:
            raise InputError(f"{where}: {name!r} is not a numbered image like 001.png; get the label file again.")
        scene, index = divmod(int(match[1]) - 1, BLOCK)
        reference = f"{(scene + 1) * BLOCK:03d}.png"
        if index == BLOCK - 1:
            labels.append(Label(where, reference, score, is_reference=True))
        else:
            kind, level = TYPES[index // LEVELS], index % LEVELS + 1
            image = f"{scene * BLOCK + index + 1:03d}.png"
            labels.append(Label(where, image, score, reference=reference, distortion=kind, level=level))
    return labels


def _rows(folder: UnpackedFolder) -> list[tuple[str, str, float]]:
    if folder.find("CVIQ.mat") is None and folder.find("CVIQD_dis_label.txt") is not None:
        files = [folder.need(f"CVIQD_{part}_label.txt") for part in ("dis", "ref")]
        lines = [line for file in files for line in read_lines(file, "image mos")]
        return [(where, name, as_number(where, "mos", score)) for where, (name, score) in lines]
    file = folder.need("CVIQ.mat", "CVIQD_dis_label.txt")
    cells = read_variable(file, "CVIQ")
    if cells.ndim != 2 or cells.shape[1] != 2:
        raise InputError(
            f"{file}: CVIQ has the shape {cells.shape}, expected rows of name and MOS; get the file again."
        )
    wheres = [f"{file} row {row}" for row in range(1, len(cells) + 1)]
    return [
        (where, as_name(where, "image", name), as_number(where, "mos", score))
        for where, (name, score) in zip(wheres, cells, strict=True)
    ]
