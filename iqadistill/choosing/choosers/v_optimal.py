"""V-optimal choice: images whose scores tell most about the scores of all others."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.choosing.similarity import ImageSimilarity, rbf_similarity
from iqadistill.embedding_blocks import ROWS
from iqadistill.selection.landmarks import landmark_map

NOISE = 0.1  # variance of the noise of a score, relative to the variance of scores over images
LANDMARKS = 2000  # images that the similarity of more than 5,000 is known by
FACTOR = 500  # columns of the factor that stands for it


class VOptimalSettings(ChooserSettings):
    """V-optimal design: the sum over images of the variance that is left in their scores is minimised.

    Scores are taken as a Gaussian process whose covariance is the similarity. An image reduces the sum by
    sum_i C_ij^2 / (C_jj + noise), where C is the covariance given the images chosen so far (active learning Cohn,
    Seo et al. 2000, on the images themselves).
    """

    label: ClassVar[str] = "V-optimal"
    colour: ClassVar[str] = "#d55e00"
    marker: ClassVar[str] = "s"
    order: ClassVar[int] = 1
    image_bytes: ClassVar[int] = 2400
    pair_bytes: ClassVar[int] = 25
    pick_seconds: ClassVar[float] = 3e-7

    method: Literal["v_optimal"] = Field("v_optimal", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Greedy V-optimal design on the RBF similarity, or on its leading part by landmarks."""
        similarity = rbf_similarity(features, seed, landmarks=LANDMARKS)
        if similarity.held is not None:
            return v_optimal_design(similarity.held, count, rated)
        return v_optimal_by_factor(similarity_factor(similarity), count, rated)


def v_optimal_design(K: np.ndarray, count: int, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that greedy V-optimal design chooses; ties go to the lower index.

    C is never formed: it is the similarity less the products of the columns u of a factor, one for each image known.

    Args:
        K: Similarity (n, n) of all images.
        count: Number of images to choose.
        rated: Indices of images whose scores are known from the start, and that are not chosen.
    """
    columns = np.empty((len(K), len(rated) + count))
    lower = np.linalg.cholesky(K[np.ix_(rated, rated)] + NOISE * np.eye(len(rated)))
    columns[:, : len(rated)] = K[:, rated] @ np.linalg.inv(lower).T  # what the known scores explain
    variance = 1 - (columns[:, : len(rated)] ** 2).sum(1)
    squares = ((K - columns[:, : len(rated)] @ columns[:, : len(rated)].T) ** 2).sum(1)  # sum_i C_ij^2 of each image j
    unrated = np.full(len(K), True)
    unrated[rated] = False
    chosen: list[int] = []
    for filled in range(len(rated), len(rated) + count):
        image = int(np.argmax(np.where(unrated, squares / (variance + NOISE), -np.inf)))
        factor = columns[:, :filled]
        u = (K[image] - factor @ factor[image]) / np.sqrt(variance[image] + NOISE)
        squares -= 2 * u * (K @ u - factor @ (factor.T @ u)) - u**2 * (u**2).sum()
        variance -= u**2
        columns[:, filled] = u
        unrated[image] = False
        chosen.append(image)
    return np.array(chosen, dtype=np.int64)


def similarity_factor(similarity: ImageSimilarity) -> np.ndarray:
    """Factor F (n, at most 500), float32, of the similarity by its landmarks: F F^T is its leading part."""
    mapped = landmark_map(similarity.to_targets(similarity.targets), FACTOR).astype(np.float32)
    F, filled = np.empty((len(similarity), mapped.shape[1]), np.float32), 0
    for block in similarity.blocks():
        np.matmul(block, mapped, out=F[filled : filled + len(block)])
        filled += len(block)
    return F


def v_optimal_by_factor(F: np.ndarray, count: int, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that greedy V-optimal design chooses by a factor of the similarity.

    With C = F A F^T and M = F^T F, the sum over all images of C_ij^2 is f_j^T A M A f_j: what is known of the scores
    changes A (r, r) alone, and a choice takes one product of F with two vectors. The variance that F leaves out is that
    of each image alone: it adds to the noise of its score.

    Args:
        F: Factor (n, r) of the similarity, whose diagonal is 1.
        count: Number of images to choose.
        rated: Indices of images whose scores are known from the start, and that are not chosen.
    """
    n, r = F.shape
    M, own = np.zeros((r, r)), np.empty(n)
    for start in range(0, n, ROWS):
        block = F[start : start + ROWS]
        M += block.T @ block
        own[start : start + ROWS] = np.maximum(1 - (block**2).sum(1), 0)
    precision = np.eye(r)
    for start in range(0, len(rated), ROWS):
        known = rated[start : start + ROWS]
        precision += F[known].T @ (F[known] / (NOISE + own[known])[:, None])
    A = np.linalg.inv(precision)
    variance, squares = np.empty(n), np.empty(n)
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        variance[rows] = own[rows] + ((F[rows] @ A.astype(F.dtype)) * F[rows]).sum(1)
        squares[rows] = ((F[rows] @ (A @ M @ A).astype(F.dtype)) * F[rows]).sum(1)
    unrated = np.full(n, True)
    unrated[rated] = False
    chosen: list[int] = []
    for _ in range(count):
        image = int(np.argmax(np.where(unrated, squares / (variance + NOISE), -np.inf)))
        a = A @ F[image] / np.sqrt(variance[image] + NOISE)
        b = A @ (M @ a)
        u, v = (F @ np.stack([a, b], axis=1).astype(F.dtype)).astype(np.float64).T
        squares -= 2 * u * v - u**2 * (a @ M @ a)
        variance -= u**2
        A -= np.outer(a, a)
        unrated[image] = False
        chosen.append(image)
    return np.array(chosen, dtype=np.int64)
