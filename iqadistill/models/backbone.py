"""Backbones: networks as sources of feature maps, and the linear layer that turns features into a score."""

import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.pretrained import create_pretrained
from iqadistill.models.rkiqt.rednet import BLOCKS, RedNet

STAGES = 4
REDNETS = {f"rednet{depth}": depth for depth in BLOCKS}


class Backbone(nn.Module):
    """The last four stages of a network, without its classifier.

    Pixels are normalised by the mean and standard deviation that the network was trained with.

    Args:
        name: timm's name of the network, e.g. "resnet50", or "resnet50.tv_in1k" for particular weights; or "rednet26",
            "rednet38", "rednet50" or "rednet101".
        weights: "packaged", "hub", "none" or a file's path, see `iqadistill.models.pretrained.create_pretrained`; of a
            RedNet, "none" or the path of a checkpoint that its authors published.
        size: Side in pixels of the patches that the network is meant for.

    Attributes:
        channels: Channels of each stage, shallow to deep.
        cells: Cells a side of the last stage's map for a patch of `size` pixels.

    Raises:
        InputError: There is no such network, it does not have four stages for patches of this size, or there are no
            such weights of it.
    """

    network: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(self, name: str, weights: str, size: int):
        super().__init__()
        if name in REDNETS:
            self.network = RedNet(REDNETS[name], num_classes=1, weights=weights).backbone
            self._normalise_by(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        else:
            network = create_pretrained(
                name,
                weights,
                where="backbone",
                suggested=REDNETS,
                features_only=True,
                out_indices=range(-STAGES, 0),
            )
            self.network = network
            self._normalise_by(network.pretrained_cfg["mean"], network.pretrained_cfg["std"])
        maps = self._try(name, size)
        self.channels = [stage.shape[1] for stage in maps]
        self.cells = maps[-1].shape[-1]

    def forward(self, patches: Tensor) -> list[Tensor]:
        """Feature maps (B, C, h, w) of the four stages, shallow to deep, of patches (B, 3, H, W) in [0, 1]."""
        maps = self.network((patches - self.mean) / self.std)
        if str(getattr(self.network, "output_fmt", "NCHW")) == "NHWC":
            maps = [stage.permute(0, 3, 1, 2) for stage in maps]
        return maps

    def _normalise_by(self, *statistics: tuple[float, ...]) -> None:
        for key, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(key, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def _try(self, name: str, size: int) -> list[Tensor]:
        """Maps of a black patch."""
        self.eval()
        try:
            with torch.no_grad():
                maps = self(torch.zeros(1, 3, size, size))
        # each family of timm refuses a size in its own way
        except (RuntimeError, AttributeError, AssertionError, IndexError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"backbone {name}: no four stages for patches of {size} pixels ({reason}); choose another network "
                "or size."
            ) from None
        self.train()
        return maps


def quality_head(width: int) -> nn.Linear:
    """A linear layer from `width` features to a score that starts at 0.5, the middle of quality's range [0, 1].

    With random weights the first scores of a backbone with large features lie far outside [0, 1], and training needs
    epochs to bring them back.
    """
    head = nn.Linear(width, 1)
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 0.5)
    return head
