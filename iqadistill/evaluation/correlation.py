"""Correlation and error of predictions with respect to opinion scores.

Every metric takes two vectors (n,). A correlation is NaN where it is undefined: with fewer than two images, or when
either vector is constant.
"""

import numpy as np
from numpy.typing import ArrayLike

from iqadistill.errors import InputError

ROUNDING = 1e-12  # a vector is constant up to rounding if its range is at most this fraction of its largest magnitude


def srcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Spearman's rank correlation coefficient; ties share their mean rank."""
    return _correlation("spearmanr", predictions, scores)


def plcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Pearson's linear correlation coefficient."""
    return _correlation("pearsonr", predictions, scores)


def krcc(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Kendall's rank correlation coefficient, tau-b."""
    return _correlation("kendalltau", predictions, scores)


def rmse(predictions: ArrayLike, scores: ArrayLike) -> float:
    """Root mean squared error, in units of the scores; NaN without images."""
    x, y = as_pair(predictions, scores)
    return float(np.sqrt(np.mean((x - y) ** 2))) if len(y) else float("nan")


def as_pair(predictions: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and scores as float64 vectors (n,).

    Raises:
        InputError: They are not vectors of the same length, or a value is not finite.
    """
    x, y = np.asarray(predictions, np.float64), np.asarray(scores, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(f"predictions {x.shape} and scores {y.shape}: expected two vectors of the same length.")
    for name, values in (("predictions", x), ("scores", y)):
        if not np.isfinite(values).all():
            raise InputError(f"{name}: value {int(np.argmin(np.isfinite(values)))} is not finite; remove that image.")
    return x, y


def is_constant(values: np.ndarray) -> bool:
    """Whether a vector is empty or constant up to rounding."""
    return len(values) == 0 or bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def _correlation(coefficient: str, predictions: ArrayLike, scores: ArrayLike) -> float:
    """A correlation coefficient of `scipy.stats`, by the name of its function."""
    from scipy import stats  # takes longer to import than all else that a figure's job imports from the package

    x, y = as_pair(predictions, scores)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return float(getattr(stats, coefficient)(x, y).statistic)
