"""Pixels of patches as bytes and as numbers in [0, 1].

Patches that were only cut out of an image stay bytes until the device that computes with them: a quarter of the memory
and of the transfers.
"""

import torch
from torch import Tensor
from torch.nn import functional


def as_floats(patches: Tensor) -> Tensor:
    """Patches of any shape, uint8 or in [0, 1], as float32 in [0, 1]."""
    return patches.float().div_(255) if patches.dtype == torch.uint8 else patches.float()


def resized_bytes(patches: Tensor, side: int) -> Tensor:
    """Patches (n, 3, h, w), uint8 or in [0, 1], as bytes (n, 3, side, side), uint8; floats may be overwritten."""
    if patches.shape[-1] != side:
        patches = functional.interpolate(as_floats(patches), (side, side), mode="bilinear", antialias=True)
    return patches if patches.dtype == torch.uint8 else patches.mul_(255).round_().to(torch.uint8)
