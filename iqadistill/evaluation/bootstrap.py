"""Percentile bootstrap intervals over splits and images."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from iqadistill.errors import InputError
from iqadistill.evaluation.correlation import ROUNDING, as_pair, krcc, plcc, rmse, srcc

_BLOCK = 1024  # images compared with all others at a time, which bounds the memory of Kendall's tau

Metric = Callable[[np.ndarray, np.ndarray], float]
ResampledMetric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """Median of a metric over the splits with the ends of its bootstrap interval."""

    median: float
    low: float
    high: float


def bootstrap_interval(
    predictions: Sequence[ArrayLike] | np.ndarray,
    scores: Sequence[ArrayLike] | np.ndarray,
    metric: str = "srcc",
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    one_test_set: bool = False,
) -> Interval:
    """Bootstrap interval of a metric's median over splits.

    The bootstrap is hierarchical: a draw samples as many splits as there are, with replacement, resamples the test
    images within each sampled split, and takes the median of the metric. All variants with test sets of the same sizes
    share the same draws. A resample on which the metric is undefined (all its images are tied) is skipped.

    Args:
        predictions: Test predictions of each split, a sequence of vectors (n,), or one vector for a single split.
        scores: Scores of the same images, in the same form.
        metric: "srcc", "plcc", "krcc" or "rmse".
        draws: Number of bootstrap draws.
        level: Nominal coverage of the interval.
        seed: Seed of the draws.
        one_test_set: Whether all splits were tested on the same images; each draw then resamples the images once for
            all its splits.

    Returns:
        Median over the splits and ends of the interval; all are NaN if the metric is undefined on any split.

    Raises:
        InputError: The metric is unknown, there are no splits, or predictions and scores differ in number or length.
    """
    if metric not in _METRICS:
        raise InputError(f"metric: unknown metric {metric!r}; use one of {', '.join(_METRICS)}.")
    predicted, observed = _vectors(predictions), _vectors(scores)
    if not predicted or len(predicted) != len(observed):
        raise InputError(
            f"bootstrap: predictions of {len(predicted)} splits and scores of {len(observed)}; "
            "give both for the same splits, at least one."
        )
    pairs = [as_pair(x, y) for x, y in zip(predicted, observed, strict=True)]
    metric_of, metric_of_resamples = _METRICS[metric]
    by_split = np.array([metric_of(x, y) for x, y in pairs])
    if np.isnan(by_split).any():
        return Interval(np.nan, np.nan, np.nan)
    sampled, counts = resamples(tuple(len(x) for x, _ in pairs), draws, seed, one_test_set)
    values = np.full(sampled.shape, np.nan)
    for split, ((x, y), weights) in enumerate(zip(pairs, counts, strict=True)):
        values[sampled == split] = metric_of_resamples(weights, x, y)
    medians = np.nanmedian(values[~np.isnan(values).all(1)], axis=1)
    if not len(medians):
        return Interval(float(np.median(by_split)), np.nan, np.nan)
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(by_split)), float(low), float(high))


def _vectors(values: Sequence[ArrayLike] | np.ndarray) -> list[ArrayLike]:
    """The vector of each split; a plain vector is that of the only split."""
    if len(values) and np.ndim(values[0]) == 0:
        return [np.asarray(values)]
    return list(values)


@lru_cache(maxsize=2)
def resamples(
    sizes: tuple[int, ...], draws: int, seed: int, one_test_set: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draws of the hierarchical bootstrap.

    Args:
        sizes: Number of test images of each of the S splits.
        draws: Number of draws.
        seed: Seed of the draws.
        one_test_set: Whether all splits have the same test images, which a draw then resamples once.

    Returns:
        Indices of the splits sampled in each draw, (draws, S); and for each split the number of copies of each of its
        images, (times the split was sampled, images), with rows in the order of `sampled == split`.
    """
    generator = np.random.default_rng(seed)
    sampled = generator.integers(len(sizes), size=(draws, len(sizes)))
    if one_test_set:
        size = sizes[0]
        copies = generator.multinomial(size, np.full(size, 1 / size), size=draws).astype(np.float64)
        return sampled, [copies[np.nonzero(sampled == split)[0]] for split in range(len(sizes))]
    times = np.bincount(sampled.ravel(), minlength=len(sizes))
    counts = [
        generator.multinomial(size, np.full(size, 1 / size), size=count).astype(np.float64)
        for size, count in zip(sizes, times, strict=True)
    ]
    return sampled, counts


# In the functions below, `weights` (R, n) holds the number of copies of each image in each of R resamples, from which
# the metric (R,) is computed without building the resamples.


def _resampled_plcc(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(), y - y.mean()  # avoids cancellation in the moments below
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
    """Centred ranks (R, n) of the images in each resample; tied copies share their mean rank."""
    values, index = np.unique(x, return_inverse=True)
    starts = np.searchsorted(np.sort(index), np.arange(len(values)))
    tied = np.add.reduceat(weights[:, np.argsort(index, kind="stable")], starts, axis=1)
    ranks = np.cumsum(tied, 1) - 0.5 * tied
    return (ranks - 0.5 * weights.sum(1, keepdims=True))[:, index]


def _resampled_krcc(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's tau-b: concordant minus discordant pairs over the geometric mean of the pairs untied in x and in y."""
    concordance, untied_x, untied_y = np.zeros((3, len(weights)))
    for block in np.array_split(np.arange(len(x)), -(-len(x) // _BLOCK)):
        sign_x, sign_y = (np.sign(values[:, None] - values[block]) for values in (x, y))
        for total, pairs in ((concordance, sign_x * sign_y), (untied_x, sign_x**2), (untied_y, sign_y**2)):
            total += ((weights @ pairs) * weights[:, block]).sum(1)
    return _ratio(concordance, np.sqrt(untied_x * untied_y), 0.0)


def _resampled_rmse(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(weights @ (x - y) ** 2 / weights.sum(1))


def _ratio(covariance: np.ndarray, spread: np.ndarray, limit: float) -> np.ndarray:
    """Correlations (R,); NaN where the spread is at most `limit`, that is zero up to rounding."""
    return np.divide(covariance, spread, out=np.full(len(spread), np.nan), where=spread > limit)


_METRICS: dict[str, tuple[Metric, ResampledMetric]] = {
    "srcc": (srcc, _resampled_srcc),
    "plcc": (plcc, _resampled_plcc),
    "krcc": (krcc, _resampled_krcc),
    "rmse": (rmse, _resampled_rmse),
}
