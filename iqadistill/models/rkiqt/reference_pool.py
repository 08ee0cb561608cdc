"""Pool of pristine patches that the non-aligned-reference teacher compares with."""

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError


class ReferencePool(nn.Module):
    """Pristine patches, stored as bytes on the device of the network that uses them; no state dict holds them.

    Args:
        patches: Patches (P, 3, side, side), uint8.

    Attributes:
        patches: The patches.

    Raises:
        InputError: There is no patch, or the patches do not have this shape and type.
    """

    patches: Tensor

    def __init__(self, patches: Tensor):
        super().__init__()
        if patches.dtype != torch.uint8 or patches.ndim != 4 or patches.shape[1] != 3 or not len(patches):
            raise InputError(
                f"reference pool: {patches.dtype} of shape {tuple(patches.shape)}, expected uint8 of (patches, 3, "
                "side, side); give at least one pristine patch."
            )
        self.register_buffer("patches", patches, persistent=False)

    def __len__(self) -> int:
        return len(self.patches)

    def draw(self, count: int) -> Tensor:
        """Indices (count,) of patches drawn with replacement by torch's CPU generator: the same on every device."""
        return torch.randint(len(self), (count,)).to(self.patches.device)

    def spread(self, count: int) -> Tensor:
        """Indices of at most `count` patches, always the same, evenly spread over the pool."""
        return torch.linspace(0, len(self) - 1, min(count, len(self))).round().long().to(self.patches.device)

    def pixels(self, indices: Tensor) -> Tensor:
        """Patches (n, 3, side, side) in [0, 1], float32, at indices (n,)."""
        return self.patches[indices].float() / 255
