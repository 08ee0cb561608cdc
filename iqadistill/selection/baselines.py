"""Selectors that residual selection is compared with: random, and three that cover or summarise the patches."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch

from iqadistill.selection.base import Selector
from iqadistill.selection.similarity import check_options, pairwise_distances, similarity_matrix


class RandomSelector(Selector):
    """A uniform random order, the same for the same seed and number of patches."""

    def __init__(self, random_state: int = 0):
        self.random_state = random_state

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        return [
            _ranked(np.random.default_rng(seed).permutation(len(X))) for X, seed in zip(matrices, seeds, strict=True)
        ]


class _GreedySelector(Selector):
    """Adds one patch after the other; deterministic, ties go to the lower index."""

    def __init__(self, metric: str = "euclidean", device: str | torch.device = "cpu"):
        check_options(metric, "scale_free", "rbf")
        self.metric, self.device = metric, torch.device(device)

    def _fit(self, matrices: list[np.ndarray], seeds: list[int]) -> list[dict[str, Any]]:
        return [_ranked(self._order(torch.as_tensor(X, device=self.device))) for X in matrices]

    @abstractmethod
    def _order(self, X: torch.Tensor) -> np.ndarray:
        """Patch indices (n,) in the order in which they are added."""

    def _similarity(self, X: torch.Tensor) -> np.ndarray:
        """RBF similarity with the scale-free gamma: with the published one it is close to the identity on raw features."""
        return similarity_matrix(X, self.metric, "scale_free").cpu().numpy()


class KCenterSelector(_GreedySelector):
    """k-centre by farthest points (Gonzalez 1985; core-set selection): start nearest to the mean, then always the patch
    farthest from all chosen ones.
    """

    def _order(self, X: torch.Tensor) -> np.ndarray:
        D = pairwise_distances(X, self.metric).cpu().numpy()
        chosen = int(torch.argmin((X - X.mean(0)).square().sum(1)))
        order = [chosen]
        nearest = D[chosen].copy()
        for _ in range(len(D) - 1):
            nearest[chosen] = -1
            chosen = int(np.argmax(nearest))
            order.append(chosen)
            nearest = np.where(nearest < 0, nearest, np.minimum(nearest, D[chosen]))
        return np.array(order)


class HerdingSelector(_GreedySelector):
    """Kernel herding (Chen, Welling and Smola 2010): each patch moves the kernel mean of the chosen ones closest to that of
    all patches.
    """

    def _order(self, X: torch.Tensor) -> np.ndarray:
        S = self._similarity(X)
        mean, covered = S.mean(1), np.zeros(len(S))
        order = np.empty(len(S), dtype=np.int64)
        left = np.ones(len(S), dtype=bool)
        for step in range(len(S)):
            order[step] = chosen = np.argmax(np.where(left, mean - covered / (step + 1), -np.inf))
            left[chosen] = False
            covered += S[chosen]
        return order


class FacilityLocationSelector(_GreedySelector):
    """Greedy facility location: each patch adds most to sum_i max over the chosen j of S_ij."""

    def _order(self, X: torch.Tensor) -> np.ndarray:
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


def _ranked(order: np.ndarray) -> dict[str, np.ndarray]:
    return {"ranking_": order, "residuals_": np.full(len(order), np.nan)}
