"""The batches of a training, decoded and copied to the GPU while the network computes."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from iqadistill.parallel import map_ahead
from iqadistill.patches.store import cut_batches
from iqadistill.training.deep.epoch_plan import EpochPlanner
from iqadistill.training.deep.epoch_reader import EpochReader


def training_batches(reader: EpochReader, planner: EpochPlanner, first_step: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """All batches from a step to the end of the last epoch.

    While one piece of an epoch is trained on, threads read the next one, also across epochs. They draw no random
    numbers, so that the batches depend neither on the number of threads nor on the step at which a training is
    resumed.

    Args:
        reader: Reader of the patches that the planner counts.
        planner: Planner of the epochs.
        first_step: Number of steps to skip, counted from the first epoch.

    Yields:
        Patches (b, 3, side, side), uint8; their rows in the reader's store (b,); flips (b, 2), bool.
    """
    bounds, epochs = planner.bounds, planner.settings.epochs
    first_epoch, skipped = divmod(first_step, len(bounds) - 1)

    def pieces() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        for epoch in range(first_epoch, epochs):
            plan, corners = planner.plan(epoch), reader.corners(epoch)
            begin = bounds[skipped] if epoch == first_epoch else 0
            for start, end in reader.pieces(plan):
                if end > begin:
                    rest = slice(max(start, begin), end)
                    yield plan.rows[rest], plan.flips[rest], corners

    def read(piece: tuple[np.ndarray, np.ndarray, np.ndarray | None]) -> tuple[Tensor, Tensor, Tensor]:
        rows, flips, corners = piece
        return reader.fetch(rows, corners), torch.from_numpy(rows), torch.from_numpy(flips)

    sizes = np.tile(np.diff(bounds), epochs)[first_step:].tolist()
    return cut_batches(map_ahead(read, pieces(), workers=1), sizes)


def uploaded(batches: Iterable[tuple[Tensor, ...]], device: torch.device) -> Iterator[tuple[Tensor, ...]]:
    """Batches on a GPU, each copied from pinned memory while the network computes with the one before it.

    Args:
        batches: Batches on the CPU.
        device: The GPU.

    Yields:
        The same batches, on the GPU but for their rows, which are needed to look up qualities on the CPU.
    """
    stream = torch.cuda.Stream(device)

    def upload(batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, torch.cuda.Event]:
        patches, rows, flips = batch
        with torch.cuda.stream(stream):
            patches, flips = (tensor.pin_memory().to(device, non_blocking=True) for tensor in (patches, flips))
            return patches, rows, flips, stream.record_event()

    for patches, rows, flips, copied in map_ahead(upload, batches, workers=1):
        computing = torch.cuda.current_stream(device)
        computing.wait_event(copied)
        for tensor in (patches, flips):
            tensor.record_stream(computing)  # their memory is not used again before the network has read them
        yield patches, rows, flips
