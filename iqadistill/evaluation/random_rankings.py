"""A selector among random rankings: the Monte Carlo test of a selector against random at the same keep rate.

Students are trained on the patches that random rankings keep as they are on those that the selector keeps: the same
splits, initial weights, order of images and dropout masks. Were the selector no better than chance, its student would
be one more of theirs, and every place among them equally probable. No formula for the correlation of splits is needed,
because splits, trainings and images are the same for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from iqadistill.evaluation.correlation import ROUNDING
from iqadistill.evaluation.jackknife import SplitScores, contents_errors
from iqadistill.evaluation.verdicts import Estimate, undefined
from iqadistill.training.rank_correlation import rank_correlation

NORMAL = 0.05  # p value of the Shapiro-Wilk test from which on random rankings count as near normal


@dataclass(frozen=True)
class AmongRandom:
    """A selector among random rankings.

    Attributes:
        estimate: The difference of the selector's SRCC and the mean over random rankings, and its tests.
        draws: Number R of random rankings.
        below: Number of random rankings with a lower SRCC than the selector.
        deviation: Standard deviation over the random rankings of the mean SRCC over splits.
        p_normal: p value of the Shapiro-Wilk test that the random rankings are normal.
    """

    estimate: Estimate
    draws: int
    below: int
    deviation: float
    p_normal: float

    @property
    def near_normal(self) -> bool:
        """Whether nothing speaks against normal random rankings."""
        return self.p_normal >= NORMAL

    @property
    def p_deviation(self) -> float:
        """Two-sided p value by Student's t with the deviation over random rankings; it needs near normal rankings.

        By its place alone, a selector among R rankings has no p value below 1 / (R + 1), which Holm's correction over
        many selectors and keep rates needs.
        """
        return 2 * float(stdtr(self.estimate.degrees, -abs(self.estimate.difference) / self.estimate.error))


def compare_with_random(tests: Sequence[SplitScores]) -> AmongRandom:
    """Test a selector against random rankings on the same images.

    The p value is the selector's place by distance from the mean of all, (1 + #{as far}) / (1 + R), and says nothing
    about other images. The broad error does: the larger one of the jackknife over contents, whose differences hold the
    noise of trainings, and of the deviation over random rankings.

    Args:
        tests: Test images of each split; the selector's student comes first, those of the random rankings follow.
    """
    return compare_each_with_random(tests, 1)[0]


def compare_each_with_random(tests: Sequence[SplitScores], selectors: int) -> list[AmongRandom]:
    """Test several selectors, one by one, against the same random rankings, whose ranks are computed once.

    Args:
        tests: Test images of each split; the first rows of their predictions are the selectors'.
        selectors: Number of selectors.

    Returns:
        What `compare_with_random` says of each selector.
    """
    srcc = np.stack([rank_correlation(test.predictions, test.scores) for test in tests])  # (S, selectors + R)
    jackknife, groups = contents_errors(tests, selectors)
    return [
        _among_random(np.column_stack([srcc[:, place], srcc[:, selectors:]]), float(jackknife[place]), groups)
        for place in range(selectors)
    ]


def _among_random(srcc: np.ndarray, jackknife: float, groups: int) -> AmongRandom:
    """A selector, the first column of SRCC (S, 1 + R), among random rankings."""
    means = srcc.mean(0)
    selector, random = float(means[0]), means[1:]
    draws, nan = len(random), float("nan")
    if not np.isfinite(means).all():
        return AmongRandom(undefined(_without_srcc(srcc)), draws, 0, nan, nan)
    difference = selector - float(random.mean())
    deviation = float(random.std(ddof=1)) if draws > 1 else nan
    if not deviation > ROUNDING:
        reason = "all random rankings have the same SRCC"
        return AmongRandom(Estimate(difference, nan, nan, nan, nan, nan, reason), draws, 0, deviation, nan)
    from scipy.stats import shapiro  # takes as long to import as the rest of its job

    error = deviation * np.sqrt(1 + 1 / draws)
    distance = np.abs(means - means.mean())
    p = float(np.mean(distance >= distance[0] * (1 - 1e-9)))
    broad = (jackknife, groups - 1) if jackknife > error else (error, draws - 1)
    return AmongRandom(
        estimate=Estimate(difference, float(error), draws - 1, p, float(broad[0]), broad[1]),
        draws=draws,
        below=int((random < selector).sum()),
        deviation=deviation,
        p_normal=float(shapiro(random).pvalue),
    )


def _without_srcc(srcc: np.ndarray) -> str:
    """Which students have no SRCC on which splits."""
    splits = np.flatnonzero(np.isnan(srcc).any(1))
    who = "the selector's student" if np.isnan(srcc[:, 0]).any() else "a student of a random ranking"
    where = ", ".join(map(str, splits))
    return f"{who} gives all test images of split {where} the same score, so that its SRCC is undefined"
