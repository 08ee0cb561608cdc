"""Encoders, or poolings of one encoder, compared on all patches."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from iqadistill.figures.drawing.differences import difference_text, differences_to_first
from iqadistill.figures.drawing.dots import COLORS, MARKERS, dot
from iqadistill.figures.drawing.style import METRIC_LABELS, new_figure, shared_legend, styled, with_note
from iqadistill.figures.drawing.variants import ALL, PANEL, trained
from iqadistill.figures.inputs import MetricInputs
from iqadistill.figures.registry import FigureSpec

FIGURE = FigureSpec(
    title="Pooling of the encoder",
    caption=(
        "SRCC and PLCC on all patches with average pooling of the last stage (gap) and with mean and standard "
        "deviation of every stage (stages): mean over splits (of Fisher's z); bars: {{ intervals }}; on the right, the "
        "paired difference to the first encoder with its interval and its verdict (exploratory: both corrected over "
        "all pairs of encoders of a dataset and metric, margin {{ study.evaluation.margin }})."
    ),
    alt=("Dot chart of SRCC and PLCC for each encoder, dataset and sampler, with paired differences on the right."),
    reads="metrics",
    rates="none",
    one_student=True,
)


def draw(inputs: MetricInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    return plot_pooling(inputs.summary, inputs.comparisons, inputs.notes)


@styled
def plot_pooling(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draw SRCC and PLCC of every encoder on all patches, grouped by dataset and sampler, with paired differences.

    Args:
        summary: Table "summary".
        comparisons: Table "comparisons"; pairs that differ only in the encoder give the differences.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and a table with one row per dataset, sampler, encoder and metric with the difference to the first
        encoder.

    Raises:
        InputError: There are no rows of a student tested on its training dataset.
    """
    notes = notes or {}
    rows = trained(summary)
    rows = rows[(rows.selector == ALL) & rows.metric.isin(["srcc", "plcc"])]
    encoders = list(dict.fromkeys(rows.encoder))
    groups = list(rows[["dataset", "sampler"]].drop_duplicates().itertuples(index=False, name=None))
    table = _with_first_encoder_delta(rows, comparisons, encoders[0])
    step = 0.8 / len(encoders)
    figure = new_figure(10.2, 1.2 + 0.21 * (0.8 + len(encoders)) * len(groups))
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ["srcc", "plcc"], strict=True):
        axes.grid(axis="x")
        for position, (dataset, sampler) in enumerate(groups):
            group = table[(table.dataset == dataset) & (table.sampler == sampler) & (table.metric == metric)]
            for order, (_, row) in enumerate(group.iterrows()):
                index = encoders.index(row.encoder)
                y = position + (order - (len(group) - 1) / 2) * step
                dot(axes, y, row, COLORS[index], MARKERS[index], row.encoder, upright=False)
                if words := difference_text(row):
                    axes.annotate(words, (1.02, y), xycoords=("axes fraction", "data"), fontsize=7, va="center")
        labels = [f"{with_note(dataset, notes)}\n{sampler}" for dataset, sampler in groups]
        axes.set_yticks(range(len(groups)), labels)
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlabel(f"{METRIC_LABELS[metric]}, all patches")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    shared_legend(figure)
    return figure, table


def _with_first_encoder_delta(rows: pd.DataFrame, comparisons: pd.DataFrame, first: str) -> pd.DataFrame:
    """Rows with the difference of each encoder to the first, in whichever order the pair was tested."""
    key = [*PANEL, "metric"]
    pairs = comparisons[
        (comparisons.encoder != comparisons.other_encoder) & (comparisons.sampler == comparisons.other_sampler)
    ]
    pairs = pairs[(pairs.selector == ALL) & (pairs.other_selector == ALL)]
    return rows.merge(differences_to_first(pairs, "encoder", first, key), on=key, how="left")
