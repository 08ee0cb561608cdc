"""The teacher's features, generated from a part of the student's."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.spatial_mask import SpatialMask


class MaskedDistillationLoss(nn.Module):
    """Masked quality-contrastive distillation of arXiv 2312.00591:

        L_MCD = sum over depths i of || T_i - G_i(M_i . A_i(S_i)) ||^2,

    ||.||^2 the mean over all elements, T_i the teacher's difference features HQ - LQ, S_i the student's map averaged to the
    teacher's cells, A_i a 1 x 1 convolution to the teacher's channels, M_i a mask shared by the channels, drawn for each patch and
    depth, and G_i the generator: convolutions with ReLU between them, that keep channels and cells. Without a mask and a generator it is
    the direct distillation of features with which the paper compares.

    Args:
        width: Channels of the student's maps.
        channels: Of the teacher's, depth by depth.
        cells: Cells a side of the teacher's.
        ratio: Expected share of hidden cells, in [0, 1).
        masking: One of `iqadistill.losses.MASKINGS`, or "none".
        generator: Kernel sizes of the generator's convolutions, 3 or 5; none for no generator.

    Raises:
        InputError: A setting is none of those offered or out of range.
    """

    def __init__(
        self,
        width: int,
        channels: Sequence[int],
        cells: int,
        ratio: float = 0.5,
        masking: str = "random",
        generator: Sequence[int] = (3, 3),
    ):
        super().__init__()
        if len(generator) > 3 or not set(generator) <= {3, 5}:
            raise InputError(f"rkiqt: generator {list(generator)}, expected at most three kernel sizes, each 3 or 5.")
        self.cells = cells
        self.mask = SpatialMask(masking, ratio, cells) if masking != "none" else None
        self.alignments = nn.ModuleList(nn.Conv2d(width, own, 1) for own in channels)
        self.generators = nn.ModuleList(_generator(own, generator) for own in channels)

    def forward(self, maps: Sequence[Tensor], differences: Sequence[Tensor]) -> Tensor:
        """Loss () of the student's maps (B, width, h, w) against the teacher's (B, channels, cells, cells), depth by depth.

        Gradients reach `maps` and what is learnt here, not `differences`.
        """
        parts = []
        for own, target, alignment, generator in zip(maps, differences, self.alignments, self.generators, strict=True):
            # averaging commutes with a 1 x 1 convolution, which then has fewer cells to go over
            aligned = alignment(F.adaptive_avg_pool2d(own, self.cells))
            visible = aligned * self.mask(len(aligned)) if self.mask else aligned
            parts.append(F.mse_loss(generator(visible), target.detach()))
        return torch.stack(parts).sum()


def _generator(channels: int, kernels: Sequence[int]) -> nn.Sequential:
    layers = [nn.Conv2d(channels, channels, kernel, padding=kernel // 2) for kernel in kernels]
    steps = [step for layer in layers for step in (layer, nn.ReLU())]
    return nn.Sequential(*steps[:-1])
