"""Virtual viewers: a seeded generative model of how people look around a panorama.

The next fixation is drawn from the product of four factors on a grid of directions: an equator prior, the panorama's
saliency, a distribution of saccade lengths, and inhibition of return. Published generators need trained weights; this
one has five documented parameters, whose values are our choice.
"""

from functools import cache

import numpy as np

from iqadistill.panorama.sphere import angles_to_vectors, pixels_to_angles
from iqadistill.sampling.saliency import SHAPE

EQUATOR_SCALE = np.radians(20)  # prior exp(-|pitch| / scale): gaze gathers around the horizon
SACCADE_SCALE = np.radians(
    12
)  # exp(-length / scale) per solid angle: lengths follow a gamma distribution with mean 24 degrees
INHIBITION_RADIUS = np.radians(10)  # standard deviation of the Gaussian around a fixation that is avoided next ...
RECOVERY = 0.8  # ... and fades by this factor with every further fixation
FLOOR = 0.1  # saliency added everywhere, so that no direction is impossible


def virtual_scanpaths(
    saliency: np.ndarray, stream: np.random.Generator, viewers: int = 15, fixations: int = 30
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixations of all viewers on one panorama.

    Args:
        saliency: (64, 128), at least 0, as an equirectangular grid.
        stream: Random stream.
        viewers: Number of viewers.
        fixations: Largest number of fixations of a viewer; each viewer makes at least half of them.

    Returns:
        Order (n,) within the viewer, yaw (n,) and pitch (n,) in radians.
    """
    rows, columns = SHAPE
    _, pitch = pixels_to_angles(0, np.arange(rows), columns, rows)
    prior = np.cos(pitch) * np.exp(-np.abs(pitch) / EQUATOR_SCALE)  # the cosine is the cell's solid angle
    attraction = (prior[:, None] * (saliency + FLOOR)).astype(np.float32)
    lengths = stream.integers((fixations + 1) // 2, fixations, viewers, endpoint=True)
    cells = np.concatenate([_walk(attraction, stream, length) for length in lengths])
    row, column = np.divmod(cells, columns)
    jitter = stream.uniform(-0.5, 0.5, (2, len(cells)))
    yaw, pitch = pixels_to_angles(column + jitter[0], row + jitter[1], columns, rows)
    return np.concatenate([np.arange(length) for length in lengths]), yaw, pitch


def _walk(attraction: np.ndarray, stream: np.random.Generator, length: int) -> np.ndarray:
    """Cells (length,) that one viewer fixates; the first one is drawn from the attraction alone."""
    saccade, inhibition = _kernels()
    columns = SHAPE[1]
    cells = np.empty(length, dtype=np.int64)
    weights, inhibited = attraction, np.zeros_like(attraction)
    for step, uniform in enumerate(stream.random(length)):
        summed = np.cumsum(weights, dtype=np.float64)
        cells[step] = min(np.searchsorted(summed, uniform * summed[-1], side="right"), len(summed) - 1)
        row, column = divmod(int(cells[step]), columns)
        window = slice(columns - column, 2 * columns - column)
        inhibited *= RECOVERY
        np.maximum(inhibited, inhibition[row, :, window], out=inhibited)
        weights = attraction * saccade[row, :, window] * (1 - inhibited)
    return cells


@cache
def _kernels() -> tuple[np.ndarray, np.ndarray]:
    """Saccade and inhibition factors, each (rows, rows, 2 columns): from column 0 of a row to every cell.

    The grid is the same from every column, so a kernel for another column is a window of the doubled one.
    """
    rows, columns = SHAPE
    yaw, pitch = pixels_to_angles(np.arange(columns), np.arange(rows)[:, None], columns, rows)
    directions = angles_to_vectors(*np.broadcast_arrays(yaw, pitch))
    cosine = np.einsum("sc,rjc->srj", directions[:, 0], directions).clip(-1, 1)
    angle = np.arccos(np.concatenate([cosine, cosine], axis=-1))
    saccade, inhibition = np.exp(-angle / SACCADE_SCALE), np.exp(-0.5 * (angle / INHIBITION_RADIUS) ** 2)
    return saccade.astype(np.float32), inhibition.astype(np.float32)
