"""Similarity of images by their features: exact for few images, to landmarks for many."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iqadistill.embedding_blocks import ROWS
from iqadistill.selection.landmarks import EXACT, squared_distances

CACHED = 2**18  # similarities to landmarks that are computed together: they stay in the cache
COMPARED = 5000  # images, at most, whose distances give the width of the kernel
SAME = 1e-12  # squared distances below this share of the largest are those of duplicates


@dataclass(frozen=True)
class ImageSimilarity:
    """RBF similarity exp(-|x - y|^2 / width) of images.

    Attributes:
        features: Features (n, p) of all images.
        targets: Indices (q,) of the images that are to be covered: all, or landmarks.
        width: Width of the kernel, a squared distance.
        held: Similarity (n, n) of all pairs; None where there are too many, and rows are computed when asked for.
    """

    features: np.ndarray
    targets: np.ndarray
    width: float
    held: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.features)

    def to_targets(self, images: np.ndarray | slice) -> np.ndarray:
        """Similarity (r, q) of r images to those that are to be covered."""
        if self.held is not None:
            return self.held[images]
        X = self.features[images]
        ones = np.ones((len(X), 1), X.dtype)
        exponents = np.hstack([X, ones, (X**2).sum(1, keepdims=True)]) @ self._columns
        np.minimum(exponents, 0, out=exponents)
        return np.exp(exponents, out=exponents)

    def to_nearest(self, others: np.ndarray) -> np.ndarray:
        """Similarity (n,) of each image to the most similar of others (r,)."""
        if self.held is not None:
            return self.held[others].max(0)
        distances = np.empty(len(self), self.features.dtype)
        for start in range(0, len(self), ROWS):
            rows = slice(start, start + ROWS)
            distances[rows] = squared_distances(self.features[rows], self.features[others]).min(1)
        return np.exp(distances / -distances.dtype.type(self.width))

    def blocks(self) -> Iterator[np.ndarray]:
        """Similarity (r, q) of consecutive images to those that are to be covered, all images once."""
        for start in range(0, len(self), self.rows):
            yield self.to_targets(slice(start, start + self.rows))

    @property
    def rows(self) -> int:
        """Number of images whose similarities to the targets stay in the processor's cache."""
        return max(1, CACHED // len(self.targets))

    @cached_property
    def _columns(self) -> np.ndarray:
        """What the rows (x, 1, |x|^2) are multiplied by (p + 2, q) to get -|x - y|^2 / width in one product."""
        Y = self.features[self.targets]
        ones = np.ones((len(Y), 1), Y.dtype)
        return np.hstack([2 * Y, -(Y**2).sum(1, keepdims=True), -ones]).T / Y.dtype.type(self.width)


def rbf_similarity(features: np.ndarray, seed: int, *, landmarks: int, widths: float = 1.0) -> ImageSimilarity:
    """Similarity of images whose width is the median squared distance of two different images, or a multiple of it.

    Up to 5,000 images it holds all pairs in float64. Of more images landmarks are drawn that stand for all: what
    covers them covers the collection. Similarities to them are then computed in float32 when they are needed: that
    takes little more time than reading them from memory, and memory grows with the features alone.

    Args:
        features: Features (n, p) of all images.
        seed: Seed of the landmarks.
        landmarks: Number of landmarks.
        widths: Width of the kernel, in medians.
    """
    n = len(features)
    if n <= EXACT:
        features, drawn = features.astype(np.float64), np.arange(n)
    else:
        features = features.astype(np.float32)
        drawn = np.random.default_rng(seed).choice(n, min(landmarks, n), replace=False)
    width = widths * _median_distance(features[np.sort(drawn[:COMPARED])])
    held = np.exp(squared_distances(features, features) / -width) if n <= EXACT else None
    return ImageSimilarity(features, np.sort(drawn), width, held)


def _median_distance(features: np.ndarray) -> float:
    """Median squared distance of all pairs of different images; 1 if all are the same."""
    pairs = squared_distances(features, features)[np.triu_indices(len(features), 1)]
    different = pairs[pairs > SAME * pairs.max()] if len(pairs) else pairs
    return float(np.median(different)) if len(different) else 1.0
