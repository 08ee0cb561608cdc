"""Stores of patches as bytes, for training and prediction that read them repeatedly."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from iqadistill.errors import InputError
from iqadistill.patches.pixel_values import resized_bytes
from iqadistill.patches.reading import read_patches


class PatchStore:
    """Patches of selected images. An image is decoded once per call of `fetch`, or once in total where all patches fit
    in memory.

    Args:
        images: Table "images".
        patches: Table "patches"; rows of other images are ignored.
        image_ids: The images, in the order of their indices.
        size: Side in pixels to which patches are resized; None leaves them at their size.
        workers: Number of threads that decode and cut, one image each.
        memory_gb: Memory in GiB up to which all patches are kept once they are read.

    Attributes:
        patches: Table "patches", sorted by the index of the image and by patch_id.
        image: Index (N,) of each patch's image.
        counts: Number (I,) of patches of each image.
        side: Side of every patch in pixels.
        keeps: Whether all patches fit in memory and are kept once they are read.

    Raises:
        InputError: An image has no patch or is not in the images table, or patches differ in size and `size` is None.
    """

    def __init__(
        self,
        images: pa.Table,
        patches: pa.Table,
        image_ids: Sequence[str],
        *,
        size: int | None = None,
        workers: int = 2,
        memory_gb: float = 2.0,
    ) -> None:
        image = pd.Index(image_ids).get_indexer(patches["image_id"].to_pandas())
        rows = np.lexsort((patches["patch_id"].to_numpy(), image))[np.count_nonzero(image < 0) :]
        self.patches, self.image = patches.take(rows), image[rows]
        self.counts = np.bincount(self.image, minlength=len(image_ids))
        self._starts = np.cumsum(self.counts) - self.counts
        known = set(images["image_id"].to_pylist())
        for name, count in zip(image_ids, self.counts, strict=True):
            if name not in known or not count:
                table = "images" if count else "patches"
                raise InputError(f"{table}: image {name!r} of the splits is missing; run its stage again.")
        sides = self.patches["size"].unique().to_pylist()
        if size is None and len(sides) > 1:
            raise InputError(f"patches: their sides are {min(sides)} to {max(sides)} pixels; give the student a size.")
        self.side = size or sides[0]
        self._images, self._size, self._workers = images, size, workers
        self.keeps = len(self.image) * 3 * self.side**2 <= memory_gb * 2**30
        self._kept: dict[int, Tensor] = {}

    def fetch(self, rows: np.ndarray) -> Tensor:
        """Patches (n, 3, side, side), uint8, of distinct rows (n,) in any order."""
        pixels = torch.empty((len(rows), 3, self.side, self.side), dtype=torch.uint8)
        by_row = np.argsort(rows)
        groups = np.split(by_row, np.flatnonzero(np.diff(self.image[rows[by_row]])) + 1)
        unread = []
        for indices in groups:
            image = int(self.image[rows[indices[0]]])
            if image in self._kept:
                pixels[indices] = self._kept[image][rows[indices] - self._starts[image]]
            else:
                unread.append((image, indices))
        for (image, indices), piece in zip(unread, self._read(unread, rows), strict=True):
            if self.keeps:
                self._kept[image] = piece
                piece = piece[rows[indices] - self._starts[image]]
            pixels[indices] = piece
        return pixels

    def _read(self, unread: Sequence[tuple[int, np.ndarray]], rows: np.ndarray) -> Iterator[Tensor]:
        """The requested patches of one image after another; all patches of an image where they are kept."""
        if not unread:
            return
        requested = [
            self._starts[image] + np.arange(self.counts[image]) if self.keeps else rows[indices]
            for image, indices in unread
        ]
        table = self.patches.take(np.concatenate(requested))
        for patches in read_patches(self._images, table, size=self._size, workers=self._workers):
            yield resized_bytes(patches, self.side)


def cut_batches(pools: Iterable[tuple[Tensor, ...]], sizes: Iterable[int]) -> Iterator[tuple[Tensor, ...]]:
    """Cut a stream of pools, each a tuple of tensors (n, ...) of equal n, into batches of the given sizes.

    A batch that lies within one pool is a view of it.
    """
    pools = iter(pools)
    pool: tuple[Tensor, ...] = ()
    start = length = 0
    for size in sizes:
        parts = []
        while size:
            if start == length:
                pool = next(pools)
                start, length = 0, len(pool[0])
            parts.append(tuple(tensor[start : start + size] for tensor in pool))
            start += len(parts[-1][0])
            size -= len(parts[-1][0])
        yield parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))
