"""k-centre by farthest points (Gonzalez 1985; core-set selection)."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector
from iqadistill.selection.settings import SelectorSettings

if TYPE_CHECKING:
    import torch


class KCenterSettings(SelectorSettings):
    """k-centre by farthest points (Gonzalez 1985; core-set selection)."""

    label: ClassVar[str] = "k-centre"
    colour: ClassVar[str] = "#0072b2"
    marker: ClassVar[str] = "s"
    order: ClassVar[int] = 10

    method: Literal["kcenter"] = Field("kcenter", description="Name of the selector; default: the entry's name.")

    def create(self, device: str = "cpu") -> "KCenterSelector":
        """The selector on a device."""
        return KCenterSelector(device=device)


class KCenterSelector(GreedySelector):
    """k-centre by farthest points (Gonzalez 1985; core-set selection): start nearest to the mean, then always the patch
    farthest from all chosen ones.
    """

    def _order(self, X: "torch.Tensor") -> np.ndarray:
        from iqadistill.selection.similarity import pairwise_distances

        D = pairwise_distances(X, self.metric).cpu().numpy()
        chosen = int((X - X.mean(0)).square().sum(1).argmin())
        order = [chosen]
        nearest = D[chosen].copy()
        for _ in range(len(D) - 1):
            nearest[chosen] = -1
            chosen = int(np.argmax(nearest))
            order.append(chosen)
            nearest = np.where(nearest < 0, nearest, np.minimum(nearest, D[chosen]))
        return np.array(order)
