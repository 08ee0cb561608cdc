"""Transforms of a picture that leave its quality alone and move its feature maps the same way."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from iqadistill.errors import InputError, nearest

ZOOM = 1.1


def flip_horizontally(maps: Tensor) -> Tensor:
    """Mirror maps (B, C, h, w) left to right."""
    return maps.flip(-1)


def flip_vertically(maps: Tensor) -> Tensor:
    """Mirror maps (B, C, h, w) top to bottom."""
    return maps.flip(-2)


def rotate(maps: Tensor) -> Tensor:
    """Turn square maps (B, C, n, n) by 90 degrees.

    Raises:
        InputError: They are not square, so turned they could not be compared.
    """
    if maps.shape[-1] != maps.shape[-2]:
        raise InputError(
            f"transform rotation: patches of {maps.shape[-1]} x {maps.shape[-2]}; only square ones can turn."
        )
    return maps.rot90(1, (-2, -1))


def zoom(maps: Tensor) -> Tensor:
    """The middle of maps (B, C, h, w), magnified 1.1 times to the size of the whole.

    Between pixels it interpolates linearly, which blurs a little: enlarge by more and the quality would no longer be the same.
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


def create_transform(name: str) -> Callable[[Tensor], Tensor]:
    """The transform of pictures, or of maps, (B, C, h, w) by its key in `TRANSFORMS`.

    Raises:
        InputError: No such transform.
    """
    if name not in TRANSFORMS:
        raise InputError(f"transform {name!r}: no such transform; {nearest(name, TRANSFORMS)}")
    return TRANSFORMS[name]
