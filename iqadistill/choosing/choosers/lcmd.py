"""Largest cluster, maximum distance: images that divide the clusters that are spread most."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.choosing.settings import ChooserSettings
from iqadistill.choosing.similarity import SAME
from iqadistill.embedding_blocks import ROWS
from iqadistill.selection.landmarks import squared_distances


class LcmdSettings(ChooserSettings):
    """Largest cluster, maximum distance (LCMD; Holzmueller, Zaverkin, Kaestner and Steinwart, JMLR 2023).

    Every image belongs to the cluster of the nearest chosen or rated one. The next image is the one farthest from its
    centre in the cluster whose squared distances have the largest sum: dense regions get more images than by distance
    alone, and outliers fewer. The first image is the one farthest from the mean, if none is rated.
    """

    label: ClassVar[str] = "largest cluster, max. distance"
    colour: ClassVar[str] = "#009e73"
    marker: ClassVar[str] = "^"
    order: ClassVar[int] = 2
    image_bytes: ClassVar[int] = 300
    pick_seconds: ClassVar[float] = 3e-8

    method: Literal["lcmd"] = Field("lcmd", description="Name of the chooser.")

    def choose(self, features: np.ndarray, count: int, rated: np.ndarray, seed: int) -> np.ndarray:
        """Divide the largest cluster, step by step."""
        return largest_cluster_maximum_distance(features, count, rated)


def largest_cluster_maximum_distance(features: np.ndarray, count: int, rated: np.ndarray) -> np.ndarray:
    """Indices (count,) of the images that LCMD chooses; ties go to the lower index.

    Args:
        features: Features (n, p) of all images.
        count: Number of images to choose.
        rated: Indices of the images that are centres of clusters from the start, and not chosen.
    """
    distance, centre = _nearest(features, rated)
    squares = (features**2).sum(1)
    free, chosen = np.full(len(features), True), np.empty(count, dtype=np.int64)
    free[rated] = False
    for place in range(count):
        if place or len(rated):
            # squared distances of duplicates of a centre are rounding: such images are chosen last
            spread = np.where(distance > SAME * distance.max(), distance, 0)
            sums = np.bincount(centre, np.where(free, spread, 0))
            largest = free & (centre == np.argmax(sums))
            image = np.argmax(np.where(largest if largest.any() else free, distance, -1))
        else:
            image = np.argmax(((features - features.mean(0)) ** 2).sum(1))
        chosen[place], free[image] = image, False
        nearer = np.maximum(squares + squares[image] - 2 * (features @ features[image]), 0)
        closer = nearer < distance
        distance[closer], centre[closer] = nearer[closer], len(rated) + place
    return chosen


def _nearest(features: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance (n,) of each image to the nearest centre, and which of them (n,) it is; infinite without any."""
    distance, nearest = np.full(len(features), np.inf), np.zeros(len(features), dtype=np.int64)
    for start in range(0, len(features) if len(centres) else 0, ROWS):
        rows = slice(start, start + ROWS)
        distances = squared_distances(features[rows], features[centres])
        nearest[rows] = distances.argmin(1)
        distance[rows] = distances.min(1)
    return distance, nearest
