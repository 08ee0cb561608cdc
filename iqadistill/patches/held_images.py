"""Flat images that stay decoded in memory, and crops cut from them at any place."""

import threading
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from iqadistill.errors import InputError
from iqadistill.parallel import map_ahead
from iqadistill.patches.crops import extract_crops
from iqadistill.patches.pixel_values import resized_bytes
from iqadistill.patches.reading import IndexedImage, reduced_corners, reduced_shape, reduction


def are_flat_crops(patches: pa.Table) -> bool:
    """Whether all patches of a table "patches" are crops of flat images, neither viewports nor crops of panoramas."""
    return patches["x"].null_count == 0 and patches["yaw"].null_count == len(patches)


class HeldImages:
    """Crops of flat images that are held in memory as bytes; those not used for longest make room for others.

    Many overlapping crops of an image take more memory than the image, which serves crops at any place besides.

    Args:
        images: Table "images".
        patches: Table "patches" of flat images, the patches of an image consecutive.
        image: Index (N,) of each patch's image in `image_ids`.
        image_ids: The images.
        side: Side of every crop in pixels as it is returned.
        size: Side in pixels to which larger crops are reduced, see `iqadistill.patches.reading.read_patches`.
        workers: Number of threads that decode and cut, one image each.
        memory: Bytes of images that are held.

    Attributes:
        corners: Upper left pixels (N, 2), x and y, of the table's crops in the original images.
        sides: Side (I,) in pixels of each image's crops in the original image.
        places: Number of places (I, 2) for a crop of each image, columns and rows.
        nbytes: Bytes (I,) that each image takes.
        memory: Bytes of images that are held.

    Raises:
        InputError: An image has crops of several sizes.
    """

    def __init__(
        self,
        images: pa.Table,
        patches: pa.Table,
        image: np.ndarray,
        image_ids: Sequence[str],
        *,
        side: int,
        size: int | None,
        workers: int,
        memory: float,
    ) -> None:
        facts = (
            images.select(["image_id", "path", "width", "height"]).to_pandas().set_index("image_id").loc[[*image_ids]]
        )
        starts = np.flatnonzero(np.diff(image, prepend=-1))
        sides = patches["size"].to_numpy()
        self.sides = sides[starts]
        uneven = sides != self.sides[image]
        if uneven.any():
            name = image_ids[image[int(np.argmax(uneven))]]
            raise InputError(f"patches of {name}: have several sizes, expected one; run sample_patches again.")
        self.corners = np.stack([patches["x"].to_numpy(), patches["y"].to_numpy()], 1)
        lengths = facts[["height", "width"]].to_numpy()
        self.places = lengths[:, ::-1] - self.sides[:, None] + 1
        shapes = [
            reduced_shape(height, width, crop, size)
            for (height, width), crop in zip(lengths.tolist(), self.sides, strict=True)
        ]
        self.nbytes = 3 * np.prod(np.array(shapes, dtype=np.int64), axis=1)
        self._images = [IndexedImage(*fact) for fact in facts[["path", "height", "width"]].itertuples(index=False)]
        self._image, self._side, self._size = image, side, size
        self._workers, self.memory = workers, memory
        self._held: dict[int, Tensor] = {}  # the image used last comes last
        self._bytes = 0
        self._lock = threading.Lock()

    def fetch(self, rows: np.ndarray, corners: np.ndarray) -> Tensor:
        """Crops (n, 3, side, side), uint8, of distinct rows (n,) in any order, each image decoded once at most.

        Args:
            rows: Rows of the patch table.
            corners: Upper left pixels (N, 2) of all rows of the table in the original images.
        """
        pixels = torch.empty((len(rows), 3, self._side, self._side), dtype=torch.uint8)
        by_row = np.argsort(rows)
        groups = np.split(by_row, np.flatnonzero(np.diff(self._image[rows[by_row]])) + 1)

        def cut(indices: np.ndarray) -> None:
            index = int(self._image[rows[indices[0]]])
            image, (x, y) = self._decoded(index), corners[rows[indices]].T
            x, y, side = reduced_corners(x, y, image.shape[1:], int(self.sides[index]), self._size)
            pixels[indices] = resized_bytes(extract_crops(image, x, y, side), self._side)

        for _ in map_ahead(cut, groups, self._workers):
            pass
        return pixels

    def _decoded(self, index: int) -> Tensor:
        """The reduced image (3, H, W), uint8."""
        with self._lock:
            image = self._held.pop(index, None)
            if image is not None:
                self._held[index] = image
                return image
        pixels = self._images[index].read(reduction(int(self.sides[index]), self._size))
        image = torch.from_numpy(np.moveaxis(pixels, 2, 0).copy())  # a copy: Pillow's array is read-only
        with self._lock:
            self._held[index] = image
            self._bytes += image.nbytes
            while self._held and self._bytes > self.memory:
                self._bytes -= self._held.pop(next(iter(self._held))).nbytes
        return image
