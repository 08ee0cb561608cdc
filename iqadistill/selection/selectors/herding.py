"""Kernel herding (Chen, Welling and Smola 2010)."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector
from iqadistill.selection.settings import SelectorSettings

if TYPE_CHECKING:
    import torch


class HerdingSettings(SelectorSettings):
    """Kernel herding (Chen, Welling and Smola 2010)."""

    label: ClassVar[str] = "herding"
    colour: ClassVar[str] = "#009e73"
    marker: ClassVar[str] = "^"
    order: ClassVar[int] = 20

    method: Literal["herding"] = Field("herding", description="Name of the selector; default: the entry's name.")

    def create(self, device: str = "cpu") -> "HerdingSelector":
        """The selector on a device."""
        return HerdingSelector(device=device)


class HerdingSelector(GreedySelector):
    """Kernel herding (Chen, Welling and Smola 2010): each patch moves the kernel mean of the chosen ones closest to that of
    all patches.
    """

    def _order(self, X: "torch.Tensor") -> np.ndarray:
        S = self._similarity(X)
        mean, covered = S.mean(1), np.zeros(len(S))
        order = np.empty(len(S), dtype=np.int64)
        left = np.ones(len(S), dtype=bool)
        for step in range(len(S)):
            order[step] = chosen = np.argmax(np.where(left, mean - covered / (step + 1), -np.inf))
            left[chosen] = False
            covered += S[chosen]
        return order
