"""Similarity of images by their features: exact for few images, to landmarks for many."""

from dataclasses import dataclass

import numpy as np

EXACT = 5000  # images up to which the similarity of every pair is held
LANDMARKS = 2000  # images that stand for all others where there are more
ROWS = 4096  # of a matrix that are worked on at a time, so that temporary copies stay small
SAME = 1e-12  # squared distances below this share of the largest are those of duplicates


@dataclass(frozen=True)
class ImageSimilarity:
    """RBF similarity exp(-|x - y|^2 / width) of images.

    Attributes:
        features: Features (n, p) of all images.
        targets: Indices (q,) of the images that are to be covered: all, or landmarks.
        width: Width of the kernel, a squared distance.
        to_targets: Similarity (n, q) of all images to the targets.
    """

    features: np.ndarray
    targets: np.ndarray
    width: float
    to_targets: np.ndarray

    def to_all(self, images: int | np.ndarray) -> np.ndarray:
        """Similarity (n,) of one image to all images, or (n, r) of r images."""
        if len(self.targets) == len(self.features):
            return self.to_targets[:, images]
        to_images = np.exp(squared_distances(self.features, self.features[np.atleast_1d(images)]) / -self.width)
        return to_images if np.ndim(images) else to_images[:, 0]


def rbf_similarity(features: np.ndarray, seed: int, *, widths: float = 1.0) -> ImageSimilarity:
    """Similarity of images whose width is the median squared distance of two different images, or a multiple of it.

    Up to 5,000 images it holds all pairs in float64. Of more images 2,000 landmarks are drawn that stand for all: what
    covers them covers the collection, with memory that grows with n instead of n^2, in float32.

    Args:
        features: Features (n, p) of all images.
        seed: Seed of the landmarks.
        widths: Width of the kernel, in medians.
    """
    n = len(features)
    if n <= EXACT:
        features, targets = features.astype(np.float64), np.arange(n)
    else:
        features = features.astype(np.float32)
        targets = np.sort(np.random.default_rng(seed).choice(n, LANDMARKS, replace=False))
    width = widths * _median_distance(features[targets])
    to_targets = np.empty((n, len(targets)), features.dtype)
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        to_targets[rows] = np.exp(squared_distances(features[rows], features[targets]) / -width)
    return ImageSimilarity(features, targets, width, to_targets)


def squared_distances(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (n, m) of rows of X (n, p) and Y (m, p)."""
    squares = (X**2).sum(1)[:, None] + (Y**2).sum(1) - 2 * (X @ Y.T)
    return np.maximum(squares, 0, out=squares)


def _median_distance(features: np.ndarray) -> float:
    """Median squared distance of all pairs of different images; 1 if all are the same."""
    pairs = squared_distances(features, features)[np.triu_indices(len(features), 1)]
    different = pairs[pairs > SAME * pairs.max()] if len(pairs) else pairs
    return float(np.median(different)) if len(different) else 1.0
