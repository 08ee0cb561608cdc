"""Reading the patches of an epoch: out of memory as far as it reaches, at the table's places or at new ones."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from torch import Tensor

from iqadistill.errors import InputError
from iqadistill.models.settings import TrainingSettings
from iqadistill.patches.held_images import HeldImages, are_flat_crops
from iqadistill.patches.store import PatchStore
from iqadistill.sampling.crops import random_places
from iqadistill.sampling.patch_table import image_stream
from iqadistill.training.deep.epoch_plan import EpochPlan, patches_of_epoch

_HELD = 0.9  # share of the memory that the images of an average window fill: windows differ
_PIECE = 256  # patches read at a time where their images, or they themselves, are in memory
_FRESH = 1  # key of the random streams that place fresh crops


@dataclass(frozen=True)
class EpochReader:
    """Reads the training patches of epochs from what holds them.

    Attributes:
        store: Patches at the places of the patch table, those of training images first.
        held: Training images that crops are cut from; None where the patches themselves are read.
        fresh: The training images, whose crops are placed anew in each epoch; empty for the places of the table.
        seed: Seed of the new places.
        windows: Number of windows of images, one after another, that an epoch needs so that each fits in memory.
        whole_windows: Whether a window is read at once, each of its images decoded once; else in small pieces.
    """

    store: PatchStore
    held: HeldImages | None
    fresh: tuple[str, ...]
    seed: int
    windows: int
    whole_windows: bool

    def pieces(self, plan: EpochPlan) -> Iterator[tuple[int, int]]:
        """Boundaries, in the plan's rows, of the patches that are read at a time."""
        for start, end in pairwise(plan.windows.tolist()):
            step = end - start if self.whole_windows else _PIECE
            for first in range(start, end, max(1, step)):
                yield first, min(first + step, end)

    def corners(self, epoch: int) -> np.ndarray | None:
        """Upper left pixels (N, 2) of all training crops in an epoch; None where the patches themselves are read.

        Fresh crops of an image lie at as many different places as it has crops in the patch table, uniform over the
        image: a function of seed, image and epoch only.
        """
        if self.held is None or not self.fresh:
            return None if self.held is None else self.held.corners
        placed = [
            random_places(image_stream(self.seed, name, _FRESH, epoch), columns, rows, count)
            for name, (columns, rows), count in zip(
                self.fresh, self.held.places.tolist(), self.store.counts[: len(self.fresh)].tolist(), strict=True
            )
        ]
        return np.concatenate([np.stack(corners, 1) for corners in placed])

    def fetch(self, rows: np.ndarray, corners: np.ndarray | None) -> Tensor:
        """Patches (n, 3, side, side), uint8, of distinct rows (n,) in any order.

        Args:
            rows: Rows of the store.
            corners: What `corners` gives for the epoch.
        """
        return self.store.fetch(rows) if self.held is None or corners is None else self.held.fetch(rows, corners)


def epoch_reader(
    store: PatchStore,
    images: pa.Table,
    image_ids: list[str],
    settings: TrainingSettings,
    *,
    seed: int,
    size: int | None,
    workers: int,
    memory_gb: float,
) -> EpochReader:
    """The reader that mixes batches from as many images as possible without decoding an image twice in an epoch.

    Patches at fixed places that all fit in memory are kept, and batches mixed from all images. Otherwise decoded images
    of flat crops are held: all of them, or as many at a time as fit in memory, a window. Where more images fit with
    their patches of an epoch than decoded, or where patches are no flat crops, the patches of a window are read
    together, the next window's while it is trained on; it has `settings.mix_patches` patches at least. What remains of
    an order that is random over all patches: where there are several windows, a batch comes from one of them, whose
    images are drawn anew for each epoch, and an image gives its patches in rounds.

    Args:
        store: Patches, those of training images first.
        images: Table "images".
        image_ids: The training images, in the order of the store.
        settings: Settings of the training.
        seed: Seed of fresh crops.
        size: Side in pixels to which patches are resized; None to leave them as they are.
        workers: Number of images that are decoded at the same time.
        memory_gb: Memory in GiB.

    Raises:
        InputError: Fresh crops are asked for of patches that are no crops of flat images.
    """
    trained = int(store.counts[: len(image_ids)].sum())
    patches, fresh = store.patches.slice(0, trained), settings.crops == "fresh"
    flat = are_flat_crops(patches)
    if fresh and not flat:
        raise InputError("crops: fresh needs crops of flat images; use fixed for viewports and panoramas.")
    if store.keeps and not fresh:
        return EpochReader(store, None, (), seed, windows=1, whole_windows=False)
    memory = memory_gb * 2**30
    planned = patches_of_epoch(store.counts[: len(image_ids)], settings)
    if not flat:
        windows, _ = windows_of_epoch(planned, 3 * store.side**2, math.inf, settings.mix_patches, memory)
        return EpochReader(store, None, (), seed, windows, whole_windows=True)
    held = HeldImages(
        images, patches, store.image[:trained], image_ids, side=store.side, size=size, workers=workers, memory=memory
    )
    held_bytes = float(held.nbytes.sum())
    windows, whole = windows_of_epoch(planned, 3 * store.side**2, held_bytes, settings.mix_patches, memory)
    if whole:
        held.memory = 0  # its windows are read at once, so no image need stay
    return EpochReader(store, held, tuple(image_ids) if fresh else (), seed, windows, whole_windows=whole)


def windows_of_epoch(
    planned: float, patch_bytes: float, image_bytes: float, mix_patches: int, memory: float
) -> tuple[int, bool]:
    """Windows of an epoch whose patches are not all kept, and whether each is read at once instead of held as images.

    Args:
        planned: Number of patches in an epoch.
        patch_bytes: Bytes of a patch.
        image_bytes: Bytes of all training images as they are held; infinite for images that cannot be.
        mix_patches: Patches that a window has at least.
        memory: Bytes of memory.
    """
    in_patches = min(_windows(2 * planned * patch_bytes, memory), max(1, planned // mix_patches))
    in_images = _windows(image_bytes, _HELD * memory)
    return int(min(in_images, in_patches)), in_images > in_patches


def _windows(needed: float, memory: float) -> float:
    """Number of windows whose share of `needed` bytes fits in memory."""
    return math.ceil(needed / memory) if memory and math.isfinite(needed) else math.inf
