"""Features of images, in whose space a choice of them covers all."""

import itertools

import numpy as np

COMPONENTS = 20
ROWS = 4096  # embeddings that are worked on at a time, so that float64 copies stay small


def image_features(embeddings: np.ndarray, contents: np.ndarray | None = None) -> np.ndarray:
    """Features of images: embeddings less the mean of their content, standardised, on 20 principal components.

    The main axes of an embedding show content. Where contents are known, the differences from the content's mean show
    distortions, and a choice covers these instead of scenes. Images of unknown content, and those that are alone with
    theirs, are centred on their common mean.

    Args:
        embeddings: Embeddings (n, d) of images.
        contents: Number (n,) of each image's content, negative where it is unknown; default: unknown for all.

    Returns:
        Features (n, at most 20), float64.
    """
    means, group = _content_means(embeddings, contents)
    moments = np.zeros((embeddings.shape[1],) * 2)
    for rows in _blocks(len(embeddings)):
        centred = embeddings[rows] - means[group[rows]]
        moments += centred.T @ centred
    deviation = np.sqrt(moments.diagonal() / len(embeddings))
    # a column that differs by rounding only carries nothing and is left out
    varies = deviation > 1e-9 * max(deviation.max(), np.abs(means).max())
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
    axes = np.linalg.eigh(moments * np.outer(scale, scale))[1][:, : -COMPONENTS - 1 : -1]
    projection = scale[:, None] * axes
    return np.concatenate([(embeddings[rows] - means[group[rows]]) @ projection for rows in _blocks(len(embeddings))])


def _content_means(embeddings: np.ndarray, contents: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean embeddings (groups, d), float64, and the group (n,) of each image; group 0 has no content in common."""
    n = len(embeddings)
    group = np.zeros(n, np.int64)
    if contents is not None:
        _, number, sizes = np.unique(contents, return_inverse=True, return_counts=True)
        shared = (contents >= 0) & (sizes[number] > 1)
        group[shared] = np.unique(number[shared], return_inverse=True)[1] + 1
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 2))
    means = np.zeros((group.max() + 1, embeddings.shape[1]))
    for place, (first, end) in enumerate(itertools.pairwise(starts)):
        if end > first:
            means[place] = embeddings[order[first:end]].mean(0, dtype=np.float64)
    return means, group


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + ROWS) for start in range(0, n, ROWS)]
