"""Cache of the outputs of frozen teachers, keyed by pixel content."""

import os
import sys
import tempfile
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
        memory_gb: Bound on the memory of cached outputs, that of the device of the patches, in GiB.
        disk_gb: Bound on the temporary file, in GiB, that holds the outputs beyond it; patches beyond that are computed
            each time.
    """

    def __init__(self, compute: Callable[[Tensor], Sequence[Tensor]], memory_gb: float, disk_gb: float = 0.0):
        self._compute, self._bytes_left = compute, memory_gb * 2**30
        self._cached: dict[int, list[Tensor]] = {}
        self._filed = _OutputFile(disk_gb * 2**30)
        self._factors = torch.empty(0, dtype=torch.int64)

    def __call__(self, patches: Tensor) -> list[Tensor]:
        """Outputs (B, ...) of patches (B, 3, H, W)."""
        keys = self._keys(patches)
        missing = [index for index, key in enumerate(keys) if key not in self._cached and key not in self._filed]
        computed: dict[int, list[Tensor]] = {}
        size = _CPU_GROUP if patches.device.type == "cpu" else _GPU_GROUP
        for start in range(0, len(missing), size):
            group = missing[start : start + size]
            padded = group + group[-1:] * (size - len(group))
            rows = zip(*self._compute(patches[padded]), strict=True)
            computed |= {
                keys[index]: [tensor.clone() for tensor in row] for index, row in zip(group, rows, strict=False)
            }
        outputs = [self._cached.get(key) or computed.get(key) or self._filed.read(key, patches.device) for key in keys]
        for key, row in computed.items():
            needed = sum(tensor.nbytes for tensor in row)
            if needed <= self._bytes_left:
                self._cached[key] = row
                self._bytes_left -= needed
            else:
                self._filed.add(key, row)
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


class _OutputFile:
    """Outputs of patches in a temporary file without a name, which vanishes with the process.

    The outputs of all patches have the same shapes and types.

    Args:
        limit: Bound on the file in bytes.
    """

    def __init__(self, limit: float):
        self._left, self._places = limit, dict[int, int]()
        self._kinds: list[tuple[torch.Size, torch.dtype, int]] = []

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def add(self, key: int, outputs: Sequence[Tensor]) -> None:
        """Write the outputs of a patch, unless the file or the disk is full."""
        length = sum(tensor.nbytes for tensor in outputs)
        if length > self._left:
            return
        if not self._places:
            self._kinds = [(tensor.shape, tensor.dtype, tensor.nbytes) for tensor in outputs]
        content = b"".join(tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes() for tensor in outputs)
        place = len(self._places) * length
        try:
            if not self._places:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, open as long as the training
            if os.pwrite(self._file.fileno(), content, place) < length:
                raise OSError("the disk is full")
        except OSError as error:
            print(f"train: no more outputs of teachers are kept on disk ({error})", file=sys.stderr, flush=True)
            self._left = 0
            return
        self._places[key] = place
        self._left -= length

    def read(self, key: int, device: torch.device) -> list[Tensor]:
        """The outputs of a patch that was added."""
        content = bytearray(os.pread(self._file.fileno(), sum(size for *_, size in self._kinds), self._places[key]))
        tensors, start = [], 0
        for shape, dtype, size in self._kinds:
            tensor = torch.frombuffer(content, dtype=torch.uint8, count=size, offset=start)
            tensors.append(tensor.view(dtype).reshape(shape).to(device))
            start += size
        return tensors
