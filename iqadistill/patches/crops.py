"""Square crops of images, without resampling."""

from collections.abc import Iterable

import torch
from torch import Tensor

from iqadistill.errors import InputError


def extract_crops(image: Tensor, x: Iterable[int], y: Iterable[int], size: int, wrap: bool = False) -> Tensor:
    """Cut square crops out of a flat image or out of the equirectangular plane of a panorama.

    Args:
        image: Image (channels, H, W) of any type.
        x: Left columns (n,) in pixels.
        y: Top rows (n,) in pixels.
        size: Side of a crop in pixels.
        wrap: Whether a crop that leaves a panorama on the right continues at its left border.

    Returns:
        Crops (n, channels, size, size) of the image's type, on its device.

    Raises:
        InputError: A crop does not lie within the image.
    """
    channels, height, width = image.shape
    crops = []
    for left, top in zip(map(int, x), map(int, y), strict=True):
        if not (0 <= top <= height - size and 0 <= left < width and size <= width and (wrap or left + size <= width)):
            raise InputError(
                f"crop of {size} x {size} pixels at ({left}, {top}): leaves the image of {width} x {height} pixels; "
                "sample the patches again for this image."
            )
        rows = image[:, top : top + size]
        if left + size <= width:
            crops.append(rows[:, :, left : left + size])
        else:
            crops.append(torch.cat([rows[:, :, left:], rows[:, :, : left + size - width]], dim=-1))
    return torch.stack(crops) if crops else image.new_empty((0, channels, size, size))
