"""OIQA: 360IQA_MOS.mat, 20 distorted images per scene, then one reference per scene."""

from collections.abc import Sequence

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_lines, read_variable
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

TYPES = ("jpeg", "jpeg2000", "white_noise", "gaussian_blur")
LEVELS = 5
SCENE = len(TYPES) * LEVELS
HIGHEST_MOS = 10


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of OIQA.

    They circulate on two scales, MOS from 1 to 10 and its rescaled z-score MOSz from about 20 to 80; the official file
    has both, and MOS is used. OIQA_dis_label.txt (rows "img1 8.55") and OIQA_ref_label.txt ("1 8.68") are read as well.

    Raises:
        InputError: The scores are MOSz, or mix both scales.
    """
    rows = _rows(folder)
    _check_scale(rows)
    scenes = len(rows) // (SCENE + 1)
    if len(rows) != scenes * (SCENE + 1):
        raise InputError(
            f"{rows[0][0]}: {len(rows)} scores are not a multiple of {SCENE} and a reference per scene; "
            "get the file again."
        )
    labels = []
    for index, (where, score) in enumerate(rows[: scenes * SCENE]):
        scene, in_scene = divmod(index, SCENE)
        labels.append(
            Label(
                where,
                f"distorted_images/img{index + 1}.png",
                score,
                reference=_reference(folder, scene + 1),
                distortion=TYPES[in_scene // LEVELS],
                level=in_scene % LEVELS + 1,
            )
        )
    for scene, (where, score) in enumerate(rows[scenes * SCENE :], start=1):
        labels.append(Label(where, _reference(folder, scene), score, is_reference=True))
    return labels


def _rows(folder: UnpackedFolder) -> list[tuple[str, float]]:
    if folder.find("360IQA_MOS.mat") is not None or folder.find("OIQA_dis_label.txt") is None:
        file = folder.need("360IQA_MOS.mat", "OIQA_dis_label.txt")
        scores = read_variable(file, "MOS")
        wheres = [f"{file} row {row}" for row in range(1, len(scores) + 1)]
        return [(where, as_number(where, "MOS", score)) for where, score in zip(wheres, scores, strict=True)]
    rows = []
    for part, prefix in (("dis", "img"), ("ref", "")):
        file = folder.need(f"OIQA_{part}_label.txt")
        for number, (where, (name, score)) in enumerate(read_lines(file, "image mos"), start=1):
            if name != f"{prefix}{number}":
                raise InputError(f"{where}: names {name!r}, expected {prefix}{number}; get the label file again.")
            rows.append((where, as_number(where, "MOS", score)))
    return rows


def _check_scale(rows: Sequence[tuple[str, float]]) -> None:
    above = [(where, score) for where, score in rows if score > HIGHEST_MOS]
    if above:
        where, score = above[0]
        scale = "MOSz" if len(above) == len(rows) else f"MOS, and MOSz in {len(above)} of {len(rows)} rows"
        raise InputError(
            f"{where}: score {score:g} is on the scale MOSz; "
            f"the file holds {scale}, expected MOS (1 to 10) throughout, as in 360IQA_MOS.mat."
        )


def _reference(folder: UnpackedFolder, scene: int) -> str:
    """Path of a scene's reference: a number, with or without a word before it."""
    spellings = [f"reference_images/{word}{scene}.png" for word in ("img", "ref", "")]
    return next((spelling for spelling in spellings if folder.find(spelling)), spellings[0])
