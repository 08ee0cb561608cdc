"""Sanity check of residual selection: a patch and its exact copy are treated equally."""

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
        "Every patch of one image was duplicated. A sound selector gives a patch and its copy the same residual "
        "and adjacent ranks, so that all points lie on the diagonal."
    ),
    alt="Scatter plots of residual and rank of each patch against those of its copy.",
    reads="selections",
    rates="none",
    needs=("n_components",),
    ranks=True,
    most_selectors=1,
    most_tables=1,
)


def draw(inputs: SelectionInputs) -> tuple[Figure, pd.DataFrame]:
    """Rank the patches of the first image together with a copy of each."""
    (settings,) = inputs.selectors.values()
    _, vectors = next(inputs.read_embeddings(inputs.tables[0]))
    selector = SELECTORS.create(settings).create().fit(np.vstack([vectors, vectors]))
    rank = np.argsort(selector.ranking_)
    n = len(vectors)
    return plot_duplicates(selector.residuals_[:n], selector.residuals_[n:], rank[:n], rank[n:])


@styled
def plot_duplicates(
    residual: np.ndarray, copy_residual: np.ndarray, rank: np.ndarray, copy_rank: np.ndarray
) -> tuple[Figure, pd.DataFrame]:
    """Draw residual and rank of each patch of an image against those of its copy.

    Args:
        residual: Residuals (n,) of the originals.
        copy_residual: Residuals (n,) of the copies.
        rank: Ranks (n,) of the originals among all 2n patches; 0 is kept first.
        copy_rank: Ranks (n,) of the copies.

    Returns:
        The figure, and a table with one row per patch with the absolute differences.
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
    color = selector_styles(["residual"])["residual"].color
    pairs = [("residual", "copy_residual", ".2g"), ("rank", "copy_rank", ".0f")]
    for axes, (name, copy_name, number_format) in zip(figure.subplots(1, 2), pairs, strict=True):
        low, high = table[[name, copy_name]].to_numpy().min(), table[[name, copy_name]].to_numpy().max()
        margin = 0.05 * (high - low) or 1.0
        limits = (low - margin, high + margin)
        axes.plot(limits, limits, color=GREY, linewidth=1, zorder=0)
        axes.plot(
            table[name], table[copy_name], linestyle="none", marker="o", markersize=4, color=color, alpha=0.6, mew=0
        )
        axes.set(xlim=limits, ylim=limits, box_aspect=1)
        axes.set(xlabel=f"{name} of the original", ylabel=f"{name} of its copy")
        axes.set_title(f"largest difference in {name}: {table[f'{name}_difference'].max():{number_format}}")
    return figure, table
