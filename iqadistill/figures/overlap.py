"""Overlap of the patches that different selectors keep."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import hypergeom

from iqadistill.figures.drawing.style import new_figure, selector_styles, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.base import keep_count

FIGURE = FigureSpec(
    title="Overlap of kept patches",
    caption=(
        "Jaccard index of the patches that two selectors keep at keep rate {{ settings.keep_rate }}, averaged "
        "over images. The white line on the colour bar is the expected value for two independent random "
        "selections."
    ),
    alt="Heat map of the overlap of every pair of selectors, with the value in each cell.",
    reads="selections",
    rates="one",
)


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the overlap of the selectors over the images of all embedding tables."""
    selections = {}
    for name in inputs.selectors:
        rows = [inputs.read_selection(table, name).assign(table="/".join(table)) for table in inputs.tables]
        selection = pd.concat(rows, ignore_index=True)
        selections[name] = selection.assign(image_id=selection.table + "/" + selection.image_id)
    return plot_overlap(selections, inputs.experiment.keep_rate)


@styled
def plot_overlap(selections: Mapping[str, pd.DataFrame], keep: float) -> tuple[Figure, pd.DataFrame]:
    """Draw the Jaccard index of the patches that each pair of selectors keeps at one keep rate, averaged over images.

    Args:
        selections: Table "selection" of each selector by its name, all over the same patches.
        keep: Keep rate.

    Returns:
        The figure, and a table with one row per pair: mean and standard deviation of the overlap over images, and the
        mean that two independent uniform selections of the same size have (`expected`).
    """
    kept = {name: _kept_patches(selection, keep) for name, selection in selections.items()}
    styles = selector_styles(selections)
    names = list(styles)
    counts = next(iter(selections.values())).groupby("image_id").size()
    expected = float(np.mean([expected_overlap(int(n), keep_count(int(n), keep)) for n in counts]))
    rows = []
    for first in names:
        for second in names:
            overlaps = [_jaccard(kept[first][image], kept[second][image]) for image in counts.index]
            rows.append((first, second, keep, np.mean(overlaps), np.std(overlaps), expected))
    table = pd.DataFrame(rows, columns=["selector", "other_selector", "keep", "overlap", "overlap_std", "expected"])
    values = table.overlap.to_numpy().reshape(len(names), len(names))
    labels = [styles[name].label for name in names]
    figure = new_figure(2.6 + 0.62 * len(names), 1.9 + 0.52 * len(names))
    axes = figure.subplots()
    heat_map = axes.imshow(np.where(np.eye(len(names), dtype=bool), np.nan, values), cmap="cividis", vmin=0, vmax=1)
    for row in range(len(names)):
        for column in range(len(names)):
            if row != column:
                ink = "white" if values[row, column] < 0.5 else "black"
                axes.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(names)), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"Kept patches at keep {keep:g}, mean over {len(counts)} images\ntwo random selections: {expected:.2f}"
    )
    bar = figure.colorbar(heat_map, ax=axes, label="Jaccard index", shrink=0.85)
    bar.ax.axhline(expected, color="white", linewidth=2)
    bar.outline.set_visible(False)
    return figure, table


def expected_overlap(patches: int, kept: int) -> float:
    """Expected Jaccard index of two independent uniform selections of `kept` out of `patches` patches."""
    shared = np.arange(max(0, 2 * kept - patches), kept + 1)
    return float(np.sum(hypergeom.pmf(shared, patches, kept, kept) * shared / (2 * kept - shared)))


def _kept_patches(selection: pd.DataFrame, keep: float) -> dict[str, set[int]]:
    """Patch ids that are kept of each image."""
    return {
        image: set(rows.patch_id[rows["rank"] < keep_count(len(rows), keep)])
        for image, rows in selection.groupby("image_id")
    }


def _jaccard(first: set[int], second: set[int]) -> float:
    return len(first & second) / len(first | second)
