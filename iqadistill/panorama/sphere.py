"""Directions on the sphere as angles, unit vectors and pixels of an equirectangular panorama.

Yaw in [-pi, pi) grows to the right, pitch in [-pi/2, pi/2] upwards, both in radians. Vectors are (right, up, forward):
forward is where yaw and pitch are 0. Pixel centres have integer coordinates.
"""

import numpy as np


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
