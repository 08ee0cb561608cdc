"""The batches of a whole training, read while the network works."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from iqadistill.parallel import map_ahead
from iqadistill.patches.store import PatchStore, cut_batches
from iqadistill.training.deep.epoch_plan import Dealer


def training_batches(store: PatchStore, dealer: Dealer, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """All batches from a step to the end of the last epoch.

    While one window of images is trained on, threads decode the next, also that of the next epoch. They draw nothing, so
    that their number changes nothing; nor does where a training starts again.

    Args:
        store: The patches; those the dealer counts come first.
        dealer: Deals them.
        first_step: Steps to leave out, counted from the first epoch.

    Yields:
        Patches (b, 3, side, side), uint8; their rows in the store (b,); whether each is to be flipped (b, 2).
    """
    bounds, epochs = dealer.bounds, dealer.recipe.epochs
    first_epoch, left_out = divmod(first_step, len(bounds) - 1)

    def windows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(first_epoch, epochs):
            deal = dealer.deal(epoch)
            begin = bounds[left_out] if epoch == first_epoch else 0
            for start, end in pairwise(deal.windows):
                if end > begin:
                    chosen = slice(max(start, begin), end)
                    yield deal.rows[chosen], deal.flips[chosen]

    def read(window: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
        rows, flips = window
        return store.fetch(rows), torch.from_numpy(rows), torch.from_numpy(flips)

    sizes = np.tile(np.diff(bounds), epochs)[first_step:].tolist()
    return cut_batches(map_ahead(read, windows(), workers=1), sizes)
