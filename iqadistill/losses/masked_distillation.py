"""Masked distillation: the teacher's features are generated from a visible part of the student's."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.losses.spatial_mask import SpatialMask


class MaskedDistillationLoss(nn.Module):
    """Masked quality-contrastive distillation of arXiv 2312.00591:

        L_MCD = sum over depths i of || T_i - G_i(M_i . A_i(S_i)) ||^2,

    ||.||^2 the mean over all elements, T_i the teacher's difference features HQ - LQ, divided by a constant of the
    teacher so that the loss does not depend on their scale (see `iqadistill.models.rkiqt.frozen_teachers`), S_i the
    student's map averaged to the teacher's cells, A_i a 1 x 1 convolution to the teacher's channels, M_i a mask shared
    by the channels, drawn for each patch and depth, and G_i the generator: convolutions with ReLU between them that
    preserve channels and cells. Without a mask and a generator it is the direct distillation of features with which the
    paper compares.

    Args:
        width: Channels of the student's maps.
        channels: Channels of the teacher's maps, depth by depth.
        cells: Cells a side of the teacher's maps.
        ratio: Expected share of masked cells, in [0, 1).
        masking: One of `iqadistill.losses.MASKINGS`, or "none".
        generator: Odd kernel sizes of the generator's convolutions; empty for no generator.
    """

    def __init__(
        self,
        width: int,
        channels: Sequence[int],
        cells: int,
        ratio: float,
        masking: str,
        generator: Sequence[int],
    ):
        super().__init__()
        self.cells = cells
        self.mask = SpatialMask(masking, ratio, cells) if masking != "none" else None
        self.alignments = nn.ModuleList(nn.Conv2d(width, outputs, 1) for outputs in channels)
        self.generators = nn.ModuleList(_generator(outputs, generator) for outputs in channels)

    def forward(self, maps: Sequence[Tensor], differences: Sequence[Tensor]) -> Tensor:
        """Loss (); gradients reach `maps` and the parameters of this module, not `differences`.

        Args:
            maps: The student's maps (B, width, h, w), depth by depth.
            differences: The teacher's maps (B, channels, cells, cells), depth by depth.
        """
        parts = []
        layers = zip(maps, differences, self.alignments, self.generators, strict=True)
        for student_map, target, alignment, generator in layers:
            # averaging commutes with a 1 x 1 convolution, which then has fewer cells to process
            aligned = alignment(F.adaptive_avg_pool2d(student_map, self.cells))
            visible = aligned * self.mask(len(aligned)) if self.mask else aligned
            parts.append(F.mse_loss(generator(visible), target.detach()))
        return torch.stack(parts).sum()


def _generator(channels: int, kernels: Sequence[int]) -> nn.Sequential:
    layers = [nn.Conv2d(channels, channels, kernel, padding=kernel // 2) for kernel in kernels]
    steps = [step for layer in layers for step in (layer, nn.ReLU())]
    return nn.Sequential(*steps[:-1])
