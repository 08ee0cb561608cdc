"""What a token learns from a teacher of another inductive bias."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IntermediateHead(nn.Module):
    """Y_I = MLP((A_1(F_1) + A_2(F_2)) + A_3(F_3)), a score from three of a teacher's maps: arXiv 2312.00591.

    A_i is a 1 x 1 convolution to one width, averaged over the map; the average comes first here, which gives the same. The MLP has one
    hidden layer of that width, with GELU.

    Args:
        channels: Of the three maps.
        width: Numbers that the maps are brought to.
    """

    def __init__(self, channels: Sequence[int], width: int = 256):
        super().__init__()
        self.alignments = nn.ModuleList(nn.Linear(own, width) for own in channels)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Scores (B,) of maps (B, channels, h, w)."""
        aligned = [align(own.mean((2, 3))) for align, own in zip(self.alignments, maps, strict=True)]
        return self.mlp(torch.stack(aligned).sum(0)).squeeze(1)


class ReverseDistillationLoss(nn.Module):
    """L = |Y_I - Y_T| + |Y_I - Y_S|, means over a batch: arXiv 2312.00591.

    Y_T is a teacher's score, Y_S that of the student's token for it, and Y_I that of a head between the teacher's layers, which learns
    from both. The counterpart of the paper, the direct distillation of scores, is |Y_S - Y_T|.

    Args:
        channels: Of the three maps of the teacher.
        width: Of the intermediate head.
    """

    def __init__(self, channels: Sequence[int], width: int = 256):
        super().__init__()
        self.intermediate = IntermediateHead(channels, width)

    def forward(self, scores: Tensor, teacher_scores: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Loss () of a token's scores (B,), given the teacher's (B,) and its maps (B, channels, h, w), which get no gradient."""
        between = self.intermediate([own.detach() for own in maps])
        return F.l1_loss(between, teacher_scores.detach()) + F.l1_loss(between, scores)
