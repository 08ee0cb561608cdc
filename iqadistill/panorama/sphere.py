"""Directions on the sphere as angles, unit vectors and pixels of an equirectangular panorama.

Yaw in [-pi, pi) grows to the right, pitch in [-pi/2, pi/2] upwards, both in radians. Vectors are (right, up, forward):
forward is where yaw and pitch are 0. Pixel centres have integer coordinates.
"""

import math
from typing import Literal

import numpy as np

FieldOfView = float | Literal["native"]


def native_fov(size: int, width: int) -> float:
    """Horizontal angle (radians) of a viewport of `size` pixels that shows a panorama of `width` pixels 1:1.

    One pixel in the middle of the viewport spans one pixel of the panorama; towards its border, pixels span less.
    """
    return 2 * math.atan(math.pi * size / width)


def field_of_view(fov: FieldOfView, size: int, width: int) -> float:
    """Horizontal angle (radians) of a viewport of `size` pixels on a panorama of `width` pixels.

    Args:
        fov: The angle itself, or "native" for that of `native_fov`.
        size: Side of the viewport in pixels.
        width: Width of the panorama in pixels.
    """
    return native_fov(size, width) if isinstance(fov, str) else fov


def wrap_yaw(yaw: np.ndarray | float) -> np.ndarray:
    """Bring yaw (any shape, radians) into [-pi, pi)."""
    return np.mod(np.asarray(yaw, dtype=np.float64) + np.pi, 2 * np.pi) - np.pi


def angles_to_vectors(yaw: np.ndarray | float, pitch: np.ndarray | float) -> np.ndarray:
    """Unit vectors (..., 3) of directions given as yaw and pitch (...), radians."""
    yaw, pitch = np.asarray(yaw, dtype=np.float64), np.asarray(pitch, dtype=np.float64)
    return np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=-1)


def vectors_to_angles(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Yaw and pitch (...), radians, of vectors (..., 3) of any length above 0."""
    right, up, forward = np.moveaxis(np.asarray(vectors, dtype=np.float64), -1, 0)
    return wrap_yaw(np.arctan2(right, forward)), np.arctan2(up, np.hypot(right, forward))


def pixels_to_angles(
    column: np.ndarray | float, row: np.ndarray | float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Yaw and pitch (...), radians, at pixel coordinates (...) of a panorama of `width` x `height` pixels."""
    column, row = np.asarray(column, dtype=np.float64), np.asarray(row, dtype=np.float64)
    return wrap_yaw(((column + 0.5) / width - 0.5) * 2 * np.pi), (0.5 - (row + 0.5) / height) * np.pi


def angles_to_pixels(
    yaw: np.ndarray | float, pitch: np.ndarray | float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Column in [-0.5, width - 0.5) and row in [-0.5, height - 0.5] at yaw and pitch (...), radians."""
    column = (wrap_yaw(yaw) / (2 * np.pi) + 0.5) * width - 0.5
    return column, (0.5 - np.asarray(pitch, dtype=np.float64) / np.pi) * height - 0.5


def viewport_angles(
    yaw: np.ndarray | float, pitch: np.ndarray | float, fov: np.ndarray | float, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Directions of points in upright, square, rectilinear viewports, on a grid like that of their pixels.

    Args:
        yaw: Yaw of the viewing directions in radians, a scalar or (n,).
        pitch: Pitch of the viewing directions in radians, a scalar or (n,).
        fov: Full horizontal angle in radians, a scalar or (n,).
        samples: Number of points on a side.

    Returns:
        Yaw and pitch, each (..., samples, samples), from the upper left corner row by row.
    """
    yaw, pitch, fov = (np.asarray(angle, dtype=np.float64)[..., None, None] for angle in (yaw, pitch, fov))
    offset = ((np.arange(samples) + 0.5) / samples * 2 - 1) * np.tan(fov / 2)
    right, up = np.broadcast_arrays(offset, -np.swapaxes(offset, -1, -2))
    # the camera tilts by pitch, then turns by yaw
    height, forward = up * np.cos(pitch) + np.sin(pitch), np.cos(pitch) - up * np.sin(pitch)
    return wrap_yaw(yaw + np.arctan2(right, forward)), np.arctan2(height, np.hypot(right, forward))
