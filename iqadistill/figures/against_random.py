"""Selectors among students of random rankings, at every keep rate."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from iqadistill.figures.drawing.dots import dot
from iqadistill.figures.drawing.style import (
    BAND,
    GREY,
    INK,
    METRIC_LABELS,
    SelectorStyle,
    new_figure,
    panel_title,
    selector_styles,
    styled,
)
from iqadistill.figures.drawing.variants import PANEL, against_random, in_panel, panels
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.rows import experiment_rows

FIGURE = FigureSpec(
    title="Selectors among random rankings",
    caption=(
        "SRCC of students on the patches that a selector keeps minus the mean over students on random rankings"
        "{% if table is not none %} ({{ table.draws.max() }} at each keep rate){% endif %}, each a mean over "
        "{{ splits }} splits. Grey: 95 % of random rankings; dotted: the margin; bars: intervals that also cover "
        "contents. On the right: the verdict, and the smallest difference that would have been detected. Both are "
        "exploratory, and corrected over all selectors and keep rates of a panel as the bars are."
    ),
    alt=(
        "Dot chart of the difference in SRCC between each selector and random rankings at every keep rate, over the "
        "band of random rankings, with verdicts."
    ),
    reads="metrics",
    rates="many",
    students="embeddings",
    one_student=True,
    among_rankings=True,
)
COLUMNS = 2
LINE = 0.19  # height in inches


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    pairs = against_random(inputs.comparisons)
    pairs = pairs[(pairs.dataset == pairs.train_dataset) & (pairs.metric == "srcc")]
    return plot_against_random(experiment_rows(pairs, inputs.experiment), inputs.notes)


@styled
def plot_against_random(pairs: pd.DataFrame, notes: Mapping[str, str] | None = None) -> tuple[Figure, pd.DataFrame]:
    """Draw the difference of every selector to random rankings, a panel for each dataset, sampler and encoder.

    Args:
        pairs: Rows of table "comparisons": selectors among random rankings, of one student.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the rows in the order of the figure.
    """
    styles = selector_styles(pairs.selector)
    order = {name: place for place, name in enumerate(styles)}
    rows = pairs.assign(order=pairs.selector.map(order)).sort_values([*PANEL, "keep", "order"], kind="stable")
    rows = rows.drop(columns="order").reset_index(drop=True)
    shown = panels(rows)
    lines = max(len(in_panel(rows, panel)) + in_panel(rows, panel).keep.nunique() for panel in shown)
    columns = min(COLUMNS, len(shown))
    bands = -(-len(shown) // columns)
    figure = new_figure(1.0 + 5.4 * columns, 0.4 + bands * (0.9 + LINE * lines))
    grid = list(figure.subplots(bands, columns, squeeze=False).flat)
    for axes, panel in zip(grid, shown, strict=False):
        _draw_panel(axes, in_panel(rows, panel), styles)
        axes.set_title(panel_title(panel, notes or {}), loc="left")
    for unused in grid[len(shown) :]:
        unused.remove()
    return figure, rows


def _draw_panel(axes: Axes, rows: pd.DataFrame, styles: Mapping[str, SelectorStyle]) -> None:
    axes.grid(axis="x")
    axes.axvline(0, color=GREY, linewidth=1.2, zorder=1)
    for sign in (-1, 1):
        axes.axvline(sign * rows.margin.iloc[0], color=INK, linestyle=":", linewidth=1.0, zorder=1)
    ticks: list[str] = []
    for keep, of_rate in rows.groupby("keep"):
        ticks.append(f"keep {keep:g}")
        top = len(ticks) - 1.5
        for _, row in of_rate.iterrows():
            style = styles[row.selector]
            dot(axes, len(ticks), row, style.color, style.marker, upright=False, level="delta")
            place, frame = (1.02, len(ticks)), ("axes fraction", "data")
            axes.annotate(_decided(row), place, xycoords=frame, color=style.color, fontsize=7, va="center")
            ticks.append(f"  {style.label}")
        half = 1.96 * of_rate.deviation.max()
        if np.isfinite(half):
            spread = Rectangle((-half, top), 2 * half, len(of_rate) + 1, color=BAND, alpha=0.75, linewidth=0, zorder=0)
            axes.add_patch(spread)
    axes.set_yticks(range(len(ticks)), ticks)
    for tick in axes.get_yticklabels():
        tick.set_fontweight("normal" if tick.get_text().startswith(" ") else "bold")
    axes.set_ylim(len(ticks) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(f"difference in {METRIC_LABELS['srcc']} to the mean over random rankings")


def _decided(row: pd.Series) -> str:
    detectable = f" (detectable: {row.smallest_detectable:.3f})" if np.isfinite(row.smallest_detectable) else ""
    return f"{row.verdict}{detectable}"
