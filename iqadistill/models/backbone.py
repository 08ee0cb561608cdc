"""Networks as sources of feature maps."""

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from iqadistill.errors import InputError, nearest
from iqadistill.models import lite0
from iqadistill.models.rkiqt.rednet import BLOCKS, RedNet

STAGES = 4
REDNETS = {f"rednet{depth}": depth for depth in BLOCKS}


class Backbone(nn.Module):
    """The last four stages of a network, without its classifier; pixels are normalised by the network's own mean and deviation.

    Args:
        name: timm's name of it, e.g. "resnet50", or "resnet50.tv_in1k" for particular weights; or "rednet26", "rednet38", "rednet50" or
            "rednet101".
        pretrained: False (random weights), True (ImageNet's, from timm's hub) or "packaged" (EfficientNet-Lite0's, which come as a
            Python package); of a RedNet, False or the path of a checkpoint its authors published.
        size: Side in pixels of the patches it is meant for.

    Attributes:
        channels: Of each stage, shallow to deep.
        cells: Cells a side of the last stage's map of a patch of `size` pixels.

    Raises:
        InputError: There is no such network, it has not four stages for patches of this size, or there are no such weights of it.
    """

    def __init__(self, name: str, pretrained: bool | str, size: int):
        super().__init__()
        if name in REDNETS:
            self.network = RedNet(REDNETS[name], num_classes=1, pretrained=pretrained).backbone
            self._normalise_by(IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
            maps = self._try(size)
        else:
            maps = self._create(name, pretrained, size)
        self.channels = [stage.shape[1] for stage in maps]
        self.cells = maps[-1].shape[-1]

    def forward(self, patches: Tensor) -> list[Tensor]:
        """Feature maps (B, C, h, w) of the four stages, shallow to deep, of patches (B, 3, H, W) in [0, 1]."""
        maps = self.network((patches - self.mean) / self.std)
        if str(getattr(self.network, "output_fmt", "NCHW")) == "NHWC":
            maps = [stage.permute(0, 3, 1, 2) for stage in maps]
        return maps

    def _create(self, name: str, pretrained: bool | str, size: int) -> list[Tensor]:
        """Make a network of timm, and its maps of a patch."""
        if not timm.is_model(name):
            raise InputError(f"backbone: timm has no model {name!r}; {nearest(name, [*REDNETS, *timm.list_models()])}")
        if pretrained not in (False, True, "packaged"):
            raise InputError(f"backbone {name}: pretrained {pretrained!r}, expected false, true or packaged.")
        if pretrained == "packaged" and name != lite0.MODEL:
            raise InputError(
                f"backbone {name}: packaged weights are those of {lite0.MODEL}; use that or pretrained: true."
            )
        try:
            self.network = timm.create_model(
                name, pretrained=pretrained is True, features_only=True, out_indices=range(-STAGES, 0)
            )
            configuration = self.network.pretrained_cfg
            self._normalise_by(configuration["mean"], configuration["std"])
            maps = self._try(size)
        # timm's families refuse what they cannot do each in its own way; without a way to the hub it is an OSError
        except (RuntimeError, AttributeError, AssertionError, IndexError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"backbone {name}: no four stages for patches of {size} pixels with pretrained {pretrained} ({reason}); "
                "choose another network, size or weights."
            ) from None
        if pretrained == "packaged":
            own = set(self.network.state_dict())
            state = lite0.load_packaged_lite0().state_dict()
            self.network.load_state_dict({key: tensor for key, tensor in state.items() if key in own})
        return maps

    def _normalise_by(self, *statistics: tuple[float, ...]) -> None:
        for key, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(key, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def _try(self, size: int) -> list[Tensor]:
        """Maps of a black patch."""
        self.eval()
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, size, size))
        self.train()
        return maps
