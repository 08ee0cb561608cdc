"""Agreement of predictions with opinion scores.

Every function takes two vectors of the same length. A correlation is NaN where it is undefined: with fewer than two images,
or when either vector is constant.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from iqadistill.errors import InputError

# A vector whose spread is below this share of its size is constant up to rounding.
ROUNDING = 1e-12


def srcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Spearman's rank correlation, ties sharing their mean rank."""
    return _correlation(stats.spearmanr, predictions, scores)


def plcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Pearson's correlation."""
    return _correlation(stats.pearsonr, predictions, scores)


def krcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Kendall's rank correlation, tau-b."""
    return _correlation(stats.kendalltau, predictions, scores)


def rmse(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Root mean squared error, in the unit of the scores; NaN without images."""
    predictions, scores = as_pair(predictions, scores)
    return float(np.sqrt(np.mean((predictions - scores) ** 2))) if len(scores) else float("nan")


def as_pair(predictions: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 vectors (n,).

    Raises:
        InputError: They differ in length, are no vectors, or hold a value that is not finite.
    """
    predictions, scores = np.asarray(predictions, np.float64), np.asarray(scores, np.float64)
    if predictions.ndim != 1 or predictions.shape != scores.shape:
        raise InputError(
            f"predictions {predictions.shape} and scores {scores.shape}: expected two vectors of the same length."
        )
    for name, values in (("predictions", predictions), ("scores", scores)):
        if not np.isfinite(values).all():
            raise InputError(
                f"{name}: value {int(np.argmin(np.isfinite(values)))} is not finite; leave that image out."
            )
    return predictions, scores


def is_constant(values: np.ndarray) -> bool:
    """Whether a vector has no spread beyond rounding; true of one without entries."""
    return len(values) == 0 or np.ptp(values) <= ROUNDING * np.abs(values).max()


def _correlation(measure, predictions: ArrayLike, scores: ArrayLike) -> float:
    predictions, scores = as_pair(predictions, scores)
    if is_constant(predictions) or is_constant(scores):
        return float("nan")
    return float(measure(predictions, scores).statistic)
