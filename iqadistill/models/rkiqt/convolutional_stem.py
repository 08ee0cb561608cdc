"""The shallow stages of a CNN, to cut patches into tokens with."""

import timm
from torch import Tensor, nn

from iqadistill.errors import InputError, nearest
from iqadistill.models import lite0


class ConvolutionalStem(nn.Module):
    """A CNN of timm up to its last stage of a stride; what lies deeper is dropped and costs nothing.

    Args:
        name: timm's name of it.
        pretrained: False (random weights), True (ImageNet's, from timm's hub) or "packaged" (EfficientNet-Lite0's, which come as a
            Python package).
        stride: Pixels a cell.

    Raises:
        InputError: timm has no such network, it has no stage of this stride, or there are no such weights of it.
    """

    def __init__(self, name: str, pretrained: bool | str, stride: int):
        super().__init__()
        if not timm.is_model(name):
            raise InputError(f"stem: timm has no model {name!r}; {nearest(name, timm.list_models())}")
        if pretrained not in (False, True, "packaged"):
            raise InputError(f"stem {name}: stem_pretrained {pretrained!r}, expected false, true or packaged.")
        if pretrained == "packaged" and name != lite0.MODEL:
            raise InputError(
                f"stem {name}: packaged weights are those of {lite0.MODEL}; use that or stem_pretrained: true."
            )
        try:
            self.network = (
                lite0.load_packaged_lite0() if pretrained == "packaged" else timm.create_model(name, pretrained)
            )
        # without such weights it is a RuntimeError, without a way to the hub an OSError
        except (RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"stem {name}: no weights ({reason}); use stem_pretrained: false or packaged.") from None
        self.train()
        strides = [stage["reduction"] for stage in getattr(self.network, "feature_info", [])]
        if stride not in strides or not hasattr(self.network, "prune_intermediate_layers"):
            raise InputError(
                f"stem {name}: its stages have strides {strides}, expected one of a token's {stride} pixels; choose another CNN."
            )
        last = len(strides) - 1 - strides[::-1].index(stride)
        self.stages = self.network.prune_intermediate_layers([last], prune_norm=True)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, C, h / stride, w / stride) of normalised pixels (B, 3, h, w)."""
        return self.network.forward_intermediates(pixels, indices=self.stages, intermediates_only=True)[0]
