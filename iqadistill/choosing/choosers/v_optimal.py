"""V-optimal choice: images whose scores tell most about the scores of all others."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.choosing.similarity import LANDMARKS, ROWS, ImageSimilarity, rbf_similarity

NOISE = 0.1  # variance of the noise of a score, relative to the variance of scores over images


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

    method: Literal["v_optimal"] = Field("v_optimal", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Greedy V-optimal design on the RBF similarity.

        Of more rated images than there are landmarks, so many are drawn as stand for all.
        """
        known = rated
        if len(rated) > LANDMARKS:
            known = np.sort(np.random.default_rng([seed, 1]).choice(rated, LANDMARKS, replace=False))
        return v_optimal_design(rbf_similarity(features, seed), count, known=known, rated=rated)


def v_optimal_design(similarity: ImageSimilarity, count: int, *, known: np.ndarray, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that greedy V-optimal design chooses; ties go to the lower index.

    C is never formed: it is the similarity less the products of the columns u of a factor, one for each image known.

    Args:
        similarity: Similarity of all images to each other and to those whose variance counts.
        count: Number of images to choose.
        known: Indices of the images whose scores are known from the start.
        rated: Indices of images that are not chosen.
    """
    K, targets = similarity.to_targets, similarity.targets
    columns = np.empty((len(K), len(known) + count), K.dtype)
    columns[:, : len(known)] = _explained(similarity, known)
    variance = 1 - (columns[:, : len(known)] ** 2).sum(1, dtype=np.float64)
    squares = _squared_covariances(K, columns[:, : len(known)], targets)  # sum_i C_ij^2 of each image j
    unrated = np.full(len(K), True)
    unrated[rated] = False
    chosen: list[int] = []
    for filled in range(len(known), len(known) + count):
        image = int(np.argmax(np.where(unrated, squares / (variance + NOISE), -np.inf)))
        factor = columns[:, :filled]
        u = (similarity.to_all(image) - factor @ factor[image]) / K.dtype.type(np.sqrt(variance[image] + NOISE))
        with_targets = K @ u[targets] - factor @ (factor[targets].T @ u[targets])
        squares -= 2 * u * with_targets - u**2 * (u[targets] ** 2).sum()
        variance -= u**2
        columns[:, filled] = u
        unrated[image] = False
        chosen.append(image)
    return np.array(chosen, dtype=np.int64)


def _explained(similarity: ImageSimilarity, known: np.ndarray) -> np.ndarray:
    """Columns (n, r) whose products are what the scores of r known images explain of the covariance."""
    to_known = similarity.to_all(known)
    lower = np.linalg.cholesky(to_known[known].astype(np.float64) + NOISE * np.eye(len(known)))
    return to_known @ np.linalg.inv(lower).T.astype(to_known.dtype)


def _squared_covariances(K: np.ndarray, factor: np.ndarray, targets: np.ndarray) -> np.ndarray:
    squares = np.empty(len(K))
    of_targets = factor[targets].T
    for start in range(0, len(K), ROWS):
        rows = slice(start, start + ROWS)
        squares[rows] = ((K[rows] - factor[rows] @ of_targets) ** 2).sum(1, dtype=np.float64)
    return squares
