"""Training time saved, selection time and accuracy lost at each keep rate."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from iqadistill.errors import InputError
from iqadistill.figures.drawing.style import (
    BAND,
    GREY,
    INK,
    PowerFormatter,
    SelectorStyle,
    new_figure,
    panel_title,
    selector_styles,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import ALL, PANEL, RANDOM, against_all, in_panel, one, panels
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.figures.rows import training_costs

FIGURE = FigureSpec(
    title="Cost and saving",
    caption=(
        "Fraction of patches trained on, training time saved per split and time spent on ranking all images once, "
        "and SRCC lost against all patches in the paired comparison, with its corrected interval. Sampling and "
        "embedding cost the same for every selector and are listed under Costs."
    ),
    alt="Line charts of training patches, seconds and lost SRCC against the keep rate.",
    reads="metrics",
    rates="many",
    one_student=True,
    histories=True,
)

KEY = [*PANEL, "selector", "keep"]


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_cost(training_costs(inputs.histories, inputs.costs), inputs.comparisons, inputs.notes)


@styled
def plot_cost(
    costs: pd.DataFrame, comparisons: pd.DataFrame, notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw patches kept, time saved and spent, and SRCC lost against the keep rate.

    The figure has one row of panels per dataset, sampler and encoder.

    Args:
        costs: One row per variant with dataset, sampler, encoder, selector, keep, `patches` (kept, over all images),
            `train_seconds` (of a split) and `select_seconds` (to rank every image, once for all keep rates); the
            selector `all` at keep 1 is the reference.
        comparisons: Table "comparisons"; the pairs against all patches give the SRCC lost and its interval.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per variant: `patches_share`, `seconds_saved` (training of a split, against
        all patches), and `srcc_lost` with `lost_low` and `lost_high`.

    Raises:
        InputError: A panel has no row for all patches.
    """
    notes = notes or {}
    shown = panels(costs)
    table = pd.concat([_against_all(in_panel(costs, panel), panel) for panel in shown], ignore_index=True)
    table = table.merge(_lost(comparisons), on=KEY, how="left")
    styles = selector_styles(set(table.selector) - {ALL, RANDOM})
    figure = new_figure(10.2, 0.7 + 2.9 * len(shown))
    for (patches, seconds, lost), panel in zip(figure.subplots(len(shown), 3, squeeze=False), shown, strict=True):
        variants = in_panel(table, panel).sort_values("keep")
        _draw_patches(patches, variants)
        _draw_seconds(seconds, variants, styles)
        _draw_lost(lost, variants, styles)
        patches.set_title(panel_title(panel, notes))
        for axes in (patches, seconds, lost):
            axes.grid(axis="y")
            axes.set(xlabel="keep rate", xlim=(0.04, 1.04))
    shared_legend(figure)
    return figure, table


def _against_all(rows: pd.DataFrame, panel: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of a panel with shares and differences relative to its row for all patches."""
    reference = one(rows, selector=ALL)
    if reference is None:
        raise InputError(
            f"costs: no row for all patches of {'/'.join(panel)}, which savings are relative to; train on them too."
        )
    return rows.assign(
        patches_share=rows.patches / reference.patches, seconds_saved=reference.train_seconds - rows.train_seconds
    )


def _lost(comparisons: pd.DataFrame) -> pd.DataFrame:
    pairs = against_all(comparisons)
    pairs = pairs[pairs.metric == "srcc"]
    lost = pairs[KEY].assign(srcc_lost=-pairs.delta, lost_low=-pairs.high, lost_high=-pairs.low)
    return lost.drop_duplicates(KEY)


def _draw_patches(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the fraction of patches trained on; it is the same for all selectors."""
    share = rows.groupby("keep").patches_share.mean()
    axes.plot(share.index, share, color=INK, marker="h")
    axes.set(ylabel="training patches", ylim=(0, 1.05))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _draw_seconds(axes: Axes, rows: pd.DataFrame, styles: Mapping[str, SelectorStyle]) -> None:
    """Draw the ranking time of each selector and the training time saved, which is the mean over selectors."""
    saved = rows[rows.keep < 1].groupby("keep").seconds_saved.mean()
    axes.plot(saved.index, saved, color=INK, marker="h", label="training time saved per split")
    spent = {name: rows.select_seconds[rows.selector == name].max() for name in styles if name in set(rows.selector)}
    # markers at different positions keep selectors of equal cost apart
    for x, (name, value) in zip(np.linspace(0.15, 0.95, len(spent)), spent.items(), strict=True):
        style = styles[name]
        axes.axhline(value, color=style.color, linestyle=(0, (1, 1.5)), linewidth=1.2)
        axes.plot([x], [value], color=style.color, marker=style.marker, linestyle="none", markersize=6)
    positive = [value for value in [*spent.values(), saved.max()] if value > 0]
    if positive and max(positive) > 20 * min(positive):
        axes.set_yscale("symlog", linthresh=min(positive) / 2)
        axes.yaxis.set_major_formatter(PowerFormatter())
    axes.set(ylabel="seconds", title="solid: training time saved per split\ndotted: time to rank all images once")


def _draw_lost(axes: Axes, rows: pd.DataFrame, styles: Mapping[str, SelectorStyle]) -> None:
    control = rows[rows.selector == RANDOM]
    axes.fill_between(control.keep, control.lost_low, control.lost_high, color=BAND, alpha=0.75, linewidth=0)
    axes.plot(control.keep, control.srcc_lost, color=GREY, linewidth=1.8, label="random (band: interval)")
    dodge = (np.arange(len(styles)) - (len(styles) - 1) / 2) * 0.009
    for shift, (selector, (label, color, marker)) in zip(dodge, styles.items(), strict=True):
        line = rows[(rows.selector == selector) & (rows.keep < 1)]
        bars = np.vstack([line.srcc_lost - line.lost_low, line.lost_high - line.srcc_lost])
        axes.errorbar(line.keep + shift, line.srcc_lost, bars, fmt="none", ecolor=color, elinewidth=0.8, alpha=0.55)
        axes.plot(line.keep + shift, line.srcc_lost, color=color, marker=marker, label=label, linewidth=1.3, mew=0)
    axes.axhline(0, color=INK, linestyle=(0, (5, 3)), linewidth=1.1, label="all patches")
    axes.set(ylabel="SRCC lost against all patches")
