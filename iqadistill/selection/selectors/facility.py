"""Facility location: each patch adds most to how well all patches are represented."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector, GreedySettings, first_largest


class FacilitySettings(GreedySettings):
    """Greedy facility location."""

    label: ClassVar[str] = "facility location"
    colour: ClassVar[str] = "#56b4e9"
    marker: ClassVar[str] = "D"
    order: ClassVar[int] = 4
    stands_for_nearest: ClassVar[bool] = True

    method: Literal["facility"] = Field("facility", description="Name of the selector; default: the entry's name.")

    def create(self) -> "FacilityLocationSelector":
        """The selector with these settings."""
        return FacilityLocationSelector(self.metric)


class FacilityLocationSelector(GreedySelector):
    """Greedy facility location: each patch adds most to sum_i max over the chosen j of S_ij.

    Args:
        metric: Distance between embeddings: euclidean, manhattan or mahalanobis.
    """

    def _order(self, X: np.ndarray) -> np.ndarray:
        S = self.similarities(X)
        covered = np.zeros(len(S))
        order = np.empty(len(S), dtype=np.int64)
        left = np.ones(len(S), dtype=bool)
        for step in range(len(S)):
            gains = np.maximum(S - covered, 0).sum(1)
            order[step] = chosen = first_largest(np.where(left, gains, -np.inf))
            left[chosen] = False
            covered = np.maximum(covered, S[chosen])
        return order
