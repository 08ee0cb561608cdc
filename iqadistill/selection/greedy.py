"""Base of selectors that add one patch after the other."""

from abc import abstractmethod
from typing import Any

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from iqadistill.selection.base import Selector, first_occurrence, unscored
from iqadistill.selection.settings import Metric, SelectorSettings, check_options

TIE = 1e-10  # values that differ by less, relative to the largest distance or similarity, differ by rounding only
METRIC: Metric = "euclidean"  # default of settings and classes


class GreedySettings(SelectorSettings):
    """Settings that greedy selectors share."""

    metric: Metric = Field(METRIC, description="Distance between the embeddings of two patches.")


class GreedySelector(Selector):
    """Adds one patch after the other. It is deterministic: ties go to the lower index, and duplicates are exact ties.

    Args:
        metric: Distance between embeddings: euclidean, manhattan or mahalanobis.
    """

    def __init__(self, metric: str = METRIC):
        check_options(metric)
        self.metric = metric

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        with threadpool_limits(1, "blas"):  # sums split among threads are rounded differently
            return [unscored(self._order(X)) for X in matrices]

    @abstractmethod
    def _order(self, X: np.ndarray) -> np.ndarray:
        """Patch indices (n,) in the order in which they are added, from embeddings (n, d)."""

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Distances (n, n) between the rows of embeddings (n, d); those of duplicates are equal to the last bit."""
        from iqadistill.selection.similarity import pairwise_distances

        return _share_duplicates(pairwise_distances(X, self.metric), X)

    def similarities(self, X: np.ndarray) -> np.ndarray:
        """RBF similarity (n, n) of embeddings (n, d), scale-free gamma; rows of duplicates are equal to the last bit.

        With the published gamma it is close to the identity matrix on raw network features.
        """
        from iqadistill.selection.similarity import similarity_matrix

        return _share_duplicates(similarity_matrix(X, self.metric, "scale_free"), X)

    def distances_to_mean(self, X: np.ndarray) -> np.ndarray:
        """Squared Euclidean distances (n,) of embeddings (n, d) to their mean."""
        return np.square(X - X.mean(0)).sum(1)


def first_largest(values: np.ndarray, scale: float = 1.0) -> int:
    """Lowest index of the values that equal the largest one up to rounding, relative to `scale`."""
    return int(np.argmax(values >= values.max() - TIE * scale))


def _share_duplicates(matrix: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The matrix (n, n) with rows and columns of duplicate embeddings replaced by those of their first occurrence."""
    first = first_occurrence(X)
    return np.ascontiguousarray(matrix[np.ix_(first, first)])
