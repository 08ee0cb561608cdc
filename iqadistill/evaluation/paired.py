"""Paired tests of two variants on the same splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import ROUNDING

LEVEL = 0.95


@dataclass(frozen=True)
class PairedTest:
    """Result of a paired test of two variants.

    Attributes:
        delta: Mean over the splits of the first variant's metric minus the second's.
        low: Lower end of the 95 % confidence interval of delta.
        high: Upper end of the interval.
        p: Two-sided p value.
        test: "corrected_t" or "paired_t".
        error: Standard error of delta; NaN where there is no test.
        degrees: Degrees of freedom of the error.
    """

    delta: float
    low: float
    high: float
    p: float
    test: str
    error: float = float("nan")
    degrees: int = 0


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_train: float | None = None,
    n_test: float | None = None,
) -> PairedTest:
    """Test whether two variants differ, given a metric of both on the same splits.

    Random splits share images, so their differences are correlated and the ordinary paired t-test has too many false
    positives. The corrected resampled t-test (Nadeau and Bengio, 2003) estimates the variance of the mean difference as
    (1 / S + n_test / n_train) s^2. Without the two sizes, the splits are taken as independent and the test is the
    ordinary one, "paired_t".

    Args:
        a: Metric (S,) of the first variant on each split.
        b: Metric (S,) of the second variant on the same splits.
        n_train: Number of training images of a split.
        n_test: Number of test images of a split.

    Returns:
        The difference with its interval and p value, which are NaN with fewer than two splits, or if the difference is
        the same on every split, whose spread is then unknown; everything is NaN if the metric is undefined on any
        split.

    Raises:
        InputError: The metrics are not vectors of the same length or are empty, only one size is given, or a size is
            out of range.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise InputError(
            f"paired test: metrics of shapes {first.shape} and {second.shape}; give both on the same splits."
        )
    if n_train is None and n_test is None:
        return _t_test(first - second, None)
    if n_train is None or n_test is None or n_train <= 0 or n_test < 0:
        raise InputError(f"paired test: n_train is {n_train} and n_test is {n_test}; give both sizes, or neither.")
    return _t_test(first - second, n_test / n_train)


def holm(pvalues: ArrayLike) -> np.ndarray:
    """Holm's step-down correction (Holm, 1979) of a family of p values (m,); NaN is not counted and stays NaN."""
    raw = np.asarray(pvalues, np.float64)
    corrected = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected


def _t_test(difference: np.ndarray, overlap: float | None) -> PairedTest:
    splits, delta = len(difference), float(difference.mean())
    name, nan = "paired_t" if overlap is None else "corrected_t", float("nan")
    if splits < 2 or np.isnan(delta):
        return PairedTest(delta, nan, nan, nan, name, nan, splits - 1)
    error = float(np.sqrt((1 / splits + (overlap or 0.0)) * difference.var(ddof=1)))
    if np.ptp(difference) <= ROUNDING:  # the same difference on every split: no spread to test it by
        return PairedTest(delta, nan, nan, nan, name, 0.0, splits - 1)
    # Student's t from the functions behind scipy.stats.t, which alone takes as long to import as all the rest.
    half = error * float(stdtrit(splits - 1, 0.5 + LEVEL / 2))
    p = 2 * float(stdtr(splits - 1, -abs(delta) / error))
    return PairedTest(delta, delta - half, delta + half, p, name, error, splits - 1)
