"""The same maps for both views."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfConsistencyLoss(nn.Module):
    """L_SC = sum over maps of mean |M - sg M'|, sg the stop-gradient.

    M are the maps of one view that enter its score, M' those of the other view. arXiv 2409.07115, github.com/MAS94/ADTRS.
    """

    def forward(self, maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Loss () of maps (B, C, h, w) against the other view's, map by map; gradients reach `maps` only."""
        return torch.stack([F.l1_loss(own, other.detach()) for own, other in zip(maps, others, strict=True)]).sum()
