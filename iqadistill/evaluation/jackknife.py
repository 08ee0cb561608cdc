"""The error of a difference in SRCC over contents, by a jackknife of the test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from iqadistill.evaluation.correlation import ROUNDING
from iqadistill.evaluation.verdicts import Estimate, undefined, without_metric
from iqadistill.training.rank_correlation import rank_correlation

TEST = "contents_jackknife"  # name in table "verdicts"
GROUPS = 100  # of contents, each left out once; where there are fewer contents, one each
MIN_SPLITS = 5  # below, the spread over splits says too little about trainings


@dataclass(frozen=True)
class SplitScores:
    """Test images of one split, as two or more students score them.

    Attributes:
        predictions: Scores (M, n); the first rows are compared with the mean of those after them.
        scores: Scores (n,) of people.
        content: Number (n,) of each image's content, the same in all splits.
    """

    predictions: np.ndarray
    scores: np.ndarray
    content: np.ndarray


def content_codes(contents: Mapping[str, str]) -> pd.Series:
    """Number of each image's content by its name, from the contents of images by their names."""
    return pd.Series(pd.factorize(pd.Series(contents))[0], list(contents))


def contents_estimate(tests: Sequence[SplitScores], numbers: Sequence[int] | None = None) -> Estimate:
    """The difference of two students on the same test images, with an error over contents and trainings.

    The error is the larger one of two: the jackknife over contents, which knows what two students make of an image in
    every training; and s / sqrt(S), as if splits were independent, which knows what is new in every training. Splits
    share training images, so the second alone is too small where students differ by what they make of images.

    Args:
        tests: Test images of each split, scored by both students.
        numbers: Numbers of the splits, for the reason; default: from 0.

    Returns:
        The difference, its error and its p value by Student's t; undefined where a student has no SRCC on a split, or
        the difference is the same on every split.
    """
    differences = np.array([srcc_differences(test)[0] for test in tests])
    splits, missing = len(differences), np.flatnonzero(np.isnan(differences)).tolist()
    if missing:
        named = missing if numbers is None else [numbers[place] for place in missing]
        return undefined(without_metric("one of the two students", "SRCC", named, splits))
    (over_contents,), groups = contents_errors(tests)
    over_splits = float(differences.std(ddof=1) / np.sqrt(splits)) if splits > 1 else 0.0
    if np.isnan(over_contents):
        return undefined("the test images are of too few contents to leave one out")
    error, degrees = max((float(over_contents), groups - 1), (over_splits, splits - 1))
    difference, nan = float(differences.mean()), float("nan")
    if not error > ROUNDING:
        return Estimate(difference, nan, nan, nan, nan, nan, "the difference is the same on every split")
    p = 2 * float(stdtr(degrees, -abs(difference) / error))
    return Estimate(difference, error, degrees, p, error, degrees)


def contents_errors(tests: Sequence[SplitScores], compared: int = 1) -> tuple[np.ndarray, int]:
    """Standard errors (compared,) of mean differences over contents, and the number of groups of contents.

    A group of contents is left out of all test sets at once. Its influence on a split is the change of the difference
    there, about the mean over the groups tested in that split and scaled for their number, as in a jackknife within
    strata; the influences of a group on its splits add up.

    Args:
        tests: Test images of each split.
        compared: Number of first rows that are compared, each with the mean of the rows after them.

    Returns:
        The errors, NaN where no split has two groups that can be left out in turn; and the number of groups.
    """
    contents = np.unique(np.concatenate([test.content for test in tests]))
    groups = min(GROUPS, len(contents))
    group_of = dict(zip(np.random.default_rng(0).permutation(contents), np.arange(len(contents)) % groups, strict=True))
    influence, informed = np.zeros((groups, compared)), np.zeros(compared, bool)
    for test in tests:
        group = np.array([group_of[content] for content in test.content])
        tested = np.unique(group)
        without = np.stack([srcc_differences(test, compared, group != left_out) for left_out in tested])
        known = np.isfinite(without)
        count = known.sum(0)
        mean = np.where(known, without, 0).sum(0) / np.maximum(count, 1)
        scale = np.sqrt(1 - 1 / np.maximum(count, 1)) / len(tests)
        influence[tested] += np.where(known, without - mean, 0) * scale
        informed |= count > 1
    return np.where(informed, np.sqrt((influence**2).sum(0)), np.nan), groups


def srcc_differences(test: SplitScores, compared: int = 1, images: np.ndarray | slice = slice(None)) -> np.ndarray:
    """SRCC of the first rows of predictions minus the mean SRCC of the others; NaN where it is undefined.

    Args:
        test: Test images of a split.
        compared: Number of first rows.
        images: Which of the images (n,) to use.

    Returns:
        Differences (compared,).
    """
    srcc = rank_correlation(test.predictions[:, images], test.scores[images])
    return srcc[:compared] - srcc[compared:].mean()
