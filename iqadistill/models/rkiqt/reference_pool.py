"""Pristine patches to hold others against."""

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError


class ReferencePool(nn.Module):
    """Pristine patches, kept as bytes on the device of the network they belong to; no state dict holds them.

    Args:
        patches: (P, 3, side, side), uint8.

    Attributes:
        patches: The patches.

    Raises:
        InputError: There is no patch, or they are not of this shape and type.
    """

    def __init__(self, patches: Tensor):
        super().__init__()
        if patches.dtype != torch.uint8 or patches.ndim != 4 or patches.shape[1] != 3 or not len(patches):
            raise InputError(
                f"reference pool: {patches.dtype} of shape {tuple(patches.shape)}, expected uint8 of (patches, 3, side, side); "
                "give at least one pristine patch."
            )
        self.register_buffer("patches", patches, persistent=False)

    def __len__(self) -> int:
        return len(self.patches)

    def draw(self, number: int) -> Tensor:
        """Indices (number,) of patches drawn with replacement by torch's generator of the CPU: the same on every device."""
        return torch.randint(len(self), (number,)).to(self.patches.device)

    def spread(self, number: int) -> Tensor:
        """Indices of at most `number` patches, always the same, evenly spread over the pool."""
        return torch.linspace(0, len(self) - 1, min(number, len(self))).round().long().to(self.patches.device)

    def pixels(self, indices: Tensor) -> Tensor:
        """Patches (n, 3, side, side) in [0, 1], float32, of indices (n,)."""
        return self.patches[indices].float() / 255
