"""Embeddings of a user's images: the weighted mean over a few crops of each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from iqadistill.console import progress
from iqadistill.encoders.encoder import Encoder
from iqadistill.errors import InputError
from iqadistill.images.listing import readable
from iqadistill.parallel import map_ahead, one_thread_per_operation
from iqadistill.patches.reading import read_patches
from iqadistill.sampling.settings import SamplerSettings
from iqadistill.scoring.images import FAULTS, fault, place_patches
from iqadistill.scoring.kept_embeddings import KeptEmbeddings


def embed_images(
    paths: Sequence[Path],
    encoder: Encoder,
    sampler: SamplerSettings,
    *,
    seed: int = 0,
    workers: int = 2,
    kept: KeptEmbeddings | None = None,
) -> tuple[np.ndarray, dict[int, InputError]]:
    """Embed images.

    Images of the same size are embedded at the same places, whatever their names.

    Args:
        paths: Files of the images.
        encoder: Encoder.
        sampler: Places of the patches whose mean embedding, by their weights, stands for an image.
        seed: Seed of the sampler.
        workers: Number of images that are read ahead.
        kept: Embeddings of an earlier run, which are used, and to which those of other images are added as they come.

    Returns:
        Embeddings (n, d), float32, of the images that can be embedded, in order, and by the position of each other
        image the error that names it.
    """

    def read(path: Path) -> tuple[Path, np.ndarray, Tensor] | InputError:
        try:
            images, patches = place_patches(path, sampler, seed)
            weights = patches["weight"].to_numpy().astype(np.float32)
            return path, weights / weights.sum(), next(read_patches(images, patches, size=encoder.size, workers=1))
        except InputError as error:
            return error
        except FAULTS as error:
            return fault(path, error)

    def embed(image: tuple[Path, np.ndarray, Tensor] | InputError) -> np.ndarray | InputError:
        if isinstance(image, InputError):
            return image
        path, weights, pixels = image
        try:
            vector = weights @ encoder.embed(pixels).cpu().numpy()
        except FAULTS as error:
            return fault(path, error)
        if not np.isfinite(vector).all():
            return InputError(f"{readable(path)}: its embedding holds NaN or infinite numbers; use other weights.")
        return vector

    vectors: dict[int, np.ndarray] = {}
    for place, path in enumerate(paths if kept else ()):
        if kept and (known := kept.find(path)) is not None:
            vectors[place] = known
    missing = [place for place in range(len(paths)) if place not in vectors]
    failures: dict[int, InputError] = {}
    try:
        with one_thread_per_operation() as threads:
            pixels = map_ahead(read, [paths[place] for place in missing], workers)
            embedded = map_ahead(embed, pixels, threads if encoder.device.type == "cpu" else 1)
            for place, vector in zip(missing, progress(embedded, "embed (images)", total=len(missing)), strict=True):
                if isinstance(vector, InputError):
                    failures[place] = vector
                    continue
                vectors[place] = vector
                if kept:
                    kept.add(paths[place], vector)
    finally:
        if kept:
            kept.write()
    embeddings = [vectors[place] for place in range(len(paths)) if place not in failures]
    return np.stack(embeddings) if embeddings else np.empty((0, encoder.width), np.float32), failures
