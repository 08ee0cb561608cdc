"""The index of a dataset: every picture decoded once, every score checked and put on one scale, before any long work."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from iqadistill.datasets.listing import read_listing
from iqadistill.datasets.registry import DatasetRecord, ScoreRecord, dataset_record
from iqadistill.datasets.scores import PROVENANCE, noise_ceiling
from iqadistill.datasets.threads import map_in_threads
from iqadistill.decoding import read_image
from iqadistill.errors import InputError
from iqadistill.tables import as_table


def load_dataset(name: str, root: str | Path, **settings: Any) -> pa.Table:
    """Read and check a dataset's images.

    Args:
        name: One of `list_datasets()`.
        root: Folder with images.csv and the pictures it names.
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

    quality is the score min-max scaled to [0, 1], higher better, over the possible range or else the observed one.

    Args:
        name: The dataset's name in the study.
        root: Folder with images.csv and the pictures it names.
        source: Name in `list_datasets()`.
        kind: "flat" or "sphere"; default: the source's.
        score_range: Lowest and highest possible score; default: the source's.
        on_error: What a picture that cannot be decoded does: "stop", or "quarantine" with its reason.
        min_size: Shorter side in pixels that a picture must have, e.g. that of a patch.
        workers: Pictures decoded at once.

    Returns:
        Table "images", and its metadata: `scores` says where the scores come from and `score_column` their column;
        simulated scores add their `noise_ceiling` (SRCC).

    Raises:
        InputError: Unknown source; images.csv missing or wrong (see `read_listing`); a picture missing, undecodable (unless
            quarantined), smaller than `min_size`, or of kind sphere and not twice as wide as high; all scores equal.
    """
    record = dataset_record(source)
    file = Path(root) / "images.csv"
    if not file.is_file():
        raise InputError(f"{file}: does not exist; {_remedy(record)}.")
    known = record.score
    if known is not None and score_range is not None:
        known = known.model_copy(update={"range": tuple(score_range)})
    listing, column = read_listing(file, known)
    listing["path"] = [(Path(root) / image).as_posix() for image in listing["image"]]
    for image in listing.itertuples():
        if not Path(image.path).is_file():
            raise InputError(
                f"{file} row {image.row}: picture {image.path} does not exist; correct the row or add the file."
            )
    sizes = _picture_sizes(listing, file, kind or record.kind, on_error, min_size, workers)
    images = pd.concat([listing, sizes], axis=1)
    images["quality"] = _quality(file, images, column, known)
    images.insert(0, "dataset", name)
    table = as_table(_arrow_types(images.drop(columns=["row", "image"])), "images")
    return table, _facts(record, table, column)


def _remedy(record: DatasetRecord) -> str:
    if record.origin == "rendered":
        return "render the dataset into this folder first"
    return "write one there with the columns image and score, mos or dmos, a row a picture"


def _picture_sizes(
    listing: pd.DataFrame, file: Path, kind: str, on_error: str, min_size: int, workers: int
) -> pd.DataFrame:
    """Decode every picture: columns width, height, status, reason."""

    def probe(image: Any) -> tuple[int | None, int | None, str, str | None]:
        try:
            height, width = read_image(image.path).shape[:2]
        except InputError as error:
            if on_error == "quarantine":
                return None, None, "quarantined", str(error)
            raise
        where = f"{file} row {image.row}: picture {image.path} is {width}x{height} pixels"
        if kind == "sphere" and width != 2 * height:
            raise InputError(
                f"{where}, but a panorama is twice as wide as high; correct it, or set the dataset's kind to flat."
            )
        if min(width, height) < min_size:
            raise InputError(f"{where}, smaller than a patch of {min_size}; take it out or sample smaller patches.")
        return width, height, "ok", None

    probed = map_in_threads(probe, list(listing.itertuples()), workers=workers, label="pictures checked")
    return pd.DataFrame(probed, columns=["width", "height", "status", "reason"])


def _quality(file: Path, images: pd.DataFrame, column: str | None, known: ScoreRecord | None) -> pd.Series:
    if column is None:
        return pd.Series(float("nan"), index=images.index)
    observed = images["score"][images["status"] == "ok"]
    low, high = known.range or (observed.min(), observed.max())
    if not low < high:
        raise InputError(
            f"{file}: every {column} is {low:g}, nothing to learn from; give different scores or a score_range."
        )
    share = (images["score"] - low) / (high - low)
    rising = column != "dmos" if known.higher_better is None else known.higher_better
    return share if rising else 1 - share


def _arrow_types(images: pd.DataFrame) -> pd.DataFrame:
    whole, real = ("width", "height", "level"), ("score", "score_std", "quality")
    return images.astype(dict.fromkeys(whole, "Int32") | dict.fromkeys(real, "Float64"))


def _facts(record: DatasetRecord, images: pa.Table, column: str | None) -> dict[str, str]:
    if column is None:
        return {"scores": "none"}
    if record.simulated:
        return {"scores": PROVENANCE, "score_column": column, "noise_ceiling": f"{noise_ceiling(images):.4f}"}
    return {"scores": "as given in images.csv", "score_column": column}
