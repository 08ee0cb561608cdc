"""Local damage: galleries whose images are distorted in one region only, as lenses, tiles and slices fail.

A pixel is either distorted or pristine: a tile or a slice that is coded worse ends at a border of pixels, and so does a
lens's half here, without the blending of a stitcher. The region that is kept with an image is thus exact.
"""

import numpy as np

from iqadistill.datasets.galleries.distortions import LEVELS
from iqadistill.datasets.galleries.random_draws import draw_score, random_stream
from iqadistill.datasets.regions import REGION_KINDS, Region
from iqadistill.datasets.simulated_scores import PRISTINE, mixed_score, opinion_std, weight_of_damage

LOCAL = {"gallery360_local": ("gallery360", "sphere"), "gallery2d_local": ("gallery2d", "flat")}
"""Gallery whose contents a local one shows, and the kind of its images."""

LOCAL_LEVELS = LEVELS[1:]
"""Levels in local galleries: at the first one, a blur changes no pixel, and no mask of its damage would be true."""

GRIDS = ((4, 3), (6, 4))  # columns and rows of tiles, as tiled streaming cuts panoramas
BAND = 40 / 180  # height of a band: 40 degrees of latitude, and as large a share of a photograph


def draw_region(rng: np.random.Generator, kind: str) -> Region:
    """A random region: each kind of region is as probable as the others, and so is each place of it.

    Args:
        rng: Random generator.
        kind: "sphere": a half is centred on any yaw; "flat": it is the left, right, upper or lower half.
    """
    region = REGION_KINDS[rng.integers(len(REGION_KINDS))]
    if region == "tile":
        columns, rows = GRIDS[rng.integers(len(GRIDS))]
        column, row = rng.integers(columns), rng.integers(rows)
        return Region("tile", column / columns, row / rows, 1 / columns, 1 / rows)
    if region == "band":
        return Region("band", 0, rng.uniform(0, 1 - BAND), 1, BAND)
    if kind == "sphere":
        return Region("half", np.floor(rng.uniform() * 1e4) / 1e4, 0, 0.5, 1)  # below 1 after rounding
    place = 0.5 * rng.integers(2)
    return Region("half", place, 0, 0.5, 1) if rng.integers(2) else Region("half", 0, place, 1, 0.5)


def region_of(seed: int, source: str, scene: str, distortion: str, level: int) -> Region:
    """Region of one image, independent of what else is drawn.

    Args:
        seed: Seed of the dataset.
        source: Name in `LOCAL`.
        scene: Name of the scene.
        distortion: Name in `DISTORTIONS`.
        level: Level of the distortion.
    """
    return draw_region(random_stream(seed, "region", source, scene, distortion, level), LOCAL[source][1])


def draw_local_score(
    seed: int, source: str, scene: str, distortion: str, level: int, region: Region
) -> tuple[float, float]:
    """Simulated score of an image that is damaged in a region, and its standard deviation over scenes.

    The scores that are mixed are drawn as those of whole images (`draw_score`); that of the pristine image belongs to
    the scene.

    Args:
        seed: Seed of the dataset.
        source: Name in `LOCAL`.
        scene: Name of the scene.
        distortion: Name in `DISTORTIONS`.
        level: Level of the distortion.
        region: The damaged region.
    """
    weight = weight_of_damage(region.area(LOCAL[source][1]))
    pristine = draw_score(seed, source, scene, *PRISTINE)
    damaged = draw_score(seed, source, scene, distortion, level)
    deviations = (1 - weight) * opinion_std(*PRISTINE), weight * opinion_std(distortion, level)
    return mixed_score(pristine, damaged, weight), float(np.hypot(*deviations))
