"""The quality of an image's patches in colour on the image."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from PIL import Image

from iqadistill.figures.drawing.patch_cover import mean_cover

PALETTE = "viridis"
LONGER_SIDE = 1200  # largest longer side of the drawn image, in pixels
CELLS = 500  # cells along the longer side; overlapping patches are averaged in each
MIN_RANGE = 0.05  # smallest range of quality on the colour scale, so that noise does not look like a difference


def draw_heat(axes: Axes, image: np.ndarray, patches: pd.DataFrame) -> ScalarMappable:
    """Draw the quality of each patch in colour on the image; overlapping patches are averaged, the rest stays grey.

    Args:
        axes: Axes to draw on; they get the limits of the image.
        image: Image (H, W, 3), uint8.
        patches: Table "patches" of the image with a column `quality`.

    Returns:
        The colour scale.
    """
    height, width = image.shape[:2]
    middle = (patches.quality.min() + patches.quality.max()) / 2
    half_range = max(np.ptp(patches.quality), MIN_RANGE) / 2
    colors = ScalarMappable(Normalize(middle - half_range, middle + half_range), PALETTE)
    extent = (0, width, height, 0)
    axes.imshow(_grey(image), extent=extent, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    mean = mean_cover(patches, width, height, CELLS)
    heat = colors.to_rgba(np.nan_to_num(mean), alpha=np.where(np.isnan(mean), 0.0, 0.5))
    axes.imshow(heat, extent=extent, interpolation="nearest")
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return colors


def _grey(image: np.ndarray) -> np.ndarray:
    """Luminance (h, w) at the drawn size, limited to medium greys so that every colour is visible on it."""
    scale = min(1.0, LONGER_SIDE / max(image.shape[:2]))
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return 60 + 0.7 * np.asarray(Image.fromarray(image).convert("L").resize(size, Image.Resampling.LANCZOS))
