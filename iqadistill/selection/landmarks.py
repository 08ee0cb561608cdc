"""Landmarks: a similarity of many rows by their similarities to a few of them (Nystroem; Williams and Seeger 2001)."""

import numpy as np

from iqadistill.embedding_blocks import EmbeddingBlocks
from iqadistill.errors import InputError

RANK_TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}  # of eigenvalues, beside the largest
DIRECTIONS = 64  # columns of the factor within which leading eigenvectors are sought, or four for each of them
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
) -> np.ndarray:
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

    Raises:
        InputError: An embedding is not finite, or the kernel is so narrow that landmarks say nothing of other rows.
    """
    n, d = embeddings.shape
    drawn = np.sort(np.random.default_rng(seed).choice(n, min(landmarks, n), replace=False))
    total, picked, start = np.zeros(d), [], 0
    for block in embeddings.blocks():
        sums = block.sum(0, dtype=np.float64)
        if not np.isfinite(sums).all():
            raise InputError(
                f"embeddings: rows {start} to {start + len(block) - 1} hold NaN or infinite values; embed these images "
                "again or leave them out."
            )
        total += sums
        picked.append(block[drawn[slice(*np.searchsorted(drawn, [start, start + len(block)]))] - start])
        start += len(block)
    mean = (total / n).astype(np.float32)
    L = np.concatenate(picked).astype(np.float32) - mean
    squares = sum(float(np.square(block - mean).sum(dtype=np.float64)) for block in embeddings.blocks()) / n
    distances = _squared_distances(L, L.T.astype(np.float64), (L.astype(np.float64) ** 2).sum(1))
    np.fill_diagonal(distances, 0)
    scale = (
        2 * squares if gamma == "scale_free" else np.sqrt(distances).sum() / len(L) / max(len(L) - 1, 1) * (1 - 1 / n)
    )
    scale = scale or 1.0  # all rows are equal
    mapped = landmark_map(np.exp(distances / (-2 * scale)), max(DIRECTIONS, 4 * n_components)).astype(np.float32)
    columns, norms = np.ascontiguousarray(L.T), (L**2).sum(1)
    F, moments, start = np.empty((n, mapped.shape[1]), np.float32), np.zeros((mapped.shape[1],) * 2), 0
    for block in embeddings.blocks():
        exponents = _squared_distances(block.astype(np.float32) - mean, columns, norms)
        exponents /= np.float32(-2 * scale)
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
    return Z


def _squared_distances(X: np.ndarray, columns: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Squared distances (n, m) of rows X (n, d) to landmarks (d, m) with squared norms (m,)."""
    squares = X.astype(columns.dtype, copy=False) @ columns
    squares *= -2
    squares += norms
    squares += np.square(X).sum(1, dtype=columns.dtype)[:, None]
    return np.maximum(squares, 0, out=squares)
