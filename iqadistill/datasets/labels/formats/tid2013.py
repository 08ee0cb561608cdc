"""TID2013: mos_with_names.txt, rows "5.51429 I01_01_1.bmp"."""

import re

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_lines
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

TYPES = (
    "white_noise",
    "chroma_noise",
    "spatially_correlated_noise",
    "masked_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantization_noise",
    "gaussian_blur",
    "denoising",
    "jpeg",
    "jpeg2000",
    "jpeg_transmission",
    "jpeg2000_transmission",
    "non_eccentricity_pattern",
    "block_distortion",
    "mean_shift",
    "contrast",
    "saturation",
    "multiplicative_noise",
    "comfort_noise",
    "lossy_noisy",
    "color_quantization",
    "chromatic_aberration",
    "sparse_sampling",
)
"""Types of distortion in the order of their numbers in file names."""


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of TID2013.

    Names mix I and i, differently in the label file and on disk: ids are spelt with I, and files are found in either
    spelling. Reference 25 is computer-made, unlike the photographs; it is rated like them, counts in all published
    numbers and is kept.
    """
    file = folder.need("mos_with_names.txt")
    labels = []
    for where, (score, name) in read_lines(file, "mos image"):
        match = re.fullmatch(r"i(\d\d)_(\d\d)_(\d)\.bmp", name.lower())
        if match is None or not 1 <= int(match[2]) <= len(TYPES):
            raise InputError(f"{where}: {name!r} is not a name like I01_24_5.bmp; get the label file again.")
        reference, kind, level = match.groups()
        labels.append(
            Label(
                where,
                f"distorted_images/I{reference}_{kind}_{level}.bmp",
                as_number(where, "mos", score),
                reference=f"reference_images/I{reference}.BMP",
                distortion=TYPES[int(kind) - 1],
                level=int(level),
            )
        )
    return labels
