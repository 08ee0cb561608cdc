"""Uniform on the sphere."""

import math

import numpy as np
import pyarrow as pa
from scipy.spatial.transform import Rotation

from iqadistill.panorama.sphere import vectors_to_angles
from iqadistill.sampling.placing import Columns, Image, check_panorama, place_patches

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def sample_sphere(images: pa.Table, *, count: int, size: int, seed: int, fov: float = math.pi / 2) -> pa.Table:
    """`count` viewports an image, spread evenly over the sphere.

    A Fibonacci lattice under a random rotation of its own for every image: each viewport by itself is uniform on the sphere, and
    together they leave no hole and no clump.

    Args:
        images: Table images, panoramas.
        count: Patches an image.
        size: Side of a viewport in pixels.
        seed: Seed; the stream of an image depends on it and on the image's name alone.
        fov: Full horizontal angle of a viewport, radians.

    Returns:
        Table patches.

    Raises:
        InputError: A panorama's width is odd.
    """
    lattice = _fibonacci_lattice(count)

    def draw(image: Image, stream: np.random.Generator) -> Columns:
        check_panorama(image)
        turn = Rotation.from_quat(stream.normal(size=4))  # a normal quaternion, normalised, is a uniform rotation
        yaw, pitch = vectors_to_angles(turn.apply(lattice))
        return {"yaw": yaw, "pitch": pitch, "fov": np.full(count, fov)}

    return place_patches(images, draw, size=size, seed=seed)


def _fibonacci_lattice(count: int) -> np.ndarray:
    """Unit vectors (count, 3): equal steps of height, each turned by the golden angle."""
    step = np.arange(count)
    up = 1 - (2 * step + 1) / count
    radius = np.sqrt(1 - up**2)
    return np.stack([radius * np.sin(step * _GOLDEN_ANGLE), up, radius * np.cos(step * _GOLDEN_ANGLE)], axis=-1)
