"""Facility location: images to which all others are similar."""

import heapq
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.choosing.similarity import ROWS, ImageSimilarity, rbf_similarity

WIDTHS = 16.0  # of the kernel, in medians: so wide that the similarity is nearly linear in the cosine of two images
DIGITS = 9  # after the point of a gain, whose unit is one image; what lies beyond is rounding


class FacilitySettings(ChooserSettings):
    """Facility location: the sum over images of the similarity to the nearest chosen or rated one is maximised.

    Images are compared by the direction of their features from the mean, not by their distance from it: images of
    average quality would else be one dense cluster that draws the choice, and those far out would be left. The kernel
    is wide, so that far images count, too. Except for its width this is MaxHerding (Bae et al., ECCV 2024). The greedy
    choice reaches at least 1 - 1/e of the largest sum (Nemhauser, Wolsey and Fisher 1978).
    """

    label: ClassVar[str] = "facility location"
    colour: ClassVar[str] = "#0072b2"
    marker: ClassVar[str] = "o"
    order: ClassVar[int] = 0

    method: Literal["facility"] = Field("facility", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Greedy facility location on the RBF similarity."""
        return facility_location(similarity_of_directions(features, seed), count, rated)


def similarity_of_directions(features: np.ndarray, seed: int) -> ImageSimilarity:
    """Similarity of images by the direction of their features; an image without any is as far from all others."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    directions = np.divide(features, length, out=np.zeros_like(features), where=length > 1e-9 * length.max())
    return rbf_similarity(directions, seed, widths=WIDTHS)


def facility_location(similarity: ImageSimilarity, count: int, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that greedy facility location chooses; ties go to the lower index.

    The gain of an image never grows while others are chosen, so it is computed again only when the image has the
    largest of the gains known so far (lazy evaluation, Minoux 1978).

    Args:
        similarity: Similarity of all images to those that are to be covered.
        count: Number of images to choose.
        rated: Indices of the images that cover from the start.
    """
    K = similarity.to_targets
    covered = np.zeros(K.shape[1], K.dtype)
    for start in range(0, len(rated), ROWS):
        np.maximum(covered, K[rated[start : start + ROWS]].max(0), out=covered)
    unrated = np.setdiff1d(np.arange(len(K)), rated)
    queue = [(-_gain(K[image], covered), int(image), 0) for image in unrated]  # gain when so many were chosen
    heapq.heapify(queue)
    chosen: list[int] = []
    while len(chosen) < count:
        _, image, known_at = queue[0]
        if known_at == len(chosen):
            heapq.heappop(queue)
            chosen.append(image)
            np.maximum(covered, K[image], out=covered)
        else:
            heapq.heapreplace(queue, (-_gain(K[image], covered), image, len(chosen)))
    return np.array(chosen, dtype=np.int64)


def _gain(to_targets: np.ndarray, covered: np.ndarray) -> float:
    """What one image adds to the coverage, rounded: two images that cover each other only are an exact tie."""
    return round(float(np.maximum(to_targets - covered, 0).sum(dtype=np.float64)), DIGITS)
