"""A backbone and a linear layer: the CNN and the INN teacher."""

import torch.nn.functional as F
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.losses.quality import QualityLoss
from iqadistill.models.backbone import Backbone
from iqadistill.models.quality_head import quality_head


class Regressor(nn.Module):
    """Score q = Linear(mean over space of the last stage) of a backbone, trained with the L1 distance to the human score.

    It is the teacher that hands its inductive bias to a token of the student of arXiv 2312.00591: with "efficientnet_b0" that of
    convolution, with "rednet101" that of involution.

    Args:
        backbone: A network of timm or RedNet, see `iqadistill.models.backbone.Backbone`.
        pretrained: Its weights, see there.
        size: Side in pixels of the patches; other sizes work as well.
        dropout: Rate on the mean, in [0, 1).

    Attributes:
        backbone: Of the last four stages.
        channels: Of the three maps that `middle` gives.

    Raises:
        InputError: A setting is none of those offered or out of range.
    """

    def __init__(self, backbone: str, pretrained: bool | str = False, size: int = 224, dropout: float = 0.0):
        super().__init__()
        if not 0 <= dropout < 1:
            raise InputError(f"regressor: dropout {dropout}, expected a rate in [0, 1).")
        self.backbone = Backbone(backbone, pretrained, size)
        self.channels = self.backbone.channels[1:]
        self.dropout = dropout
        self.quality_loss = QualityLoss()
        self.head = quality_head(self.channels[-1])

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1]."""
        return self.middle(patches)[0]

    def middle(self, patches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (B,) of patches (B, 3, H, W) in [0, 1], and the maps (B, C, h, w) of the last three stages, shallow to deep."""
        maps = self.backbone(patches)[1:]
        means = F.dropout(maps[-1].mean((2, 3)), self.dropout, self.training)
        return self.head(means).squeeze(1), maps

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """The loss () of patches (B, 3, H, W) in [0, 1] of quality (B,), by its name."""
        return {"quality": self.quality_loss(self(patches), quality)}
