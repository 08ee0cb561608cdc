"""Patches as bytes, for networks that see them again and again."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional

from iqadistill.errors import InputError
from iqadistill.patches.reading import read_patches


class PatchStore:
    """The patches of some images; each image is decoded once a call, or once for all where everything fits into memory.

    Args:
        images: Table "images".
        patches: Table "patches"; rows of other images are left out.
        image_ids: The images, in the order in which they are addressed.
        size: Side to which patches are resized; None as they are.
        workers: Images decoded and cut at the same time, each by a thread.
        memory_gb: Where all patches fit into so many GiB they are kept once read.

    Attributes:
        patches: Table "patches": those of the first image first, of an image by patch_id.
        image: (N,), the number of each patch's image.
        counts: (I,), patches of each image.
        side: Of every patch, in pixels.

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
                raise InputError(f"{table}: image {name!r} of the splits is missing; run that stage again.")
        sides = self.patches["size"].unique().to_pylist()
        if size is None and len(sides) > 1:
            raise InputError(f"patches: their sides are {min(sides)} to {max(sides)} pixels; give the student a size.")
        self.side = size or sides[0]
        self._images, self._size, self._workers = images, size, workers
        self._keeps = len(self.image) * 3 * self.side**2 <= memory_gb * 2**30
        self._kept: dict[int, Tensor] = {}

    def fetch(self, rows: np.ndarray) -> Tensor:
        """Patches (n, 3, side, side), uint8, of distinct rows (n,) in any order."""
        pixels = torch.empty((len(rows), 3, self.side, self.side), dtype=torch.uint8)
        sorted_places = np.argsort(rows)
        groups = np.split(sorted_places, np.flatnonzero(np.diff(self.image[rows[sorted_places]])) + 1)
        unread = []
        for places in groups:
            image = int(self.image[rows[places[0]]])
            if image in self._kept:
                pixels[places] = self._kept[image][rows[places] - self._starts[image]]
            else:
                unread.append((image, places))
        for (image, places), piece in zip(unread, self._read(unread, rows), strict=True):
            if self._keeps:
                self._kept[image] = piece
                piece = piece[rows[places] - self._starts[image]]
            pixels[places] = piece
        return pixels

    def _read(self, unread: Sequence[tuple[int, np.ndarray]], rows: np.ndarray) -> Iterator[Tensor]:
        """The wanted patches of one image after another; all its patches where they are kept."""
        if not unread:
            return
        wanted = [
            self._starts[image] + np.arange(self.counts[image]) if self._keeps else rows[places]
            for image, places in unread
        ]
        table = self.patches.take(np.concatenate(wanted))
        for patches in read_patches(self._images, table, size=self._size, workers=self._workers):
            if patches.shape[-1] != self.side:
                patches = functional.interpolate(patches, (self.side, self.side), mode="bilinear", antialias=True)
            yield patches.mul_(255).round_().to(torch.uint8)


def cut_batches(pools: Iterable[tuple[Tensor, ...]], sizes: Iterable[int]) -> Iterator[tuple[Tensor, ...]]:
    """Cut a stream of pools, tensors (n, ...) that go together, into batches of the given sizes.

    A batch that lies within one pool is a view of it.
    """
    pools = iter(pools)
    pool: tuple[Tensor, ...] = ()
    at = length = 0
    for size in sizes:
        parts = []
        while size:
            if at == length:
                pool = next(pools)
                at, length = 0, len(pool[0])
            parts.append(tuple(tensor[at : at + size] for tensor in pool))
            at += len(parts[-1][0])
            size -= len(parts[-1][0])
        yield parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))
