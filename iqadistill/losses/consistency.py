"""Self-consistency loss between the feature maps of two views."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfConsistencyLoss(nn.Module):
    """L_SC = sum over maps of mean |M - sg M'|, sg the stop-gradient.

    M are the maps of one view from which its score is computed, M' those of the other view. arXiv 2409.07115,
    github.com/MAS94/ADTRS.
    """

    def forward(self, maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
        """Loss (); gradients reach `maps` only.

        Args:
            maps: Maps (B, C, h, w) of one view.
            others: Maps of the other view, in the same order.
        """
        return torch.stack([F.l1_loss(one, other.detach()) for one, other in zip(maps, others, strict=True)]).sum()
