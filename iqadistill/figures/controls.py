"""What selection is measured against: all patches, random, the label alone, the noise of the scores."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import dot
from iqadistill.figures.drawing.style import CEILING, INK, METRIC_LABELS, new_figure, selector_styles, styled, titled
from iqadistill.figures.drawing.variants import ALL, LABEL_ONLY, RANDOM, panels, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Controls",
    caption=(
        "Every selector at keep {{ settings.keep_rate }} beside all patches, random patches at the same rate, "
        "a predictor that knows only the distortion label, and, dotted, the SRCC that noise in the scores "
        "allows where it is known."
    ),
    alt=(
        "Dot chart of SRCC of all patches, random patches, each selector and the label-only control, with the "
        "noise ceiling as a dotted line."
    ),
    reads="metrics",
    rates="one",
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the experiment."""
    return plot_controls(inputs.summary, inputs.experiment.keep_rate, inputs.notes, inputs.ceilings)


@styled
def plot_controls(
    summary: pd.DataFrame,
    keep: float,
    notes: Mapping[str, str] | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC of every control and selector, a panel a dataset, a group of lines a sampler x encoder.

    Args:
        summary: Table "summary"; student `label_only` is the predictor that knows only the distortion label.
        keep: Keep rate of the selectors shown.
        notes: Dataset -> words that stand beside its name.
        ceilings: Dataset -> SRCC that noise in its scores allows.

    Returns:
        The figure, and a row for each dot.

    Raises:
        InputError: No row belongs to a trained student.
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
        ticks = []
        for text, row in lines[dataset]:
            if row is not None:
                _, color, marker = styles[row.selector]
                dot(axes, len(ticks), row, color, "o" if row.selector == RANDOM else marker, upright=False)
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
            drawn.append(
                {"dataset": dataset, "control": "noise ceiling", "metric": "srcc", "median": ceilings[dataset]}
            )
        axes.set_yticks(range(len(ticks)), ticks)
        for tick in axes.get_yticklabels():
            if not tick.get_text().startswith("  "):
                tick.set(color=INK, fontweight="bold" if "encoder" in tick.get_text() else "normal")
        axes.set_ylim(len(ticks) + 0.4, -0.7)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title(titled(dataset, notes), loc="left", fontweight="bold")
    axes.set_xlabel(f"{METRIC_LABELS['srcc']} (selectors and random at keep {keep:g})")
    return figure, pd.DataFrame(drawn)


def _lines(rows: pd.DataFrame, dataset: str, order: list[str]) -> list[tuple[str, pd.Series | None]]:
    """Headings (without a row) and dots of one dataset, top to bottom."""
    lines: list[tuple[str, pd.Series | None]] = []
    for panel in panels(rows[rows.dataset == dataset]):
        _, sampler, encoder = panel
        here = rows[(rows.dataset == dataset) & (rows.sampler == sampler) & (rows.encoder == encoder)]
        lines.append((f"{sampler}, encoder {encoder}", None))
        for selector in order:
            for _, row in here[here.selector == selector].iterrows():
                lines.append((f"  {selector_styles([selector])[selector][0]}", row))
    return lines
