"""Reverse distillation of a teacher's inductive bias into a token."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IntermediateHead(nn.Module):
    """Score Y_I = MLP((A_1(F_1) + A_2(F_2)) + A_3(F_3)) from three of a teacher's maps, arXiv 2312.00591.

    A_i is a 1 x 1 convolution to a common width, averaged over the map; the average comes first here, which gives the
    same result. The MLP has one hidden layer of that width, with GELU.

    Args:
        channels: Channels of each of the three maps.
        width: Width to which the maps are projected.
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.alignments = nn.ModuleList(nn.Linear(inputs, width) for inputs in channels)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Scores (B,) of maps (B, channels, h, w)."""
        aligned = [align(stage.mean((2, 3))) for align, stage in zip(self.alignments, maps, strict=True)]
        return self.mlp(torch.stack(aligned).sum(0)).squeeze(1)


class ReverseDistillationLoss(nn.Module):
    """L = |Y_I - Y_T| + |Y_I - Y_S|, means over a batch, arXiv 2312.00591.

    Y_T is a teacher's score, Y_S that of the student's token for it, and Y_I that of an intermediate head on the
    teacher's layers, which learns from both. The paper compares it with the direct distillation of scores, |Y_S - Y_T|.

    Args:
        channels: Channels of each of the teacher's three maps.
        width: Width of the intermediate head.
    """

    def __init__(self, channels: Sequence[int], width: int):
        super().__init__()
        self.intermediate = IntermediateHead(channels, width)

    def forward(self, scores: Tensor, teacher_scores: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Loss (); the teacher gets no gradient.

        Args:
            scores: Scores (B,) of the student's token.
            teacher_scores: Scores (B,) of the teacher.
            maps: The teacher's three maps (B, channels, h, w).
        """
        intermediate = self.intermediate([stage.detach() for stage in maps])
        return F.l1_loss(intermediate, teacher_scores.detach()) + F.l1_loss(intermediate, scores)
