"""Sampling uniformly on the sphere with a Fibonacci lattice."""

import math

import numpy as np
import pyarrow as pa
from scipy.spatial.transform import Rotation

from iqadistill.panorama.sphere import FieldOfView, field_of_view, vectors_to_angles
from iqadistill.sampling.image_checks import check_panorama
from iqadistill.sampling.patch_table import Columns, Image, sample_images

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def sample_sphere(images: pa.Table, *, count: int, size: int, seed: int, fov: FieldOfView = math.pi / 2) -> pa.Table:
    """`count` viewports of every panorama, spread evenly over the sphere.

    A Fibonacci lattice under a random rotation for every image: each viewport on its own is uniform on the sphere, and
    together they leave no gap and form no cluster.

    Args:
        images: Table "images" of panoramas.
        count: Number of patches of an image.
        size: Side of a viewport in pixels.
        seed: Seed; the random stream of an image depends on it and on the image_id only.
        fov: Full horizontal angle of a viewport in radians, or "native": each panorama is shown 1:1.

    Returns:
        Table "patches".

    Raises:
        InputError: A panorama's width is odd.
    """
    lattice = _fibonacci_lattice(count)

    def sample(image: Image, stream: np.random.Generator) -> Columns:
        check_panorama(image["width"], image["image_id"])
        rotation = Rotation.from_quat(stream.normal(size=4))  # a normal quaternion, normalised, is a uniform rotation
        yaw, pitch = vectors_to_angles(rotation.apply(lattice))
        return {"yaw": yaw, "pitch": pitch, "fov": np.full(count, field_of_view(fov, size, image["width"]))}

    return sample_images(images, sample, size=size, seed=seed)


def _fibonacci_lattice(count: int) -> np.ndarray:
    """Unit vectors (count, 3): equal steps in height, each turned by the golden angle."""
    step = np.arange(count)
    up = 1 - (2 * step + 1) / count
    radius = np.sqrt(1 - up**2)
    return np.stack([radius * np.sin(step * _GOLDEN_ANGLE), up, radius * np.cos(step * _GOLDEN_ANGLE)], axis=-1)
