"""images.csv: one row per image, read as text and checked cell by cell; every message names file, row and column."""

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from iqadistill.datasets.regions import Region
from iqadistill.datasets.registry import ScoreRecord
from iqadistill.errors import InputError

SCORE_COLUMNS = ("score", "mos", "dmos")
_MISSING = frozenset(
    {"", "-", "na", "n/a", "#n/a", "nan", "null", "none", "inf", "+inf", "-inf", "infinity", "-infinity"}
)
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
    cells = read_cells(file)
    if "image" not in cells:
        raise InputError(f"{file}: has no column 'image' but {list(cells.columns)}; give each image's path there.")
    column = None if score is None else _score_column(file, cells, score)
    if column is not None and not cells[column].any():
        column = None  # an empty score column: images without scores
    listing = pd.DataFrame({"image": cells["image"].map(_posix)})
    listing["where"] = [f"{file} row {row + 2}" for row in cells.index]
    listing["image_id"] = image_ids(listing["where"], listing["image"])
    listing["score_std"] = _numbers(file, cells, "score_std")
    listing["score"] = _numbers(file, cells, column)
    listing["level"] = _levels(file, cells)
    listing["distortion"] = cells["distortion"].replace("", None) if "distortion" in cells else None
    listing["region"] = _regions(cells, listing)
    references = _named_references(cells, listing)
    listing["is_reference"] = _reference_flags(cells, listing, references)
    listing["reference_id"] = _contents(listing, references)
    return listing, column


def read_cells(file: Path) -> pd.DataFrame:
    """Cells of a CSV file as text, without blanks around cells and column names.

    Raises:
        InputError: The file is not a CSV file, or has no row.
    """
    try:
        cells = pd.read_csv(file, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: not a readable CSV file ({str(error).strip()}); write a header and one row per image."
        ) from None
    if cells.empty:
        raise InputError(f"{file}: lists no image; write one row per image.")
    return cells.apply(lambda column: column.fillna("").str.strip()).rename(columns=str.strip)


def _posix(image: str) -> str:
    return PurePosixPath(image.replace("\\", "/")).as_posix()


def without_suffix(path: str) -> str:
    """The id of an image, from its path."""
    return PurePosixPath(path).with_suffix("").as_posix()


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
        InputError: A path is not relative, or two images have the same id.
    """
    seen: dict[str, tuple[str, str]] = {}
    for where, image in zip(wheres, images, strict=True):
        if image == "." or PurePosixPath(image).is_absolute():
            raise InputError(
                f"{where}: image {image!r} is not a path relative to the dataset's folder; give a relative path."
            )
        first = seen.setdefault(without_suffix(image), (where, image))
        if first != (where, image):
            raise InputError(
                f"{where}: image {image!r} has the same id as {first[1]!r} in {_short(first[0], where)} (path without "
                "suffix); remove or rename one of them."
            )
    return list(seen)


def _short(other: str, where: str) -> str:
    """File and row, without the file where it is the same: row 2."""
    file, _, row = other.rpartition(" row ")
    return f"row {row}" if file and where.startswith(f"{file} row ") else other


def _numbers(file: Path, cells: pd.DataFrame, column: str | None) -> list[float | None]:
    """Numbers of a column, None where a cell holds none, such as NA, or the column is missing."""
    if column is None or column not in cells:
        return [None] * len(cells)
    numbers = []
    for row, cell in enumerate(cells[column], start=2):
        try:
            number = None if cell.lower() in _MISSING else float(cell)
        except ValueError:
            raise InputError(f"{file} row {row}: {column} {cell!r} is not a number; correct it.") from None
        if number is not None and not math.isfinite(number):
            raise InputError(f"{file} row {row}: {column} is {cell}; give a finite number or remove the row.")
        numbers.append(number)
    return numbers


def _levels(file: Path, cells: pd.DataFrame) -> list[int | None]:
    levels = _numbers(file, cells, "level")
    for row, level in enumerate(levels, start=2):
        if level is not None and level != int(level):
            raise InputError(f"{file} row {row}: level {level:g} is not an integer; correct it.")
    return [None if level is None else int(level) for level in levels]


def _regions(cells: pd.DataFrame, listing: pd.DataFrame) -> list[str | None]:
    """The damaged region of each image as text, None where a cell is empty or the column is missing."""
    if "region" not in cells:
        return [None] * len(cells)
    return [
        str(Region.parse(cell, where)) if cell else None
        for where, cell in zip(listing["where"], cells["region"], strict=True)
    ]


def _named_references(cells: pd.DataFrame, listing: pd.DataFrame) -> list[str]:
    """Id of the reference that each image names, by path, id or file name; the name itself where no image of the
    listing has it.

    An image that names no reference is its own.
    """
    if "reference" not in cells:
        return list(listing["image_id"])
    ids = dict(zip(listing["image"], listing["image_id"], strict=True)) | {name: name for name in listing["image_id"]}
    by_name: dict[str, list[str]] = {}
    for image, image_id in zip(listing["image"], listing["image_id"], strict=True):
        for name in {PurePosixPath(image).name, PurePosixPath(image_id).name}:
            by_name.setdefault(name, []).append(image_id)
    references = []
    for where, image_id, cell in zip(listing["where"], listing["image_id"], cells["reference"], strict=True):
        reference = _posix(cell)
        candidates = by_name.get(reference, [])
        if not cell:
            references.append(image_id)
        elif reference in ids:
            references.append(ids[reference])
        elif len(candidates) > 1:
            raise InputError(
                f"{where}: reference {cell!r} fits {candidates[0]!r} and {candidates[1]!r}; give its complete path."
            )
        else:
            references.append(candidates[0] if candidates else reference)
    return references


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
    """Check that scores are in the possible range.

    Args:
        listing: Columns where, image, score.
        column: Name of the score.
        score: What is known about the score; its range may be unknown.

    Raises:
        InputError: A score is outside the range.
    """
    if score.range is None:
        return
    low, high = score.range
    for image in listing[~listing["score"].between(low, high) & listing["score"].notna()].itertuples():
        raise InputError(
            f"{image.where}: {column} {image.score:g} of {image.image} is outside the range {low:g} to {high:g}; "
            "correct the score or the dataset's score_range."
        )
