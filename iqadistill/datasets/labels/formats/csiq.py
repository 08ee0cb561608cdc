"""CSIQ: csiq.DMOS.xlsx, and images in dst_imgs/TYPE or all of them in dst_imgs_all."""

import re
from collections.abc import Iterator
from pathlib import Path

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_lines, read_sheet
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

# spelling in the sheet, without blanks -> spelling in file names, and our name; folders are named as files, in lower
# case
TYPES = {
    "noise": ("AWGN", "white_noise"),
    "awgn": ("AWGN", "white_noise"),
    "blur": ("BLUR", "gaussian_blur"),
    "contrast": ("contrast", "contrast"),
    "fnoise": ("fnoise", "pink_noise"),
    "jpeg": ("JPEG", "jpeg"),
    "jpeg2000": ("jpeg2000", "jpeg2000"),
}


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of CSIQ.

    The workbook has its header in row 4 of sheet all_by_image, an image named 1600 that Excel holds as a number, and
    types spelt differently (noise, jpeg 2000) from file names (AWGN, jpeg2000). Also read are csiq.beta.xlsx, of the
    same form, and csiq_label.txt with rows "1600.AWGN.1.png 0.061989".
    """
    file = folder.need("csiq.DMOS.xlsx", "csiq.beta.xlsx", "csiq_label.txt")
    rows = _from_text(file) if file.suffix == ".txt" else _from_workbook(file)
    labels = []
    for where, image, kind, level, deviation, score in rows:
        spelling = TYPES.get(kind.replace(" ", "").lower())
        if spelling is None:
            raise InputError(
                f"{where}: distortion {kind!r} is unknown, expected one of {', '.join(TYPES)}; get the file again."
            )
        in_name, distortion = spelling
        name = f"{image}.{in_name}.{level}.png"
        flat, sorted_by_type = f"dst_imgs_all/{name}", f"dst_imgs/{in_name.lower()}/{name}"
        image_path = sorted_by_type if folder.find(flat) is None else flat
        reference = f"src_imgs/{image}.png"
        labels.append(Label(where, image_path, score, deviation, reference, distortion=distortion, level=level))
    return labels


def _from_workbook(file: Path) -> Iterator[tuple[str, str, str, int, float | None, float]]:
    columns = ["image", "dst_type", "dst_lev", "dmos_std", "dmos"]
    for where, (image, kind, level, deviation, score) in read_sheet(
        file, columns, sheet="all_by_image", header=4, optional=["dmos_std"]
    ):
        yield (
            where,
            image,
            kind,
            int(as_number(where, "dst_lev", level)),
            as_number(where, "dmos_std", deviation) if deviation else None,
            as_number(where, "dmos", score),
        )


def _from_text(file: Path) -> Iterator[tuple[str, str, str, int, None, float]]:
    for where, (name, score) in read_lines(file, "image dmos"):
        match = re.fullmatch(r"(.+)\.(\w+)\.(\d)\.png", name)
        if match is None:
            raise InputError(f"{where}: {name!r} is not a name like 1600.AWGN.1.png; get the label file again.")
        yield where, match[1], match[2], int(match[3]), None, as_number(where, "dmos", score)
