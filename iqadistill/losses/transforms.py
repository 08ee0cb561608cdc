"""Equivariant transforms: they preserve the quality of an image and act on its feature maps in the same way."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from iqadistill.errors import InputError

ZOOM = 1.1


def flip_horizontally(maps: Tensor) -> Tensor:
    """Mirror maps (B, C, h, w) left to right."""
    return maps.flip(-1)


def flip_vertically(maps: Tensor) -> Tensor:
    """Mirror maps (B, C, h, w) top to bottom."""
    return maps.flip(-2)


def rotate(maps: Tensor) -> Tensor:
    """Rotate square maps (B, C, n, n) by 90 degrees.

    Raises:
        InputError: The maps are not square, so that they could not be compared after the rotation.
    """
    if maps.shape[-1] != maps.shape[-2]:
        raise InputError(
            f"transform rotation: patches of {maps.shape[-1]} x {maps.shape[-2]}; only square ones can be rotated."
        )
    return maps.rot90(1, (-2, -1))


def zoom(maps: Tensor) -> Tensor:
    """Centre of maps (B, C, h, w), magnified 1.1 times to their full size.

    Linear interpolation blurs a little: a larger magnification would change the quality.
    """
    scale = maps.new_tensor([[1 / ZOOM, 0, 0], [0, 1 / ZOOM, 0]]).expand(len(maps), -1, -1)
    grid = F.affine_grid(scale, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "horizontal_flip": flip_horizontally,
    "vertical_flip": flip_vertically,
    "rotation": rotate,
    "scaling": zoom,
}
"""Transforms of images, or of maps, (B, C, h, w), by the name that settings give them."""
