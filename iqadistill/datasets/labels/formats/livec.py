"""LIVE Challenge: AllImages_release.mat, AllMOS_release.mat and AllStdDev_release.mat, and images in Images."""

import re
from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_name, as_number, read_csv, read_lines, read_variable
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

TRAINING = re.compile(r"t\d\.\w+")  # the seven images that showed subjects how to rate
MISSING = "Images/100.bmp"


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of LIVE Challenge.

    The release has 1169 rows: 7 images for training the subjects, left out, and 1162 rated ones. Where the release's
    files are missing, clive_all_clip.txt, with all 1162 images, or LIVE_Challenge.txt is read. The latter has 1161
    because 100.bmp is not in it; that image is then listed without score.
    """
    for name, read in (("clive_all_clip.txt", _from_list), ("LIVE_Challenge.txt", _from_short_list)):
        if folder.find("Data/AllImages_release.mat") is None and folder.find(name) is not None:
            return read(folder, name)
    return _from_release(folder)


def _from_release(folder: UnpackedFolder) -> list[Label]:
    files = [folder.need(f"Data/All{part}_release.mat") for part in ("Images", "MOS", "StdDev")]
    names, scores, deviations = (read_variable(file, file.stem) for file in files)
    if not len(names) == len(scores) == len(deviations):
        raise InputError(
            f"{files[1]}: has {len(scores)} scores and {len(deviations)} deviations for {len(names)} images; "
            "get the release again."
        )
    labels = []
    for row, cell in enumerate(names):
        where = f"{files[1]} row {row + 1}"
        name = as_name(where, "image", cell)
        if TRAINING.fullmatch(name):
            continue
        score, deviation = as_number(where, "MOS", scores[row]), as_number(where, "StdDev", deviations[row])
        labels.append(Label(where, f"Images/{name}", score, deviation))
    return labels


def _from_list(folder: UnpackedFolder, name: str) -> list[Label]:
    rows = read_lines(folder.need(name), "image mos words*", separator="\t")
    return [Label(where, image, as_number(where, "mos", score)) for where, (image, score, *_) in rows]


def _from_short_list(folder: UnpackedFolder, name: str) -> list[Label]:
    file = folder.need(name)
    labels = [
        Label(where, f"Images/{PurePosixPath(path).name}", as_number(where, "score", score))
        for where, (path, score) in read_csv(file, ["dis_img_path", "score"])
    ]
    if all(label.image != MISSING for label in labels):
        labels.append(Label(str(file), MISSING, None))
    return labels
