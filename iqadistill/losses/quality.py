"""Distance to the human score."""

import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError


class QualityLoss(nn.Module):
    """L_Q = mean |q - y| over a batch: arXiv 2409.07115, github.com/MAS94/ADTRS."""

    def forward(self, scores: Tensor, quality: Tensor) -> Tensor:
        """Loss () of predicted scores (B,) against quality (B,).

        Raises:
            InputError: The two differ in shape, which would compare every score with every quality.
        """
        if scores.shape != quality.shape:
            raise InputError(
                f"quality: shape {tuple(quality.shape)} for scores of shape {tuple(scores.shape)}; give one number a patch."
            )
        return F.l1_loss(scores, quality)
