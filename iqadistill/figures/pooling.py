"""Encoders, or poolings of one encoder, side by side on all patches."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, p_text, shared_legend, styled, titled
from iqadistill.figures.drawing.variants import ALL, PANEL, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Pooling of the encoder",
    caption=(
        "SRCC and PLCC on all patches with the last stage's average (gap) and with mean and standard "
        "deviation of every stage (stages), 95 % intervals; at the right the paired difference to the first "
        "encoder with its Holm-corrected p."
    ),
    alt=(
        "Dot chart of SRCC and PLCC for each encoder, dataset and sampler, with paired differences written at "
        "the right."
    ),
    reads="metrics",
    rates="none",
    one_student=True,
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the experiment."""
    return plot_pooling(inputs.summary, inputs.comparisons, inputs.notes)


@styled
def plot_pooling(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and PLCC of every encoder on all patches, a line a dataset x sampler, with the paired test's p.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons"; pairs that differ in the encoder alone give the p values.
        notes: Dataset -> words that stand beside its name.

    Returns:
        The figure, and a row for each dataset x sampler x encoder x metric with the difference to the first encoder.

    Raises:
        InputError: No row belongs to a trained student.
    """
    notes = notes or {}
    rows = trained(summary)
    rows = rows[(rows.selector == ALL) & rows.metric.isin(["srcc", "plcc"])]
    encoders = list(dict.fromkeys(rows.encoder))
    lines = list(rows[["dataset", "sampler"]].drop_duplicates().itertuples(index=False, name=None))
    table = _with_first_encoder_delta(rows, comparisons, encoders[0])
    step = 0.8 / len(encoders)
    figure = new_figure(8.6, 1.2 + 0.21 * (0.8 + len(encoders)) * len(lines))
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ["srcc", "plcc"], strict=True):
        axes.grid(axis="x")
        for place, (dataset, sampler) in enumerate(lines):
            here = table[(table.dataset == dataset) & (table.sampler == sampler) & (table.metric == metric)]
            for order, (_, row) in enumerate(here.iterrows()):
                look = encoders.index(row.encoder)
                at = place + (order - (len(here) - 1) / 2) * step
                dot(axes, at, row, COLORS[look], MARKERS[look], row.encoder, upright=False)
                if np.isfinite(row.p_holm):
                    text = f"{row.delta_first:+.3f}, Holm {p_text(row.p_holm)}"
                    axes.annotate(text, (1.02, at), xycoords=("axes fraction", "data"), fontsize=7.5, va="center")
        axes.set_yticks(range(len(lines)), [f"{titled(dataset, notes)}\n{sampler}" for dataset, sampler in lines])
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_xlabel(f"{METRIC_LABELS[metric]}, all patches")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    shared_legend(figure)
    return figure, table


def _with_first_encoder_delta(rows: pd.DataFrame, comparisons: pd.DataFrame, first: str) -> pd.DataFrame:
    """Difference of each encoder to the first, whichever way round the pair was tested."""
    key = [*PANEL, "metric"]
    pairs = comparisons[
        (comparisons.encoder != comparisons.other_encoder) & (comparisons.sampler == comparisons.other_sampler)
    ]
    pairs = pairs[(pairs.selector == ALL) & (pairs.other_selector == ALL)]
    columns = [*key, "delta", "low", "high", "p", "p_holm"]
    forward = pairs[pairs.other_encoder == first][columns]
    backward = pairs[pairs.encoder == first].drop(columns="encoder").rename(columns={"other_encoder": "encoder"})
    backward = backward[columns].assign(delta=-backward.delta, low=-backward.high, high=-backward.low)
    both = pd.concat([forward, backward]).rename(
        columns={"delta": "delta_first", "low": "delta_low", "high": "delta_high"}
    )
    return rows.merge(both.drop_duplicates(key), on=key, how="left")
