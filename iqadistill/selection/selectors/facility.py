"""Greedy facility location."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.greedy import GreedySelector
from iqadistill.selection.settings import SelectorSettings

if TYPE_CHECKING:
    import torch


class FacilitySettings(SelectorSettings):
    """Greedy facility location."""

    label: ClassVar[str] = "facility location"
    colour: ClassVar[str] = "#56b4e9"
    marker: ClassVar[str] = "D"
    order: ClassVar[int] = 30

    method: Literal["facility"] = Field("facility", description="Name of the selector; default: the entry's name.")

    def create(self, device: str = "cpu") -> "FacilityLocationSelector":
        """The selector on a device."""
        return FacilityLocationSelector(device=device)


class FacilityLocationSelector(GreedySelector):
    """Greedy facility location: each patch adds most to sum_i max over the chosen j of S_ij."""

    def _order(self, X: "torch.Tensor") -> np.ndarray:
        S = self._similarity(X)
        covered = np.zeros(len(S))
        order = np.empty(len(S), dtype=np.int64)
        left = np.ones(len(S), dtype=bool)
        for step in range(len(S)):
            gains = np.maximum(S - covered, 0).sum(1)
            order[step] = chosen = np.argmax(np.where(left, gains, -np.inf))
            left[chosen] = False
            covered = np.maximum(covered, S[chosen])
        return order
