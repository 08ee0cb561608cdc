"""Sanity of residual selection: a patch and its exact copy are treated alike."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.style import GREY, new_figure, selector_styles, styled
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.selection.registry import SELECTORS

FIGURE = FigureSpec(
    title="Duplicated patches",
    caption=(
        "Every patch of one image was given twice. A sound selection gives a patch and its copy the same "
        "residual and neighbouring ranks: all points lie on the diagonal."
    ),
    alt="Scatter charts of residual and rank of each patch against those of its copy.",
    reads="selections",
    rates="none",
    needs=("n_components",),
    ranks=True,
    most_selectors=1,
    most_tables=1,
)


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Give the patches of the first image twice."""
    (settings,) = inputs.selectors.values()
    _, vectors = next(inputs.read_vectors(inputs.tables[0]))
    selector = SELECTORS.create(settings).create().fit(np.vstack([vectors, vectors]))
    rank = np.argsort(selector.ranking_)
    n = len(vectors)
    return plot_duplicates(selector.residuals_[:n], selector.residuals_[n:], rank[:n], rank[n:])


@styled
def plot_duplicates(
    residual: np.ndarray, copy_residual: np.ndarray, rank: np.ndarray, copy_rank: np.ndarray
) -> tuple[Figure, pd.DataFrame]:
    """Draw residual and rank of each patch against those of its copy, for an image whose patches were all duplicated.

    Args:
        residual: Residuals of the originals, (n,).
        copy_residual: Residuals of their copies, (n,).
        rank: Ranks of the originals among all 2n patches, 0 kept first, (n,).
        copy_rank: Ranks of the copies, (n,).

    Returns:
        The figure, and a row for each patch with the absolute differences.
    """
    table = pd.DataFrame(
        {
            "patch": np.arange(len(residual)),
            "residual": residual,
            "copy_residual": copy_residual,
            "residual_difference": np.abs(residual - copy_residual),
            "rank": rank,
            "copy_rank": copy_rank,
            "rank_difference": np.abs(rank - copy_rank),
        }
    )
    figure = new_figure(7.4, 3.7)
    color = selector_styles(["residual"])["residual"][1]
    pairs = [("residual", "copy_residual", ".2g"), ("rank", "copy_rank", ".0f")]
    for axes, (name, copied, form) in zip(figure.subplots(1, 2), pairs, strict=True):
        low, high = table[[name, copied]].to_numpy().min(), table[[name, copied]].to_numpy().max()
        room = 0.05 * (high - low) or 1.0
        axes.plot([low - room, high + room], [low - room, high + room], color=GREY, linewidth=1, zorder=0)
        axes.plot(table[name], table[copied], linestyle="none", marker="o", markersize=4, color=color, alpha=0.6, mew=0)
        axes.set(xlim=(low - room, high + room), ylim=(low - room, high + room), box_aspect=1)
        axes.set(xlabel=f"{name} of the original", ylabel=f"{name} of its copy")
        axes.set_title(f"largest difference in {name}: {table[f'{name}_difference'].max():{form}}")
    return figure, table
