"""Pixels of an image that its patches cover."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from iqadistill.panorama.sphere import angles_to_vectors, pixels_to_angles


def mean_cover(patches: pd.DataFrame, width: int, height: int, cells: int) -> np.ndarray:
    """Mean quality of the patches that cover each cell of a grid over an image.

    Args:
        patches: Table "patches" of one image with a column `quality`; rows with x and y are crops, all others
            viewports.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        cells: Number of cells along the longer side of the image.

    Returns:
        Means (rows, columns) of approximately square cells; NaN where no patch covers a cell.
    """
    scale = min(1.0, cells / max(width, height))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for quality, covered in _covers(patches, width, height, rows, columns):
        total += quality * covered
        count += covered
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _covers(
    patches: pd.DataFrame, width: int, height: int, rows: int, columns: int
) -> Iterator[tuple[float, np.ndarray]]:
    """Quality of each patch, and whether it covers the centre of each cell, (rows, columns)."""
    x, y = (np.arange(columns) + 0.5) / columns * width, (np.arange(rows) + 0.5) / rows * height
    directions = angles_to_vectors(*np.broadcast_arrays(*pixels_to_angles(x - 0.5, y[:, None] - 0.5, width, height)))
    for patch in patches.itertuples():
        if pd.isna(patch.x):
            yield patch.quality, _viewport_covers(patch.yaw, patch.pitch, patch.fov, directions)
        else:
            # a crop of a panorama that crosses the seam continues at the left border
            covered_columns = (x - patch.x) % width < patch.size
            covered_rows = (y >= patch.y) & (y < patch.y + patch.size)
            yield patch.quality, covered_columns & covered_rows[:, None]


def _viewport_covers(yaw: float, pitch: float, fov: float, directions: np.ndarray) -> np.ndarray:
    """Whether a viewport covers each of the directions (..., 3)."""
    forward = angles_to_vectors(yaw, pitch)
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    limit = np.tan(fov / 2) * (directions @ forward)  # negative behind the camera
    return (np.abs(directions @ right) <= limit) & (np.abs(directions @ np.cross(forward, right)) <= limit)
