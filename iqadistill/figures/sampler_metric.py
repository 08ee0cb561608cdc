"""Samplers crossed with the distances behind residual selection."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import all_patches_line, dot, random_band
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, shared_legend, styled, titled
from iqadistill.figures.drawing.variants import (
    ALL,
    PANEL,
    RANDOM,
    by_setting,
    in_panel,
    one,
    trained,
    with_random_delta,
)

DISTANCES = {"euclidean": ("#d55e00", "o"), "manhattan": ("#0072b2", "s"), "mahalanobis": ("#009e73", "^")}


@styled
def plot_sampler_metric(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    settings: Mapping[str, Mapping[str, Any]],
    keep: float,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC for each sampler and distance at one keep rate, a panel a dataset x encoder.

    Each sampler has its own grey band (random at the same rate) and dashed line (all patches).

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons".
        settings: Selector -> its settings, with `metric`.
        keep: Keep rate shown.
        notes: Dataset -> words that stand beside its name.

    Returns:
        The figure, and a row for each sampler x distance with its difference to random.

    Raises:
        InputError: A selector has no `metric`, or nothing was evaluated.
    """
    notes = notes or {}
    rows = trained(summary)
    rows = rows[rows.metric == "srcc"]
    at_rate = rows[np.isclose(rows.keep, keep)]
    shown = by_setting(at_rate.rename(columns={"metric": "score"}), settings, ["metric"])
    pairs = list(shown[["dataset", "encoder"]].drop_duplicates().itertuples(index=False, name=None))
    distances = [name for name in DISTANCES if name in set(shown.metric)]
    samplers = {pair: _samplers(shown, *pair) for pair in pairs}
    widths = [0.9 + 0.85 * max(2, len(names)) for names in samplers.values()]
    figure = new_figure(max(5.0, 0.5 + sum(widths)), 3.6)
    grid = figure.subplots(1, len(pairs), squeeze=False, width_ratios=widths)[0]
    for axes, (dataset, encoder) in zip(grid, pairs, strict=True):
        axes.grid(axis="y")
        names = samplers[dataset, encoder]
        for place, sampler in enumerate(names):
            panel, span = (dataset, sampler, encoder), (place - 0.42, place + 0.42)
            random_band(axes, one(in_panel(at_rate, panel, selector=RANDOM)), span)
            all_patches_line(axes, one(in_panel(rows, panel, selector=ALL)), span)
            for order, distance in enumerate(distances):
                row = one(in_panel(shown, panel, metric=distance))
                if row is not None:
                    shift = (order - (len(distances) - 1) / 2) * 0.22
                    dot(axes, place + shift, row, *DISTANCES[distance], label=f"{distance} distance")
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_xlabel("sampler")
        axes.set_ylabel(f"{METRIC_LABELS['srcc']} at keep {keep:g}")
        axes.set_title(f"{titled(dataset, notes)}\nencoder {encoder}")
    shared_legend(figure, columns=3)
    table = with_random_delta(shown.rename(columns={"metric": "distance", "score": "metric"}), comparisons)
    return figure, table.sort_values([*PANEL, "distance"], kind="stable", ignore_index=True)


def _samplers(rows: pd.DataFrame, dataset: str, encoder: str) -> list[str]:
    return list(dict.fromkeys(rows.sampler[(rows.dataset == dataset) & (rows.encoder == encoder)]))
