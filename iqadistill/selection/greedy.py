"""Base of selectors that add one patch after the other."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from iqadistill.selection.base import Selector, ranked
from iqadistill.selection.settings import ResidualOptions

if TYPE_CHECKING:
    import torch


class GreedySelector(Selector):
    """Adds one patch after the other; deterministic, ties go to the lower index."""

    def __init__(self, metric: str = "euclidean", device: "str | torch.device" = "cpu"):
        ResidualOptions.of({"metric": metric}, type(self).__name__)
        self.metric, self.device = metric, device

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        import torch

        return [ranked(self._order(torch.as_tensor(X, device=self.device))) for X in matrices]

    @abstractmethod
    def _order(self, X: "torch.Tensor") -> np.ndarray:
        """Patch indices (n,) in the order in which they are added."""

    def _similarity(self, X: "torch.Tensor") -> np.ndarray:
        """RBF similarity with the scale-free gamma: with the published one it is close to the identity on raw features."""
        from iqadistill.selection.similarity import similarity_matrix

        return similarity_matrix(X, self.metric, "scale_free").cpu().numpy()
