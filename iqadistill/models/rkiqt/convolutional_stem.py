"""Convolutional stem: the shallow stages of a CNN in place of a Vision Transformer's patch embedding."""

from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.pretrained import create_pretrained


class ConvolutionalStem(nn.Module):
    """A CNN of timm up to its last stage of a given stride; deeper stages are dropped and cost nothing.

    Args:
        name: timm's name of the CNN.
        weights: "packaged", "hub", "none" or a file's path, see `iqadistill.models.pretrained.create_pretrained`.
        stride: Pixels a cell.

    Raises:
        InputError: timm has no such network, it has no stage of this stride, or there are no such weights of it.
    """

    def __init__(self, name: str, weights: str, stride: int):
        super().__init__()
        self.network = create_pretrained(name, weights, where="stem", key="stem_weights")
        strides = [stage["reduction"] for stage in getattr(self.network, "feature_info", [])]
        if stride not in strides or not hasattr(self.network, "prune_intermediate_layers"):
            raise InputError(
                f"stem {name}: its stages have strides {strides}, expected one of a token's {stride} pixels; choose "
                "another CNN."
            )
        last = len(strides) - 1 - strides[::-1].index(stride)
        self.stages = self.network.prune_intermediate_layers([last], prune_norm=True)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, C, h / stride, w / stride) of normalised pixels (B, 3, h, w)."""
        return self.network.forward_intermediates(pixels, indices=self.stages, intermediates_only=True)[0]
