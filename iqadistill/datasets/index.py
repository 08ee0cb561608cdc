"""The index of a dataset: every picture decoded once, every score checked and put on one scale, before any long work."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from iqadistill.console import progress
from iqadistill.datasets.galleries.simulated_scores import PROVENANCE, noise_ceiling
from iqadistill.datasets.images_csv import check_scores, read_listing
from iqadistill.datasets.labels import official_roles, read_labels
from iqadistill.datasets.registry import DatasetRecord, ScoreRecord, dataset_record
from iqadistill.errors import InputError
from iqadistill.images.decoding import picture_size
from iqadistill.parallel import map_ahead
from iqadistill.tables import as_table


def load_dataset(name: str, root: str | Path, **settings: Any) -> pa.Table:
    """Read and check a dataset's images.

    Args:
        name: One of `list_datasets()`.
        root: Folder with the unpacked official archive, or with images.csv and the pictures it names.
        settings: Further settings of `index_dataset` (kind, score_range, on_error, min_size, workers).

    Returns:
        Table "images"; its metadata says where the scores come from.

    Raises:
        InputError: As `index_dataset`.
    """
    images, facts = index_dataset(name, root, source=name, **settings)
    return images.replace_schema_metadata(facts)


def index_dataset(
    name: str,
    root: str | Path,
    *,
    source: str,
    kind: str | None = None,
    score_range: tuple[float, float] | None = None,
    on_error: str = "stop",
    min_size: int = 1,
    workers: int = 1,
) -> tuple[pa.Table, dict[str, str]]:
    """Check every picture and score of a dataset.

    Pictures and scores are those of images.csv where the folder has one, else those of the official label files. quality is
    the score min-max scaled to [0, 1], higher better, over the possible range or else the observed one.

    Args:
        name: The dataset's name in the study.
        root: Folder with the unpacked official archive, or with images.csv and the pictures it names.
        source: Name in `list_datasets()`.
        kind: "flat" or "sphere"; default: the source's.
        score_range: Lowest and highest possible score; default: the source's.
        on_error: What a picture that is missing, cannot be decoded or has no score does: "stop", or "quarantine" with its
            reason.
        min_size: Shorter side in pixels that a picture must have, e.g. that of a patch.
        workers: Pictures decoded at once.

    Returns:
        Table "images", and its metadata: `scores` says where the scores come from and `score_column` what they are called;
        simulated scores add their `noise_ceiling` (SRCC).

    Raises:
        InputError: Unknown source; labels missing or wrong (see `read_listing`, `read_labels`), or of another number of
            pictures than the dataset has; a picture missing, undecodable or without score (unless quarantined), smaller than
            `min_size`, or of kind sphere and not twice as wide as high; all scores equal.
    """
    record = dataset_record(source)
    root, file = Path(root), Path(root) / "images.csv"
    official = record.labels is not None and not file.is_file()
    known = _known_score(record, official, score_range)
    if official:
        listing = read_labels(record.labels, root)
        column = known.column if known is not None else None
        _check_counts(root, record, listing)
    elif file.is_file():
        listing, column = read_listing(file, known)
    else:
        raise InputError(f"{file}: does not exist; {_remedy(record)}.")
    if column is not None:
        check_scores(listing, column, known)
    listing["path"] = [(root / image).as_posix() for image in listing["image"]]
    checks = _check_pictures(listing, column, kind or record.kind, on_error, min_size, workers)
    images = pd.concat([listing, checks], axis=1)
    if official:
        images["official_role"] = official_roles(record.labels, images)
    images["quality"] = _quality(root if official else file, images, column, known)
    images.insert(0, "dataset", name)
    table = as_table(_arrow_types(images.drop(columns=["where", "image"])), "images")
    return table, _facts(record, table, column, official)


def _remedy(record: DatasetRecord) -> str:
    if record.origin == "rendered":
        return "render the dataset into this folder first"
    return "write one there with the columns image and score, mos or dmos, a row a picture"


def _known_score(record: DatasetRecord, official: bool, score_range: tuple[float, float] | None) -> ScoreRecord | None:
    known = record.score
    if official and known is not None and known.column is None:
        known = dataset_record(
            record.labels
        ).score  # an own entry with labels of a known format: its score is known too
    if known is not None and score_range is not None:
        known = known.model_copy(update={"range": tuple(score_range)})
    return known


def _check_counts(root: Path, record: DatasetRecord, listing: pd.DataFrame) -> None:
    references = int(listing["is_reference"].sum())
    for what, expected, found in (
        ("distorted pictures", record.distorted, len(listing) - references),
        ("references", record.references, references),
    ):
        if expected is not None and found != expected:
            raise InputError(
                f"{root}: the labels list {found} {what}, but {record.title} has {expected}; get its official files again."
            )


def _check_pictures(
    listing: pd.DataFrame, column: str | None, kind: str, on_error: str, min_size: int, workers: int
) -> pd.DataFrame:
    """Decode every picture: columns width, height, status, reason."""
    unscored = listing["score"].isna() & ~listing["is_reference"] & (column is not None)
    if on_error == "stop":
        for image in listing[unscored].itertuples():
            raise InputError(
                f"{image.where}: {image.image} has no {column}; give one, take the row out or set on_error to quarantine."
            )
        for image in listing.itertuples():
            if not Path(image.path).is_file():
                raise InputError(
                    f"{image.where}: picture {image.path} does not exist; correct the row or add the file."
                )

    def check(image: Any) -> tuple[int | None, int | None, str, str | None]:
        if image.unscored:
            return None, None, "quarantined", f"{image.where}: {image.image} has no {column}"
        try:
            height, width = picture_size(image.path)
        except InputError as error:
            if on_error == "quarantine":
                return None, None, "quarantined", str(error)
            raise
        where = f"{image.where}: picture {image.path} is {width}x{height} pixels"
        if kind == "sphere" and width != 2 * height:
            raise InputError(
                f"{where}, but a panorama is twice as wide as high; correct it, or set the dataset's kind to flat."
            )
        if min(width, height) < min_size:
            raise InputError(f"{where}, smaller than a patch of {min_size}; take it out or sample smaller patches.")
        return width, height, "ok", None

    images = list(listing.assign(unscored=unscored).itertuples())
    checked = list(progress(map_ahead(check, images, workers), "images checked", total=len(images)))
    return pd.DataFrame(checked, columns=["width", "height", "status", "reason"])


def _quality(labels: Path, images: pd.DataFrame, column: str | None, known: ScoreRecord | None) -> pd.Series:
    if column is None:
        return pd.Series(float("nan"), index=images.index)
    observed = images["score"][images["status"] == "ok"]
    low, high = known.range or (observed.min(), observed.max())
    if not low < high:
        raise InputError(
            f"{labels}: every {column} is {low:g}, nothing to learn from; give different scores or a score_range."
        )
    share = (images["score"] - low) / (high - low)
    rising = column != "dmos" if known.higher_better is None else known.higher_better
    return share if rising else 1 - share


def _arrow_types(images: pd.DataFrame) -> pd.DataFrame:
    whole, real = ("width", "height", "level"), ("score", "score_std", "quality")
    return images.astype(dict.fromkeys(whole, "Int32") | dict.fromkeys(real, "Float64"))


def _facts(record: DatasetRecord, images: pa.Table, column: str | None, official: bool) -> dict[str, str]:
    if column is None:
        return {"scores": "none"}
    if record.simulated:
        return {"scores": PROVENANCE, "score_column": column, "noise_ceiling": f"{noise_ceiling(images):.4f}"}
    source = "the official label files" if official else "images.csv"
    return {"scores": f"as given in {source}", "score_column": column}
