"""The choice of images to have rated."""

from collections.abc import Sequence

import numpy as np

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.doctor.limits import usable_memory
from iqadistill.embedding_blocks import EmbeddingBlocks, HeldEmbeddings
from iqadistill.errors import InputError

LONGEST = 24 * 3600  # seconds that a choice may take


def choose_images(
    embeddings: np.ndarray | EmbeddingBlocks,
    count: int,
    *,
    method: str = "facility",
    rated: Sequence[int] | np.ndarray = (),
    contents: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Choose the images of a collection to have rated.

    Args:
        embeddings: Embedding (n, d) of each image, in memory or in blocks.
        count: Number of images to choose.
        method: Name of a chooser: facility, v_optimal, lcmd, residual or random.
        rated: Indices of images that are rated already: never chosen, and covered from the start.
        contents: Number (n,) of each image's content, negative where it is unknown; see `image_features`.
        seed: Seed of what is drawn: a random choice, and the landmarks of more than 5,000 images.

    Returns:
        Indices (count,), the image to have rated first at index 0; a smaller count gives the first of them.

    Raises:
        InputError: The method is unknown, fewer images are unrated than are to be chosen, or an embedding is not
            finite.
    """
    rated = np.unique(np.asarray(rated, dtype=np.int64))
    unrated = embeddings.shape[0] - len(rated)
    if not 1 <= count <= unrated:
        raise InputError(f"count: {count}, expected 1 to {unrated}, the number of images that are not rated.")
    chooser = CHOOSERS.create({"method": method})
    blocks = HeldEmbeddings(embeddings) if isinstance(embeddings, np.ndarray) else embeddings
    return chooser.choose_from(blocks, contents, count, rated, seed)


def check_resources(method: str, n: int, count: int) -> None:
    """Refuse a choice that would take more memory than there is, or more than a day.

    Args:
        method: Name of a chooser.
        n: Number of images.
        count: Number of images to choose.

    Raises:
        InputError: It would; the message says how much, and what to do.
    """
    chooser = CHOOSERS[method]
    needed, usable = n * chooser.image_bytes, usable_memory()
    if needed > usable:
        smallest = n * CHOOSERS["lcmd"].image_bytes
        instead = f", or by lcmd, which takes {smallest / 1e9:.1f} GB" if smallest <= usable else ""
        raise InputError(
            f"--method {method}: {n:,} images take about {needed / 1e9:.1f} GB beside their embeddings, and "
            f"{usable / 1e9:.1f} GB may be used; choose among fewer images{instead}."
        )
    seconds = n * count * chooser.pick_seconds
    if seconds > LONGEST:
        raise InputError(
            f"--count {count}: {method} passes over all {n:,} images for each one that it chooses, about "
            f"{seconds / 3600:.0f} hours in all; ask for at most {int(LONGEST / n / chooser.pick_seconds):,}, or "
            "choose among fewer images."
        )
