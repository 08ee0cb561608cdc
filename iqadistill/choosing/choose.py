"""The choice of images to have rated."""

from collections.abc import Sequence

import numpy as np

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.embedding_blocks import EmbeddingBlocks, HeldEmbeddings
from iqadistill.errors import InputError


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
            finite or beyond 1e140.
    """
    rated = np.unique(np.asarray(rated, dtype=np.int64))
    unrated = embeddings.shape[0] - len(rated)
    if not 1 <= count <= unrated:
        raise InputError(f"count: {count}, expected 1 to {unrated}, the number of images that are not rated.")
    chooser = CHOOSERS.create({"method": method})
    blocks = HeldEmbeddings(embeddings) if isinstance(embeddings, np.ndarray) else embeddings
    return chooser.choose_from(blocks, contents, count, rated, seed)
