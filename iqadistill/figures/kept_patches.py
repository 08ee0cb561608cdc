"""Kept and dropped patches, drawn on the image."""

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from iqadistill.figures.drawing.style import new_figure, selector_styles, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.images.decoding import read_image
from iqadistill.images.listing import shortened
from iqadistill.panorama.viewports import viewport_outline
from iqadistill.selection.base import keep_count

FIGURE = FigureSpec(
    title="Kept and dropped patches",
    caption=(
        "Patches kept at keep rate {{ settings.keep_rate }} (yellow outline and centre) and dropped patches "
        "(faint white). The outline of a viewport is curved near the poles of a panorama, and a viewport that "
        "crosses the seam continues at the opposite edge."
    ),
    alt="Images with the outlines of kept and dropped patches for each selector.",
    reads="selections",
    rates="one",
    most_selectors=3,
    most_tables=1,
)

KEPT = "#ffd400"
DROPPED = "#ffffff"
LONGER_SIDE = 600  # largest longer side of a drawn image, in pixels
MAX_IMAGES = 3


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw kept and dropped patches on up to three images of different content."""
    (table,) = inputs.tables
    images = inputs.read_images(table)
    shown = images[images.score.notna() & (images.status == "ok")].drop_duplicates("reference_id")
    shown = shown.iloc[np.linspace(0, len(shown) - 1, min(MAX_IMAGES, len(shown)), dtype=int)]
    patches = inputs.read_patches(table)
    patches = patches[patches.image_id.isin(shown.image_id)]
    selections = {name: inputs.read_selection(table, name) for name in inputs.selectors}
    images = {image.image_id: read_image(image.path) for image in shown.itertuples()}
    return plot_kept_patches(images, patches, selections, inputs.experiment.keep_rate)


@styled
def plot_kept_patches(
    images: Mapping[str, np.ndarray], patches: pd.DataFrame, selections: Mapping[str, pd.DataFrame], keep: float
) -> tuple[Figure, pd.DataFrame]:
    """Draw each image with its kept and dropped patches, one column per selector.

    Args:
        images: Images (H, W, 3), uint8, by image_id.
        patches: Table "patches" of these images; rows with x and y are crops, all others viewports.
        selections: Table "selection" of each selector by its name.
        keep: Keep rate.

    Returns:
        The figure, and a table with one row per image, selector and patch: position, rank, residual, and whether the
        patch is `kept`.
    """
    styles = selector_styles(selections)
    shapes = [image.shape[1] / image.shape[0] for image in images.values()]
    width = 4.0 if max(shapes) > 1.7 else 3.0
    figure = new_figure(0.3 + width * len(styles), 0.1 + sum(width / shape + 0.3 for shape in shapes))
    grid = figure.subplots(len(images), len(styles), squeeze=False, height_ratios=[1 / shape for shape in shapes])
    drawn = []
    for axes_row, (image_id, image) in zip(grid, images.items(), strict=True):
        small = _downscaled(image)
        for axes, (selector, style) in zip(axes_row, styles.items(), strict=True):
            rows = patches[patches.image_id == image_id].merge(
                selections[selector][["patch_id", "rank", "residual"]], on="patch_id", validate="one_to_one"
            )
            rows["kept"] = rows["rank"] < keep_count(len(rows), keep)
            _draw(axes, small, image.shape, rows)
            axes.set_title(f"{style.label}: {rows.kept.sum()} of {len(rows)} kept", fontsize=8.5)
            drawn.append(rows.assign(selector=selector))
        axes_row[0].set_ylabel(shortened(image_id, 28), fontsize=8)
    columns = ["image_id", "selector", "patch_id", "x", "y", "yaw", "pitch", "size", "rank", "residual", "kept"]
    return figure, pd.concat(drawn, ignore_index=True)[columns]


def _draw(axes: Axes, small: np.ndarray, shape: tuple[int, ...], rows: pd.DataFrame) -> None:
    height, width = shape[:2]
    axes.imshow(0.75 * small / 255, extent=(0, width, height, 0), aspect="equal", interpolation="bilinear")
    for kept, color, line_width, alpha in [(False, DROPPED, 0.5, 0.35), (True, KEPT, 1.1, 0.95)]:
        outlines = [piece for _, patch in rows[rows.kept == kept].iterrows() for piece in outline(patch, width, height)]
        axes.add_collection(LineCollection(outlines, colors=color, linewidths=line_width, alpha=alpha))
        if kept:
            centres = np.array([_centre(patch, width, height) for _, patch in rows[rows.kept].iterrows()])
            axes.plot(*centres.T, linestyle="none", marker="o", markersize=2.6, color=color, mec="black", mew=0.4)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def outline(patch: pd.Series, width: int, height: int) -> list[np.ndarray]:
    """Outline of a patch on its image.

    Args:
        patch: Row of table "patches".
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        Polylines (k, 2) of x and y in pixels: several if the patch crosses the seam of a panorama.
    """
    if pd.isna(patch.x):
        yaw, pitch = (np.asarray(part) for part in viewport_outline(patch.yaw, patch.pitch, patch.fov, points=16))
        x, y = (yaw / (2 * np.pi) + 0.5) * width, (0.5 - pitch / np.pi) * height
    else:
        x = patch.x + patch["size"] * np.array([0, 1, 1, 0, 0])
        x = np.where(x > width, x - width, x)
        y = patch.y + patch["size"] * np.array([0, 0, 1, 1, 0])
    points = np.column_stack([x, y])
    points = points if np.allclose(points[0], points[-1]) else np.vstack([points, points[0]])
    return _cut_at_seam(points, width)


def _cut_at_seam(points: np.ndarray, width: int) -> list[np.ndarray]:
    """Split a closed polyline where it jumps from one edge to the other, and extend both ends to their edges."""
    pieces, piece = [], [points[0]]
    for before, after in itertools.pairwise(points):
        jump = after[0] - before[0]
        if abs(jump) > width / 2:
            edge = 0.0 if jump > 0 else float(width)
            unwrapped = after[0] - np.sign(jump) * width
            fraction = (edge - before[0]) / (unwrapped - before[0]) if unwrapped != before[0] else 0.0
            crossing = before[1] + fraction * (after[1] - before[1])
            pieces.append(np.array([*piece, (edge, crossing)]))
            piece = [np.array([width - edge, crossing])]
        piece.append(after)
    return [*pieces, np.array(piece)]


def _centre(patch: pd.Series, width: int, height: int) -> tuple[float, float]:
    if pd.isna(patch.x):
        return (patch.yaw / (2 * np.pi) + 0.5) * width, (0.5 - patch.pitch / np.pi) * height
    return (patch.x + patch["size"] / 2) % width, patch.y + patch["size"] / 2


def _downscaled(image: np.ndarray) -> np.ndarray:
    """The image at the drawn size, which keeps the SVG small."""
    scale = min(1.0, LONGER_SIDE / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
