"""Levels of a metric: their mean over splits with its interval, on a scale where both are nearly normal.

Correlations are averaged as Fisher's z = arctanh(r), whose spread hardly depends on r, and RMSE as its logarithm; means
and ends of intervals are transformed back.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from iqadistill.evaluation.paired import paired_test

LARGEST_CORRELATION = 0.9999  # correlations are clipped to it in size, for the z of 1 is infinite
SMALLEST_RMSE = 1e-6  # likewise for the logarithm


class Level(NamedTuple):
    """Mean of a metric with the ends of its 95 % interval, which are NaN where there is none."""

    mean: float
    low: float = np.nan
    high: float = np.nan


def to_scale(metric: str, values: ArrayLike) -> np.ndarray:
    """Values of a metric on the scale that they are averaged on; NaN stays NaN.

    Args:
        metric: "rmse", or the name of a correlation.
        values: Values of any shape.
    """
    if metric == "rmse":
        return np.log(np.maximum(values, SMALLEST_RMSE))
    return np.arctanh(np.clip(values, -LARGEST_CORRELATION, LARGEST_CORRELATION))


def from_scale(metric: str, values: ArrayLike) -> np.ndarray:
    """Values of a metric from those on the scale; the arguments are those of `to_scale`."""
    return np.exp(values) if metric == "rmse" else np.tanh(values)


def level_over_splits(metric: str, values: ArrayLike, *, n_train: float, n_test: float) -> Level:
    """Mean of a metric over random splits, with a corrected resampled t interval.

    Random splits share images, so the mean over S of them varies more than that over S independent ones. As in the
    corrected t-test of Nadeau and Bengio (2003), its variance is estimated as (1 / S + n_test / n_train) s^2, with
    S - 1 degrees of freedom.

    Args:
        metric: Name of the metric.
        values: Its value (S,) on each split.
        n_train: Number of training images of a split.
        n_test: Number of test images of a split.

    Returns:
        The mean and its interval. There is no interval with a single split or where all values are equal; everything is
        NaN if the metric is undefined on any split.
    """
    scaled = to_scale(metric, values)
    test = paired_test(scaled, np.zeros_like(scaled), n_train=n_train, n_test=n_test)
    mean, low, high = (float(end) for end in from_scale(metric, [test.delta, test.low, test.high]))
    return Level(mean, low, high) if np.ptp(scaled) > 0 else Level(mean)
