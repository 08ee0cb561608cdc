"""Index of a dataset: every image decoded once, every score checked and put on one scale."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from iqadistill.console import progress
from iqadistill.datasets.images_csv import check_scores, read_images_csv
from iqadistill.datasets.labels.official import official_roles, read_official_labels
from iqadistill.datasets.registry import DatasetRecord, ScoreRecord, dataset_record, dataset_records
from iqadistill.datasets.simulated_scores import LOCAL_PROVENANCE, PROVENANCE, noise_ceiling
from iqadistill.datasets.spelling import nearest_file
from iqadistill.errors import InputError
from iqadistill.images.decoding import check_image
from iqadistill.images.listing import readable
from iqadistill.parallel import map_ahead
from iqadistill.paths import expand
from iqadistill.sampling.image_checks import PatchRule
from iqadistill.tables import as_table


class CheckedImage(NamedTuple):
    """Result of decoding an image.

    Attributes:
        width: Width in pixels, upright; None if the image is quarantined.
        height: Height in pixels.
        status: "ok" or "quarantined".
        reason: Why it is quarantined.
        sha256: SHA-256 of the file, in hexadecimal; None if the image is quarantined.
        dark: Whether its samples look like those of 12 bits that were stored as 16, see `check_image`.
    """

    width: int | None
    height: int | None
    status: str
    reason: str | None
    sha256: str | None
    dark: bool


def load_dataset(name: str, root: str | Path, **settings: Any) -> pa.Table:
    """Read and check a dataset's images.

    Args:
        name: One of `list_datasets()`.
        root: Folder with the unpacked official archive, or with images.csv and the images it names; as a user writes it
            (see `paths.expand`).
        settings: Further arguments of `index_dataset` (kind, score_range, on_error, workers).

    Returns:
        Table "images"; its metadata is that of `index_dataset`.

    Raises:
        InputError: As `index_dataset`.
    """
    images, metadata = index_dataset(name, expand(str(root)), source=name, **settings)
    return images.replace_schema_metadata(metadata)


def index_dataset(
    name: str,
    root: str | Path,
    *,
    source: str,
    kind: str | None = None,
    score_range: tuple[float, float] | None = None,
    on_error: str = "stop",
    rules: Sequence[PatchRule] = (),
    workers: int = 1,
) -> tuple[pa.Table, dict[str, str]]:
    """Check every image and score of a dataset.

    Images and scores are those of images.csv if the folder has one, else those of the official label files. quality is
    the score min-max scaled to [0, 1], higher better, over the possible range or, if that is unknown, the observed one.

    Args:
        name: Name of the dataset in the study.
        root: Folder with the unpacked official archive, or with images.csv and the images it names.
        source: Name in `list_datasets()`.
        kind: "flat" or "sphere"; default: the source's.
        score_range: Lowest and highest possible score; default: the source's.
        on_error: What to do about an image that is missing, cannot be decoded, has no finite score, is no panorama
            although the dataset is of kind sphere, or against the rules: "stop", or "quarantine" it with the reason.
        rules: What samplers ask of images.
        workers: Number of threads that decode.

    Returns:
        Table "images", and its metadata: `scores` is the origin of the scores and `score_column` their name; `content`
        is a digest of the image files (see `content_digest`); simulated scores have a `noise_ceiling` (SRCC).

    Raises:
        InputError: The source is unknown; labels are missing or wrong (see `read_images_csv`, `read_official_labels`),
            or list another number of images than the dataset has; all scores are equal; an image is not usable and
            not to be quarantined.
    """
    record = dataset_record(source)
    root, file = Path(root), Path(root) / "images.csv"
    labels = None if file.is_file() else record.labels  # format of the official label files, if they are read
    score = _score_record(source, record, labels, score_range)
    if labels is not None:
        listing = read_official_labels(labels, root)
        column = score.column if score is not None else None
        _check_counts(root, record, listing)
    elif file.is_file():
        listing, column = read_images_csv(file, score)
    else:
        below = sorted(root.glob("*/images.csv"))
        remedy = f"set the dataset's root to {below[0].parent}, which has one" if below else _remedy(record)
        raise InputError(f"{file}: does not exist; {remedy}.")
    if column is not None and score is not None:
        check_scores(listing, column, score)
    listing["path"] = [(root / image).as_posix() for image in listing["image"]]
    checked = _check_images(listing, column, kind or record.kind, on_error, rules, workers)
    pairs = zip(listing["image_id"], checked, strict=True)
    content = content_digest({image_id: image.sha256 for image_id, image in pairs if image.sha256 is not None})
    decoded = pd.DataFrame(checked, columns=CheckedImage._fields).drop(columns=["sha256", "dark"])
    images = pd.concat([listing, decoded], axis=1)
    if labels is not None:
        images["official_role"] = official_roles(labels, images)
    images["quality"] = _quality(file if labels is None else root, images, column, score)
    images.insert(0, "dataset", name)
    table = as_table(_nullable_types(images.drop(columns=["where", "image"])), "images")
    facts = _score_metadata(record, kind or record.kind, table, column, labels is not None)
    return table, {**facts, "content": content}


def content_digest(files: Mapping[str, str]) -> str:
    """Digest of a dataset's usable images, so that a table of them changes when a file is replaced.

    Args:
        files: SHA-256 of each usable image's file, by image_id.

    Returns:
        SHA-256 over the ids and digests, in hexadecimal.
    """
    digest = hashlib.sha256()
    for image_id, sha256 in files.items():
        digest.update(f"{image_id}\0{sha256}\n".encode())
    return digest.hexdigest()


def _remedy(record: DatasetRecord) -> str:
    if record.origin == "rendered":
        return "render the dataset into this folder first"
    return "write one there with the columns image and score, mos or dmos, and one row per image"


def _score_record(
    source: str, record: DatasetRecord, labels: str | None, score_range: tuple[float, float] | None
) -> ScoreRecord | None:
    score = record.score
    if labels is not None and score is not None and score.column is None:
        # a user's entry with labels of a shipped dataset's format: the score is that dataset's
        same_format = dataset_records().get(labels)
        if same_format is None:
            raise InputError(
                f"dataset {source}: score.column is missing; give the name of the score in its registry entry."
            )
        score = same_format.score
    if score is not None and score_range is not None:
        score = score.model_copy(update={"range": tuple(score_range)})
    return score


def _check_counts(root: Path, record: DatasetRecord, listing: pd.DataFrame) -> None:
    references = int(listing["is_reference"].sum())
    for what, expected, count in (
        ("distorted images", record.distorted, len(listing) - references),
        ("references", record.references, references),
    ):
        if expected is not None and count != expected:
            raise InputError(
                f"{root}: the labels list {count} {what}, but {record.title} has {expected}; "
                "get its official files again."
            )


def _check_images(
    listing: pd.DataFrame, column: str | None, kind: str, on_error: str, rules: Sequence[PatchRule], workers: int
) -> list[CheckedImage]:
    """Decode every image of a listing, in its order."""
    unscored = listing["score"].isna() & ~listing["is_reference"] & (column is not None)
    if on_error == "stop":
        for image in listing[unscored].itertuples():
            raise InputError(
                f"{image.where}: {readable(image.image)} has no finite {column}; give one, remove the row or set"
                " on_error to quarantine."
            )
        for image in listing.itertuples():
            if not Path(image.path).is_file():
                raise InputError(
                    f"{image.where}: image {readable(image.path)} does not exist{nearest_file(image.path)}; correct "
                    "the row or add the file."
                )

    def check(image: Any) -> CheckedImage:
        try:
            if image.unscored:
                raise InputError(f"{image.where}: {readable(image.image)} has no finite {column}")
            height, width, dark = check_image(image.path)
            if kind == "sphere":
                _check_aspect(image, width, height)
            for rule in rules:
                rule.check(width, height, f"{image.where}: image {readable(image.path)}")
        except InputError as error:
            if on_error == "stop":
                raise
            return CheckedImage(None, None, "quarantined", str(error), None, False)
        with open(image.path, "rb") as file:  # from the page cache: it was just decoded
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return CheckedImage(width, height, "ok", None, sha256, dark)

    images = list(listing.assign(unscored=unscored).itertuples())
    checked = list(progress(map_ahead(check, images, workers), "images checked", total=len(images)))
    _warn_of_dark([image.path for image, result in zip(images, checked, strict=True) if result.dark], len(images))
    return checked


def _check_aspect(image: Any, width: int, height: int) -> None:
    if width != 2 * height:
        raise InputError(
            f"{image.where}: image {readable(image.path)} is {width}x{height} pixels, but a panorama is twice as wide "
            "as high; correct it, or set the dataset's kind to flat."
        )


def _warn_of_dark(paths: Sequence[str], total: int) -> None:
    if paths:
        warnings.warn(
            f"{readable(paths[0])}: {len(paths)} of {total} images, this one first, store 16 bits a sample but use the"
            " lowest 12 at most, so that they are almost black; if a camera of 10 or 12 bits took them, multiply their"
            " samples so that white is 65535.",
            stacklevel=2,
        )


def _quality(labels: Path, images: pd.DataFrame, column: str | None, score: ScoreRecord | None) -> pd.Series:
    if column is None or score is None:
        return pd.Series(float("nan"), index=images.index)
    usable = images["status"] == "ok"
    if not usable.any():
        raise InputError(f"{labels}: every image is quarantined; the first: {images['reason'].iloc[0]}")
    observed = images["score"][usable]
    low, high = score.range or (observed.min(), observed.max())
    if not low < high:
        raise InputError(
            f"{labels}: every {column} is {low:g}, so there is nothing to learn; "
            "give different scores or a score_range."
        )
    scaled = (images["score"] - low) / (high - low)
    higher_better = column != "dmos" if score.higher_better is None else score.higher_better
    return scaled if higher_better else 1 - scaled


def _nullable_types(images: pd.DataFrame) -> pd.DataFrame:
    integers, reals = ("width", "height", "level"), ("score", "score_std", "quality")
    return images.astype(dict.fromkeys(integers, "Int32") | dict.fromkeys(reals, "Float64"))


def _score_metadata(
    record: DatasetRecord, kind: str, images: pa.Table, column: str | None, official: bool
) -> dict[str, str]:
    if column is None:
        return {"scores": "none"}
    if record.simulated:
        provenance = PROVENANCE if record.local_damage_of is None else LOCAL_PROVENANCE
        return {"scores": provenance, "score_column": column, "noise_ceiling": f"{noise_ceiling(images, kind):.4f}"}
    source = "the official label files" if official else "images.csv"
    return {"scores": f"as given in {source}", "score_column": column}
