"""LIVE release 2: dmos_realigned.mat, one row per image of five folders in turn, and refnames_all.mat."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_name, as_number, read_variable
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

FOLDERS = {
    "jp2k": "jpeg2000",
    "jpeg": "jpeg",
    "wn": "white_noise",
    "gblur": "gaussian_blur",
    "fastfading": "fast_fading",
}
"""Folders in the order of the rows, with the type of distortion in each."""


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of LIVE.

    The dataset circulates on two scales: dmos.mat has the scores of separate sessions, dmos_realigned.mat those of the
    later realignment, which publications report; only the latter is read. Its rows with orgs set are copies of the
    references among the distorted images: they are left out, and each reference is listed once, from refimgs, with the
    score of its copies.
    """
    if folder.find("dmos_realigned.mat") is None and folder.find("dmos.mat") is not None:
        raise InputError(
            f"{folder.root}: has dmos.mat but no dmos_realigned.mat; their scales differ and only realigned "
            "scores are comparable, so add that file (offered next to the archive)."
        )
    file = folder.need("dmos_realigned.mat")
    names = folder.need("refnames_all.mat")
    scores, deviations, copies = (read_variable(file, name) for name in ("dmos_new", "dmos_std", "orgs"))
    references = read_variable(names, "refnames_all")
    images = list(_images(folder))
    counts = {len(scores), len(deviations), len(copies), len(references), len(images)}
    if len(counts) > 1:
        raise InputError(
            f"{file}: has {len(scores)} rows, {names.name} {len(references)} and the folders {', '.join(FOLDERS)} "
            f"{len(images)} images, expected equal numbers; unpack the complete archive."
        )
    labels: list[Label] = []
    pristine: dict[str, Label] = {}
    for row, (distortion, image) in enumerate(images):
        where = f"{file} row {row + 1}"
        reference = f"refimgs/{as_name(where, 'reference', references[row])}"
        score, deviation = as_number(where, "dmos_new", scores[row]), as_number(where, "dmos_std", deviations[row])
        if as_number(where, "orgs", copies[row]):
            pristine.setdefault(reference, Label(where, reference, score, is_reference=True))
        else:
            labels.append(Label(where, image, score, deviation, reference, distortion=distortion))
    return labels + list(pristine.values())


def _images(folder: UnpackedFolder) -> Iterator[tuple[str, str]]:
    """Distortion and path of img1.bmp, img2.bmp ... of every folder."""
    for name, distortion in FOLDERS.items():
        stems = {PurePosixPath(image).stem.lower() for image in folder.images(name)}
        for number in range(1, sum(stem.startswith("img") for stem in stems) + 1):
            yield distortion, f"{name}/img{number}.bmp"
