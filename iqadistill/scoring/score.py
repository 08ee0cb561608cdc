"""Scores of images by a trained result."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.parallel import map_ahead
from iqadistill.scoring.images import place_patches
from iqadistill.scoring.results import TrainedResult

_POOLINGS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class ImageScore:
    """The score of one image.

    Attributes:
        path: File of the image.
        by_split: Quality (S,) by each split's model, in about [0, 1]; not clipped.
        patches: Table "patches" with a column quality, the mean over splits.
    """

    path: Path
    by_split: np.ndarray
    patches: pd.DataFrame

    @property
    def quality(self) -> float:
        """Mean over splits."""
        return float(self.by_split.mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation over splits; None for a single one."""
        return float(self.by_split.std(ddof=1)) if len(self.by_split) > 1 else None


def score_images(
    result: TrainedResult,
    paths: Iterable[str | Path],
    *,
    pooling: str = "mean",
    seed: int | None = None,
    count: int | None = None,
    workers: int = 2,
) -> Iterator[ImageScore | InputError]:
    """Score images one after another.

    Args:
        result: Trained result, see `load_result`.
        paths: Files of the images.
        pooling: "mean" or "median" of an image's patch scores.
        seed: Seed for patch sampling; default: the study's.
        count: Largest number of patches per image; default: as in training.
        workers: Number of images that are read ahead.

    Yields:
        The score of each image in order or, for an image that cannot be scored, the error that names it.

    Raises:
        InputError: The pooling is unknown, or the count is below 1.
    """
    if pooling not in _POOLINGS:
        raise InputError(f"score: pooling {pooling!r}, expected {' or '.join(_POOLINGS)}.")
    seed = result.seed if seed is None else seed
    sampler = result.sampler
    if count is not None:
        sampler = type(sampler).of({**sampler.model_dump(), "count": count}, "score")

    def read(path: Path) -> tuple[Path, pa.Table, Any] | InputError:
        try:
            images, patches = place_patches(path, sampler, seed)
            return path, patches, result.scorer.read(images, patches)
        except InputError as error:
            return error

    for image in map_ahead(read, map(Path, paths), workers):
        yield image if isinstance(image, InputError) else _scored(result, *image, pooling)


def _scored(result: TrainedResult, path: Path, patches: pa.Table, pixels: Any, pooling: str) -> ImageScore | InputError:
    try:
        scores = result.scorer.scores(pixels)
    except InputError as error:
        return error
    if not np.isfinite(scores).all():
        return InputError(f"{path}: its score is NaN or infinite; train again with a lower lr or in full precision.")
    by_split = _POOLINGS[pooling](scores, axis=1)
    return ImageScore(path, by_split, patches.to_pandas().assign(quality=scores.mean(axis=0)))
