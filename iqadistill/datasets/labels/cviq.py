"""CVIQ: CVIQ.mat (cells of name and MOS), pictures 001.png, 002.png ... in blocks of 34 a scene."""

import re

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines, read_matrix
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

BLOCK = 34
LEVELS = 11
TYPES = ("jpeg", "h264", "hevc")
"""The first 33 of a block, 11 levels each, mildest first; the 34th is the scene's reference."""


def read_cviq(archive: Archive) -> list[Label]:
    """Read CVIQ; CVIQD_dis_label.txt and CVIQD_ref_label.txt (rows "001.png 64.66") are read as well."""
    labels = []
    for where, name, score in _rows(archive):
        match = re.fullmatch(r"(\d+)\.\w+", name)
        if match is None or int(match[1]) < 1:
            raise InputError(f"{where}: {name!r} is no numbered picture like 001.png; get the label file again.")
        scene, place = divmod(int(match[1]) - 1, BLOCK)
        reference = f"{(scene + 1) * BLOCK:03d}.png"
        if place == BLOCK - 1:
            labels.append(Label(where, reference, score, is_reference=True))
        else:
            kind, level = TYPES[place // LEVELS], place % LEVELS + 1
            picture = f"{scene * BLOCK + place + 1:03d}.png"
            labels.append(Label(where, picture, score, reference=reference, distortion=kind, level=level))
    return labels


def _rows(archive: Archive) -> list[tuple[str, str, float]]:
    if archive.find("CVIQ.mat") is None and archive.find("CVIQD_dis_label.txt") is not None:
        files = [archive.need(f"CVIQD_{part}_label.txt") for part in ("dis", "ref")]
        lines = [line for file in files for line in read_lines(file, "image mos")]
        return [(where, name, number(where, "mos", score)) for where, (name, score) in lines]
    file = archive.need("CVIQ.mat", "CVIQD_dis_label.txt")
    cells = read_matrix(file, "CVIQ")
    if cells.ndim != 2 or cells.shape[1] != 2:
        raise InputError(
            f"{file}: CVIQ has the shape {cells.shape}, expected rows of name and MOS; get the file again."
        )
    wheres = [f"{file} row {row}" for row in range(1, len(cells) + 1)]
    return [(where, str(name), number(where, "mos", score)) for where, (name, score) in zip(wheres, cells, strict=True)]
