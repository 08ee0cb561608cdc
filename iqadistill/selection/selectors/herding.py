"""Kernel herding: the chosen patches follow the kernel mean of all patches."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector, GreedySettings, first_largest


class HerdingSettings(GreedySettings):
    """Kernel herding (Chen, Welling and Smola 2010)."""

    label: ClassVar[str] = "herding"
    colour: ClassVar[str] = "#009e73"
    marker: ClassVar[str] = "^"
    order: ClassVar[int] = 3

    method: Literal["herding"] = Field("herding", description="Name of the selector; default: the entry's name.")

    def create(self) -> "HerdingSelector":
        """The selector with these settings."""
        return HerdingSelector(self.metric)


class HerdingSelector(GreedySelector):
    """Kernel herding (Chen, Welling and Smola 2010): each patch brings the kernel mean of the chosen ones closest to
    that of all patches.

    Args:
        metric: Distance between embeddings: euclidean, manhattan or mahalanobis.
    """

    def _order(self, X: np.ndarray) -> np.ndarray:
        S = self.similarities(X)
        mean, covered = S.mean(1), np.zeros(len(S))
        order = np.empty(len(S), dtype=np.int64)
        left = np.ones(len(S), dtype=bool)
        for step in range(len(S)):
            order[step] = chosen = first_largest(np.where(left, mean - covered / (step + 1), -np.inf))
            left[chosen] = False
            covered += S[chosen]
        return order
