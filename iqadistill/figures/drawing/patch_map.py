"""Map of the predicted quality of an image's patches, drawn on the image."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from iqadistill.atomic_writing import write_atomically
from iqadistill.figures.drawing.heat import draw_heat
from iqadistill.figures.drawing.style import new_figure, styled
from iqadistill.figures.kept_patches import outline

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
    inches = min(7.0, 6.0 * width / height)
    figure = new_figure(inches + 1.0, inches * height / width + 0.4)
    axes = figure.subplots()
    colors = draw_heat(axes, image, patches)

    outlines = [(piece, patch.quality) for _, patch in patches.iterrows() for piece in outline(patch, width, height)]
    pieces, qualities = [piece for piece, _ in outlines], np.array([quality for _, quality in outlines])
    alpha = min(1.0, OPAQUE_OUTLINES / len(patches))
    axes.add_collection(LineCollection(pieces, colors=colors.to_rgba(qualities), linewidths=0.9, alpha=alpha))

    axes.set_title(title)
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
