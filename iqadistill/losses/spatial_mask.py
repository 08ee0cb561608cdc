"""Random masks over the cells of a map."""

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor, nn

from iqadistill.errors import InputError, nearest

MASKINGS = ("random", "gaussian_centre", "gaussian_edge", "centre", "edge")


class SpatialMask(nn.Module):
    """Masks M that hide each cell independently with a probability p of that cell: M = 0 where U(0, 1) < p, else 1.

    For every masking the mean of p over the cells is `ratio`, so that all hide the same number of cells on average:

        random            p = ratio
        centre            p = 1 for the cells nearest to the centre, as many as the ratio gives; equal at equal distance
        edge              the same from the edge: p = 1 - p of "centre" for 1 - ratio
        gaussian_centre   p = min(1, c exp(-d^2 / (2 s^2))), d the distance to the centre, s a quarter of the side,
                          c such that the mean is the ratio
        gaussian_edge     p = 1 - p of "gaussian_centre" for 1 - ratio

    arXiv 2312.00591 draws "random" and compares the five; the width of the Gaussian is ours.

    Args:
        masking: One of `MASKINGS`.
        ratio: Expected share of hidden cells, in [0, 1).
        cells: Cells a side.

    Raises:
        InputError: There is no such masking.
    """

    probabilities: Tensor

    def __init__(self, masking: str, ratio: float, cells: int):
        super().__init__()
        if masking not in MASKINGS:
            raise InputError(f"masking {masking!r}: unknown masking; {nearest(masking, MASKINGS)}")
        hidden = torch.from_numpy(_probabilities(masking, ratio, cells)).float()
        self.register_buffer("probabilities", hidden, persistent=False)

    def forward(self, batch: int) -> Tensor:
        """Masks (batch, 1, cells, cells) of zeros and ones, drawn by torch's generator of the device."""
        drawn = torch.rand(batch, 1, *self.probabilities.shape, device=self.probabilities.device)
        return (drawn >= self.probabilities).float()


def _probabilities(masking: str, ratio: float, cells: int) -> np.ndarray:
    """Probability of hiding each cell, (cells, cells)."""
    if masking == "random":
        return np.full((cells, cells), ratio)
    if masking.endswith("edge"):
        return 1 - _probabilities(masking.replace("edge", "centre"), 1 - ratio, cells)
    offset = np.arange(cells) - (cells - 1) / 2
    squared = np.add.outer(offset**2, offset**2)
    if masking == "centre":
        return _nearest_first(squared, ratio)
    decay = 8 * squared / cells**2
    if not 0 < ratio < 1:
        return np.full((cells, cells), float(ratio))
    level = brentq(lambda level: np.exp(level - decay).clip(max=1).mean() - ratio, np.log(ratio) - 1, decay.max())
    return np.exp(level - decay).clip(max=1)


def _nearest_first(distance: np.ndarray, ratio: float) -> np.ndarray:
    """1 for the nearest cells, 0 for the others; the ring in between shares the rest of ratio * cells."""
    _, ring, counts = np.unique(distance, return_inverse=True, return_counts=True)
    inside = np.cumsum(counts) - counts
    return ((ratio * distance.size - inside) / counts).clip(0, 1)[ring].reshape(distance.shape)
