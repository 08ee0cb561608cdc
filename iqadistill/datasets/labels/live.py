"""LIVE release 2: dmos_realigned.mat, a row an image of five folders one after the other, and refnames_all.mat."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_matrix
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

FOLDERS = {
    "jp2k": "jpeg2000",
    "jpeg": "jpeg",
    "wn": "white_noise",
    "gblur": "gaussian_blur",
    "fastfading": "fast_fading",
}
"""In the order of the rows."""


def read_live(archive: Archive) -> list[Label]:
    """Read LIVE.

    The set circulates on two scales: dmos.mat has the scores of separate sessions, dmos_realigned.mat those of the later
    realignment, which everyone reports; only the latter is read. Its rows with orgs set are copies of the references among
    the distorted pictures: they are left out, and each reference is listed once, from refimgs, with their score.
    """
    if archive.find("dmos_realigned.mat") is None and archive.find("dmos.mat") is not None:
        raise InputError(
            f"{archive.root}: has dmos.mat but no dmos_realigned.mat; their scales differ and only the realigned scores are "
            "comparable, so add that file (it is offered beside the archive)."
        )
    file = archive.need("dmos_realigned.mat")
    names = archive.need("refnames_all.mat")
    scores, deviations, copies = (read_matrix(file, name) for name in ("dmos_new", "dmos_std", "orgs"))
    references = read_matrix(names, "refnames_all")
    pictures = list(_pictures(archive))
    counts = {len(scores), len(deviations), len(copies), len(references), len(pictures)}
    if len(counts) > 1:
        raise InputError(
            f"{file}: has {len(scores)} rows, {names.name} {len(references)} and the folders {', '.join(FOLDERS)} "
            f"{len(pictures)} pictures, expected the same of each; unpack the whole archive."
        )
    labels, pristine = [], {}
    for row, (distortion, picture) in enumerate(pictures):
        where = f"{file} row {row + 1}"
        reference = f"refimgs/{references[row]}"
        score, deviation = number(where, "dmos_new", scores[row]), number(where, "dmos_std", deviations[row])
        if copies[row]:
            pristine.setdefault(reference, Label(where, reference, score, is_reference=True))
        else:
            labels.append(Label(where, picture, score, deviation, reference, distortion=distortion))
    return labels + list(pristine.values())


def _pictures(archive: Archive) -> Iterator[tuple[str, str]]:
    """Distortion and path of img1.bmp, img2.bmp ... of every folder."""
    for folder, distortion in FOLDERS.items():
        held = {PurePosixPath(name).stem.lower() for name in archive.pictures(folder)}
        for place in range(1, sum(stem.startswith("img") for stem in held) + 1):
            yield distortion, f"{folder}/img{place}.bmp"
