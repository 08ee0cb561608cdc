"""Accuracy against the number of rated training images, for chosen images and for random ones."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.figures.drawing.style import (
    BAND,
    GREY,
    INK,
    METRIC_LABELS,
    panel_grid,
    panel_title,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import in_panel, panels
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.tables import ALL, RANDOM

FIGURE = FigureSpec(
    title="What choosing images to have rated is worth",
    caption=(
        "Mean SRCC on test images over {{ splits }} splits of students trained on so many of the training images, by "
        "chooser; the band holds 95 % of students of random draws, the grey line is their mean, the dotted line is the "
        "student of all training images. A chooser sees the images of a split and no score. Below the curves: what "
        "each chooser decided against the random draws of the same number, with a margin of "
        "{{ study.evaluation.margin }}, corrected over the choosers of a number and not over numbers."
    ),
    alt="Curves of SRCC against the number of rated images for each chooser, over the band of random draws.",
    reads="metrics",
    rates="none",
    students="embeddings",
    one_student=True,
    chooses=True,
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_label_efficiency(inputs.label_efficiency, inputs.experiment.choosers, inputs.notes)


@styled
def plot_label_efficiency(
    rows: pd.DataFrame, choosers: Sequence[str], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC against the number of rated training images, a panel for each embedding table.

    Args:
        rows: Rows of `iqadistill.evaluation.label_efficiency.label_efficiency`.
        choosers: Names of the choosers.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the rows.
    """
    figure, grid = panel_grid(len(panels(rows)), 4.2, 3.4)
    shown = sorted(choosers, key=lambda name: CHOOSERS[name].order)
    for axes, panel in zip(grid, panels(rows), strict=True):
        of_panel = in_panel(rows, panel)
        _draw_random(axes, of_panel)
        for place, name in enumerate(shown):
            _draw_chooser(axes, of_panel[of_panel.chooser == name].sort_values("budget"), name, len(shown) - place)
        budgets = sorted(of_panel[of_panel.chooser == RANDOM].budget)
        axes.set_xscale("log")
        axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
        axes.minorticks_off()
        axes.set(xlabel="rated training images", ylabel=f"{METRIC_LABELS['srcc']} on test images")
        low, high = axes.get_ylim()
        axes.set_ylim(low - 0.09 * (len(shown) + 1) * (high - low), high)  # room for the verdicts
        axes.margins(x=0.12)
        axes.grid(axis="y")
        axes.set_title(panel_title(panel, notes or {}), loc="left")
    shared_legend(figure)
    return figure, rows.reset_index(drop=True)


def _draw_random(axes: Axes, rows: pd.DataFrame) -> None:
    random = rows[rows.chooser == RANDOM].sort_values("budget")
    axes.fill_between(random.budget, random.band_low, random.band_high, color=BAND, linewidth=0, label="95 % of draws")
    axes.plot(random.budget, random.srcc, color=GREY, label="random, mean of draws")
    everything = rows[rows.chooser == ALL].srcc.iloc[0]
    axes.axhline(everything, color=INK, linestyle=":", linewidth=1.2, label="all training images")


def _draw_chooser(axes: Axes, rows: pd.DataFrame, name: str, line: int) -> None:
    """Draw one chooser's curve, and its verdicts in a line of text above the axis."""
    style = CHOOSERS[name]
    axes.plot(rows.budget, rows.srcc, color=style.colour, marker=style.marker, label=style.label)
    for row in rows.itertuples():
        axes.text(
            row.budget,
            0.075 * line - 0.05,
            row.verdict,
            color=style.colour,
            fontsize=6.5,
            ha="center",
            transform=axes.get_xaxis_transform(),
        )
