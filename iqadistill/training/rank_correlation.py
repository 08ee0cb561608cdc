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
    ranks, target = pd.DataFrame(predictions).rank(axis=1).to_numpy(), pd.Series(quality).rank().to_numpy()
    ranks, target = ranks - ranks.mean(1, keepdims=True), target - target.mean()
    spread = np.sqrt((ranks**2).sum(1) * (target**2).sum())
    return np.divide(ranks @ target, spread, out=np.full(len(ranks), np.nan), where=spread > 0)
