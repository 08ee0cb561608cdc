"""KADID-10k: dmos.csv (dist_img, ref_img, dmos, var), and all images in the folder images."""

import re

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_csv
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

TYPES = (
    "gaussian_blur",
    "lens_blur",
    "motion_blur",
    "color_diffusion",
    "color_shift",
    "color_quantization",
    "saturation_hsv",
    "saturation_lab",
    "jpeg2000",
    "jpeg",
    "white_noise",
    "chroma_noise",
    "impulse_noise",
    "multiplicative_noise",
    "denoising",
    "brighten",
    "darken",
    "mean_shift",
    "jitter",
    "non_eccentricity_pattern",
    "pixelate",
    "quantization",
    "color_block",
    "high_sharpen",
    "contrast",
)
"""Types of distortion in the order of their numbers in file names."""


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of KADID-10k.

    Two columns are misnamed: dmos is a mean opinion score, higher better, and var is the standard deviation of the
    opinions (as a variance it would exceed what a mean this close to the end of the scale allows).
    """
    file = folder.need("dmos.csv")
    labels = []
    for where, (name, reference, score, deviation) in read_csv(file, ["dist_img", "ref_img", "dmos", "var"]):
        match = re.fullmatch(r"(I\d\d)_(\d\d)_(\d\d)\.png", name)
        if match is None or not 1 <= int(match[2]) <= len(TYPES):
            raise InputError(f"{where}: {name!r} is not a name like I01_25_05.png; get the label file again.")
        if reference != f"{match[1]}.png":
            raise InputError(
                f"{where}: {name} has reference {reference!r}, expected {match[1]}.png; get the file again."
            )
        labels.append(
            Label(
                where,
                f"images/{name}",
                as_number(where, "dmos", score),
                as_number(where, "var", deviation),
                f"images/{reference}",
                distortion=TYPES[int(match[2]) - 1],
                level=int(match[3]),
            )
        )
    return labels
