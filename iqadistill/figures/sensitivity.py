"""Accuracy against the two sparsity weights alpha and beta of residual selection."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iqadistill.figures.drawing.style import panel_grid, panel_title, styled
from iqadistill.figures.drawing.variants import PANEL, by_setting, in_panel, panels, srcc_at, with_random_delta
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Sensitivity to alpha and beta",
    caption=(
        "Mean SRCC over splits (of Fisher's z) at keep rate {{ settings.keep_rate }} against the two sparsity weights "
        "of residual selection. The colour scale spans at least 0.02, so that differences smaller than the intervals "
        "do not look large."
    ),
    alt="Heat map of SRCC against alpha and beta, with the value in each cell.",
    reads="metrics",
    rates="one",
    one_student=True,
    needs=("alpha", "beta"),
)

MIN_RANGE = 0.02  # smallest range of SRCC on the colour scale, so that small differences do not look large


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    experiment = inputs.experiment
    return plot_sensitivity(
        inputs.summary, inputs.comparisons, experiment.selectors, experiment.keep_rate, inputs.notes
    )


@styled
def plot_sensitivity(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    settings: Mapping[str, Mapping[str, Any]],
    keep: float,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC against alpha and beta at one keep rate, one heat map per dataset, sampler and encoder.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons".
        settings: Settings of each selector by its name, with `alpha` and `beta`.
        keep: Keep rate.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per cell: mean, interval, difference to the best cell of the panel
        (`below_best`), and difference to random.

    Raises:
        InputError: A selector has no `alpha` or `beta`, or none of the selectors was evaluated.
    """
    notes = notes or {}
    _, at_rate = srcc_at(summary, keep)
    shown = by_setting(at_rate, settings, ["alpha", "beta"])
    shown["below_best"] = shown.groupby(PANEL)["mean"].transform("max") - shown["mean"]
    figure, grid = panel_grid(len(panels(shown)), 3.9, 3.3)
    for axes, panel in zip(grid, panels(shown), strict=True):
        cells = in_panel(shown, panel).pivot(index="beta", columns="alpha", values="mean")
        values = cells.to_numpy()
        spread = float(np.nanmax(values) - np.nanmin(values))
        middle, half = float(np.nanmax(values) + np.nanmin(values)) / 2, max(spread, MIN_RANGE) / 2
        heat_map = axes.imshow(
            values, origin="lower", cmap="cividis", vmin=middle - half, vmax=middle + half, aspect="auto"
        )
        for row, column in np.argwhere(np.isfinite(values)):
            ink = "white" if values[row, column] < middle else "black"
            axes.text(column, row, f"{values[row, column]:.3f}", ha="center", va="center", color=ink, fontsize=8)
        axes.set_xticks(range(len(cells.columns)), [f"{alpha:g}" for alpha in cells.columns])
        axes.set_yticks(range(len(cells.index)), [f"{beta:g}" for beta in cells.index])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("alpha (row sparsity of W)")
        axes.set_ylabel("beta (sparsity of R)")
        half_width = float((in_panel(shown, panel).high - in_panel(shown, panel).low).median() / 2)
        interval = f", typical 95 % interval ±{half_width:.3f}" if np.isfinite(half_width) else ""
        axes.set_title(f"{panel_title(panel, notes)}\nrange {spread:.3f}{interval}")
        scale = figure.colorbar(
            heat_map, ax=axes, label=f"SRCC at keep {keep:g}", shrink=0.9, format="%.3f", ticks=MaxNLocator(5)
        )
        scale.outline.set_visible(False)
    return figure, with_random_delta(shown, comparisons).sort_values([*PANEL, "alpha", "beta"], ignore_index=True)
