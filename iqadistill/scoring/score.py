"""Scores of images by a trained result."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.images.listing import readable
from iqadistill.parallel import map_ahead
from iqadistill.scoring.images import FAULTS, fault, place_patches
from iqadistill.scoring.results import TrainedResult

_POOLINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda scores, weight: (scores * weight).sum(axis=1) / weight.sum(),
    "median": lambda scores, weight: np.median(scores, axis=1),
}


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
        pooling: "mean" of an image's patch scores by the weights of the patches, which are equal unless a sampler or
            `count` places them; or their "median".
        seed: Seed for patch sampling; default: the study's.
        count: Number of patches per image, the best-placed ones of the sampler's; default: all of them.
        workers: Number of images that are read ahead.

    Yields:
        The score of each image in order or, for an image that cannot be scored, the error that names it.

    Raises:
        InputError: The pooling is unknown, or the count is below 1.
    """
    if pooling not in _POOLINGS:
        raise InputError(f"score: pooling {pooling!r}, expected {' or '.join(_POOLINGS)}.")
    seed = result.seed if seed is None else seed
    if count is not None and count < 1:
        raise InputError(f"score: count {count}, expected 1 or more.")

    def read(path: Path) -> tuple[Path, pa.Table, Any] | InputError:
        try:
            images, patches = place_patches(path, result.sampler, seed, count)
            return path, patches, result.scorer.read(images, patches)
        except InputError as error:
            return error
        except FAULTS as error:
            return fault(path, error)

    for image in map_ahead(read, map(Path, paths), workers):
        yield image if isinstance(image, InputError) else _scored(result, *image, pooling)


def _scored(result: TrainedResult, path: Path, patches: pa.Table, pixels: Any, pooling: str) -> ImageScore | InputError:
    try:
        scores = result.scorer.scores(pixels)
    except InputError as error:
        return error
    except FAULTS as error:
        return fault(path, error)
    if not np.isfinite(scores).all():
        return InputError(
            f"{readable(path)}: its score is NaN or infinite; train again with a lower lr or in full precision."
        )
    by_split = _POOLINGS[pooling](scores, patches["weight"].to_numpy().astype(np.float64))
    return ImageScore(path, by_split, patches.to_pandas().assign(quality=scores.mean(axis=0)))
