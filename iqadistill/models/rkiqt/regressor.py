"""Regressor: a backbone and a linear layer, the CNN and the INN teacher of RKIQT."""

import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.losses.quality import QualityLoss
from iqadistill.models.backbone import Backbone, quality_head
from iqadistill.models.teachers.regressor import RegressorSettings


class Regressor(nn.Module):
    """Score q = Linear(mean over space of the last stage) of a backbone, trained with the L1 loss.

    As a teacher it passes its inductive bias to a token of the student of arXiv 2312.00591: with "efficientnet_b0" that
    of convolution, with "rednet101" that of involution.

    Args:
        settings: Settings of the teacher.
        size: Side in pixels of the patches; other sizes work as well.

    Attributes:
        backbone: Network of the last four stages.
        channels: Channels of the three maps that `middle` returns.

    Raises:
        InputError: The backbone or its weights do not exist.
    """

    def __init__(self, settings: RegressorSettings, size: int):
        super().__init__()
        self.backbone = Backbone(settings.backbone, settings.weights, size)
        self.channels = self.backbone.channels[1:]
        self.dropout = settings.dropout
        self.quality_loss = QualityLoss()
        self.head = quality_head(self.channels[-1])

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]."""
        return self.middle(patches)[0]

    def middle(self, patches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (B,) and the maps (B, C, h, w) of the last three stages, shallow to deep.

        Args:
            patches: Patches (B, 3, H, W) in [0, 1].
        """
        maps = self.backbone(patches)[1:]
        means = F.dropout(maps[-1].mean((2, 3)), self.dropout, self.training)
        return self.head(means).squeeze(1), maps

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """The L1 loss () of patches (B, 3, H, W) in [0, 1] with quality (B,), by its name."""
        return {"quality": self.quality_loss(self(patches), quality)}
