"""Facility location: images to which all others are similar."""

import heapq
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.choosing.similarity import ImageSimilarity, rbf_similarity
from iqadistill.embedding_blocks import ROWS

WIDTHS = 16.0  # of the kernel, in medians: so wide that the similarity is nearly linear in the cosine of two images
LANDMARKS = 5000  # images, at least, that stand for all that are to be covered where there are more,
SIMILARITIES = 4e8  # and as many more as do not take longer than 80,000 images do with these
FEWEST = 16  # images whose gains are computed together
DIGITS = 9  # after the point of a gain, whose unit is one image; what lies beyond is rounding in float64


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
    image_bytes: ClassVar[int] = 600
    pair_bytes: ClassVar[int] = 21
    pick_seconds: ClassVar[float] = 6e-8

    method: Literal["facility"] = Field("facility", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Greedy facility location on the RBF similarity."""
        return facility_location(similarity_of_directions(features, seed), count, rated)


def similarity_of_directions(features: np.ndarray, seed: int) -> ImageSimilarity:
    """Similarity of images by the direction of their features; an image without any is as far from all others."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    directions = np.divide(features, length, out=np.zeros_like(features), where=length > 1e-9 * length.max())
    landmarks = max(LANDMARKS, int(SIMILARITIES / len(features)))
    return rbf_similarity(directions, seed, landmarks=landmarks, widths=WIDTHS)


def facility_location(similarity: ImageSimilarity, count: int, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that greedy facility location chooses.

    Ties go to the lower index where all pairs are compared; of more images gains are sums of float32 numbers, and ties
    go by their rounding.

    The gain of an image never grows while others are chosen, so it is computed again only when the image has the
    largest of the gains known so far (lazy evaluation, Minoux 1978), together with the next in line: the more of them,
    the longer the image to choose is not found.

    Args:
        similarity: Similarity of all images to those that are to be covered.
        count: Number of images to choose.
        rated: Indices of the images that cover from the start.
    """
    covered = np.zeros(len(similarity), similarity.features.dtype)
    for start in range(0, len(rated), ROWS):
        np.maximum(covered, similarity.to_nearest(rated[start : start + ROWS]), out=covered)
    unrated = np.setdiff1d(np.arange(len(similarity)), rated)
    queue: list[tuple[float, int, int]] = []  # gain when so many were chosen
    for start in range(0, len(unrated), ROWS):
        queue += _candidates(similarity, unrated[start : start + ROWS], covered, 0)
    heapq.heapify(queue)
    chosen: list[int] = []
    stale = FEWEST
    while len(chosen) < count:
        if queue[0][2] == len(chosen):
            _, image, _ = heapq.heappop(queue)
            chosen.append(image)
            np.maximum(covered, similarity.to_nearest(np.array([image])), out=covered)
            stale = FEWEST
            continue
        images: list[int] = []
        while queue and queue[0][2] < len(chosen) and len(images) < stale:
            images.append(heapq.heappop(queue)[1])
        for candidate in _candidates(similarity, np.array(images), covered, len(chosen)):
            heapq.heappush(queue, candidate)
        stale = min(2 * stale, ROWS)
    return np.array(chosen, dtype=np.int64)


def _candidates(
    similarity: ImageSimilarity, images: np.ndarray, covered: np.ndarray, chosen: int
) -> list[tuple[float, int, int]]:
    """Candidates for the queue: minus what each image adds to the coverage, its index, how many are chosen so far.

    Gains of float64 similarities are rounded: two images that cover each other only are an exact tie.
    """
    rounded = gains(similarity, images, covered).round(DIGITS)
    return list(zip((-rounded).tolist(), images.tolist(), [chosen] * len(images), strict=True))


def gains(similarity: ImageSimilarity, images: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """What each image adds to the coverage of all n, estimated by landmarks where these stand for all.

    Its own coverage is known. A landmark is left out of what stands for the others: it would stand for many images that
    are covered as well as itself, and landmarks would be chosen for being landmarks.

    Args:
        similarity: Similarity of all images to the landmarks.
        images: Indices (r,) of the images.
        covered: Similarity (n,) of each image to the nearest chosen or rated one; 0 where there is none.

    Returns:
        Gains (r,), in images.
    """
    n, targets, of_targets = len(similarity), similarity.targets, covered[similarity.targets]
    own = 1 - covered[images].astype(np.float64)
    others = np.empty(len(images))
    place = np.minimum(np.searchsorted(targets, images), len(targets) - 1)
    landmark = targets[place] == images
    for start in range(0, len(images), similarity.rows):
        rows = slice(start, start + similarity.rows)
        added = similarity.to_targets(images[rows])
        added -= of_targets
        np.maximum(added, 0, out=added)
        added[landmark[rows], place[rows][landmark[rows]]] = 0
        others[rows] = added.sum(1)
    return own + others * ((n - 1) / np.maximum(len(targets) - landmark, 1))
