"""ERP and LAT: independent patches, distributed on the equirectangular plane."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from iqadistill.errors import InputError
from iqadistill.panorama.sphere import FieldOfView, angles_to_pixels, field_of_view, pixels_to_angles
from iqadistill.sampling.image_checks import check_panorama, check_patch_fits
from iqadistill.sampling.patch_table import Columns, Image, sample_images

# (stream, count, limit) -> pitches within [-limit, limit], at most count of them
PitchSampler = Callable[[np.random.Generator, int, float], np.ndarray]


def sample_erp(
    images: pa.Table, *, count: int, size: int, seed: int, fov: FieldOfView = math.pi / 2, projection: str = "viewport"
) -> pa.Table:
    """ERP: `count` patches of every panorama, uniform on the equirectangular plane (arXiv 2412.12667).

    Pitch is therefore uniform too, and the poles, which the plane stretches, are sampled more often than their area
    deserves.

    Args:
        images: Table "images" of panoramas.
        count: Number of patches of an image.
        size: Side of a patch in pixels.
        seed: Seed; the random stream of an image depends on it and on the image_id only.
        fov: Full horizontal angle of a viewport in radians, or "native": each panorama is shown 1:1.
        projection: "viewport" looks along the sampled direction; "crop" cuts the plane without projection (x and y are
            the upper left pixel, a crop that crosses the seam continues at column 0; yaw and pitch are its centre, fov
            is null).

    Returns:
        Table "patches".

    Raises:
        InputError: The projection is unknown, a panorama's width is odd, or a panorama is smaller than a crop.
    """

    def sample_pitch(stream: np.random.Generator, count: int, limit: float) -> np.ndarray:
        return stream.uniform(-limit, limit, count)

    return _sample_plane(images, sample_pitch, count, size, seed, fov, projection)


def sample_latitude(
    images: pa.Table,
    *,
    count: int,
    size: int,
    seed: int,
    fov: FieldOfView = math.pi / 2,
    projection: str = "viewport",
    exponent: float = 2.0,
) -> pa.Table:
    """LAT: latitude-aware patches, the equator favoured, their number varying by image (arXiv 2412.12667).

    The paper does not print its distribution. Ours thins the ERP plane: candidates are uniform on it and one at pitch p
    is kept with probability cos(p)^exponent. Exponent 1 undoes the stretching of the plane (uniform on the sphere), 2
    favours the equator beyond that. There are as many candidates as leave `count` on average; the first `count` that
    are kept are taken, so about half of the images have fewer, but every image has at least one.

    Args:
        images: Table "images" of panoramas.
        count: Largest number of patches of an image.
        size: Side of a patch in pixels.
        seed: Seed; the random stream of an image depends on it and on the image_id only.
        fov: Full horizontal angle of a viewport in radians, or "native": each panorama is shown 1:1.
        projection: "viewport" or "crop", as in `sample_erp`.
        exponent: Power of the cosine, at least 0.

    Returns:
        Table "patches".

    Raises:
        InputError: As `sample_erp`.
    """

    def sample_pitch(stream: np.random.Generator, count: int, limit: float) -> np.ndarray:
        pitches = np.linspace(-limit, limit, 1001)
        # for count 250 the quotient is 500.5: rounding in two steps makes the last bits of the mean irrelevant
        candidates = round(round(float(count / np.mean(np.cos(pitches) ** exponent)), 9))
        while True:
            pitch = stream.uniform(-limit, limit, candidates)
            pitch = pitch[stream.random(candidates) < np.cos(pitch) ** exponent]
            if len(pitch):
                return pitch[:count]

    return _sample_plane(images, sample_pitch, count, size, seed, fov, projection)


def _sample_plane(
    images: pa.Table, sample_pitch: PitchSampler, count: int, size: int, seed: int, fov: FieldOfView, projection: str
) -> pa.Table:
    check_projection(projection)

    def viewports(image: Image, stream: np.random.Generator) -> Columns:
        check_panorama(image["width"], image["image_id"])
        pitch = sample_pitch(stream, count, np.pi / 2)
        angle = field_of_view(fov, size, image["width"])
        return {"yaw": stream.uniform(-np.pi, np.pi, len(pitch)), "pitch": pitch, "fov": np.full(len(pitch), angle)}

    def crops(image: Image, stream: np.random.Generator) -> Columns:
        width, height = image["width"], image["height"]
        check_patch_fits(width, height, image["image_id"], size)
        pitch = sample_pitch(stream, count, (1 - size / height) * np.pi / 2)
        return place_crops(stream.uniform(-np.pi, np.pi, len(pitch)), pitch, width, height, size)

    return sample_images(images, viewports if projection == "viewport" else crops, size=size, seed=seed)


def check_projection(projection: str) -> None:
    """Refuse a projection other than "viewport" and "crop"."""
    if projection not in ("viewport", "crop"):
        raise InputError(f"sampler: projection {projection!r}, expected 'viewport' or 'crop'.")


def place_crops(yaw: np.ndarray, pitch: np.ndarray, width: int, height: int, size: int) -> Columns:
    """Coordinates of crops of the equirectangular plane around directions, at whole pixels and within the rows.

    Args:
        yaw: Yaw (n,) in radians.
        pitch: Pitch (n,) in radians.
        width: Width of the panorama in pixels.
        height: Height of the panorama in pixels.
        size: Side of a crop in pixels.

    Returns:
        Upper left pixels x and y (n,), and the directions yaw and pitch (n,) of the centres.
    """
    column, row = angles_to_pixels(yaw, pitch, width, height)
    half = (size - 1) / 2
    x = np.rint(column - half).astype(np.int64) % width
    y = np.clip(np.rint(row - half).astype(np.int64), 0, height - size)
    yaw, pitch = pixels_to_angles(x + half, y + half, width, height)
    return {"x": x, "y": y, "yaw": yaw, "pitch": pitch}
