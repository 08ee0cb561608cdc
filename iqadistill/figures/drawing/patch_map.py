"""The scores of an image's patches, drawn on the image."""

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
LONGER_SIDE = 1200  # pixels of the image as drawn
CELLS = 500  # on the image's longer side; in each, overlapping patches are averaged
NARROWEST = 0.05  # qualities that the palette spans at least, lest noise look like a finding
OUTLINED = 40  # patches up to which outlines are clear; of more they fade


@styled
def plot_patch_map(image: np.ndarray, patches: pd.DataFrame, title: str, label: str = "quality of patches") -> Figure:
    """Draw each patch's quality in colour at its place, overlapping ones averaged; where no patch looks the image stays grey.

    Args:
        image: (H, W, 3), uint8.
        patches: Table "patches" of the image with the column quality.
        title: Above the image.
        label: Of the colour bar.
    """
    height, width = image.shape[:2]
    middle = (patches.quality.min() + patches.quality.max()) / 2
    reach = max(np.ptp(patches.quality), NARROWEST) / 2
    colors = ScalarMappable(Normalize(middle - reach, middle + reach), PALETTE)

    shown = min(7.0, 6.0 * width / height)
    figure = new_figure(shown + 1.0, shown * height / width + 0.4)
    axes, extent = figure.subplots(), (0, width, height, 0)
    axes.imshow(_grey(image), extent=extent, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    mean = mean_cover(patches, width, height, CELLS)
    heat = colors.to_rgba(np.nan_to_num(mean), alpha=np.where(np.isnan(mean), 0.0, 0.5))
    axes.imshow(heat, extent=extent, interpolation="nearest")

    drawn = [(piece, patch.quality) for _, patch in patches.iterrows() for piece in outline(patch, width, height)]
    pieces, qualities = zip(*drawn, strict=True)
    faded = min(1.0, OUTLINED / len(patches))
    axes.add_collection(LineCollection(pieces, colors=colors.to_rgba(qualities), linewidths=0.9, alpha=faded))

    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    figure.colorbar(colors, ax=axes, label=label, fraction=0.05, pad=0.02).outline.set_visible(False)
    return figure


@styled
def write_patch_map(
    path: Path, image: np.ndarray, patches: pd.DataFrame, title: str, label: str = "quality of patches"
) -> None:
    """Write what `plot_patch_map` draws as PNG, atomically; the same image gives the same bytes."""
    figure = plot_patch_map(image, patches, title, label)
    write_atomically(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))


def _grey(image: np.ndarray) -> np.ndarray:
    """Luminance (h, w) at the size that is shown, between dark and light grey so that every colour can be told on it."""
    scale = min(1.0, LONGER_SIDE / max(image.shape[:2]))
    size = tuple(max(1, round(length * scale)) for length in image.shape[1::-1])
    return 60 + 0.7 * np.asarray(Image.fromarray(image).convert("L").resize(size, Image.Resampling.LANCZOS))
