"""Which part of an image each patch shows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from iqadistill.panorama.sphere import angles_to_vectors, pixels_to_angles


def mean_cover(patches: pd.DataFrame, width: int, height: int, cells: int) -> np.ndarray:
    """Mean quality of the patches that show each cell of a grid laid over an image.

    Args:
        patches: Table "patches" of one image with the column quality: crops where x is given, viewports elsewhere.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        cells: Of the grid's longer side.

    Returns:
        (rows, columns), about square cells; NaN where no patch looks.
    """
    scale = min(1.0, cells / max(width, height))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for quality, shown in _covers(patches, width, height, rows, columns):
        total += quality * shown
        count += shown
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _covers(
    patches: pd.DataFrame, width: int, height: int, rows: int, columns: int
) -> Iterator[tuple[float, np.ndarray]]:
    """Quality of each patch, and the cells (rows, columns) whose centres it shows."""
    x, y = (np.arange(columns) + 0.5) / columns * width, (np.arange(rows) + 0.5) / rows * height
    directions = angles_to_vectors(*np.broadcast_arrays(*pixels_to_angles(x - 0.5, y[:, None] - 0.5, width, height)))
    for patch in patches.itertuples():
        if pd.isna(patch.x):
            yield patch.quality, _seen(patch, directions)
        else:
            # on from the left border where a crop of a panorama crosses the seam
            beside = (x - patch.x) % width < patch.size
            yield patch.quality, beside & ((y >= patch.y) & (y < patch.y + patch.size))[:, None]


def _seen(viewport: Any, directions: np.ndarray) -> np.ndarray:
    """Which directions (..., 3) a viewport shows."""
    forward = angles_to_vectors(viewport.yaw, viewport.pitch)
    right = np.array([np.cos(viewport.yaw), 0.0, -np.sin(viewport.yaw)])
    reach = np.tan(viewport.fov / 2) * (directions @ forward)  # negative behind the camera
    return (np.abs(directions @ right) <= reach) & (np.abs(directions @ np.cross(forward, right)) <= reach)
