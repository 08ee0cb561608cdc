"""Quality loss: the L1 distance to the human score."""

import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError


class QualityLoss(nn.Module):
    """L_Q = mean |q - y| over a batch, arXiv 2409.07115, github.com/MAS94/ADTRS."""

    def forward(self, scores: Tensor, quality: Tensor) -> Tensor:
        """Loss () of predicted scores (B,) against quality (B,).

        Raises:
            InputError: The shapes differ, so that every score would be compared with every quality.
        """
        if scores.shape != quality.shape:
            raise InputError(
                f"quality: shape {tuple(quality.shape)} for scores of shape {tuple(scores.shape)}; give one number per "
                "patch."
            )
        return F.l1_loss(scores, quality)
