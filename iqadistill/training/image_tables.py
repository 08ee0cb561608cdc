"""Which images a training uses, which are scored, and the scale of a dataset's scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.tables import as_table, read_metadata
from iqadistill.training.sidecar import ScoreScale


def as_one_split(splits: pa.Table) -> pa.Table:
    """Table "splits" with a single split, 0, in which every image is for training.

    Teachers that are trained on another dataset than their students' use all of its scored images.
    """
    images = splits.select(["image_id"]).to_pandas().drop_duplicates()
    return as_table(images.assign(split=0, role="train"), "splits")


def qualities(images: pa.Table, image_ids: Sequence[str]) -> np.ndarray:
    """Qualities (n,), float64, of images that a split uses.

    Raises:
        InputError: An image has no quality.
    """
    quality = images.select(["image_id", "quality"]).to_pandas().set_index("image_id").quality.reindex(image_ids)
    if quality.isna().any():
        unscored = quality.index[int(np.argmax(quality.isna()))]
        raise InputError(f"splits: image {unscored!r} has no quality in the images table; split the dataset again.")
    return quality.to_numpy()


def scored_images(images: pa.Table) -> pd.DataFrame:
    """The images that predictions are made for: usable, with a quality, and not a reference.

    Returns:
        Columns dataset, image_id and quality.
    """
    frame = images.select(["dataset", "image_id", "quality", "status", "is_reference"]).to_pandas()
    usable = (frame.status == "ok") & frame.quality.notna() & ~frame.is_reference.eq(True)
    return frame.loc[usable, ["dataset", "image_id", "quality"]]


def score_scale(images: pa.Table) -> ScoreScale:
    """A dataset's own scale of scores, derived from its worst and its best image.

    Args:
        images: Table "images" with its file metadata; it holds at least two different qualities.
    """
    rows = images.select(["score", "quality"]).to_pandas().dropna().sort_values("quality")
    poorest, finest = rows.iloc[0], rows.iloc[-1]
    span = (finest.score - poorest.score) / (finest.quality - poorest.quality)
    worst = poorest.score - span * poorest.quality
    metadata = read_metadata(images)
    return ScoreScale(
        column=metadata.get("score_column", "score"),
        worst=_rounded(worst),
        best=_rounded(worst + span),
        source=metadata.get("scores", ""),
    )


def _rounded(score: float) -> float:
    """The score without its last digits, which are rounding errors."""
    return float(f"{score:.9g}")
