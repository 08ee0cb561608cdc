"""Reading the patches of a patch table as pixels, image by image, with threads that decode and cut ahead."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image, scaled
from iqadistill.images.listing import readable
from iqadistill.panorama.viewports import extract_viewports
from iqadistill.parallel import map_ahead
from iqadistill.patches.crops import extract_crops


class IndexedImage(NamedTuple):
    """An image as its dataset's index knows it.

    Attributes:
        path: Its file.
        height: Height in pixels; None if it is not known.
        width: Width in pixels.
    """

    path: str
    height: int | None
    width: int | None

    def read(self, scale: float = 1.0) -> np.ndarray:
        """Pixels (H, W, 3), uint8, of the image reduced by a factor of at most 1, see `read_image`.

        Raises:
            InputError: The file cannot be read, or was replaced by an image of another size.
        """
        pixels = read_image(self.path, scale)
        if self.height is None or self.width is None:
            return pixels
        if pixels.shape[:2] != (scaled(self.height, scale), scaled(self.width, scale)):
            raise InputError(
                f"{readable(self.path)}: was {self.width} x {self.height} pixels when its dataset was indexed and has "
                "been replaced since; run again, so that it is indexed anew."
            )
        return pixels


def read_patches(
    images: pa.Table,
    patches: pa.Table,
    *,
    size: int | None = None,
    device: str | torch.device = "cpu",
    workers: int = 2,
) -> Iterator[Tensor]:
    """Cut the patches of a patch table, one image after another, each image decoded once.

    Args:
        images: Table "images"; only images that have patches are read.
        patches: Table "patches"; the patches of an image must be consecutive.
        size: Side in pixels to which larger crops of flat images are reduced: the image is resized before it is cut, so
            that overlapping crops are resized once.
        device: Device on which patches are cut.
        workers: Number of threads that decode and cut ahead, one image each; each holds a float copy of its panorama.

    Returns:
        Iterator over images of their patches (n, 3, side, side), in the order of the table, on the device: crops as the
        image's own pixels, uint8, and viewports, which are interpolated, float32 in [0, 1].

    Raises:
        InputError: An image cannot be read, is not in the images table, or has patches of several sizes.
    """
    columns = (images[name].to_pylist() for name in ("image_id", "path", "height", "width"))
    indexed = {name: IndexedImage(*facts) for name, *facts in zip(*columns, strict=True)}
    groups = list(groups_by_image(patches))
    for name, _ in groups:
        if name not in indexed:
            raise InputError(f"patches of {name!r}: this image is not in the images table; run sample_patches again.")

    def read(group: tuple[str, pa.Table]) -> Tensor:
        name, rows = group
        sides = rows["size"].unique().to_pylist()
        if len(sides) > 1:
            raise InputError(f"patches of {name}: sizes {sides}, expected one; run sample_patches again.")
        flat = rows["yaw"].null_count > 0
        return cut_patches(indexed[name].read(reduction(sides[0], size) if flat else 1.0), rows, size, device)

    return map_ahead(read, groups, workers)


def groups_by_image(patches: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Each image_id with its consecutive rows of the patch table."""
    start = 0
    for name, rows in groupby(patches["image_id"].to_pylist()):
        count = len(list(rows))
        yield name, patches.slice(start, count)
        start += count


def cut_patches(image: np.ndarray, rows: pa.Table, size: int | None, device: str | torch.device) -> Tensor:
    """Cut the patches of one decoded image, see `read_patches`.

    Args:
        image: Pixels (H, W, 3), uint8, of the panorama, or of the flat image reduced by `reduction`.
        rows: Table "patches" of this image, all of one size.
        size: Side in pixels to which larger crops of flat images are reduced.
        device: Device on which patches are cut.
    """
    side, pixels = rows["size"][0].as_py(), _channels_first(image, device)
    if rows["x"].null_count:
        yaw, pitch, fov = (rows[name].to_numpy() for name in ("yaw", "pitch", "fov"))
        return extract_viewports(pixels, yaw, pitch, fov, side).div_(255)
    x, y = (rows[name].to_numpy() for name in ("x", "y"))
    if not rows["yaw"].null_count:
        return extract_crops(pixels, x, y, side, wrap=True)
    x, y, side = reduced_corners(x, y, image.shape, side, size)
    return extract_crops(pixels, x, y, side)


def _channels_first(image: np.ndarray, device: str | torch.device) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(device)  # a copy: Pillow's array is read-only


def reduction(side: int, size: int | None) -> float:
    """Factor by which a flat image is reduced so that its crops of `side` pixels have `size`; 1 if they are smaller."""
    return 1.0 if size is None or side <= size else size / side


def reduced_shape(height: int, width: int, side: int, size: int | None) -> tuple[int, int]:
    """Height and width of a flat image that is reduced by `reduction`."""
    scale = reduction(side, size)
    return scaled(height, scale), scaled(width, scale)


def reduced_corners(
    x: np.ndarray, y: np.ndarray, shape: Sequence[int], side: int, size: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Corners x and y of crops of `side` pixels at the nearest pixel of the reduced image, and their side there.

    Args:
        x: Left columns (n,) in the original image.
        y: Top rows (n,) in the original image.
        shape: Height and width of the reduced image.
        side: Side of the crops in the original image.
        size: Side to which they are reduced, as of `reduction`.
    """
    scale = reduction(side, size)
    if size is None or scale == 1:
        return x, y, side
    x, y = (np.rint(corner * scale).astype(np.int64) for corner in (x, y))
    return x.clip(max=shape[1] - size), y.clip(max=shape[0] - size), size
