"""Landmarks: a similarity of many rows by their similarities to a few of them (Nystroem; Williams and Seeger 2001)."""

import numpy as np

from iqadistill.embedding_blocks import EmbeddingBlocks, ScaledEmbeddings, largest_magnitude
from iqadistill.errors import InputError

EXACT = 5000  # rows up to which the similarity of every pair is held; of more landmarks are drawn
RANK_TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}  # of eigenvalues, beside the largest
DIRECTIONS = 64  # columns of the factor within which leading eigenvectors are sought, or four for each of them
WIDTHS = 1e-30, 1e30  # range of the kernel's width, in which float32 can divide by it
SUPPORT = 0.5  # least length of the targets of other rows, relative to those of landmarks


def landmark_map(among: np.ndarray, rank: int | None = None) -> np.ndarray:
    """Map (m, r) that turns similarities C (n, m) to landmarks into a factor F = C map of the similarity, S ~ F F^T.

    With all rows as landmarks and no limit of the rank, F F^T is S. Columns of F belong to the largest eigenvalues of
    the landmarks' similarity, in their order; those that are rounding are left out.

    Args:
        among: Similarity (m, m) of the landmarks, positive semidefinite; its type says what counts as rounding.
        rank: Largest number r of columns; default: m.
    """
    values, vectors = np.linalg.eigh(among.astype(np.float64))
    values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
    kept = values > RANK_TOLERANCE[among.dtype] * values[0]
    return vectors[:, kept] / np.sqrt(values[kept])


def landmark_target(
    embeddings: EmbeddingBlocks, n_components: int, *, gamma: str, landmarks: int, seed: int
) -> tuple[np.ndarray, ScaledEmbeddings]:
    """Target Z (n, h), float32, of joint residual selection: S ~ Z Z^T for the RBF similarity S of all rows.

    The leading eigenvectors are those of F F^T within a factor F of the landmarks' leading directions (Rayleigh-Ritz):
    an order of magnitude closer to the eigenvectors of S than those of the landmarks, which are only continued to the
    other rows. The mean squared distance, for the width, is exact; the mean distance is that of the landmarks.

    Args:
        embeddings: Embeddings (n, d); passed over three times.
        n_components: Number h of columns.
        gamma: published or scale_free, see `iqadistill.selection.similarity.similarity_matrix`.
        landmarks: Number of rows that are drawn as landmarks.
        seed: Seed of the landmarks.

    Returns:
        Z, and the embeddings in float32, in the range of which they are.

    Raises:
        InputError: An embedding is not finite, or the kernel is so narrow that landmarks say nothing of other rows.
    """
    n, d = embeddings.shape
    drawn = np.sort(np.random.default_rng(seed).choice(n, min(landmarks, n), replace=False))
    total, largest, start = np.zeros(d), 0.0, 0
    for block in embeddings.blocks():
        largest = max(largest, largest_magnitude(block, start))
        total += block.sum(0, dtype=np.float64)
        start += len(block)
    scaled = ScaledEmbeddings(embeddings, largest)
    mean = np.ldexp(total / n, -scaled.exponent).astype(np.float32)
    squares, picked, start = 0.0, [], 0
    for block in scaled.blocks():
        centred = block - mean
        squares += float(np.square(centred).sum(dtype=np.float64)) / n
        picked.append(centred[drawn[slice(*np.searchsorted(drawn, [start, start + len(block)]))] - start])
        start += len(block)
    L = np.concatenate(picked)
    distances = squared_distances(L.astype(np.float64), L.astype(np.float64))
    np.fill_diagonal(distances, 0)
    if gamma == "scale_free":
        scale = 2 * squares
    else:  # a distance, not a squared one
        mean_distance = np.sqrt(distances).sum() / len(L) / max(len(L) - 1, 1) * (1 - 1 / n)
        with np.errstate(over="ignore"):  # infinite for tiny embeddings, which are all alike
            scale = np.ldexp(mean_distance, -scaled.exponent)
    width = np.clip(2 * scale if scale else 1.0, *WIDTHS)  # 1 where all rows are equal
    mapped = landmark_map(np.exp(distances / -width), max(DIRECTIONS, 4 * n_components)).astype(np.float32)
    F, moments, start = np.empty((n, mapped.shape[1]), np.float32), np.zeros((mapped.shape[1],) * 2), 0
    for block in scaled.blocks():
        exponents = squared_distances(block - mean, L)
        exponents /= np.float32(-width)
        rows = F[start : start + len(block)]
        np.matmul(np.exp(exponents, out=exponents), mapped, out=rows)
        moments += rows.T @ rows
        start += len(block)
    vectors = np.linalg.eigh(moments)[1][:, : -n_components - 1 : -1]
    if vectors.shape[1] < n_components:  # so few rows differ
        vectors = np.pad(vectors, ((0, 0), (0, n_components - vectors.shape[1])))
    Z = F @ vectors.astype(np.float32)
    lengths = np.square(Z).sum(1)
    if lengths.mean() < SUPPORT * lengths[drawn].mean():
        raise InputError(
            f"gamma {gamma}: the similarity is so narrow that {len(drawn)} landmarks say nothing of the other rows; "
            "give gamma scale_free, or more landmarks."
        )
    return Z, scaled


def squared_distances(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (n, m) of rows of X (n, p) and Y (m, p), in their type."""
    products = X @ Y.T
    products *= 2
    squares = (X**2).sum(1)[:, None] + (Y**2).sum(1)
    squares -= products
    return np.maximum(squares, 0, out=squares)
