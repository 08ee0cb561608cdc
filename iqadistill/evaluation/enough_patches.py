"""Enough patches: the smallest number that scores images as well as all of them, decided out of fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.patch_scores import PatchScores, training_images
from iqadistill.evaluation.verdicts import decide, paired_estimate
from iqadistill.training.rank_correlation import rank_correlation

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
    scores: PatchScores, pooled: Mapping[int, np.ndarray], splits: pa.Table, *, n_train: float, margin: float
) -> EnoughPatches:
    """The smallest number of patches that is equivalent to all.

    Equivalence is decided for all numbers together (`decide`), by the corrected resampled t-test on the splits in which
    the images are tested.

    Args:
        scores: Patch scores of test images.
        pooled: Scores (T,) of the tests by the number of patches, in ascending order.
        splits: Table "splits".
        n_train: Number of training images of a split.
        margin: Largest difference in SRCC that does not matter.
    """
    everything = scores.pooled(np.ones(len(scores.score)))

    def smallest(used: np.ndarray) -> int:
        candidates = np.stack([everything, *pooled.values()])
        tests = [rows for split in np.unique(scores.split) if (rows := used & (scores.split == split)).sum() >= FEWEST]
        if not tests:
            return scores.most
        srcc = np.stack([rank_correlation(candidates[:, rows], scores.quality[rows]) for rows in tests])
        n_test = float(np.mean([rows.sum() for rows in tests]))
        estimates = [
            paired_estimate(pd.Series(column), pd.Series(srcc[:, 0]), n_train, n_test) for column in srcc[:, 1:].T
        ]
        verdicts = zip(pooled, decide(estimates, margin), strict=True)
        return next((count for count, one in verdicts if one.verdict == "equivalent"), scores.most)

    train, image = training_images(splits), pd.Series(scores.image)
    by_split = {int(split): smallest(image.isin(train[split]).to_numpy()) for split in np.unique(scores.split)}
    return EnoughPatches(smallest(np.full(len(image), True)), by_split)
