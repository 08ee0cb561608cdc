"""From pictures and a trained result to scores."""

from collections.abc import Iterable, Iterator
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

_POOLINGS = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class PictureScore:
    """The score of one picture.

    Attributes:
        path: The picture.
        by_split: (S,), quality in about [0, 1] by each split's model; nothing is clipped.
        patches: Table "patches" with the column quality, the mean over splits.
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
        """Standard deviation over splits; None for one."""
        return float(self.by_split.std(ddof=1)) if len(self.by_split) > 1 else None


def score_pictures(
    result: TrainedResult,
    paths: Iterable[str | Path],
    *,
    pooling: str = "mean",
    seed: int | None = None,
    count: int | None = None,
    workers: int = 2,
) -> Iterator[PictureScore | InputError]:
    """Score one picture after another.

    Args:
        result: What `load_result` gave.
        paths: The pictures.
        pooling: "mean" or "median" of a picture's patch scores.
        seed: Of the places of patches; default: the study's.
        count: Patches a picture at most; default: as in training.
        workers: Pictures read ahead.

    Yields:
        Score of each picture in order, or, of one that cannot be scored, the error that names it.

    Raises:
        InputError: The pooling is unknown.
    """
    if pooling not in _POOLINGS:
        raise InputError(f"score: pooling {pooling!r}, expected {' or '.join(_POOLINGS)}.")
    seed = result.seed if seed is None else seed

    def read(path: Path) -> tuple[Path, pa.Table, Any] | InputError:
        try:
            images, patches = place_patches(path, result.sampler, seed, count)
            return path, patches, result.scorer.read(images, patches)
        except InputError as error:
            return error

    for found in map_ahead(read, map(Path, paths), workers):
        yield found if isinstance(found, InputError) else _scored(result, *found, pooling)


def _scored(
    result: TrainedResult, path: Path, patches: pa.Table, pixels: Any, pooling: str
) -> PictureScore | InputError:
    try:
        scores = result.scorer.scores(pixels)
    except InputError as error:
        return error
    if not np.isfinite(scores).all():
        return InputError(f"{path}: its score is NaN or infinite; train again with a lower lr or in full precision.")
    by_split = _POOLINGS[pooling](scores, axis=1)
    return PictureScore(path, by_split, patches.to_pandas().assign(quality=scores.mean(axis=0)))
