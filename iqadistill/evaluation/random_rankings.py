"""A selector among random rankings: the Monte Carlo test of a selector against random at the same keep rate.

Students are trained on the patches that random rankings keep as they are on those that the selector keeps: the same
splits, initial weights, order of images and dropout masks. Were the selector no better than chance, its student would
be one more of theirs, and every place among them equally probable. No formula for the correlation of splits is needed,
because splits, trainings and images are the same for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr

from iqadistill.evaluation.correlation import ROUNDING
from iqadistill.evaluation.jackknife import SplitScores, content_codes, contents_errors
from iqadistill.evaluation.verdicts import LEVEL, Estimate, undefined, without_metric
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
        test: "random_rankings", where p is the selector's place among them, or "random_rankings_t", where they are too
            few for that and p is that of a t-test against their deviation.
    """

    estimate: Estimate
    draws: int
    below: int
    deviation: float
    p_normal: float
    test: Literal["random_rankings", "random_rankings_t"] = "random_rankings"


def scores_by_split(chosen: pd.DataFrame, drawn: pd.DataFrame, contents: Mapping[str, str]) -> dict[int, SplitScores]:
    """Test images of each split as one student and those of random draws score them.

    Args:
        chosen: Rows of one student: split, image_id, score and prediction.
        drawn: Rows of the students of random draws on the same images, which have the column `draw` besides.
        contents: Content of each image by its name.
    """
    codes, draws, sets = content_codes(contents), dict(list(drawn.groupby("split"))), {}
    for split, rows in chosen.groupby("split"):
        rows = rows.set_index("image_id").sort_index()
        random = draws[split].pivot(index="draw", columns="image_id", values="prediction")[rows.index]
        stacked = np.vstack([rows.prediction.to_numpy()[None], random.to_numpy()])
        sets[int(split)] = SplitScores(stacked, rows.score.to_numpy(), codes[rows.index].to_numpy())
    return sets


def compare_students_with_random(
    students: Mapping[str, pd.DataFrame], drawn: pd.DataFrame, contents: Mapping[str, str], *, family: int = 1
) -> dict[str, AmongRandom]:
    """Test several students, one by one, against the same students of random draws, which are ranked once.

    Args:
        students: Rows of each student by its name: split, image_id, score and prediction.
        drawn: Rows of the students of random draws on the same images, which have the column `draw` besides.
        contents: Content of each image by its name.
        family: Number of comparisons that are decided together.

    Returns:
        What `compare_with_random` says of each student.
    """
    sets = [scores_by_split(rows, drawn, contents) for rows in students.values()]
    splits = list(sets[0]) if sets else []
    tests = [_together([one[split] for one in sets]) for split in splits]
    placed = compare_each_with_random(tests, len(sets), family=family, splits=splits) if sets else []
    return dict(zip(students, placed, strict=True))


def _together(tests: Sequence[SplitScores]) -> SplitScores:
    """Test images of a split as several students score them, above the same random draws."""
    chosen = [test.predictions[:1] for test in tests]
    return replace(tests[0], predictions=np.vstack([*chosen, tests[0].predictions[1:]]))


def compare_with_random(
    tests: Sequence[SplitScores], *, family: int = 1, splits: Sequence[int] | None = None
) -> AmongRandom:
    """Test a selector against random rankings on the same images.

    The p value is the selector's place by distance from the mean of all, (1 + #{as far}) / (1 + R), and says nothing
    about other images. Where the smallest one, 1 / (1 + R), is above the level of Holm's first step, no place among so
    few rankings can show a difference: p is then that of a t-test with R - 1 degrees of freedom against their
    deviation, unless they are shown not to be normal.

    The broad error holds for other images, too: the larger one of the jackknife over contents, whose differences
    contain the noise of trainings, and of the deviation over random rankings.

    Args:
        tests: Test images of each split.
        family: Number of comparisons that are decided together.
        splits: Numbers of the splits, for the reason; default: from 0.
    """
    return compare_each_with_random(tests, 1, family=family, splits=splits)[0]


def compare_each_with_random(
    tests: Sequence[SplitScores], selectors: int, *, family: int = 1, splits: Sequence[int] | None = None
) -> list[AmongRandom]:
    """Test several selectors, one by one, against the same random rankings, whose ranks are computed once.

    Args:
        tests: Test images of each split; the first rows of their predictions are the selectors'.
        selectors: Number of selectors.
        family: Number of comparisons that are decided together.
        splits: Numbers of the splits, for the reason; default: from 0.

    Returns:
        What `compare_with_random` says of each selector.
    """
    srcc = np.stack([rank_correlation(test.predictions, test.scores) for test in tests])  # (S, selectors + R)
    jackknife, groups = contents_errors(tests, selectors)
    numbers = range(len(tests)) if splits is None else splits
    return [
        _among_random(np.column_stack([srcc[:, place], srcc[:, selectors:]]), error, groups, family, numbers)
        for place, error in enumerate(jackknife.tolist())
    ]


def _among_random(srcc: np.ndarray, jackknife: float, groups: int, family: int, splits: Sequence[int]) -> AmongRandom:
    """A selector, the first column of SRCC (S, 1 + R), among random rankings."""
    means = srcc.mean(0)
    selector, random = float(means[0]), means[1:]
    draws, nan = len(random), float("nan")
    if not np.isfinite(means).all():
        return AmongRandom(undefined(_without_srcc(srcc, splits)), draws, 0, nan, nan)
    difference = selector - float(random.mean())
    deviation = float(random.std(ddof=1)) if draws > 1 else nan
    if not deviation > ROUNDING:
        reason = "all random rankings have the same SRCC"
        return AmongRandom(Estimate(difference, nan, nan, nan, nan, nan, reason), draws, 0, deviation, nan)
    from scipy.stats import shapiro  # takes as long to import as the rest of its job

    error = deviation * np.sqrt(1 + 1 / draws)
    distance = np.abs(means - means.mean())
    p = float(np.mean(distance >= distance[0] * (1 - 1e-9)))
    p_normal = float(shapiro(random).pvalue)
    by_deviation = 1 / (1 + draws) > LEVEL / family and p_normal >= NORMAL
    if by_deviation:
        p = 2 * float(stdtr(draws - 1, -abs(difference) / error))
    broad = (error, draws - 1) if error >= jackknife else (jackknife, groups - 1)
    reason = "the test images are of too few contents to leave one out" if np.isnan(jackknife) else ""
    return AmongRandom(
        estimate=Estimate(difference, float(error), draws - 1, p, float(broad[0]), broad[1], reason),
        draws=draws,
        below=int((random < selector).sum()),
        deviation=deviation,
        p_normal=p_normal,
        test="random_rankings_t" if by_deviation else "random_rankings",
    )


def _without_srcc(srcc: np.ndarray, splits: Sequence[int]) -> str:
    """Which students have no SRCC on which splits."""
    named = {"the student that is compared": srcc[:, :1], "a student of a random draw": srcc[:, 1:]}
    return "; ".join(
        without_metric(name, "SRCC", [splits[row] for row in np.flatnonzero(missing).tolist()], len(srcc))
        for name, columns in named.items()
        if (missing := np.isnan(columns).any(1)).any()
    )
