"""Square crops, pixel for pixel."""

from collections.abc import Iterable

import torch
from torch import Tensor

from iqadistill.errors import InputError


def extract_crops(image: Tensor, x: Iterable[int], y: Iterable[int], size: int, wrap: bool = False) -> Tensor:
    """Cut square crops out of a flat image or, as it lies, out of an equirectangular panorama.

    Args:
        image: (channels, H, W), any type.
        x: (n,) left columns, pixels.
        y: (n,) top rows, pixels.
        size: Side of a crop in pixels.
        wrap: Let a crop that leaves a panorama on the right go on at its left border.

    Returns:
        (n, channels, size, size), the image's type and device.

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
