"""k-centre selection: the patch farthest from all chosen ones comes next."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector, GreedySettings, first_largest


class KCenterSettings(GreedySettings):
    """k-centre by farthest points (Gonzalez 1985; core-set selection)."""

    label: ClassVar[str] = "k-centre"
    colour: ClassVar[str] = "#0072b2"
    marker: ClassVar[str] = "s"
    order: ClassVar[int] = 2

    method: Literal["kcenter"] = Field("kcenter", description="Name of the selector; default: the entry's name.")

    def create(self) -> "KCenterSelector":
        """The selector with these settings."""
        return KCenterSelector(self.metric)


class KCenterSelector(GreedySelector):
    """k-centre by farthest points (Gonzalez 1985; core-set selection): the patch nearest to the mean comes first, then
    always the patch farthest from all chosen ones.

    Args:
        metric: Distance between embeddings: euclidean, manhattan or mahalanobis.
    """

    def _order(self, X: np.ndarray) -> np.ndarray:
        D, to_mean = self.distances(X), self.distances_to_mean(X)
        chosen = first_largest(-to_mean, to_mean.max())
        order = [chosen]
        nearest = D[chosen].copy()
        for _ in range(len(D) - 1):
            nearest[chosen] = -np.inf
            chosen = first_largest(nearest, D.max())
            order.append(chosen)
            nearest = np.minimum(nearest, D[chosen])
        return np.array(order)
