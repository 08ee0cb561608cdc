"""Embedding of a patch table into an embeddings table."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from iqadistill.console import progress
from iqadistill.encoders.encoder import Encoder
from iqadistill.errors import InputError
from iqadistill.parallel import map_ahead, one_thread_per_operation
from iqadistill.patches.reading import read_patches
from iqadistill.tables import embeddings_table

_CPU_BATCH = 16  # the feature maps of so few patches still fit into the CPU's caches
_GPU_BATCH = 256


def embed_patches(
    images: pa.Table,
    patches: pa.Table,
    encoder: Encoder,
    *,
    batch_size: int | None = None,
    workers: int = 2,
    dtype: str = "float32",
) -> pa.Table:
    """Embed every patch of a patch table.

    Images are decoded and cropped by threads while the network runs, and batches span images, so that images with few
    patches use it as well as those with many. On CPU as many batches run in parallel as PyTorch has threads.

    Args:
        images: Table "images".
        patches: Table "patches", the patches of an image next to each other.
        encoder: Encoder.
        batch_size: Patches per forward pass; None for 16 on CPU and 256 on a GPU.
        workers: Number of images decoded and cropped ahead.
        dtype: Type of the vectors in the table, "float32" or "float16".

    Returns:
        Table "embeddings", rows in the order of the patches.

    Raises:
        InputError: Patches differ in size and the encoder has no size; an image cannot be read, or an embedding is not
            finite: the image is named.
    """
    sizes = patches["size"].unique().to_pylist()
    if len(sizes) > 1 and encoder.size is None:
        raise InputError(
            f"patches: their sides are {min(sizes)} to {max(sizes)} pixels, but the encoder takes them as they are; "
            "give the encoder a size."
        )
    names = patches["image_id"].to_pylist()
    vectors = np.empty((len(names), encoder.width), dtype=dtype)
    on_cpu = encoder.device.type == "cpu"
    with one_thread_per_operation() as threads:
        pieces = read_patches(images, patches, size=encoder.size, device=encoder.device, workers=workers)
        pieces = progress(pieces, "embed patches (images)", total=len(set(names)))
        pieces = map(encoder.resize, pieces)
        batches = _rebatch(pieces, batch_size or (_CPU_BATCH if on_cpu else _GPU_BATCH))
        done = 0
        for batch in map_ahead(lambda batch: encoder.embed(batch).cpu().numpy(), batches, threads if on_cpu else 1):
            rows = slice(done, done + len(batch))
            with np.errstate(over="ignore"):  # numbers beyond float16 are reported below, with the image's name
                vectors[rows] = batch
            finite = np.isfinite(vectors[rows]).all(axis=1)
            if not finite.all():
                raise InputError(
                    f"{names[done + int(np.argmin(finite))]}: an embedding holds NaN or infinite numbers; use "
                    "precision and dtype float32, or other weights."
                )
            done += len(batch)
    return embeddings_table(patches["patch_id"].to_numpy(), names, vectors)


def _rebatch(pieces: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """The same patches in the same order in batches of `size`, the last one smaller."""
    pending: list[Tensor] = []
    for piece in pieces:
        pending.append(piece)
        if sum(map(len, pending)) >= size:
            *full, rest = torch.cat(pending).split(size)
            if len(rest) == size:
                full, rest = [*full, rest], rest[:0]
            yield from full
            pending = [rest]
    rest = [piece for piece in pending if len(piece)]
    if rest:
        yield torch.cat(rest)
