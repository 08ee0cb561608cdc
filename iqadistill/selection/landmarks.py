"""Landmarks: a similarity of many rows by their similarities to a few of them (Nystroem; Williams and Seeger 2001)."""

import numpy as np

RANK_TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-6}  # of eigenvalues, beside the largest


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
