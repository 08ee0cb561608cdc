"""The batches of a training, decoded while the network computes."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from iqadistill.parallel import map_ahead
from iqadistill.patches.store import PatchStore, cut_batches
from iqadistill.training.deep.epoch_plan import EpochPlanner


def training_batches(store: PatchStore, planner: EpochPlanner, first_step: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """All batches from a step to the end of the last epoch.

    While one window of images is trained on, threads decode the next one, also across epochs. They draw no random
    numbers, so that the batches depend neither on the number of threads nor on the step at which a training is
    resumed.

    Args:
        store: The patches; those that the planner counts come first.
        planner: Planner of the epochs.
        first_step: Number of steps to skip, counted from the first epoch.

    Yields:
        Patches (b, 3, side, side), uint8; their rows in the store (b,); flips (b, 2), bool.
    """
    bounds, epochs = planner.bounds, planner.settings.epochs
    first_epoch, skipped = divmod(first_step, len(bounds) - 1)

    def windows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(first_epoch, epochs):
            plan = planner.plan(epoch)
            begin = bounds[skipped] if epoch == first_epoch else 0
            for start, end in pairwise(plan.windows):
                if end > begin:
                    rest = slice(max(start, begin), end)
                    yield plan.rows[rest], plan.flips[rest]

    def read(window: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, Tensor, Tensor]:
        rows, flips = window
        return store.fetch(rows), torch.from_numpy(rows), torch.from_numpy(flips)

    sizes = np.tile(np.diff(bounds), epochs)[first_step:].tolist()
    return cut_batches(map_ahead(read, windows(), workers=1), sizes)
