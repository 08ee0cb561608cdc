"""Bootstrap over the contents of the images that all trainings of a variant were tested on."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from iqadistill.evaluation.correlation import ROUNDING
from iqadistill.evaluation.paired import LEVEL

_ENTRIES = 4_000_000  # of an array of weights, which bounds the memory of the draws


def resampled_metric(
    metric: str, predictions: np.ndarray, scores: np.ndarray, contents: np.ndarray, *, draws: int, seed: int
) -> np.ndarray:
    """A metric on resampled contents.

    A draw samples as many contents as there are, with replacement, and takes all images of each: images of one content
    are not independent. The same contents, in the same order, have the same draws.

    Args:
        metric: Name in `METRICS`; raw and mapped predictions have the same PLCC.
        predictions: Predictions (S, N) of S trainings for the same N images.
        scores: Scores (N,) of the images.
        contents: Content (N,) of each image, as a number from 0.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        The metric (draws, S), NaN where all images of a draw are tied.
    """
    resampled = _METRICS[metric.removesuffix("_raw")]
    return np.concatenate(
        [resampled(weights, predictions, scores) for weights in content_weights(contents, draws, seed)]
    )


def interval_over_contents(estimate: float, resampled: np.ndarray, contents: int) -> tuple[float, float]:
    """95 % interval of a statistic: t with the standard deviation of its draws, on one degree of freedom less.

    Quantiles of the draws would lie too low for correlations, as a resample has ties, and too close with few contents.

    Args:
        estimate: The statistic.
        resampled: The statistic (draws,) on resampled contents; those that are NaN are left out.
        contents: Number of contents.

    Returns:
        Ends of the interval, which are NaN with a single content or where the statistic does not vary.
    """
    known = resampled[~np.isnan(resampled)]
    if contents < 2 or len(known) < 2 or np.isnan(estimate) or np.ptp(known) == 0:
        return np.nan, np.nan
    error = np.sqrt(contents / (contents - 1)) * known.std(ddof=1)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, contents - 1) * error)
    return estimate - half, estimate + half


def content_weights(contents: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Number of copies (R, N) of each image in some draws, until there are as many draws as asked for.

    Args:
        contents: Content (N,) of each image, as a number from 0.
        draws: Number of draws.
        seed: Seed of the draws.
    """
    generator, count = np.random.default_rng(seed), int(contents.max()) + 1
    block = max(1, _ENTRIES // len(contents))
    for first in range(0, draws, block):
        rows = min(block, draws - first)
        drawn = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        copies = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        yield copies[:, contents].astype(np.float64)


# In the functions below, `weights` (R, N) holds the number of copies of each image in each of R resamples, from which
# the metric (R, S) of predictions (S, N) is computed without building the resamples.


def _resampled_plcc(weights: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    y = scores - scores.mean()  # avoids cancellation in the moments below
    x = predictions - predictions.mean(1, keepdims=True)
    images = weights.sum(1, keepdims=True)
    mean_x, square_x, product = (weights @ moment.T / images for moment in (x, x * x, x * y))
    mean_y, square_y = (weights @ moment[:, None] / images for moment in (y, y * y))
    spread = np.sqrt(np.maximum(square_x - mean_x**2, 0.0) * np.maximum(square_y - mean_y**2, 0.0))
    return _ratio(product - mean_x * mean_y, spread, ROUNDING * np.abs(x).max() * np.abs(y).max())


def _resampled_srcc(weights: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    ranks = _weighted_ranks(weights, scores)
    weighted = weights * ranks
    square = np.einsum("rn,rn->r", weighted, ranks)
    columns = []
    for x in predictions:
        of_x = _weighted_ranks(weights, x)
        covariance = np.einsum("rn,rn->r", weighted, of_x)
        columns.append(_ratio(covariance, np.sqrt(square * np.einsum("rn,rn,rn->r", weights, of_x, of_x)), 0.0))
    return np.stack(columns, 1)


def _weighted_ranks(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Centred ranks (R, N) of the images in each resample; tied copies share their mean rank."""
    order, starts, index = _ties(values)
    tied = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(tied, 1) - 0.5 * tied
    return (ranks - 0.5 * weights.sum(1, keepdims=True))[:, index]


def _ties(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of some values, starts of its runs of equal ones, and the run of each value."""
    index = np.unique(values, return_inverse=True)[1]
    order = np.argsort(index, kind="stable")
    return order, np.searchsorted(index[order], np.arange(index.max() + 1)), index


def _resampled_krcc(weights: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Kendall's tau-b: concordant minus discordant pairs over the geometric mean of the pairs untied in x and in y."""
    untied = _untied_pairs(weights, scores)
    columns = [
        _ratio(_concordance(weights, x, scores), np.sqrt(untied * _untied_pairs(weights, x)), 0.0) for x in predictions
    ]
    return np.stack(columns, 1)


def _untied_pairs(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    order, starts, _ = _ties(values)
    return (weights.sum(1) ** 2 - (np.add.reduceat(weights[:, order], starts, axis=1) ** 2).sum(1)) / 2


def _concordance(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Concordant minus discordant pairs (R,), in O(N log N) for each resample.

    Of two images with different y, the ranks of y agree in their high bits up to one bit, where the larger has a 1. So
    the pairs are counted bit by bit: within each group of equal high bits, in the order of x, the images with a 0 below
    and above each one with a 1.
    """
    of_x, of_y = _ties(x)[2], _ties(y)[2]
    copies, total = np.ascontiguousarray(weights.T, np.float32), np.zeros(len(weights))
    lower = np.zeros((len(x) + 1, len(weights)), np.float32)  # number of images with a 0 before each place
    for bit in range(int(of_y.max()).bit_length()):
        group = of_y >> (bit + 1)
        order = np.lexsort((of_x, group))
        group, tied, one = group[order], (group * len(x) + of_x)[order], (of_y[order] >> bit) & 1 == 1
        np.cumsum(np.where(one[:, None], np.float32(0), copies[order]), axis=0, out=lower[1:])
        start, end = (np.searchsorted(group, group[one], side) for side in ("left", "right"))
        first, last = (np.searchsorted(tied, tied[one], side) for side in ("left", "right"))
        difference = lower[first] + lower[last] - lower[start] - lower[end]
        total += np.einsum("nr,nr->r", copies[order[one]], difference)
    return total


def _resampled_rmse(weights: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.sqrt(weights @ ((predictions - scores) ** 2).T / weights.sum(1, keepdims=True))


def _ratio(covariance: np.ndarray, spread: np.ndarray, limit: float) -> np.ndarray:
    """Correlations; NaN where the spread is at most `limit`, that is zero up to rounding."""
    return np.divide(covariance, spread, out=np.full(spread.shape, np.nan), where=spread > limit)


_METRICS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "srcc": _resampled_srcc,
    "plcc": _resampled_plcc,
    "krcc": _resampled_krcc,
    "rmse": _resampled_rmse,
}
