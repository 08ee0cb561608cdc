"""Features of images, in whose space a choice of them covers all."""

import numpy as np

from iqadistill.embedding_blocks import EmbeddingBlocks, HeldEmbeddings, ScaledEmbeddings, largest_magnitude
from iqadistill.selection.landmarks import EXACT

COMPONENTS = 20


def image_features(embeddings: np.ndarray | EmbeddingBlocks, contents: np.ndarray | None = None) -> np.ndarray:
    """Features of images: embeddings less the mean of their content, standardised, on 20 principal components.

    The main axes of an embedding show content. Where contents are known, the differences from the content's mean show
    distortions, and a choice covers these instead of scenes. Images of unknown content, and those that are alone with
    theirs, are centred on their common mean.

    Embeddings are passed over three times in blocks, for the means, the moments around them and the projections.
    Blocks are multiplied in float64 up to 5,000 images and in float32 above; sums are float64.

    Args:
        embeddings: Embeddings (n, d) of images.
        contents: Number (n,) of each image's content, negative where it is unknown; default: unknown for all.

    Returns:
        Features (n, at most 20), float64.

    Raises:
        InputError: An embedding is not finite.
    """
    if isinstance(embeddings, np.ndarray):
        embeddings = HeldEmbeddings(embeddings)
    n, d = embeddings.shape
    dtype = np.float64 if n <= EXACT else np.float32
    group = _groups(n, contents)
    means, largest = _means(embeddings, group)
    scaled = ScaledEmbeddings(embeddings, largest, np.dtype(dtype))
    means = np.ldexp(means, -scaled.exponent)
    centres = means.astype(dtype)
    moments, start = np.zeros((d, d)), 0
    for block in scaled.blocks():
        centred = block - centres[group[start : start + len(block)]]
        moments += centred.T @ centred
        start += len(block)
    deviation = np.sqrt(moments.diagonal() / n)
    # a column that differs by rounding only carries nothing and is left out
    varies = deviation > 1e-9 * max(deviation.max(), np.abs(means).max())
    varies &= deviation > 10 * np.finfo(dtype).eps * np.abs(means).max(0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
    axes = np.linalg.eigh(moments * np.outer(scale, scale))[1][:, : -COMPONENTS - 1 : -1]
    projection = (scale[:, None] * axes).astype(dtype)
    features, start = np.empty((n, projection.shape[1])), 0
    for block in scaled.blocks():
        rows = slice(start, start + len(block))
        features[rows] = (block - centres[group[rows]]) @ projection
        start += len(block)
    return features


def _groups(n: int, contents: np.ndarray | None) -> np.ndarray:
    """Group (n,) of each image: 0 for those that have no content in common with others, else one for each content."""
    group = np.zeros(n, np.int64)
    if contents is not None:
        _, number, sizes = np.unique(contents, return_inverse=True, return_counts=True)
        shared = (contents >= 0) & (sizes[number] > 1)
        group[shared] = np.unique(number[shared], return_inverse=True)[1] + 1
    return group


def _means(embeddings: EmbeddingBlocks, group: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean embeddings (groups, d), float64, of the images of each group, and the largest magnitude of all."""
    means, largest, start = np.zeros((group.max() + 1, embeddings.shape[1])), 0.0, 0
    for block in embeddings.blocks():
        largest = max(largest, largest_magnitude(block, start))
        number = group[start : start + len(block)]
        order = np.argsort(number, kind="stable")
        found, first = np.unique(number[order], return_index=True)
        means[found] += np.add.reduceat(block[order].astype(np.float64), first, axis=0)
        start += len(block)
    return means / np.maximum(np.bincount(group), 1)[:, None], largest
