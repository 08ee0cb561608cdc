"""The error of a difference in SRCC over contents, by a jackknife of the test images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from iqadistill.evaluation.verdicts import Estimate, undefined
from iqadistill.training.rank_correlation import rank_correlation

TEST = "contents_jackknife"  # name in table "verdicts"
GROUPS = 100  # of contents, each left out once; where there are fewer contents, one each
MIN_SPLITS = 5  # below, the spread over splits says too little about trainings


@dataclass(frozen=True)
class SplitScores:
    """Test images of one split, as two or more students score them.

    Attributes:
        predictions: Scores (M, n); the difference is the SRCC of the first row minus the mean SRCC of the others.
        scores: Scores (n,) of people.
        content: Number (n,) of each image's content, the same in all splits.
    """

    predictions: np.ndarray
    scores: np.ndarray
    content: np.ndarray


def contents_estimate(tests: Sequence[SplitScores]) -> Estimate:
    """The difference of two students on the same test images, with an error over contents and trainings.

    The error is the larger one of two: the jackknife over contents, which knows what two students make of an image in
    every training; and s / sqrt(S), as if splits were independent, which knows what is new in every training. Splits
    share training images, so the second alone is too small where students differ by what they make of images.

    Args:
        tests: Test images of each split, scored by both students.

    Returns:
        The difference, its error and its p value by Student's t; undefined where a student has no SRCC on a split, or
        the difference is the same on every split.
    """
    differences = np.array([srcc_difference(test) for test in tests])
    if not np.isfinite(differences).all():
        where = ", ".join(map(str, np.flatnonzero(~np.isfinite(differences))))
        return undefined(f"a student gives all test images of split {where} the same score, so that it has no SRCC")
    splits = len(differences)
    over_contents, groups = contents_error(tests)
    over_splits = float(differences.std(ddof=1) / np.sqrt(splits))
    error, degrees = max((over_contents, groups - 1), (over_splits, splits - 1))
    difference, nan = float(differences.mean()), float("nan")
    if not error > 0:
        return Estimate(difference, nan, nan, nan, nan, nan, "the difference is the same on every split")
    p = 2 * float(stdtr(degrees, -abs(difference) / error))
    return Estimate(difference, error, degrees, p, error, degrees)


def contents_error(tests: Sequence[SplitScores]) -> tuple[float, int]:
    """Standard error of the mean difference over contents, and the number of groups of contents.

    A group of contents is left out of all test sets at once. Its influence on a split is the change of the difference
    there, about the mean over the groups tested in that split and scaled for their number, as in a jackknife within
    strata; the influences of a group on its splits add up.

    Args:
        tests: Test images of each split.
    """
    contents = np.unique(np.concatenate([test.content for test in tests]))
    groups = min(GROUPS, len(contents))
    group_of = dict(zip(np.random.default_rng(0).permutation(contents), np.arange(len(contents)) % groups, strict=True))
    influence = np.zeros(groups)
    for test in tests:
        group = np.array([group_of[content] for content in test.content])
        tested = np.unique(group)
        without = np.array([srcc_difference(test, group != left_out) for left_out in tested])
        known = np.isfinite(without)
        if known.sum() > 1:
            of_split = (without[known] - without[known].mean()) * np.sqrt(1 - 1 / known.sum())
            influence[tested[known]] += of_split / len(tests)
    return float(np.sqrt((influence**2).sum())), groups


def srcc_difference(test: SplitScores, images: np.ndarray | slice = slice(None)) -> float:
    """SRCC of the first row of predictions minus the mean SRCC of the others; NaN where one of them is undefined.

    Args:
        test: Test images of a split.
        images: Which of them (n,) to use.
    """
    srcc = rank_correlation(test.predictions[:, images], test.scores[images])
    return float(srcc[0] - srcc[1:].mean())
