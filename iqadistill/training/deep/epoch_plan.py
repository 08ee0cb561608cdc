"""Deterministic plan of an epoch: order, flips and windows of patches, a function of seed, split and epoch only."""

from dataclasses import dataclass

import numpy as np

from iqadistill.models.settings import TrainingSettings

FLIPS = ("horizontal", "vertical")
_PATCHES, _IMAGES, _ORDER, _FLIPS, _NOISE = range(5)  # one stream of random numbers for each


@dataclass(frozen=True)
class EpochPlan:
    """Plan of one epoch.

    Attributes:
        rows: Patches (n,) in the order of training, as rows of the table of all kept ones.
        flips: Whether each patch is flipped horizontally and vertically, (n, 2).
        windows: Boundaries (w + 1,) of windows in `rows`; all patches of an image lie in one window.
    """

    rows: np.ndarray
    flips: np.ndarray
    windows: np.ndarray


def patches_of_epoch(counts: np.ndarray, settings: TrainingSettings) -> int:
    """Number of patches in an epoch, of images with `counts` (I,) patches each."""
    return int(np.minimum(counts, settings.patches_per_epoch or counts).sum())


@dataclass(frozen=True)
class EpochPlanner:
    """Plans epochs: divides the kept patches of the training images into windows and batches.

    Images are divided into windows: one where memory holds all training images or all their patches, else as many as it
    takes. A window proceeds in rounds: every image contributes one patch, in an order that is drawn for each round,
    before any contributes the next. A batch no larger than the number of images in a window thus rarely holds two
    patches of an image.

    Attributes:
        counts: Number of kept patches of each training image, (I,); their rows follow one another.
        settings: Patches per epoch, batch size, window and flips.
        seed: Seed of all random draws.
        split: Number of the split, which all random draws depend on as well.
        windows: Number of windows; fewer where there are fewer images.
    """

    counts: np.ndarray
    settings: TrainingSettings
    seed: int
    split: int
    windows: int = 1

    @property
    def patches(self) -> int:
        """Number of patches in an epoch."""
        return patches_of_epoch(self.counts, self.settings)

    @property
    def bounds(self) -> np.ndarray:
        """Boundaries (steps + 1,) of the batches of an epoch, whose sizes differ by one at most."""
        batches = -(-self.patches // self.settings.batch_size)
        return self.patches * np.arange(batches + 1) // batches

    def plan(self, epoch: int) -> EpochPlan:
        """The plan of an epoch."""
        images, total = len(self.counts), int(self.counts.sum())
        image = np.repeat(np.arange(images), self.counts)
        drawn = np.lexsort((self._stream(_PATCHES, epoch).random(total), image))
        turn = np.arange(total) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        if self.settings.patches_per_epoch:
            taken = turn < self.settings.patches_per_epoch
            drawn, turn, image = drawn[taken], turn[taken], image[taken]
        windows = min(self.windows, images)
        window = (self._stream(_IMAGES, epoch).permutation(images) * windows // images)[image]
        order = np.lexsort((self._stream(_ORDER, epoch).random(len(drawn)), turn, window))
        rows = drawn[order]
        flips = self._stream(_FLIPS, epoch).random((total, 2)) < 0.5
        return EpochPlan(
            rows=rows,
            flips=flips[rows] & [name in self.settings.flips for name in FLIPS],
            windows=np.concatenate([[0], np.cumsum(np.bincount(window, minlength=windows))]),
        )

    def noise_seed(self, step: int) -> int:
        """Seed of the draws of the network in a step, such as dropout: no generator state outlives the step."""
        return int(self._stream(_NOISE, step).integers(2**63))

    def _stream(self, *keys: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.split, *keys])
