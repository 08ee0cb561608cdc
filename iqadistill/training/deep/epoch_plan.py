"""Which patch is trained on when: a function of the seed and the epoch alone."""

from dataclasses import dataclass

import numpy as np

from iqadistill.training.deep.settings import FLIPS, NetworkRecipe

_PATCHES, _IMAGES, _ORDER, _FLIPS, _NOISE = range(5)  # one stream of random numbers for each


@dataclass(frozen=True)
class Deal:
    """One epoch.

    Attributes:
        rows: (n,) patches in the order of training, as rows of the table of all kept ones.
        flips: (n, 2), whether each is flipped horizontally and vertically.
        windows: Boundaries (w + 1,) in `rows`; all patches of an image lie in one window.
    """

    rows: np.ndarray
    flips: np.ndarray
    windows: np.ndarray


@dataclass(frozen=True)
class Dealer:
    """Deals the kept patches of the training images into epochs and batches.

    Images are dealt into windows of about `recipe.mix_patches` patches. A window goes in rounds: every image gives one patch, in
    an order drawn anew, then the next one. A batch no larger than the images of a window thus holds hardly an image twice, and of an
    image that is decoded once nothing but one window's patches need be held.

    Attributes:
        counts: (I,) kept patches of each training image; their rows follow one another.
        recipe: Patches an epoch, batch size, window and flips.
        seed: Of every draw.
        split: Of every draw, too.
    """

    counts: np.ndarray
    recipe: NetworkRecipe
    seed: int
    split: int

    @property
    def patches(self) -> int:
        """Patches of an epoch."""
        return int(np.minimum(self.counts, self.recipe.patches_per_epoch or self.counts).sum())

    @property
    def bounds(self) -> np.ndarray:
        """Boundaries (steps + 1,) of the batches of an epoch: sizes differ by one at most."""
        batches = -(-self.patches // self.recipe.batch_size)
        return self.patches * np.arange(batches + 1) // batches

    def deal(self, epoch: int) -> Deal:
        """The patches of an epoch, in order."""
        images, total = len(self.counts), int(self.counts.sum())
        image = np.repeat(np.arange(images), self.counts)
        drawn = np.lexsort((self._stream(_PATCHES, epoch).random(total), image))
        turn = np.arange(total) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        if self.recipe.patches_per_epoch:
            taken = turn < self.recipe.patches_per_epoch
            drawn, turn, image = drawn[taken], turn[taken], image[taken]
        windows = int(np.clip(len(drawn) // self.recipe.mix_patches, 1, images))
        window = (self._stream(_IMAGES, epoch).permutation(images) * windows // images)[image]
        order = np.lexsort((self._stream(_ORDER, epoch).random(len(drawn)), turn, window))
        rows = drawn[order]
        flips = self._stream(_FLIPS, epoch).random((total, 2)) < 0.5
        return Deal(
            rows=rows,
            flips=flips[rows] & [name in self.recipe.flips for name in FLIPS],
            windows=np.concatenate([[0], np.cumsum(np.bincount(window, minlength=windows))]),
        )

    def noise_seed(self, step: int) -> int:
        """Seed of what the network itself draws in a step, dropout for one: no state of a generator outlives the step."""
        return int(self._stream(_NOISE, step).integers(2**63))

    def _stream(self, *keys: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.split, *keys])
