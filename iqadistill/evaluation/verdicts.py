"""Verdicts: what a comparison decided, beside its margin and the smallest difference it could have detected.

A difference is tested two ways: against none, and against the margin (two one-sided tests, Schuirmann 1987). Both are
corrected by Holm's procedure over the comparisons that are decided together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from iqadistill.evaluation.paired import PairedTest, holm, paired_test

LEVEL = 0.05  # chance of a false "better" or "worse", and of a false "equivalent", over all comparisons of a family
POWER = 0.8  # with which the smallest detectable difference is detected
NOTHING_SHARED = "the two have no split in common"

Decision = Literal["better", "worse", "equivalent", "undecided", "undefined"]


@dataclass(frozen=True)
class Estimate:
    """A difference of two variants in a metric, with what is needed to decide about it.

    Attributes:
        difference: The first variant's metric minus the second's; NaN where it is undefined.
        error: Standard error that the test of no difference has.
        degrees: Degrees of freedom of `error`.
        p: Two-sided p value of no difference; NaN if there is no test.
        broad_error: Standard error that also covers other contents and trainings, for the interval and for equivalence.
        broad_degrees: Degrees of freedom of `broad_error`.
        reason: Why the difference is undefined; empty if it is not.
    """

    difference: float
    error: float
    degrees: float
    p: float
    broad_error: float
    broad_degrees: float
    reason: str = ""

    @property
    def defined(self) -> bool:
        """Whether the difference was tested: known, with a spread."""
        return bool(np.isfinite([self.difference, self.p]).all() and self.broad_error > 0)


@dataclass(frozen=True)
class Verdict:
    """What a comparison decided.

    Attributes:
        verdict: "better" or "worse": different from zero, and not equivalent; "equivalent": within the margin;
            "undecided": neither; "undefined": there is no test.
        margin: Largest difference that does not matter.
        difference: The first variant's metric minus the second's.
        low: Lower end of the interval of the difference, at the level that Holm's procedure gave this comparison.
        high: Upper end of the interval.
        smallest_detectable: Difference that the test would have found with a power of 80 %, at Holm's first step.
        p_adjusted: p value of no difference after Holm's correction.
        p_equivalence: p value of a difference beyond the margin after Holm's correction.
    """

    verdict: Decision
    margin: float
    difference: float
    low: float
    high: float
    smallest_detectable: float
    p_adjusted: float
    p_equivalence: float


def decide(estimates: Sequence[Estimate], margin: float) -> list[Verdict]:
    """Decide a family of comparisons.

    Args:
        estimates: The differences; those that are undefined are not counted as tests.
        margin: Largest difference that does not matter, in units of the metric.

    Returns:
        A verdict for each, in order.
    """
    p = np.array([one.p if one.defined else np.nan for one in estimates])
    beyond = np.array([_p_beyond(one, margin) if one.defined else np.nan for one in estimates])
    p_adjusted, p_equivalence = holm(p), holm(beyond)
    tests = int(np.isfinite(p).sum())
    return [
        _verdict(one, margin, LEVEL / max(1, tests - _rejected_before(p, p_adjusted, place)), tests, adjusted, within)
        for place, (one, adjusted, within) in enumerate(zip(estimates, p_adjusted, p_equivalence, strict=True))
    ]


def paired_estimate(
    a: pd.Series,
    b: pd.Series,
    n_train: float,
    n_test: float,
    names: tuple[str, str] = ("the first variant", "the second variant"),
) -> Estimate:
    """The difference of two variants in SRCC by the corrected resampled t-test, or why it is undefined.

    Args:
        a: SRCC of the first variant by split.
        b: SRCC of the second variant on the same splits.
        n_train: Number of training images of a split.
        n_test: Number of test images of a split.
        names: Names of both variants, for the reason.
    """
    if a.empty:
        return undefined(NOTHING_SHARED)
    test = paired_test(a, b, n_train=n_train, n_test=n_test)
    reason = why_untested(a, b, test, names)
    return Estimate(test.delta, test.error, test.degrees, test.p, test.error, test.degrees, reason)


def why_untested(a: pd.Series, b: pd.Series, test: PairedTest, names: tuple[str, str], metric: str = "SRCC") -> str:
    """Why there is no test of two variants on splits: which variant, which splits, why; empty if there is one.

    Args:
        a: Metric of the first variant by split.
        b: Metric of the second variant on the same splits.
        test: Their test.
        names: Names of both variants.
        metric: Name of the metric.
    """
    without = [
        without_metric(name, metric, values.index[values.isna()], len(values))
        for name, values in zip(names, (a, b), strict=True)
        if values.isna().any()
    ]
    if without:
        return "; ".join(without)
    if len(a) < 2:
        return "there is one split only, and a test needs two or more"
    return "" if test.error > 0 else f"the difference in {metric} is the same on every split"


def without_metric(name: str, metric: str, undefined_on: Sequence[int], splits: int) -> str:
    """Which variant has no value of a metric, on which splits, and why.

    Args:
        name: Name of the variant.
        metric: Name of the metric.
        undefined_on: Numbers of the splits on which it is undefined.
        splits: Number of all splits.
    """
    where = f"{'split' if len(undefined_on) == 1 else 'splits'} {', '.join(map(str, undefined_on))}"
    return f"{name} has no {metric} on {where} of {splits}, where all its predictions, or all scores, are equal"


def undefined(reason: str) -> Estimate:
    """A difference without a value, and why."""
    nan = float("nan")
    return Estimate(nan, nan, nan, nan, nan, nan, reason)


def smallest_detectable(error: float, degrees: float, tests: int = 1) -> float:
    """Difference that a two-sided t-test finds with a power of 80 %.

    Args:
        error: Standard error of the difference.
        degrees: Its degrees of freedom.
        tests: Number of tests of the family; the level is that of Holm's first step.
    """
    return float(error * (stdtrit(degrees, 1 - LEVEL / max(1, tests) / 2) + stdtrit(degrees, POWER)))


def _verdict(
    one: Estimate, margin: float, level: float, tests: int, p_adjusted: float, p_equivalence: float
) -> Verdict:
    nan = float("nan")
    if not one.defined:
        return Verdict("undefined", margin, one.difference, nan, nan, nan, nan, nan)
    half = one.broad_error * float(stdtrit(one.broad_degrees, 1 - level / 2))
    decision: Decision = "undecided"
    if p_equivalence < LEVEL:
        decision = "equivalent"
    elif p_adjusted < LEVEL:
        decision = "better" if one.difference > 0 else "worse"
    return Verdict(
        verdict=decision,
        margin=margin,
        difference=one.difference,
        low=one.difference - half,
        high=one.difference + half,
        smallest_detectable=smallest_detectable(one.error, one.degrees, tests),
        p_adjusted=float(p_adjusted),
        p_equivalence=float(p_equivalence),
    )


def _p_beyond(one: Estimate, margin: float) -> float:
    """p value of a difference of the margin or more: the larger one of the two one-sided tests."""
    return float(stdtr(one.broad_degrees, (abs(one.difference) - margin) / one.broad_error))


def _rejected_before(p: np.ndarray, p_adjusted: np.ndarray, place: int) -> int:
    """Number of comparisons that Holm's procedure rejects before it comes to one."""
    rejected = p_adjusted < LEVEL
    before = p < p[place] if rejected[place] else np.full(len(p), True)
    return int((rejected & before).sum())
