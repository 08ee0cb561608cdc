"""Cache of the outputs of frozen teachers, keyed by pixel content."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_CPU_GROUP, _GPU_GROUP = 4, 16  # the smallest sizes at which a patch costs about as little as in larger groups


class TeacherOutputCache:
    """Outputs of frozen networks by the pixels of a patch: the same patch, pixel by pixel, is not computed again.

    Nothing needs to be known about crops or augmentation: a patch cropped or flipped differently is another patch.
    Patches are computed in groups of one size, the last one padded: in batches of changing size the rounding would
    change too, and a patch would give other outputs with the cache than without.

    Args:
        compute: Function from patches (B, 3, H, W) to tensors (B, ...).
        memory_gb: Bound on the memory of cached outputs in GiB; patches beyond it are computed each time.
    """

    def __init__(self, compute: Callable[[Tensor], Sequence[Tensor]], memory_gb: float):
        self._compute, self._bytes_left = compute, memory_gb * 2**30
        self._cached: dict[int, list[Tensor]] = {}
        self._factors = torch.empty(0, dtype=torch.int64)

    def __call__(self, patches: Tensor) -> list[Tensor]:
        """Outputs (B, ...) of patches (B, 3, H, W)."""
        keys = self._keys(patches)
        missing = [index for index, key in enumerate(keys) if key not in self._cached]
        computed: dict[int, list[Tensor]] = {}
        size = _CPU_GROUP if patches.device.type == "cpu" else _GPU_GROUP
        for start in range(0, len(missing), size):
            group = missing[start : start + size]
            padded = group + group[-1:] * (size - len(group))
            rows = zip(*self._compute(patches[padded]), strict=True)
            computed |= {
                keys[index]: [tensor.clone() for tensor in row] for index, row in zip(group, rows, strict=False)
            }
        outputs = [self._cached.get(key) or computed[key] for key in keys]
        needed = sum(tensor.nbytes for row in computed.values() for tensor in row)
        if needed <= self._bytes_left:
            self._cached |= computed
            self._bytes_left -= needed
        return [torch.stack(column) for column in zip(*outputs, strict=True)]

    def _keys(self, patches: Tensor) -> list[int]:
        """Hashes of 64 bits: the bits of each number of a patch times a random factor, summed modulo 2^64."""
        bits = patches.contiguous().view(torch.int32).flatten(1)
        if self._factors.shape != bits.shape[1:] or self._factors.device != bits.device:
            generator = torch.Generator().manual_seed(0)
            limits = torch.iinfo(torch.int64)
            factors = torch.randint(limits.min, limits.max, bits.shape[1:], generator=generator)
            self._factors = factors.to(bits.device)
        return (bits * self._factors).sum(1).tolist()
