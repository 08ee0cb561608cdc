"""Map of the predicted quality of an image's patches, drawn on the image."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from iqadistill.figures.drawing.patch_cover import mean_cover
from iqadistill.figures.drawing.style import new_figure, styled
from iqadistill.figures.kept_patches import outline
from iqadistill.tables import write_atomically

PALETTE = "viridis"
LONGER_SIDE = 1200  # largest longer side of the drawn image, in pixels
CELLS = 500  # cells along the longer side; overlapping patches are averaged in each
MIN_RANGE = 0.05  # smallest range of quality on the colour scale, so that noise does not look like a difference
OPAQUE_OUTLINES = 40  # largest number of patches with opaque outlines; the outlines of more are translucent


@styled
def plot_patch_map(image: np.ndarray, patches: pd.DataFrame, title: str, label: str = "quality of patches") -> Figure:
    """Draw the quality of each patch in colour on the image; overlapping patches are averaged, the rest stays grey.

    Args:
        image: Image (H, W, 3), uint8.
        patches: Table "patches" of the image with a column `quality`.
        title: Title of the figure.
        label: Label of the colour bar.
    """
    height, width = image.shape[:2]
    middle = (patches.quality.min() + patches.quality.max()) / 2
    half_range = max(np.ptp(patches.quality), MIN_RANGE) / 2
    colors = ScalarMappable(Normalize(middle - half_range, middle + half_range), PALETTE)

    inches = min(7.0, 6.0 * width / height)
    figure = new_figure(inches + 1.0, inches * height / width + 0.4)
    axes, extent = figure.subplots(), (0, width, height, 0)
    axes.imshow(_grey(image), extent=extent, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    mean = mean_cover(patches, width, height, CELLS)
    heat = colors.to_rgba(np.nan_to_num(mean), alpha=np.where(np.isnan(mean), 0.0, 0.5))
    axes.imshow(heat, extent=extent, interpolation="nearest")

    outlines = [(piece, patch.quality) for _, patch in patches.iterrows() for piece in outline(patch, width, height)]
    pieces, qualities = [piece for piece, _ in outlines], np.array([quality for _, quality in outlines])
    alpha = min(1.0, OPAQUE_OUTLINES / len(patches))
    axes.add_collection(LineCollection(pieces, colors=colors.to_rgba(qualities), linewidths=0.9, alpha=alpha))

    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    figure.colorbar(colors, ax=axes, label=label, fraction=0.05, pad=0.02).outline.set_visible(False)
    return figure


@styled
def write_patch_map(
    path: Path, image: np.ndarray, patches: pd.DataFrame, title: str, label: str = "quality of patches"
) -> None:
    """Write the figure of `plot_patch_map` as PNG, atomically; equal inputs give equal bytes.

    Args:
        path: Target file.
        image: Image (H, W, 3), uint8.
        patches: Table "patches" of the image with a column `quality`.
        title: Title of the figure.
        label: Label of the colour bar.
    """
    figure = plot_patch_map(image, patches, title, label)
    write_atomically(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))


def _grey(image: np.ndarray) -> np.ndarray:
    """Luminance (h, w) at the drawn size, limited to medium greys so that every colour is visible on it."""
    scale = min(1.0, LONGER_SIDE / max(image.shape[:2]))
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return 60 + 0.7 * np.asarray(Image.fromarray(image).convert("L").resize(size, Image.Resampling.LANCZOS))
