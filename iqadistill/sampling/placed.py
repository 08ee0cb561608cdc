"""Placed patches: so few of them that each should stand for its part of the image; nothing is random."""

import math
from functools import lru_cache

import numpy as np
import pyarrow as pa

from iqadistill.panorama.sphere import FieldOfView, angles_to_vectors, field_of_view
from iqadistill.sampling.image_checks import check_panorama, check_patch_fits, scaled_side
from iqadistill.sampling.patch_table import Columns, Image, sample_images
from iqadistill.sampling.placement import choose_places, shares

LEAST_STEPS = 17  # of the grid along a flat image's side; odd, so that the middle is on it
LEAST_COLUMNS = 36  # of the grid of directions


def sample_placed_crops(
    images: pa.Table,
    *,
    count: int,
    size: int,
    seed: int,
    longer_side: int | None = None,
    small_images: str = "refuse",
) -> pa.Table:
    """Crops of flat images, placed by greedy k-medoids of the plane and weighted by the share of the image nearest.

    The first lies in the middle. Fewer crops are always the first of more.

    Args:
        images: Table "images" of flat images.
        count: Number of patches of an image; fewer where an image has fewer places.
        size: Side of a crop in pixels, of the original image or, with `longer_side`, of the resized one.
        seed: Seed; it changes nothing.
        longer_side: Length in pixels that `size` refers to for the longer side of every image; None for the original
            resolution.
        small_images: "refuse" refuses images smaller than a crop; "enlarge" takes crops as wide as their shorter side.

    Returns:
        Table "patches"; the weights of an image's patches sum to 1.

    Raises:
        InputError: An image is smaller than a crop and not to be enlarged.
    """

    def place(image: Image, stream: np.random.Generator) -> Columns:
        width, height = image["width"], image["height"]
        side = scaled_side(size, width, height, longer_side, small_images)
        check_patch_fits(width, height, image["image_id"], side)
        x, y, weight = _placed_in_plane(width, height, side, count)
        return {"x": x, "y": y, "size": np.full(len(x), side), "weight": weight}

    return sample_images(images, place, size=size, seed=seed)


def sample_placed_viewports(
    images: pa.Table, *, count: int, size: int, seed: int, fov: FieldOfView = math.pi / 2, exponent: float = 2.0
) -> pa.Table:
    """Viewports of panoramas, placed by greedy k-medoids of the sphere and weighted by the share of the image nearest.

    The first looks ahead. The image counts at pitch p by cos(p)^exponent on the equirectangular plane, as in
    `sample_latitude`. Fewer viewports are always the first of more.

    Args:
        images: Table "images" of panoramas.
        count: Number of patches of an image.
        size: Side of a viewport in pixels.
        seed: Seed; it changes nothing.
        fov: Full horizontal angle of a viewport in radians, or "native": each panorama is shown 1:1.
        exponent: Power of the cosine, at least 0; 1 counts all directions alike, 2 favours the equator.

    Returns:
        Table "patches"; the weights of an image's patches sum to 1.

    Raises:
        InputError: A panorama's width is odd.
    """
    yaw, pitch, weight = _placed_on_sphere(count, exponent)

    def place(image: Image, stream: np.random.Generator) -> Columns:
        check_panorama(image["width"], image["image_id"])
        angle = field_of_view(fov, size, image["width"])
        return {"yaw": yaw, "pitch": pitch, "fov": np.full(count, angle), "weight": weight}

    return sample_images(images, place, size=size, seed=seed)


@lru_cache(maxsize=64)
def _placed_in_plane(width: int, height: int, side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners x and y (n,) of crops, and the share (n,) of the image nearest to each."""
    steps = max(LEAST_STEPS, 2 * math.ceil(math.sqrt(count)) + 1)
    columns, rows = (_spread(length - side + 1, steps) for length in (width, height))
    x, y = (grid.ravel() for grid in np.meshgrid(columns, rows))
    places = (np.stack([x, y], axis=1) + side / 2) / max(width, height)
    cells = (np.arange(steps) + 0.5) / steps
    space = np.stack([grid.ravel() for grid in np.meshgrid(cells * width, cells * height)], axis=1)
    space /= max(width, height)
    chosen = choose_places(places, min(count, len(places)), space=space)
    return x[chosen], y[chosen], shares(places[chosen], space)


@lru_cache(maxsize=8)
def _placed_on_sphere(count: int, exponent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yaw and pitch (count,) of directions, and the share (count,) of the image nearest to each."""
    columns = max(LEAST_COLUMNS, 4 * math.ceil(math.sqrt(count / 2)))
    step = 2 * math.pi / columns
    yaw, pitch = (
        grid.ravel()
        for grid in np.meshgrid(
            step * np.arange(-columns // 2, columns // 2), step * np.arange(1 - columns // 4, columns // 4)
        )
    )
    ahead = np.lexsort((yaw, pitch, -np.round(np.cos(yaw) * np.cos(pitch), 9)))  # ties go to the view ahead
    yaw, pitch = yaw[ahead], pitch[ahead]
    places, between = angles_to_vectors(yaw, pitch), angles_to_vectors(yaw + step / 2, pitch)
    density = np.cos(pitch) ** exponent
    chosen = choose_places(places, count, space=between, density=density)
    return yaw[chosen], pitch[chosen], shares(places[chosen], between, density)


def _spread(positions: int, count: int) -> np.ndarray:
    """At most `count`, an odd number, of `positions`, evenly from border to border."""
    return np.unique(np.rint(np.linspace(0, positions - 1, count)).astype(np.int64))
