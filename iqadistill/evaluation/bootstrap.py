"""Percentile intervals from resampling splits and images."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import ROUNDING, as_pair, krcc, plcc, rmse, srcc

_BLOCK = 1024  # images whose pairs are held at a time


class Interval(NamedTuple):
    """Median over the splits and its bootstrap interval."""

    median: float
    low: float
    high: float


def bootstrap_interval(
    predictions: Sequence[ArrayLike] | ArrayLike,
    scores: Sequence[ArrayLike] | ArrayLike,
    metric: str = "srcc",
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    one_test_set: bool = False,
) -> Interval:
    """Interval of a metric's median over splits, by a hierarchical bootstrap.

    A draw takes as many splits as there are, with replacement, resamples the test images within each one taken, and notes
    the median of the metric. The same draws serve every variant with the same test set sizes. A resample on which the
    metric is undefined (all its images tied) is left out of its draw.

    Args:
        predictions: A vector of test predictions for each split, or one vector.
        scores: Likewise.
        metric: "srcc", "plcc", "krcc" or "rmse".
        draws: Bootstrap draws.
        level: Coverage aimed at.
        seed: Of the draws.
        one_test_set: Whether all splits were tested on the same images; a draw then resamples them once for all its splits.

    Returns:
        Median, low and high; all NaN where the metric is undefined on some split itself.

    Raises:
        InputError: Unknown metric, no splits, or vectors that do not match.
    """
    if metric not in _METRICS:
        raise InputError(f"metric {metric!r}: no such metric; use one of {', '.join(_METRICS)}.")
    if np.ndim(predictions[0]) == 0:
        predictions, scores = [predictions], [scores]
    pairs = [as_pair(*pair) for pair in zip(predictions, scores, strict=True)]
    plain, resampled = _METRICS[metric]
    observed = np.array([plain(*pair) for pair in pairs])
    if np.isnan(observed).any():
        return Interval(np.nan, np.nan, np.nan)
    taken, counts = resamples(tuple(len(pair[0]) for pair in pairs), draws, seed, one_test_set)
    values = np.full(taken.shape, np.nan)
    for split, (pair, weights) in enumerate(zip(pairs, counts, strict=True)):
        values[taken == split] = resampled(weights, *pair)
    medians = np.nanmedian(values[~np.isnan(values).all(1)], axis=1)
    if not len(medians):
        return Interval(float(np.median(observed)), np.nan, np.nan)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(observed)), float(low), float(high))


@lru_cache(maxsize=2)
def resamples(
    sizes: tuple[int, ...], draws: int, seed: int, one_test_set: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draws of a hierarchical bootstrap.

    Returns:
        taken: (draws, S), the splits of each draw.
        counts: For each split, how often each of its images was drawn, (number of times it was taken, images), in the
            order of `taken == split`.
    """
    generator = np.random.default_rng(seed)
    taken = generator.integers(len(sizes), size=(draws, len(sizes)))
    if one_test_set:
        size = sizes[0]
        drawn = generator.multinomial(size, np.full(size, 1 / size), size=draws).astype(np.float64)
        return taken, [drawn[np.nonzero(taken == split)[0]] for split in range(len(sizes))]
    times = np.bincount(taken.ravel(), minlength=len(sizes))
    counts = [
        generator.multinomial(size, np.full(size, 1 / size), size=number).astype(np.float64)
        for size, number in zip(sizes, times, strict=True)
    ]
    return taken, counts


# Below, row r of `weights` (R, n) says how often each image occurs in resample r: the metric of the resample follows
# from the counts without ever writing the resample out.


def _resampled_plcc(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(), y - y.mean()  # near zero, the moments below lose no digits
    moments = weights @ np.stack([x, y, x * x, y * y, x * y], 1) / weights.sum(1, keepdims=True)
    mean_x, mean_y, square_x, square_y, product = moments.T
    spread = np.sqrt(np.maximum(square_x - mean_x**2, 0.0) * np.maximum(square_y - mean_y**2, 0.0))
    return _ratio(product - mean_x * mean_y, spread, ROUNDING * np.abs(x).max() * np.abs(y).max())


def _resampled_srcc(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = _weighted_ranks(weights, x), _weighted_ranks(weights, y)
    weighted = weights * x
    covariance, square_x = np.einsum("rn,rn->r", weighted, y), np.einsum("rn,rn->r", weighted, x)
    return _ratio(covariance, np.sqrt(square_x * np.einsum("rn,rn,rn->r", weights, y, y)), 0.0)


def _weighted_ranks(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rank of each image's copies among all copies less the mean rank, (R, n): copies below, and half of those level."""
    values, place = np.unique(x, return_inverse=True)
    begins = np.searchsorted(np.sort(place), np.arange(len(values)))
    level = np.add.reduceat(weights[:, np.argsort(place, kind="stable")], begins, axis=1)
    ranks = np.cumsum(level, 1) - 0.5 * level
    return (ranks - 0.5 * weights.sum(1, keepdims=True))[:, place]


def _resampled_krcc(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tau-b: pairs in order less pairs out of order, over the geometric mean of the pairs untied in x and in y."""
    concordance, untied_x, untied_y = np.zeros((3, len(weights)))
    for block in np.array_split(np.arange(len(x)), -(-len(x) // _BLOCK)):  # all pairs at once would not fit into memory
        sign_x, sign_y = (np.sign(values[:, None] - values[block]) for values in (x, y))
        for total, pairs in ((concordance, sign_x * sign_y), (untied_x, sign_x**2), (untied_y, sign_y**2)):
            total += ((weights @ pairs) * weights[:, block]).sum(1)
    return _ratio(concordance, np.sqrt(untied_x * untied_y), 0.0)


def _resampled_rmse(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(weights @ (x - y) ** 2 / weights.sum(1))


def _ratio(covariance: np.ndarray, spread: np.ndarray, limit: float) -> np.ndarray:
    """Correlations; NaN where the spread is zero up to rounding."""
    return np.divide(covariance, spread, out=np.full(len(spread), np.nan), where=spread > limit)


_METRICS: dict[str, tuple[Callable, Callable]] = {
    "srcc": (srcc, _resampled_srcc),
    "plcc": (plcc, _resampled_plcc),
    "krcc": (krcc, _resampled_krcc),
    "rmse": (rmse, _resampled_rmse),
}
