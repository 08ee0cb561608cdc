"""CSIQ: csiq.DMOS.xlsx with pictures in dst_imgs/TYPE, or all of them in dst_imgs_all."""

import re
from collections.abc import Iterator
from pathlib import Path

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines, read_sheet
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

# the sheet's spelling, without blanks -> file name's, and ours; folders are the file name's in lower case
TYPES = {
    "noise": ("AWGN", "white_noise"),
    "awgn": ("AWGN", "white_noise"),
    "blur": ("BLUR", "gaussian_blur"),
    "contrast": ("contrast", "contrast"),
    "fnoise": ("fnoise", "pink_noise"),
    "jpeg": ("JPEG", "jpeg"),
    "jpeg2000": ("jpeg2000", "jpeg2000"),
}


def read_csiq(archive: Archive) -> list[Label]:
    """Read CSIQ.

    The workbook has its header in row 4 of sheet all_by_image, an image named 1600 that Excel holds as a number, and types
    spelt otherwise (noise, jpeg 2000) than in file names (AWGN, jpeg2000). Read as well: csiq.beta.xlsx of the same form, and
    csiq_label.txt with rows "1600.AWGN.1.png 0.061989".
    """
    file = archive.need("csiq.DMOS.xlsx", "csiq.beta.xlsx", "csiq_label.txt")
    rows = _from_text(file) if file.suffix == ".txt" else _from_workbook(file)
    labels = []
    for where, image, kind, level, deviation, score in rows:
        spelling = TYPES.get(kind.replace(" ", "").lower())
        if spelling is None:
            raise InputError(f"{where}: distortion {kind!r} is none of {', '.join(TYPES)}; get the label file again.")
        in_name, distortion = spelling
        name = f"{image}.{in_name}.{level}.png"
        flat, sorted_by_type = f"dst_imgs_all/{name}", f"dst_imgs/{in_name.lower()}/{name}"
        picture = sorted_by_type if archive.find(flat) is None else flat
        reference = f"src_imgs/{image}.png"
        labels.append(Label(where, picture, score, deviation, reference, distortion=distortion, level=level))
    return labels


def _from_workbook(file: Path) -> Iterator[tuple[str, str, str, int, float | None, float]]:
    columns = ["image", "dst_type", "dst_lev", "dmos_std", "dmos"]
    for where, (image, kind, level, deviation, score) in read_sheet(file, columns, sheet="all_by_image", header=4):
        known = number(where, "dmos_std", deviation) if deviation else None
        yield (
            where,
            image.removesuffix(".0"),
            kind,
            int(number(where, "dst_lev", level)),
            known,
            number(where, "dmos", score),
        )


def _from_text(file: Path) -> Iterator[tuple[str, str, str, int, None, float]]:
    for where, (name, score) in read_lines(file, "image dmos"):
        match = re.fullmatch(r"(.+)\.(\w+)\.(\d)\.png", name)
        if match is None:
            raise InputError(f"{where}: {name!r} is no name like 1600.AWGN.1.png; get the label file again.")
        yield where, match[1], match[2], int(match[3]), None, number(where, "dmos", score)
