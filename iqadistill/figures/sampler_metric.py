"""Samplers combined with the distances of residual selection."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import all_patches_line, dot, random_band
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, shared_legend, styled, with_note
from iqadistill.figures.drawing.variants import (
    ALL,
    PANEL,
    RANDOM,
    by_setting,
    in_panel,
    one,
    srcc_at,
    with_random_delta,
)
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Samplers and distances",
    caption=(
        "SRCC at keep rate {{ settings.keep_rate }} for every sampler and every distance in the similarity matrix of "
        "residual selection: mean over {{ splits }} splits (of Fisher's z); bars: {{ intervals }}. Grey: random at the "
        "same rate; dashed: all patches of that sampler."
    ),
    alt="Dot chart of SRCC for each sampler: a dot with its interval for each distance, random and all patches.",
    reads="metrics",
    rates="one",
    one_student=True,
    needs=("metric", "gamma"),
)

# colour of each distance, and its marker for each kernel width gamma
COLORS = {"euclidean": "#d55e00", "manhattan": "#0072b2", "mahalanobis": "#009e73"}
MARKERS = {
    "published": {"euclidean": "o", "manhattan": "s", "mahalanobis": "^"},
    "scale_free": {"euclidean": "P", "manhattan": "X", "mahalanobis": "v"},
}


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    experiment = inputs.experiment
    return plot_sampler_metric(
        inputs.summary, inputs.comparisons, experiment.selectors, experiment.keep_rate, inputs.notes
    )


@styled
def plot_sampler_metric(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    settings: Mapping[str, Mapping[str, Any]],
    keep: float,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC for each sampler, distance and kernel width at one keep rate, one panel per dataset and encoder.

    Each sampler has its own grey band (random at the same rate) and dashed line (all patches).

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons".
        settings: Settings of each selector by its name, with `metric` and `gamma`.
        keep: Keep rate.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per sampler, distance and gamma with its difference to random.

    Raises:
        InputError: A selector has no `metric` or `gamma`, or none of the selectors was evaluated.
    """
    notes = notes or {}
    rows, at_rate = srcc_at(summary, keep)
    shown = by_setting(at_rate.rename(columns={"metric": "score"}), settings, ["metric", "gamma"])
    pairs = list(shown[["dataset", "encoder"]].drop_duplicates().itertuples(index=False, name=None))
    present = set(zip(shown.metric, shown.gamma, strict=True))
    kinds = [(distance, gamma) for distance in COLORS for gamma in MARKERS if (distance, gamma) in present]
    several_gammas = len({gamma for _, gamma in kinds}) > 1
    markers = MARKERS if several_gammas else dict.fromkeys(MARKERS, MARKERS["published"])
    step = min(0.22, 0.8 / len(kinds))
    samplers = {pair: _samplers(shown, *pair) for pair in pairs}
    widths = [0.9 + 0.85 * max(2, len(names)) for names in samplers.values()]
    figure = new_figure(max(5.0, 0.5 + sum(widths)), 3.6)
    grid = figure.subplots(1, len(pairs), squeeze=False, width_ratios=widths)[0]
    for axes, (dataset, encoder) in zip(grid, pairs, strict=True):
        axes.grid(axis="y")
        names = samplers[dataset, encoder]
        for position, sampler in enumerate(names):
            panel, span = (dataset, sampler, encoder), (position - 0.42, position + 0.42)
            random_band(axes, one(in_panel(at_rate, panel, selector=RANDOM)), span)
            all_patches_line(axes, one(in_panel(rows, panel, selector=ALL)), span)
            for order, (distance, gamma) in enumerate(kinds):
                row = one(in_panel(shown, panel, metric=distance, gamma=gamma))
                if row is not None:
                    shift = (order - (len(kinds) - 1) / 2) * step
                    label = f"{distance} distance" + (f", gamma {gamma.replace('_', '-')}" if several_gammas else "")
                    dot(axes, position + shift, row, COLORS[distance], markers[gamma][distance], label=label)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_xlabel("sampler")
        axes.set_ylabel(f"{METRIC_LABELS['srcc']} at keep {keep:g}")
        axes.set_title(f"{with_note(dataset, notes)}\nencoder {encoder}")
    shared_legend(figure, columns=3)
    table = with_random_delta(shown.rename(columns={"metric": "distance", "score": "metric"}), comparisons)
    return figure, table.sort_values([*PANEL, "distance", "gamma"], kind="stable", ignore_index=True)


def _samplers(rows: pd.DataFrame, dataset: str, encoder: str) -> list[str]:
    return list(dict.fromkeys(rows.sampler[(rows.dataset == dataset) & (rows.encoder == encoder)]))
