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
from iqadistill.figures.drawing.variants import ALL, PANEL, RANDOM, in_panel, panels
from iqadistill.figures.inputs import BudgetInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.tables import AUTO

FIGURE = FigureSpec(
    title="Patches to look at",
    caption=(
        "Above: SRCC of a student on all patches, mean over content-disjoint splits, against the number of patches "
        "that a test image is scored from. Grey band: 95 % of random choices of as many patches; dashed line: all "
        "patches. Filled markers: better or worse than the mean over random choices, after Holm's correction. "
        "Position, thumbnail and facility location weight their patches by those nearest to them; learned importance "
        "ranks patches by a regression on training images. Star: placed patches, as many as are enough on the training "
        "images of a split. Below: mean absolute distance to the score from all patches; quality spans 0 to 1. "
        "Milliseconds: an image scored from so many patches that are chosen without embeddings; any choice by "
        "embeddings, learned importance too, takes as long as all patches."
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
    return plot_budget(with_milliseconds(inputs.budgets, inputs.times), inputs.notes)


def with_milliseconds(budgets: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """Table "budgets" with a column `milliseconds`, the time to score an image, by the table "budget_times"."""
    key = [*PANEL, "student", "selector"]
    joined = budgets.merge(times[[*key, "fixed", "per_patch"]], on=key, how="left", validate="many_to_one")
    taken = joined.fixed + joined.per_patch * joined.mean_patches.fillna(joined.patches)
    return joined.drop(columns=["fixed", "per_patch"]).assign(milliseconds=taken)


@styled
def plot_budget(budgets: pd.DataFrame, notes: Mapping[str, str] | None = None) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and distance against the number of patches, a column of two panels for each dataset, sampler, encoder.

    Args:
        budgets: Table "budgets" of one student, with the rows `random`, `auto` and `all` of each panel, and the column
            milliseconds.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the table "budgets".
    """
    shown = panels(budgets)
    styles = selector_styles(set(budgets.selector) - {ALL, RANDOM})
    star = styles.pop(AUTO)
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
            auto = rows[rows.selector == AUTO]
            axes.plot(auto.mean_patches, auto[value], star.marker, color=star.color, markersize=11, label=star.label)
        above.set(ylabel=METRIC_LABELS["srcc"])
        above.set_title(panel_title(panel, notes or {}))
        below.set(ylabel="distance to all patches", xlabel="patches of a test image; milliseconds to score it")
        looked = rows[rows.selector.isin([RANDOM, ALL])].sort_values("patches")
        labels = [f"{row.patches}\n{row.milliseconds:.0f}" for row in looked.itertuples()]
        below.set_xticks(looked.patches, labels)
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
            (marks,) = axes.plot(unknown.patches, unknown[value], label="undefined", color=color, linewidth=0)
            marks.set(marker="x", markersize=7, zorder=5)
