"""Accuracy against the number h of target columns of residual selection."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import all_patches_line, interval_bars, random_band
from iqadistill.figures.drawing.style import (
    METRIC_LABELS,
    panel_grid,
    panel_title,
    selector_styles,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import (
    ALL,
    PANEL,
    RANDOM,
    by_setting,
    in_panel,
    one,
    panels,
    srcc_at,
    with_random_delta,
)
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Target size h",
    caption=(
        "SRCC at keep rate {{ settings.keep_rate }} against the number h of eigenvectors in the target of "
        "residual selection: mean over {{ splits }} splits (of Fisher's z); bars: {{ intervals }}. Grey: random at the "
        "same rate; dashed: all patches."
    ),
    alt="Line chart of SRCC against h with intervals, random as a grey band and all patches as a dashed line.",
    reads="metrics",
    rates="one",
    one_student=True,
    needs=("n_components",),
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    experiment = inputs.experiment
    return plot_dimension(inputs.summary, inputs.comparisons, experiment.selectors, experiment.keep_rate, inputs.notes)


@styled
def plot_dimension(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    settings: Mapping[str, Mapping[str, Any]],
    keep: float,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC against h at one keep rate, one panel per dataset, sampler and encoder.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons".
        settings: Settings of each selector by its name, with `n_components`.
        keep: Keep rate.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per h with its difference to random.

    Raises:
        InputError: A selector has no `n_components`, or none of the selectors was evaluated.
    """
    notes = notes or {}
    rows, at_rate = srcc_at(summary, keep)
    shown = by_setting(at_rate, settings, ["n_components"])
    style = selector_styles(["residual"])["residual"]
    figure, grid = panel_grid(len(panels(shown)), 3.0, 2.8)
    for axes, panel in zip(grid, panels(shown), strict=True):
        line = in_panel(shown, panel)
        axes.grid(axis="y")
        random_band(axes, one(in_panel(at_rate, panel, selector=RANDOM)))
        all_patches_line(axes, one(in_panel(rows, panel, selector=ALL)))
        axes.errorbar(
            line.n_components,
            line["mean"],
            interval_bars(line),
            color=style.color,
            marker=style.marker,
            capsize=2,
            elinewidth=1,
            label=style.label,
        )
        axes.set_xscale("log")
        axes.set_xticks(sorted(set(line.n_components)), [f"{h:g}" for h in sorted(set(line.n_components))])
        axes.minorticks_off()
        axes.margins(x=0.12)
        axes.set_xlabel("target size h")
        axes.set_ylabel(f"{METRIC_LABELS['srcc']} at keep {keep:g}")
        axes.set_title(panel_title(panel, notes))
    shared_legend(figure)
    return figure, with_random_delta(shown, comparisons).sort_values([*PANEL, "n_components"], ignore_index=True)
