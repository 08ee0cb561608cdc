"""Rank correlation of predictions with quality, as both trainers report it on validation images."""

import numpy as np
import pandas as pd


def rank_correlation(predictions: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation coefficient (SRCC) of each model.

    Args:
        predictions: Predictions (M, n) of M models.
        quality: Qualities (n,) of the images.

    Returns:
        Coefficients (M,); NaN where the predictions of a model, or the qualities, are all equal.
    """
    ranks, target = _mean_ranks(predictions), _mean_ranks(quality[None])[0]
    ranks, target = ranks - ranks.mean(1, keepdims=True), target - target.mean()
    spread = np.sqrt((ranks**2).sum(1) * (target**2).sum())
    return np.divide(ranks @ target, spread, out=np.full(len(ranks), np.nan), where=spread > 0)


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks within each row of values (M, n); ties share their mean rank."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, 1)
    ranks = np.empty(values.shape)
    if (ordered[:, 1:] == ordered[:, :-1]).any() or np.isnan(values).any():
        return pd.DataFrame(values).rank(axis=1).to_numpy()
    np.put_along_axis(ranks, order, np.arange(1.0, values.shape[1] + 1)[None], 1)
    return ranks
