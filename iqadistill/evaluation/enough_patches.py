"""Enough patches: the smallest number that scores images as well as all of them, decided out of fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.jackknife import contents_estimate
from iqadistill.evaluation.patch_scores import PatchScores, training_images
from iqadistill.evaluation.verdicts import decide

FEWEST = 3  # images of a split that a correlation is computed of


@dataclass(frozen=True)
class EnoughPatches:
    """Numbers of patches that are enough; all of them where no smaller number is shown to be.

    Attributes:
        count: Decided on all images, each scored by students that had not seen it: what users get.
        by_split: Number of each split, decided on its training images alone, so that its test images tell how well
            images are scored by a number that was decided so.
    """

    count: int
    by_split: Mapping[int, int]


def enough_patches(
    scores: PatchScores, pooled: Mapping[int, np.ndarray], splits: pa.Table, *, margin: float
) -> EnoughPatches:
    """The smallest number of patches that is equivalent to all.

    Equivalence is decided for all numbers together (`decide`) on the splits in which the images are tested, with an
    error over contents and trainings (`contents_estimate`).

    Args:
        scores: Patch scores of test images.
        pooled: Scores (T,) of the tests by the number of patches, in ascending order.
        splits: Table "splits".
        margin: Largest difference in SRCC that does not matter.
    """
    everything = scores.pooled(np.ones(len(scores.score)))

    def smallest(used: np.ndarray) -> int:
        tests = [rows for split in np.unique(scores.split) if (rows := used & (scores.split == split)).sum() >= FEWEST]
        if not tests:
            return scores.most
        estimates = [contents_estimate(scores.of_tests(np.stack([few, everything]), tests)) for few in pooled.values()]
        verdicts = zip(pooled, decide(estimates, margin), strict=True)
        return next((count for count, one in verdicts if one.verdict == "equivalent"), scores.most)

    train, image = training_images(splits), pd.Series(scores.image)
    by_split = {int(split): smallest(image.isin(train[split]).to_numpy()) for split in np.unique(scores.split)}
    return EnoughPatches(smallest(np.full(len(image), True)), by_split)
