"""Selectors compared with their controls: all patches, random patches, the distortion label, the noise ceiling."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import dot
from iqadistill.figures.drawing.style import CEILING, INK, METRIC_LABELS, new_figure, selector_styles, styled, with_note
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, RANDOM, panels, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Controls",
    caption=(
        "SRCC of every selector at keep rate {{ settings.keep_rate }}, compared with all patches, random patches "
        "at the same rate, and a predictor that knows only the distortion label: mean over splits (of Fisher's z); "
        "bars: {{ intervals }}. Dotted: the noise ceiling, where it is known."
    ),
    alt=(
        "Dot chart of the SRCC of all patches, random patches, each selector and the label-only control, with "
        "the noise ceiling as a dotted line."
    ),
    reads="metrics",
    rates="one",
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_controls(inputs.summary, inputs.experiment.keep_rate, inputs.notes, inputs.ceilings)


@styled
def plot_controls(
    summary: pd.DataFrame,
    keep: float,
    notes: Mapping[str, str] | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw the SRCC of all controls and selectors: one panel per dataset, one group of dots per sampler and encoder.

    Args:
        summary: Table "summary"; the student `label_only` is the label-only control.
        keep: Keep rate of the selectors.
        notes: Note of a dataset by its name.
        ceilings: Noise ceiling (SRCC) of a dataset by its name.

    Returns:
        The figure, and a table with one row per dot.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    notes, ceilings = notes or {}, ceilings or {}
    rows = trained(summary[summary.metric == "srcc"])
    rows = rows[(rows.selector == ALL) | np.isclose(rows.keep, keep)]
    labels = summary[(summary.metric == "srcc") & (summary.student == LABEL_ONLY)]
    styles = selector_styles(rows.selector)
    order = [ALL, RANDOM, *(name for name in styles if name not in (ALL, RANDOM))]
    datasets = list(dict.fromkeys(rows.dataset))
    lines = {dataset: _lines(rows, dataset, order) for dataset in datasets}
    heights = [len(lines[dataset]) + 1.5 + (dataset in set(labels.dataset)) for dataset in datasets]
    figure = new_figure(6.6, 0.5 + sum(0.23 * height + 0.55 for height in heights))
    drawn = []
    for axes, dataset in zip(
        figure.subplots(len(datasets), 1, squeeze=False, height_ratios=heights)[:, 0], datasets, strict=True
    ):
        axes.grid(axis="x")
        ticks: list[str] = []
        for text, row in lines[dataset]:
            if row is not None:
                style = styles[row.selector]
                marker = "o" if row.selector == RANDOM else style.marker
                dot(axes, len(ticks), row, style.color, marker, upright=False)
                drawn.append({"control": text.strip(), **row})
            ticks.append(text)
        for _, row in labels[labels.dataset == dataset].iterrows():
            dot(axes, len(ticks), row, CEILING, "d", upright=False)
            ticks.append("distortion label alone")
            drawn.append({"control": ticks[-1], **row})
        if dataset in ceilings:
            axes.axvline(ceilings[dataset], color=CEILING, linestyle=":", linewidth=1.4)
            axes.annotate(
                f"noise ceiling {ceilings[dataset]:.2f}",
                (ceilings[dataset], 0),
                xycoords=("data", "axes fraction"),
                xytext=(-4, 3),
                textcoords="offset points",
                color=CEILING,
                fontsize=8,
                ha="right",
            )
            drawn.append({"dataset": dataset, "control": "noise ceiling", "metric": "srcc", "mean": ceilings[dataset]})
        axes.set_yticks(range(len(ticks)), ticks)
        for tick in axes.get_yticklabels():
            if not tick.get_text().startswith("  "):
                tick.set(color=INK, fontweight="bold" if "encoder" in tick.get_text() else "normal")
        axes.set_ylim(len(ticks) + 0.4, -0.7)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title(with_note(dataset, notes), loc="left", fontweight="bold")
    axes.set_xlabel(f"{METRIC_LABELS['srcc']} (selectors and random at keep {keep:g})")
    return figure, pd.DataFrame(drawn)


def _lines(rows: pd.DataFrame, dataset: str, order: list[str]) -> list[tuple[str, pd.Series | None]]:
    """Lines of one dataset from top to bottom: tick label and row of a dot; headings have no row."""
    lines: list[tuple[str, pd.Series | None]] = []
    for panel in panels(rows[rows.dataset == dataset]):
        _, sampler, encoder = panel
        in_panel = rows[(rows.dataset == dataset) & (rows.sampler == sampler) & (rows.encoder == encoder)]
        lines.append((f"{sampler}, encoder {encoder}", None))
        for selector in order:
            for _, row in in_panel[in_panel.selector == selector].iterrows():
                lines.append((f"  {selector_styles([selector])[selector].label}", row))
    return lines
