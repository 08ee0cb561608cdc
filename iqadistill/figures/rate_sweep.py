"""Accuracy against the keep rate."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from iqadistill.figures.drawing.dots import interval_bars
from iqadistill.figures.drawing.style import (
    BAND,
    GREY,
    INK,
    METRIC_LABELS,
    SelectorStyle,
    draw_ceiling,
    new_figure,
    panel_title,
    selector_styles,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import ALL, PANEL, RANDOM, in_panel, one, panels, trained, with_random_delta
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Accuracy against keep rate",
    caption=(
        "SRCC and PLCC of the student against the fraction of patches it was trained on: mean over {{ splits }} "
        "content-disjoint splits (of Fisher's z); bars: {{ intervals }}. Grey band: random patches at the same rate; "
        "dashed line: all patches."
        "{% if table is not none %} Test images are scored by "
        "{% if (study.students[table.student.iloc[0]].test_patches or study.evaluation.test_patches) == 'kept' %}"
        "the patches that the selector keeps{% elif study.evaluation.max_test_patches %}"
        "at most {{ study.evaluation.max_test_patches }} of their patches{% else %}all their patches{% endif %}."
        "{% endif %}"
    ),
    alt=(
        "Line charts of SRCC and PLCC against the keep rate for every selector, with random as a grey band and "
        "all patches as a dashed line."
    ),
    reads="metrics",
    rates="many",
    one_student=True,
)

SHOWN = ("srcc", "plcc")
COLUMNS = 3


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_rate_sweep(inputs.summary, inputs.comparisons, inputs.notes, inputs.ceilings)


@styled
def plot_rate_sweep(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    notes: Mapping[str, str] | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and PLCC against the keep rate, one panel each per dataset, sampler and encoder.

    Lines are means over the splits (of Fisher's z) with 95 % intervals. Random is the grey band; all patches are the
    dashed line and the point at keep 1 where all selectors end.

    Args:
        summary: Table "summary" with the selectors, `random` and `all`.
        comparisons: Table "comparisons"; the pairs against random at the same rate enter the returned table.
        notes: Note of a dataset by its name.
        ceilings: Noise ceiling (SRCC) of a dataset by its name.

    Returns:
        The figure, and a table with one row per variant and metric: mean, interval, and difference to random with
        its verdict.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    notes, ceilings = notes or {}, ceilings or {}
    rows = trained(summary)
    rows = rows[rows.metric.isin(SHOWN)]
    shown = panels(rows)
    styles = selector_styles(set(rows.selector) - {ALL, RANDOM})
    columns = min(COLUMNS, len(shown))
    bands = -(-len(shown) // columns)
    figure = new_figure(max(5.8, 1.2 + 3.0 * columns), 0.7 + 4.6 * bands)
    grid = figure.subplots(len(SHOWN) * bands, columns, squeeze=False, sharex=True)
    for position, panel in enumerate(shown):
        band, column = divmod(position, columns)
        for offset, metric in enumerate(SHOWN):
            axes = grid[len(SHOWN) * band + offset, column]
            _draw_panel(axes, in_panel(rows, panel, metric=metric), styles)
            axes.set_ylabel(METRIC_LABELS[metric])
            if metric == "srcc":
                axes.set_title(panel_title(panel, notes))
                if panel[0] in ceilings:
                    draw_ceiling(axes, ceilings[panel[0]])
            else:
                axes.set_xlabel("keep rate")
                axes.tick_params(labelbottom=True)
    for unused in range(len(shown), bands * columns):
        for offset in range(len(SHOWN)):
            grid[len(SHOWN) * (unused // columns) + offset, unused % columns].remove()
    shared_legend(figure)
    table = with_random_delta(rows, comparisons)
    return figure, table.sort_values([*PANEL, "metric", "selector", "keep"], kind="stable", ignore_index=True)


def _draw_panel(axes: Axes, rows: pd.DataFrame, styles: Mapping[str, SelectorStyle]) -> None:
    axes.grid(axis="y")
    all_patches = one(rows, selector=ALL)
    if all_patches is not None:
        axes.axhline(
            all_patches["mean"], color=INK, linestyle=(0, (5, 3)), linewidth=1.1, label="all patches", zorder=2
        )
    control = _extend_to_all(rows[rows.selector == RANDOM], all_patches)
    if not control.empty:
        axes.fill_between(control.keep, control.low, control.high, color=BAND, alpha=0.75, linewidth=0, zorder=0)
        axes.plot(
            control.keep, control["mean"], color=GREY, linewidth=1.8, label="random (band: 95 % interval)", zorder=1
        )
    dodge = (np.arange(len(styles)) - (len(styles) - 1) / 2) * 0.009  # keeps the intervals side by side
    for shift, (selector, (label, color, marker)) in zip(dodge, styles.items(), strict=True):
        line = rows[rows.selector == selector].sort_values("keep")
        if line.empty:
            continue
        bars = interval_bars(line)
        axes.errorbar(line.keep + shift, line["mean"], bars, fmt="none", ecolor=color, elinewidth=0.8, alpha=0.55)
        extended = _extend_to_all(line, all_patches)
        keep = extended.keep + np.where(extended.keep < 1, shift, 0)
        axes.plot(
            keep,
            extended["mean"],
            color=color,
            marker=marker,
            label=label,
            linewidth=1.3,
            markeredgewidth=0,
            zorder=3,
        )
    if all_patches is not None:
        bars = interval_bars(all_patches)
        axes.errorbar([1.0], [all_patches["mean"]], bars, fmt="h", color=INK, elinewidth=1, markersize=5, zorder=4)
    axes.set_xlim(0.04, 1.04)
    axes.set_xticks(np.arange(0.2, 1.01, 0.2))
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _extend_to_all(line: pd.DataFrame, all_patches: pd.Series | None) -> pd.DataFrame:
    """Rows of a selector by keep rate, extended to keep 1, where every selector keeps all patches."""
    line = line.sort_values("keep")
    if all_patches is None or line.empty or (line.keep >= 1).any():
        return line
    return pd.concat([line, all_patches.to_frame().T.astype(line.dtypes.to_dict())])
