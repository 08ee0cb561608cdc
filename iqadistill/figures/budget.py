"""Accuracy against the number of patches that a test image is scored from."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from iqadistill.figures.drawing.style import (
    BAND,
    GREY,
    INK,
    METRIC_LABELS,
    SelectorStyle,
    new_figure,
    panel_title,
    selector_styles,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import ALL, RANDOM, in_panel, panels
from iqadistill.figures.inputs import BudgetInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Patches to look at",
    caption=(
        "Above: SRCC of a student on all patches, mean over content-disjoint splits, against the number of patches "
        "that a test image is scored from. Grey band: 95 % of random choices of as many patches; dashed line: all "
        "patches. Filled markers: better or worse than the mean over random choices, after Holm's correction. "
        "Position alone and facility location weight their patches by those nearest to them. Below: mean absolute "
        "distance to the score from all patches; quality spans 0 to 1."
    ),
    alt=(
        "Line charts of SRCC and of the distance to the score from all patches against the number of patches for every "
        "selector, with random choices as a grey band."
    ),
    reads="budgets",
    rates="none",
    one_student=True,
)

COLUMNS = 3


def draw(inputs: BudgetInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_budget(inputs.budgets, inputs.notes)


@styled
def plot_budget(budgets: pd.DataFrame, notes: Mapping[str, str] | None = None) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and distance against the number of patches, a column of two panels for each dataset, sampler, encoder.

    Args:
        budgets: Table "budgets" of one student, with the rows `random` and `all` of each panel.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the table "budgets".
    """
    shown = panels(budgets)
    styles = selector_styles(set(budgets.selector) - {ALL, RANDOM})
    columns = min(COLUMNS, len(shown))
    bands = -(-len(shown) // columns)
    figure = new_figure(max(5.8, 1.2 + 3.4 * columns), 0.9 + 4.6 * bands)
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    for position, panel in enumerate(shown):
        band, column = divmod(position, columns)
        rows = in_panel(budgets, panel)
        above, below = grid[2 * band : 2 * band + 2, column]
        for axes, value in ((above, "srcc"), (below, "distance")):
            _draw_panel(axes, rows, styles, value)
        above.set(ylabel=METRIC_LABELS["srcc"])
        above.set_title(panel_title(panel, notes or {}))
        below.set(ylabel="distance to all patches", xlabel="patches of a test image")
    for unused in range(len(shown), bands * columns):
        for offset in range(2):
            grid[2 * (unused // columns) + offset, unused % columns].remove()
    shared_legend(figure)
    return figure, budgets


def _draw_panel(axes: Axes, rows: pd.DataFrame, styles: Mapping[str, SelectorStyle], value: str) -> None:
    axes.grid(axis="y")
    axes.set_xscale("log", base=2)
    counts = sorted(rows.patches.unique())
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    everything, control = rows[rows.selector == ALL].iloc[0], rows[rows.selector == RANDOM].sort_values("patches")
    end = everything.patches, everything[value]
    axes.axhline(end[1], color=INK, linestyle=(0, (5, 3)), linewidth=1.1, label="all patches", zorder=2)
    if value == "srcc":
        axes.fill_between(control.patches, control.low, control.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
    axes.plot(
        [*control.patches, end[0]],
        [*control[value], end[1]],
        color=GREY,
        linewidth=1.8,
        label="random (band: 95 % of choices)",
        zorder=1,
    )
    for selector, (label, color, marker) in styles.items():
        line = rows[rows.selector == selector].sort_values("patches")
        axes.plot([*line.patches, end[0]], [*line[value], end[1]], color=color, linewidth=1.3, zorder=3)
        decided = line.verdict.isin(["better", "worse"]) & (value == "srcc")
        axes.plot(
            line.patches, line[value], color=color, marker=marker, label=label, linewidth=0, markerfacecolor="white"
        )
        axes.plot(line.patches[decided], line[value][decided], color=color, marker=marker, linewidth=0, zorder=4)
        unknown = line[(line.verdict == "undefined") & line[value].notna() & (value == "srcc")]
        if len(unknown):
            marks = {"color": color, "marker": "x", "markersize": 7, "linewidth": 0, "zorder": 5}
            axes.plot(unknown.patches, unknown[value], label="undefined", **marks)
