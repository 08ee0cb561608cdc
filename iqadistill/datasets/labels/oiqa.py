"""OIQA: 360IQA_MOS.mat, 20 distorted pictures a scene, then a reference a scene."""

from collections.abc import Sequence

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.reading import number, read_lines, read_matrix
from iqadistill.datasets.labels.unpacked_folder import Archive
from iqadistill.errors import InputError

TYPES = ("jpeg", "jpeg2000", "white_noise", "gaussian_blur")
LEVELS = 5
SCENE = len(TYPES) * LEVELS
HIGHEST_MOS = 10


def read_oiqa(archive: Archive) -> list[Label]:
    """Read OIQA.

    Labels circulate on two scales, MOS from 1 to 10 and its rescaled z-score MOSz from about 20 to 80; the official file has
    both, and MOS is taken. OIQA_dis_label.txt (rows "img1 8.55") and OIQA_ref_label.txt ("1 8.68") are read as well.

    Raises:
        InputError: The scores are MOSz, or of both scales.
    """
    rows = _rows(archive)
    _check_scale(rows)
    scenes = len(rows) // (SCENE + 1)
    if len(rows) != scenes * (SCENE + 1):
        raise InputError(
            f"{rows[0][0]}: {len(rows)} scores are no whole scenes of {SCENE} and a reference; get the file again."
        )
    labels = []
    for place, (where, score) in enumerate(rows[: scenes * SCENE]):
        scene, in_scene = divmod(place, SCENE)
        labels.append(
            Label(
                where,
                f"distorted_images/img{place + 1}.png",
                score,
                reference=_reference(archive, scene + 1),
                distortion=TYPES[in_scene // LEVELS],
                level=in_scene % LEVELS + 1,
            )
        )
    for scene, (where, score) in enumerate(rows[scenes * SCENE :], start=1):
        labels.append(Label(where, _reference(archive, scene), score, is_reference=True))
    return labels


def _rows(archive: Archive) -> list[tuple[str, float]]:
    if archive.find("360IQA_MOS.mat") is not None or archive.find("OIQA_dis_label.txt") is None:
        file = archive.need("360IQA_MOS.mat", "OIQA_dis_label.txt")
        scores = read_matrix(file, "MOS")
        wheres = [f"{file} row {row}" for row in range(1, len(scores) + 1)]
        return [(where, number(where, "MOS", score)) for where, score in zip(wheres, scores, strict=True)]
    rows = []
    for part, prefix in (("dis", "img"), ("ref", "")):
        file = archive.need(f"OIQA_{part}_label.txt")
        for place, (where, (name, score)) in enumerate(read_lines(file, "image mos"), start=1):
            if name != f"{prefix}{place}":
                raise InputError(f"{where}: names {name!r} where {prefix}{place} belongs; get the label file again.")
            rows.append((where, number(where, "MOS", score)))
    return rows


def _check_scale(rows: Sequence[tuple[str, float]]) -> None:
    above = [(where, score) for where, score in rows if score > HIGHEST_MOS]
    if above:
        where, score = above[0]
        found = "MOSz" if len(above) == len(rows) else f"MOS, and MOSz in {len(above)} of {len(rows)} rows"
        raise InputError(
            f"{where}: score {score:g} is on the scale MOSz; the file holds {found}, expected MOS (1 to 10) throughout, as in "
            "360IQA_MOS.mat."
        )


def _reference(archive: Archive, scene: int) -> str:
    """References are numbered, with or without a word before."""
    spellings = [f"reference_images/{word}{scene}.png" for word in ("img", "ref", "")]
    return next((spelling for spelling in spellings if archive.find(spelling)), spellings[0])
