"""LIVE Challenge: AllImages_release.mat, AllMOS_release.mat and AllStdDev_release.mat, pictures in Images."""

import re
from pathlib import PurePosixPath

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines, read_matrix, read_table
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

TRAINING = re.compile(r"t\d\.\w+")  # the seven pictures that showed subjects how to rate
MISSING = "Images/100.bmp"


def read_livec(archive: Archive) -> list[Label]:
    """Read LIVE Challenge.

    The release has 1169 rows: 7 pictures of the subjects' training, left out, and 1162 rated ones. Read as well, where the
    release's files are not there: clive_all_clip.txt, with all 1162, and LIVE_Challenge.txt, which has 1161 because
    100.bmp is not in it; that picture is then listed without score.
    """
    for name, read in (("clive_all_clip.txt", _from_list), ("LIVE_Challenge.txt", _from_short_list)):
        if archive.find("Data/AllImages_release.mat") is None and archive.find(name) is not None:
            return read(archive, name)
    return _from_release(archive)


def _from_release(archive: Archive) -> list[Label]:
    files = [archive.need(f"Data/All{part}_release.mat") for part in ("Images", "MOS", "StdDev")]
    names, scores, deviations = (read_matrix(file, file.stem) for file in files)
    if not len(names) == len(scores) == len(deviations):
        raise InputError(
            f"{files[1]}: has {len(scores)} scores and {len(deviations)} deviations for {len(names)} images; get the release again."
        )
    labels = []
    for row, name in enumerate(names):
        if TRAINING.fullmatch(str(name)):
            continue
        where = f"{files[1]} row {row + 1}"
        score, deviation = number(where, "MOS", scores[row]), number(where, "StdDev", deviations[row])
        labels.append(Label(where, f"Images/{name}", score, deviation))
    return labels


def _from_list(archive: Archive, name: str) -> list[Label]:
    rows = read_lines(archive.need(name), "image mos words*", separator="\t")
    return [Label(where, picture, number(where, "mos", score)) for where, (picture, score, *_) in rows]


def _from_short_list(archive: Archive, name: str) -> list[Label]:
    file = archive.need(name)
    labels = [
        Label(where, f"Images/{PurePosixPath(path).name}", number(where, "score", score))
        for where, (path, score) in read_table(file, ["dis_img_path", "score"])
    ]
    if all(label.picture != MISSING for label in labels):
        labels.append(Label(str(file), MISSING, None))
    return labels
