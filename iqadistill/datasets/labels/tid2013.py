"""TID2013: mos_with_names.txt, rows "5.51429 I01_01_1.bmp"."""

import re

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines
from iqadistill.datasets.labels.unpacked_folder import Archive
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
"""In the order of their numbers in file names."""


def read_tid2013(archive: Archive) -> list[Label]:
    """Read TID2013.

    Names mix I and i, in the label file and on disk, and not in the same places: one spelling, I, goes into the ids and files
    are found in either. Reference 25 is computer-made, unlike the photographs; it is rated like them, counts in every
    published number and is kept.
    """
    file = archive.need("mos_with_names.txt")
    labels = []
    for where, (score, name) in read_lines(file, "mos image"):
        match = re.fullmatch(r"i(\d\d)_(\d\d)_(\d)\.bmp", name.lower())
        if match is None or not 1 <= int(match[2]) <= len(TYPES):
            raise InputError(f"{where}: {name!r} is no name like I01_24_5.bmp; get the label file again.")
        reference, kind, level = match.groups()
        labels.append(
            Label(
                where,
                f"distorted_images/I{reference}_{kind}_{level}.bmp",
                number(where, "mos", score),
                reference=f"reference_images/I{reference}.BMP",
                distortion=TYPES[int(kind) - 1],
                level=int(level),
            )
        )
    return labels
