"""Learned importance: which patches say what all of an image's patches would say, learned on training images."""

import numpy as np
import pandas as pd
import pyarrow as pa

from iqadistill.evaluation.patch_scores import PatchScores, training_images

PENALTIES = 10.0 ** np.arange(-4, 5)  # of the ridge regression, in units of the mean eigenvalue


def learned_ranks(scores: PatchScores, features: np.ndarray, splits: pa.Table) -> np.ndarray | None:
    """Rank the patches of every test image, the one first that a model expects nearest to the score from all patches.

    The model of a split is a ridge regression of the distances |patch score - image score| of its training images on
    the squared deviations of a patch's features from the mean of its image; both are taken relative to the image's
    mean. A distance is no linear function of the features themselves: patches at both ends of a direction are far.
    The scores are out of fold: those that students of other splits gave to these images when they were test images
    there. Such a student may have learned from test images of this split, whose own patches and ratings the model never
    sees.

    Args:
        scores: Patch scores of test images.
        features: Features (N, d) of the patches, in the order of `scores.patches`.
        splits: Table "splits".

    Returns:
        Rank (R,) of each row, 0 first; None where the training images of a split are tested in no other.
    """
    distance = np.abs(scores.score - scores.pooled(np.ones(len(scores.score)))[scores.test])
    features = _within_images(_within_images(features, scores) ** 2, scores)
    ranks = np.empty(len(scores.score), dtype=np.int64)
    train, image = training_images(splits), scores.image[scores.test]
    for split in np.unique(scores.split):
        rows = pd.Series(image).isin(train[split]).to_numpy()
        if not rows.any():
            return None
        patch = scores.patch[rows]
        seen = np.bincount(patch, minlength=len(features))
        target = np.bincount(patch, distance[rows], minlength=len(features)) / np.maximum(seen, 1)
        target = _within_images(target[:, None], scores)[:, 0]
        spread = features[seen > 0].std(0)
        scale = np.where(spread > 0, spread, 1)
        weights = fit_ridge(features[seen > 0] / scale, target[seen > 0]) / scale
        own = scores.split[scores.test] == split
        expected = pd.Series(features[scores.patch[own]] @ weights)
        ranks[own] = expected.groupby(scores.test[own]).rank(method="first").to_numpy() - 1
    return ranks


def fit_ridge(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights (d,) of a ridge regression of y (n,) on X (n, d), with the penalty of the least generalised
    cross-validation error (Golub, Heath and Wahba 1979).
    """
    values, vectors = np.linalg.eigh(X.T @ X)
    values = np.maximum(values, 0)
    projected = vectors.T @ (X.T @ y)
    penalties = PENALTIES * max(values.mean(), np.finfo(float).tiny)
    solutions = projected / (values + penalties[:, None])
    residual = y @ y - 2 * solutions @ projected + (solutions**2) @ values
    freedom = (values / (values + penalties[:, None])).sum(1)
    error = residual / np.maximum(len(y) - freedom, 1) ** 2
    return vectors @ solutions[int(np.argmin(error))]


def _within_images(values: np.ndarray, scores: PatchScores) -> np.ndarray:
    """Values (N, d) of the patches minus the mean of their image."""
    starts, counts = [one[0] for one in scores.members], [len(one) for one in scores.members]
    means = np.add.reduceat(values, starts) / np.array(counts)[:, None]
    return values - np.repeat(means, counts, axis=0)
