"""What frozen networks said about a patch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_GROUP_ON_CPU, _GROUP = 4, 16  # the least that costs about as little a patch as larger ones do


class Recollection:
    """Outputs of frozen networks by the pixels they came from: the same patch, pixel by pixel, is not computed again.

    Nothing needs to be known of crops or augmentation: a patch cut or flipped in another way is another patch. Patches are computed in
    groups of one size, the last one filled up: in batches of changing size the rounding would change too, and with it what a patch
    gives with and without a past.

    Args:
        compute: Patches (B, 3, H, W) to tensors (B, ...).
        memory_gb: Bound on the memory of what is kept, in GiB; patches beyond it are computed each time.
    """

    def __init__(self, compute: Callable[[Tensor], Sequence[Tensor]], memory_gb: float):
        self._compute, self._left = compute, memory_gb * 2**30
        self._known: dict[int, list[Tensor]] = {}
        self._factors = torch.empty(0, dtype=torch.int64)

    def __call__(self, patches: Tensor) -> list[Tensor]:
        """Outputs (B, ...) of patches (B, 3, H, W)."""
        keys = self._keys(patches)
        places = [place for place, key in enumerate(keys) if key not in self._known]
        fresh = {}
        size = _GROUP_ON_CPU if patches.device.type == "cpu" else _GROUP
        for start in range(0, len(places), size):
            group = places[start : start + size]
            filled = group + group[-1:] * (size - len(group))
            rows = zip(*self._compute(patches[filled]), strict=True)
            fresh |= {keys[place]: [tensor.clone() for tensor in row] for place, row in zip(group, rows, strict=False)}
        found = [self._known.get(key) or fresh[key] for key in keys]
        taken = sum(tensor.nbytes for row in fresh.values() for tensor in row)
        if taken <= self._left:
            self._known |= fresh
            self._left -= taken
        return [torch.stack(column) for column in zip(*found, strict=True)]

    def _keys(self, patches: Tensor) -> list[int]:
        """64 bits of each patch: its numbers' bits, each times a random factor, summed modulo 2^64."""
        bits = patches.contiguous().view(torch.int32).flatten(1)
        if self._factors.shape != bits.shape[1:] or self._factors.device != bits.device:
            generator = torch.Generator().manual_seed(0)
            limits = torch.iinfo(torch.int64)
            factors = torch.randint(limits.min, limits.max, bits.shape[1:], generator=generator)
            self._factors = factors.to(bits.device)
        return (bits * self._factors).sum(1).tolist()
