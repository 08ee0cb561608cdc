"""images.csv: one row per image, read as text and checked cell by cell; every message names file, row and column."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from iqadistill.csv_files import MISSING, number, read_cells, require_columns, warn_of_misspelt
from iqadistill.datasets.regions import Region
from iqadistill.datasets.registry import ScoreRecord
from iqadistill.datasets.spelling import folded, posix_path, reference_ids, without_suffix
from iqadistill.errors import InputError

_COLUMNS = ("image", "score_std", "reference", "is_reference", "distortion", "level", "region")
SCORE_COLUMNS = ("score", "mos", "dmos")
LARGEST_SCORE = 1e100  # so that squares of scores, and their sums, are finite
_INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
# the root, a home folder, a drive of Windows or an address such as file:/, a way up; or no file at all
_ELSEWHERE = re.compile(r"/|~[^/]*/|[a-z][a-z0-9+.-]*:/|(.*/)?\.\.(/|$)|\.?$", re.IGNORECASE | re.DOTALL)
_HIGHEST_LEVEL = 2**31 - 1
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def read_images_csv(file: Path, score: ScoreRecord | None) -> tuple[pd.DataFrame, str | None]:
    """Read a dataset's images.csv.

    Args:
        file: The CSV file: column image (path relative to the file's folder); one of score, mos, dmos unless the
            dataset has no scores; optionally score_std, reference, is_reference, distortion, level, region. Other
            columns are ignored.
        score: What is known about the score; None for a dataset without scores.

    Returns:
        Columns where (file and row, for messages), image, image_id, score, score_std, reference_id (the end of each
        chain of references), is_reference, distortion, level, region; and the name of the score column, None if no
        image has a score.

    Raises:
        InputError: The file is not a CSV file, lacks the column image or its score, or has several scores; an image is
            listed twice; a cell holds no number, flag or region where one is expected; references form a cycle.
    """
    own = () if score is None or score.column is None else (score.column,)
    known = (*_COLUMNS, *SCORE_COLUMNS, *own)
    cells = read_cells(file, known)
    warn_of_misspelt(file, cells.columns, known)
    require_columns(file, cells.columns, ["image"], "give each image's path there")
    column = None if score is None else _score_column(file, cells, score)
    if column is not None and not cells[column].any():
        column = None  # an empty score column: images without scores
    listing = pd.DataFrame({"image": cells["image"].map(posix_path).tolist()})
    listing["where"] = [f"{file} row {line}" for line in cells.index]
    listing["image_id"] = image_ids(listing["where"], listing["image"])
    listing["score_std"] = _numbers(file, cells, "score_std", lowest=0)
    listing["score"] = _numbers(file, cells, column, is_score=True)
    listing["level"] = _levels(file, cells)
    listing["distortion"] = _types(cells)
    listing["region"] = _regions(cells, listing)
    references = _named_references(cells, listing)
    listing["is_reference"] = _reference_flags(cells, listing, references)
    listing["reference_id"] = _contents(listing, references)
    return listing, column


def _score_column(file: Path, cells: pd.DataFrame, score: ScoreRecord) -> str:
    if score.column is not None:
        if score.column not in cells:
            raise InputError(
                f"{file}: has no column {score.column!r}, the score of this dataset, but {list(cells.columns)}; add it."
            )
        return score.column
    present = [name for name in SCORE_COLUMNS if name in cells]
    if len(present) != 1:
        raise InputError(
            f"{file}: has {' and '.join(map(repr, present)) or 'no score'} among its columns {list(cells.columns)}; "
            "expected exactly one of score, mos (higher better) or dmos (lower better)."
        )
    return present[0]


def image_ids(wheres: Iterable[str], images: Iterable[str]) -> list[str]:
    """Ids of images: their paths without suffix.

    Args:
        wheres: File and row of each image, for messages.
        images: Paths of the images.

    Raises:
        InputError: A path is not relative, or two images have the same id, or ids that differ in spelling only.
    """
    ids = []
    seen: dict[str, tuple[str, str]] = {}
    for where, image in zip(wheres, images, strict=True):
        if _ELSEWHERE.match(image):
            raise InputError(
                f"{where}: image {image!r} is not a path relative to the dataset's folder, or leads out of it; give a "
                "relative path like 'folder/a.png'."
            )
        image_id = without_suffix(image)
        first = seen.setdefault(folded(image_id), (where, image))
        if first != (where, image):
            how = "differs in letter case, dots or blanks at its end, or the coding of its name only from"
            how = "has the same id as" if without_suffix(first[1]) == image_id else how
            raise InputError(
                f"{where}: image {image!r} {how} {first[1]!r} in {_short(first[0], where)} (path without suffix); "
                "remove or rename one of them."
            )
        ids.append(image_id)
    return ids


def _short(other: str, where: str) -> str:
    """File and row, without the file where it is the same: row 2."""
    file, _, row = other.rpartition(" row ")
    return f"row {row}" if file and where.startswith(f"{file} row ") else other


def _numbers(
    file: Path, cells: pd.DataFrame, column: str | None, *, is_score: bool = False, lowest: float = -math.inf
) -> list[float | None]:
    """Numbers of a column, None where a cell holds none, such as NA, or the column is missing.

    An infinite score is as good as none; elsewhere it is a mistake, as is a number below the lowest.
    """
    if column is None or column not in cells:
        return [None] * len(cells)
    missing = {"", *MISSING, *(_INFINITE if is_score else ())}
    numbers = []
    for row, cell in cells[column].items():
        value = number(cell)
        if value is None and cell.lower() not in missing:
            raise InputError(f"{file} row {row}: {column} {cell!r} is not a number; correct it{_advice(cell)}.")
        if value is not None and value < lowest:
            raise InputError(f"{file} row {row}: {column} {cell} is below {lowest:g}; correct it.")
        numbers.append(value)
    return numbers


def _advice(cell: str) -> str:
    return ", with digits and a decimal point as in 1234.5" if any(one.isdigit() for one in cell) else ""


def _levels(file: Path, cells: pd.DataFrame) -> list[int | None]:
    levels = _numbers(file, cells, "level")
    for row, level in zip(cells.index, levels, strict=True):
        if level is not None and (level != int(level) or abs(level) > _HIGHEST_LEVEL):
            raise InputError(f"{file} row {row}: level {level:g} is not an integer; correct it.")
    return [None if level is None else int(level) for level in levels]


def _types(cells: pd.DataFrame) -> list[str | None]:
    if "distortion" not in cells:
        return [None] * len(cells)
    return [None if cell.lower() in {"", *MISSING} else cell for cell in cells["distortion"]]


def _regions(cells: pd.DataFrame, listing: pd.DataFrame) -> list[str | None]:
    """The damaged region of each image as text, None where a cell is empty or the column is missing."""
    if "region" not in cells:
        return [None] * len(cells)
    return [
        str(Region.parse(cell, where)) if cell else None
        for where, cell in zip(listing["where"], cells["region"], strict=True)
    ]


def _named_references(cells: pd.DataFrame, listing: pd.DataFrame) -> list[str]:
    if "reference" not in cells:
        return list(listing["image_id"])
    columns = (listing["where"], listing["image"], listing["image_id"], cells["reference"])
    return reference_ids(*map(list, columns))


def _reference_flags(cells: pd.DataFrame, listing: pd.DataFrame, references: list[str]) -> list[bool]:
    """Whether each image is a pristine reference: as flagged; without flags, if others name it and it has no score."""
    if "is_reference" not in cells:
        named = {name for name, image_id in zip(references, listing["image_id"], strict=True) if name != image_id}
        return list(listing["image_id"].isin(named) & listing["score"].isna())
    for where, cell in zip(listing["where"], cells["is_reference"], strict=True):
        if cell.lower() not in _FLAGS:
            raise InputError(f"{where}: is_reference {cell!r} is not a flag; write true or false.")
    return [_FLAGS[cell.lower()] for cell in cells["is_reference"]]


def _contents(listing: pd.DataFrame, references: list[str]) -> list[str]:
    """The end of each chain of references: a crop of a crop shows the same content as the first image."""
    reference_of = dict(zip(listing["image_id"], references, strict=True))
    ends = []
    for where, content in zip(listing["where"], listing["image_id"], strict=True):
        chain = [content]
        while reference_of.get(content, content) != content:
            content = reference_of[content]
            if content in chain:
                raise InputError(
                    f"{where}: references form a cycle, {' -> '.join([*chain, content])}; name the first image."
                )
            chain.append(content)
        ends.append(content)
    return ends


def check_scores(listing: pd.DataFrame, column: str, score: ScoreRecord) -> None:
    """Check that scores are in the possible range: the dataset's, or what statistics can square.

    Args:
        listing: Columns where, image, score.
        column: Name of the score.
        score: What is known about the score; its range may be unknown.

    Raises:
        InputError: A score is outside the range.
    """
    low, high = score.range or (-LARGEST_SCORE, LARGEST_SCORE)
    remedy = "correct the score" + (" or the dataset's score_range." if score.range else ".")
    for image in listing[~listing["score"].between(low, high) & listing["score"].notna()].itertuples():
        raise InputError(
            f"{image.where}: {column} {image.score:.10g} of {image.image} is outside the range {low:g} to {high:g}; "
            f"{remedy}"
        )
