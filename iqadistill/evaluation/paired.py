"""Paired tests of two variants on the same splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from iqadistill.errors import InputError

LEVEL = 0.95


@dataclass(frozen=True)
class PairedTest:
    """Difference of two variants.

    Attributes:
        delta: First minus second, mean over splits.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: Two-sided p value.
        test: "corrected_t" or "paired_t".
    """

    delta: float
    low: float
    high: float
    p: float
    test: str


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_train: float | None = None,
    n_test: float | None = None,
) -> PairedTest:
    """Test whether two variants differ, given a metric of both on the same splits.

    Random splits share images, so the differences of splits are correlated and the ordinary t-test finds differences
    that are none. The corrected resampled t-test (Nadeau and Bengio, 2003) takes the variance of the mean difference as
    (1 / S + n_test / n_train) s^2. Without the two sizes no correction is possible: the splits are then taken as
    independent and `test` says "paired_t".

    Args:
        a: Metric of the first variant on each split, (S,).
        b: Metric of the second.
        n_train: Training images of a split.
        n_test: Test images of a split.

    Returns:
        The difference; its interval and p value are NaN with fewer than two splits, and everything is NaN when the metric
        is undefined on some split.

    Raises:
        InputError: No splits, different numbers of splits, or one size without the other.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise InputError(f"paired test: metrics of shape {a.shape} and {b.shape}; give both on the same splits.")
    if (n_train is None) != (n_test is None) or min(n_train or 1, n_test or 1) <= 0:
        raise InputError(f"paired test: n_train {n_train} and n_test {n_test}; give both, above zero, or neither.")
    difference = a - b
    return _t_test(difference, None if n_train is None else n_test / n_train)


def holm(pvalues: ArrayLike) -> np.ndarray:
    """Holm's step-down correction of a family of p values (m,); NaN stays NaN and does not count."""
    pvalues = np.asarray(pvalues, np.float64)
    corrected = np.full(pvalues.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(pvalues))
    order = tested[np.argsort(pvalues[tested], kind="stable")]
    steps = pvalues[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected


def _t_test(difference: np.ndarray, overlap: float | None) -> PairedTest:
    splits, delta = len(difference), float(difference.mean())
    name = "paired_t" if overlap is None else "corrected_t"
    if splits < 2 or np.isnan(delta):
        return PairedTest(delta, np.nan, np.nan, np.nan, name)
    error = float(np.sqrt((1 / splits + (overlap or 0.0)) * difference.var(ddof=1)))
    if error == 0:  # the same difference on every split
        return PairedTest(delta, delta, delta, 1.0 if delta == 0 else 0.0, name)
    half = error * stats.t.ppf(0.5 + LEVEL / 2, splits - 1)
    p = 2 * stats.t.sf(abs(delta) / error, splits - 1)
    return PairedTest(delta, delta - half, delta + half, float(p), name)
